#pragma once
#include <string>

namespace pg {

/// The path of a file or folder that comes with picograd: `in_source` beside the program or in a folder above it, as for a
/// program that was built in the source tree, or `installed` in share/picograd there. Empty: there is none.
std::string shipped(const std::string& in_source, const std::string& installed);

}  // namespace pg
