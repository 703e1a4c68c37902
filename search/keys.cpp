#include "search/keys.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <sstream>
#include <unordered_map>

#include "search/build.h"
#include "search/schedule.h"
#include "uops/evaluate.h"
#include "uops/kernel.h"
#include "uops/text.h"
#include "uops/together.h"

namespace pg {

namespace {
/// The same handful of kernels is asked for again and again while a model runs.
const std::string& cached_id(const UOp& kernel) {
  static std::mutex mutex;
  static std::unordered_map<UOp, std::string> ids;
  std::lock_guard lock(mutex);
  std::string& id = ids[kernel];
  if (id.empty()) id = content_id(kernel);
  return id;
}
}  // namespace

UOps sizing_variables(const UOp& launch) {
  UOps extents;
  for (const UOp& kernel : kernels_in(launch))
    for (const Axis& a : axes(kernel)) extents.push_back(a.extent);
  return extents.empty() ? UOps{} : variables_of(UOp(Op::Block, dt::kVoid, {}, extents));
}

namespace {
int64_t power_of_two(int64_t value) {
  int64_t up = 1;
  while (up < value) up *= 2;
  return up;
}
}  // namespace

std::string bucket(std::span<const UOp> variables, const Bindings64& bindings) {
  std::string s;
  for (const UOp& v : variables) {
    const std::string& name = v.arg_as<VariableArg>().name;
    for (const VariableBinding& b : bindings) {
      if (b.name != name) continue;
      s += (s.empty() ? "" : ",") + name + "=" + std::to_string(power_of_two(b.value));
    }
  }
  return s;
}

UOp within_bucket(const UOp& kernel, const Bindings64& bindings) {
  constexpr int64_t kFew = 32;
  UOps outputs;
  for (const Axis& a : axes(kernel))
    if (a.output) outputs.push_back(a.extent);
  if (outputs.empty()) return kernel;
  Substitution narrowed;
  for (const UOp& v : variables_of(UOp(Op::Block, dt::kVoid, {}, outputs))) {
    const auto& [name, lo, hi] = v.arg_as<VariableArg>();
    for (const VariableBinding& b : bindings)
      if (const int64_t most = power_of_two(b.value); b.name == name && most <= kFew && most < hi)
        narrowed.emplace_back(v, variable(name, std::min(lo, most), most));
  }
  return narrowed.empty() ? kernel : substitute(kernel, narrowed);
}

WinnerKey winner_key(const UOp& kernel, const Bindings64& bindings, const Device& device) {
  return {cached_id(kernel),     device.info().id, device.toolchain().id,
          device.target().cores, "fp32",           bucket(sizing_variables(kernel), bindings)};
}

std::string template_hash(const UOp& kernel) {
  const UOp blanked = transform(kernel, [](const UOp& u) -> UOp {
    if (u.is(Op::Kernel)) return UOp(Op::Kernel, u.dtype(), std::string(), u.src());
    if (u.is(Op::Const) && u.dtype() == dt::index) return iconst(0);
    if (u.is(Op::Variable)) return UOp(Op::Variable, u.dtype(), VariableArg{u.arg_as<VariableArg>().name, 0, 0}, {});
    return {};
  });
  return content_id(blanked);
}

KernelRow kernel_row(const UOp& kernel, const Bindings64& bindings) {
  KernelRow row;
  row.id = cached_id(kernel);
  row.template_hash = template_hash(kernel);
  row.name = kernel.arg_as<std::string>();
  row.ir = text(kernel);
  UOps variables = variables_of(kernel);
  std::vector<int64_t> values;
  Values bound;
  for (const UOp& v : variables) {
    int64_t value = v.arg_as<VariableArg>().hi;
    for (const VariableBinding& b : bindings)
      if (b.name == v.arg_as<VariableArg>().name) value = b.value;
    values.push_back(value);
    bound.emplace_back(v, value);
  }
  for (const Axis& a : axes(kernel))
    row.shape += (row.shape.empty() ? "" : " ") + a.name + "=" + std::to_string(evaluate(a.extent, bound));
  const Work w = work(kernel, variables, values);
  row.flops = w.flops;
  row.bytes = w.bytes;
  return row;
}

double shape_distance(const std::string& a, const std::string& b) {
  const auto parse = [](const std::string& shape) {
    std::map<std::string, double> extents;
    std::istringstream in(shape);
    for (std::string item; in >> item;)
      if (const size_t eq = item.find('='); eq != item.npos)
        extents[item.substr(0, eq)] = std::log2(std::max(1.0, std::atof(item.c_str() + eq + 1)));
    return extents;
  };
  const auto x = parse(a), y = parse(b);
  double distance = 0;
  for (const auto& [axis, extent] : x) distance += y.contains(axis) ? std::abs(extent - y.at(axis)) : 100;
  for (const auto& [axis, extent] : y) distance += x.contains(axis) ? 0 : 100;
  return distance;
}

}  // namespace pg
