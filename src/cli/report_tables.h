#pragma once
// The numbers of a report as tables of text: the page and its Markdown print the same cells.
#include <string>
#include <vector>

#include "src/cli/report.h"

namespace pg {

/// Text as it is; who prints it escapes it.
struct Table {
  enum Kind { Text, Number, Code };  // Code: opts, and what programs said
  struct Column {
    std::string name;
    Kind kind = Text;
  };
  std::string caption;
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

Table facts_table(const Report&);    // machine, toolchain, database, counts
Table kernels_table(const Report&);  // a row for each search; the first column is its number, from 1
Table roofs_table(const Report&);
Table others_table(const Report&);   // kernels of which nothing is known here
Table reasons_table(const Search&);  // why candidates were refused, and how many
Table line_table(const Search&);     // from where it began to the winner
/// Each schedule that others were made from, below the one it was made from; empty where no origin was recorded.
Table tree_table(const Search&);
Table batch_table(const Search&, size_t batch);

/// What a page says of a search in a sentence or two.
std::string summary(const Search&);
/// "Batch 3 of run 2: 14 tried, 9 timed, best so far 0.123 ms"
std::string batch_title(const Search&, size_t batch);
/// "matmul_64x64 T=128, 2 threads"
std::string search_name(const Report&, const Search&);
std::string report_sentence();
/// What stands below a heading: how to read what follows, and what is missing and why. A paragraph each.
std::vector<std::string> state_notes(const Report&);
std::vector<std::string> roofline_notes(const Report&);
std::vector<std::string> search_notes();

/// How the numbers of a report are written: "0.0123", "1.5", "170", "4568".
std::string figure_text(double);
std::string speedup_text(const Search&);        // "2.41x", or "–" where it is not known
std::string schedule_text(const std::string&);  // "(unscheduled)" where it is empty
/// How the opts of a schedule differ from those of the one it was made from: "+ tile(n,32) - tile(n,16)".
std::string change_text(const Measured&);  // empty: it was made from none

}  // namespace pg
