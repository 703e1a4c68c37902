#include "src/cli/kernel_shapes.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "uops/error.h"

namespace pg {

namespace {

constexpr int64_t kMaxExtent = int64_t{1} << 32;

std::vector<std::string> parts(const std::string& s, char separator) {
  std::vector<std::string> all{""};
  for (const char c : s)
    if (c == separator)
      all.emplace_back();
    else
      all.back() += c;
  return all;
}

std::optional<int64_t> number(const std::string& s, int64_t least) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
  if (error != std::errc() || end != s.data() + s.size() || n < least || n > kMaxExtent) return std::nullopt;
  return n;
}
/// Numbers between separators; empty when one of them is none.
std::vector<int64_t> numbers(const std::string& s, char separator, int64_t least) {
  std::vector<int64_t> all;
  for (const std::string& part : parts(s, separator)) {
    const auto n = number(part, least);
    if (!n) return {};
    all.push_back(*n);
  }
  return all;
}

[[noreturn]] void refuse(const std::string& kind, const std::string& shape, const std::string& form) {
  throw UserError("bench kernel: '" + shape + "' is no shape of " + kind + ": " + form + ", extents from 1");
}

/// s2, p1, p0:1, d2, g4 behind the extents; false when it reads otherwise.
bool option(const std::string& s, size_t sides, Conv2d& how) {
  if (s.size() < 2) return false;
  const std::vector<int64_t> n = numbers(s.substr(1), ':', s[0] == 'p' ? 0 : 1);
  if (s[0] == 'p' && (n.size() == 1 || n.size() == sides)) {
    const auto side = [&](size_t i) { return n.size() == 1 ? n[0] : n[i]; };
    how.padding = sides == 2 ? std::array<int64_t, 4>{0, 0, side(0), side(1)}
                             : std::array<int64_t, 4>{side(0), side(1), side(2), side(3)};
    return true;
  }
  if (n.size() != 1) return false;
  switch (s[0]) {
    case 's': how.stride = n[0]; return true;
    case 'd': how.dilation = n[0]; return true;
    case 'g': how.groups = n[0]; return true;
    default: return false;
  }
}

ConvShape parse_conv(const std::string& kind, const std::string& shape, size_t spatial, const std::string& form) {
  const std::vector<std::string> fields = parts(shape, ',');
  if (fields.size() < 2) refuse(kind, shape, form);
  std::vector<int64_t> x = numbers(fields[0], 'x', 1), w = numbers(fields[1], 'x', 1);
  if (x.size() == spatial + 1) x.insert(x.begin(), 1);
  if (x.size() != spatial + 2 || w.size() != spatial + 1) refuse(kind, shape, form);
  ConvShape c{.n = x[0], .c = x[1], .w = x.back(), .o = w[0], .kw = w.back(), .how = {}};
  if (spatial == 2) c.h = x[2], c.kh = w[1];
  for (size_t i = 2; i < fields.size(); ++i)
    if (!option(fields[i], 2 * spatial, c.how)) refuse(kind, shape, form);
  return c;
}

}  // namespace

Extents parse_extents(const std::string& kind, const std::string& shape, const std::string& form) {
  // The forms use the separators of the shapes: "CxHxW,GROUPS".
  const std::vector<std::string> wanted = parts(form, ','), given = parts(shape, ',');
  if (wanted.size() != given.size()) refuse(kind, shape, form);
  Extents all;
  for (size_t i = 0; i < given.size(); ++i) {
    const std::vector<int64_t> n = numbers(given[i], 'x', 1);
    if (n.size() != parts(wanted[i], 'x').size()) refuse(kind, shape, form);
    all.of.insert(all.of.end(), n.begin(), n.end());
  }
  return all;
}

ConvShape parse_conv2d(const std::string& shape) {
  return parse_conv("conv2d", shape, 2, "[Nx]CxHxW,OxKHxKW[,s2][,p1 or ,p0:1:0:1 (top:bottom:left:right)][,d2][,g4]");
}
ConvShape parse_conv1d(const std::string& shape) {
  return parse_conv("conv1d", shape, 1, "[Nx]CxW,OxKW[,s2][,p1 or ,p1:0 (left:right)][,d2][,g4]");
}

}  // namespace pg
