#pragma once
// Linear programs written by hand.
#include <set>
#include <string>
#include <vector>

#include "uops/kernel.h"
#include "uops/linear.h"

namespace pg::test {

class LinearBuilder {
 public:
  UOp param(const std::string& name, DType t, int64_t elements = 0) {
    return UOp(Op::Param, t, ParamArg{next_param_++, name}, {iconst(elements)});
  }
  UOp memory(const std::string& name, DType t, int64_t elements) {
    return add(UOp(Op::Memory, t, ParamArg{next_memory_++, name}, {iconst(elements)}));
  }
  static UOp at(const UOp& buffer, const UOp& i, DType t) { return UOp(Op::Index, t, {}, {buffer, i}); }
  static UOp at(const UOp& buffer, const UOp& i, int lanes = 1) {
    return at(buffer, i, lanes > 1 ? buffer.dtype().vec(lanes) : buffer.dtype());
  }
  static UOp lanes(int n) { return UOp(Op::Lanes, dt::index.vec(n), {}, {}); }

  /// Enters what the value needs; values of enclosing scopes are not computed again.
  UOp value(const UOp& root) {
    for (const UOp& u : toposort(root))
      if (is_linear_value(u) && !known(u)) add(u), scopes_.back().insert(u.id());
    return root;
  }
  /// Enters it again: a load after a store.
  UOp again(const UOp& u) {
    for (const UOp& s : u.src()) value(s);
    scopes_.back().insert(u.id());
    return add(u);
  }
  UOp load(const UOp& index, const UOp& gate = {}) { return again(pg::load(index, gate)); }
  void store(const UOp& index, const UOp& v, const UOp& gate = {}) {
    value(v), value(index.src(1));
    if (gate) value(gate);
    add(pg::store(index, v, gate));
  }
  void prefetch(const UOp& index) { add(UOp(Op::Prefetch, dt::kVoid, int64_t{0}, {index})); }
  void barrier() { add(UOp(Op::Barrier, dt::kVoid, {}, {})); }
  void copy(const UOp& to, const UOp& from, const UOp& gate = {}) {
    value(to.src(1)), value(from.src(1));
    UOps src{to, from};
    if (gate) src.push_back(value(gate));
    add(UOp(Op::CopyAsync, dt::kVoid, {}, src));
  }
  void commit() { add(UOp(Op::CopyCommit, dt::kVoid, {}, {})); }
  void wait(int64_t newest) { add(UOp(Op::CopyWait, dt::kVoid, newest, {})); }
  UOp lane_xor(const UOp& v, int64_t mask) { return value(UOp(Op::LaneXor, v.dtype(), mask, {v})); }

  UOp open(const UOp& range) {
    value(range.src(0));
    open_scope(UOp(Op::For, dt::kVoid, {}, {range}));
    return range;
  }
  UOp grid(int64_t blocks, const char* name = "g") { return open(range(name, iconst(blocks), 0, Kind::Grid)); }
  UOp threads(int64_t n, const char* name = "t") { return open(range(name, iconst(n), 0, Kind::Local)); }
  void open_if(const UOp& condition) { open_scope(UOp(Op::If, dt::kVoid, {}, {value(condition)})); }
  void close(int scopes = 1) {
    for (; scopes > 0; --scopes) {
      add(UOp(Op::End, dt::kVoid, {}, {open_.back()}));
      open_.pop_back(), scopes_.pop_back();
    }
  }
  UOp finish(const std::string& name = "test") {
    close(static_cast<int>(open_.size()));
    return UOp(Op::Linear, dt::kVoid, name, entries_);
  }

 private:
  UOp add(const UOp& entry) { return entries_.push_back(entry), entry; }
  bool known(const UOp& u) const {
    for (const auto& s : scopes_)
      if (s.contains(u.id())) return true;
    return false;
  }
  void open_scope(const UOp& opener) {
    add(opener);
    open_.push_back(opener);
    scopes_.emplace_back();
  }

  UOps entries_, open_;
  std::vector<std::set<const void*>> scopes_{{}};
  int64_t next_param_ = 0, next_memory_ = 0;
};

inline UOp less(const UOp& a, const UOp& b) { return alu(Op::Lt, a, b); }
inline UOp less(const UOp& a, int64_t b) { return less(a, iconst(b)); }
inline UOp both(const UOp& a, const UOp& b) { return alu(Op::And, a, b); }
inline UOp times(const UOp& a, int64_t b) { return a * iconst(b); }
inline UOp plus(const UOp& a, int64_t b) { return a + iconst(b); }
inline UOp quotient(const UOp& a, int64_t b) { return idiv(a, iconst(b)); }
inline UOp rest(const UOp& a, int64_t b) { return mod(a, iconst(b)); }
inline UOp bit_xor(const UOp& a, const UOp& b) { return alu(Op::Xor, a, b); }

}  // namespace pg::test
