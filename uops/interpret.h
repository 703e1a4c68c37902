#pragma once
// The oracle: executes a Linear program on host memory with every index checked.
#include <cstdint>
#include <span>

#include "uops/uop.h"

namespace pg {

struct HostBuffer {
  void* data = nullptr;
  int64_t elements = 0;  // of the Param's element type
};
struct InterpretOptions {
  /// Floats are kept in double between ops (reference values for accuracy checks) instead of being rounded to their dtype.
  bool exact = false;
  int64_t max_steps = 4'000'000'000;  // UserError "interpreter: step limit" beyond
  /// InternalError when two grid items touch the same element of a buffer and one of them writes it: run in parallel they
  /// race.
  bool races = false;
  /// Threads of a block run one at a time until they wait: in this order, or (Random) handing over at any instruction.
  enum class Order : uint8_t { Forward, Reverse, Random } threads = Order::Forward;
  /// When asynchronous copies land: as soon as they are issued, only when they are waited for, or either.
  enum class Landing : uint8_t { Early, Late, Random } copies = Landing::Late;
  uint64_t seed = 1;  // of Random
  /// Threads of a block that race, and who touches what a copy is on its way to or from, are errors. Without, only what they
  /// compute tells, under the right order and landing.
  bool thread_races = true;
};
/// Runs all grid items in order, or items [begin, end) when given. Private memory is poisoned (NaN, 0x5a..) at each item.
/// `buffers` and `variables` are in the order of `params_of` and `variables_of` (uops/kernel.h). A cast of a float beyond
/// the integer's range gives what x86 gives; Max and Min give NaN when either side is one. Throws InternalError with the UOp
/// (pretty form) on an index out of bounds (gated lanes excepted), a read of unbound values, division by zero, a shift by
/// the type's width or more, and on programs that linear.h does not allow.
/// Threads of a block (linear.h) are watched: it is an InternalError, with block, thread and UOp, when they race for an
/// element of shared memory or of a buffer, touch what a copy is on its way to, write what one is on its way from, copy to
/// or from an address that is not aligned (buffers and Memories are), leave copies unwaited for, wait for each other at
/// different places, or meet in different turns of a loop.
void interpret(const UOp& linear, std::span<const HostBuffer> buffers, std::span<const int64_t> variables,
               const InterpretOptions& = {}, int64_t begin = 0, int64_t end = -1);

}  // namespace pg
