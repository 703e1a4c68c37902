#pragma once
// Small kernels under schedules of their own, each of which shows what one thing costs on a device.
#include <string>
#include <vector>

#include "search/opt.h"
#include "uops/target.h"
#include "uops/uop.h"

namespace pg {

struct Probe {
  UOp kernel;
  Opts opts;
  double work = 1;  // of one core, while all do as much: vectors (of a GPU: warps) multiplied and added, or read; launches
};

/// Multiply-adds, their operands as near as they can be.
Probe math_probe(const Target&);
/// Reads from the L1.
Probe near_probe(const Target&);
/// Reads from L2, L3 and memory: of more than fits into the level before. A GPU's L2 is both.
std::vector<Probe> far_probes(const Target&);
/// A launch with hardly anything to do.
Probe launch_probe();

}  // namespace pg
