#pragma once
#include <memory>
#include <string>

namespace pg {

/// A library of the system, found at run time.
class DynamicLibrary {
 public:
  /// By path, or by name on the linker's path. Null when it cannot be loaded; then `why` holds the loader's words.
  static std::shared_ptr<DynamicLibrary> open(const std::string& path, std::string& why);
  ~DynamicLibrary();
  DynamicLibrary(const DynamicLibrary&) = delete;
  DynamicLibrary& operator=(const DynamicLibrary&) = delete;
  /// Null when it has no such symbol.
  void* symbol(const char* name) const;
  /// The file that holds `symbol`, links resolved; empty when unknown.
  std::string file_of(const char* symbol) const;

 private:
  explicit DynamicLibrary(void* handle) : handle_(handle) {}
  void* handle_;
};

}  // namespace pg
