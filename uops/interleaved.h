#pragma once
// Accesses whose lanes lie a few elements apart, with others for the elements between.
#include "uops/uop.h"

namespace pg {

/// Statements of one register block in order (flat, expanded), where 2, 4, .. accesses of one step fill each other's gaps:
/// they become whole vectors side by side, and shuffles, instead of as many gathers or scatters. A gate that all lanes share
/// stays; others are left alone.
UOps interleaved(UOps statements);

}  // namespace pg
