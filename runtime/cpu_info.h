#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "uops/target.h"

namespace pg {

/// What the system says of its processor.
struct CpuInfo {
  std::string model;                  // "AMD EPYC 9B45 (family 26, model 2)"
  std::vector<std::string> features;  // of those that generated code may use: "avx2", "avx512f", ..
  int cores = 1;                      // online
  int64_t l1_bytes = 32 << 10, l2_bytes = 1 << 20, l3_bytes = 32 << 20;
  bool has(const char* feature) const;
};
CpuInfo cpu_info();
/// Cores that this process may run on.
int usable_cores();
/// `isa` as in Config::isa; threads 0: all usable cores.
Target cpu_target(const CpuInfo&, const std::string& isa, int threads);

}  // namespace pg
