#pragma once
// Addresses of a register block: as many as it has instances, taken apart once.
#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

/// An address taken apart once for all instances: base + Σ step·range over the register ranges.
struct Affine {
  UOp base;                                    // null: not affine in all of them
  std::vector<std::pair<UOp, int64_t>> steps;  // only those that are not 0

  explicit Affine(const UOp& flat) {
    Substitution zeros;
    for (const UOp& r : toposort(flat)) {
      if (!r.is(Op::Range) || !is_register(kind_of(r))) continue;
      const auto step = coefficient(flat, r);
      if (!step) return;
      steps.emplace_back(r, *step);
      zeros.emplace_back(r, iconst(0));
    }
    base = simplify(substitute(flat, zeros));
  }
  int64_t step(const UOp& range) const {
    for (const auto& [r, s] : steps)
      if (r == range) return s;
    return 0;
  }
};
class Addresses {
 public:
  explicit Addresses(const UOps& shared) : shared_(shared) {}
  const Affine& of(const UOp& flat) { return known_.try_emplace(flat, flat).first->second; }
  bool is_shared(const UOp& memory) const { return std::find(shared_.begin(), shared_.end(), memory) != shared_.end(); }

 private:
  const UOps& shared_;  // memories of a block of threads
  std::unordered_map<UOp, Affine> known_;
};

}  // namespace pg
