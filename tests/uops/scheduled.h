#pragma once
// Scheduled kernels written by hand: ranges in order, "m", "n grid", "k:8", "n:32 upcast", "n:16 vec".
#include <algorithm>
#include <string>

#include "uops/lower.h"
#include "uops/passes.h"
#include "uops/simplify.h"
#include "uops/text.h"

namespace pg::test {

inline UOp scheduled(const UOp& kernel, std::initializer_list<const char*> ranges) {
  std::vector<RangeArg> args;
  for (std::string s : ranges) {
    RangeArg r;
    if (const size_t space = s.find(' '); space != s.npos) r.kind = *parse_kind(s.substr(space + 1)), s.resize(space);
    if (const size_t colon = s.find(':'); colon != s.npos) r.tile = std::stoll(s.substr(colon + 1)), s.resize(colon);
    r.axis = s;
    args.push_back(r);
  }
  UOps src{kernel};
  for (const RangeArg& r : args) {
    int64_t step = 1;  // the next tile inside
    for (const RangeArg& o : args)
      if (o.axis == r.axis && o.tile && (!r.tile || o.tile < r.tile)) step = std::max(step, o.tile);
    UOp extent;
    for (const UOp& u :
         collect(kernel, [&](const UOp& x) { return x.is(Op::Range) && x.arg_as<RangeArg>().axis == r.axis; }))
      extent = u.src(0);
    src.push_back(range(r.axis, r.tile ? iconst(r.tile / step) : simplify(ceildiv(extent, step)), r.tile, r.kind));
  }
  return UOp(Op::Scheduled, dt::kVoid, {}, src);
}

/// What a pass leaves of it.
inline UOp after(const std::string& pass, const UOp& s, const Target& target = {}) {
  UOp left;
  lower(s, target, [&](const Pass& p, const UOp& u) {
    if (p.name == pass) left = u;
  });
  return left;
}

inline int64_t count(const UOp& root, Op op) {
  return static_cast<int64_t>(collect(root, [&](const UOp& u) { return u.is(op); }).size());
}

}  // namespace pg::test
