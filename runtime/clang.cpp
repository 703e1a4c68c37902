#include "runtime/clang.h"

#include <fcntl.h>

#include "runtime/clang_in_process.h"
#include "runtime/clang_process.h"
#include "runtime/process.h"
#include "uops/error.h"

namespace pg {

namespace {

// The linker itself: the compiler's driver takes ten times as long for the same.
constexpr const char* kLinkers[] = {"ld", "ld.lld-19", "ld.lld", "ld.gold"};

const char* kSetUp = "run ./picograd setup --full, which installs LLVM's libraries and builds it";

}  // namespace

FoundClang choose_clang(const Config& c, const LoadedClangModule& (*module)()) {
  const auto spawned = [&](const std::string& note) -> FoundClang {
    if (auto clang = ClangProcess::find(c.clang)) return {clang, "", note};
    return {nullptr, missing_clang(c.clang), note};
  };
  if (c.compiler == "spawn") return spawned("not in process: PICOGRAD_COMPILER=spawn");
  // Who names a compiler means that one.
  if (c.compiler == "auto" && !c.clang.empty()) return spawned("not in process: PICOGRAD_CLANG names a compiler");
  const LoadedClangModule& loaded = module();
  if (loaded.clang) return {loaded.clang, "", ""};
  if (c.compiler == "auto") return spawned("not in process: " + loaded.missing + "; " + kSetUp);
  return {nullptr, "PICOGRAD_COMPILER=inprocess: " + loaded.missing + ": " + kSetUp + ", or set PICOGRAD_COMPILER=auto", ""};
}

FoundClang find_clang(const Config& c) { return choose_clang(c, clang_module); }

std::vector<std::string> clang_flags(const std::string& isa) {
  return {"-O2", "-march=" + isa, "-mprefer-vector-width=512",
          // Fma is an op of its own: what the interpreter computes is what the kernel computes, to the bit.
          "-ffp-contract=off", "-fno-math-errno",
          // Integers wrap, and an address that no lane uses may lie anywhere.
          "-fwrapv",
          // Schedules unroll; a second opinion costs a quarter of the compile time.
          "-fno-unroll-loops", "-fPIC", "-w"};
}

std::string link_shared_object(std::string_view object) {
  const TemporaryDirectory directory;
  const std::string input = directory.path() + "/kernel.o", output = directory.path() + "/kernel.so";
  {
    const FileDescriptor fd(open(input.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd || !write_all(fd.get(), object)) throw UserError("cannot write " + input);
  }
  for (const char* linker : kLinkers) {
    const auto result = run_process({linker, "-shared", "-z", "noexecstack", "-o", output, input});
    if (!result) continue;
    if (result->status != 0) throw InternalError(std::string(linker) + ": " + result->err);
    auto bytes = read_file(output);
    if (!bytes) throw UserError("cannot read " + output);
    return std::move(*bytes);
  }
  throw UserError("no linker found: install binutils (apt-get install binutils)");
}

std::string compile_shared_object(const Clang& clang, const std::string& isa, const std::string& source) {
  return link_shared_object(clang.compile(source, clang_flags(isa)).bytes);
}

}  // namespace pg
