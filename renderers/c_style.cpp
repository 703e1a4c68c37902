#include "renderers/c_style.h"

#include <algorithm>

namespace pg {

namespace {
// A value that is used once is written where it is used while the line stays readable.
constexpr size_t kLongestInline = 80, kLineWidth = 120;

std::string memory_wish(const UOp& m) { return m.arg_as<ParamArg>().name + std::to_string(m.arg_as<ParamArg>().slot); }
}  // namespace

CStyle::CStyle(const UOp& linear) : linear_(linear), launch_(launch_info(linear)), shape_(linear) {
  names_.take(launch_.name);
  for (const UOps* params : {&launch_.params, &launch_.workspaces})
    for (const UOp& p : *params) names_of_[p.id()] = names_.take(p.arg_as<ParamArg>().name);
  for (const UOp& v : launch_.variables) names_of_[v.id()] = names_.take(v.arg_as<VariableArg>().name);
}

std::string CStyle::body() {
  out_.clear();
  scopes_.assign(1, {});
  bool has_grid = false;
  for (const UOp& e : linear_.src()) has_grid |= is_grid(e);
  // Without a grid there is one item, which need not be in [begin, end).
  if (!has_grid) open_scope(grid_head(names_.take("only"), {}, {}));
  for (size_t i = 0; i < linear_.src().size(); ++i) entry(i);
  if (!has_grid) close_scope();
  return std::move(out_);
}

void CStyle::entry(size_t i) {
  const UOp& e = linear_.src(i);
  switch (e.op()) {
    case Op::Memory: return memory(e);
    case Op::Store: return store_entry(e);
    case Op::Prefetch: return prefetch_entry(e);
    case Op::For: return open_for(e);
    case Op::If: return open_scope("if (" + operand(e.src(0)).text + ") {");
    case Op::End: return close_scope();
    default: return value_entry(i);
  }
}

// ---- values ----------------------------------------------------------------------------------------------------------

CText CStyle::operand(const UOp& u) {
  switch (u.op()) {
    case Op::Const: return c_literal(u.dtype(), u.arg());
    case Op::Lanes: return lane_numbers(u.dtype());
    case Op::Variable:
    case Op::Range: {
      auto it = names_of_.find(u.id());
      if (it == names_of_.end()) throw InternalError("rendering: a Range is used outside of its loop");
      return {it->second};
    }
    default: {
      auto it = bound_.find(u.id());
      if (it == bound_.end())
        throw InternalError(std::string("rendering: a ") + info(u.op()).name + " is used before its entry");
      return it->second;
    }
  }
}

CText CStyle::zero(DType t) { return t.lanes == 1 ? CText{"0"} : CText{"(" + type(t) + ")0", Precedence::Unary}; }

void CStyle::bind(const UOp& u, CText t) {
  CText& now = bound_[u.id()];
  scopes_.back().hidden.emplace_back(u.id(), now);
  now = std::move(t);
}

void CStyle::value_entry(size_t i) {
  const UOp& u = linear_.src(i);
  if (shape_.is_dead(i)) return;
  CText t = u.is(Op::Load) ? load_entry(u) : value(u);
  if (is_constant_value(u) || (shape_.is_inlinable(i) && t.text.size() <= kLongestInline)) return bind(u, std::move(t));
  std::string name = temporary(u);
  line("const " + type(u.dtype()) + " " + name + " = " + t.text + ";");
  bind(u, {std::move(name)});
}

std::string CStyle::temporary(const UOp& u) {
  std::string wish = "t";
  if (u.is(Op::Load)) {
    const UOp& from = accessed(u);
    wish = (from.is(Op::Param) ? param_name(from) : memory_wish(from)) + "_v";
  }
  return names_.take(wish + std::to_string(temporaries_++));
}

CText CStyle::load_entry(const UOp& u) {
  const UOp &index = u.src(0), &buffer = accessed(u);
  CText gate;
  if (u.src().size() == 2) gate = operand(u.src(1));
  if (buffer.is(Op::Memory) && shape_.registers(buffer)) {
    const CText r{register_name(buffer, *const_int(index.src(1)))};
    return gate.text.empty() ? r : select(u.dtype(), gate, r, zero(u.dtype()));
  }
  return load(u, names_of_.at(buffer.id()), operand(index.src(1)), gate.text.empty() ? nullptr : &gate);
}

// ---- statements ------------------------------------------------------------------------------------------------------

void CStyle::line(std::string_view text) {
  out_.append(2 * scopes_.size(), ' ');
  out_ += text;
  out_ += "\n";
}

const std::string& CStyle::register_name(const UOp& memory, int64_t place) {
  std::string& name = registers_[{memory.id(), place}];
  if (name.empty()) name = names_.take(memory_wish(memory) + "_" + std::to_string(place));
  return name;
}

bool CStyle::in_scratch(const UOp& memory) const {
  return std::any_of(launch_.scratch.begin(), launch_.scratch.end(), [&](const auto& s) { return s.first == memory; });
}

const std::string& CStyle::array_name(const UOp& memory) {
  std::string& name = names_of_[memory.id()];
  if (name.empty()) name = names_.take(memory_wish(memory));
  return name;
}

void CStyle::memory(const UOp& m) {
  // Where a loop of one trip and its tail are written one after the other, the second life is in the same variables.
  for (const Scope& s : scopes_)
    if (std::find(s.declared.begin(), s.declared.end(), m.id()) != s.declared.end()) return;
  scopes_.back().declared.push_back(m.id());
  const std::vector<int64_t>* registers = shape_.registers(m);
  if (!registers) {
    const std::string& name = array_name(m);
    if (in_scratch(m)) return;  // a parameter
    int64_t elements = 1;
    for (const UOp& extent : m.src()) elements *= const_int(extent).value();
    return line(type(m.dtype()) + " " + name + "[" + std::to_string(elements) + "] __attribute__((aligned(64)));");
  }
  std::string text;
  for (int64_t place : *registers) {
    text += (text.empty() ? type(m.dtype()) + " " : ", ") + register_name(m, place);
    if (text.size() + 2 * scopes_.size() > kLineWidth - 16) line(text + ";"), text.clear();
  }
  if (!text.empty()) line(text + ";");
}

void CStyle::store_entry(const UOp& s) {
  const UOp &index = s.src(0), &buffer = accessed(s);
  const CText v = operand(s.src(1));
  CText gate;
  if (s.src().size() == 3) gate = operand(s.src(2));
  if (buffer.is(Op::Memory) && shape_.registers(buffer)) {
    const CText r{register_name(buffer, *const_int(index.src(1)))};
    return line(r.text + " = " + (gate.text.empty() ? v : select(index.dtype(), gate, v, r)).text + ";");
  }
  line(store(s, names_of_.at(buffer.id()), operand(index.src(1)), v, gate.text.empty() ? nullptr : &gate));
}

void CStyle::prefetch_entry(const UOp& p) {
  const UOp& buffer = accessed(p);
  if (buffer.is(Op::Memory) && shape_.registers(buffer)) return;
  line(prefetch(names_of_.at(buffer.id()), operand(p.src(0).src(1)), p.arg_as<int64_t>() == 1));
}

void CStyle::open_for(const UOp& loop) {
  const UOp& range = loop.src(0);
  const auto& arg = range.arg_as<RangeArg>();
  const std::string name = names_.take(arg.tile == 0 ? arg.axis : arg.axis + "_" + std::to_string(arg.tile));
  const CText trips = is_grid(loop) && launch_.phases.size() == 1 ? CText{} : operand(range.src(0));
  const std::string head =
      is_grid(loop) ? grid_head(name, phase_begin_, trips)
                    : "for (long " + name + " = 0; " + name + " < " + trips.at(Precedence::Shift) + "; ++" + name + ") {";
  if (is_grid(loop))
    phase_begin_ = phase_begin_.text.empty()
                       ? trips
                       : CText{phase_begin_.at(Precedence::Sum) + " + " + trips.at(Precedence::Product), Precedence::Sum};
  open_scope(head, name);
  names_of_[range.id()] = name;
}

void CStyle::open_scope(std::string head, std::string range) {
  line(head);
  scopes_.push_back({{}, std::move(range)});
}

void CStyle::close_scope() {
  Scope& s = scopes_.back();
  for (auto it = s.hidden.rbegin(); it != s.hidden.rend(); ++it)
    if (it->second.text.empty())
      bound_.erase(it->first);
    else
      bound_[it->first] = it->second;
  if (!s.range.empty()) {
    names_.release(s.range);
    std::erase_if(names_of_, [&](const auto& n) { return n.second == s.range; });
  }
  scopes_.pop_back();
  line("}");
}

}  // namespace pg
