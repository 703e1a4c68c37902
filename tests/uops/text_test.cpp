#include "uops/text.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "random_expressions.h"

using namespace pg;
using namespace pg::test;

namespace {
const std::vector<std::string> kNames{"n", "x y", "", "nan", "inf", "a.b", "7", "q\"uo\\te", "new\nline", "]", "#0 a", "é", "n:4", "sum(1)"};

Arg random_arg(Random& r) {
  auto ints = [&] {
    Ints v;
    for (int64_t i = r(0, 3); i > 0; --i) v.push_back(r(-9, 9));
    return v;
  };
  switch (r(0, 8)) {
    case 0: return {};
    case 1: return r.chance(20) ? std::numeric_limits<int64_t>::min() : r(-1000, 1000);
    case 2: {
      static const std::vector<double> v{0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, -INFINITY, INFINITY, std::nan(""), -std::nan("1"), 123456789.0};
      return r.chance(30) ? std::bit_cast<double>(r(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max())) : r.pick(v);
    }
    case 3: return r.pick(kNames);
    case 4: return ints();
    case 5: return RangeArg{r.pick(kNames), r.chance(50) ? 0 : r(-3, 512), static_cast<Kind>(r(0, 6))};
    case 6: return VariableArg{r.pick(kNames), r(-50, 0), r(0, 50)};
    case 7: return ParamArg{r(-1, 12), r.pick(kNames)};
    default: return ReduceArg{r.pick(kNames), ints()};
  }
}

/// Any op with any argument: the text form knows nothing of what makes sense.
UOp random_graph(Random& r) {
  UOps nodes;
  for (int64_t n = r(1, 12); n > 0;) {
    const Op op = static_cast<Op>(r(0, kOpCount - 1));
    const OpInfo& i = info(op);
    if (nodes.empty() && i.least > 0) continue;
    UOps src;
    const int64_t most = i.most < 0 ? i.least + 4 : i.most;
    if (!nodes.empty())
      for (int64_t k = r(i.least, most); k > 0; --k) src.push_back(r.chance(50) ? nodes.back() : r.pick(nodes));
    nodes.emplace_back(op, DType(static_cast<Scalar>(r(0, 12)), r.chance(30) ? static_cast<int>(r(2, 64)) : 1), random_arg(r), src);
    --n;
  }
  return nodes.back();
}
std::string error_of(std::string_view s) {
  try {
    parse(s);
  } catch (const UserError& e) {
    return e.what();
  }
  return "no error";
}
}  // namespace

TEST_CASE("parse(text(u)) and from_json(to_json(u)) give u back") {
  const uint64_t seed = 3;
  INFO("seed " << seed);
  Random random(seed);
  for (int k = 0; k < 3000; ++k) {
    const UOp u = random_graph(random);
    INFO(text(u));
    REQUIRE(parse(text(u)) == u);
    REQUIRE(from_json(to_json(u)) == u);
    pretty(u);  // never throws
  }
}

TEST_CASE("text: the form itself") {
  const UOp a(Op::Param, dt::f32, ParamArg{1, "a"}, {iconst(64)}), n = range("n", iconst(2), 32, Kind::Upcast);
  const UOp e = alu(Op::Where, alu(Op::Lt, n, iconst(1)), load(index(a, UOps{n})), constant(dt::f32, 0.5));
  CHECK(text(e) ==
        "%0 = Const i64 [2]\n"
        "%1 = Range i64 [n:32 upcast] %0\n"
        "%2 = Const i64 [1]\n"
        "%3 = Lt bool %1 %2\n"
        "%4 = Const i64 [64]\n"
        "%5 = Param f32 [#1 a] %4\n"
        "%6 = Index f32 %5 %1\n"
        "%7 = Load f32 %6\n"
        "%8 = Const f32 [0.5]\n"
        "%9 = Where f32 %3 %7 %8\n");
  CHECK(pretty(e) == "n:32 < 1 ? a[n:32] : 0.5");
  CHECK(text(variable("pos", 0, 9)) == "%0 = Variable i64 [pos 0..9]\n");
  CHECK(text(range("k", iconst(4))) == "%0 = Const i64 [4]\n%1 = Range i64 [k] %0\n");
}

TEST_CASE("content_id: pinned, so that a database outlives a build") {
  CHECK(content_id(iconst(4)) == "175b40d20d3f67c6b47843291d06a787");
  CHECK(content_id(variable("n", 1, 9) * iconst(2)) == "3ba2cb5d93a60a255dfd8cf2eb4313fa");
  CHECK(content_id(iconst(4)) != content_id(iconst(5)));
}

TEST_CASE("pretty: precedence, and graphs that are long as trees") {
  const UOp n = variable("n", 0, 9), m = variable("m", 0, 9);
  CHECK(pretty((n + m) * iconst(2) - m) == "(n + m)*2 - m");
  CHECK(pretty(n - (m - n)) == "n - (m - n)");
  CHECK(pretty(idiv(n, m * iconst(3))) == "n/(m*3)");
  UOp doubled = n;
  for (int i = 0; i < 200; ++i) doubled = doubled + doubled;
  CHECK(pretty(doubled).size() < 3000);
}

TEST_CASE("parse: errors name the line") {
  CHECK(error_of("") == "UOp text, line 1: no node");
  CHECK(error_of("%0 = Const i64 [4]\n%2 = Neg i64 %0") == "UOp text, line 2: nodes are numbered 0, 1, 2, ..");
  CHECK(error_of("%0 = Konst i64 [4]") == "UOp text, line 1: no op is named 'Konst'");
  CHECK(error_of("%0 = Const i65 [4]") == "UOp text, line 1: no dtype is named 'i65'");
  CHECK(error_of("%0 = Const i64 [4\n") == "UOp text, line 1: expected ']' before ''");
  CHECK(error_of("%0 = Const i64 [4x]") == "UOp text, line 1: '4x' is no argument");
  CHECK(error_of("%0 = Const i64 [4]\n%1 = Neg i64 %3") == "UOp text, line 2: %3 is not defined above");
  CHECK(error_of("%0 = Const i64 [4]\n%1 = Add i64 %0") == "UOp text, line 2: Add does not take 1 sources");
  CHECK(error_of("%0 = Const i64 [4]\n%1 = Range i64 [n fast] %0") == "UOp text, line 2: no kind of range is named 'fast'");
  CHECK(error_of("%0 = Const i64 [\"a]") == "UOp text, line 1: a string without its end");
  CHECK(error_of("hello") == "UOp text, line 1: expected '%' before 'hello'");
}

TEST_CASE("from_json: errors name what is wrong") {
  auto message = [](std::string_view s) {
    try {
      from_json(s);
    } catch (const UserError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  CHECK(message("{").starts_with("UOp JSON: "));
  CHECK(message(R"({"nodes": []})") == "UOp JSON: no node");
  CHECK(message(R"({"nodes": [{"op":"Konst","dtype":"i64","arg":4,"src":[]}]})") == "UOp JSON: no op is named 'Konst'");
  CHECK(message(R"({"nodes": [{"op":"Neg","dtype":"i64","arg":null,"src":[0]}]})") == "UOp JSON: node 0 uses node 0");
  CHECK(message(R"({"nodes": [{"op":"Const","dtype":"i64","src":[]}]})").starts_with("UOp JSON: "));
}
