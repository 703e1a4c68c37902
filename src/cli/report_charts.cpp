#include "src/cli/report_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "src/cli/report_tables.h"
#include "src/cli/svg.h"

namespace pg {

namespace {

constexpr double kWidth = 720;
constexpr size_t kMany = 200;  // marks that lie upon one another

constexpr StatusMark kMarks[] = {
    {"ok", "dot", "ok"},
    {"slow", "dot", "slow"},
    {"wrong", "cross", "refused"},
    {"crash", "triangle", "refused"},
    {"timeout", "square", "refused"},
    {"compile_error", "diamond", "refused"},
};

/// Too long a text ends in dots, behind a whole character.
std::string shortened(const std::string& text, size_t bytes) {
  if (text.size() <= bytes) return text;
  size_t end = bytes - 2;
  while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "..";
}

/// Where the measurements of a search are drawn.
struct Curve {
  static constexpr double kLeft = 108, kRight = 14, kPlot = 190, kLane = 18, kTop = 10, kBottom = 46;
  std::vector<std::string_view> lanes;  // statuses whose candidates have no time, above the plot
  Scale x, y;
  double top() const { return kTop + static_cast<double>(lanes.size()) * kLane + (lanes.empty() ? 0 : 8); }
  double bottom() const { return top() + kPlot; }
  double lane(std::string_view status) const {
    const auto at = std::find(lanes.begin(), lanes.end(), status) - lanes.begin();
    return kTop + (static_cast<double>(at) + 0.5) * kLane;
  }
};

bool has_time(const Measured& m) { return std::isfinite(m.row.median_ms) && m.row.median_ms > 0; }

Curve curve_of(const Search& s) {
  Curve c;
  double low = 0, high = 0;
  for (const StatusMark& mark : kMarks)
    for (const Measured& m : s.measured)
      if (!has_time(m) && m.row.status == mark.status) {
        c.lanes.push_back(mark.status);
        break;
      }
  for (const Measured& m : s.measured) {
    if (!has_time(m)) continue;
    low = low == 0 ? m.row.median_ms : std::min(low, m.row.median_ms);
    high = std::max(high, m.row.median_ms);
  }
  if (low == 0) low = high = 1;
  c.x = {0.5, static_cast<double>(s.measured.size()) + 0.5, Curve::kLeft, kWidth - Curve::kRight, false};
  c.y = {low / 1.1, high * 1.1, c.bottom(), c.top(), true};
  return c;
}

void draw_axes(Svg& svg, const Search& s, const Curve& c) {
  const auto n = static_cast<double>(s.measured.size());
  for (const double tick : log_ticks(c.y.low, c.y.high)) {
    svg.line(Curve::kLeft, c.y(tick), kWidth - Curve::kRight, c.y(tick), "grid");
    svg.text(Curve::kLeft - 6, c.y(tick) + 4, tick_text(tick), "tick", "end");
  }
  for (const double tick : linear_ticks(1, std::max(2.0, n), 8))
    if (tick == std::floor(tick) && tick <= n) svg.text(c.x(tick), c.bottom() + 16, tick_text(tick), "tick", "middle");
  for (const Batch& b : s.batches)
    if (b.first > 0) {
      const double x = c.x(static_cast<double>(b.first) + 0.5);
      svg.line(x, Curve::kTop, x, c.bottom(), b.new_run ? "run" : "batch");
    }
  for (const std::string_view lane : c.lanes) svg.text(Curve::kLeft - 8, c.lane(lane) + 4, lane, "tick", "end");
  svg.line(Curve::kLeft, c.bottom(), kWidth - Curve::kRight, c.bottom(), "axis");
  svg.line(Curve::kLeft, c.top(), Curve::kLeft, c.bottom(), "axis");
  svg.text((Curve::kLeft + kWidth) / 2, c.bottom() + 36, "measurement", "label", "middle");
  svg.text(16, (c.top() + c.bottom()) / 2, "time (ms)", "label", "middle", -90);
}

}  // namespace

const StatusMark& status_mark(std::string_view status) {
  for (const StatusMark& m : kMarks)
    if (m.status == status) return m;
  return kMarks[2];
}

std::string bars_chart(const Report& r) {
  constexpr double kWide = 480, kRow = 36, kBar = 11, kBars = 230;  // beside a row's numbers
  constexpr size_t kLetters = 72;
  size_t rows = 0;
  for (const Search& s : r.searches) rows += s.winner.has_value();
  if (rows == 0) return "";
  Svg svg("bars", kWide, static_cast<double>(rows) * kRow + 4,
          "Before and after: each winner's time as a part of its default's",
          fmt::format("{} kernels, those that save most time first. The whole bar is the default's time, its dark part the "
                      "winner's on the same scale, which is each kernel's own. The table of kernels holds the numbers.",
                      rows));
  double y = 0;
  for (size_t i = 0; i < r.searches.size(); ++i) {
    const Search& s = r.searches[i];
    if (!s.winner) continue;
    const double most = std::max(s.default_ms(), s.winner_ms());
    const Scale x{0, most > 0 ? most : 1, kBars, kWide, false};
    const std::string name = fmt::format("{} {}", i + 1, search_name(r, s));
    const std::string numbers = fmt::format("{} → {} ms  {}", s.default_ms() > 0 ? figure_text(s.default_ms()) : "–",
                                            figure_text(s.winner_ms()), speedup_text(s));
    svg.text(0, y + 14, shortened(name, kLetters), "label");
    svg.text(0, y + 28, numbers, "tick");
    if (s.default_ms() > 0) svg.rect({kBars, y + 19, x(s.default_ms()), y + 19 + kBar}, "before");
    svg.rect({kBars, y + 19, x(s.winner_ms()), y + 19 + kBar}, "after");
    y += kRow;
  }
  return svg.str();
}

std::string curve_chart(const Search& s, std::string_view id, std::string_view name) {
  if (s.measured.empty()) return "";
  const Curve c = curve_of(s);
  const double best = s.batches.back().best_ms;
  Svg svg(
      id, kWidth, c.bottom() + Curve::kBottom, fmt::format("Search curve of {}", name),
      fmt::format("{} measurements in {} batches. {} The tables of the batches below hold every measurement.",
                  s.measured.size(), s.batches.size(),
                  best > 0 ? fmt::format("The line is the best time after each batch, at the end {} ms.", figure_text(best))
                           : "None has a time."));
  draw_axes(svg, s, c);
  const auto x_of = [&](size_t measurement) { return c.x(static_cast<double>(measurement + 1)); };
  const auto y_of = [&](const Measured& m) { return has_time(m) ? c.y(m.row.median_ms) : c.lane(m.row.status); };
  for (size_t i = 0; i < s.measured.size(); ++i)
    if (const auto& parent = s.measured[i].parent)
      svg.line(x_of(*parent), y_of(s.measured[*parent]), x_of(i), y_of(s.measured[i]), "branch");
  svg.raw(s.measured.size() > kMany ? "<g class=\"many\">\n" : "<g>\n");
  for (size_t i = 0; i < s.measured.size(); ++i) {
    const Measured& m = s.measured[i];
    const StatusMark& mark = status_mark(m.row.status);
    std::string told = fmt::format("{}: {}", i + 1, m.row.status);
    if (has_time(m)) told += fmt::format(", {} ms", figure_text(m.row.median_ms));
    if (!m.row.reason.empty()) told += ": " + shortened(m.row.reason, 200);
    svg.mark(x_of(i), y_of(m), mark.shape, mark.css_class, told);
  }
  svg.raw("</g>\n");
  std::vector<std::pair<double, double>> line;
  for (const Batch& b : s.batches) {
    const double end = c.x(static_cast<double>(b.first + b.count) + 0.5);
    if (b.best_ms <= 0) continue;
    if (!line.empty()) line.emplace_back(end, line.back().second);
    line.emplace_back(end, c.y(b.best_ms));
  }
  if (!line.empty()) svg.polyline(line, "best");
  std::vector<std::pair<double, double>> ancestors;
  for (const size_t i : s.line) ancestors.emplace_back(x_of(i), c.y(s.measured[i].row.median_ms));
  if (ancestors.size() > 1) svg.polyline(ancestors, "ancestors");
  return svg.str();
}

}  // namespace pg
