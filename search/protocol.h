#pragma once
// What the tuner and picograd-runner say to each other over a socket: length-prefixed frames of JSON and raw bytes. The
// first page of the shared memory tells which program runs, without waking the other side.
#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "search/runner.h"

namespace pg {

/// A file descriptor, closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Descriptor& operator=(Descriptor o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Memory that another process may map by its descriptor.
class SharedMemory {
 public:
  SharedMemory() = default;
  static SharedMemory create(size_t bytes);  // UserError when there is not enough memory
  static SharedMemory open(Descriptor, size_t bytes);
  SharedMemory(SharedMemory&&) noexcept;
  SharedMemory& operator=(SharedMemory) noexcept;
  ~SharedMemory();
  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  int descriptor() const { return file_.get(); }

 private:
  Descriptor file_;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

/// The control page. `progress` counts runs: while it moves, nothing hangs.
struct RunControl {
  std::atomic<uint32_t> program, progress;
};

/// Of the frames below and of the runner's arguments; the runner refuses to serve another one.
inline constexpr int kProtocolVersion = 3;
inline constexpr int kWrongVersionExit = 3;
inline constexpr int kRunnerSocket = 3;  // the runner's end of the socket pair

struct Frame {
  std::string json, raw;
  Descriptor file;  // passed along by SCM_RIGHTS, if any
};

/// Sends all of it; false when the other side is gone.
bool send(int socket, const Frame&, int file = -1);

enum class Receive { Frame, Nothing, Gone };  // Nothing: not yet
/// Gathers one frame; keeps what has come of it between calls.
class Receiver {
 public:
  explicit Receiver(int socket) : socket_(socket) {}
  /// Waits up to `wait_ms` (-1: for ever).
  Receive next(Frame&, int wait_ms);

 private:
  int socket_;
  std::string pending_;
  Descriptor file_;
};

struct RunJob {
  bool check = false;
  std::vector<RunProgram> programs;
  TimeOptions options;
};
struct RunSetup {
  std::vector<BufferSpec> buffers;
  RunLayout layout;
};
Frame to_frame(const RunJob&);
Frame to_frame(const RunSetup&);
Frame to_frame(const std::vector<RunResult>&);
/// What a frame is: "job", "setup" or "results".
std::string kind(const Frame&);
RunJob job_from(const Frame&);
RunSetup setup_from(const Frame&);
std::vector<RunResult> results_from(const Frame&);

}  // namespace pg
