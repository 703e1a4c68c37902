#include "search/movement.h"

#include "uops/kernel.h"
#include "uops/simplify.h"

namespace pg {

UOp flat_address(const UOp& at) {
  UOp flat = iconst(0), stride = iconst(1);
  const UOp& buffer = at.src(0);
  for (size_t i = buffer.src().size(); i-- > 0;) {
    flat = flat + at.src(i + 1) * stride;
    stride = stride * buffer.src(i);
  }
  return simplify(flat);
}

Movement movement(const UOp& kernel, const UOp& axis) {
  Movement m;
  for (const Definition& d : definitions(kernel)) {
    UOps roots = d.bodies;
    if (roots.empty() || !d.reduce) roots.push_back(d.value);
    for (const UOp& u : toposort(roots)) {
      if (!u.is(Op::Load) || !u.src(0).src(0).is(Op::Param)) continue;
      const UOp flat = flat_address(u.src(0));
      const auto c = coefficient(flat, axis);
      if (!depends_on(flat, axis))
        ++m.fixed;
      else
        ++(c == 1 ? m.contiguous : m.strided);
    }
    if (!d.store) continue;
    const UOp flat = flat_address(d.store.src(0));
    if (depends_on(flat, axis) && coefficient(flat, axis) != 1) ++m.scattered_stores;
  }
  return m;
}

}  // namespace pg
