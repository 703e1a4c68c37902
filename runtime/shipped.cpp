#include "runtime/shipped.h"

#include <filesystem>

namespace pg {
namespace fs = std::filesystem;

std::string shipped(const std::string& in_source, const std::string& installed) {
  std::error_code ignored;
  for (fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path(); !folder.empty();
       folder = folder.parent_path()) {
    for (const fs::path& place : {folder / in_source, folder / "share/picograd" / installed})
      if (fs::exists(place, ignored)) return place;
    if (folder == folder.root_path()) break;
  }
  return "";
}

}  // namespace pg
