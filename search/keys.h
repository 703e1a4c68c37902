#pragma once
// What a kernel and its winner are called in the database.
#include <string>

#include "search/tune.h"

namespace pg {

WinnerKey winner_key(const UOp& kernel, const Bindings64&, const Device&);
KernelRow kernel_row(const UOp& kernel, const Bindings64&);
/// The kernel with its sizes and name blanked: kernels of one shape family share it.
std::string template_hash(const UOp& kernel);
/// Distance of two shapes "m=1024 n=1024" in the logarithms of their extents; large when the axes differ.
double shape_distance(const std::string& a, const std::string& b);

}  // namespace pg
