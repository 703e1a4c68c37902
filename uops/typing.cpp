#include "uops/typing.h"

#include <algorithm>

#include "uops/reducers.h"
#include "uops/sum.h"

namespace pg {

namespace {
using Fault = std::string;

bool is_index(DType t) { return t.element() == dt::index; }
template <class T>
bool has_arg(const UOp& u) {
  return std::holds_alternative<T>(u.arg());
}
bool is_statement(const UOp& u) { return info(u.op()).has(op_flag::Statement); }

Fault const_fault(const UOp& u) {
  if (u.dtype().lanes != 1) return "a Const is a scalar";
  if (u.dtype().is_float()) return has_arg<double>(u) ? "" : "a float Const holds a double";
  if (!has_arg<int64_t>(u)) return "an integer Const holds an integer";
  const Interval type = type_range(u.dtype());
  const int64_t v = u.arg_as<int64_t>();
  return v < type.lo || v > type.hi ? "the value is not in its type's range" : "";
}

/// Extents of Buffer, Param, Range, Memory and the movement ops.
Fault extents_fault(const UOp& u, size_t first) {
  for (const UOp& s : u.src().subspan(first))
    if (s.dtype() != dt::index) return "an extent is of " + text(s.dtype()) + ", not i64";
  return "";
}

Fault elementwise_fault(const UOp& u) {
  const DType t = u.dtype(), first = u.src(0).dtype();
  for (const UOp& s : u.src())
    if (s.dtype().lanes != t.lanes)
      return "a source has " + std::to_string(s.dtype().lanes) + " lanes, the result " + std::to_string(t.lanes);
  if (info(u.op()).has(op_flag::Float) && !t.is_float()) return "the op is for floats";
  auto expect = [](bool ok, const char* what) { return ok ? Fault() : Fault(what); };
  switch (u.op()) {
    case Op::Cast: return expect(t.scalar != Scalar::Void && first.scalar != Scalar::Void, "a value is converted");
    case Op::Bitcast: return expect(t.bytes() == first.bytes(), "a Bitcast keeps the number of bytes");
    case Op::Lt:
    case Op::Eq:
    case Op::Ne:
      if (!t.is_bool()) return "a comparison gives bool";
      return expect(u.src(1).dtype() == first, "the operands' dtypes differ");
    case Op::Where:
      if (!first.is_bool()) return "the condition is of " + text(first) + ", not bool";
      return expect(u.src(1).dtype() == t && u.src(2).dtype() == t, "the branches' dtypes differ from the result's");
    case Op::Shl:
    case Op::Shr: return expect(first == t && t.is_int() && u.src(1).dtype().is_int(), "shifts are for integers");
    case Op::IDiv:
    case Op::Mod:
      if (!t.is_int()) return "the op is for integers";
      break;
    case Op::Not:
    case Op::And:
    case Op::Or:
    case Op::Xor:
      if (t.is_float()) return "the op is for integers and bool";
      break;
    default: break;
  }
  for (const UOp& s : u.src())
    if (s.dtype() != t) return "a source is of " + text(s.dtype()) + ", the result of " + text(t);
  return "";
}

Fault vector_fault(const UOp& u) {
  const DType t = u.dtype();
  if (u.is(Op::Lanes)) return t.lanes > 1 && t.is_int() ? "" : "Lanes is a vector of integers";
  for (const UOp& s : u.src())
    if (s.dtype().element() != t.element()) return "a source is of " + text(s.dtype()) + ", the result of " + text(t);
  if (u.is(Op::Broadcast)) return u.src(0).dtype().lanes == 1 && t.lanes > 1 ? "" : "a Broadcast makes a vector of a scalar";
  if (u.is(Op::Stack)) {
    const bool scalars = std::all_of(u.src().begin(), u.src().end(), [](const UOp& s) { return s.dtype().lanes == 1; });
    return scalars && u.src().size() == t.lanes ? "" : "a Stack takes one scalar a lane";
  }
  const Ints* lanes = std::get_if<Ints>(&u.arg());
  if (!lanes || lanes->size() != t.lanes) return "a Shuffle names one source lane for each of its lanes";
  if (u.src().size() == 2 && u.src(0).dtype() != u.src(1).dtype()) return "a Shuffle is of two vectors of one type";
  for (int64_t l : *lanes)
    if (l < 0 || l >= u.src(0).dtype().lanes * static_cast<int64_t>(u.src().size()))
      return "a Shuffle names lane " + std::to_string(l);
  return "";
}

Fault memory_fault(const UOp& u) {
  if (u.is(Op::Index)) {
    const UOp& buffer = u.src(0);
    if (!buffer.is(Op::Param) && !buffer.is(Op::Buffer) && !buffer.is(Op::Define) && !buffer.is(Op::Memory))
      return "an Index is into a buffer";
    if (buffer.dtype().element() != u.dtype().element())
      return "the buffer is of " + text(buffer.dtype()) + ", the Index of " + text(u.dtype());
    for (const UOp& i : u.src().subspan(1))
      if (!is_index(i.dtype())) return "an index is of " + text(i.dtype()) + ", not i64";
    return "";
  }
  if (u.is(Op::Memory)) {
    if (!has_arg<ParamArg>(u)) return "a Memory has a number and a name";
    for (const UOp& s : u.src())
      if (!const_int(s)) return "an extent of a Memory is no constant";
    return "";
  }
  const UOp& at = u.src(0);
  if (!at.is(Op::Index)) return "the address is no Index";
  const size_t gate = u.is(Op::Load) ? 1 : 2;
  if (u.is(Op::Load) && u.dtype() != at.dtype())
    return "the Index is of " + text(at.dtype()) + ", the Load of " + text(u.dtype());
  if (u.is(Op::Store) && u.src(1).dtype() != at.dtype())
    return "the Index is of " + text(at.dtype()) + ", the stored value of " + text(u.src(1).dtype());
  if (u.src().size() > gate && u.src(gate).dtype() != dt::kBool.vec(at.dtype().lanes))
    return "the gate is of " + text(u.src(gate).dtype()) + " for an access of " + std::to_string(at.dtype().lanes) +
           " lanes";
  return "";
}

/// Ranges behind the first `n` sources.
Fault ranges_fault(const UOp& u, size_t n) {
  for (size_t i = n; i < u.src().size(); ++i)
    if (!u.src(i).is(Op::Range)) return "source " + std::to_string(i) + " is no Range";
  return "";
}

Fault reduction_fault(const UOp& u) {
  const auto* arg = std::get_if<ReduceArg>(&u.arg());
  if (!arg) return "the reducer is missing";
  const size_t states = static_cast<size_t>(reducer(arg->reducer).states);
  if (u.src().size() < states) return arg->reducer + " has " + std::to_string(states) + " states";
  if (u.src(0).dtype() != u.dtype()) return "state 0 is of " + text(u.src(0).dtype()) + ", the result of " + text(u.dtype());
  if (u.is(Op::Reduce)) return ranges_fault(u, states);
  return u.src().size() == states ? "" : arg->reducer + " has " + std::to_string(states) + " states";
}
Fault project_fault(const UOp& u) {
  const UOp& tuple = u.src(0);
  if (!tuple.is(Op::Reduce) && !tuple.is(Op::ReduceAxis)) return "a Project is of a reduction";
  const int64_t* i = std::get_if<int64_t>(&u.arg());
  if (!i || *i < 0 || *i >= reducer(tuple.arg_as<ReduceArg>().reducer).states) return "the reduction has no such state";
  const DType state = tuple.src(static_cast<size_t>(*i)).dtype();
  return state == u.dtype() ? "" : "the state is of " + text(state) + ", the result of " + text(u.dtype());
}

Fault statement_fault(const UOp& u) {
  if (u.dtype() != dt::kVoid) return "a statement has no value";
  auto all = [&](auto ok, size_t from = 0) {
    return std::all_of(u.src().begin() + static_cast<long>(from), u.src().end(), ok);
  };
  switch (u.op()) {
    case Op::Block:
      return all([](const UOp& s) { return is_statement(s) || s.is(Op::Memory); }) ? ""
                                                                                   : "a Block holds statements and Memories";
    case Op::StoreAll: return all([](const UOp& s) { return s.is(Op::Store); }) ? "" : "a StoreAll holds Stores";
    case Op::For:
    case Op::If:
      if (u.is(Op::For) && !u.src(0).is(Op::Range)) return "a For runs over a Range";
      if (u.is(Op::If) && u.src(0).dtype() != dt::kBool) return "an If asks a scalar bool";
      return all(is_statement, 1) ? "" : "the body is no statement";
    case Op::End: return u.src(0).is(Op::For) || u.src(0).is(Op::If) ? "" : "an End closes a For or an If";
    case Op::Output: return u.src(0).is(Op::Store) ? ranges_fault(u, 1) : "an Output is of a Store";
    case Op::Nest: return has_arg<std::string>(u) ? ranges_fault(u, 0) : "a Nest has the name of a definition";
    case Op::Directive: return has_arg<std::string>(u) ? "" : "a Directive has a text";
    case Op::Scheduled: {
      if (!u.src(0).is(Op::Kernel)) return "a Scheduled is of a Kernel";
      for (const UOp& s : u.src().subspan(1))
        if (!s.is(Op::Range) && !s.is(Op::Nest) && !s.is(Op::Directive))
          return "a Scheduled holds Ranges, Nests and Directives";
      return "";
    }
    case Op::Kernel:
      if (!all([](const UOp& s) { return s.is(Op::Define) || s.is(Op::Output); }) ||
          !u.src(u.src().size() - 1).is(Op::Output))
        return "a Kernel holds Defines and ends with its Output";
      [[fallthrough]];
    case Op::Linear: return has_arg<std::string>(u) ? "" : "the name is missing";
    default: return "";
  }
}

Fault tensor_fault(const UOp& u) {
  const UOp& x = u.src(0);
  if (u.is(Op::Arange)) return u.dtype().is_int() ? extents_fault(u, 0) : "an Arange is of integers";
  if (x.dtype() != u.dtype()) return "the source is of " + text(x.dtype()) + ", the result of " + text(u.dtype());
  if ((u.is(Op::Permute) || u.is(Op::Flip)) && !has_arg<Ints>(u)) return "the axes are missing";
  if (u.is(Op::Gather))
    return u.src(1).dtype().is_int() ? "" : "the ids are of " + text(u.src(1).dtype()) + ", not integers";
  if (u.is(Op::Assign)) return u.src(1).dtype() == u.dtype() ? "" : "the assigned value is of " + text(u.src(1).dtype());
  return info(u.op()).has(op_flag::Movement) ? extents_fault(u, 1) : "";
}
}  // namespace

std::string typing_fault(const UOp& u) {
  for (const UOp& s : u.src())
    if (!s) return "a source is null";
  if (info(u.op()).has(op_flag::Elementwise)) return elementwise_fault(u);
  switch (u.op()) {
    case Op::Const: return const_fault(u);
    case Op::Variable:
      return has_arg<VariableArg>(u) && u.dtype() == dt::index ? "" : "a Variable is an i64 with a name and limits";
    case Op::Buffer: return has_arg<int64_t>(u) ? extents_fault(u, 0) : "the buffer's id is missing";
    case Op::Param:
      return has_arg<ParamArg>(u) && u.dtype().lanes == 1 ? extents_fault(u, 0)
                                                          : "a Param is a buffer of scalars with a slot";
    case Op::Range:
      return has_arg<RangeArg>(u) && u.dtype() == dt::index ? extents_fault(u, 0) : "a Range is an i64 with an axis";
    case Op::Lanes:
    case Op::Broadcast:
    case Op::Stack:
    case Op::Shuffle: return vector_fault(u);
    case Op::Prefetch:
      if (!has_arg<int64_t>(u)) return "a Prefetch says whether the element will be read or written";
      return u.dtype() == dt::kVoid && u.src(0).is(Op::Index) ? "" : "a Prefetch is of an Index";
    case Op::CopyAsync: {
      for (const UOp& at : u.src().first(2))
        if (!at.is(Op::Index)) return "a CopyAsync is of two Indexes";
      if (u.src(0).dtype() != u.src(1).dtype()) return "a CopyAsync is between elements of one type";
      if (!u.src(0).src(0).is(Op::Memory) || u.src(1).src(0).is(Op::Memory))
        return "a CopyAsync is from a buffer to a Memory";
      return u.src().size() == 2 || u.src(2).dtype() == dt::kBool ? "" : "a CopyAsync has one gate";
    }
    case Op::CopyWait: return has_arg<int64_t>(u) && u.arg_as<int64_t>() >= 0 ? "" : "a CopyWait has a number of groups";
    case Op::LaneXor:
      if (!has_arg<int64_t>(u) || u.arg_as<int64_t>() < 1 || u.arg_as<int64_t>() > 31)
        return "a LaneXor has a mask in 1..31";
      return u.src(0).dtype() == u.dtype() ? "" : "a LaneXor has the type of its source";
    case Op::Store:
      if (u.dtype() != dt::kVoid) return "a statement has no value";
      [[fallthrough]];
    case Op::Index:
    case Op::Load:
    case Op::Memory: return memory_fault(u);
    case Op::Reduce:
    case Op::ReduceAxis: return reduction_fault(u);
    case Op::Project: return project_fault(u);
    case Op::Define:
      if (!has_arg<std::string>(u)) return "the name is missing";
      return u.src(0).dtype() == u.dtype()
                 ? ranges_fault(u, 1)
                 : "the value is of " + text(u.src(0).dtype()) + ", the Define of " + text(u.dtype());
    default: return is_statement(u) ? statement_fault(u) : tensor_fault(u);
  }
}

}  // namespace pg
