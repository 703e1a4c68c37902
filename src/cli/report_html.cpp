#include <fmt/format.h>

#include "src/cli/markup.h"
#include "src/cli/report_charts.h"
#include "src/cli/report_page.h"
#include "src/cli/report_tables.h"

namespace pg {

namespace {

constexpr size_t kOpen = 3;  // searches that are unfolded from the start

// Colours are told apart by lightness too; what they mean is also told by shape or in words.
constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --soft: #59636e; --line: #d5dae0; --grid: #e9ecef;
  --panel: #f6f8fa; --default: #b3661b; --winner: #0b62b8; --before: #d9c3a8; --refused: #b3261e; --slow: #8a94a0; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171b; --text: #e4e8ec; --soft: #9aa5b1; --line: #3a424b; --grid: #262c33; --panel: #1c2127;
    --default: #eaa45e; --winner: #6cb4ff; --before: #5f4a31; --refused: #ff8a80; --slow: #7b8692; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: .5rem 0; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .3rem; }
p { margin: .4rem 0; max-width: 48rem; } .note { color: var(--soft); font-size: .9rem; }
a { color: var(--winner); } :focus-visible { outline: 2px solid var(--winner); outline-offset: 2px; }
code, td.code { font-family: ui-monospace, monospace; font-size: .85em; }
.scroll { overflow-x: auto; margin: .6rem 0; } .long { max-height: 32rem; overflow-y: auto; }
table { border-collapse: collapse; font-size: .85rem; }
caption { text-align: left; color: var(--soft); padding: .2rem 0; }
details details caption { position: absolute; clip-path: inset(50%); white-space: nowrap; width: 1px; overflow: hidden; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem; border-bottom: 1px solid var(--line);
  unicode-bidi: isolate; overflow-wrap: normal; }
td.wide { min-width: 16rem; overflow-wrap: anywhere; white-space: pre-wrap; }
th { background: var(--panel); } .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.facts th { white-space: nowrap; } .facts td { overflow-wrap: anywhere; }
details { margin: .5rem 0; } summary { cursor: pointer; padding: .2rem 0; }
details details { margin-left: 1rem; }
svg { display: block; width: 100%; height: auto; min-width: 33rem; font-family: system-ui, sans-serif; }
.bars svg { min-width: 20rem; max-width: 42rem; }
.tick, .name, .rooftext { font-size: 11px; fill: var(--soft); } 
.name { fill: var(--text); } .name, .rooftext { paint-order: stroke; stroke: var(--back); stroke-width: 3px; }
.label { font-size: 12px; fill: var(--text); }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); } .batch { stroke: var(--line); stroke-dasharray: 2 3; }
.run { stroke: var(--soft); stroke-width: 1.5; }
.roof, .best { fill: none; stroke: var(--soft); stroke-width: 1.5; } .best { stroke: var(--winner); stroke-width: 2; }
.branch { stroke: var(--line); stroke-width: .7; }
.ancestors { fill: none; stroke: var(--default); stroke-dasharray: 5 3; }
.arrow { fill: none; stroke: var(--winner); } .arrowhead { fill: var(--winner); }
.mark { stroke-width: 1.5; } .mark:hover { stroke-width: 4; }
.mark.default { fill: var(--back); stroke: var(--default); } .mark.winner, .mark.ok { fill: var(--winner); stroke: none; }
.mark.slow { fill: var(--back); stroke: var(--slow); } .mark.refused { fill: none; stroke: var(--refused); }
.mark.winner:hover, .mark.ok:hover { stroke: var(--text); stroke-width: 2; }
.many .mark { opacity: .35; } .best, .ancestors { pointer-events: none; }
.before { fill: var(--before); } .after { fill: var(--winner); }
@media print { .scroll, .long { overflow: visible; max-height: none; } }
)css";

class Page {
 public:
  explicit Page(const Report& r) : r_(r) {}

  std::string str() {
    out_ =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
        "<title>picograd report</title>\n<style>";
    out_ += kStyle;
    out_ += "</style>\n</head>\n<body>\n<main>\n<h1>picograd report</h1>\n";
    paragraph(report_sentence());
    facts();
    for (const std::string& note : state_notes(r_)) paragraph(note);
    if (!r_.searches.empty()) {
      roofline();
      bars();
      heading("kernels", "Kernels");
      table(kernels_table(r_), /*links=*/true);
      searches();
    }
    if (!r_.others.empty()) {
      heading("others", "Other kernels");
      table(others_table(r_));
    }
    return out_ + "</main>\n</body>\n</html>\n";
  }

 private:
  void paragraph(const std::string& text, std::string_view css_class = "") {
    out_ += css_class.empty() ? "<p>" : fmt::format("<p class=\"{}\">", css_class);
    out_ += escape_html(text) + "</p>\n";
  }
  void notes(const std::vector<std::string>& paragraphs) {
    for (const std::string& p : paragraphs) paragraph(p, "note");
  }
  void heading(std::string_view id, std::string_view text) {
    out_ += fmt::format("<h2 id=\"{}\">{}</h2>\n", id, escape_html(text));
  }
  /// What may be wider than the window scrolls by itself, by keys too.
  void scrolled(const std::string& content, const std::string& name, std::string_view css_class = "scroll") {
    out_ += fmt::format("<div class=\"{}\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n{}</div>\n", css_class,
                        escape_html(name), content);
  }

  void facts() {
    out_ += "<table class=\"facts\">\n<tbody>\n";
    for (const auto& row : facts_table(r_).rows)
      out_ += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape_html(row[0]), escape_html(row[1]));
    out_ += "</tbody>\n</table>\n";
  }

  /// `links`: the first column leads to the search of its number.
  void table(const Table& t, bool links = false) {
    constexpr size_t kLong = 30;  // rows that are not shown at once
    constexpr std::string_view kClasses[] = {"", " class=\"number\"", " class=\"wide code\""};  // by Table::Kind
    if (t.rows.empty()) return;
    std::string text = fmt::format("<table>\n<caption>{}</caption>\n<thead><tr>", escape_html(t.caption));
    for (const Table::Column& c : t.columns)
      text += fmt::format("<th scope=\"col\"{}>{}</th>", c.kind == Table::Number ? " class=\"number\"" : "",
                          escape_html(c.name));
    text += "</tr></thead>\n<tbody>\n";
    for (const auto& row : t.rows) {
      text += "<tr>";
      for (size_t i = 0; i < row.size(); ++i) {
        const std::string cell = escape_html(row[i]);
        text += fmt::format("<td{}>", kClasses[t.columns[i].kind]);
        text += (links && i == 0 ? fmt::format("<a href=\"#k{0}\">{0}</a>", cell) : cell) + "</td>";
      }
      text += "</tr>\n";
    }
    scrolled(text + "</tbody>\n</table>\n", t.caption, t.rows.size() > kLong ? "scroll long" : "scroll");
  }

  void roofline() {
    heading("roofline-heading", "Roofline");
    if (const std::string chart = roofline_chart(r_); !chart.empty()) scrolled(chart, "Roofline");
    notes(roofline_notes(r_));
    table(roofs_table(r_));
  }
  void bars() {
    const std::string chart = bars_chart(r_);
    if (chart.empty()) return;
    heading("bars-heading", "Before and after");
    paragraph(
        "The whole bar: the default's time. Its blue part: the winner's, on the same scale, which is each kernel's own. "
        "Most time saved first.",
        "note");
    scrolled(chart, "Before and after", "scroll bars");
  }

  void searches() {
    heading("searches", "How each kernel was searched");
    notes(search_notes());
    for (size_t i = 0; i < r_.searches.size(); ++i) search(r_.searches[i], i);
  }
  void search(const Search& s, size_t i) {
    const std::string name = search_name(r_, s);
    out_ += fmt::format("<section aria-labelledby=\"k{0}\">\n<h3 id=\"k{0}\">{0} {1}</h3>\n", i + 1, escape_html(name));
    paragraph(summary(s));
    if (s.winner) out_ += "<p><code>" + escape_html(schedule_text(s.winner->schedule)) + "</code></p>\n";
    out_ += fmt::format("<p class=\"note\">Kernel <code>{}</code></p>\n", escape_html(s.kernel.id));
    if (!s.measured.empty()) {
      out_ += fmt::format("<details{}>\n<summary>The search</summary>\n", i < kOpen ? " open=\"open\"" : "");
      scrolled(curve_chart(s, fmt::format("curve{}", i + 1), name), "Search curve of " + name);
      table(line_table(s));
      table(tree_table(s));
      table(reasons_table(s));
      for (size_t b = 0; b < s.batches.size(); ++b) {
        out_ += fmt::format("<details>\n<summary>{}</summary>\n", escape_html(batch_title(s, b)));
        table(batch_table(s, b));
        out_ += "</details>\n";
      }
      out_ += "</details>\n";
    }
    out_ += "</section>\n";
  }

  const Report& r_;
  std::string out_;
};

}  // namespace

std::string html_page(const Report& r) { return Page(r).str(); }

}  // namespace pg
