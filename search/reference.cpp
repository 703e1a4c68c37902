#include "search/reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <random>
#include <set>

#include "search/schedule.h"
#include "uops/evaluate.h"
#include "uops/half.h"
#include "uops/interpret.h"
#include "uops/kernel.h"
#include "uops/lower.h"
#include "uops/scope.h"
#include "uops/together.h"

namespace pg {

namespace {

Values values_of(const UOp& root, const Bindings64& bindings) {
  Values values;
  for (const UOp& v : variables_of(root)) {
    const auto& name = v.arg_as<VariableArg>().name;
    const auto it = std::find_if(bindings.begin(), bindings.end(), [&](const VariableBinding& b) { return b.name == name; });
    if (it == bindings.end()) throw UserError("Variable " + name + " has no value");
    values.emplace_back(v, it->value);
  }
  return values;
}
int64_t elements_of(const UOp& buffer, const Values& values) {
  int64_t n = 1;
  for (const UOp& e : buffer.src()) n *= evaluate(e, values);
  return n;
}

/// Whether floats of two buffers differ by no more than `most`: a few operations an element, where `compare` has dozens.
bool all_near(std::span<const std::byte> a, std::span<const std::byte> b, int64_t from, int64_t to, float most) {
  bool near = true;
  for (int64_t i = from; i < to; ++i) {
    float x, y;
    std::memcpy(&x, a.data() + i * int64_t{sizeof x}, sizeof x);
    std::memcpy(&y, b.data() + i * int64_t{sizeof y}, sizeof y);
    near &= std::abs(x - y) <= most;  // false for what is no number
  }
  return near;
}

std::vector<BufferSpec> specs_of(const UOp& kernel, const Bindings64& bindings) {
  const Values values = values_of(kernel, bindings);
  std::vector<BufferSpec> specs;
  const UOps nodes = toposort(kernel);
  for (const UOp& p : params_of(kernel)) specs.push_back({elements_of(p, values), p.dtype(), BufferUse::Input, 0});
  const auto slot = [](const UOp& param) { return static_cast<size_t>(param.arg_as<ParamArg>().slot); };
  for (const UOp& u : nodes) {
    if (!u.is(Op::Index) || !u.src(0).is(Op::Param)) continue;
    for (size_t dim = 0; dim + 1 < u.src().size(); ++dim)
      for (const UOp& l : collect(u.src(dim + 1), [](const UOp& x) { return x.is(Op::Load); })) {
        BufferSpec& ids = specs.at(slot(l.src(0).src(0)));
        const int64_t extent = evaluate(u.src(0).src(dim), values);
        ids.limit = ids.use == BufferUse::Ids ? std::min(ids.limit, extent) : extent;
        ids.use = BufferUse::Ids;
      }
  }
  const Definition root = definitions(kernel).back();
  const UOp& out = root.store.src(0).src(0);
  int64_t covered = 1;
  for (const UOp& r : root.ranges) covered *= evaluate(r.src(0), values);
  const bool read =
      std::any_of(nodes.begin(), nodes.end(), [&](const UOp& u) { return u.is(Op::Load) && u.src(0).src(0) == out; });
  BufferSpec& spec = specs.at(slot(out));
  spec.use = read || covered != spec.elements || root.store.src().size() == 3 ? BufferUse::InOut : BufferUse::Output;
  return specs;
}
}  // namespace

std::vector<BufferSpec> buffer_specs(const UOp& launch, const Bindings64& bindings) {
  std::vector<BufferSpec> all;
  for (const UOp& kernel : kernels_in(launch))
    for (const BufferSpec& s : specs_of(kernel, bindings)) all.push_back(s);
  return all;
}

Reference::Reference(const UOp& kernel, const Bindings64& bindings, const std::vector<BufferSpec>& specs,
                     const std::vector<std::span<const std::byte>>& inputs, uint64_t seed, int samples) {
  const Values values = values_of(kernel, bindings);
  const Definition root = definitions(kernel).back();
  const UOp& store = root.store;
  output_ = specs.at(static_cast<size_t>(store.src(0).src(0).arg_as<ParamArg>().slot));
  for (const Definition& d : definitions(kernel)) {
    double length = 1;
    for (const UOp& r : d.reduce_ranges) length *= static_cast<double>(evaluate(r.src(0), values));
    terms_ = std::max(terms_, length);
  }

  // One grid item per output element: the interpreter computes exactly the sampled ones.
  Schedule schedule(kernel);
  Grid grid;
  std::vector<int64_t> extents;
  int64_t total = 1;
  for (const UOp& r : root.ranges) {
    grid.axes.push_back(axis_of(r));
    extents.push_back(evaluate(r.src(0), values));
    total *= extents.back();
  }
  const Expected<Schedule> by_element = schedule.apply(Opt(grid));
  if (!by_element) throw InternalError("reference of " + kernel.arg_as<std::string>() + ": " + by_element.reason());
  const UOp linear = lower(by_element->scheduled(), Target{.isa = "ref"});
  const LaunchInfo launch = launch_info(linear);
  std::vector<int64_t> variables;
  for (const UOp& v : launch.variables)
    for (const auto& [node, value] : values)
      if (node == v) variables.push_back(value);

  std::set<int64_t> items = {0, total - 1};
  std::mt19937_64 random(seed);
  for (size_t a = 0; a < extents.size(); ++a) {  // the last elements of each axis: where tails are
    int64_t stride = 1;
    for (size_t b = a + 1; b < extents.size(); ++b) stride *= extents[b];
    for (int64_t back = 1; back <= 4 && back <= extents[a]; ++back)
      items.insert((extents[a] - back) * stride + static_cast<int64_t>(random() % static_cast<uint64_t>(stride)));
  }
  while (static_cast<int64_t>(items.size()) < std::min<int64_t>(samples, total))
    items.insert(static_cast<int64_t>(random() % static_cast<uint64_t>(total)));

  std::vector<std::vector<std::byte>> copies;
  std::vector<HostBuffer> buffers;
  for (size_t slot = 0; slot < specs.size(); ++slot) {
    void* data = const_cast<std::byte*>(inputs[slot].data());  // read only below, unless it is written
    if (specs[slot].written()) {
      auto& copy = copies.emplace_back(specs[slot].bytes());
      if (!inputs[slot].empty()) std::memcpy(copy.data(), inputs[slot].data(), copy.size());
      data = copy.data();
    }
    buffers.push_back({data, specs[slot].elements});
  }
  const std::span<const std::byte> written(static_cast<std::byte*>(buffers[0].data), output_.bytes());
  const UOp address = [&] {
    UOp flat = iconst(0), stride = iconst(1);
    for (size_t i = store.src(0).src(0).src().size(); i-- > 0;) {
      flat = flat + store.src(0).src(i + 1) * stride;
      stride = stride * store.src(0).src(0).src(i);
    }
    return flat;
  }();
  for (int64_t item : items) {
    interpret(linear, buffers, variables, {.exact = true}, item, item + 1);
    Values at = values;
    int64_t rest = item;
    for (size_t a = extents.size(); a-- > 0;) {
      at.emplace_back(root.ranges[a], rest % extents[a]);
      rest /= extents[a];
    }
    const int64_t element = evaluate(address, at);
    expected_.emplace_back(element, read(written, element));
  }
}

double Reference::read(std::span<const std::byte> buffer, int64_t element) const {
  const std::byte* at = buffer.data() + element * output_.dtype.element_bytes();
  const auto as = [&]<class T>(T value) {
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  switch (output_.dtype.scalar) {
    case Scalar::Float32: return as(float());
    case Scalar::Float16: return from_f16(as(uint16_t()));
    case Scalar::BFloat16: return from_bf16(as(uint16_t()));
    case Scalar::Int64: return static_cast<double>(as(int64_t()));
    case Scalar::UInt64: return static_cast<double>(as(uint64_t()));
    case Scalar::Int32: return as(int32_t());
    case Scalar::UInt32: return as(uint32_t());
    case Scalar::Int16: return as(int16_t());
    case Scalar::UInt16: return as(uint16_t());
    case Scalar::Int8: return as(int8_t());
    default: return as(uint8_t());
  }
}

Reference::Tolerance Reference::tolerance(double noise) const {
  if (!output_.dtype.is_float()) return {};
  // Functions and short sums err in proportion to the value. A sum of K random terms of unit size passes through partial
  // sums that grow like √K, and each of its K additions rounds in proportion to them, whatever they end up at: one after
  // another into one accumulator, the error is normal with some K/20 roundings of 1. Reassociation is granted.
  const double epsilon = output_.dtype == dt::f32 ? 0x1p-23 : output_.dtype == dt::f16 ? 0x1p-10 : 0x1p-7;
  const double growth = 8 + 4 * std::sqrt(terms_);
  return {output_.dtype == dt::f32 ? epsilon * growth : epsilon + 0x1p-23 * growth, noise * 0x1p-23 * terms_ / 4};
}

std::string Reference::compare(int64_t element, double got, double want, const Tolerance& t) const {
  if (std::isnan(want) && std::isnan(got)) return "";
  const double allowed = t.relative * std::max(1.0, std::abs(want)) + t.absolute, off = std::abs(got - want);
  if (off <= allowed || got == want) return "";
  char line[160];
  std::snprintf(line, sizeof line, "element %lld is %.9g, expected %.9g (off by %.2g, allowed %.2g)",
                static_cast<long long>(element), got, want, off, allowed);
  return line;
}

std::string Reference::check_samples(std::span<const std::byte> output) const {
  const Tolerance allowed = tolerance(1);
  for (const auto& [element, want] : expected_)
    if (std::string wrong = compare(element, read(output, element), want, allowed); !wrong.empty()) return wrong;
  return "";
}
Reference::Error Reference::error(std::span<const std::byte> output) const {
  Error worst;
  for (const auto& [element, want] : expected_) {
    const double off = std::abs(read(output, element) - want);
    if (std::isnan(off)) return {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
    worst.absolute = std::max(worst.absolute, off);
    worst.relative = std::max(worst.relative, off / std::max(1.0, std::abs(want)));
  }
  return worst;
}
std::string Reference::check_whole(std::span<const std::byte> output, std::span<const std::byte> verified) const {
  const Tolerance allowed = tolerance(std::numbers::sqrt2);
  const auto least = static_cast<float>(allowed.relative + allowed.absolute);  // what any element may be off
  constexpr int64_t kBlock = 1024;
  for (int64_t from = 0; from < output_.elements; from += kBlock) {
    const int64_t to = std::min(output_.elements, from + kBlock);
    if (output_.dtype == dt::f32 && all_near(output, verified, from, to, least)) continue;
    for (int64_t i = from; i < to; ++i)
      if (std::string wrong = compare(i, read(output, i), read(verified, i), allowed); !wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace pg
