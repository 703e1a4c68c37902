#pragma once
// A Linear made ready to run: every source resolved to its place in a frame, every scope to jumps. A frame holds the values
// and private memories of one thread; all threads of a block run the same instructions, each on its own. Internal to the
// interpreter.
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "uops/interpret.h"
#include "uops/values.h"

namespace pg {

/// The grid items that have used an element so far.
struct Touched {
  static constexpr int64_t kNobody = -1, kSeveral = -2;
  int64_t reader = kNobody, writer = kNobody;
};

/// The thread of a block that used an element last, and when: barriers begin epochs.
struct ThreadUse {
  int32_t reader = Touched::kNobody, another = Touched::kNobody, writer = Touched::kNobody;  // another: a second reader
  uint32_t read_at = 0, written_at = 0;
};

/// What an Index points into.
struct Place {
  std::string name = {};
  Scalar scalar = Scalar::Void;
  void* host = nullptr;          // a Param's buffer, or
  std::vector<Cell> cells = {};  // a workspace or a Memory outside of threads, or
  int frame = -1;                // a thread's private Memory: where it begins in the frame
  int64_t elements = 0;
  int lanes = 1;                      // of an element: vector registers
  bool shared = false;                // by grid items: a buffer or a workspace
  bool block = false;                 // a Memory outside of threads: a block's threads share it
  std::vector<Touched> touched = {};  // one an element when races are looked for
  std::vector<ThreadUse> uses = {};   // one an element, of the threads of a block
  std::vector<int> flights = {};      // one an element: 1 + the thread whose copy to it is on its way
  std::vector<int> sources = {};      // one an element: copies from it that are on their way

  Cell* data(Cell* thread) { return frame < 0 ? cells.data() : thread + frame; }
};

struct Instruction;
using Compute = void (*)(const Instruction&, Cell* frame, bool exact);
/// What runs an elementwise op whose first source is of type `of`.
Compute compute_of(Op op, Scalar of, Scalar to);

struct Instruction {
  Op op;  // an elementwise op, Broadcast, Stack, Shuffle, Load, Store, Memory, For, If, End, what threads do
  Scalar in = Scalar::Void, out = Scalar::Void;
  bool gather = false;                 // one index a lane
  bool grid = false, threads = false;  // a For and its End
  bool special = false;                // not a thread's own business: grid and threads, Barrier, LaneXor, copies
  int lanes = 1;
  int result = -1;            // in the frame, as all of these; For: the counter, and its limit behind it
  int src[3] = {-1, -1, -1};  // Load, Store: index, value, gate; CopyAsync: both indices, gate
  int jump = 0;               // For, If: past the End; End: the body of its For, or the next instruction
  Compute compute = nullptr;  // elementwise
  Place* place = nullptr;
  Place* from = nullptr;        // CopyAsync
  std::vector<int> parts = {};  // Stack, Shuffle: the source of each lane
  UOp node;
};

class InterpretedProgram {
 public:
  InterpretedProgram(const UOp& linear, std::span<const HostBuffer> buffers, std::span<const int64_t> variables, bool exact);
  std::span<const Instruction> instructions() const { return instructions_; }
  std::span<Place* const> workspaces() const { return workspaces_; }
  std::span<const std::unique_ptr<Place>> places() const { return places_; }
  /// The frame of a thread at its beginning: constants and Variables.
  const std::vector<Cell>& frame() const { return frame_; }

 private:
  /// Where a node's value is now; a scope that closes restores what it found.
  struct Binding {
    int cells = -1;
    Place* place = nullptr;
  };
  struct Scope {
    int opened_by;                                          // instruction
    std::vector<std::pair<const void*, Binding>> shadowed;  // newest last
  };

  int new_cells(int64_t n);
  Place& new_place();
  void bind(const UOp& node, Binding);
  int value(const UOp& node);
  Place& place(const UOp& buffer);
  void add(const UOp& entry);
  bool in_threads() const;
  void add_memory(Instruction&);
  void add_copy(Instruction&);
  void add_value(Instruction&);
  void access(Instruction&, const UOp& index, const UOp& gate);
  void open(Instruction&);
  void close(Instruction&);

  bool exact_;
  std::vector<Cell> frame_;
  std::vector<std::unique_ptr<Place>> places_;
  std::vector<Place*> workspaces_;
  std::unordered_map<const void*, Binding> bound_;
  std::vector<Scope> scopes_;
  std::vector<Instruction> instructions_;
};

}  // namespace pg
