#include "src/graph/convolution_3x3.h"

#include <algorithm>

#include "src/graph/views.h"
#include "uops/simplify.h"

namespace pg {

namespace {
constexpr int64_t kWindow = 3;

/// The axes of a product and which of them are summed over.
class Axes {
 public:
  Axes(const UOp& product, const Ints& summed) : places_(places(product)), summed_(summed) {}

  const UOps& all() const { return places_; }
  std::optional<size_t> number(const UOp& place) const {
    const auto at = std::find(places_.begin(), places_.end(), place);
    return place.is(Op::Range) ? std::optional(static_cast<size_t>(at - places_.begin())) : std::nullopt;
  }
  bool is_one(size_t axis) const { return !places_[axis].is(Op::Range); }
  bool is_summed(size_t axis) const {
    return std::find(summed_.begin(), summed_.end(), static_cast<int64_t>(axis)) != summed_.end();
  }
  /// Axes longer than 1 that are summed over.
  size_t sums() const {
    return static_cast<size_t>(std::count_if(summed_.begin(), summed_.end(), [&](int64_t a) { return !is_one(a); }));
  }
  std::optional<int64_t> extent(size_t axis) const { return const_int(places_[axis].src(0)); }

 private:
  UOps places_;
  Ints summed_;
};

/// place + offset of a window: place is an output axis, offset one that is summed over.
struct Walk {
  size_t place = 0, offset = 0;
  int64_t first = 0;
};
std::optional<Walk> walk(const UOp& index, const Axes& axes) {
  std::optional<size_t> place, offset;
  for (const UOp& leaf : toposort(index)) {
    const auto axis = axes.number(leaf);
    if (!axis) continue;
    std::optional<size_t>& role = axes.is_summed(*axis) ? offset : place;
    if (role) return std::nullopt;
    role = axis;
  }
  if (!place || !offset || axes.extent(*offset) != kWindow || !axes.extent(*place)) return std::nullopt;
  const auto first = const_int(simplify(index - axes.all()[*place] - axes.all()[*offset]));
  return first && *first >= 0 ? std::optional(Walk{*place, *offset, *first}) : std::nullopt;
}

std::optional<Convolution3x3> seen_as(const UOp& sum, const Axes& axes, int side) {
  const View image = through_views(sum.src(0).src(side), axes.all());
  const View weights = through_views(sum.src(0).src(1 - side), axes.all());
  Convolution3x3 c{.sum = sum, .image = image.node, .weights = sum.src(0).src(1 - side)};
  const auto weighs = [&](size_t axis) {
    return std::any_of(weights.index.begin(), weights.index.end(), [&](const UOp& i) { return among(i, axes.all()[axis]); });
  };
  std::vector<bool> known(axes.all().size());
  const auto claim = [&](size_t axis) { return !known[axis] && (known[axis] = true); };
  const UOps extents = extents_of(image.node);
  int windows = 0, channels = 0;
  for (size_t i = 0; i < image.index.size(); ++i) {
    if (is_one(extents[i])) continue;
    if (const auto axis = axes.number(image.index[i])) {
      if (!claim(*axis)) return std::nullopt;
      if (axes.is_summed(*axis)) {
        ++channels;
        c.channels = *axis, c.image_channels = i;
        if (!axes.extent(*axis) || !weighs(*axis)) return std::nullopt;
      } else {
        c.batch.push_back(*axis), c.image_batch.push_back(i);
        if (weighs(*axis)) return std::nullopt;  // each group of channels has filters of its own
      }
      continue;
    }
    const auto w = walk(image.index[i], axes);
    if (!w || !claim(w->place) || !claim(w->offset) || weighs(w->place) || !weighs(w->offset)) return std::nullopt;
    if (windows++ == 0)
      c.rows = w->place, c.window_rows = w->offset, c.image_rows = i, c.first_row = w->first;
    else
      c.columns = w->place, c.window_columns = w->offset, c.image_columns = i, c.first_column = w->first;
  }
  if (windows != 2 || channels != 1 || axes.sums() != 3) return std::nullopt;
  for (size_t axis = 0; axis < known.size(); ++axis) {
    if (axes.is_one(axis) || known[axis]) continue;
    if (!axes.extent(axis) || !weighs(axis)) return std::nullopt;
    c.filters.push_back(axis);
  }
  return c.filters.empty() ? std::nullopt : std::optional(c);
}
}  // namespace

std::optional<Convolution3x3> convolution_3x3(const UOp& sum) {
  if (!sum.is(Op::ReduceAxis) || sum.dtype() != dt::f32 || sum.arg_as<ReduceArg>().reducer != "sum") return std::nullopt;
  if (!sum.src(0).is(Op::Mul)) return std::nullopt;
  const Axes axes(sum.src(0), sum.arg_as<ReduceArg>().axes);
  if (axes.sums() != 3) return std::nullopt;
  for (const int side : {0, 1})
    if (auto found = seen_as(sum, axes, side)) return found;
  return std::nullopt;
}

}  // namespace pg
