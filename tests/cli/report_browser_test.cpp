// The page in a browser, where there is one: nothing on its console, nothing wider than the window.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "src/cli/report_page.h"
#include "tests/cli/report_store.h"

using namespace pg;

namespace {

std::string file_text(const std::string& path) {
  std::ostringstream s;
  s << std::ifstream(path, std::ios::binary).rdbuf();
  return s.str();
}
void replace(std::string& text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  REQUIRE(at != text.npos);
  text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("report: a browser shows the page without a word on the console, and without scrolling sideways") {
  if (std::system("command -v chromium > /dev/null 2>&1") != 0) {
    MESSAGE("skipped: there is no chromium on PATH");
    return;
  }
  ReportStore store;
  store.fill();
  Report r = store.report();
  r.roofs = {{.threads = 2, .flops = 1.5e11, .bytes = 2e10}};
  const std::string page = html_page(r);
  // The page as it is, and with a script that unfolds everything and tells the frame around it how wide that is.
  std::string told = page;
  replace(told, "default-src 'none'; ", "");
  replace(told, "</body>",
          "<script>for (const d of document.querySelectorAll('details')) d.open = true;\n"
          "addEventListener('load', () => { const e = document.documentElement;\n"
          "parent.postMessage(`window ${innerWidth}: ${e.scrollWidth - e.clientWidth} wider, ` +\n"
          "`${document.querySelectorAll('svg').length} pictures;`, '*'); });</script></body>");
  std::ofstream(store.folder / "page.html") << page;
  std::ofstream(store.folder / "told.html") << told;
  std::ofstream(store.folder / "frames.html")
      << "<!DOCTYPE html><p id=\"heard\"></p><script>addEventListener('message', m => heard.textContent += m.data)</script>"
         "<iframe src=\"told.html\" width=\"400\" height=\"900\" style=\"border: 0\"></iframe>"
         "<iframe src=\"told.html\" width=\"1400\" height=\"900\" style=\"border: 0\"></iframe>"
         "<iframe src=\"page.html\" width=\"900\" height=\"900\"></iframe>";
  const std::string dom = store.folder / "dom", log = store.folder / "log";
  const std::string command =
      "timeout 120 chromium --headless --no-sandbox --disable-gpu --enable-logging=stderr --user-data-dir='" +
      (store.folder / "profile") + "' --window-size=1600,1000 --virtual-time-budget=5000 --dump-dom 'file://" +
      (store.folder / "frames.html") + "' > '" + dom + "' 2> '" + log + "'";
  REQUIRE(std::system(command.c_str()) == 0);
  const std::string heard = file_text(dom);
  INFO(heard);
  CHECK(heard.find("window 400: 0 wider, 5 pictures;") != heard.npos);
  CHECK(heard.find("window 1400: 0 wider, 5 pictures;") != heard.npos);
  const std::string said = file_text(log);
  INFO(said);
  CHECK(said.find("CONSOLE") == said.npos);
}
