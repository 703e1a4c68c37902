#include "src/cli/report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "search/calibrate.h"

namespace pg {

namespace {

using KeyOrder = std::tuple<std::string, std::string, int, std::string, std::string>;  // of one device
KeyOrder order(const WinnerKey& k) { return {k.kernel, k.toolchain, k.threads, k.precision, k.bucket}; }

bool is_time(double ms) { return std::isfinite(ms) && ms > 0; }
double finite(double x) { return std::isfinite(x) ? x : 0; }

/// Run after run, as they began, each in the order of the store. Runs of two processes may have been stored in turns.
void in_order(std::vector<Measured>& all) {
  std::map<std::string, int64_t> began;
  for (const Measured& m : all) {
    const auto [it, fresh] = began.emplace(m.row.run, m.row.created);
    if (!fresh) it->second = std::min(it->second, m.row.created);
  }
  std::stable_sort(all.begin(), all.end(), [&](const Measured& a, const Measured& b) {
    return std::tuple(began[a.row.run], a.row.run, a.row.created) < std::tuple(began[b.row.run], b.row.run, b.row.created);
  });
}

void find_batches(Search& s) {
  double best = 0;
  std::map<std::string, size_t> first;  // measurement of a schedule in this run
  for (size_t i = 0; i < s.measured.size(); ++i) {
    Measured& m = s.measured[i];
    const MeasurementRow* before = i ? &s.measured[i - 1].row : nullptr;
    const bool new_run = !before || before->run != m.row.run;
    if (new_run) first.clear();
    if (new_run || before->created != m.row.created) s.batches.push_back({.first = i, .new_run = new_run, .final = true});
    Batch& batch = s.batches.back();
    m.batch = s.batches.size() - 1;
    ++batch.count;
    const auto [it, fresh] = first.emplace(m.row.schedule, i);
    if (!fresh) m.again = it->second;
    batch.final &= m.again && s.measured[*m.again].batch != m.batch;
    if (m.timed()) best = best == 0 ? m.row.median_ms : std::min(best, m.row.median_ms);
    batch.best_ms = best;
  }
}

/// Back from the last time that the winner was measured.
void find_line(Search& s) {
  if (!s.winner) return;
  std::optional<size_t> at;
  for (size_t i = 0; i < s.measured.size(); ++i)
    if (s.measured[i].timed() && s.measured[i].row.schedule == s.winner->schedule) at = i;
  if (at && s.measured[*at].again && s.measured[*s.measured[*at].again].timed()) at = s.measured[*at].again;
  for (; at; at = s.measured[*at].parent) s.line.push_back(*at);
  std::reverse(s.line.begin(), s.line.end());
}

}  // namespace

bool Measured::timed() const { return row.status == "ok" && is_time(row.median_ms); }

double Search::saved_ms() const { return is_time(default_ms()) && is_time(winner_ms()) ? default_ms() - winner_ms() : 0; }
bool Search::on_roofline() const { return gflops(winner_ms()) > 0 && intensity() > 0; }
double Search::intensity() const { return finite(kernel.flops / kernel.bytes); }
double Search::gflops(double ms) const { return is_time(ms) ? finite(kernel.flops / ms / 1e6) : 0; }
double Search::gbytes(double ms) const { return is_time(ms) ? finite(kernel.bytes / ms / 1e6) : 0; }

double Roof::reached(double intensity) const { return std::min(flops, bytes * intensity); }

const Roof* Report::roof(int threads) const {
  for (const Roof& r : roofs)
    if (r.threads == threads) return &r;
  return nullptr;
}

Report gather(Store& store, const ReportSubject& subject, const std::string& kernel) {
  Report report{.subject = subject, .stats = store.stats(), .only = kernel};
  const std::vector<WinnerRow> winners = store.winners();
  for (const KernelRow& k : store.kernels()) {
    if (!kernel.empty() && k.id != kernel) continue;
    std::map<KeyOrder, Search> found;
    Elsewhere elsewhere{.kernel = k};
    const auto search = [&](const WinnerKey& key) -> Search& {
      Search& s = found[order(key)];
      s.key = key;
      s.kernel = k;
      return s;
    };
    for (const WinnerRow& w : winners) {
      if (w.key.kernel != k.id) continue;
      const bool ours = w.key.device == subject.device.id;
      if (ours) search(w.key).winner = w;
      ++(ours ? report.winners : elsewhere.winners);
    }
    bool probe = false;  // of the machine's costs, not searched for
    for (MeasurementRow& m : store.measurements(k.id)) {
      if (probe = m.run == kCalibrationRun; probe) continue;
      const bool ours = m.key.device == subject.device.id;
      ++(ours ? report.measurements : elsewhere.measurements);
      if (ours) search(m.key).measured.push_back({.row = std::move(m)});
    }
    report.foreign_winners += elsewhere.winners;
    if (found.empty() && !probe) report.others.push_back(std::move(elsewhere));
    for (auto& [key, s] : found) report.searches.push_back(std::move(s));
  }
  for (Search& s : report.searches) {
    in_order(s.measured);
    size_kernel(s);
    find_batches(s);
    find_parents(s);
    find_line(s);
  }
  std::stable_sort(report.searches.begin(), report.searches.end(), [](const Search& a, const Search& b) {
    return std::tuple(!a.winner, -a.saved_ms()) < std::tuple(!b.winner, -b.saved_ms());
  });
  return report;
}

}  // namespace pg
