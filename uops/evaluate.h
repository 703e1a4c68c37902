#pragma once
// The value of a scalar expression: launch items, tests of rules.
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// What stands for Variables, Ranges or any other integer node of an expression.
using Values = std::vector<std::pair<UOp, int64_t>>;
/// An integer (or bool) expression of Consts and the bound nodes. InternalError names an unbound leaf, a division by zero.
int64_t evaluate(const UOp& expression, const Values& values = {});

using Number = std::variant<int64_t, double>;
/// Integers wrap to their dtype; floats are rounded to theirs, or kept in double when `exact`. `value_of` is asked before a
/// node's sources are looked at; it answers for Variables, Ranges, Loads .. in the node's kind (integer or float).
Number evaluate_number(const UOp& expression, const std::function<std::optional<Number>(const UOp&)>& value_of,
                       bool exact = false);

}  // namespace pg
