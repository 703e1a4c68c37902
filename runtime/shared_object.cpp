#include "runtime/shared_object.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "runtime/process.h"
#include "uops/error.h"

namespace pg {

namespace {
/// The loader takes a path it has seen for the object it has loaded, and numbers of descriptors come back: so every load
/// spells its path in a way of its own, the bits of a counter as "/" and "./".
std::string unique_path(int fd) {
  static std::atomic<uint64_t> loads{0};
  std::string path = "/proc/self/fd/";
  for (uint64_t n = ++loads; n != 0; n >>= 1) path += n & 1 ? "./" : "/";
  return path + std::to_string(fd);
}

void* load_from_disk(std::string_view bytes) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/kernel.so";
  const FileDescriptor fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700));
  if (!fd || !write_all(fd.get(), bytes)) throw UserError("cannot write " + path);
  return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
}
}  // namespace

SharedObject::SharedObject(std::string_view bytes) {
  {
    const FileDescriptor fd(memory_file(bytes));
    handle_ = dlopen(unique_path(fd.get()).c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  const char* words = handle_ ? nullptr : dlerror();
  const std::string first = words ? words : "";
  if (!handle_) handle_ = load_from_disk(bytes);  // systems that forbid executable memory files
  if (!handle_) throw InternalError("loading a kernel: " + first);
}

SharedObject::~SharedObject() {
  if (handle_) dlclose(handle_);
}

void* SharedObject::symbol(const std::string& name) const {
  void* address = dlsym(handle_, name.c_str());
  if (!address) throw InternalError("a loaded kernel has no symbol " + name);
  return address;
}

}  // namespace pg
