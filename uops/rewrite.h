#pragma once
// Pattern rules as rows. A RuleSet is tried at every node, bottom-up, until nothing changes.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// What a match bound: slot → node.
class Bindings {
 public:
  static constexpr int kSlots = 8;
  const UOp& operator[](int slot) const { return slot_[slot]; }
  UOp slot_[kSlots];
};

/// A pattern is a small tree: a slot that binds anything, a slot that binds a Const, or an op over patterns. Commutative
/// ops match in either order, with backtracking ((x+y)*x matches (p+q)*q).
class Pat;
Pat any(int slot);
Pat any_float(int slot);
Pat any_int(int slot);
Pat constant_slot(int slot);                 // binds an integer or float Const (or Broadcast of one)
Pat literal(double value);                   // a Const of this value, any dtype
Pat pattern(Op op, std::vector<Pat> src);

class Pat {
 public:
  enum class What : uint8_t { Slot, Literal, Node } what = What::Slot;
  enum class Only : uint8_t { Anything, Float, Int, Constant } only = Only::Anything;
  int slot = 0;
  double value = 0;
  Op op = Op::Const;
  std::vector<Pat> src;
};
Pat operator+(const Pat&, const Pat&);
Pat operator-(const Pat&, const Pat&);
Pat operator*(const Pat&, const Pat&);
Pat operator/(const Pat&, const Pat&);       // IDiv
Pat operator%(const Pat&, const Pat&);       // Mod

using Guard = std::function<bool(const Bindings&)>;
using Build = std::function<UOp(const Bindings&)>;

/// The right side: a pattern over bound slots and folded constants, or code.
struct Rule {
  std::string name;     // "add.zero"
  Pat from;
  Build to;
  Guard when = {};      // none: always
};

struct RewriteOptions {
  int max_steps = 1'000'000;                              // InternalError naming the rule that ran last when exceeded
  std::vector<std::string>* trace = nullptr;              // "add.zero: (i + 0) -> i" per step
};

class RuleSet {
 public:
  /// Refuses (InternalError) unbound slots and duplicate names; indexes the rules by root op.
  RuleSet(std::vector<Rule> rules);
  const std::vector<Rule>& rules() const { return rules_; }
  /// The first rule that applies at this node, or null.
  UOp apply(const UOp& node, std::vector<std::string>* trace = nullptr) const;

 private:
  std::vector<Rule> rules_;
  std::vector<std::vector<int>> by_op_;
};
UOp rewrite(const UOp& root, const RuleSet&, const RewriteOptions& = {});
/// Tries to match; all consistent bindings are considered, the first for which `guard` holds is returned in `out`.
bool match(const Pat&, const UOp&, Bindings& out, const Guard& guard = {});

}  // namespace pg
