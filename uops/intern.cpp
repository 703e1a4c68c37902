// The intern table: equal nodes are one node.
#include <array>
#include <bit>
#include <mutex>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "uops/uop.h"

namespace pg {

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
/// makes a new one instead of reviving it. The nodes of a bucket are chained through themselves.
struct InternTable {
  using Node = UOp::Node;
  static constexpr size_t kShards = 64;
  struct alignas(64) Shard {
    std::mutex mutex;
    std::vector<const Node*> buckets = std::vector<const Node*>(64);
    size_t size = 0;

    const Node*& bucket(uint64_t hash) { return buckets[hash / kShards & (buckets.size() - 1)]; }
    void insert(const Node* n) {
      if (++size > buckets.size()) grow();
      n->next = std::exchange(bucket(n->hash), n);
    }
    void erase(const Node* n) {
      const Node** at = &bucket(n->hash);
      while (*at != n) at = &(*at)->next;
      *at = n->next;
      --size;
    }
    void grow() {
      std::vector<const Node*> old(2 * buckets.size());
      old.swap(buckets);
      for (const Node* n : old)
        while (n) n = std::exchange(n->next, std::exchange(bucket(n->hash), n));
    }
  };
  std::array<Shard, kShards> shards;
  std::atomic<size_t> live{0};

  static InternTable& get() {
    static InternTable* table = new InternTable;  // never destroyed: static UOps may outlive any order of destruction
    return *table;
  }
  Shard& shard(uint64_t hash) { return shards[hash % kShards]; }

  static uint64_t hash(Op op, DType dtype, const Arg& arg, std::span<const UOp> src) {
    static const std::array<uint64_t, kOpCount> names = [] {  // by name: the order of ops.def may change
      std::array<uint64_t, kOpCount> h;
      for (int i = 0; i < kOpCount; ++i) {
        const std::string_view name = info(static_cast<Op>(i)).name;
        h[static_cast<size_t>(i)] = mix(0, name.data(), name.size());
      }
      return h;
    }();
    uint64_t h = mix(names[static_cast<size_t>(op)], static_cast<uint64_t>(dtype.scalar) << 16 | dtype.lanes);
    h = hash_arg(h, arg);
    for (const UOp& s : src) h = mix(h, s.hash());
    return h;
  }

  const Node* find_or_make(Op op, DType dtype, Arg arg, std::span<const UOp> src) {
    const uint64_t h = hash(op, dtype, arg, src);
    Shard& sh = shard(h);
    std::lock_guard lock(sh.mutex);
    for (const Node* n = sh.bucket(h); n; n = n->next) {
      if (n->hash != h || n->op != op || n->dtype != dtype || n->src.size() != src.size() || !same_arg(n->arg, arg)) continue;
      if (!std::equal(src.begin(), src.end(), n->src.begin())) continue;
      uint32_t count = n->references.load(std::memory_order_relaxed);
      while (count != 0)
        if (n->references.compare_exchange_weak(count, count + 1, std::memory_order_acq_rel)) return n;
    }
    auto* node = new Node{{1}, op, dtype, h, std::move(arg), UOps(src.begin(), src.end())};
    sh.insert(node);
    live.fetch_add(1, std::memory_order_relaxed);
    return node;
  }

  /// Frees a node without references, and what only it held. Iterative: a graph may be a million nodes deep.
  void free(const Node* node) noexcept {
    std::vector<const Node*> dead{node};
    while (!dead.empty()) {
      const Node* n = dead.back();
      dead.pop_back();
      {
        Shard& sh = shard(n->hash);
        std::lock_guard lock(sh.mutex);
        sh.erase(n);
      }
      for (const UOp& s : n->src) {
        const Node* source = std::exchange(const_cast<UOp&>(s).node_, nullptr);
        if (source->references.fetch_sub(1, std::memory_order_acq_rel) == 1) dead.push_back(source);
      }
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
void UOp::release(const Node* node) noexcept { InternTable::get().free(node); }

const UOp::Note& UOp::keep_note(std::unique_ptr<const Note> note) const {
  const Note* present = nullptr;
  if (node_->note.compare_exchange_strong(present, note.get(), std::memory_order_acq_rel)) return *note.release();
  return *present;
}

}  // namespace pg
