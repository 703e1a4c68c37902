#include "search/candidates.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "search/build.h"
#include "search/measure.h"
#include "uops/evaluate.h"
#include "uops/text.h"

namespace pg {

namespace {
constexpr int kScreenRuns = 5;
constexpr double kScreenMs = 60;        // a long kernel is screened by fewer runs
constexpr double kSlow = 2;             // screening gives up beyond this multiple of the best
constexpr double kTimeoutMs = 20000;

std::string run_id() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()) + "-" + std::to_string(getpid());
}
std::string json(const Bindings64& bindings) {
  std::string s;
  for (const VariableBinding& b : bindings) s += (s.empty() ? "\"" : ", \"") + b.name + "\": " + std::to_string(b.value);
  return "{" + s + "}";
}
}  // namespace

Candidates::Candidates(const UOp& kernel, const Bindings64& bindings, Device& device, Store& store, const WinnerKey& key, uint64_t seed)
    : kernel_(kernel), bindings_(bindings), device_(device), store_(store), key_(key), run_(run_id()), bindings_json_(json(bindings)),
      runner_({.threads = device.target().cores, .isa = device.target().isa}) {
  const std::vector<BufferSpec> specs = buffer_specs(kernel, bindings);
  runner_.set_buffers(specs, seed);
  std::vector<std::span<const std::byte>> inputs;
  for (size_t slot = 0; slot < specs.size(); ++slot)
    inputs.push_back(specs[slot].use == BufferUse::Output ? std::span<const std::byte>() : runner_.input(slot));
  reference_ = std::make_unique<Reference>(kernel, bindings, specs, inputs, seed);
  for (const auto& [schedule, reason] : store.quarantined(key)) seen_.insert(schedule);
  for (const MeasurementRow& m : store.measurements(key.kernel))
    if (m.status == "ok" && m.verified && m.key.device == key.device && m.key.toolchain == key.toolchain && m.key.threads == key.threads &&
        m.key.bucket == key.bucket) {
      const auto [it, fresh] = remembered_.emplace(m.schedule, m.median_ms);
      if (!fresh) it->second = std::min(it->second, m.median_ms);
    }
}

std::vector<Opts> Candidates::remembered() const {
  std::vector<std::pair<double, std::string>> by_time;
  for (const auto& [schedule, ms] : remembered_) by_time.emplace_back(ms, schedule);
  std::sort(by_time.begin(), by_time.end());
  std::vector<Opts> best;
  for (const auto& [ms, schedule] : by_time) best.push_back(parse_opts(schedule));
  return best;
}

bool Candidates::is_new(const Schedule& s) { return seen_.insert(text(s.opts())).second; }

Candidates::Compiled Candidates::compile(const Schedule& schedule) {
  Compiled c{schedule, {}, {}};
  try {
    const Source source = render_kernel(kernel_, schedule.opts(), device_);
    c.program.artifact = device_.compile(source);
    Values values;
    for (const UOp& v : source.launch.variables)
      for (const VariableBinding& b : bindings_)
        if (b.name == v.arg_as<VariableArg>().name) {
          values.emplace_back(v, b.value);
          c.program.variables.push_back(b.value);
        }
    c.program.items = evaluate(source.launch.items, values);
  } catch (const std::exception& e) {  // one candidate's failure must not end the search; it is recorded with its reason
    c.error = e.what();
  }
  return c;
}

void Candidates::record(const Schedule& s, const RunResult& r, const char* status, const std::string& reason, bool verified) {
  MeasurementRow row{.key = key_, .schedule = text(s.opts()), .bindings = bindings_json_};
  const Summary summary = summarize(r.ms);
  row.median_ms = summary.median;
  row.spread = summary.spread;
  row.samples = static_cast<int64_t>(r.ms.size());
  row.status = status;
  row.reason = reason;
  row.verified = verified;
  row.run = run_;
  pending_.push_back(std::move(row));
}
void Candidates::flush() {
  if (!pending_.empty()) store_.put_measurements(pending_);
  pending_.clear();
}

Timed Candidates::measure_default(const Schedule& schedule) {
  is_new(schedule);
  Compiled c = compile(schedule);
  ++compiled;
  const std::string what = "the default schedule '" + text(schedule.opts()) + "' of " + kernel_.arg_as<std::string>();
  if (!c.error.empty()) throw InternalError(what + " does not compile: " + c.error);
  const RunResult checked = runner_.check(c.program, {.timeout_ms = kTimeoutMs});
  if (checked.status != RunStatus::Ok) throw InternalError(what + " fails: " + checked.reason);
  if (std::string wrong = reference_->check_samples(runner_.output()); !wrong.empty()) throw InternalError(what + " is wrong: " + wrong);
  verified_.assign(runner_.output().begin(), runner_.output().end());
  const RunResult r = runner_.time({c.program}, {.limits = {.timeout_ms = kTimeoutMs}, .runs = kScreenRuns, .enough_ms = kScreenMs})[0];
  if (r.status != RunStatus::Ok) throw InternalError(what + " fails: " + r.reason);
  ++measured;
  record(schedule, r, "ok", "", true);
  flush();
  return {schedule, c.program, summarize(r.ms).median};
}

std::vector<Timed> Candidates::measure(const std::vector<Schedule>& schedules, double& best_ms, const std::function<bool()>& stop) {
  // Compiling and timing take turns, so that no compile job runs beside a measurement.
  std::vector<Compiled> batch(schedules.size(), Compiled{Schedule(kernel_), {}, "not compiled"});
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i; (i = next.fetch_add(1)) < schedules.size() && !stop();) batch[i] = compile(schedules[i]);
  };
  std::vector<std::thread> workers;
  for (int t = 1; t < static_cast<int>(std::thread::hardware_concurrency()); ++t) workers.emplace_back(work);
  work();
  for (std::thread& t : workers) t.join();

  std::vector<Timed> timed;
  for (Compiled& c : batch) {
    if (stop()) break;
    ++compiled;
    if (!c.error.empty()) {
      record(c.schedule, {}, "compile_error", c.error, false);
      continue;
    }
    if (!programs_.insert(c.program.artifact.bytes).second) continue;  // another schedule gave the same code
    const RunResult checked = runner_.check(c.program, {.give_up_ms = 4 * kSlow * best_ms, .timeout_ms = kTimeoutMs});
    if (checked.status != RunStatus::Ok) {
      record(c.schedule, checked, text(checked.status), checked.reason, false);
      continue;
    }
    std::string wrong = reference_->check_samples(runner_.output());
    if (wrong.empty()) wrong = reference_->check_whole(runner_.output(), verified_);
    if (!wrong.empty()) {
      record(c.schedule, checked, "wrong", wrong, false);
      continue;
    }
    const TimeOptions screen{.limits = {.give_up_ms = kSlow * best_ms, .timeout_ms = kTimeoutMs}, .runs = kScreenRuns, .enough_ms = kScreenMs};
    const RunResult r = runner_.time({c.program}, screen)[0];
    ++measured;
    record(c.schedule, r, text(r.status), r.reason, true);
    if (r.status != RunStatus::Ok) continue;
    timed.push_back({c.schedule, c.program, summarize(r.ms).median});
    best_ms = std::min(best_ms, timed.back().ms);
  }
  flush();
  return timed;
}

std::vector<Candidates::Final> Candidates::finalists(const std::vector<Timed>& all, int runs) {
  std::vector<RunProgram> programs;
  for (const Timed& t : all) programs.push_back(t.program);
  const std::vector<RunResult> results = runner_.time(programs, {.limits = {.timeout_ms = kTimeoutMs}, .runs = runs});
  std::vector<Final> finals;
  for (size_t i = 0; i < results.size(); ++i) {
    ++measured;
    const bool ok = results[i].status == RunStatus::Ok;
    record(all[i].schedule, results[i], text(results[i].status), results[i].reason, ok);
    const Summary summary = summarize(results[i].ms);
    finals.push_back({ok ? summary.median : 1e300, summary.spread, ok && i > 0 && beats(results[i].ms, results[0].ms)});
  }
  flush();
  return finals;
}

}  // namespace pg
