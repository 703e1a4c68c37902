#include "search/candidates.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "runtime/cuda_device.h"
#include "search/build.h"
#include "search/measure.h"
#include "uops/evaluate.h"
#include "uops/text.h"

namespace pg {

namespace {
constexpr size_t kTogether = 6;  // kernels in one translation unit
// Whether a candidate leads; whether that was a gain. Of long programs the fewest: six pairs have a 95 % interval.
int confirm_runs(double ms) { return ms > kLongRunMs ? 3 : 5; }
int gain_runs(double ms) { return ms > kLongRunMs ? 6 : 9; }
constexpr size_t kLongSource = 96 << 10;  // bytes
constexpr size_t kWave = 32;              // kernels that a GPU's compiler is given between two looks at the clock

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

Candidates::Candidates(const UOp& kernel, const Bindings64& bindings, Device& device, Store& store, const WinnerKey& key,
                       uint64_t seed)
    : kernel_(kernel),
      bindings_(bindings),
      device_(device),
      store_(store),
      key_(key),
      run_(run_id()),
      bindings_json_(json(bindings)),
      runner_({.threads = device.target().cores, .isa = device.target().isa, .device = device.name()}) {
  const std::vector<BufferSpec> specs = buffer_specs(kernel, bindings);
  runner_.set_buffers(specs, seed);
  std::vector<std::span<const std::byte>> inputs;
  for (size_t slot = 0; slot < specs.size(); ++slot)
    inputs.push_back(specs[slot].use == BufferUse::Output ? std::span<const std::byte>() : runner_.input(slot));
  reference_ = std::make_unique<Reference>(kernel, bindings, specs, inputs, seed);
  quarantine();
  for (const MeasurementRow& m : store.measurements(key.kernel))
    if (m.status == "ok" && m.verified && m.key.device == key.device && m.key.toolchain == key.toolchain &&
        m.key.threads == key.threads && m.key.bucket == key.bucket) {
      const auto [it, fresh] = remembered_.emplace(m.schedule, m.median_ms);
      if (!fresh) it->second = std::min(it->second, m.median_ms);
    }
}

/// Known by their code too, so that other opts do not bring it back; but for what does not compile: that is found out
/// cheaply.
void Candidates::quarantine() {
  for (const auto& [schedule, why] : store_.quarantined(key_)) {
    seen_.insert(schedule);
    const size_t colon = why.find(": ");
    const std::string status = why.substr(0, colon);
    if (status == "compile_error") continue;
    try {
      sources_.emplace(render_kernel(kernel_, parse_opts(schedule), device_).text, schedule);
      failed_.emplace(schedule, std::pair(status, why.substr(colon + 2)));
    } catch (const std::exception&) {  // a schedule that is legal no more has no code
    }
  }
}

std::vector<std::string> Candidates::remembered() const {
  std::vector<std::pair<double, std::string>> by_time;
  for (const auto& [schedule, ms] : remembered_) by_time.emplace_back(ms, schedule);
  std::sort(by_time.begin(), by_time.end());
  std::vector<std::string> best;
  for (const auto& [ms, schedule] : by_time) best.push_back(schedule);
  return best;
}

bool Candidates::is_new(const Schedule& s) const { return !seen_.contains(text(s.opts())); }

void Candidates::render(Compiled& c) {
  try {
    c.source = render_kernel(kernel_, c.schedule.opts(), device_);
    c.program = RunProgram::of({}, c.source.launch, bindings_);
  } catch (const std::exception& e) {  // one candidate's failure must not end the search; it is recorded with its reason
    c.error = e.what();
  }
}

void Candidates::compile(std::span<Compiled> batch) {
  std::vector<Source> sources;
  std::vector<Compiled*> rendered;
  for (Compiled& c : batch)
    if (c.error.empty()) sources.push_back(c.source), rendered.push_back(&c);
  if (sources.empty()) return;
  try {
    std::vector<Artifact> artifacts = device_.compile_all(sources);
    for (size_t i = 0; i < rendered.size(); ++i) rendered[i]->program.artifact = std::move(artifacts[i]);
  } catch (const std::exception& e) {
    if (rendered.size() == 1)
      rendered[0]->error = e.what();
    else
      for (Compiled* c : rendered) compile(std::span(c, 1));
  }
}

/// A compiler takes more than twice as long for twice the code: hundreds of instances would hold up the whole search.
void Candidates::refuse_long(Compiled& c) const {
  const size_t bytes = c.source.text.size();
  if (!c.error.empty() || bytes <= std::max(kLongSource, 2 * default_bytes_)) return;
  c.refused = "long";
  c.error = "a source of " + std::to_string(bytes >> 10) + " KB takes too long to compile";
}

/// A kernel of a GPU is not worth a run where its threads have no registers for everything: the rest goes to memory.
void Candidates::refuse_misfit(Compiled& c) {
  for (const KernelResources& r : cuda_resources(c.program.artifact)) {
    if (r.spills()) {
      c.refused = "spills";
      c.error = "spills: " + std::to_string(r.spill_stores) + " bytes of stores, " + std::to_string(r.spill_loads) +
                " of loads, with " + std::to_string(r.registers) + " registers";
      return;
    }
    if (r.stack_bytes > 0) {
      c.refused = "stack";
      c.error = "a stack of " + std::to_string(r.stack_bytes) + " bytes a thread";
      return;
    }
  }
}

void Candidates::record(const std::string& schedule, const Timing& timing, const char* status, const std::string& reason,
                        bool verified) {
  MeasurementRow row;
  row.key = key_;
  row.schedule = schedule;
  row.bindings = bindings_json_;
  row.median_ms = timing.median_ms;
  row.spread = timing.spread;
  row.samples = timing.samples;
  row.status = status;
  row.reason = reason;
  row.verified = verified;
  row.run = run_;
  row.lineage = lineages_[schedule];
  pending_.push_back(std::move(row));
}
void Candidates::fail(const std::string& schedule, const Timing& timing, const char* status, const std::string& reason) {
  record(schedule, timing, status, reason, false);
  failed_.emplace(schedule, std::pair<std::string, std::string>(status, reason));
  const auto [first, last] = twins_.equal_range(schedule);
  for (auto twin = first; twin != last; ++twin) record(twin->second, {}, status, reason, false);
}
void Candidates::flush() {
  if (!pending_.empty()) store_.put_measurements(pending_);
  pending_.clear();
}

Timed Candidates::measure_default(const Schedule& schedule) {
  default_ = text(schedule.opts());
  seen_.insert(default_);
  lineages_[default_] = {.origin = "default"};
  Compiled c{schedule, {}, {}, {}};
  render(c);
  if (c.error.empty()) c.program.artifact = device_.compile(c.source);  // without a compiler there is nothing to search
  ++compiled;
  const std::string what = "the default schedule '" + default_ + "' of " + kernel_.arg_as<std::string>();
  if (!c.error.empty()) throw InternalError(what + " does not compile: " + c.error);
  sources_.emplace(c.source.text, default_);
  default_bytes_ = c.source.text.size();
  const Screened s = screen(runner_, c.program, 0, [&] { return reference_->check_samples(runner_.output()); });
  if (s.result.status != RunStatus::Ok) throw InternalError(what + ": " + text(s.result.status) + ": " + s.result.reason);
  const auto output = runner_.output();
  verified_.assign(output.begin(), output.end());
  ++measured;
  record(default_, s.timing, "ok", "", true);
  flush();
  return {schedule, c.program, s.timing.median_ms};
}

std::vector<Timed> Candidates::measure(const std::vector<Candidate>& candidates, const Timed& best,
                                       const std::function<bool()>& stop) {
  std::vector<Compiled> batch;
  for (const Candidate& candidate : candidates) {
    const std::string name = text(candidate.schedule.opts());
    seen_.insert(name);
    lineages_.emplace(name, candidate.lineage);
    batch.push_back({candidate.schedule, {}, {}, {}});
    render(batch.back());
    refuse_long(batch.back());
    if (!batch.back().error.empty()) continue;
    const auto [source, fresh] = sources_.emplace(batch.back().source.text, name);
    if (fresh) continue;
    batch.pop_back();  // other opts, same code
    twins_.emplace(source->second, name);
    if (const auto known = failed_.find(source->second); known != failed_.end())
      record(name, {}, known->second.first.c_str(), known->second.second, false);
  }
  // Compiling and timing take turns, so that no compile job runs beside a measurement.
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i; (i = next.fetch_add(kTogether)) < batch.size() && !stop();)
      compile(std::span(batch).subspan(i, std::min(kTogether, batch.size() - i)));
  };
  std::vector<std::thread> workers;
  if (device_.target().gpu) {  // its compile_all takes all cores by itself
    for (size_t i = 0; i < batch.size() && !stop(); i += kWave)
      compile(std::span(batch).subspan(i, std::min(kWave, batch.size() - i)));
    for (Compiled& c : batch)
      if (c.error.empty() && !c.program.artifact.bytes.empty()) refuse_misfit(c);
    next = batch.size();
  }
  for (unsigned t = 1; !device_.target().gpu && t < std::thread::hardware_concurrency(); ++t) workers.emplace_back(work);
  work();
  for (std::thread& t : workers) t.join();

  // Times are told in units of the best so far, timed again now: the machine may have become faster or slower since.
  std::vector<Timed> timed;
  Timed leader = best;
  double drift = drift_of(leader);
  for (Compiled& c : batch) {
    if (stop()) break;
    ++compiled;
    const std::string name = text(c.schedule.opts());
    if (!c.error.empty()) {
      ++rejected[c.refused];
      fail(name, {}, "compile_error", c.error);
      continue;
    }
    if (c.program.artifact.bytes.empty()) continue;  // stopped before it was compiled
    const Screened s = screen(runner_, c.program, leader.ms * drift, [&] {
      std::string wrong = reference_->check_samples(runner_.output());
      return wrong.empty() ? reference_->check_whole(runner_.output(), verified_) : wrong;
    });
    if (s.checked) ++measured;
    const RunStatus status = s.result.status;
    if (status == RunStatus::Ok || status == RunStatus::Slow)
      record(name, s.timing, text(status), s.result.reason, s.checked);
    else
      fail(name, s.timing, text(status), s.result.reason);
    if (status != RunStatus::Ok) {
      ++rejected[text(status)];
      continue;
    }
    timed.push_back({c.schedule, c.program, s.timing.median_ms / drift});
    if (timed.back().ms >= leader.ms) continue;
    // A new leader is timed in turns with the old one: a moment of quiet is no gain. Either may fail only now.
    const std::vector<RunResult> pair = in_turns(leader, timed.back(), confirm_runs(leader.ms));
    if (pair[1].status != RunStatus::Ok) {
      timed.pop_back();
      continue;
    }
    if (pair[0].status != RunStatus::Ok) {
      if (has_failed(leader.schedule)) leader = timed.back();
      continue;
    }
    timed.back().ms = leader.ms / speedup(pair[0].ms, pair[1].ms).ratio;
    drift = timing(pair[0].ms).median_ms / leader.ms;
    if (timed.back().ms >= leader.ms) continue;
    leader = timed.back();
    if (on_leader) on_leader(leader);
  }
  flush();
  return timed;
}

std::vector<RunResult> Candidates::in_turns(const Timed& a, const Timed& b, int runs) {
  std::vector<RunResult> results =
      runner_.time({a.program, b.program}, {.limits = {.timeout_ms = timeout_for(std::max(a.ms, b.ms))}, .runs = runs});
  for (const auto& [timed, result] : {std::pair(&a, &results[0]), std::pair(&b, &results[1])}) {
    const std::string name = text(timed->schedule.opts());
    if (result->status == RunStatus::Ok || name == default_) continue;
    ++rejected[text(result->status)];
    fail(name, timing(result->ms), text(result->status), result->reason);
  }
  return results;
}

Speedup Candidates::gain(const Timed& before, const Timed& now) {
  const std::vector<RunResult> results = in_turns(before, now, gain_runs(now.ms));
  flush();
  if (results[0].status != RunStatus::Ok || results[1].status != RunStatus::Ok) return {};
  return speedup(results[0].ms, results[1].ms);
}

double Candidates::drift_of(const Timed& t) {
  const TimeOptions options{.limits = {.timeout_ms = timeout_for(t.ms)}, .runs = t.ms > kLongRunMs ? 1 : confirm_runs(t.ms)};
  const RunResult r = runner_.time({t.program}, options)[0];
  return r.status == RunStatus::Ok ? timing(r.ms).median_ms / t.ms : 1;
}

Final Candidates::final_round(const Timed& incumbent, const std::vector<Timed>& challengers, int rounds) {
  std::vector<RunProgram> programs;
  for (const Timed& t : challengers) programs.push_back(t.program);
  Final f = finalists(runner_, incumbent.program, programs, rounds);
  const auto note = [&](const Timed& t, const Finalist& one) {
    ++measured;
    const std::string name = text(t.schedule.opts());
    if (one.result.status == RunStatus::Ok || name == default_)
      record(name, one.timing, text(one.result.status), one.result.reason, one.result.status == RunStatus::Ok);
    else
      fail(name, one.timing, text(one.result.status), one.result.reason);
  };
  note(incumbent, f.incumbent);
  for (size_t i = 0; i < challengers.size(); ++i) note(challengers[i], f.candidates[i]);
  flush();
  return f;
}

}  // namespace pg
