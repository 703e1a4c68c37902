#pragma once
// The tables behind simplify.
#include "uops/rewrite.h"

namespace pg {

/// Integer arithmetic: canonical sums, division and remainder by bounds and divisibility, comparisons.
std::vector<Rule> index_rules();
/// Logic, selections, floats (only what holds bit for bit), casts, vectors, gates.
std::vector<Rule> value_rules();
/// Both tables, as simplify applies them.
const RuleSet& simplify_rules();

}  // namespace pg
