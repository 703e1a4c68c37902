#include "src/tensor/shape.h"

#include <algorithm>

#include "uops/simplify.h"

namespace pg {

// ---- text ------------------------------------------------------------------------------------------------------------

namespace {
const char* infix(Op op) {
  switch (op) {
    case Op::Add: return " + ";
    case Op::Sub: return " - ";
    case Op::Mul: return "*";
    case Op::IDiv: return "/";
    case Op::Mod: return "%";
    default: return nullptr;
  }
}
std::string expression_text(const UOp& u, bool nested) {
  if (const auto n = const_int(u)) return std::to_string(*n);
  if (u.is(Op::Variable)) return u.arg_as<VariableArg>().name;
  if (const char* sign = infix(u.op())) {
    const std::string s = expression_text(u.src(0), true) + sign + expression_text(u.src(1), true);
    return nested ? "(" + s + ")" : s;
  }
  std::string s = info(u.op()).name;
  for (size_t i = 0; i < u.src().size(); ++i) s += (i ? ", " : "(") + expression_text(u.src(i), false);
  return u.src().empty() ? s : s + ")";
}
}  // namespace

std::string text(const Dim& d) { return expression_text(d.uop(), false); }
std::string text(const Shape& shape) {
  std::string s = "[";
  for (size_t i = 0; i < shape.size(); ++i) s += (i ? ", " : "") + text(shape[i]);
  return s + "]";
}

// ---- arithmetic ------------------------------------------------------------------------------------------------------

namespace {
Dim simplified(UOp u) { return u.is(Op::Const) || u.is(Op::Variable) ? Dim(std::move(u)) : Dim(simplify(u)); }
}  // namespace

Dim operator+(const Dim& a, const Dim& b) { return simplified(a.uop() + b.uop()); }
Dim operator-(const Dim& a, const Dim& b) { return a == b ? Dim(0) : simplified(a.uop() - b.uop()); }
Dim operator*(const Dim& a, const Dim& b) { return simplified(a.uop() * b.uop()); }
Dim operator/(const Dim& a, const Dim& b) { return simplified(idiv(a.uop(), b.uop())); }

bool same(const Dim& a, const Dim& b) {
  if (a == b) return true;
  if (a.number() && b.number()) return false;
  return (a - b).number() == 0;
}
bool same(const Shape& a, const Shape& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Dim& x, const Dim& y) { return same(x, y); });
}

Dim element_count(const Shape& shape) {
  Dim n = 1;
  for (const Dim& d : shape) n = n * d;
  return n;
}
int64_t known_count(const char* op, const Shape& shape) {
  if (const auto n = element_count(shape).number()) return *n;
  throw UserError(std::string(op) + ": the shape " + text(shape) +
                  " holds Variables; shrink the tensor to known extents first");
}

Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  Shape result;
  for (size_t i = 0; i < rank; ++i) {
    const size_t from_back = rank - i;
    const Dim x = from_back <= a.size() ? a[a.size() - from_back] : Dim(1);
    const Dim y = from_back <= b.size() ? b[b.size() - from_back] : Dim(1);
    if (y.number() == 1 || same(x, y))
      result.push_back(x);
    else if (x.number() == 1)
      result.push_back(y);
    else
      throw UserError(std::string(op) + ": shapes " + text(a) + " and " + text(b) + " do not broadcast");
  }
  return result;
}

int checked_axis(const char* op, int axis, const Shape& shape) {
  const int rank = static_cast<int>(shape.size());
  if (axis < -rank || axis >= rank)
    throw UserError(std::string(op) + ": axis " + std::to_string(axis) + " is out of range for shape " + text(shape));
  return axis < 0 ? axis + rank : axis;
}
std::vector<int> checked_axes(const char* op, const std::vector<int>& axes, const Shape& shape) {
  std::vector<int> sorted;
  if (axes.empty())
    for (size_t i = 0; i < shape.size(); ++i) sorted.push_back(static_cast<int>(i));
  for (const int axis : axes) sorted.push_back(checked_axis(op, axis, shape));
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) throw UserError(std::string(op) + ": axis " + std::to_string(*twice) + " is given twice");
  return sorted;
}

UOps with_extents(const UOp& x, const Shape& shape) {
  UOps src{x};
  for (const Dim& d : shape) src.push_back(simplified(d.uop()).uop());
  return src;
}

// ---- shapes of nodes -------------------------------------------------------------------------------------------------

namespace {
struct ShapeNote final : UOp::Note {
  explicit ShapeNote(Shape s) : shape(std::move(s)) {}
  const Shape shape;
};

Shape extents(std::span<const UOp> src) { return Shape(src.begin(), src.end()); }

/// The shape of a node that says it itself.
std::optional<Shape> own_shape(const UOp& u) {
  switch (u.op()) {
    case Op::Const:
    case Op::Variable: return Shape{};
    case Op::Buffer:
    case Op::Param:
    case Op::Arange: return extents(u.src());
    case Op::Reshape:
    case Op::Expand: return extents(u.src().subspan(1));
    default:
      if (const auto* note = dynamic_cast<const ShapeNote*>(u.note())) return note->shape;
      return std::nullopt;
  }
}

/// The whole Buffer that a view (movement ops, earlier Assigns) looks into.
UOp base_of(UOp view) {
  while (!view.is(Op::Buffer)) view = view.src(0);
  return view;
}

/// The shape of a node from that of its first source.
Shape derived_shape(const UOp& u, const Shape& x) {
  Shape shape = x;
  switch (u.op()) {
    case Op::Permute: {
      const Ints& axes = u.arg_as<Ints>();
      for (size_t i = 0; i < axes.size(); ++i) shape[i] = x[axes[i]];
      return shape;
    }
    case Op::Pad:
      for (size_t i = 0; i < x.size(); ++i) shape[i] = Dim(u.src(1 + 2 * i)) + x[i] + Dim(u.src(2 + 2 * i));
      return shape;
    case Op::Shrink:
      for (size_t i = 0; i < x.size(); ++i) shape[i] = Dim(u.src(2 + 2 * i)) - Dim(u.src(1 + 2 * i));
      return shape;
    case Op::ReduceAxis:
      for (const int64_t axis : u.arg_as<ReduceArg>().axes) shape[axis] = 1;
      return shape;
    case Op::Gather: {
      shape = shape_of(u.src(1));
      shape.insert(shape.end(), x.begin() + 1, x.end());
      return shape;
    }
    case Op::Assign: return extents(base_of(u.src(0)).src());
    case Op::Flip:
    case Op::Project:
    case Op::Contiguous: return shape;
    default:
      if (info(u.op()).has(op_flag::Elementwise)) return shape;
      throw InternalError(std::string("shape_of: a ") + info(u.op()).name + " is not a tensor");
  }
}
}  // namespace

/// Down the first sources to a node that says its shape, then up again: no recursion, a graph may be very deep.
Shape shape_of(const UOp& u) {
  UOps chain{u};
  std::optional<Shape> shape;
  while (!(shape = own_shape(chain.back()))) {
    if (chain.back().src().empty())
      throw InternalError(std::string("shape_of: a ") + info(chain.back().op()).name + " is not a tensor");
    chain.push_back(chain.back().src(0));
  }
  for (chain.pop_back(); !chain.empty(); chain.pop_back()) {
    shape = derived_shape(chain.back(), *shape);
    chain.back().keep_note(std::make_unique<ShapeNote>(*shape));
  }
  return *shape;
}

namespace {
const UOp& value_of(const UOp& u) {
  if (!u) throw UserError("the Tensor is empty (default-constructed): give it a value first");
  return u;
}
}  // namespace
Shape Tensor::shape() const { return shape_of(value_of(uop_)); }
DType Tensor::dtype() const { return value_of(uop_).dtype(); }

}  // namespace pg
