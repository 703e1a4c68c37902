#include "uops/lower.h"

#include "uops/kernel.h"
#include "uops/legalize.h"
#include "uops/passes.h"
#include "uops/widen.h"

namespace pg {

namespace {
constexpr Pass kPasses[] = {
    {"nests_opened", nests_opened, Stage::Nests},
    {"products_fused", products_fused, Stage::Nests},
    {"ops_legalized", ops_legalized, Stage::Nests},
    {"indices_flattened", indices_flattened, Stage::Nests},
    {"registers_expanded", registers_expanded, Stage::Expanded},
    {"linearized", linearized, Stage::Linear},
    {"accesses_widened", accesses_widened, Stage::Linear},
};
}  // namespace

std::span<const Pass> passes() { return kPasses; }

UOp lower(const UOp& scheduled, const Target& target, const PassObserver& observe) {
  const auto& name = scheduled.src(0).arg_as<std::string>();
  verify(scheduled, Stage::Scheduled, "scheduled");
  UOp u = scheduled;
  for (const Pass& pass : kPasses) {
    u = with_context("lowering " + name + ", pass " + pass.name, [&] {
      UOp after = pass.run(u, target);
      verify(after, pass.after, pass.name);
      return after;
    });
    if (observe) observe(pass, u);
  }
  return UOp(Op::Linear, dt::kVoid, identifier(name), u.src());
}

}  // namespace pg
