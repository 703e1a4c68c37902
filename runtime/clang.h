#pragma once
// Clang as a child process: C text → shared object.
#include <optional>
#include <string>
#include <vector>

namespace pg {

struct ClangCompiler {
  std::string program;  // "clang-19" or a path
  std::string version;  // "clang 19.1.7"

  /// The configured one, or without configuration the newest on PATH; nullopt when there is none that runs.
  static std::optional<ClangCompiler> find(const std::string& configured);
};

/// The options that decide the code, for the database and the cache.
std::vector<std::string> clang_flags(const std::string& isa);

/// The bytes of a shared object. Throws InternalError with the compiler's words.
std::string compile_shared_object(const ClangCompiler&, const std::string& isa, const std::string& source);

/// What to tell a user who has none.
std::string missing_clang(const std::string& configured);

}  // namespace pg
