#pragma once
// The buffers that a benchmark's kernel and its peers run on.
#include <memory>
#include <vector>

#include "runtime/memory.h"
#include "search/reference.h"

namespace pg {

/// One set of buffers, as addresses of the device: by Param slot, and where a peer's result goes.
struct OperandSet {
  std::vector<void*> buffers;
  void* theirs = nullptr;
};

/// Random operands, results that are NaN until they are written; several sets of equal contents, so that launches in turns
/// find none of them in a cache.
class Operands {
 public:
  Operands(const UOp& kernel, Device&);
  /// All bytes that a set has, without a peer's result.
  size_t bytes() const;
  void make_sets(size_t n);

  const std::vector<OperandSet>& sets() const { return sets_; }
  void forget_results();
  /// From the first set, when all work is done.
  std::vector<std::byte> result() const { return copy_out(sets_[0].buffers[0]); }
  std::vector<std::byte> their_result() const { return copy_out(sets_[0].theirs); }
  Reference reference() const;
  /// The first set's memory, where the host can read it.
  std::vector<std::span<const std::byte>> working_set() const;

 private:
  std::vector<std::byte> copy_out(const void*) const;

  const UOp kernel_;
  Device& device_;
  std::vector<BufferSpec> specs_;
  std::vector<std::vector<std::byte>> host_;  // by slot; [0]: NaNs
  std::unique_ptr<Memory> memory_;
  std::vector<OperandSet> sets_;
};

}  // namespace pg
