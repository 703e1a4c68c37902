#include "uops/uop.h"

#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "uops/facts.h"

namespace pg {

namespace {
using namespace op_flag;
constexpr OpInfo kOps[] = {
#define OP(name, least, most, flags) {#name, least, most, flags},
#include "uops/ops.def"
#undef OP
};
}  // namespace

const OpInfo& info(Op op) { return kOps[static_cast<int>(op)]; }

std::optional<Op> parse_op(std::string_view name) {
  for (int i = 0; i < kOpCount; ++i)
    if (name == kOps[i].name) return static_cast<Op>(i);
  return std::nullopt;
}

namespace {
constexpr const char* kKinds[] = {"loop", "unroll", "upcast", "vec", "local", "grid", "tc"};
}
const char* text(Kind k) { return kKinds[static_cast<int>(k)]; }
std::optional<Kind> parse_kind(std::string_view name) {
  for (int i = 0; i < static_cast<int>(std::size(kKinds)); ++i)
    if (name == kKinds[i]) return static_cast<Kind>(i);
  return std::nullopt;
}

// ---- interning -------------------------------------------------------------------------------------------------------

struct UOp::Node {
  mutable std::atomic<uint32_t> references{1};
  Op op;
  DType dtype;
  uint64_t hash;
  Arg arg;
  UOps src;
  mutable std::atomic<const Note*> note{nullptr};
  mutable Facts facts{};
};
UOp::Facts& UOp::facts() const { return node_->facts; }

namespace {

uint64_t mix(uint64_t seed, const void* data, size_t n) { return XXH3_64bits_withSeed(data, n, seed); }
uint64_t mix(uint64_t seed, uint64_t v) { return mix(seed, &v, sizeof v); }

uint64_t hash_arg(uint64_t seed, const Arg& arg) {
  seed = mix(seed, arg.index());
  return std::visit(
      [&](const auto& a) -> uint64_t {
        using T = std::decay_t<decltype(a)>;
        auto with_text = [&](const std::string& s) { return mix(mix(seed, s.size()), s.data(), s.size()); };
        if constexpr (std::is_same_v<T, std::monostate>) return seed;
        else if constexpr (std::is_same_v<T, int64_t>) return mix(seed, static_cast<uint64_t>(a));
        else if constexpr (std::is_same_v<T, double>) return mix(seed, std::bit_cast<uint64_t>(a));
        else if constexpr (std::is_same_v<T, std::string>) return with_text(a);
        else if constexpr (std::is_same_v<T, Ints>) return mix(seed, a.data(), a.size() * sizeof(int64_t));
        else if constexpr (std::is_same_v<T, RangeArg>) return mix(mix(with_text(a.axis), a.tile), static_cast<uint64_t>(a.kind));
        else if constexpr (std::is_same_v<T, VariableArg>) return mix(mix(with_text(a.name), a.lo), a.hi);
        else if constexpr (std::is_same_v<T, ParamArg>) return mix(with_text(a.name), a.slot);
        else return mix(with_text(a.reducer), a.axes.data(), a.axes.size() * sizeof(int64_t));
      },
      arg);
}

/// Doubles compare by bits: -0.0 and 0.0 are different constants, a NaN equals itself.
bool same_arg(const Arg& a, const Arg& b) {
  const double *x = std::get_if<double>(&a), *y = std::get_if<double>(&b);
  if (x && y) return std::bit_cast<uint64_t>(*x) == std::bit_cast<uint64_t>(*y);
  return a == b;
}

}  // namespace

/// Sharded by hash; a node leaves its shard under the shard's lock, and a lookup that meets a dying node (0 references)
/// makes a new one instead of reviving it.
struct InternTable {
  static constexpr int kShards = 64;
  struct Shard {
    std::mutex mutex;
    std::unordered_multimap<uint64_t, const UOp::Node*> nodes;
  };
  std::array<Shard, kShards> shards;
  std::atomic<size_t> live{0};

  static InternTable& get() {
    static InternTable* table = new InternTable;  // never destroyed: static UOps may outlive any order of destruction
    return *table;
  }
  Shard& shard(uint64_t hash) { return shards[hash % kShards]; }

  const UOp::Node* find_or_make(Op op, DType dtype, Arg arg, std::span<const UOp> src) {
    uint64_t h = mix(static_cast<uint64_t>(dtype.scalar) << 16 | dtype.lanes, info(op).name, std::char_traits<char>::length(info(op).name));
    h = hash_arg(h, arg);
    for (const UOp& s : src) h = mix(h, s.hash());
    Shard& sh = shard(h);
    std::lock_guard lock(sh.mutex);
    for (auto [it, end] = sh.nodes.equal_range(h); it != end; ++it) {
      const UOp::Node* n = it->second;
      if (n->op != op || n->dtype != dtype || n->src.size() != src.size() || !same_arg(n->arg, arg)) continue;
      if (!std::equal(src.begin(), src.end(), n->src.begin())) continue;
      uint32_t count = n->references.load(std::memory_order_relaxed);
      while (count != 0)
        if (n->references.compare_exchange_weak(count, count + 1, std::memory_order_acq_rel)) return n;
    }
    auto* node = new UOp::Node{{1}, op, dtype, h, std::move(arg), UOps(src.begin(), src.end())};
    sh.nodes.emplace(h, node);
    live.fetch_add(1, std::memory_order_relaxed);
    return node;
  }

  /// Iterative: a graph may be a million nodes deep.
  void release(const UOp::Node* node) noexcept {
    std::vector<const UOp::Node*> dead;
    auto drop = [&](const UOp::Node* n) {
      if (n->references.fetch_sub(1, std::memory_order_acq_rel) == 1) dead.push_back(n);
    };
    drop(node);
    while (!dead.empty()) {
      const UOp::Node* n = dead.back();
      dead.pop_back();
      {
        Shard& sh = shard(n->hash);
        std::lock_guard lock(sh.mutex);
        for (auto [it, end] = sh.nodes.equal_range(n->hash); it != end; ++it)
          if (it->second == n) {
            sh.nodes.erase(it);
            break;
          }
      }
      for (const UOp& s : n->src) drop(std::exchange(const_cast<UOp&>(s).node_, nullptr));
      delete n->note.load(std::memory_order_acquire);
      delete n;
      live.fetch_sub(1, std::memory_order_relaxed);
    }
  }
};

size_t live_uops() { return InternTable::get().live.load(); }

UOp::UOp(Op op, DType dtype, Arg arg, std::span<const UOp> src) {
  const OpInfo& i = info(op);
  const int n = static_cast<int>(src.size());
  if (n < i.least || (i.most >= 0 && n > i.most))
    throw InternalError(std::string(i.name) + ": " + std::to_string(n) + " sources");
  for (const UOp& s : src)
    if (!s) throw InternalError(std::string(i.name) + ": a source is null");
  node_ = InternTable::get().find_or_make(op, dtype, std::move(arg), src);
}
UOp::UOp(Op op, DType dtype, Arg arg, std::initializer_list<UOp> src)
    : UOp(op, dtype, std::move(arg), std::span<const UOp>(src.begin(), src.size())) {}
UOp::UOp(const UOp& o) : node_(o.node_) {
  if (node_) node_->references.fetch_add(1, std::memory_order_relaxed);
}
UOp::~UOp() {
  if (node_) InternTable::get().release(node_);
}

Op UOp::op() const { return node_->op; }
DType UOp::dtype() const { return node_->dtype; }
const Arg& UOp::arg() const { return node_->arg; }
std::span<const UOp> UOp::src() const { return node_->src; }
uint64_t UOp::hash() const { return node_->hash; }
const UOp::Note* UOp::note() const { return node_->note.load(std::memory_order_acquire); }
const UOp::Note& UOp::keep_note(std::unique_ptr<const Note> note) const {
  const Note* present = nullptr;
  if (node_->note.compare_exchange_strong(present, note.get(), std::memory_order_acq_rel)) return *note.release();
  return *present;
}

// ---- walking ---------------------------------------------------------------------------------------------------------

UOps toposort(std::span<const UOp> roots) {
  UOps order;
  std::unordered_set<const void*> seen;
  std::vector<std::pair<UOp, size_t>> stack;
  for (const UOp& root : roots) {
    if (!seen.insert(root.id()).second) continue;
    stack.emplace_back(root, 0);
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      if (next == node.src().size()) {
        order.push_back(std::move(node));
        stack.pop_back();
        continue;
      }
      UOp s = node.src(next++);
      if (seen.insert(s.id()).second) stack.emplace_back(std::move(s), 0);
    }
  }
  return order;
}
UOps toposort(const UOp& root) { return toposort(std::span(&root, 1)); }

namespace {
/// Rebuilds bottom-up; `fixed` gives a replacement before the sources are looked at, `f` afterwards.
UOp rebuild(const UOp& root, const std::function<UOp(const UOp&)>& fixed, const std::function<UOp(const UOp&)>& f) {
  std::unordered_map<const void*, UOp> done;
  std::vector<UOp> stack{root};
  while (!stack.empty()) {
    UOp u = stack.back();
    if (done.contains(u.id())) {
      stack.pop_back();
      continue;
    }
    if (fixed)
      if (UOp r = fixed(u)) {
        done.emplace(u.id(), std::move(r));
        stack.pop_back();
        continue;
      }
    bool ready = true;
    for (const UOp& s : u.src())
      if (!done.contains(s.id())) {
        stack.push_back(s);
        ready = false;
      }
    if (!ready) continue;
    stack.pop_back();
    bool changed = false;
    UOps src;
    src.reserve(u.src().size());
    for (const UOp& s : u.src()) {
      src.push_back(done.at(s.id()));
      changed |= !(src.back() == s);
    }
    UOp v = changed ? u.with_src(src) : u;
    if (f)
      if (UOp r = f(v)) v = std::move(r);
    done.emplace(u.id(), std::move(v));
  }
  return done.at(root.id());
}
}  // namespace

UOp substitute(const UOp& root, const Substitution& map) {
  if (map.empty()) return root;
  std::unordered_map<const void*, const UOp*> to;
  for (const auto& [from, target] : map) to.emplace(from.id(), &target);
  return rebuild(
      root, [&](const UOp& u) { auto it = to.find(u.id()); return it == to.end() ? UOp() : *it->second; }, {});
}
UOp transform(const UOp& root, const std::function<UOp(const UOp&)>& f) { return rebuild(root, {}, f); }

UOps collect(const UOp& root, const std::function<bool(const UOp&)>& f) {
  UOps found;
  for (const UOp& u : toposort(root))
    if (f(u)) found.push_back(u);
  return found;
}
bool depends_on(const UOp& root, const UOp& node) {
  std::unordered_set<const void*> seen{root.id()};
  std::vector<const UOp*> stack{&root};
  while (!stack.empty()) {
    const UOp* u = stack.back();
    stack.pop_back();
    if (*u == node) return true;
    for (const UOp& s : u->src())
      if (seen.insert(s.id()).second) stack.push_back(&s);
  }
  return false;
}

}  // namespace pg
