#include "src/cli/svg.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "src/cli/markup.h"
#include "tests/cli/well_formed.h"

using namespace pg;

namespace {
using Ticks = std::vector<double>;
void check_ticks(const Ticks& ticks, const Ticks& expected) {
  REQUIRE(ticks.size() == expected.size());
  for (size_t i = 0; i < ticks.size(); ++i) CHECK(ticks[i] == doctest::Approx(expected[i]));
}
}  // namespace

TEST_CASE("svg: scales") {
  const Scale linear{.low = 10, .high = 20, .begin = 100, .end = 0};
  CHECK(linear(10) == 100);
  CHECK(linear(15) == 50);
  CHECK(linear(25) == 0);  // drawn at the edge
  const Scale logarithmic{.low = 1, .high = 100, .begin = 0, .end = 200, .logarithmic = true};
  CHECK(logarithmic(10) == doctest::Approx(100));
  CHECK(logarithmic(0) == 0);
  CHECK(logarithmic(1000) == 200);
  CHECK(std::isfinite(Scale{.low = 1, .high = 1, .begin = 5, .end = 9}(1)));
}

TEST_CASE("svg: ticks") {
  check_ticks(linear_ticks(0, 10), {0, 2, 4, 6, 8, 10});
  check_ticks(linear_ticks(0.11, 0.16), {0.11, 0.12, 0.13, 0.14, 0.15, 0.16});
  check_ticks(linear_ticks(-3, 7, 2), {0, 5});
  check_ticks(linear_ticks(0, 0.3, 3), {0, 0.1, 0.2, 0.3});
  CHECK(linear_ticks(1, 1).empty());
  CHECK(linear_ticks(0, std::numeric_limits<double>::infinity()).empty());
  check_ticks(log_ticks(0.5, 20), {0.5, 1, 2, 5, 10, 20});
  check_ticks(log_ticks(0.002, 3000), {0.01, 0.1, 1, 10, 100, 1000});
  check_ticks(log_ticks(1.1, 1.6), {1.1, 1.2, 1.3, 1.4, 1.5, 1.6});
  CHECK(log_ticks(0, 10).empty());
  for (const double low : {1e-7, 3e-4, 0.7, 12.0, 5e8})
    for (const double factor : {1.05, 2.0, 9.0, 30.0, 4e5}) {
      const Ticks ticks = log_ticks(low, low * factor);
      CAPTURE(low);
      CAPTURE(factor);
      CHECK(ticks.size() >= 2);
      CHECK(ticks.size() <= 13);
    }
  CHECK(tick_text(0.05) == "0.05");
  CHECK(tick_text(1500) == "1500");
  CHECK(pixel(-0.01) == "0");
  CHECK(pixel(1.25) == "1.2");
  CHECK(pixel(std::nan("")) == "0");
}

TEST_CASE("svg: boxes of texts") {
  const Box a = text_box(10, 20, "abcd", 10), b = text_box(10, 20, "abcd", 10, "end");
  CHECK(a.left == 10);
  CHECK(b.right == 10);
  CHECK(!a.meets(b));
  CHECK(a.meets(text_box(20, 20, "x", 10)));
  CHECK(text_box(0, 0, "\xE2\x86\x92", 10).right == text_box(0, 0, "x", 10).right);  // a letter, whatever its bytes
}

TEST_CASE("svg: a picture says what it shows, and escapes it") {
  Svg svg("x", 10, 20, "a <title>", "what & why");
  svg.text(1, 2, "<b>", "label", "end", -90);
  svg.mark(3, 4, "no such shape", "ok", "\"quoted\" \xff");
  svg.polyline({{0, 0}, {1, 1}}, "line");
  const ReadPage page = read_page(svg.str());
  CHECK(page.error == "");
  CHECK(page.text.find("a <title>") != page.text.npos);
  CHECK(page.ids == std::multiset<std::string>{"x-title", "x-desc"});
}

TEST_CASE("markup: any bytes become UTF-8 that XML allows") {
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(clean_utf8("a\tb\nc é → 😀") == "a\tb\nc é → 😀");
  CHECK(clean_utf8(std::string("\0\x1b\x7f\r", 4)) == bad + bad + bad + bad);
  CHECK(clean_utf8("\xff"
                   "a") == bad + "a");
  CHECK(clean_utf8("\xc3") == bad);                      // cut off
  CHECK(clean_utf8("\xc0\xaf") == bad + bad);            // longer than need be
  CHECK(clean_utf8("\xed\xa0\x80") == bad + bad + bad);  // a surrogate
  CHECK(clean_utf8("\xf4\x90\x80\x80") == bad + bad + bad + bad);
  CHECK(clean_utf8("\xef\xbf\xbf") == bad + bad + bad);  // a noncharacter
  CHECK(clean_utf8("\xc2\x85") == bad + bad);            // a control character
  CHECK(escape_html("<a href=\"x\">'&amp;'") == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&#39;");
  CHECK(escape_markdown("a_b _c_ |*`<x>\n&") == "a_b \\_c\\_ \\|\\*\\`&lt;x\\> &amp;");
}
