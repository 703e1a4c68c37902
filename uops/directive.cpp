#include "uops/directive.h"

#include <charconv>
#include <optional>

namespace pg {

namespace {
constexpr const char* kMemoryNames[] = {"cache", "reg", "shared", "global"};
constexpr const char* kCopyNames[] = {"plain", "cp.async"};
constexpr const char* kBanksNames[] = {"", "swizzle", "pad"};

template <class E, size_t n>
std::optional<E> named(const char* const (&names)[n], std::string_view word) {
  for (size_t i = 0; i < n; ++i)
    if (word == names[i]) return static_cast<E>(i);
  return std::nullopt;
}

std::string text(const LayoutPart& p) {
  if (p.kind == LayoutPart::Kind::Whole) return p.dim;
  return p.dim + (p.kind == LayoutPart::Kind::Outer ? "/" : "%") + std::to_string(p.size);
}

std::vector<LayoutPart> parse_layout(std::string_view s, std::string_view whole) {
  std::vector<LayoutPart> parts;
  for (std::string_view word : split_words(s, ' ')) {
    LayoutPart p;
    const size_t at = word.find_first_of("/%");
    p.dim = std::string(word.substr(0, at));
    if (!is_axis_name(p.dim) && !parse_integer(p.dim)) refuse_opt(whole, "a layout is dims like k, n/32, n%32");
    if (at != word.npos) {
      const auto size = parse_integer(word.substr(at + 1));
      if (!size || *size < 1) refuse_opt(whole, "a layout is dims like k, n/32, n%32");
      p.size = *size;
      p.kind = word[at] == '/' ? LayoutPart::Kind::Outer : LayoutPart::Kind::Inner;
    }
    parts.push_back(std::move(p));
  }
  if (parts.empty()) refuse_opt(whole, "a layout is dims like k, n/32, n%32");
  return parts;
}

constexpr const char* kStageForm = "stage(value,range[,mem=..][,layout=..][,stages=n][,copy=..])";
}  // namespace

// ---- pieces ----------------------------------------------------------------------------------------------------------

void refuse_opt(std::string_view opt, const std::string& why) {
  throw UserError("schedule: '" + std::string(opt) + "' is no opt: " + why);
}

CallText parse_call(std::string_view s) {
  const size_t open = s.find('(');
  if (open == s.npos || s.back() != ')') refuse_opt(s, "the form is name(arguments)");
  return {s.substr(0, open), s.substr(open + 1, s.size() - open - 2)};
}

std::vector<std::string_view> split_words(std::string_view s, char at) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= s.size();) {
    const size_t end = std::min(s.find(at, begin), s.size());
    if (end > begin || at != ' ') parts.push_back(s.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool is_axis_name(std::string_view s) {
  if (s.empty() || (s[0] >= '0' && s[0] <= '9')) return false;
  for (char c : s)
    if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) return false;
  return true;
}

std::optional<int64_t> parse_integer(std::string_view s) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
  if (error != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return n;
}

RangeRef parse_range_ref(std::string_view s, std::string_view whole) {
  RangeRef r;
  if (const size_t dot = s.find('.'); dot != s.npos) {
    r.nest = std::string(s.substr(0, dot));
    s.remove_prefix(dot + 1);
    if (!is_axis_name(r.nest)) refuse_opt(whole, "a nest's name is letters, digits and _");
  }
  const size_t colon = s.find(':');
  r.axis = std::string(s.substr(0, colon));
  if (!is_axis_name(r.axis)) refuse_opt(whole, "an axis name is letters, digits and _");
  if (colon != s.npos) {
    const auto n = parse_integer(s.substr(colon + 1));
    if (!n || *n < 1) refuse_opt(whole, "a range is axis or axis:tile");
    r.tile = *n;
  }
  return r;
}

std::string text(const RangeRef& r) {
  return (r.nest.empty() ? "" : r.nest + ".") + r.axis + (r.tile ? ":" + std::to_string(r.tile) : "");
}

// ---- directives ------------------------------------------------------------------------------------------------------

std::string text(const StageOpt& s) {
  std::string t = "stage(" + s.value + ",";
  t += s.at.axis.empty() ? (s.at.nest.empty() ? "" : s.at.nest + ".") + "top" : text(s.at);
  if (s.memory != StageMemory::Cache) t += std::string(",mem=") + kMemoryNames[static_cast<int>(s.memory)];
  for (size_t i = 0; i < s.layout.size(); ++i) t += (i ? " " : ",layout=") + text(s.layout[i]);
  if (s.banks != StageBanks::Plain)
    t += std::string(s.layout.empty() ? ",layout=src+" : "+") + kBanksNames[static_cast<int>(s.banks)];
  if (s.stages != 1) t += ",stages=" + std::to_string(s.stages);
  if (s.copy != StageCopy::Plain) t += std::string(",copy=") + kCopyNames[static_cast<int>(s.copy)];
  return t + ")";
}

std::string text(const Directive& d) {
  if (const auto* s = std::get_if<StageOpt>(&d)) return text(*s);
  if (const auto* o = std::get_if<OnlineLoop>(&d)) return "online(" + o->axis + ")";
  if (const auto* f = std::get_if<Fuse>(&d)) return "fuse(" + f->axis + ")";
  if (const auto* p = std::get_if<PadLoop>(&d)) return "pad(" + p->axis + "," + std::to_string(p->size) + ")";
  if (const auto* b = std::get_if<Bounds>(&d)) return "bounds(" + std::to_string(b->blocks) + ")";
  if (const auto* l = std::get_if<Lanes>(&d)) return "lanes(" + text(RangeRef{l->axis, 0, l->nest}) + ")";
  const auto& p = std::get<PrefetchBuffer>(d);
  return "prefetch(" + p.buffer + "," + text(p.at) + ")";
}

StageOpt parse_stage(std::string_view whole, std::string_view inside) {
  const auto parts = split_words(inside, ',');
  if (parts.size() < 2) refuse_opt(whole, kStageForm);
  StageOpt s;
  s.value = std::string(parts[0]);
  if (!is_axis_name(s.value)) refuse_opt(whole, "a value's name is letters, digits and _");
  s.at = parse_range_ref(parts[1], whole);
  if (s.at.axis == "top" && !s.at.tile) s.at.axis.clear();
  for (size_t i = 2; i < parts.size(); ++i) {
    const size_t equals = parts[i].find('=');
    const std::string_view key = parts[i].substr(0, equals),
                           value = equals == parts[i].npos ? "" : parts[i].substr(equals + 1);
    if (key == "mem") {
      const auto memory = named<StageMemory>(kMemoryNames, value);
      if (!memory) refuse_opt(whole, "mem is cache, reg, shared or global");
      s.memory = *memory;
    } else if (key == "layout") {
      const size_t plus = value.find('+');
      if (plus != value.npos) {
        const auto banks = named<StageBanks>(kBanksNames, value.substr(plus + 1));
        if (!banks || *banks == StageBanks::Plain) refuse_opt(whole, "a layout ends with +swizzle or +pad");
        s.banks = *banks;
      }
      if (value.substr(0, plus) != "src") s.layout = parse_layout(value.substr(0, plus), whole);
    } else if (key == "stages") {
      const auto n = parse_integer(value);
      if (!n || *n < 1) refuse_opt(whole, "stages is a number, 1 or more");
      s.stages = *n;
    } else if (key == "copy") {
      const auto copy = named<StageCopy>(kCopyNames, value);
      if (!copy) refuse_opt(whole, "copy is plain or cp.async");
      s.copy = *copy;
    } else {
      refuse_opt(whole, kStageForm);
    }
  }
  return s;
}

PadLoop parse_pad(std::string_view whole, std::string_view inside) {
  const auto parts = split_words(inside, ',');
  const auto size = parts.size() == 2 ? parse_integer(parts[1]) : std::nullopt;
  if (!size || *size < 1 || !is_axis_name(parts[0])) refuse_opt(whole, "pad(axis,size)");
  return {std::string(parts[0]), *size};
}

Bounds parse_bounds(std::string_view whole, std::string_view inside) {
  const auto blocks = parse_integer(inside);
  if (!blocks || *blocks < 1) refuse_opt(whole, "bounds(blocks)");
  return {*blocks};
}

Lanes parse_lanes(std::string_view whole, std::string_view inside) {
  const RangeRef r = parse_range_ref(inside, whole);
  if (r.tile) refuse_opt(whole, "lanes([nest.]axis)");
  return {r.axis, r.nest};
}

PrefetchBuffer parse_prefetch(std::string_view whole, std::string_view inside) {
  const auto parts = split_words(inside, ',');
  if (parts.size() != 2 || !is_axis_name(parts[0])) refuse_opt(whole, "prefetch(buffer,range)");
  return {std::string(parts[0]), parse_range_ref(parts[1], whole)};
}

Directive parse_directive(std::string_view s) {
  const auto [name, inside] = parse_call(s);
  if (name == "stage") return parse_stage(s, inside);
  if (name == "pad") return parse_pad(s, inside);
  if (name == "prefetch") return parse_prefetch(s, inside);
  if (name == "bounds") return parse_bounds(s, inside);
  if (name == "lanes") return parse_lanes(s, inside);
  if (!is_axis_name(inside)) refuse_opt(s, std::string(name) + "(axis)");
  const std::string axis(inside);
  if (name == "online") return OnlineLoop{axis};
  if (name == "fuse") return Fuse{axis};
  refuse_opt(s, "directives are stage, online, fuse, pad, prefetch, bounds, lanes");
}

UOp directive(const Directive& d) { return UOp(Op::Directive, dt::kVoid, text(d), {}); }

}  // namespace pg
