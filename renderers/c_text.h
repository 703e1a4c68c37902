#pragma once
// Pieces of C: expressions that know how tightly they bind, literals that read back exactly, names that are free.
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// The C grammar's levels, loosest first.
enum class Precedence { Ternary, Or, Xor, And, Equality, Relational, Shift, Sum, Product, Unary, Postfix };

struct CText {
  std::string text;
  Precedence precedence = Precedence::Postfix;
  bool is_stable = false;  // names what does not change, or is a literal: it may be written any number of times
  /// Parenthesised unless it binds at least as tightly.
  std::string at(Precedence least) const { return precedence < least ? "(" + text + ")" : text; }
};

/// The C values that make up a value: one, or one a lane.
using CTexts = std::vector<CText>;

/// A scalar constant of this dtype; bf16 as its bits.
CText c_literal(DType dtype, const Arg& value);

/// What stands in a function of `type a, type b` for an op that C has no sign for: Max, Min; of scalars IDiv, Mod.
std::string c_function_body(Op, DType, const std::string& type);

/// `name(a, b)`.
CText c_call(std::string_view name, std::initializer_list<CText> arguments);

/// Hands out identifiers that are neither C keywords nor taken.
class Names {
 public:
  std::string take(std::string_view wish);
  void release(const std::string& name) { taken_.erase(name); }

 private:
  std::unordered_set<std::string> taken_;
};

}  // namespace pg
