#pragma once
#include <string>
#include <string_view>

namespace pg {

/// A loaded shared object; unloaded with its owner.
class SharedObject {
 public:
  /// From the bytes of an ELF file. Throws InternalError with the loader's words.
  explicit SharedObject(std::string_view bytes);
  ~SharedObject();
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;
  /// Throws InternalError when there is no such symbol.
  void* symbol(const std::string& name) const;

 private:
  void* handle_ = nullptr;
};

}  // namespace pg
