#pragma once
// Scheduled kernels written by hand: ranges in order, "m", "n grid", "k:8", "n:32 upcast", "n:16 vec"; "S = i, e:4, e:4 vec"
// are those of the nest of S where it has its own; "stage(B,k)" is a directive.
#include <algorithm>
#include <string>
#include <vector>

#include "uops/directive.h"
#include "uops/lower.h"
#include "uops/passes.h"
#include "uops/simplify.h"
#include "uops/text.h"

namespace pg::test {

inline UOps split_ranges(const UOp& kernel, const std::vector<std::string>& words) {
  std::vector<RangeArg> args;
  for (std::string s : words) {
    RangeArg r;
    if (const size_t space = s.find(' '); space != s.npos) r.kind = *parse_kind(s.substr(space + 1)), s.resize(space);
    if (const size_t colon = s.find(':'); colon != s.npos) r.tile = std::stoll(s.substr(colon + 1)), s.resize(colon);
    r.axis = s;
    args.push_back(r);
  }
  UOps ranges;
  for (const RangeArg& r : args) {
    int64_t step = 1;  // the next tile inside
    for (const RangeArg& o : args)
      if (o.axis == r.axis && o.tile && (!r.tile || o.tile < r.tile)) step = std::max(step, o.tile);
    UOp extent;
    for (const UOp& u :
         collect(kernel, [&](const UOp& x) { return x.is(Op::Range) && x.arg_as<RangeArg>().axis == r.axis; }))
      extent = u.src(0);
    ranges.push_back(range(r.axis, r.tile ? iconst(r.tile / step) : simplify(ceildiv(extent, step)), r.tile, r.kind));
  }
  return ranges;
}

inline UOp scheduled(const UOp& kernel, const std::vector<std::string>& said) {
  std::vector<std::string> common;
  UOps nests, directives;
  for (const std::string& s : said) {
    if (const size_t equals = s.find(" = "); equals != s.npos && s.find('(') == s.npos) {
      std::vector<std::string> own;
      for (size_t at = equals + 3; at < s.size();) {
        const size_t comma = std::min(s.find(", ", at), s.size());
        own.push_back(s.substr(at, comma - at));
        at = comma + 2;
      }
      nests.push_back(UOp(Op::Nest, dt::kVoid, s.substr(0, equals), split_ranges(kernel, own)));
    } else if (s.find('(') != s.npos) {
      directives.push_back(directive(parse_directive(s)));
    } else {
      common.push_back(s);
    }
  }
  UOps src{kernel};
  for (const UOps& part : {split_ranges(kernel, common), nests, directives}) src.insert(src.end(), part.begin(), part.end());
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
