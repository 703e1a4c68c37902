// Where everything of a scheduled kernel stands, how much of it is kept, and what is refused.
#include "uops/placement.h"

#include <doctest/doctest.h>

#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"

using namespace pg;
using namespace pg::test;

namespace {
using Said = std::vector<std::string>;

std::string fault(const UOp& kernel, const Said& said) { return Placement(scheduled(kernel, said)).fault(); }
Placement placed(const UOp& kernel, const Said& said) {
  Placement p(scheduled(kernel, said));
  CHECK(p.fault() == "");
  return p;
}
size_t number(const Placement& p, const std::string& name) {
  for (size_t d = 0; d < p.definitions().size(); ++d)
    if (p.nest(d).name == name) return d;
  FAIL("no definition " << name);
  return 0;
}
/// "out 1": in the nest of out, inside its outermost loop.
std::string place(const Placement& p, const std::string& name) {
  const Attach& a = p.nest(number(p, name)).attach;
  return p.nest(a.nest).name + " " + std::to_string(a.depth);
}
std::string numbers(const std::vector<int64_t>& all) {
  std::string s;
  for (int64_t n : all) s += (s.empty() ? "" : " ") + std::to_string(n);
  return s;
}
std::string extents(const Placement& p, const std::string& name) { return numbers(p.tile_extents(number(p, name))); }
/// Extents of the tiles of the one staged buffer.
std::string boxes(const UOp& kernel, const Said& said) {
  const Placement p = placed(kernel, said);
  REQUIRE(p.buffer_stages().size() == 1);
  std::string s;
  for (const StageGroup& g : p.buffer_stages()[0].groups) s += (s.empty() ? "" : "; ") + numbers(g.extents);
  return s;
}
/// Parts of its tile, outer to inner: "1/16:2" has two panels of 16 of dimension 1.
std::string parts(const UOp& kernel, const Said& said) {
  const Placement p = placed(kernel, said);
  std::string s;
  for (const TilePart& part : p.buffer_stages().at(0).groups.at(0).parts) {
    s += (s.empty() ? "" : " ") + std::to_string(part.dim);
    if (part.kind != LayoutPart::Kind::Whole)
      s += (part.kind == LayoutPart::Kind::Outer ? "/" : "%") + std::to_string(part.size);
    s += ":" + std::to_string(part.count);
  }
  return s;
}
/// out[i] = sum over j of x's elements here
UOp sums(const std::function<UOp(const UOp& i, const UOp& j)>& body) {
  const UOp i = KernelWriter::axis("i", 8), j = KernelWriter::axis("j", 6);
  KernelWriter w;
  return w.output("sums", at(w.param("out", dt::f32, {8}), {i}), w.reduce("sum", body(i, j), {j}), {i});
}
/// out[m,n] = sum over k of D·B, with D = max(A, 0)
UOp activated_gemm(int64_t m_extent, int64_t n_extent, int64_t k_extent) {
  KernelWriter w;
  const UOp m = w.axis("m", m_extent), n = w.axis("n", n_extent), k = w.axis("k", k_extent);
  const UOp out = w.param("out", dt::f32, {m_extent, n_extent}),
            a = read(w.param("A", dt::f32, {m_extent, k_extent}), {m, k}),
            b = read(w.param("B", dt::f32, {k_extent, n_extent}), {k, n});
  const UOp d = w.define("D", alu(Op::Max, a, constant(dt::f32, 0.0)), {m, k});
  return w.output("activated_gemm", at(out, {m, n}), w.reduce("sum", d * b, {k}), {m, n});
}
UOp x(std::initializer_list<int64_t> extents, std::initializer_list<UOp> indices) {
  UOps e;
  for (int64_t n : extents) e.push_back(iconst(n));
  return read(UOp(Op::Param, dt::f32, ParamArg{1, "x"}, e), indices);
}
}  // namespace

// ---- definitions -----------------------------------------------------------------------------------------------------

TEST_CASE("placement: a row's values stand at the row's loop, all of them before loops that do not index them") {
  const Placement rows = placed(softmax(3, 8), {"i", "j"});
  CHECK(place(rows, "M") == "out 1");
  CHECK(place(rows, "L") == "out 1");
  CHECK(extents(rows, "M") == "1");
  const Placement columns = placed(softmax(3, 8), {"j", "i"});
  CHECK(place(columns, "M") == "out 0");
  CHECK(extents(columns, "M") == "3");
  const Placement tiled = placed(softmax(12, 8), {"i", "j", "i:4"});
  CHECK(place(tiled, "M") == "out 1");
  CHECK(extents(tiled, "M") == "4");
}

TEST_CASE("placement: elementwise definitions are gone, unless they are staged") {
  CHECK(placed(softmax(3, 8), {"i", "j"}).definitions().size() == 3);
  const Placement kept = placed(softmax(3, 8), {"i", "j", "stage(E,i)"});
  REQUIRE(kept.definitions().size() == 4);
  CHECK(place(kept, "E") == "out 1");
  CHECK(extents(kept, "E") == "1 8");
}

TEST_CASE("placement: what a definition reads stands no deeper than it") {
  const Placement p = placed(softmax(3, 8), {"i", "j", "stage(L,top)"});
  CHECK(place(p, "L") == "out 0");
  CHECK(place(p, "M") == "out 0");
  CHECK(extents(p, "M") == "3");
}

TEST_CASE("placement: a definition is computed where a stage says, as much of it as is walked there") {
  const auto with = [&](const char* stage) {
    return placed(activated_gemm(64, 48, 32), {"k", "m", "n", "k:8", "m:16", "n:12", stage});
  };
  CHECK(place(with("stage(D,top)"), "D") == "out 0");
  CHECK(extents(with("stage(D,top)"), "D") == "64 32");
  CHECK(place(with("stage(D,k)"), "D") == "out 1");
  CHECK(extents(with("stage(D,k)"), "D") == "64 8");
  CHECK(extents(with("stage(D,m)"), "D") == "16 8");
  CHECK(place(with("stage(D,n)"), "D") == "out 3");
  CHECK(extents(with("stage(D,n)"), "D") == "16 8");  // n does not move it
  CHECK(extents(with("stage(D,k:8)"), "D") == "16 1");
  CHECK(extents(with("stage(D,n:12)"), "D") == "1 1");
}

TEST_CASE("placement: what several read stands where all of them are") {
  const UOp kernel = attention(12, 32, 3);
  const Said loops{"i", "d", "j", "e", "i:4", "j:8"};
  const auto with = [&](const char* stage) {
    Said said = loops;
    said.emplace_back(stage);
    return said;
  };
  CHECK(place(placed(kernel, with("stage(S,i)")), "S") == "out 1");
  CHECK(extents(placed(kernel, with("stage(S,i)")), "S") == "4 32");
  CHECK(extents(placed(kernel, with("stage(S,top)")), "S") == "12 32");
  CHECK(extents(placed(kernel, with("stage(P,i)")), "P") == "4 32");
  CHECK(fault(kernel, with("stage(P,j)")) == "stage: L reads P outside j");
}

TEST_CASE("placement: a definition at a loop of another definition's nest") {
  KernelWriter w;
  const UOp i = w.axis("i", 12), j = w.axis("j", 32), out = w.param("out", dt::f32, {12});
  const UOp d = w.define("D", alu(Op::Exp, read(w.param("x", dt::f32, {12, 32}), {i, j})), {i, j});
  const UOp s = w.define("S", w.reduce("sum", d * d, {j}), {i});
  const UOp kernel = w.output("roots", at(out, {i}), alu(Op::Sqrt, s), {i});
  const Placement p = placed(kernel, {"i", "j", "i:4", "S = i, j, i:4, j:8", "stage(D,S.j)", "stage(S,i)"});
  CHECK(place(p, "D") == "S 2");
  CHECK(extents(p, "D") == "4 8");
  CHECK(place(p, "S") == "out 1");
  CHECK(fault(kernel, {"i", "j", "stage(D,D.j)"}) == "stage: D does not read D");
}

TEST_CASE("placement: register tiles run over the end of what is walked") {
  // 10 elements in steps of 4: the nests touch 12.
  CHECK(extents(placed(softmax(10, 8), {"j", "i", "i:4 upcast"}), "M") == "12");
  CHECK(extents(placed(softmax(3, 10), {"i", "j", "j:4 vec", "stage(E,i)"}), "E") == "1 12");
}

TEST_CASE("placement: a definition's tile has the axis of the lanes last") {
  const auto order = [](const Said& said) {
    const Placement p = placed(softmax(12, 8), said);
    std::string s;
    std::string fault;
    for (const TilePart& part : p.tile_parts(number(p, "E"), fault)) s += std::to_string(part.dim);
    CHECK(fault == "");
    return s;
  };
  CHECK(order({"i", "j", "i:4", "stage(E,i)"}) == "01");
  CHECK(order({"i", "j", "i:4 vec", "E = i, j, i:4 vec", "stage(E,top)"}) == "10");
  CHECK(order({"i", "j", "stage(E,top,layout=j i)"}) == "10");
}

// ---- buffers ---------------------------------------------------------------------------------------------------------

TEST_CASE("placement: a box is what the loops inside a place walk") {
  const UOp kernel = gemm(64, 48, 32);
  const auto box = [&](const char* stage) { return boxes(kernel, {"n", "k", "m", "n:16", "k:8", stage}); };
  CHECK(box("stage(B,top)") == "32 48");
  CHECK(box("stage(B,n)") == "32 16");
  CHECK(box("stage(B,k)") == "8 16");
  CHECK(box("stage(B,m)") == "8 16");  // m does not move it
  CHECK(box("stage(B,n:16)") == "8 1");
  CHECK(box("stage(A,k)") == "64 8");
  CHECK(box("stage(A,m)") == "1 8");
}

TEST_CASE("placement: a convolution's box has the rim of its window") {
  const UOp kernel = convolution(5, 8, 12, 100);
  Said at_rows{"y", "o", "y:4", "x", "c", "ky", "kx", "stage(X,y)"};
  CHECK(boxes(kernel, at_rows) == "5 6 102");
  at_rows = {"y", "x", "o", "y:4", "x:64", "c", "ky", "kx", "stage(X,x)"};
  CHECK(boxes(kernel, at_rows) == "5 6 66");
  at_rows = {"y", "x", "o", "y:4", "x:64 upcast", "x:16 vec", "c", "ky", "kx", "stage(X,x)"};
  CHECK(boxes(kernel, at_rows) == "5 6 66");
  CHECK(parts(kernel, at_rows) == "0:5 1:6 2:66");  // overlapping windows do not split
  at_rows = {"y", "x", "c", "o", "y:4", "x:64", "ky", "kx", "stage(X,c)"};
  CHECK(boxes(kernel, at_rows) == "1 6 66");
  CHECK(parts(kernel, at_rows) == "1:6 2:66");
}

TEST_CASE("placement: strides count the elements between") {
  const UOp kernel = sums([](const UOp& i, const UOp& j) { return x({40}, {i * iconst(2) + j * iconst(3)}); });
  CHECK(boxes(kernel, {"i", "j", "stage(x,top)"}) == "30");  // 2·7 + 3·5 + 1
  CHECK(boxes(kernel, {"i", "j", "stage(x,i)"}) == "16");
  const UOp back = sums([](const UOp& i, const UOp& j) { return x({40}, {iconst(20) - i * iconst(2) + j}); });
  CHECK(boxes(back, {"i", "j", "stage(x,top)"}) == "20");
}

TEST_CASE("placement: dimensions of one element and axes that do not move a buffer take no room") {
  CHECK(parts(sums([](const UOp&, const UOp& j) {
                return x({1, 6, 4}, {iconst(0), j, iconst(2)});
              }),
              {"i", "j", "stage(x,top)"}) == "1:6");
  CHECK(parts(sums([](const UOp& i, const UOp& j) { return x({8, 6}, {i, j}); }), {"i", "j", "stage(x,i)"}) == "1:6");
}

TEST_CASE("placement: accesses whose boxes begin at the same place share a tile") {
  const UOp squares = sums([](const UOp& i, const UOp& j) { return x({8, 6}, {i, j}) * x({8, 6}, {i, j}); });
  CHECK(boxes(squares, {"i", "j", "stage(x,top)"}) == "8 6");
  const UOp products = sums([](const UOp& i, const UOp& j) { return x({8, 8}, {i, j}) * x({8, 8}, {j, i}); });
  CHECK(boxes(products, {"i", "j", "stage(x,top)"}) == "8 8");  // both from the corner
  CHECK(boxes(products, {"i", "j", "i:4", "stage(x,i)"}).find("; ") != std::string::npos);
  const UOp neighbours = sums([](const UOp& i, const UOp& j) { return x({16}, {i + j}) * x({16}, {i + j + iconst(1)}); });
  CHECK(boxes(neighbours, {"i", "j", "stage(x,top)"}) == "13; 13");
}

TEST_CASE("placement: where an index is read from memory, the tile has a dimension an axis") {
  CHECK(boxes(gather(6, 20, 100), {"i", "j", "stage(table,top)"}) == "6 20");
  CHECK(boxes(gather(6, 20, 100), {"i", "j", "stage(table,i)"}) == "1 20");
}

TEST_CASE("placement: a multiplication's panels lie as its register tiles walk them") {
  const UOp kernel = gemm(1024, 1024, 1024);
  const auto layout = [&](const char* stage) {
    Said said{"n", "k", "n:512", "m", "k:512", "n:32 upcast", "n:16 vec", "m:8 upcast"};
    said.emplace_back(stage);
    return parts(kernel, said);
  };
  CHECK(layout("stage(B,k)") == "1/32:16 0:512 1%32:32");
  CHECK(layout("stage(A,k)") == "0/8:128 1:512 0%8:8");
  CHECK(layout("stage(B,k,layout=k n)") == "0:512 1:512");
  CHECK(layout("stage(B,k,layout=n/64 k n%64)") == "1/64:8 0:512 1%64:64");
}

// ---- memory ----------------------------------------------------------------------------------------------------------

TEST_CASE("placement: private memory counts tiles, definitions and partial results") {
  const Target t{.vector_bytes = 64};
  const UOp kernel = gemm(64, 48, 32);
  CHECK(placed(kernel, {"m", "n", "k"}).private_bytes(t) == 0);
  CHECK(placed(kernel, {"m", "n", "k", "stage(B,top)"}).private_bytes(t) == 32 * 48 * 4);
  CHECK(placed(kernel, {"m", "n", "k", "stage(B,top)", "stage(A,top)"}).private_bytes(t) == (32 * 48 + 64 * 32) * 4);
  CHECK(placed(gemm(64, 48, 20), {"m", "n", "k", "stage(B,top)"}).private_bytes(t) == 48 * 32 * 4);  // rows of whole vectors
  const Placement p = placed(softmax(12, 8), {"i", "j", "stage(E,top)"});
  CHECK(p.bytes_of("E", t) == 12 * 8 * 4);
  CHECK(p.bytes_of("x", t) == 0);
  CHECK(p.private_bytes(t) == (12 + 12 * 8 + 1) * 4);  // M for all rows with E, L for each
  const UOp relu_of_sum = product_of_sums(12, 4, 6);
  CHECK(placed(relu_of_sum, {"k", "i", "j"}).private_bytes(t) == (12 + 12) * 4);  // S, and what is merged at k
}

// ---- refusals --------------------------------------------------------------------------------------------------------

TEST_CASE("placement: what can't be staged") {
  const UOp kernel = softmax(4, 8);
  const auto why = [&](const char* stage) { return fault(kernel, {"i", "j", stage}); };
  CHECK(why("stage(out,i)") == "stage: out is the output");
  CHECK(why("stage(Z,i)") == "stage: no buffer or definition is named Z");
  CHECK(why("stage(x,Z.i)") == "stage: no nest is named Z");
  CHECK(why("stage(x,k)") == "stage: out has no loop k");
  CHECK(why("stage(x,j:4)") == "stage: out has no loop j:4");
  CHECK(why("stage(x,L.k)") == "stage: L has no loop k");
  CHECK(why("stage(L,M.j)") == "stage: M does not read L");
  CHECK(why("stage(L,L.j)") == "stage: L does not read L");
  CHECK(why("stage(M,j)") == "stage: L reads M outside j");
  CHECK(fault(kernel, {"i", "j", "stage(M,i)", "stage(M,top)"}) == "stage: M is staged twice");
  CHECK(fault(kernel, {"i", "j", "j:4 upcast", "stage(x,j:4)"}) == "stage: out has no loop j:4");  // registers are no place
}

TEST_CASE("placement: somebody must use what is staged") {
  CHECK(fault(attention(4, 8, 3), {"i", "d", "j", "e", "stage(Q,L.j)"}) == "stage: no user of Q below j");
  CHECK(fault(attention(4, 8, 3), {"i", "d", "j", "e", "stage(Q,L.top)"}) == "stage: no user of Q below the top of L");
  KernelWriter w;
  const UOp i = w.axis("i", 4), out = w.param("out", dt::f32, {4}), in = read(w.param("x", dt::f32, {4}), {i});
  w.define("D", in + in, {i});
  CHECK(fault(w.output("dead", at(out, {i}), in, {i}), {"i", "stage(D,i)"}) == "stage: nobody reads D");
}

TEST_CASE("placement: what an epilogue reads is still there when the sum is done") {
  const UOp kernel = product_of_sums(4, 6, 8);
  CHECK(fault(kernel, {"i", "k", "j", "stage(S,i)"}) == "");
  CHECK(fault(kernel, {"i", "k", "j", "stage(S,k)"}) == "stage: the epilogue of out reads S outside k");
  CHECK(fault(kernel, {"k grid", "i", "j", "k:4"}) == "grid: the epilogue reads S, a part of which is in each item");
}

TEST_CASE("placement: layouts name each dimension once") {
  CHECK(fault(softmax(4, 8), {"i", "j", "stage(E,top,layout=i)"}) ==
        "stage: the layout does not say each dimension once: 1");
  CHECK(fault(softmax(4, 8), {"i", "j", "stage(x,top,layout=i)"}) ==
        "stage: the layout does not say each dimension once: 1");
  CHECK(fault(softmax(4, 8), {"i", "j", "stage(x,top,layout=i z)"}) == "stage: no dimension z");
}

TEST_CASE("placement: the loop that rescales") {
  const UOp kernel = attention(4, 16, 3);
  CHECK(fault(kernel, {"i", "j", "d", "e", "j:8", "online(j)"}) == "");
  CHECK(fault(kernel, {"i", "d", "j", "e", "online(e)"}) == "online: out does not reduce over e");
  CHECK(fault(softmax(4, 8), {"i", "j", "online(j)"}) == "online: out does not reduce over j");
  CHECK(fault(product_of_sums(4, 6, 8), {"i", "k", "j", "online(k)"}) == "online: no maximum over k");
  CHECK(fault(kernel, {"j grid", "i", "d", "e", "j:8", "online(j)"}) == "online: j is no loop of out");
  CHECK(fault(kernel, {"i", "d", "j", "e", "j:8", "online(j)"}) == "online: M has no axis d");
  CHECK(fault(kernel, {"i", "j", "d", "e", "j:8", "online(j)", "stage(M,i)"}) ==
        "online: M is rescaled at j, not staged elsewhere");
  CHECK(fault(kernel, {"i", "j", "d", "e", "j:8", "online(j)", "stage(L,j)"}) == "");
  KernelWriter w;
  const UOp i = w.axis("i", 4), j = w.axis("j", 8), k = w.axis("k", 5), out = w.param("out", dt::f32, {4});
  const UOp s = read(w.param("x", dt::f32, {4, 8}), {i, j}), y = read(w.param("y", dt::f32, {5}), {k});
  const UOp m = w.define("M", w.reduce("max", s, {j}), {i});
  const UOp two = w.output("two", at(out, {i}), w.reduce("sum", alu(Op::Exp, s - m) * y, {j, k}), {i});
  CHECK(fault(two, {"i", "k", "j", "online(j)"}) == "online: the reduce loop k stands round j");
  CHECK(fault(two, {"i", "j", "k", "online(j)"}) == "");
}

TEST_CASE("placement: rescaled values are carried, what reads them stands inside the loop") {
  const Placement p = placed(attention(4, 16, 3), {"i", "j", "d", "e", "j:8", "online(j)", "stage(P,j)", "stage(S,j)"});
  CHECK(p.nest(number(p, "M")).carried);
  CHECK(p.nest(number(p, "L")).carried);
  CHECK(!p.nest(number(p, "P")).carried);
  CHECK(place(p, "M") == "out 2");
  CHECK(place(p, "P") == "out 2");
  CHECK(extents(p, "S") == "1 8");
}

TEST_CASE("placement: definitions side by side are fused") {
  const Placement p = placed(two_sums(4, 8), {"i", "j", "fuse(j)"});
  CHECK(p.groups()[0] == std::vector<size_t>{0, 1});
  CHECK(p.groups()[1].empty());
  CHECK(placed(two_sums(4, 8), {"i", "j"}).groups()[0] == std::vector<size_t>{0});
  const std::string why = "fuse: no two definitions reduce over j side by side";
  CHECK(fault(softmax(4, 8), {"i", "j", "fuse(j)"}) == why);  // L reads M
  CHECK(fault(two_sums(4, 8), {"i", "j", "A = i, j, j:4", "fuse(j)"}) == why);
  CHECK(fault(two_sums(4, 8), {"i", "j", "stage(A,top)", "fuse(j)"}) == why);
  CHECK(fault(two_sums(4, 8), {"i", "j", "stage(A,top)", "stage(B,top)", "fuse(j)"}) == "");
  CHECK(fault(gemm(4, 4, 4), {"m", "n", "k", "fuse(k)"}) == "fuse: no two definitions reduce over k side by side");
}

TEST_CASE("placement: hints stand in the last definition that reads the buffer inside the loop") {
  const Placement p = placed(softmax(3, 8), {"i", "j", "stage(E,i)", "prefetch(x,i)"});
  REQUIRE(p.prefetches().size() == 1);
  CHECK(p.nest(p.prefetches()[0].reader).name == "E");
  CHECK(p.prefetches()[0].loads.size() == 1);
  const Placement unstaged = placed(softmax(3, 8), {"i", "j", "prefetch(x,i)"});
  CHECK(unstaged.prefetches()[0].reader == unstaged.root());

  const auto why = [&](std::string opt) { return fault(gemm(4, 8, 4), {"m", "n", "k", "stage(B,n)", std::move(opt)}); };
  CHECK(why("prefetch(A,Z.m)") == "prefetch: no nest is named Z");
  CHECK(why("prefetch(A,q)") == "prefetch: out has no loop q");
  CHECK(why("prefetch(Q,m)") == "prefetch: no buffer is named Q");
  CHECK(why("prefetch(out,m)") == "prefetch: no user of out below m");
  CHECK(why("prefetch(A,n)") == "prefetch: A does not move with n");
  CHECK(why("prefetch(B,k)") == "prefetch: B is staged");
  CHECK(placed(gemm(4, 8, 4), {"m", "n", "k", "stage(B,n)", "prefetch(B,n)"}).buffer_stages()[0].hinted);
  CHECK(why("prefetch(A,m)") == "");
  CHECK(fault(gather(3, 4, 9), {"i", "j", "prefetch(table,i)"}) == "prefetch: where table is read is loaded itself");
  CHECK(fault(softmax(3, 8), {"i", "j", "prefetch(x,M.j)"}) == "");
}
