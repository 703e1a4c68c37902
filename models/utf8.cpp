#include "models/utf8.h"

namespace pg {

Utf8Front utf8_front(std::string_view text) {
  auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = at(0);
  if (lead < 0x80) return {Utf8Front::Character, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Utf8Front::Invalid, 1};
  size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte is narrower after four leads: no overlong forms, no surrogates, nothing above U+10FFFF.
  unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < length; i++, low = 0x80, high = 0xBF) {
    if (i == text.size()) return {Utf8Front::Incomplete, i};
    if (at(i) < low || at(i) > high) return {Utf8Front::Invalid, i};
  }
  return {Utf8Front::Character, length};
}

std::string shown(std::string_view s) {
  std::string out;
  for (char c : s.substr(0, 64)) out += c >= ' ' && c <= '~' ? c : '?';
  return out + (s.size() > 64 ? ".." : "");
}

}  // namespace pg
