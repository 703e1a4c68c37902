#pragma once
// The shapes of `picograd bench kernel`, as they are written on the command line.
#include <cstdint>
#include <string>
#include <vector>

#include "src/tensor/tensor.h"

namespace pg {

struct Extents {
  std::vector<int64_t> of;
  int64_t operator[](size_t i) const { return of[i]; }
};
/// "1024x768" with as many numbers as `form` ("ROWSxCOLUMNS") has. UserError naming the form.
Extents parse_extents(const std::string& kind, const std::string& shape, const std::string& form);

/// "[Nx]CxHxW,OxKHxKW[,s2][,p1 | ,p0:1:0:1][,d2][,g4]"; padding is top:bottom:left:right.
struct ConvShape {
  int64_t n = 1, c = 1, h = 1, w = 1, o = 1, kh = 1, kw = 1;
  Conv2d how;
  int64_t rows() const { return places(h, kh, how.padding[0] + how.padding[1]); }
  int64_t columns() const { return places(w, kw, how.padding[2] + how.padding[3]); }

 private:
  int64_t places(int64_t extent, int64_t window, int64_t padding) const {
    return (extent + padding - how.dilation * (window - 1) - 1) / how.stride + 1;
  }
};
ConvShape parse_conv2d(const std::string& shape);
/// "[Nx]CxW,OxKW[,s2][,p1 | ,p1:0][,d2][,g4]": a conv2d of one row.
ConvShape parse_conv1d(const std::string& shape);

}  // namespace pg
