#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

namespace pg {

/// A user's mistake: names what is wrong and what to do about it. The program ends with exit status 1.
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A broken invariant of picograd itself; the message holds the node it was noticed at.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Runs `f`; an error that passes outwards gets "\n  while <what>" appended, its type kept.
template <class F>
decltype(auto) with_context(const std::string& what, F&& f) {
  try {
    return f();
  } catch (const UserError& e) {
    throw UserError(std::string(e.what()) + "\n  while " + what);
  } catch (const InternalError& e) {
    throw InternalError(std::string(e.what()) + "\n  while " + what);
  }
}

}  // namespace pg
