#pragma once
#include <string>

#include "uops/error.h"

namespace pg::tests {

/// The message of the UserError that f throws, or "" when it throws none.
template <class F>
std::string user_error(F&& f) {
  try {
    f();
  } catch (const UserError& e) {
    return e.what();
  }
  return "";
}
inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace pg::tests
