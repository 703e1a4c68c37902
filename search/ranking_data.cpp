#include "search/ranking_data.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "search/features.h"
#include "uops/error.h"
#include "uops/text.h"

namespace pg {

namespace {

constexpr size_t kLeastGroup = 8;  // rows: fewer have no order to speak of

/// Ranks from 0; what is equal shares the mean of its ranks.
std::vector<double> ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> out(values.size());
  for (size_t i = 0, end = 0; i < order.size(); i = end) {
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (size_t j = i; j < end; ++j) out[order[j]] = static_cast<double>(i + end - 1) / 2;
  }
  return out;
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const double n = static_cast<double>(x.size());
  const double mx = std::accumulate(x.begin(), x.end(), 0.0) / n, my = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) * (x[i] - mx);
    yy += (y[i] - my) * (y[i] - my);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

using Times = std::map<std::string, double>;  // of schedules: the least that was measured

/// At most `most` of them, evenly from the fastest to the slowest.
std::vector<std::pair<double, std::string>> spread(const Times& times, size_t most) {
  std::vector<std::pair<double, std::string>> all;
  for (const auto& [schedule, ms] : times) all.emplace_back(ms, schedule);
  std::sort(all.begin(), all.end());
  if (all.size() <= most) return all;
  std::vector<std::pair<double, std::string>> some;
  for (size_t i = 0; i < most; ++i) some.push_back(all[i * all.size() / most]);
  return some;
}

}  // namespace

size_t RankingData::kernels() const {
  std::set<std::string> all;
  for (const Group& g : groups) all.insert(g.kernel);
  return all.size();
}

RankingData ranking_data(Store& store, const WinnerKey& like, const Target& target, size_t most, const Costs& costs) {
  struct Measured {
    KernelRow kernel;
    Times times;
  };
  std::vector<Measured> all;
  for (const KernelRow& kernel : store.kernels()) {
    std::map<std::string, Times> buckets;
    for (const MeasurementRow& m : store.measurements(kernel.id)) {
      if (m.key.device != like.device || m.key.toolchain != like.toolchain || m.key.threads != like.threads) continue;
      if (!m.verified || (m.status != "ok" && m.status != "slow") || !(m.median_ms > 0)) continue;
      const auto [it, fresh] = buckets[m.key.bucket].emplace(m.schedule, m.median_ms);
      if (!fresh) it->second = std::min(it->second, m.median_ms);
    }
    for (auto& [bucket, times] : buckets)
      if (times.size() >= kLeastGroup) all.push_back({kernel, std::move(times)});
  }
  RankingData data;
  data.features.columns = Features::names().size();
  for (const Measured& measured : all) {
    UOp kernel;
    try {
      kernel = parse(measured.kernel.ir);
    } catch (const UserError&) {
      continue;  // of another version of picograd
    }
    const Features features(kernel, target);
    RankingData::Group group{measured.kernel.id, measured.kernel.name, data.rows(), 0};
    for (const auto& [ms, opts] : spread(measured.times, std::max(kLeastGroup, most / all.size()))) {
      const Expected<Schedule> s = read_schedule(kernel, opts, target);
      if (!s) continue;
      const Estimate e = estimate_parts(*s, target, costs);
      data.features.add(features.of(*s, e));
      data.ms.push_back(ms);
      data.estimates.push_back(e.ns);
      ++group.count;
    }
    if (group.count > 0) data.groups.push_back(group);
  }
  return data;
}

OrderQuality order_quality(std::span<const double> scores, std::span<const double> ms) {
  OrderQuality q;
  if (scores.empty()) return q;
  q.correlation = correlation(ranks(scores), ranks(ms));
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  double best = ms[order[0]];
  for (size_t i = 0; i < order.size() && i < kFirstFew; ++i) best = std::min(best, ms[order[i]]);
  q.regret = best / *std::min_element(ms.begin(), ms.end());
  return q;
}

OrderQuality order_quality(const RankingData& data, std::span<const double> scores) {
  OrderQuality mean{0, 0};
  for (const RankingData::Group& g : data.groups) {
    const OrderQuality q = order_quality(scores.subspan(g.first, g.count), std::span(data.ms).subspan(g.first, g.count));
    mean.correlation += q.correlation / static_cast<double>(data.groups.size());
    mean.regret += q.regret / static_cast<double>(data.groups.size());
  }
  return mean;
}

std::vector<size_t> taking_turns(std::span<const size_t> one, std::span<const size_t> other) {
  std::vector<size_t> all;
  std::vector<bool> taken(one.size());
  const auto next = [&](std::span<const size_t> from, size_t& at) {
    while (at < from.size() && taken[from[at]]) ++at;
    if (at == from.size()) return;
    taken[from[at]] = true;
    all.push_back(from[at]);
  };
  for (size_t i = 0, j = 0; all.size() < one.size();) next(one, i), next(other, j);
  return all;
}

}  // namespace pg
