#include "runtime/dynamic_library.h"

#include <dlfcn.h>

#include <filesystem>

namespace pg {

std::shared_ptr<DynamicLibrary> DynamicLibrary::open(const std::string& path, std::string& why) {
  // Those with threads and a C++ library of their own do not go without a trace: once loaded they stay.
  if (void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE))
    return std::shared_ptr<DynamicLibrary>(new DynamicLibrary(handle));
  const char* words = dlerror();
  why = words ? words : path + ": unknown error";
  return nullptr;
}

DynamicLibrary::~DynamicLibrary() { dlclose(handle_); }

void* DynamicLibrary::symbol(const char* name) const { return dlsym(handle_, name); }

std::string DynamicLibrary::file_of(const char* name) const {
  void* address = symbol(name);
  Dl_info about{};
  if (!address || dladdr(address, &about) == 0 || !about.dli_fname) return {};
  std::error_code error;
  const auto real = std::filesystem::canonical(about.dli_fname, error);
  return error ? about.dli_fname : real.string();
}

}  // namespace pg
