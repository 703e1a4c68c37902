#include "src/graph/winograd.h"

#include <algorithm>
#include <cmath>

#include "src/graph/alternatives.h"
#include "src/graph/convolution_3x3.h"
#include "src/graph/index_map.h"
#include "src/graph/minimal_filtering.h"
#include "src/graph/views.h"
#include "src/tensor/buffers.h"
#include "src/tensor/tensor.h"
#include "uops/simplify.h"

namespace pg {

namespace {
/// values[place], place being [n] or [n, 1, ..]: schedules write it out, and a place that is a number leaves one of them.
Tensor chosen(const Line& values, const Tensor& place) {
  Tensor rest = values.back();
  for (size_t i = values.size() - 1; i-- > 0;) rest = Tensor::where(place < static_cast<double>(i + 1), values[i], rest);
  return rest;
}
/// 0, 1, .. along the first of `axes` axes.
Tensor numbers(int64_t n, size_t axes) {
  Shape shape(axes, Dim(1));
  shape[0] = n;
  return Tensor::arange(n, dt::i64).reshape(shape);
}
/// [tile rows · tile columns, ..]
Tensor stacked(const FilterTile& tile) {
  Line all;
  for (const Line& line : tile) all.insert(all.end(), line.begin(), line.end());
  return chosen(all, numbers(static_cast<int64_t>(all.size()), all[0].shape().size() + 1)).contiguous();
}

class Rewriter {
 public:
  Rewriter(const Convolution3x3& c, const FilterForm& f) : c_(c), f_(f), shape_(shape_of(c.sum.src(0))) {
    tile_rows_ = (rows() + f.outputs() - 1) / f.outputs();
    tile_columns_ = (columns() + f.outputs() - 1) / f.outputs();
  }
  /// The sum, with its axes, from the image and the weights as they are now.
  Tensor sum(const Tensor& image, const Tensor& weights) const {
    return sum_of(products(weight_tiles(weights), image_tiles(image)));
  }
  /// Whether each output belongs to a whole tile.
  bool fits() const { return rows() % f_.outputs() == 0 && columns() % f_.outputs() == 0; }

 private:
  int64_t rows() const { return *shape_[c_.rows].number(); }
  int64_t columns() const { return *shape_[c_.columns].number(); }
  int64_t points() const { return (f_.outputs() + 2) * (f_.outputs() + 2); }
  void append(Shape& shape, const std::vector<size_t>& axes) const {
    for (const size_t axis : axes) shape.push_back(shape_[axis]);
  }

  /// [points, channels, batch.., tile rows, tile columns]
  Tensor image_tiles(const Tensor& image) const {
    const int64_t m = f_.outputs();
    // Axes of extent 1 go.
    std::vector<size_t> order{c_.image_channels};
    order.insert(order.end(), c_.image_batch.begin(), c_.image_batch.end());
    order.insert(order.end(), {c_.image_rows, c_.image_columns});
    const Shape given = image.shape();
    Shape kept;
    std::vector<int> permuted(order.size());
    for (size_t axis = 0; axis < given.size(); ++axis)
      for (size_t i = 0; i < order.size(); ++i)
        if (order[i] == axis) {
          permuted[i] = static_cast<int>(kept.size());
          kept.push_back(given[axis]);
        }
    Tensor x = image.reshape(kept).permute(permuted);
    x = x.slice(-2, c_.first_row, c_.first_row + rows() + 2).slice(-1, c_.first_column, c_.first_column + columns() + 2);
    // A tile's m + 2 rows are those of it and the first two of the next.
    std::vector<std::pair<Dim, Dim>> padding(order.size(), {0, 0});
    padding[order.size() - 2].second = (tile_rows_ + 1) * m - rows() - 2;
    padding[order.size() - 1].second = (tile_columns_ + 1) * m - columns() - 2;
    x = x.pad(padding);
    Shape tiled = x.shape();
    tiled.erase(tiled.end() - 2, tiled.end());
    tiled.insert(tiled.end(), {tile_rows_ + 1, m, tile_columns_ + 1, m});
    x = x.reshape(tiled);
    FilterTile d(static_cast<size_t>(m + 2));
    for (int64_t i = 0; i < m + 2; ++i)
      for (int64_t j = 0; j < m + 2; ++j)
        d[static_cast<size_t>(i)].push_back(x.slice(-4, i / m, i / m + tile_rows_)
                                                .slice(-3, i % m, i % m + 1)
                                                .slice(-2, j / m, j / m + tile_columns_)
                                                .slice(-1, j % m, j % m + 1)
                                                .squeeze(-1)
                                                .squeeze(-2));
    return stacked(along_both(d, [&](const Line& line) { return image_points(f_, line); }));
  }

  /// [points, filters.., channels]
  Tensor weight_tiles(const Tensor& weights) const {
    std::vector<std::pair<Dim, Dim>> one(shape_.size(), {0, 1});
    for (const size_t axis : c_.filters) one[axis].second = shape_[axis];
    one[c_.channels].second = shape_[c_.channels];
    std::vector<int> order(c_.filters.begin(), c_.filters.end());
    order.push_back(static_cast<int>(c_.channels));
    Shape shape;
    append(shape, c_.filters);
    shape.push_back(shape_[c_.channels]);
    for (size_t axis = 0; axis < shape_.size(); ++axis)
      if (std::find(order.begin(), order.end(), static_cast<int>(axis)) == order.end())
        order.push_back(static_cast<int>(axis));
    FilterTile w(3);
    for (int64_t i = 0; i < 3; ++i)
      for (int64_t j = 0; j < 3; ++j) {
        one[c_.window_rows] = {i, i + 1};
        one[c_.window_columns] = {j, j + 1};
        w[static_cast<size_t>(i)].push_back(weights.shrink(one).permute(order).reshape(shape));
      }
    return stacked(along_both(w, [&](const Line& line) { return weight_points(f_, line); }));
  }

  /// [points, filters.., batch.., tile rows, tile columns]
  Tensor products(const Tensor& weights, const Tensor& image) const {
    Shape left{points()}, right{points()};
    append(left, c_.filters);
    left.insert(left.end(), c_.batch.size() + 2, Dim(1));
    left.push_back(shape_[c_.channels]);
    right.insert(right.end(), c_.filters.size(), Dim(1));
    append(right, c_.batch);
    right.insert(right.end(), {tile_rows_, tile_columns_, shape_[c_.channels]});
    std::vector<int> channels_last{0};
    for (int axis = 2; axis < image.rank(); ++axis) channels_last.push_back(axis);
    channels_last.push_back(1);
    return (weights.reshape(left) * image.permute(channels_last).reshape(right)).sum({-1}).contiguous();
  }

  Tensor sum_of(const Tensor& products) const {
    const int64_t m = f_.outputs();
    Shape apart;  // [filters.., batch.., tile rows, 1, tile columns, 1]
    append(apart, c_.filters);
    append(apart, c_.batch);
    apart.insert(apart.end(), {tile_rows_, 1, tile_columns_, 1});
    FilterTile tile(static_cast<size_t>(m + 2));
    for (int64_t i = 0; i < points(); ++i)
      tile[static_cast<size_t>(i / (m + 2))].push_back(products.slice(0, i, i + 1).reshape(apart));
    const FilterTile y = along_both(tile, [&](const Line& line) { return filtered(f_, line); });
    Line lines;  // [.., tile rows, 1, tile columns, m]
    for (const Line& line : y) lines.push_back(chosen(line, numbers(m, 1)));
    Shape joined(apart.begin(), apart.end() - 4);
    joined.insert(joined.end(), {tile_rows_ * m, tile_columns_ * m});
    Tensor all = chosen(lines, numbers(m, 3)).reshape(joined);
    if (!fits()) all = all.contiguous().slice(-2, 0, rows()).slice(-1, 0, columns());
    // In the order of the sum's axes.
    std::vector<size_t> axes = c_.filters;
    axes.insert(axes.end(), c_.batch.begin(), c_.batch.end());
    axes.insert(axes.end(), {c_.rows, c_.columns});
    std::vector<int> order;
    for (size_t axis = 0; axis < shape_.size(); ++axis)
      if (const auto at = std::find(axes.begin(), axes.end(), axis); at != axes.end())
        order.push_back(static_cast<int>(at - axes.begin()));
    return all.permute(order).reshape(shape_of(c_.sum));
  }

  const Convolution3x3& c_;
  const FilterForm& f_;
  const Shape shape_;  // of the product
  int64_t tile_rows_ = 0, tile_columns_ = 0;
};

/// Whether nothing but frozen Buffers make the weights.
bool constant_weights(const Convolution3x3& c) {
  const UOps nodes = TensorGraph({c.weights}).nodes;
  return std::all_of(nodes.begin(), nodes.end(), [](const UOp& u) { return !u.is(Op::Buffer) || is_frozen(u); });
}

/// What either way takes, in floating-point operations of a product at its full speed.
class Costs3x3 {
 public:
  explicit Costs3x3(const Convolution3x3& c) : constant_(constant_weights(c)) {
    const UOps extents = extents_of(c.sum.src(0));
    const auto all = [&](const std::vector<size_t>& axes) {
      double n = 1;
      for (const size_t axis : axes) n *= static_cast<double>(bounds(extents[axis]).hi);
      return n;
    };
    batch_ = all(c.batch), filters_ = all(c.filters), channels_ = all({c.channels});
    rows_ = all({c.rows}), columns_ = all({c.columns});
  }
  double direct() const { return 18 * channels_ * filters_ * batch_ * rows_ * columns_; }
  double of(const FilterForm& f) const {
    const double m = static_cast<double>(f.outputs()), points = (m + 2) * (m + 2);
    const double tiles = batch_ * std::ceil(rows_ / m) * std::ceil(columns_ / m);
    const double weights = points * channels_ * filters_, values = points * (channels_ + filters_) * tiles;
    const bool whole = std::fmod(rows_, m) == 0 && std::fmod(columns_, m) == 0;
    const double copied = whole ? 0 : filters_ * tiles * m * m;
    const double products = std::max(2 * weights * tiles, kPerElement * weights);  // what is read comes meanwhile
    return products + kPerElement * (2 * (values + copied) + (constant_ ? 0 : kMade * weights));
  }

 private:
  static constexpr double kPerElement = 64;  // that goes to or comes from memory: 12 GB/s beside 190 GFLOP/s
  static constexpr double kMade = 1.25;      // a transformed weight, with what is read for it
  bool constant_;
  double batch_, filters_, channels_, rows_, columns_;
};
/// The form that pays of those that may err by so much, null where none does.
const FilterForm* by_default(const Convolution3x3& c, double rounding) {
  constexpr double kWorthIt = 1.1;
  const Costs3x3 costs(c);
  const FilterForm* best = nullptr;
  double least = costs.direct() / kWorthIt;
  for (const FilterForm& f : filter_forms())
    if (const double cost = costs.of(f); f.rounding <= rounding && cost < least) least = cost, best = &f;
  return best;
}

std::string site_of(const Convolution3x3& c, const FilterForm& f) {
  const UOps extents = extents_of(c.sum.src(0));
  UOps sum;
  for (const auto* axes : {&c.batch, &c.filters})
    for (const size_t axis : *axes) sum.push_back(extents[axis]);
  sum.insert(sum.end(), {extents[c.rows], extents[c.columns]});
  return std::string(f.name) + " f32[" + shape_text(sum) + "] of " + shape_text({extents[c.channels]}) +
         (constant_weights(c) ? " frozen" : "");
}
/// With fewer, a sum has so little rounding error that the forms' own exceeds what they are allowed.
constexpr int64_t kLeastChannels = 8;
struct Rewrite {
  Convolution3x3 convolution;
  const FilterForm* form;
};
}  // namespace

UOps with_winograd(const TensorGraph& graph, const UOps& roots, const PlanOptions& options,
                   std::vector<Alternative>& offered) {
  std::unordered_map<UOp, Rewrite> rewrites;
  for (const UOp& node : graph.nodes) {
    const auto c = convolution_3x3(node);
    if (!c || *const_int(extents_of(c->sum.src(0))[c->channels]) < kLeastChannels) continue;
    const FilterForm* best = by_default(*c, options.rounding);
    for (const FilterForm& f : filter_forms()) {
      if (f.rounding > options.rounding) continue;
      Alternative a{.name = f.name,
                    .site = site_of(*c, f),
                    .node = node,
                    .by_default = !options.gpu && &f == best,
                    .rounding = f.rounding};
      options.take(a);
      offered.push_back(a);
      if (a.taken) rewrites.insert_or_assign(node, Rewrite{*c, &f});
    }
  }
  if (rewrites.empty()) return roots;

  const Epilogues epilogues(graph);
  Rebuilt now;
  for (const UOp& node : graph.nodes) {
    UOp becomes;
    bool stored = false;
    if (const auto found = rewrites.find(node); found == rewrites.end()) {
      becomes = now.with_sources(node);
    } else {
      const Convolution3x3& c = found->second.convolution;
      const Rewriter rewriter(c, *found->second.form);
      becomes = rewriter.sum(Tensor(now.of(c.image)), Tensor(now.of(c.weights))).uop();
      stored = !rewriter.fits();
    }
    // What was the head of a reduction is no longer one, but several may read it.
    if (const auto head = epilogues.reduction_of.find(node);
        head != epilogues.reduction_of.end() && rewrites.contains(head->second) && !graph.kept.contains(node) && !stored)
      becomes = Tensor(becomes).contiguous().uop();
    now.set(node, becomes);
  }
  return now.of(roots);
}

}  // namespace pg
