#include "search/opt.h"

#include <algorithm>
#include <optional>

namespace pg {

namespace {

std::string joined(const auto& items, auto&& to_text) {
  std::string s;
  for (const auto& i : items) s += (s.empty() ? "" : " ") + to_text(i);
  return s;
}

struct OptText {
  std::string operator()(const Tile& t) const {
    return "tile(" + (t.nest.empty() ? "" : t.nest + ".") + t.axis + "," + std::to_string(t.size) +
           (t.kind == Kind::Loop ? "" : std::string(",") + pg::text(t.kind)) + ")";
  }
  std::string operator()(const Grid& g) const {
    return "grid(" + joined(g.axes, [](const std::string& a) { return a; }) + ")";
  }
  std::string operator()(const Order& o) const {
    return "order(" + joined(o.ranges, [](const RangeRef& r) { return pg::text(r); }) + ")";
  }
  std::string operator()(const Online& o) const { return "online(" + o.axis + "," + std::to_string(o.size) + ")"; }
  std::string operator()(const Streams& s) const { return "streams(" + s.axis + "," + std::to_string(s.count) + ")"; }
  std::string operator()(const Swap& s) const { return "swap(" + s.a + "," + s.b + ")"; }
  std::string operator()(const StageOpt& s) const { return pg::text(s); }
  std::string operator()(const Fuse& f) const { return pg::text(Directive(f)); }
  std::string operator()(const PadLoop& p) const { return pg::text(Directive(p)); }
  std::string operator()(const PrefetchBuffer& p) const { return pg::text(Directive(p)); }
  std::string operator()(const Bounds& b) const { return pg::text(Directive(b)); }
  std::string operator()(const Lanes& l) const { return pg::text(Directive(l)); }
};

Tile parse_tile(std::string_view s, std::string_view inside) {
  const auto parts = split_words(inside, ',');
  if (parts.size() < 2 || parts.size() > 3) refuse_opt(s, "tile(axis,size[,kind])");
  const auto size = parse_integer(parts[1]);
  const auto kind = parts.size() == 3 ? parse_kind(parts[2]) : Kind::Loop;
  if (!size) refuse_opt(s, "tile(axis,size[,kind])");
  if (!kind || *kind == Kind::Grid) refuse_opt(s, "kinds are loop, unroll, upcast, vec, local, tc");
  const RangeRef r = parse_range_ref(parts[0], s);
  if (r.tile) refuse_opt(s, "tile(axis,size[,kind])");
  return {r.axis, *size, *kind, r.nest};
}

}  // namespace

std::string text(const Opt& opt) { return std::visit(OptText(), opt); }
std::string text(const Opts& opts) {
  return joined(opts, [](const Opt& o) { return text(o); });
}

Opt parse_opt(std::string_view s) {
  const auto [name, inside] = parse_call(s);
  if (name == "tile") return parse_tile(s, inside);
  if (name == "stage") return parse_stage(s, inside);
  if (name == "pad") return parse_pad(s, inside);
  if (name == "prefetch") return parse_prefetch(s, inside);
  if (name == "bounds") return parse_bounds(s, inside);
  if (name == "lanes") return parse_lanes(s, inside);
  if (name == "fuse") {
    if (!is_axis_name(inside)) refuse_opt(s, "fuse(axis)");
    return Fuse{std::string(inside)};
  }
  if (name == "grid") {
    Grid g;
    for (std::string_view a : split_words(inside, ' ')) {
      if (!is_axis_name(a)) refuse_opt(s, "grid(axis axis ..)");
      g.axes.emplace_back(a);
    }
    return g;
  }
  if (name == "order") {
    Order o;
    for (std::string_view r : split_words(inside, ' ')) o.ranges.push_back(parse_range_ref(r, s));
    for (size_t i = 1; i < o.ranges.size(); ++i)
      if (!o.ranges[i].nest.empty()) refuse_opt(s, "order([nest.]range range ..)");
    return o;
  }
  if (name == "online" || name == "streams" || name == "swap") {
    const auto parts = split_words(inside, ',');
    const bool two = parts.size() == 2 && is_axis_name(parts[0]);
    if (name == "swap") {
      if (!two || !is_axis_name(parts[1])) refuse_opt(s, "swap(axis,axis)");
      return Swap{std::string(parts[0]), std::string(parts[1])};
    }
    const auto size = two ? parse_integer(parts[1]) : std::nullopt;
    if (!size) refuse_opt(s, name == "online" ? "online(axis,size)" : "streams(axis,count)");
    if (name == "streams") return Streams{std::string(parts[0]), *size};
    return Online{std::string(parts[0]), *size};
  }
  refuse_opt(s, "known are tile, grid, order, stage, online, fuse, pad, prefetch, bounds, lanes, swap, streams");
}

Opts parse_opts(std::string_view s) {
  Opts opts;
  while (true) {
    const size_t begin = s.find_first_not_of(" \t\n");
    if (begin == s.npos) return opts;
    const size_t close = s.find(')', begin);
    if (close == s.npos) refuse_opt(s.substr(begin), "the form is name(arguments)");
    opts.push_back(parse_opt(s.substr(begin, close + 1 - begin)));
    s.remove_prefix(close + 1);
  }
}

}  // namespace pg
