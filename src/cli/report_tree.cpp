// How the schedules of a search came about: the beam as a tree, as the search stored it.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "src/cli/report_tables.h"

namespace pg {

namespace {

/// Candidates that were made from one schedule, or that a run began with.
struct Children {
  std::vector<size_t> all;  // of Search::measured, without those that timed one again
  size_t timed = 0;
  std::map<std::string, size_t> refused, origins;  // how many by status; by origin
  void add(const Search& s, size_t i) {
    const Measured& m = s.measured[i];
    all.push_back(i);
    ++origins[m.row.lineage.origin];
    m.timed() ? ++timed : ++refused[m.row.status];
  }
};

std::string counts(const std::map<std::string, size_t>& by_name) {
  std::string text;
  for (const auto& [name, n] : by_name) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n, name);
  return text;
}

std::string round_text(const Measured& m) {
  const Lineage& l = m.row.lineage;
  return l.origin == "move" ? fmt::format("move, round {}", l.round) : l.origin.empty() ? "not recorded" : l.origin;
}

class Tree {
 public:
  explicit Tree(const Search& s) : s_(s), below_(s.measured.size()) {
    for (size_t i = 0; i < s.measured.size(); ++i) {
      const Measured& m = s.measured[i];
      if (s.batches[m.batch].new_run && (runs_.empty() || run_of_.back() != m.row.run)) {
        runs_.emplace_back();
        run_of_.push_back(m.row.run);
      }
      if (!m.again) (m.parent ? below_[*m.parent] : runs_.back()).add(s, i);
    }
  }

  Table table() {
    Table t{"The beam as a tree: what was made from each of its schedules",
            {{"no.", Table::Number},
             {"ms", Table::Number},
             {"origin"},
             {"schedule", Table::Code},
             {"tried", Table::Number},
             {"timed", Table::Number},
             {"refused"}},
            {}};
    for (size_t r = 0; r < runs_.size(); ++r) {
      std::map<std::string, size_t> origins = std::move(runs_[r].origins);
      if (const auto unknown = origins.extract(""); unknown) origins["not recorded"] = unknown.mapped();
      add(t, {"", "", counts(origins), runs_.size() > 1 ? fmt::format("run {}", r + 1) : "where the search began"},
          runs_[r]);
      for (const size_t i : by_time(runs_[r])) add(t, i, 1);
    }
    return t;
  }

 private:
  static void add(Table& t, std::vector<std::string> row, const Children& c) {
    row.insert(row.end(), {std::to_string(c.all.size()), std::to_string(c.timed), counts(c.refused)});
    t.rows.push_back(std::move(row));
  }
  void add(Table& t, size_t i, size_t depth) {
    const Measured& m = s_.measured[i];
    std::string indent;
    for (size_t d = 1; d < depth; ++d) indent += "\u00A0\u00A0";
    const std::string change = change_text(m);
    add(t,
        {std::to_string(i + 1), figure_text(m.row.median_ms), round_text(m),
         indent + "└\u00A0" + (change.empty() ? schedule_text(m.row.schedule) : change)},
        below_[i]);
    for (const size_t child : by_time(below_[i])) add(t, child, depth + 1);
  }
  /// Those that others were made from, and the winner; the rest is counted.
  std::vector<size_t> by_time(const Children& c) const {
    std::vector<size_t> shown;
    for (const size_t i : c.all)
      if (!below_[i].all.empty() || (!s_.line.empty() && s_.line.back() == i)) shown.push_back(i);
    std::stable_sort(shown.begin(), shown.end(),
                     [&](size_t a, size_t b) { return s_.measured[a].row.median_ms < s_.measured[b].row.median_ms; });
    return shown;
  }

  const Search& s_;
  std::vector<Children> below_;  // by measurement
  std::vector<Children> runs_;
  std::vector<std::string> run_of_;
};

}  // namespace

std::vector<std::string> split_opts(const std::string& schedule) {
  std::vector<std::string> opts;
  std::string one;
  int depth = 0;  // a space within parentheses parts no opts: grid(m n)
  for (const char c : schedule) {
    depth = std::max(0, depth + (c == '(' ? 1 : c == ')' ? -1 : 0));
    if (c != ' ' || depth > 0)
      one += c;
    else if (!one.empty())
      opts.push_back(std::exchange(one, {}));
  }
  if (!one.empty()) opts.push_back(one);
  return opts;
}

void find_parents(Search& s) {
  std::map<std::string, size_t> timed;  // schedules of this run so far
  for (size_t i = 0; i < s.measured.size(); ++i) {
    Measured& m = s.measured[i];
    if (i > 0 && s.measured[i - 1].row.run != m.row.run) timed.clear();
    if (const auto& parent = m.row.lineage.parent; parent && !m.again)
      if (const auto found = timed.find(*parent); found != timed.end()) m.parent = found->second;
    if (m.timed()) timed.emplace(m.row.schedule, i);
  }
}

std::string change_text(const Measured& m) {
  if (!m.parent) return "";
  std::vector<std::string> mine = split_opts(m.row.schedule), parents = split_opts(*m.row.lineage.parent);
  std::sort(mine.begin(), mine.end());
  std::sort(parents.begin(), parents.end());
  std::vector<std::string> added, removed;
  std::set_difference(mine.begin(), mine.end(), parents.begin(), parents.end(), std::back_inserter(added));
  std::set_difference(parents.begin(), parents.end(), mine.begin(), mine.end(), std::back_inserter(removed));
  std::string text;
  const auto add = [&](const char* sign, const std::string& opt) {
    text += (text.empty() ? "" : " ") + std::string(sign) + "\u00A0" + opt;  // no line ends behind a sign
  };
  for (const std::string& opt : added) add("+", opt);
  for (const std::string& opt : removed) add("−", opt);
  return text.empty() ? "the same opts in another order" : text;
}

Table tree_table(const Search& s) {
  const bool known =
      std::any_of(s.measured.begin(), s.measured.end(), [](const Measured& m) { return !m.row.lineage.origin.empty(); });
  return known ? Tree(s).table() : Table{};
}

}  // namespace pg
