#pragma once
// Text of any bytes as part of a page. What a database holds quotes compilers and candidates: nothing in it is trusted.
#include <string>
#include <string_view>

namespace pg {

/// As UTF-8 that XML allows: bytes that are no UTF-8 and control characters become U+FFFD, line breaks and tabs stay.
std::string clean_utf8(std::string_view);
/// For text and quoted attributes of HTML and SVG, cleaned.
std::string escape_html(std::string_view);
/// For a cell of a Markdown table, cleaned: one line, and no character means anything.
std::string escape_markdown(std::string_view);

}  // namespace pg
