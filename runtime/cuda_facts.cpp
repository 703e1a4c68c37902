#include "runtime/cuda_facts.h"

#include "uops/error.h"

namespace pg {

CudaFacts cuda_facts(const CudaDriver& driver, int ordinal) {
  const auto check = [&](cu::Result r) {
    if (r != cu::Result::Success)
      throw UserError("CUDA:" + std::to_string(ordinal) + ": the driver does not describe it: " + driver.words(r) +
                      ": look at nvidia-smi");
  };
  CudaFacts f;
  cu::DeviceId device = 0;
  check(driver->device_get(&device, ordinal));
  char name[256] = "";
  check(driver->device_get_name(name, sizeof name, device));
  f.name = name;
  size_t bytes = 0;
  check(driver->device_total_mem(&bytes, device));
  f.memory_bytes = static_cast<int64_t>(bytes);
  f.driver_version = driver.version();
  const auto attribute = [&](cu::DeviceAttribute a) {
    int value = 0;
    check(driver->device_get_attribute(&value, a, device));
    return value;
  };
  using A = cu::DeviceAttribute;
  f.major = attribute(A::ComputeCapabilityMajor);
  f.minor = attribute(A::ComputeCapabilityMinor);
  f.sms = attribute(A::MultiprocessorCount);
  f.max_threads = attribute(A::MaxThreadsPerBlock);
  f.sm_threads = attribute(A::MaxThreadsPerMultiprocessor);
  f.sm_registers = attribute(A::MaxRegistersPerMultiprocessor);
  f.shared_block_bytes = attribute(A::MaxSharedMemoryPerBlockOptin);
  f.shared_sm_bytes = attribute(A::MaxSharedMemoryPerMultiprocessor);
  f.l2_bytes = attribute(A::L2CacheSize);
  f.clock_khz = attribute(A::ClockRate);
  f.memory_clock_khz = attribute(A::MemoryClockRate);
  f.memory_bits = attribute(A::GlobalMemoryBusWidth);
  return f;
}

Target cuda_target(const CudaFacts& f) {
  Target t;
  t.isa = f.architecture();
  t.vector_bytes = 16;  // the widest access of a thread
  t.registers = 255;    // the most that a thread can have, of 32 bits
  t.cores = f.sms;
  t.l1_bytes = f.shared_sm_bytes;
  t.l2_bytes = f.l2_bytes;
  t.l3_bytes = f.l2_bytes;
  t.gpu = true;
  t.sm = f.sm();
  t.sms = f.sms;
  t.shared_block_bytes = f.shared_block_bytes;
  t.shared_sm_bytes = f.shared_sm_bytes;
  t.sm_registers = f.sm_registers;
  t.max_threads = f.max_threads;
  return t;
}

}  // namespace pg
