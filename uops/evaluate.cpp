#include "uops/evaluate.h"

#include <unordered_map>

#include "uops/text.h"
#include "uops/values.h"

namespace pg {

namespace {
Cell to_cell(const Number& n) {
  return std::holds_alternative<double>(n) ? cell(std::get<double>(n)) : cell(std::get<int64_t>(n));
}

Cell apply(const UOp& u, const Cell (&in)[3], bool exact) {
  if (u.dtype().lanes != 1) throw InternalError("evaluate: a vector: " + pretty(u));
  if (!info(u.op()).has(op_flag::Elementwise)) throw InternalError("evaluate: no value is bound to " + pretty(u));
  try {
    return compute(u.op(), u.src(0).dtype().scalar, u.dtype().scalar, in[0], in[1], in[2], exact);
  } catch (const InternalError& e) {
    throw InternalError("evaluate: " + std::string(e.what()) + ": " + pretty(u));
  }
}
}  // namespace

Number evaluate_number(const UOp& expression, const std::function<std::optional<Number>(const UOp&)>& value_of, bool exact) {
  std::unordered_map<const void*, Cell> done;
  UOps stack{expression};
  while (!stack.empty()) {
    const UOp u = stack.back();
    if (done.contains(u.id())) {
      stack.pop_back();
      continue;
    }
    if (const auto bound = value_of(u)) {
      done.emplace(u.id(), to_cell(*bound));
      continue;
    }
    if (u.is(Op::Const)) {
      const double* f = std::get_if<double>(&u.arg());
      done.emplace(u.id(), f ? settled(u.dtype().scalar, cell(*f), exact) : cell(u.arg_as<int64_t>()));
      continue;
    }
    const bool elementwise = info(u.op()).has(op_flag::Elementwise);
    const size_t waiting = stack.size();
    if (elementwise)
      for (const UOp& s : u.src())
        if (!done.contains(s.id())) stack.push_back(s);
    if (stack.size() != waiting) continue;
    Cell in[3] = {};
    for (size_t i = 0; elementwise && i < u.src().size(); ++i) in[i] = done.at(u.src(i).id());
    done.emplace(u.id(), apply(u, in, exact));
  }
  const Cell v = done.at(expression.id());
  return expression.dtype().is_float() ? Number(v.f) : Number(v.i);
}

int64_t evaluate(const UOp& expression, const Values& values) {
  if (expression.dtype().is_float()) throw InternalError("evaluate: not an integer: " + pretty(expression));
  const auto value_of = [&](const UOp& u) -> std::optional<Number> {
    for (const auto& [node, value] : values)
      if (node == u) return value;
    return std::nullopt;
  };
  return std::get<int64_t>(evaluate_number(expression, value_of));
}

}  // namespace pg
