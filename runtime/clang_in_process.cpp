#include "runtime/clang_in_process.h"

#include <dlfcn.h>

#include <filesystem>

#include "runtime/clang_module/interface.h"
#include "uops/error.h"

namespace pg {

namespace {

constexpr const char* kModule = "libpicograd-clang.so";

class ClangInProcess final : public Clang {
 public:
  ClangInProcess(void* module, const char* its_version)
      : version_(its_version),
        compile_(reinterpret_cast<decltype(compile_)>(dlsym(module, "picograd_clang_compile"))),
        free_(reinterpret_cast<decltype(free_)>(dlsym(module, "picograd_clang_free"))) {}

  const std::string& version() const override { return version_; }
  std::string route() const override { return kModule; }

  CompiledObject compile(const std::string& source, const std::vector<std::string>& flags) const override {
    std::vector<const char*> words;
    for (const std::string& f : flags) words.push_back(f.c_str());
    struct Object : picograd_clang_object {
      decltype(&picograd_clang_free) release;
      ~Object() { release(this); }
    } object{{}, free_};
    const int failed = compile_(source.data(), source.size(), words.data(), words.size(), &object);
    std::string bytes(object.bytes, object.size);
    if (failed) throw InternalError(version_ + " refuses generated code:\n" + bytes + "\n" + source);
    return {std::move(bytes), object.frontend_ms, object.passes_ms, object.codegen_ms};
  }

 private:
  std::string version_;
  decltype(&picograd_clang_compile) compile_;
  decltype(&picograd_clang_free) free_;
};

}  // namespace

// The module stays loaded to the end: LLVM keeps state of its own.
LoadedClangModule load_clang_module(const std::string& path) {
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!module) return {nullptr, "cannot load " + std::string(dlerror())};
  const auto interface = reinterpret_cast<decltype(&picograd_clang_interface)>(dlsym(module, "picograd_clang_interface"));
  const auto version = reinterpret_cast<decltype(&picograd_clang_version)>(dlsym(module, "picograd_clang_version"));
  if (!interface || !version || interface() != PICOGRAD_CLANG_INTERFACE)
    return {nullptr, path + " was built for another picograd"};
  return {std::make_shared<ClangInProcess>(module, version()), ""};
}

const LoadedClangModule& clang_module() {
  static const LoadedClangModule loaded = [] {
    std::error_code none;
    const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe", none).parent_path();
    for (const std::filesystem::path& directory : {here / "lib", here.parent_path() / "lib"})
      if (std::filesystem::exists(directory / kModule, none)) return load_clang_module((directory / kModule).string());
    return LoadedClangModule{nullptr, std::string(kModule) + " is not built"};
  }();
  return loaded;
}

}  // namespace pg
