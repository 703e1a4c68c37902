#pragma once
// What a device's operations cost, for the estimate: measured once on a device, then known from the database.
#include <array>
#include <optional>

#include "cache/store.h"
#include "runtime/device.h"

namespace pg {

/// Nanoseconds that one core takes, while all cores of a launch do the same; a core of a GPU is a processor, its vector is
/// what a warp's threads have of four bytes each. The defaults are a Zen 5's at 4 GHz.
struct Costs {
  double math = 0.125;                                           // a multiply-add of vectors from registers
  double load = 0.125;                                           // a vector from L1
  std::array<double, 3> byte = {1 / 224.0, 1 / 96.0, 1 / 32.0};  // a byte from L2, L3, DRAM, beyond what its load costs
  double launch = 0;                                             // a kernel with nothing to do: a GPU's
  friend bool operator==(const Costs&, const Costs&) = default;
};
/// As long as nothing was measured: a GPU's are round figures of the first chip of its generation.
Costs default_costs(const Target&);
/// What a kernel takes at least: its operations as multiply-adds of whole vectors, or its bytes from the cache that holds
/// them all, on all cores. Milliseconds.
double least_ms(double flops, double bytes, const Target&, const Costs&);

inline constexpr const char* kCalibrationRun = "calibrate";  // MeasurementRow::run: of no search

/// From the store's measurements of a few small kernels on this device, with these threads and this compiler; those that
/// are missing are made (some seconds) and kept, like any other measurement. Nullopt where they are missing and may not be
/// made: `may_measure` is false, or the store cannot be written, or the device is but a model of one.
std::optional<Costs> measured_costs(Device&, Store&, bool may_measure = true);
/// The same, looked up once a process and device.
std::optional<Costs> calibrate(Device&, Store&, bool may_measure = true);

}  // namespace pg
