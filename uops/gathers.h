#pragma once
#include <string>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// Vector loads of a Linear whose lanes lie apart, inside its innermost loops: each costs as much as its lanes, and most
/// often says that a layout's last part is not the vec axis. "W in loop c: 16 lanes apart", each once.
std::vector<std::string> inner_gathers(const UOp& linear);

}  // namespace pg
