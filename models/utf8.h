#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace pg {

/// What stands at the front of some bytes, by the table of well-formed sequences (Unicode 15, table 3-7).
struct Utf8Front {
  enum What { Character, Incomplete, Invalid } what;
  size_t bytes;  // of the character; of the longest front that could begin one (at least 1)
};
/// `text` is not empty.
Utf8Front utf8_front(std::string_view text);

/// A name out of a file, fit for a message: short, and without bytes that would upset a terminal.
std::string shown(std::string_view);

}  // namespace pg
