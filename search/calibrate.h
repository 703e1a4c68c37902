#pragma once
// What a CPU's operations cost, for the estimate: measured once on a device, then known from the database.
#include <array>

#include "cache/store.h"
#include "runtime/device.h"

namespace pg {

/// Nanoseconds that one core takes, while all cores of a launch do the same. The defaults are a Zen 5's at 4 GHz.
struct CpuCosts {
  double math = 0.125;                                           // a multiply-add of vectors from registers
  double load = 0.125;                                           // a vector from L1
  std::array<double, 3> byte = {1 / 224.0, 1 / 96.0, 1 / 32.0};  // a byte from L2, L3, DRAM, beyond what its load costs
  friend bool operator==(const CpuCosts&, const CpuCosts&) = default;
};

inline constexpr const char* kCalibrationRun = "calibrate";  // MeasurementRow::run: of no search

/// From the store's measurements of a few small kernels on this device, with these threads and this compiler; those that
/// are missing are made (some seconds) and kept, like any other measurement. The defaults where a store that cannot be
/// written lacks them.
CpuCosts measured_costs(Device&, Store&);
/// The same once a process and device; the defaults for a GPU.
CpuCosts calibrate(Device&, Store&);

}  // namespace pg
