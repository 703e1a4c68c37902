#include "search/streams.h"

#include <algorithm>

#include "search/movement.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr int64_t kMostStreams = 16;  // a core's prefetchers follow about so many

bool reads_elsewhere(const Definition& d, const std::string& axis) {
  for (const UOp& read : definition_reads(d.value)) {
    const UOp& define = read.src(0).src(0);
    for (size_t i = 1; i < define.src().size(); ++i)
      if (axis_of(define.src(i)) == axis && !(read.src(0).src(i) == define.src(i))) return true;
  }
  return false;
}

}  // namespace

std::string streams_axis(const std::string& axis) { return axis + "_streams"; }

Expected<UOp> split_into_streams(const UOp& kernel, const Streams& s) {
  const auto no = [](const std::string& why) { return Illegal{"streams: " + why}; };
  if (s.count < 2 || s.count > kMostStreams)
    return no(std::to_string(s.count) + " is not in 2.." + std::to_string(kMostStreams));
  const std::vector<Definition> all = definitions(kernel);
  UOp whole;
  for (const UOp& r : all.back().ranges)
    if (axis_of(r) == s.axis) whole = r;
  if (!whole) return no("the output has no axis " + s.axis);
  const auto extent = const_int(whole.src(0));
  if (!extent || *extent % s.count) return no(std::to_string(s.count) + " does not divide " + s.axis);
  if (*extent == s.count) return no(s.axis + " has no more than " + std::to_string(s.count));
  for (const Definition& d : all) {
    if (has_axis(d.reduce_ranges, whole)) return no(s.axis + " is summed over");
    if (reads_elsewhere(d, s.axis)) return no(s.axis + " is read at other places");
    for (const UOps* ranges : {&d.ranges, &d.reduce_ranges})
      for (const UOp& r : *ranges)
        if (axis_of(r) == streams_axis(s.axis)) return no("there is an axis " + axis_of(r));
  }

  const int64_t part = *extent / s.count;
  const UOp stream = range(streams_axis(s.axis), iconst(s.count)), rest = range(s.axis, iconst(part));
  const UOp element = stream * iconst(part) + rest;
  Substitution map{{whole, element}};
  UOps parts;
  for (const Definition& d : all) {
    // Definitions that are read are in the map already, under both axes.
    for (const UOp& read : definition_reads(d.node.src(0))) {
      const UOp& define = read.src(0).src(0);
      const auto now = std::find_if(map.begin(), map.end(), [&](const auto& m) { return m.first == define; });
      UOps at;
      for (size_t i = 1; i < define.src().size(); ++i)
        if (define.src(i) == whole)
          at.insert(at.end(), {stream, rest});
        else
          at.push_back(substitute(read.src(0).src(i), {{whole, element}}));
      map.insert(map.begin(), {read, load(index(now->second, at))});
    }
    UOps src{substitute(d.node.src(0), map)};
    for (const UOp& r : d.ranges)
      if (r == whole)
        src.insert(src.end(), {stream, rest});
      else
        src.push_back(r);
    const UOp node = d.node.with_src(src);
    map.emplace_back(d.node, node);
    parts.push_back(node);
  }
  return kernel.with_src(parts);
}

namespace {

/// With other streams, and the tiles of one axis on another one.
std::optional<Schedule> rewritten(const Schedule& s, std::optional<Streams> streams, const std::string& from,
                                  const std::string& to) {
  Opts opts;
  if (streams) opts.push_back(*streams);
  for (Opt& o : s.opts()) {
    if (std::holds_alternative<Streams>(o)) continue;
    if (auto* tile = std::get_if<Tile>(&o); tile && tile->axis == from) tile->axis = to;
    opts.push_back(o);
  }
  const Expected<Schedule> next = Schedule(s.kernel(), s.target()).apply(opts);
  return next ? std::optional(*next) : std::nullopt;
}

/// The rows that an axis in the grid has in its register tile, where that is its only one; else 1.
int64_t rows_of_block(const Schedule& s, const std::string& axis) {
  for (const Schedule::Nest& n : s.nests()) {
    if (!n.live || !n.has(axis)) continue;
    const Schedule::Splits& splits = n.chains.at(axis);
    if (splits.size() != 1 || splits[0].kind != Kind::Upcast || splits != s.root().chains.at(axis)) return 1;
  }
  return s.root().chains.at(axis)[0].size;
}

}  // namespace

std::optional<Schedule> streamed(const Schedule& s, const std::string& axis) {
  if (s.streams() || s.target().gpu || !s.root().has(axis)) return std::nullopt;
  const int64_t rows = rows_of_block(s, axis);
  if (rows < 2) return std::nullopt;
  return rewritten(s, Streams{axis, rows}, axis, streams_axis(axis));
}

std::optional<Schedule> unstreamed(const Schedule& s) {
  if (!s.streams()) return std::nullopt;
  return rewritten(s, {}, streams_axis(s.streams()->axis), s.streams()->axis);
}

Schedule with_streams(const Schedule& s) {
  constexpr int64_t kLong = 8 << 10, kShort = 256;  // bytes from row to row: on pages of their own anyway; not worth a stream
  const Definition out = definitions(s.kernel()).back();
  if (!out.reduce) return s;
  for (const UOp& axis : out.ranges) {
    const auto& grid = s.grid();
    if (std::find(grid.begin(), grid.end(), axis_of(axis)) == grid.end()) continue;
    for (const Definition& d : definitions(s.kernel()))
      for (const UOp& u : expression_nodes(d.value)) {
        if (!u.is(Op::Load) || !u.src(0).src(0).is(Op::Param)) continue;
        const UOp address = flat_address(u.src(0));
        const bool once = std::all_of(out.ranges.begin(), out.ranges.end(),
                                      [&](const UOp& r) { return bounds(r.src(0)).hi < 2 || depends_on(address, r); });
        const int64_t apart = coefficient(address, axis).value_or(0) * u.dtype().bytes();
        if (once && apart >= kShort && apart < kLong)
          if (const auto next = streamed(s, axis_of(axis))) return *next;
      }
  }
  return s;
}

}  // namespace pg
