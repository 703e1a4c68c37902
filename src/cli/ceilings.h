#pragma once
// What the machine could do at most, measured beside the kernels: floating-point operations from registers, and bytes read
// from where a working set lies. Two small loops, compiled as kernels are.
#include <cstddef>
#include <memory>

#include "runtime/cpu_device.h"
#include "runtime/pool.h"
#include "runtime/shared_object.h"

namespace pg {

class Ceilings {
 public:
  /// For the threads of the device; `working_set` in bytes. UserError without a compiler.
  Ceilings(const CpuDevice&, double working_set);

  /// One run of multiply-adds on every thread, and the operations it is.
  void peak();
  double peak_flops() const;
  /// One pass over a buffer as large as the working set, and its bytes.
  void read();
  double read_bytes() const { return static_cast<double>(buffer_.bytes); }
  /// Reads so much that nothing of what was used before is left in a cache.
  void sweep();

 private:
  struct Buffer {
    std::unique_ptr<float, void (*)(void*)> data{nullptr, nullptr};
    size_t bytes = 0;
  };
  Buffer buffer_of(double bytes) const;
  void read(const Buffer&);

  const int threads_, lanes_;
  const int64_t sweep_bytes_;
  SharedObject code_;
  ThreadPool pool_;
  Buffer buffer_, swept_;  // swept_: on first use
};

}  // namespace pg
