#include "uops/text.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_map>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pg {

namespace {
constexpr uint64_t kNan = 0x7ff8000000000000;

template <class N>
std::string digits(N value, int base = 10) {
  std::array<char, 64> buffer;
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, base).ptr};
}
}  // namespace

std::string number_text(double v) {
  const auto bits = std::bit_cast<uint64_t>(v);
  if (std::isnan(v)) return bits == kNan ? "nan" : "nan:" + digits(bits, 16);
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  std::array<char, 64> buffer;
  std::string s(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), v).ptr);
  return s.find_first_of(".e") == s.npos ? s + ".0" : s;
}

std::optional<double> parse_number(std::string_view s) {
  const char* const end = s.data() + s.size();
  if (s == "nan") return std::bit_cast<double>(kNan);
  if (s == "inf" || s == "-inf") return s[0] == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  if (s.starts_with("nan:")) {
    uint64_t bits = 0;
    const auto [p, error] = std::from_chars(s.data() + 4, end, bits, 16);
    return error == std::errc() && p == end && std::isnan(std::bit_cast<double>(bits)) ? std::optional(std::bit_cast<double>(bits)) : std::nullopt;
  }
  double v = 0;
  const auto [p, error] = std::from_chars(s.data(), end, v);
  return error == std::errc() && p == end ? std::optional(v) : std::nullopt;
}

// ---- writing ---------------------------------------------------------------------------------------------------------

namespace {
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A name that needs no quotes; nan and inf would read as numbers.
bool is_bare(std::string_view s) {
  if (s.empty() || !is_letter(s[0]) || s == "nan" || s == "inf") return false;
  for (char c : s)
    if (!is_letter(c) && !is_digit(c) && c != '.') return false;
  return true;
}
std::string quoted(std::string_view s) {
  std::string q = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') q += '\\';
    if (c == '\n') q += "\\n";
    else q += c;
  }
  return q + '"';
}
std::string name_text(const std::string& s) { return is_bare(s) ? s : quoted(s); }
std::string list_text(const Ints& v) {
  std::string s = "(";
  for (size_t i = 0; i < v.size(); ++i) s += (i ? " " : "") + digits(v[i]);
  return s + ')';
}

struct ArgText {
  std::string operator()(std::monostate) const { return {}; }
  std::string operator()(int64_t v) const { return digits(v); }
  std::string operator()(double v) const { return number_text(v); }
  std::string operator()(const std::string& s) const { return quoted(s); }
  std::string operator()(const Ints& v) const { return list_text(v); }
  std::string operator()(const RangeArg& a) const {
    std::string s = name_text(a.axis);
    if (a.tile) s += ':' + digits(a.tile);
    return a.kind == Kind::Loop && is_bare(a.axis) ? s : s + ' ' + text(a.kind);
  }
  std::string operator()(const VariableArg& a) const { return name_text(a.name) + ' ' + digits(a.lo) + ".." + digits(a.hi); }
  std::string operator()(const ParamArg& a) const { return '#' + digits(a.slot) + ' ' + name_text(a.name); }
  std::string operator()(const ReduceArg& a) const { return name_text(a.reducer) + list_text(a.axes); }
};
}  // namespace

std::string text(const UOp& root) {
  std::string out;
  std::unordered_map<const void*, size_t> number;
  for (const UOp& u : toposort(root)) {
    const size_t n = number.size();
    number.emplace(u.id(), n);
    out += '%' + digits(n) + " = " + info(u.op()).name + ' ' + text(u.dtype());
    if (u.arg().index() != 0) out += " [" + std::visit(ArgText(), u.arg()) + ']';
    for (const UOp& s : u.src()) out += " %" + digits(number.at(s.id()));
    out += '\n';
  }
  return out;
}

std::string content_id(const UOp& u) {
  const std::string t = text(u);
  const XXH128_hash_t h = XXH3_128bits(t.data(), t.size());
  std::string s;
  for (uint64_t half : {h.high64, h.low64}) {
    const std::string d = digits(half, 16);
    s += std::string(16 - d.size(), '0') + d;
  }
  return s;
}

// ---- reading ---------------------------------------------------------------------------------------------------------

namespace {
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  UOp parse() {
    while (true) {
      while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == ' ')) line_ += text_[at_++] == '\n';
      if (at_ == text_.size()) break;
      node();
    }
    if (nodes_.empty()) fail("no node");
    return nodes_.back();
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw UserError("UOp text, line " + digits(line_) + ": " + what); }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\n'; }
  bool accept(std::string_view s) {
    if (text_.substr(at_, s.size()) != s) return false;
    at_ += s.size();
    return true;
  }
  void expect(std::string_view s) {
    if (!accept(s)) fail("expected '" + std::string(s) + "' before '" + std::string(text_.substr(at_, text_.substr(at_).find('\n'))) + "'");
  }
  std::string_view until(std::string_view stops) {
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != '\n' && stops.find(text_[at_]) == stops.npos) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  int64_t integer() {
    int64_t v = 0;
    const char* const begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), v);
    if (error != std::errc()) fail("expected an integer before '" + std::string(until("")) + "'");
    at_ += static_cast<size_t>(end - begin);
    return v;
  }
  std::string name() {
    if (peek() != '"') return std::string(until(" :(]"));
    ++at_;
    std::string s;
    while (peek() != '"') {
      if (peek() == '\n') fail("a string without its end");
      if (accept("\\n")) {
        s += '\n';
        continue;
      }
      accept("\\");
      s += text_[at_++];
    }
    ++at_;
    return s;
  }
  Ints list() {
    Ints v;
    expect("(");
    while (!accept(")")) {
      if (!v.empty()) expect(" ");
      v.push_back(integer());
    }
    return v;
  }
  Arg range(std::string axis) {
    RangeArg r{std::move(axis)};
    if (accept(":")) r.tile = integer();
    if (accept(" ")) {
      const std::string_view word = until("]");
      const auto kind = parse_kind(word);
      if (!kind) fail("no kind of range is named '" + std::string(word) + "'");
      r.kind = *kind;
    }
    return r;
  }
  Arg arg() {
    const char c = peek();
    if (c == '(') return list();
    if (accept("#")) {
      const int64_t slot = integer();
      expect(" ");
      return ParamArg{slot, name()};
    }
    if (c != '"' && !is_letter(c)) return number();
    const size_t begin = at_;
    std::string word = name();
    if (peek() == '(') return ReduceArg{std::move(word), list()};
    if (c != '"' && (word == "nan" || word == "inf")) {
      at_ = begin;
      return number();
    }
    if (c == '"' && peek() == ']') return word;
    if (peek() == ' ' && at_ + 1 < text_.size() && (is_digit(text_[at_ + 1]) || text_[at_ + 1] == '-')) {
      ++at_;
      const int64_t lo = integer();
      expect("..");
      return VariableArg{std::move(word), lo, integer()};
    }
    return range(std::move(word));
  }
  Arg number() {
    const std::string_view word = until("]");
    int64_t v = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), v);
    if (error == std::errc() && end == word.data() + word.size()) return v;
    const auto d = parse_number(word);
    if (!d) fail("'" + std::string(word) + "' is no argument");
    return *d;
  }
  void node() {
    expect("%");
    if (integer() != static_cast<int64_t>(nodes_.size())) fail("nodes are numbered 0, 1, 2, ..");
    expect(" = ");
    const std::string_view op_name = until(" ");
    const auto op = parse_op(op_name);
    if (!op) fail("no op is named '" + std::string(op_name) + "'");
    expect(" ");
    const std::string_view type_name = until(" ");
    const auto dtype = parse_dtype(type_name);
    if (!dtype) fail("no dtype is named '" + std::string(type_name) + "'");
    Arg a;
    if (accept(" [")) {
      a = arg();
      expect("]");
    }
    UOps src;
    while (accept(" %")) {
      const int64_t n = integer();
      if (n < 0 || n >= static_cast<int64_t>(nodes_.size())) fail("%" + digits(n) + " is not defined above");
      src.push_back(nodes_[static_cast<size_t>(n)]);
    }
    if (peek() != '\n') fail("unexpected '" + std::string(until("")) + "'");
    const OpInfo& i = info(*op);
    if (static_cast<int>(src.size()) < i.least || (i.most >= 0 && static_cast<int>(src.size()) > i.most))
      fail(std::string(i.name) + " does not take " + digits(src.size()) + " sources");
    nodes_.emplace_back(*op, *dtype, std::move(a), src);
  }

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  UOps nodes_;
};
}  // namespace

UOp parse(std::string_view s) { return Parser(s).parse(); }

}  // namespace pg
