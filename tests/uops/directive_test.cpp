#include "uops/directive.h"

#include <doctest/doctest.h>

using namespace pg;

namespace {
std::string refused(std::string_view s) {
  try {
    parse_directive(s);
  } catch (const UserError& e) {
    return e.what();
  }
  return "";
}
using Part = LayoutPart::Kind;
}  // namespace

TEST_CASE("directives read as they are written") {
  const std::pair<Directive, const char*> all[] = {
      {StageOpt{"B", {"k"}}, "stage(B,k)"},
      {StageOpt{"B", {"k", 512}}, "stage(B,k:512)"},
      {StageOpt{"S", {"j", 256, "O"}}, "stage(S,O.j:256)"},
      {StageOpt{"X", {}}, "stage(X,top)"},
      {StageOpt{"X", {"", 0, "M"}}, "stage(X,M.top)"},
      {StageOpt{"X", {"y"}, StageMemory::Reg}, "stage(X,y,mem=reg)"},
      {StageOpt{"X", {"y"}, StageMemory::Cache, {{"y"}, {"c"}, {"x", 64, Part::Outer}, {"x", 64, Part::Inner}}},
       "stage(X,y,layout=y c x/64 x%64)"},
      {StageOpt{"X", {"y"}, StageMemory::Cache, {{"0"}, {"1", 8, Part::Inner}}}, "stage(X,y,layout=0 1%8)"},
      {StageOpt{"A", {"k"}, StageMemory::Shared, {{"m"}}, 3, StageCopy::CpAsync},
       "stage(A,k,mem=shared,layout=m,stages=3,copy=cp.async)"},
      {StageOpt{"A", {"k"}, StageMemory::Global}, "stage(A,k,mem=global)"},
      {OnlineLoop{"j"}, "online(j)"},
      {Fuse{"j"}, "fuse(j)"},
      {PadLoop{"m", 8}, "pad(m,8)"},
      {PrefetchBuffer{"X", {"i", 8, "S"}}, "prefetch(X,S.i:8)"},
      {Bounds{2}, "bounds(2)"},
      {Lanes{"j"}, "lanes(j)"},
      {Lanes{"j", "M"}, "lanes(M.j)"},
  };
  for (const auto& [d, s] : all) {
    CHECK(text(d) == s);
    CHECK(parse_directive(s) == d);
    CHECK(directive(d).arg_as<std::string>() == s);
  }
  CHECK(parse_directive("stage(B,k,mem=cache,stages=1,copy=plain)") == Directive(StageOpt{"B", {"k"}}));
  CHECK(parse_directive("stage(B,k,layout= n/8  k n%8 )") == parse_directive("stage(B,k,layout=n/8 k n%8)"));
}

TEST_CASE("what is no directive is named, with its form") {
  const char* stage = "stage(value,range[,mem=..][,layout=..][,stages=n][,copy=..])";
  const char* layout = "a layout is dims like k, n/32, n%32";
  const std::pair<const char*, const char*> all[] = {
      {"B", "the form is name(arguments)"},
      {"stage(B,k", "the form is name(arguments)"},
      {"tile(n)", "directives are stage, online, fuse, pad, prefetch, bounds, lanes"},
      {"stage(B)", stage},
      {"stage(B,k,where=here)", stage},
      {"stage(,k)", "a value's name is letters, digits and _"},
      {"stage(B+,k)", "a value's name is letters, digits and _"},
      {"stage(B,)", "an axis name is letters, digits and _"},
      {"stage(B,k:)", "a range is axis or axis:tile"},
      {"stage(B,k:0)", "a range is axis or axis:tile"},
      {"stage(B,1S.k)", "a nest's name is letters, digits and _"},
      {"stage(B,k,mem=disk)", "mem is cache, reg, shared or global"},
      {"stage(B,k,mem)", "mem is cache, reg, shared or global"},
      {"stage(B,k,copy=fast)", "copy is plain or cp.async"},
      {"stage(B,k,stages=0)", "stages is a number, 1 or more"},
      {"stage(B,k,stages=two)", "stages is a number, 1 or more"},
      {"stage(B,k,layout=)", layout},
      {"stage(B,k,layout=n/)", layout},
      {"stage(B,k,layout=n/0)", layout},
      {"stage(B,k,layout=n*8)", layout},
      {"pad(m)", "pad(axis,size)"},
      {"pad(m,0)", "pad(axis,size)"},
      {"pad(m,x)", "pad(axis,size)"},
      {"pad(m,8,8)", "pad(axis,size)"},
      {"pad(,8)", "pad(axis,size)"},
      {"fuse(j k)", "fuse(axis)"},
      {"prefetch(X)", "prefetch(buffer,range)"},
      {"bounds(0)", "bounds(blocks)"},
      {"online(j,256)", "online(axis)"},
  };
  for (const auto& [s, why] : all) CHECK(refused(s) == "schedule: '" + std::string(s) + "' is no opt: " + why);
}
