#pragma once
#include <functional>

namespace pg {

inline constexpr int kUserFault = 1, kUsage = 2, kDefect = 70, kInterrupted = 130;  // 70: EX_SOFTWARE of sysexits.h

/// The status that a command ends with: its own, or that of what it throws, which is told on stderr as one line "picograd:
/// ..", the lines of its context indented below. Output that cannot be written is a user's fault, a reader that went away is
/// none.
int exit_status(const std::function<int()>& command);

}  // namespace pg
