#include "renderers/c_style.h"

#include <algorithm>

#include "uops/linear.h"

namespace pg {

namespace {
// A value that is used once is written where it is used while the line stays readable.
constexpr size_t kLongestInline = 80, kLineWidth = 120;

std::string memory_wish(const UOp& m) { return m.arg_as<ParamArg>().name + std::to_string(m.arg_as<ParamArg>().slot); }
CText name_text(std::string name) { return {std::move(name), Precedence::Postfix, true}; }
}  // namespace

CStyle::CStyle(const UOp& linear, LaunchInfo launch, Vectors vectors, std::span<const std::string_view> reserved)
    : linear_(linear), launch_(std::move(launch)), vectors_(vectors), shape_(linear, vectors) {
  for (std::string_view word : reserved) names_.take(word);
  names_.take(launch_.name);
  for (const UOps* params : {&launch_.params, &launch_.workspaces})
    for (const UOp& p : *params) names_of_[p.id()] = names_.take(p.arg_as<ParamArg>().name);
  for (const UOp& v : launch_.variables) names_of_[v.id()] = names_.take(v.arg_as<VariableArg>().name);
}

std::string CStyle::body() {
  out_.clear();
  indent_ = 1;
  scopes_.assign(1, {});
  prologue();
  bool has_grid = false;
  for (const UOp& e : linear_.src()) has_grid |= is_grid(e);
  // Without a grid there is one item, which need not be in [begin, end).
  if (!has_grid) open_scope(grid_head({}, names_.take("only"), {}, {}));
  for (size_t i = 0; i < linear_.src().size(); ++i) entry(i);
  if (!has_grid) close_scope();
  return std::move(out_);
}

void CStyle::entry(size_t i) {
  const UOp& e = linear_.src(i);
  if (is_block_statement(e)) return line(block_statement(e));
  switch (e.op()) {
    case Op::Memory: return memory(e);
    case Op::Store: return store_entry(e);
    case Op::Prefetch: return prefetch_entry(e);
    case Op::For: return open_for(e);
    case Op::If: return open_scope("if (" + operand(e.src(0))[0].text + ") {");
    case Op::End: return close_scope();
    default: return value_entry(i);
  }
}

// ---- threads of a block, which a dialect need not know ----------------------------------------------------------------

std::string CStyle::threads_head(const UOp&, const std::string&) {
  throw InternalError("rendering: a loop over the threads of a block, for a device without blocks");
}
CText CStyle::exchange(const UOp&, const CText&) { throw InternalError("rendering: LaneXor, for a device without warps"); }
std::string CStyle::block_statement(const UOp& u) {
  throw InternalError(std::string("rendering: ") + info(u.op()).name + ", for a device without blocks of threads");
}

// ---- values ----------------------------------------------------------------------------------------------------------

CTexts CStyle::operand(const UOp& u) {
  switch (u.op()) {
    case Op::Const: {
      CText t = literal(u.dtype(), u.arg());
      t.is_stable = true;
      return {std::move(t)};
    }
    case Op::Lanes: return lane_numbers(u.dtype());
    case Op::Variable:
    case Op::Range: {
      auto it = names_of_.find(u.id());
      if (it == names_of_.end()) throw InternalError("rendering: a Range is used outside of its loop");
      return {name_text(it->second)};
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

void CStyle::bind(const UOp& u, CTexts t) {
  CTexts& now = bound_[u.id()];
  scopes_.back().hidden.emplace_back(u.id(), std::move(now));
  now = std::move(t);
}

void CStyle::value_entry(size_t i) {
  const UOp& u = linear_.src(i);
  if (shape_.is_dead(i)) return;
  CTexts t = u.is(Op::Load) ? load_entry(u) : value(u);
  const auto is_short = [](const CText& x) { return x.text.size() <= kLongestInline; };
  const auto is_stable = [](const CText& x) { return x.is_stable; };
  if (is_constant_value(u) || std::all_of(t.begin(), t.end(), is_stable) ||
      (shape_.is_inlinable(i) && std::all_of(t.begin(), t.end(), is_short)))
    return bind(u, std::move(t));
  const std::string name = temporary(u), of = "const " + type(part(held(u))) + " ";
  for (size_t p = 0; p < t.size(); ++p) {
    if (t[p].is_stable) continue;
    std::string mine = t.size() == 1 ? name : names_.take(name + "_" + std::to_string(p));
    line(of + mine + " = " + t[p].text + ";");
    t[p] = name_text(std::move(mine));
  }
  bind(u, std::move(t));
}

CText CStyle::named(const CText& x, DType t) {
  if (x.is_stable) return x;
  std::string name = names_.take("t" + std::to_string(temporaries_++));
  line("const " + type(t) + " " + name + " = " + x.text + ";");
  return name_text(std::move(name));
}

std::string CStyle::temporary(const UOp& u) {
  std::string wish = "t";
  if (u.is(Op::Load)) {
    const UOp& from = accessed(u);
    wish = (from.is(Op::Param) ? param_name(from) : memory_wish(from)) + "_v";
  }
  return names_.take(wish + std::to_string(temporaries_++));
}

CTexts CStyle::load_entry(const UOp& u) {
  const UOp& buffer = accessed(u);
  CTexts gate;
  if (u.src().size() == 2) gate = operand(u.src(1));
  if (!shape_.registers(buffer))
    return load(u, names_of_.at(buffer.id()), operand(u.src(0).src(1)), gate.empty() ? nullptr : &gate);
  CTexts r = registers_of(u);
  for (size_t p = 0; p < gate.size(); ++p) r[p] = select(part(u.dtype()), gate[p], r[p], zero(part(u.dtype())));
  return r;
}

// ---- statements ------------------------------------------------------------------------------------------------------

void CStyle::line(std::string_view text) {
  out_.append(2 * static_cast<size_t>(indent_), ' ');
  out_ += text;
  out_ += "\n";
}

const std::string& CStyle::register_name(const UOp& memory, int64_t place) {
  std::string& name = registers_[{memory.id(), place}];
  if (name.empty()) name = names_.take(memory_wish(memory) + "_" + std::to_string(place));
  return name;
}

CTexts CStyle::registers_of(const UOp& access) {
  const UOp &index = access.src(0), &memory = index.src(0);
  const int64_t first = *const_int(index.src(1)) * parts(memory.dtype());
  CTexts names;
  for (int p = 0; p < parts(index.dtype()); ++p) names.push_back({register_name(memory, first + p)});
  return names;
}

const std::string& CStyle::array_name(const UOp& buffer) {
  std::string& name = names_of_[buffer.id()];
  if (name.empty()) name = names_.take(memory_wish(buffer));
  return name;
}

void CStyle::memory(const UOp& m) {
  // Where a loop of one trip and its tail are written one after the other, the second life is in the same variables.
  for (const Scope& s : scopes_)
    if (std::find(s.declared.begin(), s.declared.end(), m.id()) != s.declared.end()) return;
  scopes_.back().declared.push_back(m.id());
  const std::string of = type(part(m.dtype()));
  const std::vector<int64_t>* registers = shape_.registers(m);
  if (!registers) {
    int64_t elements = parts(m.dtype());
    for (const UOp& extent : m.src()) elements *= const_int(extent).value();
    const std::string declaration = array(m, array_name(m), elements);
    if (!declaration.empty()) line(declaration);
    return;
  }
  std::string text;
  for (int64_t place : *registers) {
    text += (text.empty() ? of + " " : ", ") + register_name(m, place);
    if (text.size() + 2 * static_cast<size_t>(indent_) > kLineWidth - 16) line(text + ";"), text.clear();
  }
  if (!text.empty()) line(text + ";");
}

void CStyle::store_entry(const UOp& s) {
  const UOp &index = s.src(0), &buffer = accessed(s);
  const CTexts v = operand(s.src(1));
  CTexts gate;
  if (s.src().size() == 3) gate = operand(s.src(2));
  if (!shape_.registers(buffer))
    return store(s, names_of_.at(buffer.id()), operand(index.src(1)), v, gate.empty() ? nullptr : &gate);
  const CTexts r = registers_of(s);
  for (size_t p = 0; p < r.size(); ++p)
    line(r[p].text + " = " + (gate.empty() ? v[p] : select(part(index.dtype()), gate[p], v[p], r[p])).text + ";");
}

void CStyle::prefetch_entry(const UOp& p) {
  const UOp& buffer = accessed(p);
  if (buffer.is(Op::Memory) && shape_.registers(buffer)) return;
  const std::string statement = prefetch(names_of_.at(buffer.id()), operand(p.src(0).src(1))[0], p.arg_as<int64_t>() == 1);
  if (!statement.empty()) line(statement);
}

void CStyle::open_for(const UOp& loop) {
  const UOp& range = loop.src(0);
  const auto& arg = range.arg_as<RangeArg>();
  const std::string name = names_.take(arg.tile == 0 ? arg.axis : arg.axis + "_" + std::to_string(arg.tile));
  std::string head;
  if (is_grid(loop)) {
    const CText trips = launch_.phases.size() == 1 ? CText{} : operand(range.src(0))[0];
    head = grid_head(range, name, phase_begin_, trips);
    phase_begin_ = phase_begin_.text.empty()
                       ? trips
                       : CText{phase_begin_.at(Precedence::Sum) + " + " + trips.at(Precedence::Product), Precedence::Sum};
  } else if (is_threads(loop)) {
    head = threads_head(range, name);
  } else {
    before_loop(range);
    const std::string trips = operand(range.src(0))[0].at(Precedence::Shift);
    head = "for (" + type(held(range)) + " " + name + " = 0; " + name + " < " + trips + "; ++" + name + ") {";
  }
  open_scope(head, name);
  names_of_[range.id()] = name;
}

/// Without a head what follows stands where it is.
void CStyle::open_scope(const std::string& head, std::string range) {
  if (!head.empty()) line(head), ++indent_;
  scopes_.push_back({{}, std::move(range), !head.empty()});
}

void CStyle::close_scope() {
  Scope& s = scopes_.back();
  for (auto it = s.hidden.rbegin(); it != s.hidden.rend(); ++it)
    if (it->second.empty())
      bound_.erase(it->first);
    else
      bound_[it->first] = std::move(it->second);
  if (!s.range.empty()) {
    // Where no brace closes, its name stays in C's scope.
    if (s.is_open) names_.release(s.range);
    std::erase_if(names_of_, [&](const auto& n) { return n.second == s.range; });
  }
  const bool is_open = s.is_open;
  scopes_.pop_back();
  if (is_open) --indent_, line("}");
}

}  // namespace pg
