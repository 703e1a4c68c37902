#include "src/cli/report.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "search/keys.h"
#include "src/cli/markup.h"
#include "src/cli/report_charts.h"
#include "src/cli/report_command.h"
#include "src/cli/report_page.h"
#include "src/cli/report_tables.h"
#include "src/cli/roofs.h"
#include "tests/cli/report_store.h"
#include "tests/cli/well_formed.h"
#include "tests/uops/sample_kernels.h"
#include "uops/error.h"

using namespace pg;

namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }
size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != text.npos; ++at) ++n;
  return n;
}
const Search& search_of(const Report& r, const std::string& kernel) {
  for (const Search& s : r.searches)
    if (s.kernel.id == kernel) return s;
  throw std::runtime_error("no search of " + kernel);
}
const Measured& measured(const Search& s, const std::string& schedule) {
  for (const Measured& m : s.measured)
    if (m.row.schedule == schedule) return m;
  throw std::runtime_error("not measured: " + schedule);
}
/// As both pages tell it: control characters and line breaks are not told alike.
std::vector<std::string> sorted(std::vector<std::string> cells) {
  for (std::string& c : cells) std::replace(c.begin(), c.end(), '\n', ' ');
  std::sort(cells.begin(), cells.end());
  return cells;
}
void check_page(const std::string& html) {
  const ReadPage page = read_page(html);
  CHECK(page.error == "");
  CHECK(clean_utf8(html) == html);
  CHECK(page.tags.count("script") == 0);
  CHECK(page.tags.count("title") >= 1);
  CHECK(page.tags.count("desc") == page.tags.count("svg"));
  for (const std::string& id : page.ids) CHECK_MESSAGE(page.ids.count(id) == 1, id);
  for (const std::string& value : page.attributes)
    if (contains(value, "http:") || contains(value, "https:")) CHECK(value == "http://www.w3.org/2000/svg");
  for (const char* word : {"@import", "url(http", "src=", "javascript:"}) CHECK_MESSAGE(!contains(html, word), word);
}

struct Filled : ReportStore {
  Filled() { fill(); }
};

}  // namespace

TEST_CASE("report: the reader of the tests notices what is not well-formed") {
  CHECK(read_page("<p>a &amp; b<br/></p>").error == "");
  for (const char* page :
       {"<p>", "<p></b>", "<p>a & b</p>", "<p a=b></p>", "<p a=\"<\"></p>", "</p>", "<p onclick=\"x\"></p>"})
    CHECK_MESSAGE(read_page(page).error != "", page);
  CHECK(markdown_cells("| a |\n|---|\n| x \\| y |\n|  |\n\n| b |\n|---:|\n| 1 &lt; 2 |\n") ==
        std::vector<std::string>{"x | y", "", "1 < 2"});
}

TEST_CASE_FIXTURE(Filled, "report: searches by time saved, batches, the winner's line") {
  const Report r = report();
  std::vector<std::string> kernels;
  for (const Search& s : r.searches) kernels.push_back(s.kernel.id);
  CHECK(kernels == std::vector<std::string>{"k1", "k2", "k3", "k7", "k4"});
  CHECK(r.winners == 4);
  CHECK(r.foreign_winners == 1);
  CHECK(r.measurements == 12 + 2001 + 1);
  REQUIRE(r.others.size() == 2);
  CHECK(r.others[0].kernel.id == "k5");
  CHECK(r.others[0].winners == 1);

  const Search& s = search_of(r, "k1");
  CHECK(s.saved_ms() == doctest::Approx(2));
  REQUIRE(s.batches.size() == 4);
  CHECK(s.batches[0].new_run);
  CHECK(!s.batches[2].new_run);
  CHECK(!s.batches[2].final);
  CHECK(s.batches[3].final);
  CHECK(s.batches[1].best_ms == 2);
  CHECK(s.batches[3].best_ms == 1);
  std::vector<std::string> line;
  for (const size_t i : s.line) line.push_back(s.measured[i].row.schedule);
  CHECK(line ==
        std::vector<std::string>{"tile(m,4) grid(m n)", "tile(m,8) grid(m n)", "tile(m,8) tile(n,16,vec) grid(m n)"});
  CHECK(change_text(measured(s, "tile(m,2) grid(m n)")) == "+\u00A0tile(m,2) −\u00A0tile(m,4)");
  CHECK(search_of(r, "k2").measured.size() == 2001);
  CHECK(search_of(r, "k2").batches.size() == 11);
  CHECK(search_of(r, "k3").batches.empty());
}

TEST_CASE_FIXTURE(ReportStore, "report: a parent is what was stored, timed in the same run") {
  put_context(*store);
  const auto of_run = [](MeasurementRow m, const char* run) {
    m.run = run;
    return m;
  };
  put_batch({of_run(seed(timed("a(1)", 3), "default"), "r1")});
  put_batch({of_run(seed(timed("a(2)", 2), "template"), "r1"),
             of_run(seed(refused("a(3)", "crash", "signal 11"), "template"), "r1")});
  put_batch({of_run(moved(timed("a(2) b(1)", 1), "a(2)", 1), "r1"), of_run(moved(timed("a(1) b(1)", 4), "a(1)", 1), "r1"),
             of_run(moved(timed("a(9) b(1)", 4), "a(9)", 1), "r1"), of_run(moved(timed("a(3) b(1)", 4), "a(3)", 1), "r1")});
  put_batch({of_run(moved(timed("a(2) b(1)", 1.5), "a(2)", 1), "r1")});
  put_batch({of_run(moved(timed("a(2) b(1)", 3), "a(2)", 1), "r2")});
  const Report r = report();
  REQUIRE(r.searches.size() == 1);
  const Search& s = r.searches[0];
  for (const char* parent : {"a(1)", "a(2)"}) {
    const Measured& m = measured(s, parent + std::string(" b(1)"));
    REQUIRE(m.parent);
    CHECK(s.measured[*m.parent].row.schedule == parent);
  }
  CHECK(!measured(s, "a(9) b(1)").parent);  // nobody knows it
  CHECK(!measured(s, "a(3) b(1)").parent);  // it has no time
  CHECK(change_text(measured(s, "a(9) b(1)")) == "");
  CHECK(s.measured[s.measured.size() - 2].again);
  CHECK(!s.measured[s.measured.size() - 2].parent);
  CHECK(!s.measured.back().parent);
  CHECK(!s.measured.back().again);
  CHECK(s.batches.back().new_run);
  CHECK(!s.batches.back().final);
  CHECK(s.line.empty());
}

TEST_CASE_FIXTURE(Filled, "report: the beam as a tree, and what was made from each of its schedules") {
  const Report r = report();
  const Table t = tree_table(search_of(r, "k1"));
  using Row = std::vector<std::string>;
  REQUIRE(t.rows.size() == 4);
  CHECK(t.rows[0] == Row{"", "", "1 default, 5 not recorded", "where the search began", "6", "1",
                         "1 compile_error, 1 crash, 1 slow, 1 timeout, 1 wrong"});
  CHECK(t.rows[1] == Row{"1", "3", "default", "└\u00A0tile(m,4) grid(m n)", "3", "2", "1 slow"});
  CHECK(Row(t.rows[2].begin() + 1, t.rows[2].end()) ==
        Row{"2", "move, round 1", "\u00A0\u00A0└\u00A0+\u00A0tile(m,8) −\u00A0tile(m,4)", "1", "1", ""});
  CHECK(Row(t.rows[3].begin() + 1, t.rows[3].end()) ==
        Row{"1", "move, round 2", "\u00A0\u00A0\u00A0\u00A0└\u00A0+\u00A0tile(n,16,vec)", "0", "0", ""});
  CHECK(tree_table(search_of(r, "k2")).rows.empty());  // an older picograd's
  CHECK(count(html_page(r), "class=\"branch\"") == 4);
}

TEST_CASE("report: the opts of a schedule's text") {
  CHECK(split_opts("tile(m,2) grid(m n)  x") == std::vector<std::string>{"tile(m,2)", "grid(m n)", "x"});
  CHECK(split_opts("").empty());
  CHECK(split_opts(")) a(b c d").size() == 2);
}

TEST_CASE_FIXTURE(Filled, "report: the page is well-formed, and holds every kernel and every reason") {
  Report r = report();
  r.no_roofs = "nobody measured";
  const std::string html = html_page(r), markdown = markdown_page(r);
  check_page(html);
  const ReadPage page = read_page(html);
  for (const char* name : {"matmul_k1", "kernel_k2", "kernel_k3", "kernel_k4", "kernel_k5", "kernel_k6"}) {
    CHECK_MESSAGE(contains(page.text, name), name);
    CHECK_MESSAGE(contains(markdown, name), name);
  }
  CHECK(contains(page.text, clean_utf8(kHostileName)));
  for (const char* reason : {"the first run took 9.5 ms", "the first run took 7.25 ms", "element 3 is 1, not 2", "signal 11",
                             "no answer within 2 s", "spills"})
    CHECK_MESSAGE(contains(page.text, reason), reason);
  CHECK(contains(page.text, clean_utf8(kHostileReason)));
  CHECK(contains(page.text, "nobody measured"));
  CHECK(contains(page.text, "test <&>"));
  CHECK(contains(page.text, "brought in from elsewhere"));
  CHECK(contains(page.text, "the search did not end"));
  CHECK(page.tags.count("svg") == 2 + 3);  // roofline, bars, and the curves of k1, k2, k4
  CHECK(count(html, "class=\"mark refused\"") == 4 + 400);
  CHECK(!contains(markdown, "<script"));
  CHECK(!contains(markdown, "<b>"));
}

TEST_CASE_FIXTURE(Filled, "report: Markdown and the page hold the same cells") {
  Report r = report();
  r.roofs = {{.threads = 2, .flops = 1.5e11, .bytes = 2e10}};
  const auto html = sorted(read_page(html_page(r)).cells);
  // The page's heads of facts are no cells.
  auto markdown = markdown_cells(markdown_page(r));
  for (const auto& row : facts_table(r).rows) {
    const auto at = std::find(markdown.begin(), markdown.end(), row[0]);
    REQUIRE(at != markdown.end());
    markdown.erase(at);
  }
  markdown = sorted(markdown);
  CHECK(html.size() > 2000 * 7);
  REQUIRE(html.size() == markdown.size());
  for (size_t i = 0; i < html.size(); ++i)
    if (html[i] != markdown[i]) FAIL("'" << html[i] << "' is not '" << markdown[i] << "'");
  CHECK(std::find(html.begin(), html.end(), "2.82x") != html.end());
}

TEST_CASE_FIXTURE(Filled, "report: roofs are drawn where they are known; what computes nothing has no place") {
  Report r = report();
  CHECK(!contains(roofline_chart(r), "class=\"roof\""));
  r.roofs = {{.threads = 2, .flops = 1.5e11, .bytes = 2e10}};
  const std::string chart = roofline_chart(r);
  CHECK(read_page(chart).error == "");
  CHECK(contains(chart, "peak of 2 threads: 150 GFLOP/s"));
  CHECK(contains(chart, "memory, 2 threads: 20 GB/s"));
  CHECK(count(chart, "class=\"mark winner\"") == 3);
  CHECK(contains(html_page(r), "their time is not known: 1."));
  const Table t = kernels_table(r);
  CHECK(t.rows[1][10] == "0.6 %");  // 2e6 operations in 2.2 ms
}

TEST_CASE_FIXTURE(Filled, "report: the names of roofs that lie together do not lie upon one another") {
  Report r = report();
  r.roofs = {{.threads = 1, .flops = 1e11, .bytes = 1e10}, {.threads = 2, .flops = 1e11, .bytes = 1e10}};
  const std::string chart = roofline_chart(r);
  const auto place = [&](const std::string& name) {  // x and y
    const size_t at = chart.find(name);
    REQUIRE(at != chart.npos);
    return chart.substr(chart.rfind(" x=", at), chart.rfind(" text-anchor", at) - chart.rfind(" x=", at));
  };
  CHECK(place("peak of 1 thread:") != place("peak of 2 threads:"));
  CHECK(place("memory, 1 thread:") != place("memory, 2 threads:"));
}

TEST_CASE_FIXTURE(ReportStore, "report: a kernel with Variables has the sizes of its search") {
  put_context(*store);
  const UOp kernel = test::gemm(iconst(64), variable("T", 1, 512), iconst(32));
  const KernelRow row = kernel_row(kernel, {{"T", 512}});
  store->put_kernel(row);
  MeasurementRow m = timed("", 1, row.id);
  m.bindings = R"({"T": 100})";
  m.key.bucket = "T=128";
  WinnerRow w = test_winner("", 1, row.id);
  w.key.bucket = "T=64";  // brought in: nothing tells T but its bucket
  put_batch({m});
  store->put_winner(w);
  const Report r = report();
  REQUIRE(r.searches.size() == 2);
  CHECK(r.searches[0].kernel.shape == "m=64 n=64 k=32");
  CHECK(r.searches[1].kernel.shape == "m=64 n=100 k=32");
  CHECK(r.searches[1].kernel.flops == 2.0 * 64 * 100 * 32);
  Connection(path, Connection::Access::Create).execute("update kernel set ir = 'no kernel' where flops > 1000");
  CHECK(report().searches[1].kernel.shape == "m=64 n=512 k=32");
}

TEST_CASE_FIXTURE(ReportStore, "report: an empty database, and one of another device only, say so") {
  for (const bool foreign : {false, true}) {
    if (foreign) {
      put_context(*store);
      put_batch({timed("grid(m)", 2)});
      store->put_winner(test_winner("grid(m)"));
    }
    ReportSubject other = subject();
    other.device.id = "elsewhere";
    const Report r = gather(*store, other);
    const std::string html = html_page(r);
    check_page(html);
    const std::string said =
        foreign ? "measured on this device: what it knows is of other devices" : "The database is empty";
    CHECK(contains(html, said));
    CHECK(contains(markdown_page(r), said));
    CHECK(contains(html, "matmul_k1") == foreign);
  }
}

TEST_CASE_FIXTURE(ReportStore, "report: times that are none are told as unknown") {
  put_context(*store);
  store->put_winner(test_winner("grid(m)"));
  Connection(path, Connection::Access::Create).execute("update winner set median_ms = -1, default_ms = 9e999");
  const Report r = report();
  CHECK(!r.searches[0].on_roofline());
  const std::string html = html_page(r);
  check_page(html);
  CHECK(!contains(html, "inf"));
  CHECK(!contains(html, "nan"));
  CHECK(kernels_table(r).rows[0][3] == "–");
}

TEST_CASE_FIXTURE(Filled, "report: the command writes pages, or one clear error") {
  const auto run = [&](ReportOptions o) {
    o.database = o.database.empty() ? path : o.database;
    o.measure = false;
    std::ostringstream out;
    report_command(o, device("CPU"), out);
    return out.str();
  };
  const std::string page = folder / "page.html";
  CHECK(contains(run({.html = page}), "page.html: 0 searches, 0 measurements"));  // the database is of no real device
  std::ostringstream text;
  text << std::ifstream(page).rdbuf();
  check_page(text.str());
  CHECK(run({.markdown = "-"}).starts_with("# picograd report\n"));
  CHECK(contains(run({.markdown = "-", .kernel = "k5"}), "of kernel k5"));
  CHECK(contains(run({.markdown = "-"}), "they were not measured") == false);  // nothing to draw them for
  CHECK_THROWS_WITH_AS(run({.html = folder / "no/such/folder.html"}), doctest::Contains("cannot write the report to "),
                       UserError);
  CHECK_THROWS_WITH_AS(run({.markdown = folder.path()}), doctest::Contains("cannot write the report to "), UserError);
  CHECK_THROWS_WITH_AS(run({.html = page, .kernel = "zzz"}), doctest::Contains("no kernel zzz"), UserError);
  CHECK_THROWS_WITH_AS(run({.html = page, .kernel = "k"}), doctest::Contains("kernels begin with k"), UserError);
  CHECK_THROWS_WITH_AS(run({.database = folder / "none.db"}), doctest::Contains("there is no database"), UserError);
}

TEST_CASE_FIXTURE(Filled, "report: the ceilings are measured for the winners' threads") {
  Report r = report();
  r.searches.erase(r.searches.begin() + 1, r.searches.end());
  r.searches[0].key.threads = r.searches[0].winner->key.threads = 1;
  measure_roofs(r, device("CPU"));
  REQUIRE_MESSAGE(r.roofs.size() == 1, r.no_roofs);
  CHECK(r.roofs[0].threads == 1);
  CHECK(r.roofs[0].flops > 1e8);
  CHECK(r.roofs[0].bytes > 1e7);
  Report other = report();
  measure_roofs(other, device("REF"));
  CHECK(other.roofs.empty());
  CHECK(contains(other.no_roofs, "not of REF"));
}
