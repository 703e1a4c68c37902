// Passes 2 and 4: fused products, flat indices.
#include "uops/passes.h"
#include "uops/simplify.h"

namespace pg {

UOp products_fused(const UOp& tree, const Target&) {
  return transform(tree, [](const UOp& u) -> UOp {
    if (!u.is(Op::Add) || !u.dtype().is_float()) return {};
    // The product on the right first: acc + a*b is the common case.
    for (int i : {1, 0})
      if (u.src(i).is(Op::Mul)) return alu(Op::Fma, u.src(i).src(0), u.src(i).src(1), u.src(1 - i));
    return {};
  });
}

UOp indices_flattened(const UOp& tree, const Target&) {
  return transform(tree, [](const UOp& u) -> UOp {
    // Conditions and loop bounds are index arithmetic too.
    if (u.is(Op::Load) && u.src().size() == 2) {
      const UOp gate = simplify(u.src(1));
      return const_int(gate) == 1 ? load(u.src(0)) : load(u.src(0), gate);
    }
    if (!u.is(Op::Index)) return {};
    const UOp& buffer = u.src(0);
    UOps extents(buffer.src().begin(), buffer.src().end());
    if (buffer.is(Op::Memory) && u.dtype().lanes != buffer.dtype().lanes) extents.push_back(iconst(buffer.dtype().lanes));
    if (extents.size() + 1 != u.src().size())
      throw InternalError("an Index of " + std::to_string(u.src().size() - 1) + " into " + std::to_string(extents.size()) +
                          " dimensions");
    UOp flat = iconst(0), stride = iconst(1);
    for (size_t i = extents.size(); i-- > 0;) {
      flat = u.src(i + 1) * stride + flat;
      stride = extents[i] * stride;
    }
    return UOp(Op::Index, u.dtype(), {}, {buffer, simplify(flat)});
  });
}

}  // namespace pg
