#pragma once
#include <iosfwd>

namespace pg {

/// A line per device: what was found or, where nothing was, why and what to do about it.
void print_devices(std::ostream&);

}  // namespace pg
