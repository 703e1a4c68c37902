#include "renderers/clang_prelude.h"

#include <algorithm>
#include <bit>
#include <cctype>

#include "renderers/c_text.h"

namespace pg {

namespace {

std::string number(int64_t n) { return std::to_string(n); }
bool is_power_of_two(int n) { return std::has_single_bit(static_cast<unsigned>(n)); }
/// The signed integers as wide as an element: what masks of vector operations are made of.
DType mask_int(DType t) {
  switch (t.element_bytes()) {
    case 1: return dt::i8.vec(t.lanes);
    case 2: return dt::i16.vec(t.lanes);
    case 4: return dt::i32.vec(t.lanes);
    default: return dt::i64.vec(t.lanes);
  }
}
std::string scalar_name(Scalar s) {
  switch (s) {
    case Scalar::Bool: return "_Bool";
    case Scalar::Int8: return "signed char";
    case Scalar::UInt8: return "unsigned char";
    case Scalar::Int16: return "short";
    case Scalar::UInt16:
    case Scalar::BFloat16: return "unsigned short";
    case Scalar::Int32: return "int";
    case Scalar::UInt32: return "unsigned";
    case Scalar::Int64: return "long";
    case Scalar::UInt64: return "unsigned long";
    case Scalar::Float16: return "_Float16";
    case Scalar::Float32: return "float";
    case Scalar::Void: break;
  }
  throw InternalError("rendering: a value of type void");
}

/// How Clang's builtins call integers of an element's size.
const char* int_of(DType t) {
  const int bytes = t.element_bytes();
  return bytes == 1 ? "char" : bytes == 2 ? "short" : bytes == 4 ? "int" : "long long";
}
const char* suffix_of(DType t) {
  const int bytes = t.element_bytes();
  return bytes == 1 ? "qi" : bytes == 2 ? "hi" : bytes == 4 ? "si" : "di";
}
/// A statement for each lane `l`; unrolled, as a lane's number must be a constant for good code.
std::string lanes_loop(DType t, const std::string& statement) {
  return "  _Pragma(\"clang loop unroll(full)\") for (int l = 0; l < " + number(t.lanes) + "; ++l) " + statement + "\n";
}

}  // namespace

std::string ClangPrelude::type(DType t) {
  if (t.lanes == 1) return scalar_name(t.scalar);
  const std::string name = pg::text(t), of = t.is_bool() ? "signed char" : scalar_name(t.scalar);
  if (first_use(name))
    text_ += "typedef " + of + " " + name + " __attribute__((ext_vector_type(" + number(t.lanes) + ")));\n";
  return name;
}
std::string ClangPrelude::element(DType t) { return scalar_name(t.scalar); }

/// For what is a single builtin or access: a kernel is made of these, and inlining them takes a tenth of compiling.
void ClangPrelude::macro(const std::string& name, const std::string& meaning) {
  text_ += "#define " + name + " " + meaning + "\n";
}

void ClangPrelude::define(const std::string& head, const std::string& body) {
  text_ += "INLINE " + head + " {\n" + body + "}\n";
}

// ---- arithmetic ------------------------------------------------------------------------------------------------------

std::string ClangPrelude::function(Op op, DType t) {
  std::string name = info(op).name;
  for (char& c : name) c = static_cast<char>(std::tolower(c));
  name += "_" + pg::text(t);
  const std::string v = type(t);
  const bool comparison = op == Op::Lt || op == Op::Eq || op == Op::Ne;
  const std::string result = comparison ? type(dt::kBool.vec(t.lanes)) : v;
  if (!first_use(name)) return name;
  const bool vector = t.lanes != 1;
  const std::string head = result + " " + name + "(" + v + " a" +
                           (op == Op::Sqrt || op == Op::Floor ? "" : ", " + v + " b") +
                           (op == Op::Fma ? ", " + v + " c)" : ")");
  const auto builtin = [&](const std::string& elementwise, const std::string& scalar, const std::string& lane) {
    if (!vector) return macro(name, scalar);
    text_ += "#if __has_builtin(" + elementwise + ")\n";
    macro(name, elementwise);
    text_ += "#else\n";
    define(head, "  " + v + " r;\n" + lanes_loop(t, "r[l] = " + scalar + "(" + lane + ");") + "  return r;\n");
    text_ += "#endif\n";
  };
  switch (op) {
    case Op::Max:
    case Op::Min: define(head, c_function_body(op, t, v)); break;
    case Op::Sqrt: builtin("__builtin_elementwise_sqrt", "__builtin_sqrtf", "a[l]"); break;
    case Op::Floor: builtin("__builtin_elementwise_floor", "__builtin_floorf", "a[l]"); break;
    case Op::Fma: builtin("__builtin_elementwise_fma", "__builtin_fmaf", "a[l], b[l], c[l]"); break;
    case Op::IDiv:  // towards minus infinity
      define(head, vector ? "  return a / b + (" + v + ")((a % b != 0) & ((a ^ b) < 0));\n" : c_function_body(op, t, v));
      break;
    case Op::Mod:
      define(head, vector ? "  const " + v + " r = a % b;\n  return r + (b & (" + v + ")((r != 0) & ((r ^ b) < 0)));\n"
                          : c_function_body(op, t, v));
      break;
    case Op::Lt: define(head, "  return __builtin_convertvector(a < b, " + result + ");\n"); break;
    case Op::Eq: define(head, "  return __builtin_convertvector(a == b, " + result + ");\n"); break;
    case Op::Ne: define(head, "  return __builtin_convertvector(a != b, " + result + ");\n"); break;
    default: throw InternalError("rendering: no function for " + std::string(info(op).name));
  }
  return name;
}

std::string ClangPrelude::select(DType t) {
  const std::string v = type(t), m = type(dt::kBool.vec(t.lanes)), name = "select_" + pg::text(t);
  const std::string wide = type(mask_int(t));
  if (first_use(name))
    define(v + " " + name + "(" + m + " m, " + v + " a, " + v + " b)",
           t.is_bool() ? "  return (m & a) | (~m & b);\n" : "  return __builtin_convertvector(m, " + wide + ") ? a : b;\n");
  return name;
}

/// bf16 lies as its bits; rounds to nearest, ties to even, NaNs stay NaNs.
std::string ClangPrelude::convert(DType from, DType to) {
  const std::string name = pg::text(from) + "_to_" + pg::text(to), a = type(from), r = type(to);
  const std::string u = type(dt::u32.vec(from.lanes)), f = type(dt::f32.vec(from.lanes)), i = type(dt::i32.vec(from.lanes));
  const bool vector = from.lanes != 1;
  if (from.scalar == Scalar::BFloat16) {
    const std::string back = vector ? "" : bitcast(dt::u32, dt::f32);
    if (first_use(name))
      define(r + " " + name + "(" + a + " x)", vector
                                                   ? "  return (" + f + ")(__builtin_convertvector(x, " + u + ") << 16);\n"
                                                   : "  return " + back + "((unsigned)x << 16);\n");
    return name;
  }
  const std::string bits = vector ? "" : bitcast(dt::f32, dt::u32);
  if (first_use(name))
    define(r + " " + name + "(" + a + " x)",
           "  const " + u + " u = " + (vector ? "(" + u + ")x" : bits + "(x)") +
               ", near = (u + 0x7fff + (u >> 16 & 1)) >> 16;\n" +
               (vector ? "  return __builtin_convertvector(x != x ? u >> 16 | 0x40 : near, " + r + ");\n"
                       : "  return x != x ? u >> 16 | 0x40 : near;\n"));
  return name;
}

std::string ClangPrelude::bitcast(DType from, DType to) {
  const std::string name = pg::text(from) + "_as_" + pg::text(to), a = type(from), r = type(to);
  if (first_use(name))
    define(r + " " + name + "(" + a + " x)", "  " + r + " y;\n  __builtin_memcpy(&y, &x, sizeof y);\n  return y;\n");
  return name;
}

std::string ClangPrelude::lane_numbers(DType t) {
  const std::string v = type(t), name = "lanes_" + pg::text(t);
  if (!first_use(name)) return name;
  text_ += "static const " + v + " " + name + " = {";
  for (int l = 0; l < t.lanes; ++l) text_ += (l ? ", " : "") + number(l);
  text_ += "};\n";
  return name;
}

// ---- memory ----------------------------------------------------------------------------------------------------------

/// A vector anywhere that an element may lie.
std::string ClangPrelude::unaligned(DType t) {
  const std::string v = type(t), name = pg::text(t) + "_u";
  if (first_use(name))
    text_ += "typedef " + v + " " + name + " __attribute__((aligned(" + number(t.element_bytes()) + "), may_alias));\n";
  return name;
}

/// The integer whose bit l is lane l of a mask.
std::string ClangPrelude::bits(int lanes) {
  const std::string m = type(dt::kBool.vec(lanes)), name = "bits_boolx" + number(lanes);
  if (!first_use(name)) return name;
  const int wide = std::max(lanes, 16);
  std::string x = "m";
  if (lanes < 16) {
    x = "__builtin_shufflevector(m, (" + m + ")0";
    for (int l = 0; l < wide; ++l) x += ", " + number(std::min(l, lanes));
    x += ")";
  }
  const std::string chars = "__attribute__((vector_size(" + number(wide) + ")))";
  define(
      "unsigned long " + name + "(" + m + " m)",
      "  typedef char chars " + chars + ";\n  return __builtin_ia32_cvtb2mask" + number(wide * 8) + "((chars)" + x + ");\n");
  return name;
}

/// Bits beyond the lanes are 0, so that the rest of a 16-byte register touches nothing.
std::string ClangPrelude::masked_body_in_a_wider_register(DType t, bool is_store, const std::string& by_lanes) {
  const int n = t.lanes, wide = 16 / t.element_bytes();
  const std::string v = type(t), w = type(t.vec(wide)), k = bits(n) + "(m)";
  std::string lanes;
  for (int l = 0; l < (is_store ? wide : n); ++l) lanes += ", " + number(std::min(l, n - 1));
  const std::string ints = std::string("  typedef ") + int_of(t) + " ints __attribute__((vector_size(16)));\n";
  const std::string builtin =
      std::string("__builtin_ia32_") + (is_store ? "store" : "load") + "dqu" + suffix_of(t) + "128_mask";
  std::string s = "#if defined(__AVX512BW__) && defined(__AVX512VL__)\n" + ints;
  if (is_store)
    s += "  " + builtin + "((void *)p, (ints)__builtin_shufflevector(v, v" + lanes + "), " + k + ");\n";
  else
    s += "  const " + w + " r = (" + w + ")" + builtin + "((const void *)p, (ints)(" + w + ")0, " + k +
         ");\n  return __builtin_shufflevector(r, r" + lanes + ");\n";
  return s + "#else\n" + by_lanes + "#endif\n";
}

/// A masked load or store, by instructions where there are some for the shape.
std::string ClangPrelude::masked_body(DType t, bool is_store) {
  const int bytes = t.bytes(), element_bytes = t.element_bytes();
  const std::string v = type(t), access = is_store ? "store" : "load";
  const char* sign = t.is_bool() ? "-" : "";
  const std::string by_lanes =
      is_store ? lanes_loop(t, std::string("if (m[l]) p[l] = ") + sign + "v[l];")
               : "  " + v + " r = 0;\n" + lanes_loop(t, std::string("if (m[l]) r[l] = ") + sign + "p[l];") + "  return r;\n";
  if (!is_power_of_two(t.lanes)) return by_lanes;
  if (t.is_bool()) {  // bytes of 0 and 1
    const DType byte = dt::i8.vec(t.lanes);
    return is_store ? "  " + store(byte, true) + "((signed char *)p, -v, m);\n"
                    : "  return -" + load(byte, true) + "((const signed char *)p, m);\n";
  }
  if (bytes < 16) return masked_body_in_a_wider_register(t, is_store, by_lanes);
  std::string by_halves;
  if (bytes > 32) {
    const DType half = t.vec(t.lanes / 2);
    const std::string f = is_store ? store(half, true) : load(half, true), high = "p + " + number(half.lanes);
    by_halves = is_store
                    ? "  " + f + "(p, v.lo, m.lo);\n  " + f + "(" + high + ", v.hi, m.hi);\n"
                    : "  " + v + " r;\n  r.lo = " + f + "(p, m.lo);\n  r.hi = " + f + "(" + high + ", m.hi);\n  return r;\n";
  }
  if (bytes > 64) return by_halves;
  const std::string ints =
      std::string("  typedef ") + int_of(t) + " ints __attribute__((vector_size(" + number(bytes) + ")));\n";
  const std::string builtin = "__builtin_ia32_" + access + "dqu" + suffix_of(t) + number(bytes * 8) + "_mask",
                    k = bits(t.lanes) + "(m)";
  std::string s = "#if defined(__AVX512BW__) && defined(__AVX512VL__)\n" + ints;
  if (is_store)
    s += "  " + builtin + "((void *)p, (ints)v, " + k + ");\n";
  else
    s += "  return (" + v + ")" + builtin + "((const void *)p, (ints)(" + v + ")0, " + k + ");\n";
  if (bytes > 32) {
    s += "#elif defined(__AVX2__)\n" + by_halves;
  } else if (element_bytes >= 4) {
    const std::string mask = "(ints)__builtin_convertvector(m, " + type(mask_int(t)) + ")";
    const std::string move = "__builtin_ia32_mask" + access + (element_bytes == 4 ? "d" : "q") + (bytes == 32 ? "256" : "");
    s += "#elif defined(__AVX2__)\n" + ints;
    if (is_store)
      s += "  " + move + "((void *)p, " + mask + ", (ints)v);\n";
    else
      s += "  return (" + v + ")" + move + "((const void *)p, " + mask + ");\n";
  }
  return s + "#else\n" + by_lanes + "#endif\n";
}

std::string ClangPrelude::load(DType t, bool masked) {
  const std::string v = type(t), e = element(t), name = (masked ? "load_masked_" : "load_") + pg::text(t);
  const std::string head =
      v + " " + name + "(const " + e + " *p" + (masked ? ", " + type(dt::kBool.vec(t.lanes)) + " m)" : ")");
  if (masked) {
    if (!first_use(name)) return name;
    define(head, masked_body(t, false));
  } else if (t.is_bool()) {
    if (!first_use(name)) return name;
    define(head, "  " + v + " r;\n  __builtin_memcpy(&r, p, " + number(t.lanes) + ");\n  return -r;\n");
  } else if (!is_power_of_two(t.lanes)) {  // the vector type is larger than its lanes
    if (!first_use(name)) return name;
    define(head, "  " + v + " r;\n  __builtin_memcpy(&r, p, " + number(t.bytes()) + ");\n  return r;\n");
  } else {
    const std::string u = unaligned(t);
    if (first_use(name)) macro(name + "(p)", "(*(const " + u + " *)(p))");
  }
  return name;
}

std::string ClangPrelude::store(DType t, bool masked) {
  const std::string v = type(t), e = element(t), name = (masked ? "store_masked_" : "store_") + pg::text(t);
  const std::string head =
      "void " + name + "(" + e + " *p, " + v + " v" + (masked ? ", " + type(dt::kBool.vec(t.lanes)) + " m)" : ")");
  if (masked) {
    if (!first_use(name)) return name;
    define(head, masked_body(t, true));
  } else if (t.is_bool() || !is_power_of_two(t.lanes)) {
    if (!first_use(name)) return name;
    define(head, std::string(t.is_bool() ? "  v = -v;\n" : "") + "  __builtin_memcpy(p, &v, " + number(t.bytes()) + ");\n");
  } else {
    const std::string u = unaligned(t);
    if (first_use(name)) macro(name + "(p, v)", "(*(" + u + " *)(p) = (v))");
  }
  return name;
}

std::string ClangPrelude::gather(DType t, bool masked) {
  const std::string v = type(t), i = type(dt::i64.vec(t.lanes)),
                    name = (masked ? "gather_masked_" : "gather_") + pg::text(t);
  const std::string mask = masked ? ", " + type(dt::kBool.vec(t.lanes)) + " m" : "";
  if (!first_use(name)) return name;
  const std::string by_lanes =
      "  " + v + " r = 0;\n" +
      lanes_loop(t, std::string(masked ? "if (m[l]) " : "") + "r[l] = " + (t.is_bool() ? "-" : "") + "p[i[l]];") +
      "  return r;\n";
  const bool instruction = t.scalar == Scalar::Float32 && t.lanes % 8 == 0 && is_power_of_two(t.lanes);
  const std::string bits_of = masked && instruction ? bits(t.lanes) + "(m)" : "";
  define(v + " " + name + "(const " + element(t) + " *p, " + i + " i" + mask + ")",
         instruction ? gather_body(t, bits_of) + by_lanes + "#endif\n" : by_lanes);
  return name;
}

/// AVX-512 gathers eight floats by 64-bit indices in one instruction; other machines take them lane by lane.
std::string ClangPrelude::gather_body(DType t, const std::string& mask_bits) {
  std::string s =
      "#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)\n"
      "  typedef float eight __attribute__((vector_size(32)));\n"
      "  typedef long long eight_indices __attribute__((vector_size(64)));\n";
  const std::string v = type(t);
  std::string parts, lanes;
  if (!mask_bits.empty()) s += "  const unsigned long bits = " + mask_bits + ";\n";
  s += "  union { " + v + " whole; eight part[" + number(t.lanes / 8) + "]; } r;\n";
  for (int part = 0; part < t.lanes / 8; ++part) {
    std::string from;
    for (int l = 0; l < 8; ++l) from += ", " + number(part * 8 + l);
    const std::string chosen = mask_bits.empty() ? "(unsigned char)-1" : "(unsigned char)(bits >> " + number(part * 8) + ")";
    s += "  r.part[" + number(part) +
         "] = __builtin_ia32_gatherdiv16sf((eight){0}, p, (eight_indices)__builtin_shufflevector(i, i" + from + "), " +
         chosen + ", 4);\n";
  }
  return s + "  return r.whole;\n#else\n";
}

std::string ClangPrelude::scatter(DType t, bool masked) {
  const std::string v = type(t), i = type(dt::i64.vec(t.lanes)),
                    name = (masked ? "scatter_masked_" : "scatter_") + pg::text(t);
  const std::string mask = masked ? ", " + type(dt::kBool.vec(t.lanes)) + " m" : "";
  if (first_use(name))
    define("void " + name + "(" + element(t) + " *p, " + i + " i, " + v + " v" + mask + ")",
           lanes_loop(t, std::string(masked ? "if (m[l]) " : "") + "p[i[l]] = " + (t.is_bool() ? "-v[l];" : "v[l];")));
  return name;
}

}  // namespace pg
