#pragma once
// Clang as a child process.
#include "runtime/clang.h"

namespace pg {

class ClangProcess final : public Clang {
 public:
  /// The configured one, or without configuration the newest on PATH; null when there is none that runs.
  static std::shared_ptr<const Clang> find(const std::string& configured);

  ClangProcess(std::string program, std::string version) : program_(std::move(program)), version_(std::move(version)) {}
  const std::string& version() const override { return version_; }
  std::string route() const override { return program_ + ", a process for each batch"; }
  CompiledObject compile(const std::string& source, const std::vector<std::string>& flags) const override;

 private:
  std::string program_;  // "clang-19" or a path
  std::string version_;
};

/// What to tell a user who has none.
std::string missing_clang(const std::string& configured);

}  // namespace pg
