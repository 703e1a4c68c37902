#include "search/opt.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace pg {

namespace {

std::string joined(const auto& items, auto&& to_text) {
  std::string s;
  for (const auto& i : items) s += (s.empty() ? "" : " ") + to_text(i);
  return s;
}

std::vector<std::string_view> split(std::string_view s, char at) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= s.size();) {
    const size_t end = std::min(s.find(at, begin), s.size());
    if (end > begin || at != ' ') parts.push_back(s.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool is_axis(std::string_view s) {
  if (s.empty() || (s[0] >= '0' && s[0] <= '9')) return false;
  for (char c : s)
    if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) return false;
  return true;
}
std::optional<int64_t> number(std::string_view s) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
  if (error != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return n;
}

[[noreturn]] void refuse(std::string_view opt, const char* why) {
  throw UserError("schedule: '" + std::string(opt) + "' is no opt: " + why);
}

RangeRef parse_range(std::string_view s, std::string_view opt) {
  const size_t colon = s.find(':');
  RangeRef r{std::string(s.substr(0, colon)), 0};
  if (!is_axis(r.axis)) refuse(opt, "an axis name is letters, digits and _");
  if (colon != s.npos) {
    const auto n = number(s.substr(colon + 1));
    if (!n || *n < 1) refuse(opt, "a range is axis or axis:tile");
    r.tile = *n;
  }
  return r;
}

}  // namespace

std::string text(const RangeRef& r) { return r.tile ? r.axis + ":" + std::to_string(r.tile) : r.axis; }

std::string text(const Opt& opt) {
  if (const auto* t = std::get_if<Tile>(&opt))
    return "tile(" + t->axis + "," + std::to_string(t->size) +
           (t->kind == Kind::Loop ? "" : std::string(",") + text(t->kind)) + ")";
  if (const auto* g = std::get_if<Grid>(&opt))
    return "grid(" + joined(g->axes, [](const std::string& a) { return a; }) + ")";
  return "order(" + joined(std::get<Order>(opt).ranges, [](const RangeRef& r) { return text(r); }) + ")";
}
std::string text(const Opts& opts) {
  return joined(opts, [](const Opt& o) { return text(o); });
}

Opt parse_opt(std::string_view s) {
  const size_t open = s.find('(');
  if (open == s.npos || s.back() != ')') refuse(s, "the form is name(arguments)");
  const std::string_view name = s.substr(0, open), inside = s.substr(open + 1, s.size() - open - 2);
  if (name == "tile") {
    const auto parts = split(inside, ',');
    if (parts.size() < 2 || parts.size() > 3) refuse(s, "tile(axis,size[,kind])");
    const auto size = number(parts[1]);
    const auto kind = parts.size() == 3 ? parse_kind(parts[2]) : Kind::Loop;
    if (!is_axis(parts[0]) || !size) refuse(s, "tile(axis,size[,kind])");
    if (!kind || *kind == Kind::Grid) refuse(s, "kinds are loop, unroll, upcast, vec, local, tc");
    return Tile{std::string(parts[0]), *size, *kind};
  }
  if (name == "grid") {
    Grid g;
    for (std::string_view a : split(inside, ' ')) {
      if (!is_axis(a)) refuse(s, "grid(axis axis ..)");
      g.axes.emplace_back(a);
    }
    return g;
  }
  if (name == "order") {
    Order o;
    for (std::string_view r : split(inside, ' ')) o.ranges.push_back(parse_range(r, s));
    return o;
  }
  refuse(s, "known are tile, grid, order");
}

Opts parse_opts(std::string_view s) {
  Opts opts;
  while (true) {
    const size_t begin = s.find_first_not_of(" \t\n");
    if (begin == s.npos) return opts;
    const size_t close = s.find(')', begin);
    if (close == s.npos) refuse(s.substr(begin), "the form is name(arguments)");
    opts.push_back(parse_opt(s.substr(begin, close + 1 - begin)));
    s.remove_prefix(close + 1);
  }
}

}  // namespace pg
