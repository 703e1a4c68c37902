#pragma once
// Pattern rules as rows. A RuleSet is tried at every node, bottom-up, until nothing changes.
//
//   const Pat x = any(0), a = constant_slot(1), b = constant_slot(2);
//   {"add.zero",  x + 0,        x},
//   {"div.exact", (x * a) / b,  x * fold(a / b),  divides(b, a)},
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// What a match bound: slot → node. Points into the matched graph.
class Bindings {
 public:
  static constexpr int kSlots = 8;
  const UOp& operator[](int slot) const { return *node[slot]; }
  const UOp* node[kSlots] = {};
};

/// A pattern is a small tree: a slot that binds anything, a slot that binds a Const, a literal, or an op over patterns.
/// Commutative ops match in either order, with backtracking ((x+y)*x matches (p+q)*q).
class Pat {
 public:
  enum class What : uint8_t { Slot, Literal, Node, Fold } what = What::Literal;
  enum class Only : uint8_t { Anything, Float, Int, Bool, Constant, IntConstant } only = Only::Anything;
  Op op = Op::Const;
  int slot = 0;
  double value = 0;
  std::vector<Pat> src;

  /// A Const (or Broadcast of one) of this value, any dtype; -0.0 and 0.0 differ.
  Pat(int literal) : value(literal) {}
  Pat(double literal) : value(literal) {}
  Pat(Op o, std::vector<Pat> s) : what(What::Node), op(o), src(std::move(s)) {}
  Pat(Only o, int s) : what(What::Slot), only(o), slot(s) {}
};
inline Pat any(int slot) { return {Pat::Only::Anything, slot}; }
inline Pat any_float(int slot) { return {Pat::Only::Float, slot}; }
inline Pat any_int(int slot) { return {Pat::Only::Int, slot}; }            // not bool
inline Pat any_bool(int slot) { return {Pat::Only::Bool, slot}; }
inline Pat constant_slot(int slot) { return {Pat::Only::Constant, slot}; }  // an integer or float Const, or Broadcast of one
inline Pat int_slot(int slot) { return {Pat::Only::IntConstant, slot}; }    // an integer one
/// Without sources: the op over any.
inline Pat pattern(Op op, std::vector<Pat> src = {}) { return {op, std::move(src)}; }
/// On right sides: the constant that the pattern over constants has.
Pat fold(Pat);

inline Pat operator+(const Pat& a, const Pat& b) { return {Op::Add, {a, b}}; }
inline Pat operator-(const Pat& a, const Pat& b) { return {Op::Sub, {a, b}}; }
inline Pat operator*(const Pat& a, const Pat& b) { return {Op::Mul, {a, b}}; }
inline Pat operator/(const Pat& a, const Pat& b) { return {Op::IDiv, {a, b}}; }
inline Pat operator%(const Pat& a, const Pat& b) { return {Op::Mod, {a, b}}; }
inline Pat operator&(const Pat& a, const Pat& b) { return {Op::And, {a, b}}; }
inline Pat operator|(const Pat& a, const Pat& b) { return {Op::Or, {a, b}}; }
inline Pat operator^(const Pat& a, const Pat& b) { return {Op::Xor, {a, b}}; }
inline Pat operator-(const Pat& a) { return {Op::Neg, {a}}; }
inline Pat operator!(const Pat& a) { return {Op::Not, {a}}; }
inline Pat lt(const Pat& a, const Pat& b) { return {Op::Lt, {a, b}}; }
inline Pat eq(const Pat& a, const Pat& b) { return {Op::Eq, {a, b}}; }
inline Pat ne(const Pat& a, const Pat& b) { return {Op::Ne, {a, b}}; }
inline Pat max(const Pat& a, const Pat& b) { return {Op::Max, {a, b}}; }
inline Pat min(const Pat& a, const Pat& b) { return {Op::Min, {a, b}}; }
inline Pat where(const Pat& c, const Pat& a, const Pat& b) { return {Op::Where, {c, a, b}}; }

using Guard = std::function<bool(const Bindings&)>;
Guard operator&&(Guard a, Guard b);

/// The right side: a pattern over bound slots, literals and folded constants, or code that may decline by giving null.
class Right {
 public:
  using Code = std::function<UOp(const UOp& node, const Bindings&)>;
  Right(Pat p) : pattern(std::move(p)) {}
  Right(int literal) : pattern(literal) {}
  Right(double literal) : pattern(literal) {}
  template <class F, class = std::enable_if_t<std::is_invocable_r_v<UOp, F, const UOp&, const Bindings&>>>
  Right(F f) : pattern(0), code(std::move(f)) {}

  UOp operator()(const UOp& node, const Bindings& b) const;

  Pat pattern;
  Code code;
};

struct Rule {
  std::string name;  // "add.zero"
  Pat from;          // a bare slot is tried at every node
  Right to;
  Guard when = {};   // none: always
};

struct RewriteOptions {
  int max_steps = 1'000'000;                  // InternalError naming the rule that ran last when exceeded
  std::vector<std::string>* trace = nullptr;  // "add.zero: (i + 0) -> i" per step
};

class RuleSet {
 public:
  /// Refuses (InternalError) right sides with unbound slots and duplicate names; indexes the rules by root op.
  explicit RuleSet(std::vector<Rule> rules);
  RuleSet(RuleSet&&) = default;
  const std::vector<Rule>& rules() const { return rules_; }
  /// What the first rule that applies makes of the node, or null; `applied` gets the rule.
  UOp apply(const UOp& node, const Rule** applied = nullptr) const;

 private:
  std::vector<Rule> rules_;
  std::vector<std::vector<const Rule*>> by_op_;
};

/// Leaves, Defines, the Ranges that a node opens and the buffer of an Index stay as they are: their identity ties a graph together.
UOp rewrite(const UOp& root, const RuleSet&, const RewriteOptions& = {});
/// Tries to match; all consistent bindings are considered, the first for which `guard` holds is returned in `out`.
bool match(const Pat&, const UOp&, Bindings& out, const Guard& guard = {});
/// The pattern with its slots filled in; literals have the type of their neighbour, or of `like`. Null when a fold has no value.
UOp instantiate(const Pat&, const Bindings&, DType like);

}  // namespace pg
