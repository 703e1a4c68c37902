#pragma once
// The heart of every byte pair encoding: adjacent symbols become one, the best pair first.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

namespace pg {

/// A stretch of text that is, so far, one symbol; a list, so that merging is cheap.
struct Symbol {
  int32_t id;            // the token that it is; -1: none yet
  size_t begin, length;  // length 0: merged into its left neighbour
  bool fixed = false;    // never merged
  int previous = -1, next = -1;
};
/// What two symbols become, and how good that is.
struct MergeCandidate {
  double priority;
  int32_t id;
};

/// Merges the pair of the highest priority, the leftmost of equal ones, until no pair has a candidate. `candidate` is asked
/// for two symbols and gives an optional MergeCandidate. n symbols take O(n log n). The survivors, in order.
template <class Candidate>
std::vector<Symbol> merged(std::vector<Symbol> symbols, const Candidate& candidate) {
  struct Merge {
    double priority;
    int left, right;
    size_t length;  // of both together: tells a merge that has become stale
    int32_t id;
    bool operator<(const Merge& b) const { return priority != b.priority ? priority < b.priority : left > b.left; }
  };
  const int count = static_cast<int>(symbols.size());
  std::priority_queue<Merge> merges;
  const auto offer = [&](int l, int r) {
    if (l < 0 || r < 0) return;
    const Symbol &left = symbols[l], &right = symbols[r];
    if (left.fixed || right.fixed) return;
    if (const std::optional<MergeCandidate> c = candidate(left, right))
      merges.push({c->priority, l, r, left.length + right.length, c->id});
  };
  for (int i = 0; i < count; i++) {
    symbols[i].previous = i - 1;
    symbols[i].next = i + 1 < count ? i + 1 : -1;
  }
  for (int i = 0; i + 1 < count; i++) offer(i, i + 1);
  while (!merges.empty()) {
    const Merge m = merges.top();
    merges.pop();
    Symbol &left = symbols[m.left], &right = symbols[m.right];
    if (left.length == 0 || right.length == 0 || left.length + right.length != m.length) continue;  // one side has changed
    left.length = m.length;
    left.id = m.id;
    right.length = 0;
    left.next = right.next;
    if (left.next >= 0) symbols[left.next].previous = m.left;
    offer(left.previous, m.left);
    offer(m.left, left.next);
  }
  std::erase_if(symbols, [](const Symbol& s) { return s.length == 0; });
  return symbols;
}

}  // namespace pg
