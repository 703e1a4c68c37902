#pragma once
#include <cstdint>
#include <string>

#include "runtime/cuda_driver.h"
#include "uops/target.h"

namespace pg {

/// What the driver says of a GPU.
struct CudaFacts {
  std::string name;          // "NVIDIA H100 80GB HBM3"
  int major = 0, minor = 0;  // compute capability
  int sms = 0;
  int max_threads = 0, sm_threads = 0;                  // of a block, of an SM
  int sm_registers = 0;                                 // 32-bit
  int64_t shared_block_bytes = 0, shared_sm_bytes = 0;  // the most a block may ask for; an SM's
  int64_t l2_bytes = 0, memory_bytes = 0;
  int clock_khz = 0, memory_clock_khz = 0, memory_bits = 0;  // highest clocks; width of the memory's bus
  int driver_version = 0;                                    // 13000: CUDA 13.0

  int sm() const { return 10 * major + minor; }
  /// The name that NVRTC knows it by: sm_89, sm_90a. Since 9.0 only the `a` has all the instructions (wgmma, tcgen05).
  std::string architecture() const { return "sm_" + std::to_string(sm()) + (major >= 9 ? "a" : ""); }
};
CudaFacts cuda_facts(const CudaDriver&, int ordinal);
Target cuda_target(const CudaFacts&);

}  // namespace pg
