#pragma once
// Where a tensor graph sums over windows of 3 x 3.
#include <optional>

#include "uops/uop.h"

namespace pg {

/// sum[b.., f.., y, x] = Σ over c, ky, kx of image[b.., c, y + ky, x + kx] · weights[f.., c, ky, kx], as the indices show
/// it, whatever made them: the windows move by one, all channels are seen by all filters. Axes stand in any order; padding
/// is part of the image.
struct Convolution3x3 {
  UOp sum;      // the ReduceAxis, of f32
  UOp image;    // what the windows walk over
  UOp weights;  // the other factor, with the axes of the product
  // Axes of the product. Those of extent 1 are in none of the lists; all extents but those of `batch` are numbers.
  std::vector<size_t> batch, filters;
  size_t channels = 0, rows = 0, columns = 0, window_rows = 0, window_columns = 0;
  // Axes of the image, in the same order as those of the product.
  std::vector<size_t> image_batch;
  size_t image_channels = 0, image_rows = 0, image_columns = 0;
  int64_t first_row = 0, first_column = 0;  // of the image, where the first window begins
};
std::optional<Convolution3x3> convolution_3x3(const UOp& sum);

}  // namespace pg
