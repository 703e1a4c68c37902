#pragma once
#include <string>

#include "search/tune.h"

namespace pg {

/// Builds a stored winner again, runs it in the runner and compares sampled outputs with the reference. "" when it holds,
/// else why not. Winners of other devices or toolchains cannot be run here and are passed over.
std::string recheck(const WinnerRow&, const KernelRow&, Device&);

}  // namespace pg
