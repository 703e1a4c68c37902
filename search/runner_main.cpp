// picograd-runner PROTOCOL PARENT THREADS ISA EXTRA_BYTES DEVICE: serves one tuner over the socket at descriptor 3 until it
// closes it or dies.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>

#include "runtime/config.h"
#include "runtime/device.h"
#include "search/guarded_buffers.h"
#include "search/model_device.h"
#include "search/protocol.h"
#include "search/run_clock.h"

using namespace pg;

namespace {

constexpr double kColdMs = 0.5;  // what cold caches and new pages cost a first run, about
/// What a first run may take before it tells that a program is slow.
double most_at_first(double give_up_ms) { return std::min(4 * give_up_ms + kColdMs, 1.2 * give_up_ms + 10 * kColdMs); }
constexpr int kLeastRounds = 3;       // of samples, when `enough_ms` cuts them short
constexpr int kSlowAfter = 2;         // samples that must all be too slow: a single one may have been disturbed
constexpr double kMostRepeats = 1e4;  // launches in a sample

using Clock = std::chrono::steady_clock;
double ms_since(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

/// Caps private memory at what is in use now plus `extra`. Counted from now, since sanitizers reserve terabytes.
void limit_memory(std::optional<size_t> extra) {
  rlimit limit{};
  getrlimit(RLIMIT_DATA, &limit);
  limit.rlim_cur = limit.rlim_max;
  if (extra) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmData:")) limit.rlim_cur = std::strtoull(line.c_str() + 7, nullptr, 10) * 1024 + *extra;
  }
  setrlimit(RLIMIT_DATA, &limit);
}

class Job {
 public:
  Job(const RunJob& job, Device& device, RunClock& clock, GuardedBuffers& buffers, RunControl& control)
      : job_(job), device_(device), clock_(clock), buffers_(buffers), control_(control), entries_(job.programs.size()) {}

  std::vector<RunResult> run() {
    for (size_t i = 0; i < entries_.size(); ++i) load(i);
    if (job_.check) {
      for (size_t i = 0; i < entries_.size() && !is_lost(); ++i) check(i);
    } else {
      time();
    }
    if (is_lost()) return {std::move(entries_[*lost_by_].result)};
    std::vector<RunResult> out;
    for (Entry& e : entries_) out.push_back(std::move(e.result));
    return out;
  }
  /// A GPU's context was lost, and with it what the others of the job would need: its only result is the culprit's, and this
  /// process is not to be asked again.
  bool is_lost() const { return lost_by_.has_value(); }

 private:
  struct Entry {
    std::shared_ptr<Program> program;
    RunResult result;
    int64_t repeats = 1;
    uint64_t digest = 0;  // of what its first run wrote
    bool alive() const { return result.status == RunStatus::Ok; }
  };

  void fail(size_t i, RunStatus status, std::string reason) {
    entries_[i].result.status = status;
    entries_[i].result.reason = std::move(reason);
  }

  void load(size_t i) {
    mark(i);
    try {
      // The tuner knows what the arguments are; here only their number counts.
      LaunchInfo launch;
      launch.name = job_.programs[i].artifact.name;
      launch.params.resize(buffers_.pointers().size());
      launch.variables.resize(job_.programs[i].variables.size());
      launch.scratch_bytes = job_.programs[i].scratch_bytes;
      launch.threads = job_.programs[i].threads;
      launch.shared_bytes = job_.programs[i].shared_bytes;
      for (int64_t items : job_.programs[i].phases) launch.phases.push_back(iconst(items));
      for (size_t w = 0; w < job_.programs[i].workspaces.size(); ++w)
        launch.workspaces.push_back(UOp(Op::Param, dt::u8, ParamArg{static_cast<int64_t>(w), "workspace"},
                                        {iconst(job_.programs[i].workspaces[w])}));
      entries_[i].program = device_.load(job_.programs[i].artifact, launch);
    } catch (const std::exception& e) {
      fail(i, RunStatus::CompileError, e.what());
    }
  }

  /// Tells the watchdog what runs from now on.
  void mark(size_t i) {
    control_.program.store(static_cast<uint32_t>(i), std::memory_order_relaxed);
    control_.progress.fetch_add(1, std::memory_order_relaxed);
  }

  /// Milliseconds of one launch. `counts`: as a time, not for what is written.
  double sample(size_t i, bool counts = false) {
    mark(i);
    const RunProgram& p = job_.programs[i];
    const RunCall call{entries_[i].program, buffers_.pointers(), p.variables, p.items};
    try {
      if (!counts) return clock_.ms(call, entries_[i].repeats);
      const bool rotates = device_.target().gpu && !on_host_;
      return clock_.cold_ms(
          call, entries_[i].repeats,
          rotates ? std::span<const std::vector<void*>>(buffers_.rotated(2 * static_cast<size_t>(device_.target().l2_bytes)))
                  : std::span<const std::vector<void*>>());
    } catch (const std::exception& e) {
      if (!device_.target().gpu) throw;
      fail(i, RunStatus::Crash, e.what());
      if (!on_host_) lost_by_ = i;
      return 0;
    }
  }

  /// The first run and what it tells of the speed and of the guards.
  double first_run(size_t i) {
    const double ms = sample(i);
    if (!entries_[i].alive()) return ms;
    const double give_up = job_.options.limits.give_up_ms;
    if (const auto broken = buffers_.broken_guard()) {
      entries_[i].result.guards_intact = false;
      fail(i, RunStatus::Wrong, *broken);
    } else if (give_up > 0 && ms > most_at_first(give_up)) {
      fail(i, RunStatus::Slow, "the first run took " + std::to_string(ms) + " ms");
    }
    return ms;
  }

  void check(size_t i) {
    if (!entries_[i].alive()) return;
    RunResult& r = entries_[i].result;
    buffers_.prepare(0);
    r.ms.push_back(first_run(i));
    if (!entries_[i].alive()) return;
    const auto first = buffers_.outputs();
    buffers_.prepare(1);
    r.ms.push_back(sample(i));
    if (!entries_[i].alive()) return;
    if (const auto broken = buffers_.broken_guard()) {
      r.guards_intact = false;
      fail(i, RunStatus::Wrong, *broken);
    } else if (const auto hole = buffers_.unwritten(first)) {
      r.all_written = false;
      fail(i, RunStatus::Wrong, *hole + " is not written");
    } else if (const auto differs = buffers_.different(first)) {
      r.deterministic = false;
      fail(i, RunStatus::Wrong, *differs + " differs between two runs");
    } else {
      buffers_.publish();
    }
  }

  void time() {
    const TimeOptions& o = job_.options;
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (!entries_[i].alive()) continue;
      buffers_.prepare(0);
      double ms = first_run(i);
      if (is_lost()) return;
      if (!entries_[i].alive()) continue;
      entries_[i].digest = buffers_.digest();
      if (ms < kColdMs + o.sample_ms) ms = sample(i, true);  // warm: tells how many launches fill a sample
      if (is_lost()) return;
      entries_[i].repeats = static_cast<int64_t>(std::clamp(o.sample_ms / std::max(ms, 1e-6), 1.0, kMostRepeats));
    }
    const auto start = Clock::now();
    for (int round = 0; round < o.runs; ++round) {
      if (o.enough_ms > 0 && round >= kLeastRounds && ms_since(start) > o.enough_ms) break;
      for (size_t k = 0; k < entries_.size(); ++k) {
        const size_t i = round % 2 == 0 ? k : entries_.size() - 1 - k;  // no program always runs after the same other
        if (!entries_[i].alive()) continue;
        auto& ms = entries_[i].result.ms;
        ms.push_back(sample(i, true));
        if (is_lost()) return;
        if (!entries_[i].alive()) continue;
        const double best = *std::min_element(ms.begin(), ms.end());
        if (o.limits.give_up_ms > 0 && ms.size() >= kSlowAfter && best > o.limits.give_up_ms)
          fail(i, RunStatus::Slow,
               "the best of " + std::to_string(ms.size()) + " runs took " + std::to_string(best) + " ms");
      }
    }
    for (size_t i = 0; i < entries_.size() && !is_lost(); ++i) check_again(i);
  }

  /// What was right at first may be no more: a race, a state that a program keeps, work that it leaves out once it is timed.
  void check_again(size_t i) {
    if (!entries_[i].alive()) return;
    entries_[i].repeats = 1;
    buffers_.prepare(1);
    sample(i);
    if (!entries_[i].alive()) return;
    if (const auto broken = buffers_.broken_guard(/*written_only=*/true)) {
      entries_[i].result.guards_intact = false;
      fail(i, RunStatus::Wrong, *broken);
    } else if (buffers_.digest() != entries_[i].digest) {
      entries_[i].result.deterministic = false;
      fail(i, RunStatus::Wrong, "what it writes after it was timed is not what it wrote at first");
    }
  }

  const RunJob& job_;
  Device& device_;
  RunClock& clock_;
  GuardedBuffers& buffers_;
  RunControl& control_;
  std::vector<Entry> entries_;
  const bool on_host_ = device_.shares_host_memory();
  std::optional<size_t> lost_by_;
};

int serve(Device& device, size_t extra_bytes) {
  Receiver receiver(kRunnerSocket);
  const std::unique_ptr<RunClock> clock = run_clock(device);
  // A driver maps address space at will.
  const bool limited = device.shares_host_memory();
  SharedMemory memory;
  std::unique_ptr<GuardedBuffers> buffers;
  for (Frame frame; receiver.next(frame, -1) == Receive::Frame;) {
    std::vector<RunResult> results;
    if (kind(frame) == "setup") {
      try {
        RunSetup setup = setup_from(frame);
        limit_memory(std::nullopt);
        buffers.reset();
        memory = SharedMemory::open(std::move(frame.file), setup.layout.bytes);
        buffers = std::make_unique<GuardedBuffers>(device, std::move(setup), memory);
        if (limited) limit_memory(extra_bytes);
      } catch (const std::exception& e) {
        results.push_back({.status = RunStatus::Crash, .reason = e.what()});
      }
    } else {
      const RunJob job = job_from(frame);
      Job one(job, device, *clock, *buffers, *reinterpret_cast<RunControl*>(memory.data()));
      results = one.run();
      if (one.is_lost()) {
        send(kRunnerSocket, to_frame(results));
        std::_Exit(1);  // destructors would talk to a dead context
      }
    }
    if (!send(kRunnerSocket, to_frame(results))) break;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || std::strtol(argv[1], nullptr, 10) != kProtocolVersion || argc != 7) {
    std::fprintf(stderr, "picograd-runner is started by picograd, not by hand; both must be of the same version\n");
    return kWrongVersionExit;
  }
  // No orphans, even from a hanging candidate. The parent may have died before the first line took effect.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != static_cast<pid_t>(std::strtol(argv[2], nullptr, 10))) return 1;
  signal(SIGINT, SIG_IGN);  // Ctrl-C is for the tuner, which keeps what was measured
  for (int s : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
    signal(s, SIG_DFL);  // sanitizers catch them; the tuner wants the signal
  const rlimit no_core{};
  setrlimit(RLIMIT_CORE, &no_core);  // crashes are expected here

  try {
    Config c = config();
    c.threads = static_cast<int>(std::strtol(argv[3], nullptr, 10));
    const std::string name = argv[6];
    if (*argv[4] && name == "CPU") c.isa = argv[4];  // a GPU says its own
    set_config(c);
    return serve(run_device(name), std::strtoull(argv[5], nullptr, 10));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "picograd-runner: %s\n", e.what());
    return 1;
  }
}
