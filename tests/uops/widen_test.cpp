// Widened programs compute what they computed before, and have the vector accesses that they should.
#include "uops/widen.h"

#include <doctest/doctest.h>

#include <random>
#include <set>

#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"
#include "uops/interpret.h"
#include "uops/kernel.h"
#include "uops/linear.h"

using namespace pg;
using namespace pg::test;

namespace {

const Target kGpu{.gpu = true, .sm = 80, .shared_block_bytes = 100 << 10};

UOp at(const UOp& buffer, const UOp& i) { return UOp(Op::Index, buffer.dtype(), {}, {buffer, i}); }
UOp buffer(int64_t slot, const std::string& name, int64_t elements, DType t = dt::f32) {
  return UOp(Op::Param, t, ParamArg{slot, name}, {iconst(elements)});
}

/// Entries, each with what it needs.
class Entries {
 public:
  void value(const UOp& root) {
    for (const UOp& u : toposort(root))
      if (is_linear_value(u) && !known(u)) again(u);
  }
  void again(const UOp& u) { all.push_back(u), known_.back().insert(u.id()); }
  void store(const UOp& index, const UOp& v, const UOp& gate = {}) {
    value(index.src(1)), value(v);
    if (gate) value(gate);
    all.push_back(pg::store(index, v, gate));
  }
  void open(const UOp& opener) {
    value(opener.is(Op::For) ? opener.src(0).src(0) : opener.src(0));
    all.push_back(opener);
    open_.push_back(opener), known_.emplace_back();
  }
  UOp loop(const UOp& range) { return open(UOp(Op::For, dt::kVoid, {}, {range})), range; }
  void close() {
    all.push_back(UOp(Op::End, dt::kVoid, {}, {open_.back()}));
    open_.pop_back(), known_.pop_back();
  }
  UOp finish() {
    while (!open_.empty()) close();
    return UOp(Op::Linear, dt::kVoid, std::string("widen"), all);
  }
  UOps all;

 private:
  bool known(const UOp& u) const {
    return std::any_of(known_.begin(), known_.end(), [&](const auto& s) { return s.contains(u.id()); });
  }
  UOps open_;
  std::vector<std::set<const void*>> known_{{}};
};

using Numbers = std::vector<std::vector<float>>;
Numbers run(const UOp& linear, const std::vector<int64_t>& variables = {}) {
  const LaunchInfo launch = launch_info(linear);
  Numbers memory;
  std::vector<HostBuffer> host;
  std::mt19937 random(3);
  for (const UOp& p : launch.params) {
    int64_t n = 1;
    for (const UOp& extent : p.src()) n *= *const_int(extent);
    auto& b = memory.emplace_back(n);
    for (float& x : b) x = static_cast<float>(random() % 64) / 4;
    host.push_back({b.data(), n});
  }
  interpret(linear, host, variables);
  return memory;
}
/// Widens, verifies, and compares; gives the widened program.
UOp same(const UOp& linear, const std::vector<int64_t>& variables = {}) {
  verify(linear, Stage::Linear, "before");
  const UOp wide = accesses_widened(linear, kGpu);
  verify(wide, Stage::Linear, "accesses_widened");
  CHECK(run(linear, variables) == run(wide, variables));
  return wide;
}
/// How many accesses have so many lanes.
int64_t accesses(const UOp& linear, Op op, int lanes) {
  return std::count_if(linear.src().begin(), linear.src().end(),
                       [&](const UOp& e) { return e.is(op) && e.src(0).dtype().lanes == lanes; });
}

/// c[4i .. 4i+3] = a[4i .. 4i+3] + 1, element by element in this order.
UOp four(const std::vector<int>& order, const std::function<UOp(const UOp&, int)>& gate = {}, int64_t step = 4) {
  Entries e;
  const UOp a = buffer(0, "a", 64), c = buffer(1, "c", 64);
  const UOp base = e.loop(range("i", iconst(8))) * iconst(step);
  const auto place = [&](int l) { return l == 0 ? base : base + iconst(l); };
  std::vector<UOp> loads(4);
  for (int l : order) {
    const UOp g = gate ? gate(base, l) : UOp();
    loads[static_cast<size_t>(l)] = load(at(a, place(l)), g);
    e.value(loads[static_cast<size_t>(l)]);
  }
  for (int l : order)
    e.store(at(c, place(l)), loads[static_cast<size_t>(l)] + constant(dt::f32, 1.0), gate ? gate(base, l) : UOp());
  return e.finish();
}

class RandomProgram {
 public:
  explicit RandomProgram(unsigned seed) : random_(seed) {}
  UOp operator()() {
    const UOp t = e_.loop(range("g", iconst(2), 0, Kind::Grid));
    memories_ = {buffer(0, "a", 512), buffer(1, "b", 512), UOp(Op::Memory, dt::f32, ParamArg{0, "s"}, {iconst(256)})};
    ids_ = buffer(2, "ids", 512, dt::i32);
    e_.again(memories_[2]);
    thread_ = e_.loop(range("t", iconst(4), 0, Kind::Local));
    const UOp k = e_.loop(range("k", iconst(3)));
    bases_ = {thread_ * iconst(64), thread_ * iconst(64) + k * iconst(4), thread_ * iconst(64) + k * iconst(2) + iconst(1)};
    start_ = t * iconst(256);
    for (int64_t i = 0; i < 64; ++i)  // the poison of shared memory is no number to compare
      if (i < 40) e_.store(at(memories_[2], bases_[0] + iconst(i)), constant(dt::f32, static_cast<double>(i)));
    values_ = {constant(dt::f32, 2.0)};
    statements(60);
    for (int i = 0; i < 4; ++i)
      e_.store(at(memories_[1], bases_[0] + start_ + iconst(60 + i)), values_[values_.size() - 1 - i % values_.size()]);
    return e_.finish();
  }

 private:
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  UOp place(int& memory, int& base, int offset) {
    UOp b = bases_[static_cast<size_t>(base)];
    if (memory < 2) b = simplify(start_ + b);
    const UOp i = simplify(b + iconst(offset));
    return at(memories_[static_cast<size_t>(memory)], i);
  }
  UOp gate(const UOp& index) {
    switch (below(6)) {
      case 0: return alu(Op::Lt, index.src(1), iconst(4 * below(120)));
      case 1: return alu(Op::Lt, thread_, iconst(2));
      default: return {};
    }
  }
  void statements(int n) {
    const size_t known = values_.size();
    for (int i = 0; i < n; ++i) {
      int memory = below(3), base = below(3);
      const int first = 4 * below(4);
      switch (below(8)) {
        case 0:
          if (depth_ < 2) {
            ++depth_;
            if (below(2))
              e_.loop(range("j" + std::to_string(depth_), iconst(2)));
            else
              e_.open(UOp(Op::If, dt::kVoid, {}, {alu(Op::Lt, thread_, iconst(below(4)))}));
            statements(10);
            e_.close();
            --depth_;
          }
          break;
        case 1:
          values_.push_back(alu(Op::Mul, any(), constant(dt::f32, 0.5)));
          e_.value(values_.back());
          break;
        case 2:
        case 3:
        case 4:
          run_of([&](int l) {
            const UOp p = place(memory, base, first + l);
            const UOp u = load(p, common_ ? gate_ : gate(p));
            for (const UOp& s : u.src()) e_.value(s.is(Op::Index) ? s.src(1) : s);
            e_.again(u);
            values_.push_back(u);
          });
          break;
        default:
          run_of([&](int l) {
            if (memory == 0) memory = 1;
            const UOp p = place(memory, base, first + l);
            e_.store(p, any(), common_ ? gate_ : gate(p));
          });
      }
    }
    values_.resize(std::min(known, values_.size()));
  }
  /// Neighbours, in any order, perhaps not all of them.
  template <class F>
  void run_of(F f) {
    std::vector<int> order{0, 1, 2, 3, 4, 5, 6, 7};
    order.resize(static_cast<size_t>(1 + below(8)));
    if (below(2)) std::shuffle(order.begin(), order.end(), random_);
    common_ = below(3) != 0;
    gate_ = below(2) ? UOp() : alu(Op::Lt, thread_, iconst(3));
    for (int l : order) f(l);
  }
  UOp any() {
    return values_[values_.size() - 1 - static_cast<size_t>(below(static_cast<int>(std::min<size_t>(values_.size(), 12))))];
  }

  std::mt19937 random_;
  Entries e_;
  UOps memories_, bases_, values_;
  UOp ids_, thread_, start_, gate_;
  bool common_ = false;
  int depth_ = 0;
};

}  // namespace

TEST_CASE("widen: four neighbours are one load and one store, whatever their order") {
  for (const std::vector<int>& order : {std::vector{0, 1, 2, 3}, {3, 1, 0, 2}}) {
    const UOp wide = same(four(order));
    CHECK(accesses(wide, Op::Load, 4) == 1);
    CHECK(accesses(wide, Op::Store, 4) == 1);
    CHECK(accesses(wide, Op::Load, 1) == 0);
  }
}

TEST_CASE("widen: only where the address is known to be a multiple") {
  CHECK(accesses(same(four({0, 1, 2, 3}, {}, 2)), Op::Load, 2) == 2);
  CHECK(accesses(same(four({0, 1, 2, 3}, {}, 3)), Op::Load, 1) == 4);
  CHECK(accesses(same(four({0, 1, 2})), Op::Load, 2) == 1);
}

TEST_CASE("widen: gates that are one, and gates that come to the same") {
  const auto wide_of = [](const std::function<UOp(const UOp&, int)>& gate) { return same(four({1, 0, 2, 3}, gate)); };
  CHECK(accesses(wide_of([](const UOp& b, int) { return alu(Op::Lt, b, iconst(13)); }), Op::Load, 4) == 1);
  const UOp tail = wide_of([](const UOp& b, int l) { return alu(Op::Lt, b + iconst(l), iconst(20)); });
  CHECK(accesses(tail, Op::Load, 4) == 1);
  CHECK(accesses(tail, Op::Store, 4) == 1);
  CHECK(accesses(wide_of([](const UOp& b, int l) { return alu(Op::Lt, b + iconst(l), iconst(21)); }), Op::Load, 4) == 0);
}

TEST_CASE("widen: a store in between is seen by the loads behind it") {
  Entries e;
  const UOp b = buffer(0, "b", 64);
  const UOp base = e.loop(range("i", iconst(8))) * iconst(4);
  e.value(load(at(b, base)));
  e.store(at(b, base + iconst(1)), load(at(b, base)));
  for (int l : {1, 2, 3}) e.value(load(at(b, base + iconst(l))));
  e.store(at(b, base + iconst(2)), load(at(b, base + iconst(1))));
  e.store(at(b, base + iconst(3)), load(at(b, base + iconst(3))) + load(at(b, base + iconst(2))));
  const UOp wide = same(e.finish());
  CHECK(accesses(wide, Op::Load, 4) == 0);
}

TEST_CASE("widen: a barrier parts what stands on its sides") {
  Entries e;
  const UOp a = buffer(0, "a", 64);
  e.loop(range("g", iconst(2), 0, Kind::Grid));
  const UOp s(Op::Memory, dt::f32, ParamArg{0, "s"}, {iconst(64)});
  e.again(s);
  const UOp base = e.loop(range("t", iconst(8), 0, Kind::Local)) * iconst(4);
  for (int l = 0; l < 4; ++l) {
    if (l == 2) e.all.push_back(UOp(Op::Barrier, dt::kVoid, {}, {}));
    e.store(at(s, l == 0 ? base : base + iconst(l)), load(at(a, base + iconst(l))));
  }
  const UOp wide = accesses_widened(e.finish(), kGpu);
  CHECK(accesses(wide, Op::Store, 4) == 0);
  CHECK(accesses(wide, Op::Store, 2) == 2);
}

TEST_CASE("widen: nothing on a CPU") {
  const UOp linear = four({0, 1, 2, 3});
  CHECK(accesses_widened(linear, {}) == linear);
}

TEST_CASE("widen: random programs compute what they did") {
  int64_t vectors = 0;
  for (unsigned seed = 1; seed <= 400; ++seed) {
    CAPTURE(seed);
    const UOp wide = same(RandomProgram(seed)());
    vectors += accesses(wide, Op::Load, 4) + accesses(wide, Op::Store, 4);
  }
  CHECK(vectors > 400);
}

TEST_CASE("widen: lowered kernels compute what they did") {
  const auto linear = [](const UOp& kernel, const std::vector<std::string>& said) {
    return lower(scheduled(kernel, said), Target{});
  };
  const UOp n = variable("n", 1, 64);
  for (const UOp& l : {linear(gemm(16, 16, 12), {"m grid", "n", "k", "m:4 upcast", "n:8 upcast"}),
                       linear(gemm(16, 20, 12), {"m grid", "n", "k", "k:4 unroll", "m:4 upcast", "n:8 upcast"}),
                       linear(gemm(10, 18, 7), {"m grid", "n", "k", "m:4 upcast", "n:4 upcast"}),
                       linear(softmax(4, 20), {"i", "j", "j:4 upcast"})})
    same(l);
  const UOp wide = same(linear(gemm(16, 16, 12), {"m grid", "n", "k", "m:4 upcast", "n:8 upcast"}));
  CHECK(accesses(wide, Op::Store, 4) == 8);
  CHECK(accesses(wide, Op::Load, 4) == 2);
}
