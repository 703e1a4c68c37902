// Windows as views.
#include "src/tensor/windows.h"

#include <algorithm>

namespace pg {

/// Without a copy: repeated end to end, the axis is cut into rows that are longer than it by the dilation (modulo its
/// length), so that row k begins k dilations into it.
Tensor windows(const Tensor& x, int axis, const Walk& w) {
  const Shape shape = x.shape();
  const int64_t n = *shape[axis].number(), places = w.places(n);
  const int64_t reach = places * w.stride;
  const int64_t row = w.dilation + n * std::max<int64_t>(1, (reach - w.dilation + n - 1) / n);
  const int64_t repeats = (w.extent * row + n - 1) / n;
  const auto around = [&](std::initializer_list<Dim> middle) {
    Shape s(shape.begin(), shape.begin() + axis);
    s.insert(s.end(), middle);
    s.insert(s.end(), shape.begin() + axis + 1, shape.end());
    return s;
  };
  return x.reshape(around({1, n}))
      .expand(around({repeats, n}))
      .reshape(around({repeats * n}))
      .slice(axis, 0, w.extent * row)
      .reshape(around({w.extent, row}))
      .slice(axis + 1, 0, reach)
      .reshape(around({w.extent, places, w.stride}))
      .slice(axis + 2, 0, 1)
      .reshape(around({w.extent, places}));
}

int64_t known_extent(const char* op, const char* what, const Tensor& t, int axis) {
  if (const auto n = t.shape()[axis].number()) return *n;
  throw UserError(std::string(op) + ": axis " + std::to_string(axis) + " of the " + what + " " + text(t.shape()) +
                  " holds Variables");
}

}  // namespace pg
