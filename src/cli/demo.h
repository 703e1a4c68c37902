#pragma once
#include <iosfwd>

namespace pg {

/// The main job in two minutes: a llama writes; beam search makes its kernels faster; a matmul goes from unscheduled to
/// searched; a second process replays the winners without a measurement. Winners go to a fresh database beside the default
/// one, or to the one at config().db (`keep_database`). The exit status: 0, or 130 after Ctrl-C.
int demo_command(bool keep_database, std::ostream& out);

}  // namespace pg
