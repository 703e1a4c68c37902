#pragma once
// The SQLite store: kernels, schedules, measurements, winners. It knows nothing of how a winner is found. All ids are
// content hashes, so merging two databases is idempotent; rows are JSON or plain columns, never raw structs.
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pg {

/// Everything that changes the answer.
struct WinnerKey {
  std::string kernel;     // content_id of the kernel AST
  std::string device;     // DeviceInfo.id
  std::string toolchain;  // ToolchainInfo.id
  int threads = 1;
  std::string precision = "fp32";
  std::string bucket;  // power-of-two bucket of the Variables, "pos=512,T=64"; empty without Variables
  auto operator<=>(const WinnerKey&) const = default;
};
struct KernelRow {
  std::string id, template_hash, name, ir;  // ir: text form; template_hash: the kernel with its extents blanked
  std::string shape;                        // "m=1024 n=1024 k=1024"
  double flops = 0, bytes = 0;
  auto operator<=>(const KernelRow&) const = default;
};
/// How a schedule came to be measured.
struct Lineage {
  std::string origin;                      // default, earlier, neighbour, template, move; empty: not recorded (schema 2)
  int64_t round = 0;                       // of the search: 0 the seeds, then rounds of moves
  std::optional<std::string> parent = {};  // of a move: the schedule that was changed, as text
  auto operator<=>(const Lineage&) const = default;
};
inline constexpr const char* kOrigins[] = {"", "default", "earlier", "neighbour", "template", "move"};
struct MeasurementRow {
  WinnerKey key;
  std::string schedule;              // text form of the opts
  std::string bindings;              // JSON {"pos": 511}
  double median_ms = 0, spread = 0;  // spread: half the interquartile range / median
  int64_t samples = 0;
  std::string status;  // ok, slow, wrong, crash, timeout, compile_error
  std::string reason;
  bool verified = false;
  std::string run;      // id of the tuning run
  int64_t created = 0;  // milliseconds since 1970, shared by rows put together; 0 in a put: now
  Lineage lineage = {};
};
struct WinnerRow {
  WinnerKey key;
  std::string schedule;
  double median_ms = 0, default_ms = 0;  // default_ms: the heuristic's time in the same run
  int64_t candidates = 0;                // scored to find it
  double search_seconds = 0;
  bool finished = true;  // false: the budget ended the search; a later run may go on
  int64_t created = 0;   // milliseconds since 1970; 0 in a put: now
};
/// What was measured of a choice between plans (src/graph/plans.h).
struct PlanRow {
  std::string site;  // what is computed where, as text: equal sites choose alike
  std::string device, toolchain;
  int threads = 1;
  std::string precision = "fp32";
  bool in_place = false;  // the faster one
  double in_place_ms = 0, stored_ms = 0;  // of all kernels that differ, for one site
  double spread = 0;      // of the quotient: half its 95 % interval / median
  int64_t created = 0;    // milliseconds since 1970; 0 in a put: now
  auto operator<=>(const PlanRow&) const = default;
};
/// What databases share with each other, in an order that depends on nothing but the rows.
struct Contents {
  std::map<std::string, std::string> devices, toolchains;  // id → JSON
  std::vector<KernelRow> kernels;                          // by name
  std::vector<WinnerRow> winners;                          // by key
  std::vector<MeasurementRow> measurements;                // by key, schedule, time
  std::vector<PlanRow> plans;                              // by site and the rest of its key
};
/// What became of the other's rows.
struct MergeReport {
  struct Rows {
    int64_t added = 0, present = 0;
  };
  Rows devices, toolchains, kernels, measurements, winners, plans;  // plans: the newer of two stays
  int64_t replaced = 0, kept = 0;  // winners of one key that differed: the other's was better, or ours
};
struct PruneOptions {
  std::optional<int64_t> keep_measurements;  // the fastest of each key, beside its winner's and the quarantined ones
  std::string device;                        // whose rows the next two mean
  std::string toolchain;                     // what other toolchains than this one left is dropped; empty: nothing
  std::string forgotten;                     // id of a kernel whose winners are dropped; empty: none
  bool dry_run = false;                      // count only
};
struct PruneReport {
  int64_t winners = 0, measurements = 0, plans = 0, schedules = 0, kernels = 0, devices = 0, toolchains = 0;
  int64_t bytes = 0;  // of the file; of a dry run: what would be free at least
};
struct StoreStats {
  int64_t kernels = 0, schedules = 0, measurements = 0, winners = 0, plans = 0, quarantined = 0, artifacts = 0, bytes = 0;
  int schema = 0;
  std::string path;
};

enum class OpenMode {
  ReadWrite,  // created when missing; a directory that cannot be written: falls back to ReadOnly when a file is there
  ReadOnly,
};

class Store {
 public:
  /// Opens (WAL), creates or migrates. Read-only: an older schema is migrated in a copy in memory. A newer schema: UserError
  /// naming both versions. A corrupt file: set aside as
  /// `<path>.corrupt-<time>` with a warning on stderr and a new one made — or UserError when `strict` (the `db` commands).
  /// Read-only file or directory: opens read-only. An empty file is a new database. Missing folders are made, private to the
  /// user. Nothing at a path that cannot be written, or that is read-only and missing: UserError. ":memory:" is a private
  /// store.
  static std::unique_ptr<Store> open(const std::string& path, OpenMode mode = OpenMode::ReadWrite, bool strict = false);
  virtual ~Store() = default;
  virtual bool writable() const = 0;
  virtual const std::string& path() const = 0;

  // Every call is one transaction; it throws UserError on a read-only store. Measurements and winners refer to a kernel,
  // device and toolchain that were put before (InternalError otherwise). Safe to call from several threads and processes.
  virtual void put_device(const std::string& id, const std::string& json) = 0;
  virtual void put_toolchain(const std::string& id, const std::string& json) = 0;
  virtual void put_kernel(const KernelRow&) = 0;
  virtual void put_measurements(const std::vector<MeasurementRow>&) = 0;
  virtual void put_winner(const WinnerRow&) = 0;  // replaces the key's winner

  virtual void put_plan(const PlanRow&) = 0;  // replaces the key's

  virtual std::optional<KernelRow> kernel(const std::string& id) = 0;
  /// Exact key.
  virtual std::optional<WinnerRow> winner(const WinnerKey&) = 0;
  /// Same hardware and kernel with another toolchain (a seed to verify again), newest first.
  virtual std::vector<WinnerRow> winners_other_toolchain(const WinnerKey&) = 0;
  /// Winners of kernels with this template on this device, but for the key's own: seeds for a new shape. Also the same
  /// kernel with another bucket or thread count. The key's thread count and toolchain first, then newest.
  virtual std::vector<std::pair<WinnerRow, KernelRow>> winners_of_template(const std::string& template_hash,
                                                                           const WinnerKey&) = 0;
  /// Schedules that crashed, hung, were wrong or did not compile for this key: never tried again. (schedule, "status:
  /// reason")
  virtual std::vector<std::pair<std::string, std::string>> quarantined(const WinnerKey&) = 0;
  virtual std::vector<MeasurementRow> measurements(const std::string& kernel) = 0;
  virtual std::vector<PlanRow> plans() = 0;  // by site
  virtual std::vector<KernelRow> kernels() = 0;  // by name
  virtual std::vector<WinnerRow> winners() = 0;  // by kernel name
  virtual StoreStats stats() = 0;
  virtual Contents contents() = 0;
  /// The union with other databases: whatever the order of merges, the result is the same. Of two winners of a key the
  /// finished one stays, then the faster one. A report for each.
  virtual std::vector<MergeReport> merge(const std::vector<Contents>& others) = 0;
  /// Whether winners that came with picograd are welcome: there are none of this device, and none were ever given.
  virtual bool wants_pretuned(const std::string& device) = 0;
  /// Merges them if they are still welcome, and remembers that it was done.
  virtual void put_pretuned(const std::string& device, const Contents&) = 0;
  /// Drops what is asked for and what nothing refers to any more, then gives the space back. Rows of a search that has only
  /// begun stay.
  virtual PruneReport prune(const PruneOptions&) = 0;
  /// `pragma integrity_check` and the store's own invariants; the problems found.
  virtual std::vector<std::string> check() = 0;
};

inline constexpr int kSchemaVersion = 4;

}  // namespace pg
