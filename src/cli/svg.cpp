#include "src/cli/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "src/cli/markup.h"

namespace pg {

namespace {

constexpr double kLetter = 0.6;  // width of a letter over the size of its type, in a font without serifs

/// Marks differ in shape, not in colour alone.
struct Mark {
  std::string_view shape, path;
};
constexpr Mark kMarks[] = {
    {"dot", "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z"},
    {"cross", "m-3.2 -3.2l6.4 6.4m0 -6.4l-6.4 6.4"},
    {"triangle", "m0 -4l3.6 6.4h-7.2z"},
    {"square", "m-3 -3h6v6h-6z"},
    {"diamond", "m0 -4.2l4.2 4.2l-4.2 4.2l-4.2 -4.2z"},
};
std::string_view path_of(std::string_view shape) {
  for (const Mark& m : kMarks)
    if (m.shape == shape) return m.path;
  return kMarks[0].path;
}

}  // namespace

double Scale::operator()(double value) const {
  const auto place = [&](double x) { return logarithmic ? std::log10(std::max(x, low)) : x; };
  const double share = (place(value) - place(low)) / (place(high) - place(low));
  return begin + (end - begin) * std::clamp(std::isfinite(share) ? share : 0, 0.0, 1.0);
}

std::vector<double> linear_ticks(double low, double high, int wanted) {
  if (!(low < high) || !std::isfinite(high - low)) return {};
  const double raw = (high - low) / std::max(1, wanted), power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double digit : {5.0, 2.0, 1.0})
    if (digit * power >= raw * 0.999) step = digit * power;
  std::vector<double> ticks;
  const double slack = 1e-9 * (high - low);  // 0.3 / 0.1 is not quite 3
  for (double i = std::ceil((low - slack) / step); i * step <= high + slack; ++i) ticks.push_back(i * step);
  return ticks;
}

std::vector<double> log_ticks(double low, double high) {
  if (!(low > 0) || !(low < high) || !std::isfinite(high)) return {};
  const double decades = std::log10(high / low);
  if (decades < 1) return linear_ticks(low, high);
  std::vector<double> ticks;
  for (double power = std::floor(std::log10(low)); power <= std::log10(high); ++power)
    for (const double digit : {1.0, 2.0, 5.0}) {
      const double tick = digit * std::pow(10, power);
      if ((digit == 1 || decades < 3) && tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  return ticks;
}

std::string tick_text(double value) { return fmt::format("{:.6g}", value); }

bool Box::meets(const Box& o) const { return left < o.right && o.left < right && top < o.bottom && o.top < bottom; }

Box text_box(double x, double y, std::string_view text, double size, std::string_view anchor) {
  const auto letters = std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
  const double width = kLetter * size * static_cast<double>(letters);
  const double left = anchor == "end" ? x - width : anchor == "middle" ? x - width / 2 : x;
  return {left, y - size, left + width, y + 0.3 * size};
}

Svg::Svg(std::string_view id, double width, double height, std::string_view title, std::string_view description) {
  body_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "aria-labelledby=\"{2}-title {2}-desc\">\n<title id=\"{2}-title\">{3}</title>\n<desc id=\"{2}-desc\">{4}</desc>\n",
      pixel(width), pixel(height), id, escape_html(title), escape_html(description));
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view css_class) {
  body_ += fmt::format("<line class=\"{}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>\n", css_class, pixel(x1), pixel(y1),
                       pixel(x2), pixel(y2));
}
void Svg::rect(const Box& b, std::string_view css_class) {
  body_ += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", css_class, pixel(b.left),
                       pixel(b.top), pixel(b.right - b.left), pixel(b.bottom - b.top));
}
void Svg::polyline(const std::vector<std::pair<double, double>>& points, std::string_view css_class) {
  std::string text;
  for (const auto& [x, y] : points) text += fmt::format("{}{},{}", text.empty() ? "" : " ", pixel(x), pixel(y));
  body_ += fmt::format("<polyline class=\"{}\" points=\"{}\"/>\n", css_class, text);
}
void Svg::text(double x, double y, std::string_view text, std::string_view css_class, std::string_view anchor,
               double degrees) {
  const std::string turned =
      degrees == 0 ? "" : fmt::format(" transform=\"rotate({} {} {})\"", pixel(degrees), pixel(x), pixel(y));
  body_ += fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\" text-anchor=\"{}\"{}>{}</text>\n", css_class, pixel(x),
                       pixel(y), anchor, turned, escape_html(text));
}
void Svg::mark(double x, double y, std::string_view shape, std::string_view css_class, std::string_view name) {
  body_ += fmt::format("<path class=\"mark {}\" d=\"M{} {}{}\"><title>{}</title></path>\n", css_class, pixel(x), pixel(y),
                       path_of(shape), escape_html(name));
}

std::string pixel(double x) {
  std::string s = fmt::format("{:.1f}", std::isfinite(x) ? x : 0);
  if (s.ends_with(".0")) s.resize(s.size() - 2);
  return s == "-0" ? "0" : s;
}

}  // namespace pg
