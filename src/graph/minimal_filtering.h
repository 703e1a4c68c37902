#pragma once
// F(m, 3): m outputs of a filter with three weights by m + 2 products (Winograd 1980), as sums of few tensors.
#include <functional>

#include "src/tensor/tensor.h"

namespace pg {

using Line = std::vector<Tensor>;
using FilterTile = std::vector<Line>;

/// The polynomials that stand for three weights and m outputs are multiplied at m + 1 points and at infinity: at 0 and at ±
/// the root of each of `squares`, so that sums of even and of odd powers serve two points each.
struct FilterForm {
  const char* name;
  std::vector<double> squares;
  double rounding;  // Alternative::rounding in two dimensions, from 8 channels on: docs/architecture.md, "Plans"
  int64_t outputs() const { return 2 * static_cast<int64_t>(squares.size()); }
};
/// winograd_2x3 and winograd_4x3.
const std::vector<FilterForm>& filter_forms();

/// Bᵀ d: m + 2 elements of the image → its values at 0, a, -a, b, -b, .., infinity.
Line image_points(const FilterForm&, const Line& d);
/// G w: 3 weights → their values at the points, over what the image's are too large by.
Line weight_points(const FilterForm&, const Line& w);
/// Aᵀ p: products at the points → m outputs.
Line filtered(const FilterForm&, const Line& products);

/// Along both axes of a tile.
FilterTile along_both(FilterTile, const std::function<Line(const Line&)>& along);

}  // namespace pg
