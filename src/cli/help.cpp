#include "src/cli/help.h"

#include <algorithm>
#include <ostream>
#include <vector>

#include "cache/store.h"
#include "renderers/render.h"
#include "runtime/config.h"

namespace pg {

namespace {

struct Line {
  std::string left, right;
};

const std::vector<Line> kCommands = {
    {"demo", "a llama writes, beam search makes kernels faster, the winners are replayed"},
    {"llama -p TEXT [-n N] [-m FILE]", "continue a text; without -m the llama that lies in models/data"},
    {"tune llama [-m FILE | --config NAME]", "search schedules for every kernel of a llama"},
    {"tune llama --shard I/N --out FILE | --mpi", ".. by several processes: a share each; merged by `db merge`, or by the first"},
    {"bench gemm [--shapes MxNxK,..] [--vs openblas,onednn]", "matrix products, beside vendor libraries"},
    {"bench kernel --kind KIND --shape SHAPE [--opts OPTS]",
     "one kernel beside the machine's peak and bandwidth, and peers"},
    {"bench lower", "how long lowering takes"},
    {"bench compile", "how long compiling takes, and how fast what it makes is, by each route to Clang"},
    {"bench search --kind KIND --shape SHAPE", "what each part of a search is worth: without it, how good and how soon"},
    {"bench ranking", "how good the orders are in which a search tries candidates, by what the database measured"},
    {"bench noise", "how far verdicts between two schedules are to be trusted here"},
    {"db stats | list | show ID", "what the schedule database holds"},
    {"db export [-o FILE] | import FILE.. | merge DB..", "schedules go from one database to another"},
    {"db verify [--no-run]", "whether it is sound; its winners run again beside the default"},
    {"db prune [--dry-run ..] | migrate", "drop what nothing needs; bring an older schema up"},
    {"report [-o FILE] [--md FILE] [--kernel ID] [--no-measure]", "what the search found, as a page: roofline, curves"},
    {"devices", "what can run kernels here; where not, why and what to do"},
    {"help", "this page; `picograd COMMAND --help` lists a command's options"},
};
const std::vector<Line> kShared = {
    {"--db FILE", "the schedule database (PICOGRAD_DB)"},
    {"--beam N", "width of the beam search; 0: no search (BEAM)"},
    {"--budget TIME", "30s, 5m, 1h of search in all (BUDGET)"},
    {"--threads N", "cores a launch may use; 0: all (THREADS)"},
    {"--device CPU|REF|CUDA[:N]", "where kernels run; REF: the interpreter (DEVICE)"},
    {"--version", "version, code generator and database schema"},
};

void print(std::ostream& out, const char* title, const std::vector<Line>& lines) {
  size_t width = 0;
  for (const Line& l : lines) width = std::max(width, l.left.size());
  out << "\n" << title << "\n";
  for (const Line& l : lines) out << "  " << l.left << std::string(width + 2 - l.left.size(), ' ') << l.right << "\n";
}

}  // namespace

std::string version_text() {
  return std::string("picograd ") + kVersion + " (codegen " + std::to_string(kCodegenVersion) + ", database schema " +
         std::to_string(kSchemaVersion) + ")";
}

void print_help(std::ostream& out) {
  std::vector<Line> variables;
  for (const ConfigVariable& v : config_variables()) variables.push_back({std::string(v.name) + "=" + v.value, v.meaning});
  out << "picograd turns tensor programs into kernels whose schedules were searched.\n";
  print(out, "Commands", kCommands);
  print(out, "Options of every command; they override the environment", kShared);
  print(out, "Environment (default in parentheses)", variables);
  out << "\nResults go to stdout, progress to stderr. Exit status: 0, 1 a mistake that the message explains, 2 wrong usage, "
         "70 a defect in picograd,\n"
         "130 interrupted (Ctrl-C ends a search at its next candidate and keeps what was measured; the second one ends the "
         "program).\n";
}

}  // namespace pg
