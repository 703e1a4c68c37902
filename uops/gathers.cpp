#include "uops/gathers.h"

#include <algorithm>

namespace pg {

std::vector<std::string> inner_gathers(const UOp& linear) {
  struct Loop {
    UOp range;
    bool innermost = true;
    std::vector<std::string> found = {};
  };
  std::vector<Loop> open;
  std::vector<std::string> all;
  for (const UOp& e : linear.src()) {
    if (e.is(Op::For)) {
      for (Loop& l : open) l.innermost = false;
      open.push_back({e.src(0)});
    } else if (e.is(Op::End) && e.src(0).is(Op::For)) {
      if (open.back().innermost)
        for (std::string& s : open.back().found)
          if (std::find(all.begin(), all.end(), s) == all.end()) all.push_back(std::move(s));
      open.pop_back();
    } else if (e.is(Op::Load) && !open.empty() && e.src(0).src(1).dtype().lanes > 1) {
      open.back().found.push_back(e.src(0).src(0).arg_as<ParamArg>().name + " in loop " +
                                  open.back().range.arg_as<RangeArg>().axis + ": " + std::to_string(e.dtype().lanes) +
                                  " lanes apart");
    }
  }
  return all;
}

}  // namespace pg
