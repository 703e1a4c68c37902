#pragma once
// Executes a kernel AST as it reads: loops over the ranges, the expression evaluated at every point. An oracle of partition
// that shares no code with lowering. Out-of-bounds accesses that no gate hides throw.
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/graph/scalar.h"
#include "uops/kernel.h"
#include "uops/reducers.h"

namespace pg::test {

class KernelEvaluator {
 public:
  using Values = std::vector<double>;
  using Bindings = std::map<std::string, int64_t>;

  KernelEvaluator(const UOp& kernel, std::vector<Values*> buffers, const Bindings& variables)
      : kernel_(kernel), buffers_(std::move(buffers)) {
    for (const UOp& v : variables_of(kernel)) environment_[v] = variables.at(v.arg_as<VariableArg>().name);
  }
  void run() {
    const Definition out = definitions(kernel_).back();
    loop(out.ranges, 0, [&] {
      const double v = at(out.value);
      (*place(out.store.src(0))) = v;
    });
  }

 private:
  void loop(const UOps& ranges, size_t depth, const std::function<void()>& body) {
    if (depth == ranges.size()) return body();
    const int64_t trips = static_cast<int64_t>(at(ranges[depth].src(0)));
    for (int64_t i = 0; i < trips; ++i) {
      environment_[ranges[depth]] = i;
      loop(ranges, depth + 1, body);
    }
    environment_.erase(ranges[depth]);
  }
  double* place(const UOp& index) {
    const UOp& param = index.src(0);
    Values& values = *buffers_.at(param.arg_as<ParamArg>().slot);
    int64_t flat = 0;
    if (index.src().size() != param.src().size() + 1) throw InternalError("evaluator: one index per dimension");
    for (size_t i = 0; i < param.src().size(); ++i) {
      const int64_t extent = static_cast<int64_t>(at(param.src(i))), n = static_cast<int64_t>(at(index.src(i + 1)));
      if (n < 0 || n >= extent) throw InternalError("evaluator: index out of bounds");
      flat = flat * extent + n;
    }
    return &values.at(flat);
  }
  double at(const UOp& u) {
    if (auto it = environment_.find(u); it != environment_.end()) return it->second;
    switch (u.op()) {
      case Op::Const: return u.dtype().is_float() ? u.arg_as<double>() : static_cast<double>(u.arg_as<int64_t>());
      case Op::Load: {
        if (u.src().size() == 2 && at(u.src(1)) == 0) return 0;
        if (!u.src(0).src(0).is(Op::Define)) return *place(u.src(0));
        return definition(u.src(0));
      }
      case Op::Reduce: return reduce(u)[0];
      case Op::Project: return reduce(u.src(0))[u.arg_as<int64_t>()];
      default: break;
    }
    Values x;
    if (u.is(Op::Where)) return at(u.src(0)) != 0 ? at(u.src(1)) : at(u.src(2));
    for (const UOp& s : u.src()) x.push_back(at(s));
    return scalar_op(u.op(), u.dtype(), x);
  }
  /// Computed once per row.
  double definition(const UOp& index) {
    const UOp& define = index.src(0);
    std::vector<int64_t> row;
    for (size_t i = 1; i < index.src().size(); ++i) row.push_back(static_cast<int64_t>(at(index.src(i))));
    auto& rows = rows_[define];
    if (auto it = rows.find(row); it != rows.end()) return it->second;
    const auto outer = environment_;
    for (auto it = environment_.begin(); it != environment_.end();)
      it = it->first.is(Op::Range) ? environment_.erase(it) : std::next(it);
    for (size_t i = 0; i < row.size(); ++i) environment_[define.src(i + 1)] = row[i];
    const double v = at(define.src(0));
    environment_ = outer;
    return rows[row] = v;
  }
  Values reduce(const UOp& u) {
    const Reducer& r = reducer(u.arg_as<ReduceArg>().reducer);
    std::vector<DType> dtypes;
    UOps left, right;
    for (int i = 0; i < r.states; ++i) {
      dtypes.push_back(u.src(i).dtype());
      left.push_back(UOp(Op::Param, dtypes[i], ParamArg{i, "left"}, {}));
      right.push_back(UOp(Op::Param, dtypes[i], ParamArg{i, "right"}, {}));
    }
    Values state;
    for (const UOp& identity : r.identity(dtypes)) state.push_back(at(identity));
    const UOps combined = r.combine(left, right);
    loop(UOps(u.src().begin() + r.states, u.src().end()), 0, [&] {
      Values next;
      for (int i = 0; i < r.states; ++i) environment_[right[i]] = at(u.src(i));
      for (int i = 0; i < r.states; ++i) environment_[left[i]] = state[i];
      for (const UOp& c : combined) next.push_back(at(c));
      state = next;
    });
    return state;
  }

  UOp kernel_;
  std::vector<Values*> buffers_;
  std::unordered_map<UOp, double> environment_;
  std::unordered_map<UOp, std::map<std::vector<int64_t>, double>> rows_;
};

}  // namespace pg::test
