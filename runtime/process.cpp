#include "runtime/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "uops/error.h"

extern char** environ;

namespace pg {

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    content.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::optional<std::string> read_all(int fd) {
  struct stat about;
  if (fstat(fd, &about) != 0) return std::nullopt;
  std::string s(static_cast<size_t>(about.st_size), '\0');
  size_t at = 0;
  while (at < s.size()) {
    const ssize_t n = pread(fd, s.data() + at, s.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    at += static_cast<size_t>(n);
  }
  return s;
}

std::optional<std::string> read_file(const std::string& path) {
  const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return fd ? read_all(fd.get()) : std::nullopt;
}

int memory_file(std::string_view content) {
  const int fd = memfd_create("picograd", MFD_CLOEXEC);
  if (fd < 0) throw InternalError(std::string("memfd_create: ") + std::strerror(errno));
  if (!write_all(fd, content) || lseek(fd, 0, SEEK_SET) != 0) {
    close(fd);
    throw InternalError(std::string("writing to memory: ") + std::strerror(errno));
  }
  return fd;
}

// Files in memory instead of pipes: nothing to drain while the child runs.
std::optional<ProcessResult> run_process(const std::vector<std::string>& arguments, std::string_view input) {
  const FileDescriptor in(memory_file(input)), out(memory_file()), err(memory_file());
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, err.get(), 2);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT || error == EACCES || error == ENOTDIR) return std::nullopt;
  if (error != 0) throw InternalError("starting " + arguments[0] + ": " + std::strerror(error));

  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) throw InternalError("waiting for " + arguments[0] + ": " + std::strerror(errno));
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ProcessResult{code, read_all(out.get()).value_or(""), read_all(err.get()).value_or("")};
}

TemporaryDirectory::TemporaryDirectory() {
  std::error_code none;
  const auto parent = std::filesystem::temp_directory_path(none);
  path_ = (none ? std::string("/tmp") : parent.string()) + "/picograd-XXXXXX";
  if (!mkdtemp(path_.data())) throw UserError("cannot make a directory in " + parent.string() + ": " + std::strerror(errno));
}
TemporaryDirectory::~TemporaryDirectory() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  if (error) std::fprintf(stderr, "picograd: cannot remove %s: %s\n", path_.c_str(), error.message().c_str());
}

}  // namespace pg
