#pragma once
// The working parts of the pass nests_opened (uops/nests.cpp): loops, reductions (nests_reductions.cpp), copies into staged
// tiles (nests_stages.cpp). docs/schedule.md, "What the loops become", says what they build.
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "uops/placement.h"
#include "uops/reducers.h"
#include "uops/stage_groups.h"
#include "uops/target.h"
#include "uops/tile.h"

namespace pg {

/// Loads that a staged tile answers while its scope is open.
struct StagedLoads {
  StageGroup group;
  StagedTile tile;
};

class Opener {
 public:
  Opener(const UOp& scheduled, const Target& target);
  UOp run();

 private:
  /// A nest being opened: one definition, or several that share their loops.
  struct Nest {
    size_t number = 0;  // of the first definition; its plan is followed
    const NestPlan* plan = nullptr;
    bool is_root = false;
    struct Part {
      size_t definition = 0;
      const Definition* d = nullptr;
      StagedTile result = {};                // a Define's memory
      std::vector<StagedTile> partial = {};  // crossing: per state, where partial results are merged
      bool in_output = false;                // crossing: the output itself is the memory
      UOps accumulators = {};                // Memory per state, while inside the accumulation
      bool neutral = false;                  // only states are written: the neutral ones, or
      UOp kept = {}, part = {};              // .. what they are when an item is done, to its part of this workspace
    };
    std::vector<Part> parts;
    bool reduces() const { return parts[0].d->reduce && !parts[0].neutral; }
  };
  /// A part of an item's work that other items have parts of too: where it is kept until all are done.
  struct Split {
    UOps buffers;                   // per state: a workspace Param [items of the reduce axes, the output axes]
    std::map<size_t, UOp> running;  // those of rescaled definitions: [items, their axes]
    UOp merge_axis;
  };

  /// A tile whose copies are on their way while its loop turns.
  struct Ring {
    const BufferStage* stage;
    StageGroup group;
    StagedTile tile;
    Attach attach;
  };

  // -- loops (nests.cpp) --
  Scope enter(Nest&, Scope) const;
  UOp open_threads(Nest&, size_t i, Scope);
  Scope with_threads(const NestPlan&, Scope) const;
  UOp declared(const UOp& memory);
  UOp open(Nest&, size_t i, Scope);
  UOp open_loop(Nest&, size_t i, const Scope&);
  UOp open_grid(Nest&, size_t i, Scope);
  UOp open_attached(Nest&, size_t i, Scope&);
  UOp open_definition(const std::vector<size_t>& group, const Scope&);
  UOp open_carried(const Scope&);
  UOp keep_state(const Nest&, const Nest::Part&, const Scope&) const;
  UOp keep_carried(const Nest& root, const Scope&);
  Scope inside(const NestPlan&, const Definition&, const Scope&) const;
  UOp open_body(Nest&, const Scope&);
  UOp grid_trips(const Nest&, const UOp& range) const;
  std::string loop_name(const Nest&, const UOp& range) const;
  Scope with_position_gate(const Chain&, Scope) const;
  Scope tail(const Chain&, Scope, const UOp& count) const;
  bool is_ragged(const Scope&, const Chain&, const UOp& range) const;
  bool reduces(const Nest& n, const UOp& range) const { return placement_.reduces(n.number, range); }

  // -- reductions (nests_reductions.cpp) --
  /// The row of a definition's reducer, its states as nodes, and what stands for them.
  static const Reducer& row(const Definition&);
  static UOp state(const Definition&, size_t s);
  static Substitution states(const Definition&, const UOps& values);
  UOps identity(const Nest::Part&) const;
  UOps accumulator_ranges(const Nest&) const;
  UOp accumulator(const Nest&, const Nest::Part&, size_t state) const;
  UOp open_partial(Nest&, const Scope&);
  UOp accumulate(Nest&, size_t i, Scope);
  UOp update(Nest&, Nest::Part&, const Scope&);
  UOp factored(const Nest&, const UOp& body, UOps& repeats) const;
  Substitution totals(const Nest&, const Nest::Part&) const;
  UOp merge_target(const Nest&, const Nest::Part&, size_t state, const Scope&) const;
  UOp merge_partial(Nest&, Nest::Part&, const Scope&);
  UOp store_rescaled(Nest&, Nest::Part&, const Scope&, const UOp& total);
  UOp rescaled_accumulators(const Nest&, const Scope&) const;
  UOp correction() const;
  Split& split(const Nest&);
  UOp part_of(const Nest&, const Scope&) const;
  UOp store_split(Nest&, Nest::Part&, const Scope&, const UOps& states);
  UOps merged_states(Substitution&, UOps& bodies);
  UOp merge_split();

  // -- threads of a block (nests_threads.cpp, block_copies.cpp) --
  UOp thread_gate(const Nest&) const;
  bool is_zero_beyond(const Nest&, const UOp& load, const UOp& axis, const Scope&) const;
  bool adds_nothing_beyond(const Nest&, const Nest::Part&, const Scope&) const;
  Substitution merged_threads(Nest&, Nest::Part&, const Scope&, UOps& out);
  UOp open_block_stage(const BufferStage&, Scope&, size_t number);
  StagedTile without_conflicts(const BufferStage&, const StageGroup&, const StagedTile&) const;
  UOp turned(const Nest&, size_t i, const UOp& loop, const UOp& body);
  UOp turned_async(const std::vector<const Ring*>&, const UOp& loop, const UOp& body) const;
  UOp turned_plain(const std::vector<const Ring*>&, const UOp& loop, const UOp& body);
  enum class Move { Direct, Async, ToRegisters, FromRegisters };
  UOp block_copy(const Ring&, const Substitution& at, const UOp& slot, Move, const UOp& registers = {}) const;

  // -- copies (nests_stages.cpp) --
  UOp open_stage(const BufferStage&, Scope&, size_t stage);
  UOp copy(const BufferStage&, const StageGroup&, const StagedTile&);
  UOp hints(const Nest&, const Nest::Part&, const Scope&) const;
  struct Share {
    UOp rows, mine;  // a register range, and what stands for it; null: nothing is shared out
  };
  Share share_of_hints(const Nest&, const BufferPrefetch&, const UOp& load, const UOp& at, const Scope&) const;
  static UOp source_of(const BufferStage&, const StageGroup&, const UOps& coordinates, const UOps& tested, UOp gate);

  // -- expressions --
  UOps positions(const Nest::Part&, const Nest&, const Scope&) const;
  UOp gate_of_store(const Nest&, const Nest::Part&, const Scope&) const;
  UOp store_result(Nest&, Nest::Part&, const UOp& value, const Scope&);
  UOp bind(const Nest&, const UOp& expression, const Scope&, Substitution map) const;
  UOp gate_of_load(const Nest&, const UOp& load, const Scope&) const;
  static UOps bound_indices(const UOp& load, const Substitution&);
  size_t number_of_definition(const UOp& define) const;
  static std::pair<const StagedTile*, const StageGroup::User*> staged_load(const Scope&, size_t definition, const UOp& load);
  Region region_at(const NestPlan& place, const Chain&, const Scope&) const;
  StagedTile definition_tile(size_t d, const Scope&, const char* suffix = "");
  int64_t number_of(const std::string& what);
  int64_t lanes_of(DType t) const { return std::max<int64_t>(1, target_.vector_bytes / t.element_bytes()); }

  const Target& target_;
  Placement placement_;
  const std::vector<Definition>& definitions_;
  std::map<size_t, StagedTile> tiles_;                // memory of the definitions opened so far
  std::optional<StagedTile> correction_;              // exp(M - M') of the rescaling loop
  std::map<std::pair<size_t, size_t>, UOp> turning_;  // open loops, by nest and depth: their Ranges
  std::optional<Split> split_;
  // A block of threads: their number, the memories that they share, copies on their way while the loop turns.
  UOp thread_;
  bool threads_open_ = false;
  std::vector<Scope> outside_;  // at each loop of the grid
  UOps shared_;
  std::vector<Ring> rings_;
  std::map<std::string, int64_t> numbers_;  // of Memories: the same one in every peeled copy of a loop
  std::vector<std::string> axis_names_;
};

/// Statements as one: those of a single store stay a Store.
UOp store_all(const UOps& stores);
/// The body under a condition; nothing when that is known to be false.
UOp when(const UOp& condition, const UOp& body);

}  // namespace pg
