#pragma once
// How long a launch takes, by the clock of its device.
#include <memory>
#include <span>
#include <vector>

#include "runtime/device.h"

namespace pg {

/// What a launch is given.
struct RunCall {
  std::shared_ptr<Program> program;
  std::span<void* const> buffers;
  std::span<const int64_t> variables;
  int64_t items = 1;
};

class RunClock {
 public:
  virtual ~RunClock() = default;
  /// Milliseconds of one launch, from so many. What a launch writes is there when it returns.
  virtual double ms(const RunCall&, int64_t repeats) = 0;
  /// The same for a time that counts: a GPU is given buffers in turn from these sets, so that its L2 does not have them.
  virtual double cold_ms(const RunCall& call, int64_t repeats, std::span<const std::vector<void*>> /*sets*/) {
    return ms(call, repeats);
  }
};

std::unique_ptr<RunClock> run_clock(Device&);

}  // namespace pg
