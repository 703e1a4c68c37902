#include "src/cli/duration.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "uops/error.h"

namespace pg {

double parse_duration(const std::string& text) {
  constexpr double kLongest = 1e9;
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [unit, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  const std::string name(unit, end);
  const double factor = name.empty() || name == "s" ? 1 : name == "m" ? 60 : name == "h" ? 3600 : 0;
  if (error != std::errc() || factor == 0 || !(value >= 0) || value > kLongest)
    throw UserError("'" + text + "' is no duration: write 30s, 5m or 1.5h");
  return value * factor;
}

std::string duration_text(double seconds) {
  const long s = std::lround(seconds);
  char text[64];
  if (s < 60)
    std::snprintf(text, sizeof text, "%ld s", s);
  else if (s < 3600)
    std::snprintf(text, sizeof text, "%ld min %02ld s", s / 60, s % 60);
  else
    std::snprintf(text, sizeof text, "%ld h %02ld min", s / 3600, s % 3600 / 60);
  return text;
}

}  // namespace pg
