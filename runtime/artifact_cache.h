#pragma once
#include <atomic>
#include <optional>
#include <string>

#include "runtime/device.h"

namespace pg {

/// Compiled kernels on disk, `<directory>/<key>`: content hash, symbol, bytes. What is loaded is code that will run: files
/// are taken only when they belong to this user, nobody else may write to them, and their content has the hash they claim.
class ArtifactCache {
 public:
  explicit ArtifactCache(std::string directory);
  /// 128 bits over the parts, as 32 hex digits.
  static std::string key(std::initializer_list<std::string_view> parts);

  std::optional<Artifact> get(const std::string& key) const;
  /// Best effort: a directory that cannot be written is said once and otherwise ignored.
  void put(const std::string& key, const Artifact&);

  /// Which compiler filled the cache last: keys hold its version, and a machine may have lost it. Empty: unknown.
  /// `kind`: each kind of compiler is remembered for itself.
  static std::string last_compiler(const std::string& directory, const std::string& kind = "compiler");
  void remember_compiler(const std::string& version, const std::string& kind = "compiler");

 private:
  void write(const std::string& name, const std::string& content);

  std::string directory_;
  std::atomic<bool> writable_{false};
};

}  // namespace pg
