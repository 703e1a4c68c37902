#pragma once
// picograd db stats|list|show ID|verify: what the schedule database holds and whether it is sound.
#include <functional>
#include <iosfwd>
#include <string>

#include "cache/store.h"

namespace pg {

struct DbOptions {
  enum class Action { Stats, List, Show, Verify } action = Action::Stats;
  std::string path;  // of the database
  std::string id;    // Show: a kernel's id, or the first digits of one
  bool json = false;
};
/// Runs a winner again on this machine: why it does not hold any more, or an empty string.
using Reverify = std::function<std::string(const WinnerRow&, const KernelRow&)>;

/// The kernel whose id begins with these digits. UserError unless there is exactly one.
KernelRow find_kernel(Store&, const std::string& id);

/// The exit status: 0, or 1 when `verify` found a problem. UserError when the database is missing, damaged or newer, or has
/// no such id.
int db_command(const DbOptions&, std::ostream& out, const Reverify& reverify = {});

}  // namespace pg
