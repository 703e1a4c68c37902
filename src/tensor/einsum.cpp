#include "src/tensor/einsum.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "src/tensor/shape.h"

namespace pg {

namespace {

using Labels = std::vector<int>;  // a letter, or kEllipsis + the axis counted from the back of what "..." stands for
constexpr int kEllipsis = 256, kAnyAxes = -1;

bool has(const Labels& labels, int label) { return std::find(labels.begin(), labels.end(), label) != labels.end(); }

struct Factor {
  Tensor value;
  Labels labels;  // one an axis
};

class Einsum {
 public:
  Einsum(std::string_view equation, const std::vector<Tensor>& operands) : equation_(equation) {
    std::string text;
    for (const char c : equation)
      if (!std::isspace(static_cast<unsigned char>(c))) text += c;
    const size_t arrow = text.find("->");
    std::vector<Labels> parts;
    std::string_view left = std::string_view(text).substr(0, arrow);
    for (size_t comma; (comma = left.find(',')) != std::string_view::npos; left.remove_prefix(comma + 1))
      parts.push_back(parsed(left.substr(0, comma)));
    parts.push_back(parsed(left));
    if (parts.size() != operands.size())
      fail(std::to_string(parts.size()) + " operands are named, " + std::to_string(operands.size()) + " given");
    for (size_t i = 0; i < operands.size(); ++i) add(operands[i], parts[i]);
    output_ = arrow == std::string::npos ? implied(parts) : given(parsed(std::string_view(text).substr(arrow + 2)));
  }

  Tensor operator()() {
    Factor product = with_diagonals(factors_[0]);
    if (factors_.size() == 1) product = summed(product, output_);
    for (size_t i = 1; i < factors_.size(); ++i) {
      Labels later = output_;
      for (size_t j = i + 1; j < factors_.size(); ++j)
        later.insert(later.end(), factors_[j].labels.begin(), factors_[j].labels.end());
      product = multiplied(product, with_diagonals(factors_[i]), later);
    }
    std::vector<int> order;
    for (const int label : output_)
      order.push_back(
          static_cast<int>(std::find(product.labels.begin(), product.labels.end(), label) - product.labels.begin()));
    return product.value.permute(order);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw UserError("einsum: " + what + ": \"" + std::string(equation_) + "\"");
  }
  static std::string name(int label) { return label < kEllipsis ? std::string(1, static_cast<char>(label)) : "..."; }

  Labels parsed(std::string_view term) const {
    Labels labels;
    for (size_t i = 0; i < term.size(); ++i) {
      if (term.substr(i, 3) == "..." && !has(labels, kAnyAxes)) {
        labels.push_back(kAnyAxes);
        i += 2;
      } else if (std::isalpha(static_cast<unsigned char>(term[i]))) {
        labels.push_back(term[i]);
      } else {
        fail(std::string("'") + term[i] + "' is no letter and no \"...\"");
      }
    }
    return labels;
  }

  /// "..." written out.
  static Labels expanded(const Labels& labels, int axes) {
    Labels all;
    for (const int label : labels) {
      if (label != kAnyAxes) all.push_back(label);
      for (int i = axes; label == kAnyAxes && i > 0; --i) all.push_back(kEllipsis + i - 1);
    }
    return all;
  }

  void add(const Tensor& x, const Labels& part) {
    const bool any = has(part, kAnyAxes);
    const int letters = static_cast<int>(part.size()) - any, rest = x.rank() - letters;
    if (rest < 0 || (rest > 0 && !any))
      fail("operand " + std::to_string(factors_.size()) + " is named with " + std::to_string(letters) + " axes, it is " +
           text(x.shape()));
    most_ = std::max(most_, rest);
    factors_.push_back({x, expanded(part, rest)});
    const Shape shape = x.shape();
    for (size_t i = 0; i < shape.size(); ++i) {
      const int label = factors_.back().labels[i];
      const auto [at, is_new] = extents_.try_emplace(label, shape[i]);
      if (is_new || shape[i].number() == 1 || same(at->second, shape[i])) continue;
      if (at->second.number() != 1)
        fail("the extents of " + name(label) + " differ, " + text(at->second) + " and " + text(shape[i]));
      at->second = shape[i];
    }
  }

  Labels implied(const std::vector<Labels>& parts) const {
    std::map<int, int> count;
    for (const Labels& part : parts)
      for (const int label : part) ++count[label];
    Labels letters{kAnyAxes};
    for (const auto& [label, times] : count)
      if (times == 1 && label != kAnyAxes) letters.push_back(label);
    return expanded(letters, most_);
  }
  Labels given(const Labels& part) const {
    const Labels labels = expanded(part, most_);
    for (size_t i = 0; i < labels.size(); ++i) {
      if (!extents_.contains(labels[i])) fail("no operand has the axis " + name(labels[i]) + " of the result");
      if (std::count(labels.begin(), labels.end(), labels[i]) > 1) fail("the result names " + name(labels[i]) + " twice");
    }
    return labels;
  }

  Factor with_diagonals(Factor f) const {
    for (size_t i = 0; i < f.labels.size(); ++i) {
      const auto again = std::find(f.labels.begin() + static_cast<int64_t>(i) + 1, f.labels.end(), f.labels[i]);
      if (again == f.labels.end()) continue;
      const int a = static_cast<int>(i), b = static_cast<int>(again - f.labels.begin());
      const Shape shape = f.value.shape();
      if (!same(shape[static_cast<size_t>(a)], shape[static_cast<size_t>(b)]))
        fail("the extents of " + name(f.labels[i]) + " in one operand differ: " + text(shape));
      f.value = f.value.diagonal(a, b);
      const int label = f.labels[i];
      f.labels.erase(again);
      f.labels.erase(f.labels.begin() + a);
      f.labels.push_back(label);
      return with_diagonals(f);
    }
    return f;
  }

  /// Without the axes that are not wanted.
  static Factor summed(const Factor& f, const Labels& wanted) {
    std::vector<int> axes;
    Labels kept;
    for (size_t i = 0; i < f.labels.size(); ++i) {
      if (has(wanted, f.labels[i]))
        kept.push_back(f.labels[i]);
      else
        axes.push_back(static_cast<int>(i));
    }
    return {axes.empty() ? f.value : f.value.sum(axes).cast(f.value.dtype()), kept};
  }

  /// Axes in this order, of extent 1 where the factor has none.
  static Tensor arranged(const Factor& f, const Labels& order) {
    std::vector<int> axes;
    Shape shape;
    const Shape own = f.value.shape();
    for (const int label : order) {
      const auto at = std::find(f.labels.begin(), f.labels.end(), label);
      const size_t axis = static_cast<size_t>(at - f.labels.begin());
      if (at != f.labels.end()) axes.push_back(static_cast<int>(axis));
      shape.push_back(at != f.labels.end() ? own[axis] : Dim(1));
    }
    return f.value.permute(axes).reshape(shape);
  }

  /// [both.., left.., 1.., contracted..] * [both.., 1.., right.., contracted..], summed over what is contracted: as
  /// matmul().
  static Factor multiplied(Factor a, Factor b, const Labels& later) {
    const auto alone = [&](const Factor& f, const Factor& other) {
      Labels wanted = later;
      wanted.insert(wanted.end(), other.labels.begin(), other.labels.end());
      return summed(f, wanted);
    };
    a = alone(a, b), b = alone(b, a);
    Labels order, contracted;
    for (const int label : a.labels)
      if (has(b.labels, label)) (has(later, label) ? order : contracted).push_back(label);
    for (const Factor* f : {&a, &b})
      for (const int label : f->labels)
        if (!has(f == &a ? b.labels : a.labels, label)) order.push_back(label);
    const size_t kept = order.size();
    order.insert(order.end(), contracted.begin(), contracted.end());
    const DType dtype = promote(a.value.dtype(), b.value.dtype());
    const DType wide = dtype.is_float() && !contracted.empty() ? dt::f32 : dtype;  // rounded once
    a.value = a.value.cast(wide), b.value = b.value.cast(wide);
    Tensor product = arranged(a, order) * arranged(b, order);
    std::vector<int> axes;
    for (size_t i = kept; i < order.size(); ++i) axes.push_back(static_cast<int>(i));
    if (!axes.empty()) product = product.sum(axes);
    order.resize(kept);
    return {product.cast(dtype), order};
  }

  std::string_view equation_;
  std::vector<Factor> factors_;
  std::map<int, Dim> extents_;
  int most_ = 0;  // axes that "..." stands for
  Labels output_;
};

}  // namespace

Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands) { return Einsum(equation, operands)(); }

}  // namespace pg
