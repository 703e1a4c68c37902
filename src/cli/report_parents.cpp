#include <algorithm>
#include <map>
#include <utility>

#include "src/cli/report.h"

namespace pg {

namespace {

// A move replaces an opt or two of its own and, as the names of the ranges change, `order` and `grid`.
constexpr size_t kMostChanged = 8;

using Words = std::vector<int>;  // opts by number, sorted

/// How many opts are in one but not in the other.
size_t distance(const Words& a, const Words& b) {
  size_t common = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();)
    if (a[i] == b[j])
      ++common, ++i, ++j;
    else
      ++(a[i] < b[j] ? i : j);
  return a.size() + b.size() - 2 * common;
}

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
  std::map<std::string, int> numbers;
  std::vector<Words> words;
  for (const Measured& m : s.measured) {
    Words w;
    for (const std::string& opt : split_opts(m.row.schedule))
      w.push_back(numbers.emplace(opt, static_cast<int>(numbers.size())).first->second);
    std::sort(w.begin(), w.end());
    words.push_back(std::move(w));
  }
  std::vector<size_t> timed;  // of earlier batches of this run
  for (const Batch& batch : s.batches) {
    if (batch.new_run) timed.clear();
    for (size_t i = batch.first; i < batch.first + batch.count; ++i) {
      Measured& m = s.measured[i];
      if (m.again) continue;
      size_t least = kMostChanged + 1;
      for (const size_t p : timed) {
        const size_t d = distance(words[i], words[p]);
        if (d > least || d > kMostChanged) continue;
        if (d == least && s.measured[p].row.median_ms >= s.measured[*m.parent].row.median_ms) continue;
        least = d;
        m.parent = p;
      }
    }
    for (size_t i = batch.first; i < batch.first + batch.count; ++i)
      if (s.measured[i].timed() && !s.measured[i].again) timed.push_back(i);
  }
}

}  // namespace pg
