#pragma once
// The few words that a chart needs: scales, ticks, and the text of an SVG picture.
#include <string>
#include <string_view>
#include <vector>

namespace pg {

/// Maps [low, high] to pixels; on a logarithmic scale both are above 0. Values outside are drawn at the edge.
struct Scale {
  double low = 0, high = 1;   // of the data, low < high
  double begin = 0, end = 1;  // pixels at low and high; begin > end where up is more
  bool logarithmic = false;
  double operator()(double value) const;
};

/// Round values within [low, high], some `wanted` of them, 1, 2 or 5 times a power of ten apart.
std::vector<double> linear_ticks(double low, double high, int wanted = 5);
/// Powers of ten within [low, high]; over less than three of them 2 and 5 too, over less than one as linear_ticks.
std::vector<double> log_ticks(double low, double high);
/// "0.05", "2", "1500", "2e+07".
std::string tick_text(double);

/// Where text may stand, in pixels.
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
  bool meets(const Box&) const;
};
/// The box of a text of one line by a guess at its letters' widths that is rather too large. `anchor`: start, middle, end.
Box text_box(double x, double y, std::string_view text, double size, std::string_view anchor = "start");

/// An SVG picture that says what it shows: its title and description are read out in its place.
class Svg {
 public:
  /// `id` is one of its own in the page.
  Svg(std::string_view id, double width, double height, std::string_view title, std::string_view description);

  void line(double x1, double y1, double x2, double y2, std::string_view css_class);
  void rect(const Box&, std::string_view css_class);
  /// With square corners; `points` are x, y pairs.
  void polyline(const std::vector<std::pair<double, double>>& points, std::string_view css_class);
  void text(double x, double y, std::string_view text, std::string_view css_class, std::string_view anchor = "start",
            double degrees = 0);
  /// A dot, cross, triangle, square or diamond around a point, which is named when pointed at.
  void mark(double x, double y, std::string_view shape, std::string_view css_class, std::string_view name);
  /// Anything else.
  void raw(std::string_view svg) { body_ += svg; }
  std::string str() const { return body_ + "</svg>\n"; }

 private:
  std::string body_;
};

/// A coordinate: at most one digit behind the point.
std::string pixel(double);

}  // namespace pg
