#pragma once
// What the machine could do at most, measured beside the kernels: floating-point operations from registers, and bytes read
// from where a working set lies. Two small loops, compiled as kernels are.
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "runtime/cpu_device.h"
#include "runtime/memory.h"
#include "runtime/pool.h"
#include "runtime/shared_object.h"

namespace pg {

class Ceilings {
 public:
  using Buffers = std::vector<std::span<const std::byte>>;
  /// For the threads of the device. The buffers are a kernel's own: so they lie in the caches where the kernel finds them.
  /// UserError without a compiler.
  Ceilings(CpuDevice&, Buffers working_set);

  /// One run of multiply-adds on every thread, and the operations it is.
  void peak();
  double peak_flops() const;
  /// One pass over the working set, and its bytes.
  void read();
  double read_bytes() const;
  /// Reads so much that nothing of what was used before is left in a cache.
  void sweep();

 private:
  int64_t vectors_of_a_thread(std::span<const std::byte> buffer) const;
  void read(std::span<const std::byte> buffer);

  CpuDevice& device_;
  const int threads_, lanes_;
  SharedObject code_;
  ThreadPool pool_;
  const Buffers working_set_;
  std::unique_ptr<Memory> swept_;  // on first use
};

}  // namespace pg
