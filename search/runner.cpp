#include "search/runner.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "runtime/config.h"
#include "search/protocol.h"
#include "uops/evaluate.h"

namespace pg {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kStartMs = 60000;  // for the runner to start and take over its buffers, on a machine busy with compiling

struct SpawnActions {
  posix_spawn_file_actions_t actions;
  SpawnActions() { posix_spawn_file_actions_init(&actions); }
  ~SpawnActions() { posix_spawn_file_actions_destroy(&actions); }
};

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    const int s = WTERMSIG(status);
    const char* name = sigabbrev_np(s);
    return "SIG" + std::string(name ? name : std::to_string(s)) + " (" + strsignal(s) + ")";
  }
  return "the process ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

RunProgram RunProgram::of(Artifact artifact, const LaunchInfo& launch, const Bindings64& bindings) {
  RunProgram p{.artifact = std::move(artifact), .scratch_bytes = launch.scratch_bytes};
  p.threads = launch.threads, p.shared_bytes = launch.shared_bytes;
  Values values;
  for (const UOp& v : launch.variables)
    for (const VariableBinding& b : bindings)
      if (b.name == v.arg_as<VariableArg>().name) {
        values.emplace_back(v, b.value);
        p.variables.push_back(b.value);
      }
  p.items = evaluate(launch.items, values);
  for (const UOp& phase : launch.phases) p.phases.push_back(evaluate(phase, values));
  for (const UOp& w : launch.workspaces) {
    p.workspaces.push_back(w.dtype().element_bytes());
    for (const UOp& extent : w.src()) p.workspaces.back() *= evaluate(extent, values);
  }
  return p;
}

const char* text(RunStatus s) {
  switch (s) {
    case RunStatus::Ok: return "ok";
    case RunStatus::Slow: return "slow";
    case RunStatus::Wrong: return "wrong";
    case RunStatus::Crash: return "crash";
    case RunStatus::Timeout: return "timeout";
    case RunStatus::CompileError: return "compile_error";
  }
  return "?";
}

std::string runner_path() {
  const std::string& set = config().runner;
  if (!set.empty()) {
    if (access(set.c_str(), X_OK) != 0) throw UserError("PICOGRAD_RUNNER: no program at " + set);
    return set;
  }
  std::error_code e;
  const fs::path here = fs::read_symlink("/proc/self/exe", e).parent_path();
  const fs::path places[] = {here / "picograd-runner", here.parent_path() / "libexec/picograd/picograd-runner"};
  for (const fs::path& p : places)
    if (access(p.c_str(), X_OK) == 0) return p.string();
  throw UserError("cannot find picograd-runner, which runs candidates; looked at " + places[0].string() + " and " +
                  places[1].string() + "; set PICOGRAD_RUNNER to its path");
}

struct Runner::Impl {
  RunnerOptions options;
  RunSetup setup;
  SharedMemory memory;
  Descriptor socket;
  std::unique_ptr<Receiver> receiver;
  pid_t pid = 0;
  int started = 0;

  struct Failure {
    RunStatus status;
    std::string reason;
    size_t program;  // the one that ran
    bool idle;       // the runner was gone before the job came
  };

  ~Impl() { stop(); }

  RunControl& control() { return *reinterpret_cast<RunControl*>(memory.data()); }

  /// Ends the process and returns its wait status.
  int stop() {
    int status = 0;
    if (pid > 0) {
      kill(pid, SIGKILL);  // no effect on one that has ended by itself
      while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
      }
    }
    pid = 0;
    receiver.reset();
    socket = Descriptor();
    return status;
  }

  void spawn(const std::string& path) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw UserError(std::string("cannot make a socket for the runner: ") + std::strerror(errno));
    socket = Descriptor(ends[0]);
    Descriptor theirs(ends[1]);
    // Moved out of the way first: dup2 onto itself would leave close-on-exec set.
    Descriptor high(fcntl(theirs.get(), F_DUPFD_CLOEXEC, kRunnerSocket + 1));
    const std::string arguments[] = {
        path,        std::to_string(kProtocolVersion),   std::to_string(getpid()), std::to_string(options.threads),
        options.isa, std::to_string(options.extra_bytes),      options.device};
    std::vector<char*> argv;
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    SpawnActions spawn;
    posix_spawn_file_actions_adddup2(&spawn.actions, high.get(), kRunnerSocket);
    posix_spawn_file_actions_addopen(&spawn.actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&spawn.actions, 0, 1);
    if (config().debug == 0) posix_spawn_file_actions_adddup2(&spawn.actions, 0, 2);  // dying candidates are noisy
    const int error = posix_spawn(&pid, path.c_str(), &spawn.actions, nullptr, argv.data(), environ);
    if (error != 0) {
      pid = 0;
      throw UserError("cannot start " + path + ": " + std::strerror(error));
    }
    ++started;
    receiver = std::make_unique<Receiver>(socket.get());
  }  // its end is closed here: from now on the runner's death shows as the end of the stream

  void start() {
    if (!memory.data()) throw InternalError("runner: set_buffers must come first");
    const std::string path = runner_path();
    spawn(path);
    Frame answer;
    const bool sent = send(socket.get(), to_frame(setup), memory.descriptor());
    if (!sent || receiver->next(answer, static_cast<int>(kStartMs)) != Receive::Frame) {
      const int status = stop();
      if (WIFEXITED(status) && WEXITSTATUS(status) == kWrongVersionExit)
        throw UserError(path +
                        " belongs to another version of picograd; install both from the same build, or set PICOGRAD_RUNNER");
      throw UserError(path + " did not start: " + how_it_ended(status) + "; DEBUG=1 shows what it says");
    }
    if (const auto problems = results_from(answer); !problems.empty()) {
      stop();
      throw UserError("the runner cannot take over its buffers: " + problems[0].reason);
    }
  }

  /// One job, watched: no run may take longer than the limit.
  std::optional<Failure> exchange(const RunJob& job, std::vector<RunResult>& results) {
    const bool fresh = pid == 0;
    if (fresh) start();
    control().program = 0;
    const uint32_t before = control().progress;
    Frame answer;
    Receive got = send(socket.get(), to_frame(job)) ? Receive::Nothing : Receive::Gone;
    const auto limit = std::chrono::duration<double, std::milli>(job.options.limits.timeout_ms);
    const int slice = std::clamp(static_cast<int>(limit.count() / 10), 2, 200);  // how often progress is looked at
    uint32_t seen = before;
    for (auto since = Clock::now(); got == Receive::Nothing && Clock::now() - since < limit;) {
      got = receiver->next(answer, slice);
      if (const uint32_t now = control().progress; now != seen) {
        seen = now;
        since = Clock::now();
      }
    }
    if (got == Receive::Frame) {
      results = results_from(answer);
      // A process whose memory a program has written over, or that lost its GPU's context, is not asked again.
      if (std::any_of(results.begin(), results.end(),
                      [](const RunResult& r) { return !r.guards_intact || r.status == RunStatus::Crash; }))
        stop();
      if (results.size() == job.programs.size()) return std::nullopt;
      if (results.size() == 1)  // of the one that took the context from all
        return Failure{results[0].status, results[0].reason, std::min<size_t>(control().program, job.programs.size() - 1),
                       false};
    }
    Failure f;
    f.program = std::min<size_t>(control().program, job.programs.size() - 1);
    f.idle = !fresh && got == Receive::Gone && control().progress == before;
    const int status = stop();
    f.status = got == Receive::Nothing ? RunStatus::Timeout : RunStatus::Crash;
    f.reason = f.status == RunStatus::Timeout ? "no end after " + std::to_string(static_cast<int64_t>(limit.count())) + " ms"
                                              : how_it_ended(status);
    return f;
  }

  std::vector<RunResult> run(RunJob job) {
    std::vector<RunResult> out(job.programs.size());
    std::vector<size_t> which(job.programs.size());  // out's index of each program still in the job
    std::iota(which.begin(), which.end(), size_t{0});
    bool retried = false;
    while (!which.empty()) {
      std::vector<RunResult> results;
      const auto failure = exchange(job, results);
      if (!failure) {
        for (size_t i = 0; i < which.size(); ++i) out[which[i]] = std::move(results[i]);
        break;
      }
      if (failure->idle && !retried) {  // it died between jobs: nobody's fault
        retried = true;
        continue;
      }
      const auto culprit = static_cast<std::ptrdiff_t>(failure->program);
      out[which[failure->program]] = {.status = failure->status, .reason = failure->reason};
      job.programs.erase(job.programs.begin() + culprit);
      which.erase(which.begin() + culprit);
    }
    return out;
  }
};

Runner::Runner(RunnerOptions options) : impl_(std::make_unique<Impl>()) {
  if (options.isa.empty()) options.isa = config().isa;
  impl_->options = std::move(options);
}
Runner::~Runner() = default;

void Runner::set_buffers(std::vector<BufferSpec> specs, uint64_t seed) {
  impl_->stop();
  RunSetup setup{.buffers = std::move(specs), .layout = {}};
  setup.layout = layout(setup.buffers);
  impl_->memory = SharedMemory();  // freed before the new one is asked for
  impl_->memory = SharedMemory::create(setup.layout.bytes);
  for (size_t i = 0; i < setup.buffers.size(); ++i)
    if (const size_t at = setup.layout.places[i].initial) fill(impl_->memory.data() + at, setup.buffers[i], seed, i);
  impl_->setup = std::move(setup);
}

RunResult Runner::check(const RunProgram& program, const RunLimits& limits) {
  return impl_->run({.check = true, .programs = {program}, .options = {.limits = limits}})[0];
}
std::vector<RunResult> Runner::time(const std::vector<RunProgram>& programs, const TimeOptions& options) {
  return impl_->run({.check = false, .programs = programs, .options = options});
}

std::span<const std::byte> Runner::input(size_t slot) const {
  const size_t at = impl_->setup.layout.places.at(slot).initial;
  if (at == 0) throw InternalError("runner: buffer " + std::to_string(slot) + " has no initial contents");
  return {impl_->memory.data() + at, impl_->setup.buffers[slot].bytes()};
}
std::span<const std::byte> Runner::output(size_t slot) const {
  const size_t at = impl_->setup.layout.places.at(slot).result;
  if (at == 0) throw InternalError("runner: buffer " + std::to_string(slot) + " is not written");
  return {impl_->memory.data() + at, impl_->setup.buffers[slot].bytes()};
}
const std::vector<BufferSpec>& Runner::buffers() const { return impl_->setup.buffers; }
pid_t Runner::pid() const { return impl_->pid; }
int Runner::started() const { return impl_->started; }

}  // namespace pg
