#include "runtime/clang_process.h"

#include <chrono>

#include "runtime/process.h"
#include "uops/error.h"

namespace pg {

namespace {

// Newest first: newer ones know newer processors.
constexpr const char* kCompilers[] = {"clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14", "clang"};

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

}  // namespace

std::shared_ptr<const Clang> ClangProcess::find(const std::string& configured) {
  if (!configured.empty()) {
    const auto version = version_of(configured);
    return version ? std::make_shared<ClangProcess>(configured, *version) : nullptr;
  }
  for (const char* program : kCompilers)
    if (const auto version = version_of(program)) return std::make_shared<ClangProcess>(program, *version);
  return nullptr;
}

std::string missing_clang(const std::string& configured) {
  const std::string install =
      "install clang-19 (apt-get install clang-19), or set PICOGRAD_CLANG to the path of a clang of version 14 or later";
  return configured.empty() ? "no C compiler found: " + install
                            : "PICOGRAD_CLANG=" + configured + " is not a clang that runs: " + install;
}

CompiledObject ClangProcess::compile(const std::string& source, const std::vector<std::string>& flags) const {
  std::vector<std::string> command = {program_, "-c", "-x", "c", "-o", "-"};
  command.insert(command.end(), flags.begin(), flags.end());
  command.push_back("-");
  const auto start = std::chrono::steady_clock::now();
  auto result = run_process(command, source);
  if (!result) throw UserError(missing_clang(program_));
  if (result->status != 0) throw InternalError(version_ + " refuses generated code:\n" + result->err + "\n" + source);
  const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
  return {.bytes = std::move(result->out), .codegen_ms = ms.count()};
}

}  // namespace pg
