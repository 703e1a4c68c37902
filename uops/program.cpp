#include "uops/program.h"

#include <algorithm>
#include <limits>

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
    p.name = named(params[i]);
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
    const int c = new_cells(1);
    frame_[c] = cell(variables[i]);
    bound_[names[i].id()] = {.cells = c};
  }
  Values values;
  for (size_t i = 0; i < names.size(); ++i) values.emplace_back(names[i], variables[i]);
  for (const UOp& w : launch.workspaces) {
    Place& p = new_place();
    p.name = named(w);
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

int InterpretedProgram::new_cells(int64_t n) {
  const size_t first = frame_.size();
  if (n < 0 || n > std::numeric_limits<int>::max() - static_cast<int64_t>(first))
    throw InternalError("interpreter: a thread needs more than 2^31 values");
  frame_.resize(first + static_cast<size_t>(n));
  return static_cast<int>(first);
}
Place& InterpretedProgram::new_place() { return *places_.emplace_back(new Place); }

void InterpretedProgram::bind(const UOp& node, Binding b) {
  Binding& slot = bound_[node.id()];
  scopes_.back().shadowed.emplace_back(node.id(), slot);
  slot = b;
}

int InterpretedProgram::value(const UOp& u) {
  if (const auto it = bound_.find(u.id()); it != bound_.end() && it->second.cells >= 0) return it->second.cells;
  if (!u.is(Op::Const) && !u.is(Op::Lanes)) fail("a value that nothing has bound here", u);
  const int lanes = u.dtype().lanes;
  const int c = new_cells(lanes);
  for (int i = 0; i < lanes; ++i)
    if (u.is(Op::Lanes))
      frame_[c + i] = cell(int64_t{i});
    else if (const double* f = std::get_if<double>(&u.arg()))
      frame_[c + i] = settled(u.dtype().scalar, cell(*f), exact_);
    else
      frame_[c + i] = cell(u.arg_as<int64_t>());
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
    in.special = in.grid || in.threads;
    if (in.threads) {
      for (const Scope& s : scopes_)
        if (s.opened_by >= 0 && !instructions_[s.opened_by].grid) fail("only a grid stands round the threads", in.node);
      for (auto i = instructions_.rbegin(); i != instructions_.rend() && !i->grid; ++i)
        if (i->threads) fail("a second For over the threads of a block", in.node);
    }
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
  in.result = opener.result;  // none: an If
  in.grid = opener.grid, in.threads = opener.threads, in.special = opener.special;
  auto& shadowed = scopes_.back().shadowed;
  for (auto it = shadowed.rbegin(); it != shadowed.rend(); ++it) bound_[it->first] = it->second;
  scopes_.pop_back();
}

bool InterpretedProgram::in_threads() const {
  return std::any_of(scopes_.begin(), scopes_.end(),
                     [&](const Scope& s) { return s.opened_by >= 0 && instructions_[s.opened_by].threads; });
}

void InterpretedProgram::add_memory(Instruction& in) {
  Place& p = new_place();
  in.place = &p;
  p.name = named(in.node);
  p.scalar = in.out;
  p.lanes = in.lanes;
  p.elements = 1;
  for (const UOp& extent : in.node.src()) {
    const auto n = const_int(extent);
    if (!n) fail("a Memory's extents are constant", in.node);
    p.elements *= *n;
  }
  p.block = !in_threads();
  if (p.block)
    p.cells.resize(static_cast<size_t>(p.elements * in.lanes));
  else
    p.frame = new_cells(p.elements * in.lanes);
  bind(in.node, {.place = &p});
}

void InterpretedProgram::add_copy(Instruction& in) {
  const auto src = in.node.src();
  in.lanes = src[0].dtype().lanes;
  Instruction source{.op = in.op, .lanes = in.lanes, .node = in.node};
  access(source, src[1], UOp());
  access(in, src[0], UOp());
  if (in.gather || source.gather) fail("a copy moves a run of elements", in.node);
  if (!in.place->block || in.place->lanes != 1) fail("a copy goes to the shared memory of a block", in.node);
  const int bytes = in.lanes * src[0].dtype().element_bytes();
  if (bytes != 4 && bytes != 8 && bytes != 16)
    fail("a copy of " + std::to_string(bytes) + " bytes, not 4, 8 or 16", in.node);
  in.from = source.place, in.src[1] = source.src[0];
  if (src.size() < 3) return;
  if (src[2].dtype() != dt::kBool) fail("the gate of a copy is one bool", in.node);
  in.src[2] = value(src[2]);
}

void InterpretedProgram::add_value(Instruction& in) {
  const auto src = in.node.src();
  for (size_t i = 0; i < src.size(); ++i) {
    const int lanes = src[i].dtype().lanes;
    const bool same = info(in.op).has(op_flag::Elementwise) || in.op == Op::LaneXor;
    if (same ? lanes != in.lanes : in.op != Op::Shuffle && lanes != 1) fail("a source has a wrong number of lanes", in.node);
    in.parts.push_back(value(src[i]));
    if (i < 3) in.src[i] = in.parts.back();
  }
  in.in = src[0].dtype().scalar;
  if (info(in.op).has(op_flag::Elementwise)) in.compute = compute_of(in.op, in.in, in.out);
  if (in.op == Op::Stack && static_cast<int>(src.size()) != in.lanes) fail("a Stack needs a source for each lane", in.node);
  if (in.op == Op::Shuffle) {
    const Ints& from = in.node.arg_as<Ints>();
    if (static_cast<int>(from.size()) != in.lanes) fail("a Shuffle needs a number for each lane", in.node);
    const int64_t lanes = src[0].dtype().lanes;
    if (src.size() == 2 && src[1].dtype().lanes != lanes) fail("a Shuffle is of two vectors of one type", in.node);
    in.parts.clear();
    for (const int64_t lane : from) {
      if (lane < 0 || lane >= lanes * static_cast<int64_t>(src.size()))
        fail("lane " + std::to_string(lane) + " does not exist", in.node);
      in.parts.push_back(in.src[lane / lanes] + static_cast<int>(lane % lanes));
    }
  }
}

void InterpretedProgram::add(const UOp& entry) {
  Instruction in{.op = entry.op(), .out = entry.dtype().scalar, .lanes = entry.dtype().lanes, .node = entry};
  const auto src = entry.src();
  if (is_block_statement(entry) || entry.is(Op::LaneXor)) {
    in.special = true;
    if (!in_threads()) fail("only the threads of a block do this", entry);
  }
  switch (in.op) {
    case Op::For:
    case Op::If: open(in); break;
    case Op::End: close(in); break;
    case Op::Memory: add_memory(in); break;
    case Op::Barrier:
    case Op::CopyCommit:
    case Op::CopyWait: break;
    case Op::CopyAsync: add_copy(in); break;
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
      add_value(in);
  }
  if (in.result < 0 && is_linear_value(entry)) {
    in.result = new_cells(in.lanes);
    bind(entry, {.cells = in.result});
  }
  instructions_.push_back(std::move(in));
}

}  // namespace pg
