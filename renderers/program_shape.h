#pragma once
// What a printer wants to know of a Linear before it writes the first line: which entries are used, which of them can be
// written at their one use, which private memories are just named registers.
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "uops/uop.h"

namespace pg {

class ProgramShape {
 public:
  /// How a dialect writes a value with lanes: as one C value, or as one a lane.
  enum class Vectors { Whole, ByLanes };
  explicit ProgramShape(const UOp& linear, Vectors = Vectors::Whole);

  /// Nothing reads the value that this entry binds.
  bool is_dead(size_t entry) const { return uses_[entry] == 0; }
  /// The entry may be written where it is used instead of as a statement: one use in the same scope, and, for a load of a
  /// register, no store to it before that.
  bool is_inlinable(size_t entry) const { return inlinable_[entry]; }
  /// A private memory all of whose accesses are whole elements at constant places: those places, ascending. Null: an array.
  /// By lanes an element is a scalar, whatever the memory's lanes.
  const std::vector<int64_t>* registers(const UOp& memory) const;
  bool is_written(const UOp& param) const { return written_.contains(param.id()); }
  /// A Memory outside of the threads' For.
  bool is_shared(const UOp& memory) const { return shared_.contains(memory.id()); }
  bool has_threads() const { return has_threads_; }
  /// Whether an entry that is not dead names this Range or Variable.
  bool is_mentioned(const UOp& leaf) const { return mentioned_.contains(leaf.id()); }

 private:
  void find_shared();
  void find_registers();
  void count_uses();
  void find_inlinable();
  bool may_move(size_t entry, size_t to) const;
  void use(const UOp& source, size_t user);
  void mention(const UOp& source);

  UOp linear_;
  Vectors vectors_;
  bool has_threads_ = false;
  std::vector<int> uses_, scope_;              // by entry
  std::vector<std::vector<size_t>> operands_;  // by entry: the entries that bind its sources
  std::vector<bool> inlinable_;
  std::unordered_map<const void*, size_t> bound_;
  std::unordered_map<const void*, std::vector<int64_t>> registers_;
  std::unordered_map<const void*, int> written_;
  std::unordered_set<const void*> shared_, mentioned_;
};

/// A vector constant: as cheap to write as a scalar one.
inline bool is_constant_value(const UOp& u) { return u.is(Op::Const) || (u.is(Op::Broadcast) && u.src(0).is(Op::Const)); }
/// The For whose trips are the launch's items.
inline bool is_grid(const UOp& entry) { return entry.is(Op::For) && entry.src(0).arg_as<RangeArg>().kind == Kind::Grid; }
/// The For whose trips are the threads of a block.
inline bool is_threads(const UOp& entry) { return entry.is(Op::For) && entry.src(0).arg_as<RangeArg>().kind == Kind::Local; }
/// The Param or Memory behind a Load or a Store.
inline const UOp& accessed(const UOp& access) { return access.src(0).src(0); }

}  // namespace pg
