#include <fmt/format.h>

#include "src/cli/markup.h"
#include "src/cli/report_page.h"
#include "src/cli/report_tables.h"

namespace pg {

namespace {

void add(std::string& out, const Table& t) {
  if (t.rows.empty()) return;
  out += "\n" + escape_markdown(t.caption) + ":\n\n|";
  for (const Table::Column& c : t.columns) out += " " + escape_markdown(c.name) + " |";
  out += "\n|";
  for (const Table::Column& c : t.columns) out += c.kind == Table::Number ? "---:|" : "---|";
  out += "\n";
  for (const auto& row : t.rows) {
    out += "|";
    for (const std::string& cell : row) out += " " + escape_markdown(cell) + " |";
    out += "\n";
  }
}
void add(std::string& out, const std::string& paragraph) { out += "\n" + escape_markdown(paragraph) + "\n"; }
void add(std::string& out, const std::vector<std::string>& paragraphs) {
  for (const std::string& p : paragraphs) add(out, p);
}

}  // namespace

std::string markdown_page(const Report& r) {
  std::string out = "# picograd report\n";
  add(out, report_sentence());
  add(out, facts_table(r));
  add(out, state_notes(r));
  if (!r.searches.empty()) {
    out += "\n## Kernels\n";
    add(out, kernels_table(r));
    out += "\n## Roofline\n";
    add(out, roofline_notes(r));
    add(out, roofs_table(r));
    out += "\n## Searches\n";
    add(out, search_notes());
  }
  for (size_t i = 0; i < r.searches.size(); ++i) {
    const Search& s = r.searches[i];
    out += fmt::format("\n### {} {}\n", i + 1, escape_markdown(search_name(r, s)));
    add(out, "Kernel " + s.kernel.id + ". " + summary(s));
    add(out, line_table(s));
    add(out, tree_table(s));
    add(out, reasons_table(s));
    for (size_t b = 0; b < s.batches.size(); ++b) add(out, batch_table(s, b));
  }
  if (!r.others.empty()) {
    out += "\n## Other kernels\n";
    add(out, others_table(r));
  }
  return out;
}

}  // namespace pg
