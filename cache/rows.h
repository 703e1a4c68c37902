#pragma once
// Rows to and from SQL: the one place that knows the columns. Only cache/ includes this.
#include "cache/sqlite.h"
#include "cache/store.h"

namespace pg {

// What the readers below expect of a select; the joins name kernels k, winners w, measurements m, schedules s.
inline constexpr const char* kKernelColumns = "k.id, k.template_hash, k.name, k.ir, k.shape, k.flops, k.bytes";
inline constexpr const char* kWinnerColumns =
    "w.kernel, w.device, w.toolchain, w.threads, w.precision, w.bucket, s.opts, w.median_ms, w.default_ms, w.candidates, "
    "w.search_seconds, w.finished, w.created";
inline constexpr int kWinnerEnd = 13;  // number of kWinnerColumns: what a join selects beside them starts here
inline constexpr const char* kWinners = " from winner w join schedule s on s.id = w.schedule ";
inline constexpr const char* kMeasurementColumns =
    "m.kernel, m.device, m.toolchain, m.threads, m.precision, m.bucket, s.opts, m.bindings, m.median_ms, m.spread, "
    "m.samples, m.status, m.reason, m.verified, m.run, m.created, m.origin, m.round, p.id is not null, p.opts";
inline constexpr const char* kMeasurements =
    " from measurement m join schedule s on s.id = m.schedule left join schedule p on p.id = m.parent ";

inline constexpr const char* kPlanColumns =
    "site, device, toolchain, threads, precision, in_place, in_place_ms, stored_ms, spread, created";

KernelRow read_kernel(const Statement&, int at = 0);  // at: its first column
WinnerRow read_winner(const Statement&);
MeasurementRow read_measurement(const Statement&);
PlanRow read_plan(const Statement&);

std::optional<KernelRow> find_kernel(Connection&, const std::string& id);
std::optional<WinnerRow> find_winner(Connection&, const WinnerKey&);
std::optional<PlanRow> find_plan(Connection&, const PlanRow& key);
std::vector<PlanRow> all_plans(Connection&);

/// Milliseconds since 1970.
int64_t now_ms();

// Within a transaction of the caller. True, or the number: of the rows that were not there before.
bool insert_json(Connection&, const std::string& table, const std::string& id, const std::string& json);
bool insert_kernel(Connection&, const KernelRow&);
int64_t insert_measurements(Connection&, const std::vector<MeasurementRow>&);
/// Whatever stands at its key before.
void write_winner(Connection&, const WinnerRow&);
void write_plan(Connection&, const PlanRow&);

}  // namespace pg
