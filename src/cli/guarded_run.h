#pragma once
// One kernel on buffers that are watched: what it may not write is not written, and what it must is.
#include <memory>
#include <string>
#include <vector>

#include "runtime/memory.h"
#include "search/reference.h"

namespace pg {

class GuardedRun {
 public:
  GuardedRun(Device&, const UOp& kernel);
  /// Launches twice, results poisoned differently before. "" or what is wrong: a guard zone or an operand was written, an
  /// element was not, the two runs differ, or sampled elements are not those of the reference.
  std::string check(Program&, int64_t items);
  /// Of the last run.
  Reference::Error error() const { return reference_->error(result_); }

 private:
  std::string run(Program&, int64_t items, int poison);

  Device& device_;
  std::vector<BufferSpec> specs_;
  std::vector<std::vector<std::byte>> images_;  // by slot: guard, contents, guard
  std::vector<std::unique_ptr<Memory>> memory_;
  std::unique_ptr<Reference> reference_;
  std::vector<std::byte> result_;
};

}  // namespace pg
