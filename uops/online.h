#pragma once
// The rescaling of one-pass reductions: with M a running maximum, sums of exp(s - M)·g are corrected by exp(M - M') when M
// grows to M' (Milakov, Gimelshein: Online normalizer calculation for softmax, 2018).
#include <string>
#include <vector>

#include "uops/kernel.h"

namespace pg {

/// Why the reductions over `axis` can't be rescaled ("L uses M outside exp(s-M)"), or "".
std::string online_fault(const std::vector<Definition>&, const UOp& axis);

/// The definition that is the running maximum over the axis; its number, or none.
int online_maximum(const std::vector<Definition>&, const UOp& axis);

}  // namespace pg
