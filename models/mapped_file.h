#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace pg {

/// A regular file mapped read-only; the mapping is page-aligned and lives as long as `keep`.
struct MappedFile {
  std::span<const std::byte> bytes;
  std::shared_ptr<void> keep;
};
/// UserError with the path and the system's words when the file cannot be opened, is no regular file or is empty.
MappedFile map_file(const std::string& path);

}  // namespace pg
