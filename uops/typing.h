#pragma once
#include <string>

#include "uops/uop.h"

namespace pg {

/// What is wrong with the node by itself, whatever stands round it: its argument, the dtypes and lanes of its sources. Empty: nothing.
std::string typing_fault(const UOp&);

}  // namespace pg
