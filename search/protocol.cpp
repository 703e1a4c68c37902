#include "search/protocol.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

namespace pg {
namespace {

using nlohmann::json;

struct Header {
  uint64_t json_bytes, raw_bytes;
};
constexpr uint64_t kFrameLimit = uint64_t{1} << 30;  // a larger one is no frame of ours

/// Bytes that may be used without pushing others out: asked for beforehand, since an allocation that is too large is not
/// refused but ends in the kernel killing some process.
size_t available_memory() {
  size_t least = std::numeric_limits<size_t>::max();
  std::ifstream meminfo("/proc/meminfo");
  for (std::string line; std::getline(meminfo, line);)
    if (line.starts_with("MemAvailable:")) least = std::strtoull(line.c_str() + 13, nullptr, 10) * 1024;
  std::ifstream limit("/sys/fs/cgroup/memory.max"), used("/sys/fs/cgroup/memory.current");
  size_t most = 0, now = 0;
  if (limit >> most && used >> now) least = std::min(least, most > now ? most - now : 0);
  return least;
}

json to_json(const RunLimits& l) { return {{"give_up_ms", l.give_up_ms}, {"timeout_ms", l.timeout_ms}}; }

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

SharedMemory SharedMemory::create(size_t bytes) {
  const auto refuse = [&] {
    throw UserError("not enough memory for the " + std::to_string(bytes >> 20) +
                    " MB of buffers that candidates are measured on; free memory, or tune a smaller size");
  };
  if (bytes > available_memory() / 2) refuse();  // the runner has a copy of its own
  Descriptor file(memfd_create("picograd-buffers", MFD_CLOEXEC));
  if (!file || ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) refuse();
  return open(std::move(file), bytes);
}
SharedMemory SharedMemory::open(Descriptor file, size_t bytes) {
  SharedMemory out;
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (at == MAP_FAILED) throw UserError(std::string("cannot map the shared buffers: ") + std::strerror(errno));
  out.file_ = std::move(file);
  out.data_ = static_cast<std::byte*>(at);
  out.bytes_ = bytes;
  return out;
}
SharedMemory::SharedMemory(SharedMemory&& o) noexcept
    : file_(std::move(o.file_)), data_(std::exchange(o.data_, nullptr)), bytes_(std::exchange(o.bytes_, 0)) {}
SharedMemory& SharedMemory::operator=(SharedMemory o) noexcept {
  std::swap(file_, o.file_);
  std::swap(data_, o.data_);
  std::swap(bytes_, o.bytes_);
  return *this;
}
SharedMemory::~SharedMemory() {
  if (data_) munmap(data_, bytes_);
}

bool send(int socket, const Frame& frame, int file) {
  Header header{frame.json.size(), frame.raw.size()};
  iovec parts[3] = {{&header, sizeof header},
                    {const_cast<char*>(frame.json.data()), frame.json.size()},
                    {const_cast<char*>(frame.raw.data()), frame.raw.size()}};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 3;
  if (file >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(c), &file, sizeof file);
  }
  for (;;) {
    ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    message.msg_control = nullptr;  // the descriptor went with the first bytes
    message.msg_controllen = 0;
    while (message.msg_iovlen > 0 && static_cast<size_t>(sent) >= message.msg_iov->iov_len) {
      sent -= static_cast<ssize_t>(message.msg_iov->iov_len);
      ++message.msg_iov;
      --message.msg_iovlen;
    }
    if (message.msg_iovlen == 0) return true;
    message.msg_iov->iov_base = static_cast<char*>(message.msg_iov->iov_base) + sent;
    message.msg_iov->iov_len -= static_cast<size_t>(sent);
  }
}

Receive Receiver::next(Frame& frame, int wait_ms) {
  using clock = std::chrono::steady_clock;
  const auto end = clock::now() + std::chrono::milliseconds(wait_ms);
  for (;;) {
    Header header;
    if (pending_.size() >= sizeof header) {
      std::memcpy(&header, pending_.data(), sizeof header);
      if (header.json_bytes > kFrameLimit || header.raw_bytes > kFrameLimit) return Receive::Gone;
      if (pending_.size() >= sizeof header + header.json_bytes + header.raw_bytes) {
        frame.json = pending_.substr(sizeof header, header.json_bytes);
        frame.raw = pending_.substr(sizeof header + header.json_bytes, header.raw_bytes);
        frame.file = std::move(file_);
        pending_.erase(0, sizeof header + header.json_bytes + header.raw_bytes);
        return Receive::Frame;
      }
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now()).count();
    pollfd p{socket_, POLLIN, 0};
    const int ready = poll(&p, 1, wait_ms < 0 ? -1 : left > 0 ? static_cast<int>(left) : 0);
    if (ready == 0) return Receive::Nothing;
    if (ready < 0) {
      if (errno == EINTR) continue;
      return Receive::Gone;
    }
    char buffer[1 << 16];
    iovec part{buffer, sizeof buffer};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Receive::Gone;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
      int fd;
      std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
      file_ = Descriptor(fd);
    }
    pending_.append(buffer, static_cast<size_t>(got));
  }
}

Frame to_frame(const RunJob& job) {
  json programs = json::array();
  Frame out;
  for (const RunProgram& p : job.programs) {
    programs.push_back({{"name", p.artifact.name},
                        {"bytes", p.artifact.bytes.size()},
                        {"items", p.items},
                        {"variables", p.variables},
                        {"phases", p.phases},
                        {"workspaces", p.workspaces},
                        {"scratch", p.scratch_bytes},
                        {"threads", p.threads},
                        {"shared", p.shared_bytes}});
    out.raw += p.artifact.bytes;
  }
  const TimeOptions& o = job.options;
  out.json = json{{"kind", "job"},  {"check", job.check},       {"programs", programs},    {"limits", to_json(o.limits)},
                  {"runs", o.runs}, {"enough_ms", o.enough_ms}, {"sample_ms", o.sample_ms}}
                 .dump();
  return out;
}
RunJob job_from(const Frame& frame) {
  const json j = json::parse(frame.json);
  RunJob job;
  job.check = j.at("check");
  TimeOptions& o = job.options;
  o.limits = {.give_up_ms = j.at("limits").at("give_up_ms"), .timeout_ms = j.at("limits").at("timeout_ms")};
  o.runs = j.at("runs");
  o.enough_ms = j.at("enough_ms");
  o.sample_ms = j.at("sample_ms");
  size_t at = 0;
  for (const json& p : j.at("programs")) {
    const size_t bytes = p.at("bytes");
    job.programs.push_back({.artifact = {.name = p.at("name"), .bytes = frame.raw.substr(at, bytes)},
                            .items = p.at("items"),
                            .variables = p.at("variables"),
                            .phases = p.at("phases"),
                            .workspaces = p.at("workspaces"),
                            .scratch_bytes = p.at("scratch"),
                            .threads = p.at("threads"),
                            .shared_bytes = p.at("shared")});
    at += bytes;
  }
  return job;
}

Frame to_frame(const RunSetup& setup) {
  json buffers = json::array();
  for (size_t i = 0; i < setup.buffers.size(); ++i) {
    const BufferSpec& b = setup.buffers[i];
    const RunLayout::Place& p = setup.layout.places[i];
    buffers.push_back({{"elements", b.elements},
                       {"dtype", text(b.dtype)},
                       {"use", b.use},
                       {"limit", b.limit},
                       {"initial", p.initial},
                       {"result", p.result}});
  }
  return {.json = json{{"kind", "setup"}, {"buffers", buffers}, {"bytes", setup.layout.bytes}}.dump()};
}
RunSetup setup_from(const Frame& frame) {
  const json j = json::parse(frame.json);
  RunSetup out;
  out.layout.bytes = j.at("bytes");
  for (const json& b : j.at("buffers")) {
    out.buffers.push_back({.elements = b.at("elements"),
                           .dtype = parse_dtype(b.at("dtype").get<std::string>()).value(),
                           .use = b.at("use"),
                           .limit = b.at("limit")});
    out.layout.places.push_back({.initial = b.at("initial"), .result = b.at("result")});
  }
  return out;
}

Frame to_frame(const std::vector<RunResult>& results) {
  json list = json::array();
  for (const RunResult& r : results)
    list.push_back({{"status", r.status},
                    {"reason", r.reason},
                    {"ms", r.ms},
                    {"guards_intact", r.guards_intact},
                    {"all_written", r.all_written},
                    {"deterministic", r.deterministic}});
  // Reasons may quote a loader's message in any encoding.
  return {.json = json{{"kind", "results"}, {"results", list}}.dump(-1, ' ', false, json::error_handler_t::replace)};
}
std::vector<RunResult> results_from(const Frame& frame) {
  const json j = json::parse(frame.json);
  std::vector<RunResult> out;
  for (const json& r : j.at("results"))
    out.push_back({.status = r.at("status"),
                   .reason = r.at("reason"),
                   .ms = r.at("ms"),
                   .guards_intact = r.at("guards_intact"),
                   .all_written = r.at("all_written"),
                   .deterministic = r.at("deterministic")});
  return out;
}

std::string kind(const Frame& frame) { return json::parse(frame.json).at("kind"); }

}  // namespace pg
