#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "search/keys.h"
#include "src/cli/report.h"
#include "uops/evaluate.h"
#include "uops/kernel.h"
#include "uops/text.h"

namespace pg {

namespace {

/// The value of a Variable: as it was measured, else the upper end of its bucket, within its limits.
int64_t value_of(const VariableArg& v, const Search& s) {
  int64_t value = v.hi;
  const std::string bucket = "," + s.key.bucket;
  if (const size_t at = bucket.find("," + v.name + "="); at != bucket.npos)
    value = std::atoll(bucket.c_str() + at + v.name.size() + 2);
  if (!s.measured.empty()) {
    const auto bindings = nlohmann::json::parse(s.measured.back().row.bindings, nullptr, /*allow_exceptions=*/false);
    if (bindings.is_object() && bindings.contains(v.name) && bindings[v.name].is_number_integer())
      value = bindings[v.name].get<int64_t>();
  }
  return std::clamp(value, v.lo, v.hi);
}

}  // namespace

void size_kernel(Search& s) {
  if (s.key.bucket.empty()) return;
  try {
    const UOp kernel = parse(s.kernel.ir);
    if (!kernel.is(Op::Kernel)) return;
    Bindings64 bindings;
    for (const UOp& v : variables_of(kernel)) {
      const auto& variable = v.arg_as<VariableArg>();
      bindings.push_back({variable.name, value_of(variable, s)});
    }
    if (KernelRow sized = kernel_row(kernel, bindings); sized.id == s.kernel.id) s.kernel = std::move(sized);
  } catch (const std::exception&) {  // text of another version: the row's own sizes are better than none
  }
}

}  // namespace pg
