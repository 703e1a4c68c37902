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

namespace {
class Decoding {
 public:
  Decoding(const Sketches& all, const KernelSketch& kernel, const std::vector<int>& sources_first)
      : all_(all), kernel_(kernel), sources_first_(sources_first) {}

  std::unordered_set<int> decoded() {
    for (const int use : sources_first_) made_.emplace(use, made(use));
    std::unordered_set<int> found, outermost;  // outermost: read as it is, if only by way of views
    for (auto use = sources_first_.rbegin(); use != sources_first_.rend(); ++use) {
      const bool elementwise = info(all_.uses[*use].node.op()).has(op_flag::Elementwise);
      const bool here = decodes(*use) && outermost.contains(*use);
      if (here && elementwise && may_be_defined(all_.uses[*use])) found.insert(*use);
      if (decodes(*use) && !(here && !elementwise)) continue;
      outermost.insert(all_.uses[*use].sources.begin(), all_.uses[*use].sources.end());
    }
    return found;
  }

 private:
  struct Made {
    int widest = 0;     // bytes of the widest elements that it is made from
    bool more = false;  // a reduction, or what costs more than unpacking
  };
  Made made(int number) const {
    const Use& use = all_.uses[number];
    const bool is_row = std::find(kernel_.rows.begin(), kernel_.rows.end(), use.node) != kernel_.rows.end();
    if (use.loaded || is_row || is_reduction(use.node)) return {.widest = use.node.dtype().bytes(), .more = !use.loaded};
    Made m;
    for (const int source : use.sources) {
      m.widest = std::max(m.widest, made_.at(source).widest);
      m.more |= made_.at(source).more;
    }
    m.more |= info(use.node.op()).has(op_flag::Float);
    return m;
  }
  bool decodes(int use) const {
    const Made& m = made_.at(use);
    const DType t = all_.uses[use].node.dtype();
    return (all_.uses[use].in_body || !all_.uses[use].around.empty()) && t.is_float() && !m.more && m.widest > 0 &&
           m.widest < t.bytes();
  }
  /// Its value is known from axes of the kernel.
  static bool may_be_defined(const Use& use) {
    if (use.valid) return false;
    bool any = false;
    for (const UOp& i : use.index)
      for (const UOp& leaf : toposort(i)) {
        any |= leaf.is(Op::Range);
        if (leaf.is(Op::Variable)) return false;
      }
    return any;
  }

  const Sketches& all_;
  const KernelSketch& kernel_;
  const std::vector<int>& sources_first_;
  std::unordered_map<int, Made> made_;
};
}  // namespace

std::unordered_set<int> decoded_values(const Sketches& all, const KernelSketch& kernel,
                                       const std::vector<int>& sources_first) {
  if (kernel.reduce_ranges.empty()) return {};
  return Decoding(all, kernel, sources_first).decoded();
}

std::unordered_set<int> shared_values(const Sketches& all, const KernelSketch& kernel,
                                      const std::vector<int>& sources_first) {
  if (kernel.rows.empty()) return {};
  return Sharing(all, kernel, sources_first).shared();
}

}  // namespace pg
