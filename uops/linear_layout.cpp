#include "uops/linear_layout.h"

#include <algorithm>
#include <bit>

#include "uops/error.h"

namespace pg {

namespace {
constexpr int kMaxBits = 62;

/// Gaussian elimination. Basis vectors have distinct leading bits, and each is free of the leading bits of those before it,
/// so that reducing by them in order never brings one back.
struct Elimination {
  std::vector<int64_t> basis, inputs;  // inputs[i] is mapped to basis[i]
  std::vector<int64_t> kernel;

  explicit Elimination(std::span<const int64_t> columns) {
    for (size_t i = 0; i < columns.size(); ++i) {
      auto [rest, input] = reduced(columns[i]);
      input ^= int64_t{1} << i;
      if (rest)
        basis.push_back(rest), inputs.push_back(input);
      else
        kernel.push_back(input);
    }
  }
  /// What the basis leaves of v, and the input that gives the difference.
  std::pair<int64_t, int64_t> reduced(int64_t v) const {
    int64_t input = 0;
    for (size_t i = 0; i < basis.size(); ++i)
      if ((v ^ basis[i]) < v) v ^= basis[i], input ^= inputs[i];
    return {v, input};
  }
};
}  // namespace

int gf2_rank(std::span<const int64_t> vectors) {
  int64_t basis[64];
  int n = 0;
  for (int64_t v : vectors) {
    for (int i = 0; i < n; ++i) v = std::min(v, v ^ basis[i]);
    if (v) basis[n++] = v;
  }
  return n;
}

LinearLayout::LinearLayout(std::vector<Group> groups) : groups_(std::move(groups)) {
  if (input_bits() > kMaxBits) throw InternalError("a linear layout of " + std::to_string(input_bits()) + " bits");
  for (const Group& g : groups_)
    for (int64_t c : g.columns)
      if (c < 0 || c >> kMaxBits) throw InternalError("a linear layout's column " + std::to_string(c) + " of " + g.name);
}

std::optional<LinearLayout> LinearLayout::through(std::string group, std::span<const int64_t> values) {
  if (!std::has_single_bit(values.size()))
    throw InternalError(std::to_string(values.size()) + " values for a linear layout");
  std::vector<int64_t> columns;
  for (size_t i = 1; i < values.size(); i *= 2) columns.push_back(values[i]);
  LinearLayout map({{std::move(group), std::move(columns)}});
  for (size_t i = 0; i < values.size(); ++i)
    if (map(static_cast<int64_t>(i)) != values[i]) return std::nullopt;
  return map;
}

std::vector<int64_t> LinearLayout::columns() const {
  std::vector<int64_t> all;
  for (const Group& g : groups_) all.insert(all.end(), g.columns.begin(), g.columns.end());
  return all;
}
int LinearLayout::input_bits() const {
  size_t n = 0;
  for (const Group& g : groups_) n += g.columns.size();
  return static_cast<int>(n);
}
int LinearLayout::output_bits() const {
  int64_t all = 0;
  for (int64_t c : columns()) all |= c;
  return std::bit_width(static_cast<uint64_t>(all));
}

int64_t LinearLayout::operator()(int64_t input) const {
  int64_t output = 0;
  for (const Group& g : groups_)
    for (int64_t c : g.columns) {
      if (input & 1) output ^= c;
      input >>= 1;
    }
  if (input) throw InternalError("an input beyond a linear layout's " + std::to_string(input_bits()) + " bits");
  return output;
}

int64_t LinearLayout::at(std::initializer_list<std::pair<std::string_view, int64_t>> inputs) const {
  int64_t output = 0;
  for (const auto& [name, value] : inputs) output ^= only({name})(value);
  return output;
}

LinearLayout LinearLayout::only(std::initializer_list<std::string_view> names) const {
  std::vector<Group> some;
  for (std::string_view name : names) {
    const auto g = std::find_if(groups_.begin(), groups_.end(), [&](const Group& x) { return x.name == name; });
    if (g == groups_.end()) throw InternalError("a linear layout without " + std::string(name));
    some.push_back(*g);
  }
  return LinearLayout(std::move(some));
}

LinearLayout LinearLayout::then(const LinearLayout& next) const {
  std::vector<Group> groups = groups_;
  for (Group& g : groups)
    for (int64_t& c : g.columns) c = next(c);
  return LinearLayout(std::move(groups));
}

int LinearLayout::rank() const { return gf2_rank(columns()); }
std::vector<int64_t> LinearLayout::kernel() const { return Elimination(columns()).kernel; }
std::vector<int64_t> LinearLayout::image() const { return Elimination(columns()).basis; }

std::optional<LinearLayout> LinearLayout::inverse(std::string group) const {
  const Elimination e(columns());
  if (!e.kernel.empty() || output_bits() != input_bits()) return std::nullopt;
  std::vector<int64_t> back;
  for (int i = 0; i < input_bits(); ++i) back.push_back(e.reduced(int64_t{1} << i).second);
  return LinearLayout({{std::move(group), std::move(back)}});
}

}  // namespace pg
