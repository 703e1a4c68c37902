#pragma once
// A plan with memory: what realize runs once and a Graph many times.
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/memory.h"
#include "src/graph/memory_planner.h"
#include "src/graph/partition.h"
#include "src/graph/program_cache.h"

namespace pg {

class PlanRunner {
 public:
  /// Plans for the device that holds the inputs. Gives memory to the outputs that have none, and places the intermediates in one arena.
  explicit PlanRunner(const UOps& roots);

  /// Chooses and compiles for these values; run does so too where it meets a new bucket.
  void prepare(const Bindings64&);
  void run(const Bindings64&);
  /// The same as one of many: a GPU is handed all of it as one, which pays from the second time on.
  void replay(const Bindings64&);
  /// Runs with a clock at each step; milliseconds by number in the plan, 0 for constants.
  std::vector<double> timed(const Bindings64&);

  const Plan& plan() const { return plan_; }
  const MemoryLayout& layout() const { return layout_; }

 private:
  struct Kernel {  // a distinct one
    UOp ast;
    UOps variables, sizing;  // all of them, and those that its bucket is made of
    std::string bucket;  // what `ready` is for
    ReadyKernelRef ready;
    std::unordered_map<std::string, ReadyKernelRef> by_bucket;
    Bindings64 bindings;
    std::vector<ReadyLaunch> launches;  // for these
  };
  struct Operand {
    UOp buffer;
    int64_t offset = -1;  // in the arena; -1: memory of its own
  };
  struct Step {
    size_t kernel;
    bool constant;  // its result is kept from the first run on
    std::vector<Operand> operands;
  };
  void place_intermediates();
  /// Computes what only frozen Buffers are needed for, unless that was done.
  void compute_constants();
  void* address(const Operand&) const;
  void addresses(size_t step, const ReadyLaunch&, std::vector<void*>& buffers) const;
  void launch(size_t step, const Kernel&, std::vector<void*>& buffers);
  double timed_launch(size_t step, const Kernel&, std::vector<void*>& buffers) const;

  Device* device_;
  Plan plan_;
  MemoryLayout layout_;
  MemoryRef arena_;
  std::vector<Kernel> kernels_;
  std::vector<Step> steps_;
  std::unique_ptr<LaunchSequence> sequence_;  // null: launches are enqueued one by one
  std::vector<Launch> launches_;              // what the sequence was given last
  bool constants_known_ = false;
};

}  // namespace pg
