#pragma once
// picograd tune llama: beam search over every kernel of a llama, the costliest first.
#include <cstdint>
#include <iosfwd>

#include "src/cli/model_file.h"

namespace pg {

struct TuneLlamaOptions {
  ModelOptions model;
  double budget_seconds = 0;  // --budget, of the whole run; 0: until every beam ends
  int beam = 4;               // --beam
  bool verbose = false;       // a line per round of each beam
};
/// A line per kernel on `out`. Kernels with a finished winner are skipped, so an interrupted run is taken up where it
/// stopped. The exit status: 0; 130 after Ctrl-C (what was found is kept). UserError when the database cannot be written.
int tune_llama_command(const TuneLlamaOptions&, std::ostream& out);

}  // namespace pg
