#pragma once
// Clang as a library of this process, which is found at run time: libpicograd-clang.so, built where LLVM's libraries are.
#include "runtime/clang.h"

namespace pg {

struct LoadedClangModule {
  std::shared_ptr<const Clang> clang;  // null: `missing` says why
  std::string missing;
};
/// Loaded on first use, once for the process.
const LoadedClangModule& clang_module();
/// From this file.
LoadedClangModule load_clang_module(const std::string& path);
/// find_clang where `module` is what there is.
FoundClang choose_clang(const Config&, const LoadedClangModule& (*module)());

}  // namespace pg
