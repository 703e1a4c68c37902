#pragma once
// Where everything of a scheduled kernel stands: the nest of each definition, the loop at which it is computed, the loop at
// which a buffer's tile is copied. Pure analysis: `nests_opened` follows it, and the search asks it why a schedule is not
// allowed.
#include <optional>
#include <string>
#include <vector>

#include "uops/directive.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/stage_groups.h"
#include "uops/target.h"

namespace pg {

/// At the entry of the body of a loop: in nest `nest` (number of its definition), inside its `depth` outermost loops.
struct Attach {
  size_t nest = 0, depth = 0;
  friend bool operator==(const Attach&, const Attach&) = default;
};

/// A definition's loops.
struct NestPlan {
  std::string name;  // the definition's; the output's nest is called like its Param
  Chains chains;
  UOps loops, registers;  // in schedule order; loops include the grid
  UOps locals;            // threads of a block: digits of their number, the last fastest; reduce ranges first, lanes last
  bool merges_lanes = false;  // threads that have parts of one result are neighbours: the lanes lie along a reduce axis
  Attach attach;              // where it is computed (the output: nowhere)
  bool staged = false;        // by a stage, not by default
  size_t online = 0;          // 1 + the position of the loop that rescales (output nest only); 0: none
  bool carried = false;       // its state lives outside that loop: it is rescaled, not recomputed
  std::vector<bool> whole;    // per output axis: somebody reads it elsewhere than at that axis
  std::vector<bool> trivial;  // per loop: one trip
  size_t first_reduce = 0;    // p: position of the first reduce loop
  size_t accumulate_at = 0;   // where the accumulators live
  bool crossing = false;      // an output loop stands inside a reduce loop: results are merged in memory
  UOps split;                 // grid ranges of reduce axes: each item has a part of the reduction
};

struct BufferStage {
  StageOpt stage;
  UOp param;
  Attach attach;
  std::vector<StageGroup> groups = {};
  bool hinted = false;  // its copy asks for lines that it will come to
};

/// Hints for what the next turn of a loop reads, beside the last definition's reads inside the loop.
struct BufferPrefetch {
  Attach attach;
  size_t reader;
  UOps loads;  // of that definition, in the kernel's own axes
};

class Placement {
 public:
  /// `threads`: local ranges are the threads of a block; else they are loops, just outside the registers: the serial
  /// meaning.
  explicit Placement(const UOp& scheduled, bool threads = false);

  /// "" or why the schedule is not allowed ("stage: no user of B below k"). Nothing below is good unless it is empty.
  const std::string& fault() const { return fault_; }

  /// Elementwise definitions are gone, unless a stage keeps them; the output is the last one.
  const std::vector<Definition>& definitions() const { return definitions_; }
  const NestPlan& nest(size_t definition) const { return nests_[definition]; }
  size_t root() const { return nests_.size() - 1; }
  const std::vector<BufferStage>& buffer_stages() const { return buffer_stages_; }
  const std::vector<BufferPrefetch>& prefetches() const { return prefetches_; }
  /// Definitions computed in one nest with the first of them, by Fuse.
  const std::vector<std::vector<size_t>>& groups() const { return groups_; }

  /// Whether what definition `reader` reads in its body stands inside this place.
  bool is_below(size_t reader, const Attach&) const;
  /// Elements of an axis that the ranges inside the `depth` outermost loops of a nest walk, at most; rounded to register
  /// tiles where that is the whole axis.
  int64_t closed(size_t nest, const std::string& axis, size_t depth) const;
  /// The same seen from another place: of an axis of definition `d`, at a place that it is below.
  int64_t closed_at(size_t d, const UOp& axis, const Attach&) const;
  /// Elements of an axis that `d` may touch from where a part of `walked` elements begins: its register tiles run over the
  /// end.
  int64_t touched(size_t d, const UOp& axis, int64_t walked) const;
  /// Whether the part of `d`'s axis walked at a place follows that nest's axis of the same name; else it is all of it.
  bool follows(size_t d, const UOp& axis, const Attach&) const;
  bool reduces(size_t d, const UOp& range) const;
  /// Elements of a definition's tile along its output axes.
  std::vector<int64_t> tile_extents(size_t d) const;
  /// How a definition's tile is laid out; `fault`: why its stage's layout does not fit.
  std::vector<TilePart> tile_parts(size_t d, std::string& fault) const;
  /// Private memory of all tiles and partial results, in bytes.
  int64_t private_bytes(const Target&) const;
  /// Of one staged value.
  int64_t bytes_of(const std::string& value, const Target&) const;
  bool has_threads() const { return threads_; }
  /// Threads of a block: the most that a nest asks for.
  int64_t threads() const;
  int64_t blocks() const { return blocks_; }  // of a processor, at least
  static int64_t threads_of(const NestPlan&);
  /// Of them, those that have different outputs; the others have parts of their reductions.
  int64_t output_threads(size_t nest) const;
  /// Shared memory of a block in bytes, without the memory that merges reductions of its threads.
  int64_t shared_bytes() const;

 private:
  void check_threads();
  void refuse(std::string why) {
    if (fault_.empty()) fault_ = std::move(why);
  }
  static std::string loop_text(const NestPlan&, size_t depth);
  void make_nests(const UOp& scheduled);
  void read_directives(const UOp& scheduled);
  void find_whole();
  void place_stage(const UOp& kernel, const StageOpt&);
  std::optional<Attach> find_stage(const StageOpt&);
  std::optional<Attach> find_place(const char* opt, const RangeRef&);
  void place_prefetch(const UOp& kernel, const PrefetchBuffer&);
  void find_trivial_loops(size_t d);
  void place_by_default(size_t d);
  void place_online(const std::string& axis);
  bool rescales(const UOp& range) const;
  void place_buffers();
  void check_readers(size_t d);
  void classify(size_t d);
  void fuse(const std::string& axis);
  size_t named(const std::string& nest) const;
  bool reads(size_t reader, size_t d) const;
  size_t root_depth(size_t d) const;

  bool threads_;
  /// The serial meaning of threads, whose loops stand elsewhere: what saves no work there is left out, not refused.
  bool serial_ = false;
  int64_t blocks_ = 1;
  std::vector<Definition> definitions_;
  std::vector<NestPlan> nests_;
  std::vector<StageOpt> stages_;
  std::string online_axis_;  // empty: none
  std::vector<BufferStage> buffer_stages_;
  std::vector<BufferPrefetch> prefetches_;
  std::vector<std::vector<size_t>> groups_;
  std::string fault_;
};

/// The serial meaning of threads: loops just outside the registers; register ranges outside of them are loops too.
UOps without_threads(const UOps& ranges);
/// The reads of definitions in an expression, through what is inlined: the numbers of those read.
std::vector<size_t> definitions_read(const std::vector<Definition>&, const UOp& expression);
/// Loads of a Param in an expression (not those inside definitions).
UOps param_reads(const UOp& expression, const UOp& param);

}  // namespace pg
