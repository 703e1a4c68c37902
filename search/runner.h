#pragma once
// Runs candidates in a process of their own (picograd-runner), so that a crash, a hang or a wild write costs one candidate.
//
//   Runner runner({.threads = 2});
//   runner.set_buffers(specs, seed);                        // once per tuned kernel; contents are shared memory
//   RunResult r = runner.check(program, limits);            // correctness first: poison, guards, two runs
//   if (r.status == RunStatus::Ok) compare(runner.output(0), reference computed from runner.input(slot));
//   auto results = runner.time({candidate, incumbent}, options);   // interleaved
//
// The runner starts on first use, dies with this process and is started anew after a crash, a hang or a broken guard. A
// Runner is used by one thread at a time; several Runners may live side by side (but timing two at once times neither).
#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/device.h"
#include "search/run_buffers.h"
#include "search/tune.h"

namespace pg {

/// text() gives the database's words: ok, slow, wrong, crash, timeout, compile_error (the artifact cannot be loaded).
enum class RunStatus : uint8_t { Ok, Slow, Wrong, Crash, Timeout, CompileError };
const char* text(RunStatus);

/// A compiled candidate with its launch arguments.
struct RunProgram {
  Artifact artifact;
  int64_t items = 1;                     // LaunchInfo.items evaluated
  std::vector<int64_t> variables = {};   // by LaunchInfo.variables
  std::vector<int64_t> phases = {};      // items of each phase; empty: one of all items
  std::vector<int64_t> workspaces = {};  // bytes
  int64_t scratch_bytes = 0;
  int64_t threads = 1, shared_bytes = 0;  // GPU: of a block

  /// What a launch with these Variables takes.
  static RunProgram of(Artifact, const LaunchInfo&, const Bindings64&);
};

struct RunResult {
  RunStatus status = RunStatus::Ok;
  std::string reason;      // empty when Ok
  std::vector<double> ms;  // one per sample, in the order they were taken; check: its runs
  bool guards_intact = true, all_written = true, deterministic = true;
};

struct RunLimits {
  double give_up_ms = 0;      // Slow as soon as runs take longer; 0: never. Screening: twice the best
  double timeout_ms = 10000;  // a single run (or load) that takes longer is killed: Timeout
};
struct TimeOptions {
  RunLimits limits;
  int runs = 5;             // samples per program, after one warm-up run each
  double enough_ms = 0;     // no new round of samples after this time (but at least 3 rounds); 0: all `runs`
  double sample_ms = 0.05;  // launches of a faster program are repeated within a sample up to this time
};

struct RunnerOptions {
  int threads = 0;                       // as THREADS; 0: all cores
  std::string isa;                       // as ISA; empty: config()'s
  std::string device = "CPU";            // the runner opens it for itself: a GPU's context is lost with the runner only
  size_t extra_bytes = size_t{4} << 30;  // what the runner may allocate beyond its buffers (RLIMIT_DATA)
};

class Runner {
 public:
  explicit Runner(RunnerOptions = {});
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Allocates and fills the shared memory. UserError when there is not enough memory.
  void set_buffers(std::vector<BufferSpec>, uint64_t seed);
  /// Two runs on differently poisoned outputs. Wrong when an output element is not written, when the two differ, or when a
  /// guard zone (a page on either side of each buffer) was touched. When Ok, `output` holds what it wrote.
  RunResult check(const RunProgram&, const RunLimits& = {});
  /// Timed in alternation: round 1: a b c, round 2: c b a, .. A program that fails is left out of the rounds that follow,
  /// and after a crash the others start over, so that every result is complete.
  std::vector<RunResult> time(const std::vector<RunProgram>&, const TimeOptions& = {});

  /// The initial contents that programs see (Input, Ids, InOut) / what the last checked program left (Output, InOut).
  std::span<const std::byte> input(size_t slot) const;
  std::span<const std::byte> output(size_t slot = 0) const;
  const std::vector<BufferSpec>& buffers() const;

  pid_t pid() const;    // 0: none is running
  int started() const;  // processes started so far

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// config().runner, else picograd-runner beside this program, else ../libexec/picograd/picograd-runner. UserError when none
/// exists.
std::string runner_path();

}  // namespace pg
