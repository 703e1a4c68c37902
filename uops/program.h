#pragma once
// A Linear made ready to run: every source resolved to the cells that hold it, every scope to jumps. Internal to
// interpret.cpp.
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
  int32_t reader = -1, writer = -1;  // kNobody, kSeveral of Touched
  int64_t read_at = -1, written_at = -1;
};

/// What an Index points into.
struct Place {
  Scalar scalar = Scalar::Void;
  void* host = nullptr;          // a Param's buffer, or
  std::vector<Cell> cells = {};  // private memory
  int64_t elements = 0;
  int lanes = 1;                      // of an element: vector registers
  bool shared = false;                // by grid items: a buffer or a workspace
  std::vector<Touched> touched = {};  // one an element when races are looked for
  bool block = false;                 // shared by the threads of a block
  std::vector<ThreadUse> uses = {};   // one an element, of the threads of a block
  std::vector<int32_t> flights = {};  // one an element: 1 + the thread whose copy to it is on its way
};

struct Instruction {
  Op op;  // an elementwise op, Broadcast, Stack, Shuffle, Load, Store, Memory, For, If, End
  Scalar in = Scalar::Void, out = Scalar::Void;
  int lanes = 1;
  Cell* result = nullptr;   // For: the counter, and its limit behind it
  const Cell* src[3] = {};  // Load, Store: index, value, gate
  Place* place = nullptr;
  Place* from = nullptr;  // CopyAsync: the buffer, with its index in src[1]
  bool gather = false;    // one index a lane
  bool grid = false, threads = false;
  int jump = 0;                         // For, If: past the End; End: the body of its For, or the next instruction
  std::vector<const Cell*> parts = {};  // Stack, Shuffle: the source of each lane
  UOp node;
};

class InterpretedProgram {
 public:
  InterpretedProgram(const UOp& linear, std::span<const HostBuffer> buffers, std::span<const int64_t> variables, bool exact);
  std::span<const Instruction> instructions() const { return instructions_; }
  std::span<Place* const> workspaces() const { return workspaces_; }
  std::span<const std::unique_ptr<Place>> places() const { return places_; }
  /// All values of a thread, and back again.
  void save(std::vector<Cell>&) const;
  void restore(const std::vector<Cell>&) const;

 private:
  /// Where a node's value is now; a scope that closes restores what it found.
  struct Binding {
    Cell* cells = nullptr;
    Place* place = nullptr;
  };
  struct Scope {
    int opened_by;                                          // instruction
    std::vector<std::pair<const void*, Binding>> shadowed;  // newest last
  };

  Cell* new_cells(int n);
  Place& new_place();
  void bind(const UOp& node, Binding);
  const Cell* value(const UOp& node);
  Place& place(const UOp& buffer);
  void add(const UOp& entry);
  void access(Instruction&, const UOp& index, const UOp& gate);
  void open(Instruction&);
  void close(Instruction&);

  bool exact_;
  static constexpr size_t kChunk = 4096;
  std::vector<std::unique_ptr<Cell[]>> cells_;  // chunks
  size_t used_ = kChunk;                        // cells of the last one
  std::vector<std::unique_ptr<Place>> places_;
  std::vector<Place*> workspaces_;
  std::unordered_map<const void*, Binding> bound_;
  std::vector<Scope> scopes_;
  std::vector<Instruction> instructions_;
};

}  // namespace pg
