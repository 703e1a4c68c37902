#pragma once
// picograd db stats|list|show|export|import|merge|verify|prune|migrate: what the schedule database holds, whether it is
// sound, and how it is shared and kept small.
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "cache/store.h"
#include "search/recheck.h"

namespace pg {

struct DbOptions {
  enum class Action { Stats, List, Show, Export, Import, Merge, Verify, Prune, Migrate } action = Action::Stats;
  std::string path;  // of the database
  bool json = false;

  std::string id;                  // Show: a kernel's id, or the first digits of one
  std::string output;              // Export: a file; empty: stdout
  std::string device;              // Export: a device's id, or the first digits of one; empty: of all
  bool this_device = false;        // Export: that of default_device()
  bool winners_only = false;       // Export: without measurements
  std::vector<std::string> files;  // Import: exports. Merge: databases
  bool no_run = false;             // Verify: the file only

  std::optional<int64_t> keep_measurements;  // Prune: the fastest of each key
  bool older_toolchains = false;             // Prune: what other toolchains than default_device()'s left on it
  std::string winners_of;                    // Prune: a kernel's id or its first digits, whose winners here go
  bool dry_run = false;                      // Prune: say what would go
};
/// Runs a winner again on this machine.
using Reverify = std::function<Rechecked(const WinnerRow&, const KernelRow&, const std::string& bindings)>;

/// The kernel whose id begins with these digits. UserError unless there is exactly one.
KernelRow find_kernel(Store&, const std::string& id);

/// The exit status: 0, or 1 when `verify` found a problem. UserError when the database or a file is missing, damaged or
/// newer, cannot be written, or has no such id; nothing has changed then.
int db_command(const DbOptions&, std::ostream& out, const Reverify& reverify = {});

}  // namespace pg
