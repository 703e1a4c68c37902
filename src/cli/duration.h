#pragma once
#include <string>

namespace pg {

/// Seconds: "90", "90s", "5m", "1.5h". UserError when it is none of these.
double parse_duration(const std::string&);
/// "12 s", "3 min 20 s", "1 h 05 min".
std::string duration_text(double seconds);

}  // namespace pg
