#include "uops/dtype.h"

#include <charconv>
#include <iterator>

namespace pg {

namespace {
struct Row {
  const char* name;
  int bytes;
};
constexpr Row kRows[] = {{"void", 0}, {"bool", 1}, {"i8", 1},  {"u8", 1},  {"i16", 2},  {"u16", 2}, {"i32", 4},
                         {"u32", 4},  {"i64", 8},  {"u64", 8}, {"f16", 2}, {"bf16", 2}, {"f32", 4}};
}  // namespace

int DType::element_bytes() const { return kRows[static_cast<int>(scalar)].bytes; }

std::string text(DType t) {
  std::string s = kRows[static_cast<int>(t.scalar)].name;
  return t.lanes == 1 ? s : s + "x" + std::to_string(t.lanes);
}

std::optional<DType> parse_dtype(std::string_view s) {
  const size_t x = s.find('x');
  const std::string_view name = s.substr(0, x);
  int lanes = 1;
  if (x != s.npos) {
    const std::string_view n = s.substr(x + 1);
    const auto [end, error] = std::from_chars(n.data(), n.data() + n.size(), lanes);
    if (error != std::errc() || end != n.data() + n.size() || lanes < 2 || lanes > 0xffff) return std::nullopt;
  }
  for (size_t i = 0; i < std::size(kRows); ++i)
    if (name == kRows[i].name) return DType(static_cast<Scalar>(i), lanes);
  return std::nullopt;
}

DType promote(DType a, DType b) {
  const int lanes = a.lanes;
  if (a.element() == b.element()) return a;
  if (a.scalar > b.scalar) std::swap(a, b);  // b has the higher rank
  if (b.is_float()) {
    // f16 and bf16 do not hold each other's values
    if (a.scalar == Scalar::Float16 && b.scalar == Scalar::BFloat16) return dt::f32.vec(lanes);
    return b.element().vec(lanes);
  }
  if (a.is_bool()) return b.element().vec(lanes);
  if (a.is_unsigned() == b.is_unsigned()) return b.element().vec(lanes);
  const DType u = a.is_unsigned() ? a : b, s = a.is_unsigned() ? b : a;
  if (s.element_bytes() > u.element_bytes()) return s.element().vec(lanes);
  switch (u.element_bytes()) {  // the next wider signed type holds both
    case 1: return dt::i16.vec(lanes);
    case 2: return dt::i32.vec(lanes);
    case 4: return dt::i64.vec(lanes);
    default: return dt::f32.vec(lanes);
  }
}

}  // namespace pg
