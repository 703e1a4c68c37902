// Pass 5: register ranges become instances and SIMD lanes.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "uops/interleaved.h"
#include "uops/lane_merge.h"
#include "uops/legalize.h"
#include "uops/memo.h"
#include "uops/passes.h"
#include "uops/reducers.h"
#include "uops/register_addresses.h"
#include "uops/scope.h"
#include "uops/simplify.h"
#include "uops/turned_copy.h"

namespace pg {

namespace {

/// What all statements of a tree are expanded for.
struct Context {
  const Target& target;
  UOps shared;
};
/// Memories that stand outside of the threads.
void find_shared(const UOp& s, UOps& shared) {
  if (s.is(Op::Memory)) shared.push_back(s);
  if (s.is(Op::For) && kind_of(s.src(0)) == Kind::Local) return;
  if (s.is(Op::Block) || s.is(Op::For) || s.is(Op::If))
    for (const UOp& one : s.src()) find_shared(one, shared);
}

/// e + c, with the constant at the end of a canonical sum.
UOp plus(const UOp& e, int64_t c) {
  if (e.is(Op::Add))
    if (const auto last = const_int(e.src(1))) return e.src(0) + iconst(*last + c);
  return e + iconst(c);
}

/// One instance of a statement: unroll and upcast ranges have numbers, the vec range becomes lanes.
class Instance {
 public:
  Instance(Addresses& addresses, Substitution numbers, UOp vec)
      : addresses_(addresses), numbers_(std::move(numbers)), vec_(std::move(vec)) {
    if (vec_) lanes_ = static_cast<int>(*const_int(vec_.src(0)));
  }

  /// The statement, or null when its gates say that nothing is to be done.
  UOp statement(const UOp& s) {
    if (s.is(Op::Prefetch)) return prefetch_of(s);
    if (s.is(Op::CopyAsync)) return copy_of(s);
    if (!s.is(Op::StoreAll)) return store_of(s);
    UOps stores;
    for (const UOp& one : s.src())
      if (UOp st = store_of(one)) stores.push_back(st);
    if (stores.empty()) return {};
    return stores.size() == 1 ? stores[0] : UOp(Op::StoreAll, dt::kVoid, {}, stores);
  }

  /// A value in all lanes.
  UOp vector(const UOp& v) { return broadcast_to(value(v), lanes_); }

 private:
  struct Address {
    UOp index;  // Index with its final dtype
    int lanes = 1;
  };

  /// Scalar index expression of this instance with the vec range left in place.
  UOp scalar(const UOp& e) { return simplify(substitute(e, numbers_)); }

  Address address(const UOp& at, bool per_lane) {
    const UOp& buffer = at.src(0);
    const DType element = at.dtype();
    const bool vector_registers = buffer.is(Op::Memory) && buffer.dtype().lanes > 1;
    const Affine& affine = addresses_.of(at.src(1));
    UOp first;                        // address of lane 0
    std::optional<int64_t> step = 0;  // elements from lane to lane
    if (affine.base) {
      int64_t offset = 0;
      for (const auto& [range, number] : numbers_) offset += affine.step(range) * *const_int(number);
      first = plus(affine.base, offset);
      if (vec_) step = affine.step(vec_);
    } else {
      first = scalar(at.src(1));
      // A swizzled address is affine in the lanes alone: they stay below what is XORed.
      if (vec_ && (step = coefficient(first, vec_)).value_or(0) != 0) first = simplify(substitute(first, {{vec_, iconst(0)}}));
    }
    if (vector_registers) {
      const auto start = const_int(first);
      if (step != 1 || lanes_ != buffer.dtype().lanes || !start)
        throw InternalError("vector registers addressed element by element: " + buffer.arg_as<ParamArg>().name);
      return {UOp(Op::Index, buffer.dtype(), {}, {buffer, iconst(*start / lanes_)}), lanes_};
    }
    if (step == 0 && !per_lane) return {UOp(Op::Index, element, {}, {buffer, first})};
    if (step == 1) return {UOp(Op::Index, element.vec(lanes_), {}, {buffer, first}), lanes_};
    const DType t = dt::index.vec(lanes_);
    const UOp each = !step ? broadcast_to(value(first), lanes_)
                           : simplify(broadcast(first, lanes_) + UOp(Op::Lanes, t, {}, {}) * constant(t, *step));
    return {UOp(Op::Index, element.vec(lanes_), {}, {buffer, each}), lanes_};
  }

  /// One hint for all lanes, by the first; lanes that lie apart get none.
  UOp prefetch_of(const UOp& p) {
    if (p.src().size() == 2 && const_int(value_gate(p.src(1))) == 0) return {};
    const UOp index = address(p.src(0), false).index;
    const UOp& at = index.src(1);
    if (at.dtype().lanes > 1) return {};
    return UOp(Op::Prefetch, dt::kVoid, p.arg(), {UOp(Op::Index, index.src(0).dtype(), {}, {index.src(0), at})});
  }

  /// All lanes at once: both places are runs.
  UOp copy_of(const UOp& s) {
    UOps src{address(s.src(0), false).index, address(s.src(1), false).index};
    if (s.src().size() == 3)
      if (const UOp gate = value_gate(s.src(2)); !(const_int(gate) == 1)) src.push_back(gate);
    return UOp(Op::CopyAsync, dt::kVoid, {}, src);
  }

  UOp store_of(const UOp& s) {
    const bool is_private = s.src(0).src(0).is(Op::Memory) && !addresses_.is_shared(s.src(0).src(0));
    UOp gate = s.src().size() == 3 ? value_gate(s.src(2)) : UOp();
    if (gate) {
      const auto decided = const_int(gate);
      if (decided == 0) return {};
      if (decided == 1 || is_private) gate = {};  // spare elements of private memory may hold anything
    }
    const UOp v = value(s.src(1));
    const Address to = address(s.src(0), v.dtype().lanes > 1 || (gate && gate.dtype().lanes > 1));
    if (v.dtype().lanes > to.lanes) throw InternalError("a vector is stored to one element");
    return store(to.index, broadcast_to(v, to.lanes), gate ? broadcast_to(gate, to.lanes) : UOp());
  }

  UOp value_gate(const UOp& g) { return simplify(value(scalar(g))); }

  static UOp broadcast_to(const UOp& u, int lanes) { return u.dtype().lanes == lanes ? u : broadcast(u, lanes); }

  UOp value(const UOp& u) {
    if (const UOp* known = done_.find(u)) return *known;
    UOp v = compute(u);
    done_.set(u, v);
    kept_.push_back(u);
    return v;
  }

  UOp compute(const UOp& u) {
    switch (u.op()) {
      case Op::Const:
      case Op::Variable:
      case Op::Param: return u;
      case Op::Range:
        if (u == vec_) return UOp(Op::Lanes, dt::index.vec(lanes_), {}, {});
        for (const auto& [r, number] : numbers_)
          if (r == u) return number;
        return u;
      case Op::Load: {
        UOp gate = u.src().size() == 2 ? value_gate(u.src(1)) : UOp();
        if (gate && const_int(gate) == 1) gate = {};
        if (gate && const_int(gate) == 0) return constant(u.dtype(), int64_t{0});
        const Address from = address(u.src(0), gate && gate.dtype().lanes > 1);
        return load(from.index, gate ? broadcast_to(gate, from.lanes) : UOp());
      }
      case Op::Where:
        if (const auto yes = decided(u.src(0))) return value(u.src(*yes ? 1 : 2));
        break;
      case Op::Reduce: return merged(u)[0];
      case Op::Project: return merged(u.src(0))[u.arg_as<int64_t>()];
      case Op::LaneXor: {
        const UOp v = value(u.src(0));
        return UOp(Op::LaneXor, v.dtype(), u.arg(), {v});
      }
      default: break;
    }
    if (!info(u.op()).has(op_flag::Elementwise)) throw InternalError(std::string("expand: ") + info(u.op()).name);
    if (u.dtype() == dt::index && !depends_on_load(u)) {
      const UOp e = scalar(u);
      if (!vec_ || !depends_on(e, vec_)) return e;
      if (!(e == u)) return value(e);
    }
    UOps src;
    int lanes = 1;
    for (const UOp& s : u.src()) {
      src.push_back(value(s));
      lanes = std::max<int>(lanes, src.back().dtype().lanes);
    }
    for (UOp& s : src) s = broadcast_to(s, lanes);  // scalars beside a vector
    return UOp(u.op(), u.dtype().vec(lanes), u.arg(), src);
  }
  /// What a comparison of places comes to in this instance.
  std::optional<int64_t> decided(const UOp& c) {
    return c.is(Op::Lt) && c.src(0).dtype() == dt::index && !depends_on_load(c) ? const_int(scalar(c)) : std::nullopt;
  }
  /// Index expressions are small trees: no table of seen nodes.
  static bool depends_on_load(const UOp& u) {
    return u.is(Op::Load) || std::any_of(u.src().begin(), u.src().end(), depends_on_load);
  }

  /// Steps of a sum are fused as those that an accumulator takes are (products_fused).
  static UOps added(const Reducer& row, const UOps& total, const UOps& states) {
    if (row.name == std::string_view("sum") && states[0].is(Op::Mul))
      return {alu(Op::Fma, states[0].src(0), states[0].src(1), total[0])};
    return row.combine(total, states);
  }
  /// The states of all instances of some register ranges combined.
  UOps combined(const Reducer& row, std::span<const UOp> bodies, const UOps& ranges, const Substitution& outside,
                const UOp& lane) {
    UOps total;
    std::vector<int64_t> at(ranges.size(), 0);
    for (bool more = true; more;) {
      Substitution numbers = outside;
      for (size_t i = 0; i < ranges.size(); ++i) numbers.emplace_back(ranges[i], iconst(at[i]));
      Instance inner(addresses_, numbers, lane);
      UOps states;
      for (const UOp& b : bodies) states.push_back(inner.value(b));
      total = total.empty() ? states : added(row, total, states);
      more = false;
      for (size_t i = ranges.size(); i-- > 0 && !more;) {
        more = ++at[i] < *const_int(ranges[i].src(0));
        if (!more) at[i] = 0;
      }
    }
    return total;
  }
  /// A Reduce over register ranges: the states of all its instances combined, then the lanes among themselves.
  UOps merged(const UOp& reduce) {
    if (auto it = merged_.find(reduce.id()); it != merged_.end()) return it->second;
    const Reducer& row = reducer(reduce.arg_as<ReduceArg>().reducer);
    const std::span<const UOp> bodies = reduce.src().subspan(0, row.states);
    UOps ranges(reduce.src().begin() + row.states, reduce.src().end());
    UOp lane = {};
    std::erase_if(ranges, [&](const UOp& r) { return kind_of(r) == Kind::Vec && (lane = r, true); });
    // Lanes of another range are those of the statement's results: the merged lanes of each are side by side.
    std::vector<UOps> results;
    if (lane && vec_ && !(lane == vec_)) {
      for (int i = 0; i < lanes_; ++i) {
        Substitution numbers = numbers_;
        numbers.emplace_back(vec_, iconst(i));
        results.push_back(combined(row, bodies, ranges, numbers, lane));
      }
    } else {
      results.push_back(combined(row, bodies, ranges, numbers_, lane ? lane : vec_));
    }
    const UOps total = lane ? lanes_merged(row, std::move(results)) : results[0];
    merged_.emplace(reduce.id(), total);
    return total;
  }

  Addresses& addresses_;
  Substitution numbers_;
  UOp vec_;
  int lanes_ = 1;
  Memo<UOp> done_;
  std::unordered_map<const void*, UOps> merged_;
  UOps kept_;  // keeps memo keys alive
};

/// Register ranges that a statement leaves free (a Reduce binds its own).
UOps register_ranges(const UOp& statement) {
  UOps found, bound;
  for (const UOp& u : toposort(statement)) {
    if (u.is(Op::Range) && is_register(kind_of(u))) found.push_back(u);
    if (u.is(Op::Reduce))
      for (const UOp& r : u.src())
        if (r.is(Op::Range)) bound.push_back(r);
  }
  // Bound ranges do not occur outside their merge: an accumulator's widened lanes are gone once merged.
  std::erase_if(found, [&](const UOp& r) { return std::find(bound.begin(), bound.end(), r) != bound.end(); });
  return found;
}

/// The lines that hints side by side have asked for: narrow elements have many vectors in one.
class AskedLines {
 public:
  /// Whether this hint asks for nothing new. Of vectors in a row, those are kept that are no further apart than a line.
  bool for_line_of(const UOp& hint, int64_t lanes) {
    constexpr int64_t kLine = 64, kNarrow = 2;  // bytes
    const UOp &buffer = hint.src(0).src(0), &at = hint.src(0).src(1);
    const int64_t element = buffer.dtype().element_bytes();
    if (element > kNarrow) return false;
    const auto beyond = at.is(Op::Add) ? const_int(at.src(1)) : std::nullopt;
    const int64_t byte = beyond.value_or(0) * element;
    std::vector<int64_t>& asked = lines_[index(buffer, UOps{beyond ? at.src(0) : at})];
    for (const int64_t other : asked)
      if (std::abs(byte - other) < kLine - lanes * element) return true;
    asked.push_back(byte);
    return false;
  }

 private:
  std::unordered_map<UOp, std::vector<int64_t>> lines_;  // by what an address has beside a constant
};

/// `repeats`: ranges whose trips repeat the statement, whether they occur in it or not.
UOp expand(const UOp& statement, const UOps& repeats, const Context& context, AskedLines& asked) {
  UOps ranges = register_ranges(statement);
  for (const UOp& r : repeats)
    if (std::find(ranges.begin(), ranges.end(), r) == ranges.end()) ranges.push_back(r);
  UOp vec;
  std::erase_if(ranges, [&](const UOp& r) { return kind_of(r) == Kind::Vec && (vec = r, true); });
  Addresses addresses(context.shared);
  if (vec && !context.target.gpu) {
    if (const UOp turned = turned_copy(statement, ranges, vec)) return turned;
    const auto row = [&](const Substitution& numbers, const UOp& along) {
      return Instance(addresses, numbers, along).vector(statement.src(1));
    };
    if (const UOp turned = turned_value(statement, ranges, vec, row)) return turned;
  }
  if (!vec && !context.target.gpu && (vec = results_together(statement, ranges, context.target.lanes_f32())))
    std::erase(ranges, vec);
  // Reduce ranges outermost (a run of updates of the whole block), then the most numerous output axis: compilers keep our
  // order, and the operands of the inner axes stay live.
  const UOp& place = (statement.is(Op::StoreAll) ? statement.src(0) : statement).src(0);
  std::map<std::string, int64_t> instances;
  for (const UOp& r : ranges) instances.emplace(axis_of(r), 1).first->second *= *const_int(r.src(0));
  std::stable_sort(ranges.begin(), ranges.end(), [&](const UOp& a, const UOp& b) {
    const bool out_a = depends_on(place, a), out_b = depends_on(place, b);
    if (out_a != out_b) return out_b;
    if (axis_of(a) == axis_of(b)) return a.arg_as<RangeArg>().tile > b.arg_as<RangeArg>().tile;
    const int64_t x = instances.at(axis_of(a)), y = instances.at(axis_of(b));
    return x != y ? x > y : axis_of(a) < axis_of(b);
  });
  // A merge combines states anew, with ops that are not legal yet (the online softmax: exp).
  const bool merges = !collect(statement, [](const UOp& u) { return u.is(Op::Reduce); }).empty();
  UOps out;
  const int64_t lanes = vec ? *const_int(vec.src(0)) : 1;
  std::vector<int64_t> at(ranges.size(), 0);
  for (bool more = true; more;) {
    Substitution numbers;
    for (size_t i = 0; i < ranges.size(); ++i) numbers.emplace_back(ranges[i], iconst(at[i]));
    UOp s = Instance(addresses, numbers, vec).statement(statement);
    if (s && !(s.is(Op::Prefetch) && asked.for_line_of(s, lanes)))
      out.push_back(merges ? ops_legalized(s, context.target) : s);
    more = false;
    for (size_t i = ranges.size(); i-- > 0 && !more;) {
      more = ++at[i] < *const_int(ranges[i].src(0));
      if (!more) at[i] = 0;
    }
  }
  return block(vec && !context.target.gpu ? interleaved(std::move(out)) : out);
}

UOp expand_tree(const UOp& u, UOps repeats, const Context& context, AskedLines& asked) {
  switch (u.op()) {
    case Op::Prefetch:
    case Op::CopyAsync:
    case Op::Store:
    case Op::StoreAll: return expand(u, repeats, context, asked);
    case Op::Block: {
      UOps out;
      for (const UOp& s : u.src()) out.push_back(expand_tree(s, repeats, context, asked));
      return block(out);
    }
    case Op::For:
      if (is_register(kind_of(u.src(0)))) {
        repeats.push_back(u.src(0));
        return expand_tree(u.src(1), std::move(repeats), context, asked);
      }
      [[fallthrough]];
    case Op::If: {
      AskedLines inside;
      return u.with_src(UOps{u.src(0), expand_tree(u.src(1), repeats, context, inside)});
    }
    default: return u;
  }
}

}  // namespace

UOp registers_expanded(const UOp& tree, const Target& target) {
  Context context{target, {}};
  if (target.gpu) find_shared(tree, context.shared);
  AskedLines asked;
  return expand_tree(tree, {}, context, asked);
}

}  // namespace pg
