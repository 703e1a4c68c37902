#include "src/graph/minimal_filtering.h"

#include <cmath>

namespace pg {

const std::vector<FilterForm>& filter_forms() {
  // With ±√½ and ±√2 the error of F(4, 3) is half of what it is with ±1 and ±2.
  static const std::vector<FilterForm> all{{"winograd_2x3", {1}, 1.5}, {"winograd_4x3", {0.5, 2}, 5}};
  return all;
}

namespace {
/// Π (x² - square) over the squares but one, by powers of x², the lowest first.
std::vector<double> without(const std::vector<double>& squares, size_t left_out) {
  std::vector<double> product{1};
  for (size_t k = 0; k < squares.size(); ++k) {
    if (k == left_out) continue;
    product.insert(product.begin(), 0);
    for (size_t i = 0; i + 1 < product.size(); ++i) product[i] -= squares[k] * product[i + 1];
  }
  return product;
}
Tensor times(const Tensor& x, double factor) { return factor == 1 ? x : x * factor; }
/// Every second element, from one on, weighted.
Tensor weighted(const Line& line, size_t from, const std::vector<double>& weights) {
  Tensor sum = times(line[from + 2 * (weights.size() - 1)], weights.back());
  for (size_t i = weights.size() - 1; i-- > 0;) sum = sum + line[from + 2 * i] * weights[i];
  return sum;
}
}  // namespace

Line image_points(const FilterForm& f, const Line& d) {
  const std::vector<double> all = without(f.squares, f.squares.size());
  Line points{weighted(d, 0, all)};
  for (size_t k = 0; k < f.squares.size(); ++k) {
    const std::vector<double> others = without(f.squares, k);
    const double a = std::sqrt(f.squares[k]);
    const Tensor even = weighted(d, 2, others), odd = weighted(d, 1, others);
    points.push_back(even + times(odd, a));
    points.push_back(a == 1 ? even - odd : even + odd * -a);
  }
  points.push_back(weighted(d, 1, all));
  return points;
}
Line weight_points(const FilterForm& f, const Line& w) {
  Line points{times(w[0], 1 / without(f.squares, f.squares.size())[0])};
  for (const double square : f.squares) {
    double scale = 2 * square;
    for (const double other : f.squares)
      if (other != square) scale *= square - other;
    const Tensor even = w[0] * (1 / scale) + w[2] * (square / scale), odd = w[1] * (std::sqrt(square) / scale);
    points.push_back(even + odd);
    points.push_back(even - odd);
  }
  points.push_back(w[2]);
  return points;
}
Line filtered(const FilterForm& f, const Line& m) {
  const size_t n = static_cast<size_t>(f.outputs());
  Line even, odd;
  for (size_t k = 0; k < f.squares.size(); ++k) {
    even.push_back(m[1 + 2 * k] + m[2 + 2 * k]);
    odd.push_back(m[1 + 2 * k] - m[2 + 2 * k]);
  }
  Line y;
  for (size_t j = 0; j < n; ++j) {
    Tensor sum = j == 0 ? m[0] : j == n - 1 ? m[n + 1] : Tensor();
    for (size_t k = 0; k < f.squares.size(); ++k) {
      const double power = std::pow(f.squares[k], static_cast<double>(j / 2)) * (j % 2 ? std::sqrt(f.squares[k]) : 1);
      const Tensor term = times((j % 2 ? odd : even)[k], power);
      sum = sum ? sum + term : term;
    }
    y.push_back(sum);
  }
  return y;
}

FilterTile along_both(FilterTile tile, const std::function<Line(const Line&)>& along) {
  for (int axis = 0; axis < 2; ++axis) {
    FilterTile turned;
    for (const Line& line : tile) {
      const Line points = along(line);
      turned.resize(points.size());
      for (size_t i = 0; i < points.size(); ++i) turned[i].push_back(points[i]);
    }
    tile = std::move(turned);
  }
  return tile;
}

}  // namespace pg
