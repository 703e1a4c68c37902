#pragma once
// A report as text for people: one page of HTML that needs nothing else, or Markdown.
#include <string>

#include "src/cli/report.h"

namespace pg {

/// Well-formed as XML, too. No scripts, no address but that of SVG's namespace, and a policy that forbids both.
std::string html_page(const Report&);
std::string markdown_page(const Report&);

}  // namespace pg
