// Reverse mode: from the loss back through the nodes that lead to a tensor of interest, rule by rule.
#include <unordered_map>
#include <unordered_set>

#include "src/tensor/gradient_rules.h"
#include "src/tensor/shape.h"

namespace pg {

namespace {
/// The nodes of `order` (sources first) on a path to one of `wrt` (these included).
std::unordered_set<const void*> leading_to(const std::vector<Tensor>& wrt, const UOps& order) {
  std::unordered_set<const void*> nodes;
  for (const Tensor& x : wrt) nodes.insert(x.uop().id());
  for (const UOp& u : order)
    for (const UOp& s : u.src())
      if (nodes.contains(s.id())) nodes.insert(u.id());
  return nodes;
}

void check_differentiable(const char* what, const Tensor& x) {
  if (!x.dtype().is_float()) throw UserError(std::string("gradients: ") + what + " is " + text(x.dtype()) + ", not a float");
}
}  // namespace

std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& wrt) {
  const Shape shape = loss.shape();
  if (element_count(shape).number() != 1)
    throw UserError("gradients: the loss has the shape " + text(shape) + "; reduce it to one element");
  check_differentiable("the loss", loss);
  for (const Tensor& x : wrt) check_differentiable("a tensor of wrt", x);

  const UOps order = toposort(loss.uop());
  const auto relevant = leading_to(wrt, order);
  std::unordered_map<const void*, Tensor> at;  // gradient at each node, summed over its users
  at.emplace(loss.uop().id(), Tensor::full(shape, 1, loss.dtype()));
  for (auto u = order.rbegin(); u != order.rend(); ++u) {
    const auto found = at.find(u->id());
    if (found == at.end() || !relevant.contains(u->id())) continue;
    bool needed = false;
    for (const UOp& s : u->src()) needed |= relevant.contains(s.id());
    if (!needed) continue;
    const GradientRule* rule = gradient_rule(u->op());
    if (!rule)
      throw UserError(std::string("gradients: ") + info(u->op()).name +
                      " has no derivative; use detach() where none is meant");
    const std::vector<Tensor> sources = rule->sources(*u, found->second);
    for (size_t i = 0; i < sources.size(); ++i) {
      if (!sources[i] || !relevant.contains(u->src(i).id())) continue;
      const auto [sum, first] = at.try_emplace(u->src(i).id(), sources[i]);
      if (!first) sum->second = sum->second + sources[i];
    }
  }

  std::vector<Tensor> result;
  for (const Tensor& x : wrt) {
    const auto found = at.find(x.uop().id());
    result.push_back(found == at.end() ? Tensor::zeros(x.shape(), x.dtype()) : found->second);
  }
  return result;
}

}  // namespace pg
