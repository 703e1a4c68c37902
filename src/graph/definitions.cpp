#include "src/graph/definitions.h"

#include <algorithm>

namespace pg {

namespace {
class Sharing {
 public:
  Sharing(const Sketches& all, const KernelSketch& kernel, const std::vector<int>& sources_first)
      : all_(all), kernel_(kernel), sources_first_(sources_first) {}

  std::unordered_set<int> shared() {
    for (const int use : sources_first_) holds_.emplace(use, holds(use));
    readers_[kernel_.use].insert(kernel_.use);
    // Users first: what only a shared value reads is part of it.
    std::unordered_set<int> found;
    for (auto use = sources_first_.rbegin(); use != sources_first_.rend(); ++use) {
      const bool is_shared = readers_[*use].size() > 1 && may_be_defined(all_.uses[*use]) && over_rows(*use);
      if (is_shared) found.insert(*use);
      const bool defined = is_shared || is_row(*use);
      for (const int source : all_.uses[*use].sources)
        if (defined)
          readers_[source].insert(*use);
        else
          readers_[source].insert(readers_[*use].begin(), readers_[*use].end());
    }
    return found;
  }

 private:
  struct Holds {
    bool memory = false, rows = false;
  };
  bool is_row(int use) const {
    return std::find(kernel_.rows.begin(), kernel_.rows.end(), all_.uses[use].node) != kernel_.rows.end();
  }
  /// What the value of a use is made from, row definitions seen from outside.
  Holds holds(int number) const {
    const Use& use = all_.uses[number];
    if (use.loaded) return {.memory = true};
    if (is_row(number)) return {.rows = true};
    Holds h;
    for (const int source : use.sources) {
      h.memory |= holds_.at(source).memory;
      h.rows |= holds_.at(source).rows;
    }
    return h;
  }
  bool over_rows(int use) const { return holds_.at(use).memory && holds_.at(use).rows; }
  /// It can be a virtual buffer over the axes of its index.
  static bool may_be_defined(const Use& use) {
    if (!info(use.node.op()).has(op_flag::Elementwise) || use.valid) return false;
    std::unordered_set<UOp> axes;
    for (const UOp& i : use.index)
      if (const_int(i) != 0 && !(i.is(Op::Range) && axes.insert(i).second)) return false;
    return true;
  }

  const Sketches& all_;
  const KernelSketch& kernel_;
  const std::vector<int>& sources_first_;
  std::unordered_map<int, Holds> holds_;
  std::unordered_map<int, std::unordered_set<int>> readers_;  // definitions by the use of their value
};
}  // namespace

std::unordered_set<int> shared_values(const Sketches& all, const KernelSketch& kernel,
                                      const std::vector<int>& sources_first) {
  if (kernel.rows.empty()) return {};
  return Sharing(all, kernel, sources_first).shared();
}

}  // namespace pg
