#include "search/thread_registers.h"

#include <algorithm>

#include "uops/scope.h"

namespace pg {

namespace {
constexpr int64_t kAddressRegisters = 28;  // of a thread: addresses, counters
}

int64_t thread_registers(const Placement& placement) {
  if (!placement.fault().empty()) return 0;
  int64_t copies = 0;
  for (const BufferStage& b : placement.buffer_stages())
    if (b.stage.stages == 2 && b.stage.copy == StageCopy::Plain)
      for (const StageGroup& g : b.groups) {
        int64_t elements = 1;
        for (int64_t e : g.extents) elements *= e;
        copies += (elements + placement.threads() - 1) / placement.threads();
      }
  int64_t most = 0, kept = 0;  // kept: the output's sums, while a turn of the loop that rescales them is computed
  for (size_t d = placement.root() + 1; d-- > 0;) {
    int64_t results = 1, operands = 0;
    for (const Chain& c : placement.nest(d).chains.all()) {
      int64_t own = 1;
      for (const UOp& r : c.ranges)
        if (is_register(kind_of(r)) && !(placement.reduces(d, c.axis) && kind_of(r) == Kind::Unroll))
          own *= const_int(r.src(0)).value_or(1);
      results *= own;
      if (own > 1) operands += own;
    }
    most = std::max(most, results + operands + kept);
    if (placement.nest(d).online) kept = results;
  }
  return most + copies + kAddressRegisters;
}

}  // namespace pg
