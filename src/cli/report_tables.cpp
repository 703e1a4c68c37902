#include "src/cli/report_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "src/cli/duration.h"

namespace pg {

namespace {

const std::string kUnknown = "–";

std::string count(size_t n, const char* what, const char* plural = "s") {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : plural);
}
std::string known(double x) { return std::isfinite(x) && x > 0 ? figure_text(x) : kUnknown; }
std::string percent(double share) { return std::isfinite(share) ? fmt::format("{:.1f} %", 100 * share) : kUnknown; }
/// "cpu: Zen 5; cores: 2": an object as a line, other text as it is.
std::string json_line(const std::string& text) {
  const auto j = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!j.is_object()) return text;
  std::string line;
  for (const auto& [name, value] : j.items())
    line += (line.empty() ? "" : "; ") + name + ": " + (value.is_string() ? value.get<std::string>() : value.dump());
  return line;
}
/// "35.3 %" of a ceiling; of that of memory it may be more than all, where the buffers lie in the caches.
std::string share(double speed, double ceiling) {
  return ceiling > 0 && speed > 0 ? percent(speed * 1e9 / ceiling) : kUnknown;
}
/// "the first run took … ms": reasons that differ in their numbers alone are told as one.
std::string without_numbers(const std::string& reason) {
  std::string text;
  bool within = false;
  for (const char c : reason) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(within && c == '.')) text += c;
    if (digit && !within) text += "…";
    within = digit || (within && c == '.');
  }
  return text;
}
std::string search_time(const WinnerRow& w) {
  constexpr double kLongest = 1e9;  // of what is a time of search at all
  return w.search_seconds >= 0 && w.search_seconds < kLongest ? duration_text(w.search_seconds) : kUnknown;
}
std::string outcome(const Measured& m) {
  std::string text = m.row.status;
  if (m.again) text += ", timed again";
  if (!m.row.reason.empty()) text += ": " + m.row.reason;
  return text;
}

}  // namespace

std::string figure_text(double x) {
  if (!std::isfinite(x)) return kUnknown;
  return std::abs(x) >= 1000 ? fmt::format("{:.0f}", x) : fmt::format("{:.4g}", x);
}
std::string speedup_text(const Search& s) {
  const double ratio = s.winner ? s.default_ms() / s.winner_ms() : 0;
  return std::isfinite(ratio) && ratio > 0 ? fmt::format("{:.2f}x", ratio) : kUnknown;
}
std::string schedule_text(const std::string& schedule) { return schedule.empty() ? "(unscheduled)" : schedule; }

std::string search_name(const Report& r, const Search& s) {
  std::string name = s.kernel.name;
  if (!s.key.bucket.empty()) name += " " + s.key.bucket;
  name += ", " + count(static_cast<size_t>(std::max(0, s.key.threads)), "thread");
  if (s.key.precision != "fp32") name += ", " + s.key.precision;
  // Where all were found under the same toolchain, the head of the report says whether it is today's.
  const bool several = std::any_of(r.searches.begin(), r.searches.end(),
                                   [&](const Search& other) { return other.key.toolchain != s.key.toolchain; });
  if (several) name += ", toolchain " + s.key.toolchain.substr(0, 8);
  return name;
}

Table facts_table(const Report& r) {
  size_t older = 0;  // winners of another toolchain
  for (const Search& s : r.searches) older += s.winner && s.key.toolchain != r.subject.toolchain.id;
  Table t{"This report", {{"what"}, {"value"}}, {}};
  t.rows = {{"Machine", r.subject.name + "; " + json_line(r.subject.device.json)},
            {"Toolchain", json_line(r.subject.toolchain.json)},
            {"Database", fmt::format("{} (schema {})", r.stats.path, r.stats.schema)},
            {"Date", r.subject.date},
            {"In the database", fmt::format("{}, {}, {}, {}, {} quarantined", count(r.stats.kernels, "kernel"),
                                            count(r.stats.winners, "winner"), count(r.stats.schedules, "schedule"),
                                            count(r.stats.measurements, "measurement"), r.stats.quarantined)},
            {"Of this device" + std::string(r.only.empty() ? "" : ", of kernel " + r.only),
             fmt::format("{}, {}{}", count(r.winners, "winner"), count(r.measurements, "measurement"),
                         older ? fmt::format("; {} found under another toolchain", count(older, "winner")) : "")}};
  if (r.foreign_winners)
    t.rows.push_back({"Of other devices", count(r.foreign_winners, "winner") + ", which this report leaves out"});
  return t;
}

Table kernels_table(const Report& r) {
  Table t{"Every kernel, most time saved first",
          {{"no.", Table::Number},
           {"kernel"},
           {"shape"},
           {"default ms", Table::Number},
           {"winner ms", Table::Number},
           {"speed-up", Table::Number},
           {"saved ms", Table::Number},
           {"GFLOP/s", Table::Number},
           {"GB/s", Table::Number},
           {"FLOP/byte", Table::Number},
           {"of the peak", Table::Number},
           {"of the bandwidth", Table::Number},
           {"search"},
           {"winning schedule", Table::Code}},
          {}};
  for (size_t i = 0; i < r.searches.size(); ++i) {
    const Search& s = r.searches[i];
    const double ms = s.winner_ms();
    const Roof* known_roof = r.roof(s.key.threads);
    const Roof roof = known_roof ? *known_roof : Roof{};
    std::string how = s.winner ? fmt::format("{} candidates, {}{}", s.winner->candidates, search_time(*s.winner),
                                             s.winner->finished ? "" : ", unfinished")
                               : "no winner: the search did not end";
    t.rows.push_back({std::to_string(i + 1), search_name(r, s), s.kernel.shape, known(s.default_ms()), known(ms),
                      speedup_text(s), s.winner ? figure_text(s.saved_ms()) : kUnknown, known(s.gflops(ms)),
                      known(s.gbytes(ms)), known(s.intensity()), share(s.gflops(ms), roof.flops),
                      share(s.gbytes(ms), roof.bytes), how, s.winner ? schedule_text(s.winner->schedule) : kUnknown});
  }
  return t;
}

Table roofs_table(const Report& r) {
  Table t{"What the machine can do at most, measured for this report",
          {{"threads", Table::Number},
           {"GFLOP/s", Table::Number},
           {"GB/s read from memory", Table::Number},
           {"FLOP/byte where both meet", Table::Number}},
          {}};
  for (const Roof& roof : r.roofs)
    t.rows.push_back({std::to_string(roof.threads), figure_text(roof.flops / 1e9), figure_text(roof.bytes / 1e9),
                      figure_text(roof.flops / roof.bytes)});
  return t;
}

Table others_table(const Report& r) {
  Table t{"Kernels of which nothing is known on this device",
          {{"kernel"},
           {"shape"},
           {"id"},
           {"winners of other devices", Table::Number},
           {"measurements of other devices", Table::Number}},
          {}};
  for (const Elsewhere& e : r.others)
    t.rows.push_back(
        {e.kernel.name, e.kernel.shape, e.kernel.id, std::to_string(e.winners), std::to_string(e.measurements)});
  return t;
}

Table reasons_table(const Search& s) {
  struct Alike {
    size_t count = 0;
    std::set<std::string> reasons;
  };
  std::map<std::pair<std::string, std::string>, Alike> kinds;
  for (const Measured& m : s.measured)
    if (m.row.status != "ok") {
      Alike& kind = kinds[{m.row.status, without_numbers(m.row.reason)}];
      ++kind.count;
      kind.reasons.insert(m.row.reason);
    }
  std::vector<std::pair<size_t, std::vector<std::string>>> rows;
  for (const auto& [why, kind] : kinds)
    rows.push_back({kind.count,
                    {std::to_string(kind.count), why.first, kind.reasons.size() == 1 ? *kind.reasons.begin() : why.second}});
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  Table t{"Why candidates were refused", {{"candidates", Table::Number}, {"status"}, {"reason", Table::Code}}, {}};
  for (auto& [n, row] : rows) t.rows.push_back(std::move(row));
  return t;
}

Table line_table(const Search& s) {
  Table t{"How the winner came about",
          {{"measurement", Table::Number}, {"ms", Table::Number}, {"what changed", Table::Code}},
          {}};
  for (const size_t i : s.line) {
    const Measured& m = s.measured[i];
    const std::string change = change_text(m);
    t.rows.push_back(
        {std::to_string(i + 1), known(m.row.median_ms), change.empty() ? schedule_text(m.row.schedule) : change});
  }
  return t;
}

std::string batch_title(const Search& s, size_t batch) {
  const Batch& b = s.batches[batch];
  size_t timed = 0, run = 0, runs = 0;
  for (size_t i = 0; i < s.batches.size(); ++i) {
    runs += s.batches[i].new_run;
    if (i == batch) run = runs;
  }
  for (size_t i = b.first; i < b.first + b.count; ++i) timed += s.measured[i].timed();
  return fmt::format("Batch {}{}{}: {} tried, {} timed{}", batch + 1,
                     runs > 1 ? fmt::format(" (run {} of {})", run, runs) : "",
                     b.final     ? ", the final"
                     : b.new_run ? ", where the run began"
                                 : "",
                     b.count, timed, b.best_ms > 0 ? ", best so far " + figure_text(b.best_ms) + " ms" : "");
}

Table batch_table(const Search& s, size_t batch) {
  const Batch& b = s.batches[batch];
  Table t{batch_title(s, batch),
          {{"no.", Table::Number},
           {"ms", Table::Number},
           {"spread", Table::Number},
           {"samples", Table::Number},
           {"outcome", Table::Code},
           {"from", Table::Number},
           {"schedule", Table::Code}},
          {}};
  for (size_t i = b.first; i < b.first + b.count; ++i) {
    const Measured& m = s.measured[i];
    const auto from = m.again ? m.again : m.parent;
    const std::string change = change_text(m);
    t.rows.push_back({std::to_string(i + 1), known(m.row.median_ms), m.row.median_ms > 0 ? percent(m.row.spread) : kUnknown,
                      std::to_string(m.row.samples), outcome(m), from ? std::to_string(*from + 1) : kUnknown,
                      change.empty() ? schedule_text(m.row.schedule) : change});
  }
  return t;
}

std::string summary(const Search& s) {
  std::string text;
  if (s.winner)
    text = fmt::format("{} ms by default, {} ms by the winner: {}. ", known(s.default_ms()), known(s.winner_ms()),
                       speedup_text(s));
  else
    text = "There is no winner: the search did not end. ";
  if (s.measured.empty())
    return text + "The database holds no measurements of this search: its winner was brought in from elsewhere.";
  std::map<std::string, size_t> by_status;
  for (const Measured& m : s.measured) ++by_status[m.row.status];
  text += count(s.measured.size(), "measurement") + " in " + count(s.batches.size(), "batch", "es") + ": ";
  std::string list;
  for (const auto& [status, n] : by_status) list += fmt::format("{}{} {}", list.empty() ? "" : ", ", n, status);
  return text + list + ".";
}

}  // namespace pg
