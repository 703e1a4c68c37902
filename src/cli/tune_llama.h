#pragma once
// picograd tune llama: beam search over every kernel of a llama, the costliest first.
#include <cstdint>
#include <iosfwd>

#include "src/cli/model_file.h"
#include "src/cli/shard.h"

namespace pg {

struct TuneLlamaOptions {
  ModelOptions model;
  double budget_seconds = 0;  // --budget, of the whole run; 0: until every beam ends
  int beam = 4;               // --beam
  bool verbose = false;       // a line per round of each beam

  Shard shard;      // --shard: of the kernels that the database has no finished winner for, those of this shard
  std::string out;  // --out: winners go here, and the database stays as it is; empty: into the database
  bool mpi = false;  // --mpi: the shard is what the launcher says, and the first process merges what all have found
};
/// A line per kernel on `out`. Kernels with a finished winner are skipped, so an interrupted run is taken up where it
/// stopped. Shards of one database that does not change meanwhile share its kernels out without overlap, balanced by what their
/// searches take. The exit status: 0; 130 after Ctrl-C (what was found is kept). UserError when a database cannot be written,
/// or --mpi finds no launcher.
int tune_llama_command(const TuneLlamaOptions&, std::ostream& out);

}  // namespace pg
