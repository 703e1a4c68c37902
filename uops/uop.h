#pragma once
// The UOp: picograd's one node type, from tensor graph to linear program. A UOp is an 8-byte immutable handle to an interned
// node (hash-consed: equal nodes are the same node, `==` compares pointers). Thread-safe.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "uops/dtype.h"
#include "uops/error.h"
#include "uops/facts.h"

namespace pg {

enum class Op : uint8_t {
#define OP(name, least, most, flags) name,
#include "uops/ops.def"
#undef OP
};
#define OP(name, least, most, flags) +1
inline constexpr int kOpCount = 0
#include "uops/ops.def"
    ;
#undef OP

namespace op_flag {
enum : uint32_t { None = 0, Leaf = 1, Elementwise = 2, Commutative = 4, Associative = 8, Float = 16, Movement = 32, Statement = 64 };
}
struct OpInfo {
  const char* name;
  int least, most;  // number of sources; most = -1: any
  uint32_t flags;
  bool has(uint32_t f) const { return (flags & f) != 0; }
};
const OpInfo& info(Op);
std::optional<Op> parse_op(std::string_view name);

/// How a Range runs (schedule language). `Serial` is an axis that no schedule has split yet.
enum class Kind : uint8_t { Loop, Unroll, Upcast, Vec, Local, Grid, Tc };
const char* text(Kind);
std::optional<Kind> parse_kind(std::string_view);

/// `axis` names the axis; `tile` is the extent of the enclosing tile that this range walks in, 0 for the outermost range
/// (text form `n` and `n:32`). Of the threads of a block: how many blocks share a processor at least, 0: one.
struct RangeArg {
  std::string axis;
  int64_t tile = 0;
  Kind kind = Kind::Loop;
  friend bool operator==(const RangeArg&, const RangeArg&) = default;
};
struct VariableArg {
  std::string name;
  int64_t lo = 0, hi = 0;  // inclusive
  friend bool operator==(const VariableArg&, const VariableArg&) = default;
};
struct ParamArg {
  int64_t slot = 0;
  std::string name;
  friend bool operator==(const ParamArg&, const ParamArg&) = default;
};
/// `axes` only on tensor-level ReduceAxis.
struct ReduceArg {
  std::string reducer;  // a row of uops/reducers.h
  std::vector<int64_t> axes;
  friend bool operator==(const ReduceArg&, const ReduceArg&) = default;
};
using Ints = std::vector<int64_t>;
using Arg = std::variant<std::monostate, int64_t, double, std::string, Ints, RangeArg, VariableArg, ParamArg, ReduceArg>;

class UOp;
using UOps = std::vector<UOp>;

class UOp {
 public:
  UOp() = default;  // the null handle
  /// Interns. Checks arity against ops.def (InternalError); dtypes are the verifier's business.
  UOp(Op op, DType dtype, Arg arg, std::span<const UOp> src);
  UOp(Op op, DType dtype, Arg arg, std::initializer_list<UOp> src);
  UOp(const UOp& o) noexcept;
  UOp(UOp&& o) noexcept : node_(std::exchange(o.node_, nullptr)) {}
  UOp& operator=(UOp o) noexcept {
    std::swap(node_, o.node_);
    return *this;
  }
  ~UOp();

  explicit operator bool() const { return node_ != nullptr; }
  friend bool operator==(const UOp& a, const UOp& b) { return a.node_ == b.node_; }

  Op op() const;
  DType dtype() const;
  const Arg& arg() const;
  std::span<const UOp> src() const;
  const UOp& src(size_t i) const { return src()[i]; }
  /// 64-bit content hash: the same in every process and on every machine.
  uint64_t hash() const;
  /// The node's address: a key for tables that live no longer than the graph.
  const void* id() const { return node_; }

  template <class T>
  const T& arg_as() const {
    return std::get<T>(arg());
  }
  bool is(Op o) const { return node_ && op() == o; }
  /// Something that lives exactly as long as its node: a Buffer's memory, a cached shape. It must not hold the node itself.
  struct Note {
    virtual ~Note() = default;
  };
  /// The node's note, null when it has none. A note stays until the node dies: the pointer is good while a handle is held.
  const Note* note() const;
  /// Attaches a note unless there is one; returns the node's note.
  const Note& keep_note(std::unique_ptr<const Note>) const;

  /// The same node with other sources.
  UOp with_src(std::span<const UOp> src) const { return UOp(op(), dtype(), arg(), src); }
  /// What has been found out about the node.
  Facts& facts() const;

 private:
  struct Node;
  friend struct InternTable;
  static void release(const Node*) noexcept;
  const Node* node_ = nullptr;
};
static_assert(sizeof(UOp) == 8);

struct UOp::Node {
  mutable std::atomic<uint32_t> references{1};
  Op op;
  DType dtype;
  uint64_t hash;
  Arg arg;
  UOps src;
  mutable const Node* next = nullptr;  // in the intern table's bucket
  mutable std::atomic<const Note*> note{nullptr};
  mutable Facts facts{};
};
inline UOp::UOp(const UOp& o) noexcept : node_(o.node_) {
  if (node_) node_->references.fetch_add(1, std::memory_order_relaxed);
}
inline UOp::~UOp() {
  if (node_ && node_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) release(node_);
}
inline Op UOp::op() const { return node_->op; }
inline DType UOp::dtype() const { return node_->dtype; }
inline const Arg& UOp::arg() const { return node_->arg; }
inline std::span<const UOp> UOp::src() const { return node_->src; }
inline uint64_t UOp::hash() const { return node_->hash; }
inline Facts& UOp::facts() const { return node_->facts; }
inline const UOp::Note* UOp::note() const { return node_->note.load(std::memory_order_acquire); }

}  // namespace pg
template <>
struct std::hash<pg::UOp> {
  size_t operator()(const pg::UOp& u) const noexcept { return std::hash<const void*>()(u.id()); }
};
namespace pg {

/// Number of live interned nodes in the process (tests of release).
size_t live_uops();

// ---- Builders. Index arithmetic folds constants; nothing else is simplified here (see uops/simplify.h). ----
UOp constant(DType dtype, double value);   // broadcast when dtype has lanes
UOp constant(DType dtype, int64_t value);
inline UOp iconst(int64_t v) { return constant(dt::index, v); }
UOp variable(std::string name, int64_t lo, int64_t hi);
UOp range(std::string axis, UOp trips, int64_t tile = 0, Kind kind = Kind::Loop);
UOp alu(Op op, UOp a);            // Elementwise with the result type of a (Lt, Eq, Ne: bool)
UOp alu(Op op, UOp a, UOp b);
UOp alu(Op op, UOp a, UOp b, UOp c);
UOp cast(UOp x, DType to);        // x itself when nothing changes
UOp broadcast(UOp x, int lanes);  // x itself when lanes == 1
UOp index(UOp buffer, std::span<const UOp> indices);
UOp load(UOp index, UOp gate = {});
UOp store(UOp index, UOp value, UOp gate = {});
UOp block(std::span<const UOp> statements);  // flattens nested Blocks, drops empty ones

inline UOp operator+(const UOp& a, const UOp& b) { return alu(Op::Add, a, b); }
inline UOp operator-(const UOp& a, const UOp& b) { return alu(Op::Sub, a, b); }
inline UOp operator*(const UOp& a, const UOp& b) { return alu(Op::Mul, a, b); }
UOp idiv(UOp a, UOp b);
UOp mod(UOp a, UOp b);
UOp ceildiv(UOp a, int64_t b);

/// The value of an integer Const, else nullopt.
std::optional<int64_t> const_int(const UOp&);

// ---- Walking ----
/// Every node reachable from the roots, sources before users; iterative.
UOps toposort(std::span<const UOp> roots);
UOps toposort(const UOp& root);
/// Replaces nodes by the map (new nodes are not searched again) and rebuilds the users; shared nodes once.
using Substitution = std::vector<std::pair<UOp, UOp>>;
UOp substitute(const UOp& root, const Substitution&);
/// Bottom-up rebuild: f sees each node with rebuilt sources and returns its replacement (null: keep it).
UOp transform(const UOp& root, const std::function<UOp(const UOp&)>& f);
/// All nodes for which f holds, sources first.
UOps collect(const UOp& root, const std::function<bool(const UOp&)>& f);
bool depends_on(const UOp& root, const UOp& node);

}  // namespace pg
