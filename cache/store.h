#pragma once
// The SQLite store: kernels, schedules, measurements, winners. It knows nothing of how a winner is found. All ids are
// content hashes, so merging two databases is idempotent; rows are JSON or plain columns, never raw structs.
#include <cstdint>
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
};
struct KernelRow {
  std::string id, template_hash, name, ir;  // ir: text form; template_hash: the kernel with its extents blanked
  std::string shape;                        // "m=1024 n=1024 k=1024"
  double flops = 0, bytes = 0;
};
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
  int64_t created = 0;  // milliseconds since 1970; given by the store: rows put together share it
};
struct WinnerRow {
  WinnerKey key;
  std::string schedule;
  double median_ms = 0, default_ms = 0;  // default_ms: the heuristic's time in the same run
  int64_t candidates = 0;                // scored to find it
  double search_seconds = 0;
  bool finished = true;  // false: the budget ended the search; a later run may go on
};
struct StoreStats {
  int64_t kernels = 0, schedules = 0, measurements = 0, winners = 0, quarantined = 0, artifacts = 0, bytes = 0;
  int schema = 0;
  std::string path;
};

enum class OpenMode {
  ReadWrite,  // created when missing; a directory that cannot be written: falls back to ReadOnly when a file is there
  ReadOnly,
};

class Store {
 public:
  /// Opens (WAL), creates or migrates. A newer schema: UserError naming both versions. A corrupt file: set aside as
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
  virtual std::vector<KernelRow> kernels() = 0;  // by name
  virtual std::vector<WinnerRow> winners() = 0;  // by kernel name
  virtual StoreStats stats() = 0;
  /// `pragma integrity_check` and the store's own invariants; the problems found.
  virtual std::vector<std::string> check() = 0;
};

inline constexpr int kSchemaVersion = 1;

}  // namespace pg
