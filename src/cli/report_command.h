#pragma once
// picograd report: what the search found, as a page.
#include <iosfwd>
#include <string>

#include "runtime/device.h"

namespace pg {

struct ReportOptions {
  std::string database;
  std::string html;      // where the page goes; "-": to `out`; empty: report.html, unless there is Markdown
  std::string markdown;  // the same for Markdown; empty: none
  std::string kernel;    // a kernel's id or its first digits; empty: all
  bool measure = true;   // the ceilings of the machine; takes a second or two
};
/// UserError when the database is missing, damaged or newer, has no such kernel, or a page cannot be written.
void report_command(const ReportOptions&, Device&, std::ostream& out);

}  // namespace pg
