#pragma once
// Child processes, started with an argument vector, never through a shell; and directories that clean up after themselves.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pg {

struct ProcessResult {
  int status = 0;        // exit status; 128 + n: killed by signal n
  std::string out, err;  // what it wrote
};
/// Runs `arguments` (the first is looked up on PATH) with `input` on stdin, and waits. nullopt: there is no such program.
/// Throws InternalError when the system cannot start it for another reason.
std::optional<ProcessResult> run_process(const std::vector<std::string>& arguments, std::string_view input = {});

/// A fresh directory of ours alone, removed with all its files.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// An open file descriptor.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_;
};

/// A nameless file in memory. Throws InternalError.
int memory_file(std::string_view content = {});
/// All of a file from its start; nullopt when it cannot be read.
std::optional<std::string> read_all(int fd);
std::optional<std::string> read_file(const std::string& path);
bool write_all(int fd, std::string_view content);

}  // namespace pg
