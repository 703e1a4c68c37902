#include "renderers/c_text.h"

#include <charconv>
#include <cmath>
#include <cstdint>

#include "uops/half.h"
#include "uops/kernel.h"

namespace pg {

namespace {

/// The shortest decimal that reads back as the same value.
template <class T>
std::string shortest(T x) {
  char buffer[40];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, x);
  std::string s(buffer, end);
  if (s.find_first_of(".e") == s.npos) s += ".0";
  return s;
}

CText signed_text(std::string s) {
  const bool negative = s[0] == '-';
  return {std::move(s), negative ? Precedence::Unary : Precedence::Postfix};
}

CText float_literal(float x) {
  if (std::isnan(x)) return {"__builtin_nanf(\"\")"};
  if (std::isinf(x)) return signed_text(x < 0 ? "-__builtin_inff()" : "__builtin_inff()");
  return signed_text(shortest(x) + "f");
}

CText int_literal(DType dtype, int64_t value) {
  if (dtype.scalar == Scalar::UInt64) return {std::to_string(static_cast<uint64_t>(value)) + "ul"};
  if (dtype.scalar == Scalar::UInt32) return {std::to_string(static_cast<uint32_t>(value)) + "u"};
  // The literal of the smallest number would be the negation of one that does not fit.
  if (value == INT64_MIN) return {"(-9223372036854775807 - 1)"};
  return signed_text(std::to_string(value));
}

// Of the words that a kernel, an axis or a buffer may be called by: those of C, of the functions that compilers call
// unasked, and of the generated function itself.
const std::unordered_set<std::string_view> kReserved = {
    "asm",    "auto", "bool",     "break",    "case",   "char",     "const",     "continue", "default", "do",
    "double", "else", "enum",     "extern",   "false",  "float",    "for",       "goto",     "if",      "inline",
    "int",    "long", "register", "restrict", "return", "short",    "signed",    "sizeof",   "static",  "struct",
    "switch", "true", "typedef",  "typeof",   "union",  "unsigned", "void",      "volatile", "while",   "linux",
    "unix",   "main", "memcpy",   "memmove",  "memset", "buffers",  "variables", "begin",    "end"};

}  // namespace

CText c_literal(DType dtype, const Arg& value) {
  if (!dtype.is_float()) return int_literal(dtype, std::get<int64_t>(value));
  const float x = static_cast<float>(std::get<double>(value));
  switch (dtype.scalar) {
    case Scalar::BFloat16: return {std::to_string(to_bf16(x))};
    case Scalar::Float16: return {"(_Float16)" + float_literal(x).text, Precedence::Unary};
    default: return float_literal(x);
  }
}

std::string c_function_body(Op op, DType t, const std::string& type) {
  const auto body = [](const std::string& text) { return "  " + text + ";\n"; };
  switch (op) {
    case Op::Max:
    case Op::Min: {
      const std::string chosen = op == Op::Max ? "a > b ? a : b" : "a < b ? a : b";
      if (!t.is_float()) return body("return " + chosen);
      // fmaxf would lose a NaN, and say which zero is the larger. This is one instruction, which gives b when either is NaN; then
      // a, when a is.
      return body("const " + type + " r = " + chosen) + body("return a != a ? a : r");
    }
    case Op::IDiv:  // towards minus infinity
      return body("return a / b - ((a % b != 0) & ((a ^ b) < 0))");
    case Op::Mod: return body("const " + type + " r = a % b") + body("return r + ((r != 0) & ((r ^ b) < 0) ? b : 0)");
    default: throw InternalError("rendering: no function for " + std::string(info(op).name));
  }
}

CText c_call(std::string_view name, std::initializer_list<CText> arguments) {
  std::string s(name);
  s += "(";
  for (const CText& a : arguments) s += (s.back() == '(' ? "" : ", ") + a.text;
  return {s + ")"};
}

std::string Names::take(std::string_view wish) {
  const std::string base = identifier(wish);
  std::string name = base;
  for (int i = 2; kReserved.contains(name) || !taken_.insert(name).second; ++i) name = base + "_" + std::to_string(i);
  return name;
}

}  // namespace pg
