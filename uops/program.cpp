#include "uops/program.h"

#include <algorithm>

#include "uops/evaluate.h"
#include "uops/linear.h"
#include "uops/lower.h"
#include "uops/text.h"

namespace pg {

namespace {
[[noreturn]] void fail(const std::string& what, const UOp& u) {
  throw InternalError("interpreter: " + what + ": " + pretty(u));
}

std::string named(const UOp& buffer) {
  const auto* p = std::get_if<ParamArg>(&buffer.arg());
  return p ? p->name : std::string(info(buffer.op()).name);
}
}  // namespace

InterpretedProgram::InterpretedProgram(const UOp& linear, std::span<const HostBuffer> buffers,
                                       std::span<const int64_t> variables, bool exact)
    : exact_(exact) {
  if (!linear.is(Op::Linear)) fail("not a Linear", linear);
  const LaunchInfo launch = launch_info(linear);
  const UOps &params = launch.params, &names = launch.variables;
  if (params.size() != buffers.size())
    throw InternalError("interpreter: " + std::to_string(buffers.size()) + " buffers for " + std::to_string(params.size()) +
                        " Params");
  if (names.size() != variables.size())
    throw InternalError("interpreter: " + std::to_string(variables.size()) + " integers for " +
                        std::to_string(names.size()) + " Variables");
  for (size_t i = 0; i < params.size(); ++i) {
    if (!buffers[i].data && buffers[i].elements > 0) fail("no memory behind", params[i]);
    Place& p = new_place();
    p.scalar = params[i].dtype().scalar;
    p.host = buffers[i].data;
    p.shared = true;
    p.elements = buffers[i].elements;
    bound_[params[i].id()] = {.place = &p};
  }
  for (size_t i = 0; i < names.size(); ++i) {
    const auto& v = names[i].arg_as<VariableArg>();
    if (variables[i] < v.lo || variables[i] > v.hi)
      fail(std::to_string(variables[i]) + " is outside of the Variable's interval", names[i]);
    Cell* c = new_cells(1);
    *c = cell(variables[i]);
    bound_[names[i].id()] = {.cells = c};
  }
  Values values;
  for (size_t i = 0; i < names.size(); ++i) values.emplace_back(names[i], variables[i]);
  for (const UOp& w : launch.workspaces) {
    Place& p = new_place();
    p.scalar = w.dtype().scalar;
    p.elements = 1;
    for (const UOp& extent : w.src()) p.elements *= evaluate(extent, values);
    p.cells.resize(static_cast<size_t>(p.elements));
    p.shared = true;
    workspaces_.push_back(&p);
    bound_[w.id()] = {.place = &p};
  }
  scopes_.push_back({-1, {}});
  instructions_.reserve(linear.src().size());
  for (const UOp& entry : linear.src()) add(entry);
  if (scopes_.size() != 1) fail("no End closes", instructions_[scopes_.back().opened_by].node);
}

Cell* InterpretedProgram::new_cells(int n) {
  if (used_ + static_cast<size_t>(n) > kChunk) cells_.emplace_back(new Cell[kChunk]()), used_ = 0;
  Cell* c = cells_.back().get() + used_;
  used_ += static_cast<size_t>(n);
  return c;
}
void InterpretedProgram::save(std::vector<Cell>& to) const {
  to.resize((cells_.size() - 1) * kChunk + used_);
  for (size_t i = 0; i < cells_.size(); ++i)
    std::copy_n(cells_[i].get(), std::min(kChunk, to.size() - i * kChunk), to.begin() + static_cast<long>(i * kChunk));
}
void InterpretedProgram::restore(const std::vector<Cell>& from) const {
  for (size_t i = 0; i < cells_.size(); ++i)
    std::copy_n(from.begin() + static_cast<long>(i * kChunk), std::min(kChunk, from.size() - i * kChunk), cells_[i].get());
}
Place& InterpretedProgram::new_place() { return *places_.emplace_back(new Place); }

void InterpretedProgram::bind(const UOp& node, Binding b) {
  Binding& slot = bound_[node.id()];
  scopes_.back().shadowed.emplace_back(node.id(), slot);
  slot = b;
}

const Cell* InterpretedProgram::value(const UOp& u) {
  if (const auto it = bound_.find(u.id()); it != bound_.end() && it->second.cells) return it->second.cells;
  if (!u.is(Op::Const) && !u.is(Op::Lanes)) fail("a value that nothing has bound here", u);
  const int lanes = u.dtype().lanes;
  Cell* c = new_cells(lanes);
  for (int i = 0; i < lanes; ++i)
    if (u.is(Op::Lanes))
      c[i] = cell(int64_t{i});
    else if (const double* f = std::get_if<double>(&u.arg()))
      c[i] = settled(u.dtype().scalar, cell(*f), exact_);
    else
      c[i] = cell(u.arg_as<int64_t>());
  bound_[u.id()] = {.cells = c};
  return c;
}

Place& InterpretedProgram::place(const UOp& buffer) {
  if (const auto it = bound_.find(buffer.id()); it != bound_.end() && it->second.place) return *it->second.place;
  fail("a Memory that is not alive here", buffer);
}

/// Index, gate and the lanes of a Load or Store whose `node` and `lanes` are set.
void InterpretedProgram::access(Instruction& in, const UOp& index, const UOp& gate) {
  if (!index.is(Op::Index) || index.src().size() != 2) fail("an access needs an Index with one index", in.node);
  const UOp &buffer = index.src(0), &i = index.src(1);
  in.place = &place(buffer);
  in.src[0] = value(i);
  in.gather = i.dtype().lanes != 1;
  if (index.dtype().scalar != in.place->scalar) fail("the Index is not of " + named(buffer) + "'s type", in.node);
  if (in.gather && in.lanes != i.dtype().lanes) fail("one index a lane is needed", in.node);
  if (in.place->lanes != 1 && (in.gather || in.lanes != in.place->lanes))
    fail("vector registers are accessed whole", in.node);
  if (!gate) return;
  if (gate.dtype() != dt::kBool.vec(in.lanes)) fail("the gate needs a bool for each lane", in.node);
  in.src[2] = value(gate);
}

void InterpretedProgram::open(Instruction& in) {
  const int here = static_cast<int>(instructions_.size());
  if (in.op == Op::For) {
    const UOp& range = in.node.src(0);
    if (!range.is(Op::Range)) fail("a For needs a Range", in.node);
    in.grid = range.arg_as<RangeArg>().kind == Kind::Grid;
    in.threads = range.arg_as<RangeArg>().kind == Kind::Local;
    if (in.threads)
      for (const Scope& s : scopes_)
        if (s.opened_by >= 0 && !instructions_[s.opened_by].grid) fail("only a grid stands round the threads", in.node);
    if (in.grid)
      for (const Scope& s : scopes_)
        if (s.opened_by >= 0 && instructions_[s.opened_by].op == Op::For) fail("a For stands round the grid", in.node);
    in.src[0] = value(range.src(0));
    in.result = new_cells(2);
    scopes_.push_back({here, {}});
    bind(range, {.cells = in.result});
  } else {
    if (in.node.src(0).dtype() != dt::kBool) fail("a condition is one bool", in.node);
    in.src[0] = value(in.node.src(0));
    scopes_.push_back({here, {}});
  }
}

void InterpretedProgram::close(Instruction& in) {
  const int start = scopes_.back().opened_by, here = static_cast<int>(instructions_.size());
  if (start < 0 || !(instructions_[start].node == in.node.src(0))) fail("End does not close the innermost scope", in.node);
  Instruction& opener = instructions_[start];
  opener.jump = here + 1;
  in.jump = opener.op == Op::For ? start + 1 : here + 1;
  in.result = opener.result;  // null: an If
  in.grid = opener.grid, in.threads = opener.threads;
  auto& shadowed = scopes_.back().shadowed;
  for (auto it = shadowed.rbegin(); it != shadowed.rend(); ++it) bound_[it->first] = it->second;
  scopes_.pop_back();
}

void InterpretedProgram::add(const UOp& entry) {
  Instruction in{.op = entry.op(), .out = entry.dtype().scalar, .lanes = entry.dtype().lanes, .node = entry};
  const auto src = entry.src();
  switch (in.op) {
    case Op::For:
    case Op::If: open(in); break;
    case Op::End: close(in); break;
    case Op::Memory: {
      in.place = &new_place();
      in.place->scalar = in.out;
      in.place->lanes = in.lanes;
      in.place->elements = 1;
      for (const UOp& extent : src) {
        const auto n = const_int(extent);
        if (!n) fail("a Memory's extents are constant", entry);
        in.place->elements *= *n;
      }
      in.place->cells.resize(in.place->elements * in.lanes);
      bind(entry, {.place = in.place});
      break;
    }
    case Op::Barrier:
    case Op::CopyCommit:
    case Op::CopyWait: break;
    case Op::CopyAsync: {
      in.lanes = src[0].dtype().lanes;
      Instruction source{.op = in.op, .lanes = in.lanes, .node = entry};
      access(source, src[1], UOp());
      access(in, src[0], UOp());
      if (in.gather || source.gather) fail("a copy moves a run of elements", entry);
      in.from = source.place, in.src[1] = source.src[0];
      if (src.size() > 2) in.src[2] = value(src[2]);
      break;
    }
    case Op::Prefetch:
      place(src[0].src(0));
      value(src[0].src(1));
      break;
    case Op::Store:
      in.lanes = src[1].dtype().lanes;
      if (src[1].dtype() != src[0].dtype()) fail("the value is not of the Index's type", entry);
      in.src[1] = value(src[1]);
      access(in, src[0], src.size() > 2 ? src[2] : UOp());
      break;
    case Op::Load:
      if (entry.dtype() != src[0].dtype()) fail("the Load is not of the Index's type", entry);
      access(in, src[0], src.size() > 1 ? src[1] : UOp());
      break;
    default:
      if (!is_linear_value(entry)) fail("not an op of a Linear", entry);
      for (size_t i = 0; i < src.size(); ++i) {
        const int lanes = src[i].dtype().lanes;
        if (info(in.op).has(op_flag::Elementwise) || in.op == Op::LaneXor ? lanes != in.lanes : in.op == Op::Shuffle ? false : lanes != 1)
          fail("a source has a wrong number of lanes", entry);
        in.parts.push_back(value(src[i]));
        if (i < 3) in.src[i] = in.parts.back();
      }
      in.in = src[0].dtype().scalar;
      if (in.op == Op::Stack && static_cast<int>(src.size()) != in.lanes)
        fail("a Stack needs a source for each lane", entry);
      if (in.op == Op::Shuffle) {
        const Ints& from = entry.arg_as<Ints>();
        if (static_cast<int>(from.size()) != in.lanes) fail("a Shuffle needs a number for each lane", entry);
        for (const int64_t lane : from)
          if (lane < 0 || lane >= src[0].dtype().lanes) fail("lane " + std::to_string(lane) + " does not exist", entry);
        in.parts.clear();
        for (const int64_t lane : from) in.parts.push_back(in.src[0] + lane);
      }
  }
  if (!in.result && is_linear_value(entry)) {
    in.result = new_cells(in.lanes);
    bind(entry, {.cells = in.result});
  }
  instructions_.push_back(std::move(in));
}

}  // namespace pg
