#include "src/cli/markup.h"

#include <cstdint>

namespace pg {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// The bytes of the character at the front of `s`; 0 where there is none that XML allows (Unicode 15, table 3-7; XML 1.0,
/// 2.2).
size_t character(std::string_view s) {
  const auto byte = [&](size_t i) { return i < s.size() ? static_cast<uint8_t>(s[i]) : uint8_t{0}; };
  const uint8_t first = byte(0);
  if (first < 0x80) return (first >= 0x20 && first != 0x7F) || first == '\n' || first == '\t' ? 1 : 0;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  uint32_t code = first & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};  // of this length: longer forms are refused
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  const bool control = code < 0xA0, noncharacter = (code & 0xFFFE) == 0xFFFE;
  return code < kLeast[length] || code > 0x10FFFF || surrogate || control || noncharacter ? 0 : length;
}

bool is_word(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

std::string clean_utf8(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  while (!s.empty()) {
    const size_t n = character(s);
    out += n ? s.substr(0, n) : kReplacement;
    s.remove_prefix(n ? n : 1);
  }
  return out;
}

std::string escape_html(std::string_view s) {
  std::string out;
  for (const char c : clean_utf8(s)) switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  return out;
}

std::string escape_markdown(std::string_view s) {
  const std::string text = clean_utf8(s);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // An underscore within a word is one: names of kernels stay readable.
    const bool within = i > 0 && i + 1 < text.size() && is_word(text[i - 1]) && is_word(text[i + 1]);
    if (c == '\n' || c == '\t')
      out += ' ';
    else if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (std::string_view("\\`*[]|~$!#>").find(c) != std::string_view::npos || (c == '_' && !within))
      (out += '\\') += c;
    else
      out += c;
  }
  return out;
}

}  // namespace pg
