#include "runtime/clang.h"

#include "runtime/process.h"
#include "uops/error.h"

namespace pg {

namespace {

// Newest first: newer ones know newer processors.
constexpr const char* kCompilers[] = {"clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14", "clang"};
// The linker itself: the compiler's driver takes ten times as long for the same.
constexpr const char* kLinkers[] = {"ld", "ld.lld-19", "ld.lld", "ld.gold"};

/// "Debian clang version 19.1.7 (3~deb12u1)" → "clang 19.1.7"
std::optional<std::string> version_of(const std::string& program) {
  const auto result = run_process({program, "--version"});
  if (!result || result->status != 0) return std::nullopt;
  constexpr std::string_view kBefore = "clang version ";
  const size_t at = result->out.find(kBefore);
  if (at == result->out.npos) return std::nullopt;
  const size_t begin = at + kBefore.size();
  return "clang " + result->out.substr(begin, result->out.find_first_of(" \n", begin) - begin);
}

void link(const ClangCompiler& clang, const std::string& object, const std::string& output) {
  for (const char* linker : kLinkers)
    if (const auto result = run_process({linker, "-shared", "-z", "noexecstack", "-o", output, object})) {
      if (result->status == 0) return;
      throw InternalError(std::string(linker) + ": " + result->err);
    }
  const auto result = run_process({clang.program, "-shared", "-nostdlib", "-o", output, object});
  if (!result || result->status != 0)
    throw UserError("no linker found: install binutils (apt-get install binutils)" + (result ? ": " + result->err : ""));
}

}  // namespace

std::optional<ClangCompiler> ClangCompiler::find(const std::string& configured) {
  if (!configured.empty()) {
    const auto version = version_of(configured);
    return version ? std::optional(ClangCompiler{configured, *version}) : std::nullopt;
  }
  for (const char* program : kCompilers)
    if (const auto version = version_of(program)) return ClangCompiler{program, *version};
  return std::nullopt;
}

std::string missing_clang(const std::string& configured) {
  const std::string install =
      "install clang-19 (apt-get install clang-19), or set PICOGRAD_CLANG to the path of a clang of version 14 or later";
  return configured.empty() ? "no C compiler found: " + install
                            : "PICOGRAD_CLANG=" + configured + " is not a clang that runs: " + install;
}

std::vector<std::string> clang_flags(const std::string& isa) {
  return {"-O2", "-march=" + isa, "-mprefer-vector-width=512",
          // Fma is an op of its own: what the interpreter computes is what the kernel computes, to the bit.
          "-ffp-contract=off", "-fno-math-errno",
          // Integers wrap, and an address that no lane uses may lie anywhere.
          "-fwrapv",
          // Schedules unroll; a second opinion costs a quarter of the compile time.
          "-fno-unroll-loops", "-fPIC", "-w"};
}

std::string compile_shared_object(const ClangCompiler& clang, const std::string& isa, const std::string& source) {
  const TemporaryDirectory directory;
  const std::string object = directory.path() + "/kernel.o", output = directory.path() + "/kernel.so";
  std::vector<std::string> command = {clang.program, "-c", "-x", "c", "-o", object};
  for (std::string& flag : clang_flags(isa)) command.push_back(std::move(flag));
  command.push_back("-");
  const auto result = run_process(command, source);
  if (!result) throw UserError(missing_clang(clang.program));
  if (result->status != 0) throw InternalError(clang.version + " refuses generated code:\n" + result->err + "\n" + source);
  link(clang, object, output);
  auto bytes = read_file(output);
  if (!bytes) throw UserError("cannot read " + output);
  return std::move(*bytes);
}

}  // namespace pg
