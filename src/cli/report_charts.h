#pragma once
// The pictures of a report, as SVG. Each repeats numbers that stand in a table beside it.
#include <string>
#include <string_view>

#include "src/cli/report.h"

namespace pg {

/// Default and winner of each kernel below what the machine can do. Empty where no kernel has operations, bytes and a time.
std::string roofline_chart(const Report&);
/// Of each kernel the winner's time as a part of the default's. Empty where there is no winner.
std::string bars_chart(const Report&);
/// The best time after each batch, and every measurement. Empty where there is none. `id` is one of its own in the page.
std::string curve_chart(const Search&, std::string_view id, std::string_view name);

/// What stands for a status in the curve, and its CSS class.
struct StatusMark {
  std::string_view status, shape, css_class;
};
const StatusMark& status_mark(std::string_view status);

}  // namespace pg
