#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/cli/report_charts.h"
#include "src/cli/report_tables.h"
#include "src/cli/svg.h"

namespace pg {

namespace {

constexpr double kWidth = 760, kHeight = 460, kLeft = 62, kRight = 14, kTop = 14, kBottom = 52;
constexpr double kType = 11;  // pixels of a label
constexpr double kRoom = 2;   // factor around the data on either side

/// Labels go where nothing is yet. One that finds no place is left out: its mark is named when pointed at, and in the table.
class Labels {
 public:
  void take(const Box& b) { taken_.push_back(b); }
  bool is_free(const Box& box) const {
    return std::none_of(taken_.begin(), taken_.end(), [&](const Box& b) { return b.meets(box); });
  }
  bool place(Svg& svg, double x, double y, std::string_view text, std::string_view css_class) {
    const struct {
      double x, y;
      const char* anchor;
    } places[] = {{x + 8, y + 4, "start"}, {x - 8, y + 4, "end"}, {x, y - 8, "middle"}, {x, y + 17, "middle"}};
    for (const auto& p : places) {
      const Box box = text_box(p.x, p.y, text, kType, p.anchor);
      const bool inside =
          box.left > kLeft && box.right < kWidth - kRight && box.top > kTop && box.bottom < kHeight - kBottom;
      if (!inside || !is_free(box)) continue;
      take(box);
      svg.text(p.x, p.y, text, css_class, p.anchor);
      return true;
    }
    return false;
  }

 private:
  std::vector<Box> taken_;
};

struct Frame {
  Scale x, y;
};

/// Large enough for all points, and for where the roofs bend.
Frame frame_of(const Report& r) {
  double x_low = std::numeric_limits<double>::max(), x_high = 0, y_low = x_low, y_high = 0;
  for (const Search& s : r.searches) {
    if (!s.on_roofline()) continue;
    x_low = std::min(x_low, s.intensity());
    x_high = std::max(x_high, s.intensity());
    for (const double ms : {s.winner_ms(), s.default_ms()}) {
      if (s.gflops(ms) <= 0) continue;
      y_low = std::min(y_low, s.gflops(ms));
      y_high = std::max(y_high, s.gflops(ms));
    }
  }
  for (const Roof& roof : r.roofs) {
    x_high = std::max(x_high, roof.flops / roof.bytes);
    y_high = std::max(y_high, roof.flops / 1e9);
  }
  return {{x_low / kRoom, x_high * kRoom, kLeft, kWidth - kRight, true},
          {y_low / kRoom, y_high * kRoom, kHeight - kBottom, kTop, true}};
}

/// Where a kernel stands: the height of its default, as far as that is known, and of its winner.
struct Place {
  double x, before, winner;
};
Place place_of(const Frame& f, const Search& s) {
  const double winner = f.y(s.gflops(s.winner_ms())), before = s.gflops(s.default_ms());
  return {f.x(s.intensity()), before > 0 ? f.y(before) : winner, winner};
}

void draw_axes(Svg& svg, const Frame& f) {
  for (const double tick : log_ticks(f.x.low, f.x.high)) {
    svg.line(f.x(tick), kTop, f.x(tick), kHeight - kBottom, "grid");
    svg.text(f.x(tick), kHeight - kBottom + 16, tick_text(tick), "tick", "middle");
  }
  for (const double tick : log_ticks(f.y.low, f.y.high)) {
    svg.line(kLeft, f.y(tick), kWidth - kRight, f.y(tick), "grid");
    svg.text(kLeft - 6, f.y(tick) + 4, tick_text(tick), "tick", "end");
  }
  svg.line(kLeft, kHeight - kBottom, kWidth - kRight, kHeight - kBottom, "axis");
  svg.line(kLeft, kTop, kLeft, kHeight - kBottom, "axis");
  svg.text((kLeft + kWidth) / 2, kHeight - 14, "operations per byte of inputs and outputs (FLOP/byte)", "label", "middle");
  svg.text(14, (kTop + kHeight - kBottom) / 2, "speed (GFLOP/s)", "label", "middle", -90);
}

/// A slope up to where it meets the peak. Its name stands along it, a turned text's place as a row of small boxes.
void draw_roof(Svg& svg, const Frame& f, const Report& r, const Roof& roof, Labels& labels) {
  const auto speed = [&](double intensity) { return roof.reached(intensity) / 1e9; };
  const double ridge = std::clamp(roof.flops / roof.bytes, f.x.low, f.x.high);
  const double start = std::max(f.x.low, f.y.low * 1e9 / roof.bytes);  // below it the slope is out of the picture
  std::vector<std::pair<double, double>> points;
  for (const double x : {start, ridge, f.x.high})
    if (x >= start) points.emplace_back(f.x(x), f.y(speed(x)));
  svg.polyline(points, "roof");
  const std::string threads = fmt::format("{} thread{}", roof.threads, roof.threads == 1 ? "" : "s");
  const std::string peak = fmt::format("peak of {}: {} GFLOP/s", threads, figure_text(roof.flops / 1e9));
  // Above the flat line or below it; where it is too short for that, at its height.
  const double above_line = f.y(roof.flops / 1e9) - 5, below_line = above_line + 10 + kType;
  bool placed = false;
  for (const double least : {f.x(ridge), kLeft})
    for (double right = kWidth - kRight - 4; right > least && !placed; right -= 16)
      for (const double y : {above_line, below_line}) {
        const Box box = text_box(right, y, peak, kType, "end");
        if (placed || box.left < least || !labels.is_free(box)) continue;
        placed = true;
        labels.take(box);
        svg.text(right, y, peak, "rooftext", "end");
      }
  if (ridge <= start) return;

  // Slopes lie close together: only the highest has its name above it, the others further and further along.
  const bool above = std::none_of(r.roofs.begin(), r.roofs.end(), [&](const Roof& o) {
    return o.bytes > roof.bytes || (o.bytes == roof.bytes && o.threads < roof.threads);
  });
  const double aside = above ? 5 : -5 - kType;
  const std::string read = fmt::format("memory, {}: {} GB/s", threads, figure_text(roof.bytes / 1e9));
  const double x1 = f.x(start), y1 = f.y(speed(start)), x2 = f.x(ridge), y2 = f.y(speed(ridge));
  const double length = std::hypot(x2 - x1, y2 - y1), along_x = (x2 - x1) / length, along_y = (y2 - y1) / length;
  const double width = text_box(0, 0, read, kType).right;
  for (double offset = 24; offset + width + 8 < length; offset += 16) {
    const auto place = [&](double at) {
      return std::pair(x1 + (offset + at) * along_x + aside * along_y, y1 + (offset + at) * along_y - aside * along_x);
    };
    std::vector<Box> boxes;
    for (double at = 0; at < width; at += kType) {
      const auto [x, y] = place(at);
      boxes.push_back({x - kType / 2, y - kType / 2, x + kType / 2, y + kType / 2});
    }
    if (!std::all_of(boxes.begin(), boxes.end(), [&](const Box& b) { return labels.is_free(b); })) continue;
    for (const Box& b : boxes) labels.take(b);
    const auto [x, y] = place(0);
    svg.text(x, y, read, "rooftext", "start", std::atan2(along_y, along_x) * 180 / M_PI);
    break;
  }
}

}  // namespace

std::string roofline_chart(const Report& r) {
  std::vector<size_t> shown;
  for (size_t i = 0; i < r.searches.size(); ++i)
    if (r.searches[i].on_roofline()) shown.push_back(i);
  if (shown.empty()) return "";
  const Frame f = frame_of(r);
  Svg svg("roofline", kWidth, kHeight, "Roofline: speed over operations per byte, both logarithmic",
          fmt::format(
              "{} searched kernels. An arrow goes from each one's default schedule, a ring, up to its winner, a dot.{} "
              "The table of kernels holds the numbers.",
              shown.size(), r.roofs.empty() ? "" : " Lines show the peak of multiply-adds and the bandwidth of memory."));
  svg.raw(
      "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" "
      "orient=\"auto\"><path class=\"arrowhead\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n");
  draw_axes(svg, f);
  Labels labels;
  for (const size_t i : shown) {
    const Place p = place_of(f, r.searches[i]);
    labels.take({p.x - 4, std::min(p.before, p.winner) - 4, p.x + 4, std::max(p.before, p.winner) + 4});
  }
  for (const Roof& roof : r.roofs) draw_roof(svg, f, r, roof, labels);
  for (const size_t i : shown) {
    const Search& s = r.searches[i];
    const auto [x, before, winner] = place_of(f, s);
    const std::string name = fmt::format("{} {}: ", i + 1, search_name(r, s));
    if (s.gflops(s.default_ms()) > 0 && std::abs(before - winner) > 0.5) {
      if (std::abs(before - winner) > 8)
        svg.raw(fmt::format("<path class=\"arrow\" marker-end=\"url(#arrow)\" d=\"M{} {}V{}\"/>\n", pixel(x), pixel(before),
                            pixel(winner + (before > winner ? 4 : -4))));
      svg.mark(
          x, before, "dot", "default",
          name + "default " + figure_text(s.gflops(s.default_ms())) + " GFLOP/s, " + figure_text(s.default_ms()) + " ms");
    }
    svg.mark(x, winner, "dot", "winner",
             name + "winner " + figure_text(s.gflops(s.winner_ms())) + " GFLOP/s, " + figure_text(s.winner_ms()) + " ms");
  }
  for (const size_t i : shown) {
    const Search& s = r.searches[i];
    const double x = f.x(s.intensity()), y = f.y(s.gflops(s.winner_ms()));
    const std::string number = std::to_string(i + 1);
    if (!labels.place(svg, x, y, number + " " + s.kernel.name, "name")) labels.place(svg, x, y, number, "name");
  }
  return svg.str();
}

}  // namespace pg
