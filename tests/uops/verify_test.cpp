#include "uops/verify.h"

#include <doctest/doctest.h>

#include "uops/linear.h"

using namespace pg;

namespace {
UOp node(Op op, DType t, Arg arg, std::initializer_list<UOp> src) { return UOp(op, t, std::move(arg), src); }
UOp block_of(std::initializer_list<UOp> s) { return UOp(Op::Block, dt::kVoid, {}, s); }
UOp loop(const UOp& r, const UOp& body) { return node(Op::For, dt::kVoid, {}, {r, body}); }
UOp param(int64_t slot, const char* name, DType t, std::initializer_list<UOp> extents) { return node(Op::Param, t, ParamArg{slot, name}, extents); }
UOp at(const UOp& b, std::initializer_list<UOp> i) { return index(b, std::vector<UOp>(i)); }

const UOp m = range("m", iconst(8)), n = range("n", iconst(16)), k = range("k", iconst(4));
const UOp C = param(0, "c", dt::f32, {iconst(8), iconst(16)}), A = param(1, "a", dt::f32, {iconst(8), iconst(4)}),
          B = param(2, "b", dt::f32, {iconst(4), iconst(16)});
const UOp kBody = load(at(A, {m, k})) * load(at(B, {k, n}));
const UOp kSum = node(Op::Reduce, dt::f32, ReduceArg{"sum", {}}, {kBody, k});
UOp output(const UOp& value) { return node(Op::Output, dt::kVoid, {}, {store(at(C, {m, n}), value), m, n}); }
UOp kernel(std::initializer_list<UOp> definitions) { return node(Op::Kernel, dt::kVoid, std::string("test"), definitions); }
const UOp kMatmul = kernel({output(kSum)});

const UOp flat = param(0, "x", dt::f32, {iconst(64)});
const UOp i = range("i", iconst(4)), vec16 = range("i", iconst(16), 16, Kind::Vec);
UOp linear(std::initializer_list<UOp> entries) { return node(Op::Linear, dt::kVoid, std::string("test"), entries); }
UOp open(const UOp& r) { return node(Op::For, dt::kVoid, {}, {r}); }
UOp close(const UOp& opened) { return node(Op::End, dt::kVoid, {}, {opened}); }
const UOp one = constant(dt::f32, 1.0), yes = constant(dt::kBool, int64_t{1});

/// The second half of the message's first line: what is wrong.
std::string fault(const UOp& root, Stage stage) {
  try {
    verify(root, stage, "test");
  } catch (const InternalError& e) {
    const std::string s = e.what();
    const size_t begin = s.find("): ");
    return s.substr(begin + 3, s.find("\n  in ") - begin - 3);
  }
  return "";
}
/// A fault of a node by itself, in the tensor stage or wherever the op may stand.
std::string node_fault(const UOp& u, Stage stage = Stage::Tensor) { return fault(u, stage); }
}  // namespace

TEST_CASE("verify: what is right passes") {
  CHECK(fault(kMatmul, Stage::Kernel) == "");
  CHECK(fault(node(Op::Scheduled, dt::kVoid, {}, {kMatmul, m, n, k}), Stage::Scheduled) == "");
  CHECK(fault(loop(i, store(at(flat, {i}), one)), Stage::Nests) == "");
  CHECK(fault(loop(i, store(at(flat, {i * iconst(16) + vec16}), one)), Stage::Nests) == "");
  const UOp value = load(at(flat, {i})), sum = value + one;
  CHECK(fault(linear({open(i), value, sum, store(at(flat, {i}), sum), close(open(i))}), Stage::Linear) == "");
  const UOp buffer = node(Op::Buffer, dt::f32, int64_t{7}, {iconst(4)});
  CHECK(fault(node(Op::ReduceAxis, dt::f32, ReduceArg{"sum", {0}}, {buffer + buffer}), Stage::Tensor) == "");
}

TEST_CASE("verify: the message names pass, stage, node and sub-graph") {
  std::string message;
  try {
    verify(loop(i, store(at(flat, {k}), one)), Stage::Nests, "nests_opened");
  } catch (const InternalError& e) {
    message = e.what();
  }
  CHECK(message == "after nests_opened (nests stage): Store void: the range k is not open here\n  in x[k] = 1.0");
}

TEST_CASE("verify: ops and roots by stage") {
  CHECK(fault(kMatmul, Stage::Nests) == "Output void: the op has no place in this stage");
  CHECK(fault(kMatmul, Stage::Scheduled) == "Kernel void: the root is no Scheduled");
  CHECK(fault(kMatmul, Stage::Linear) == "Kernel void: the root is no Linear");
  CHECK(fault(output(one), Stage::Kernel) == "Output void: the root is no Kernel");
  CHECK(fault(node(Op::Lanes, dt::index.vec(4), {}, {}), Stage::Tensor) == "Lanes i64x4: the op has no place in this stage");
  CHECK(fault(one, Stage::Expanded) == "Const f32: no statement");
}

TEST_CASE("verify: Kernel") {
  CHECK(fault(kernel({output(kBody)}), Stage::Kernel) == "Output void: the range k is not open here");
  CHECK(fault(kernel({node(Op::Output, dt::kVoid, {}, {store(at(C, {m}), one), m})}), Stage::Kernel) ==
        "Index f32: 1 indices for 2 dimensions");
  const UOp tile = range("m", iconst(8), 8), alone = range("m", iconst(1)), longer = range("m", iconst(9));
  auto over = [](const UOp& a, const UOp& b) { return node(Op::Output, dt::kVoid, {}, {store(at(C, {a, b}), one), a, b}); };
  CHECK(fault(kernel({over(tile, n)}), Stage::Kernel) == "Range i64: an axis of a kernel is not split yet");
  CHECK(fault(kernel({over(alone, n)}), Stage::Kernel) == "Range i64: an axis of extent 1");
  CHECK(fault(kernel({over(m, longer)}), Stage::Kernel) == "Kernel void: two axes are named m");
  const UOp V = node(Op::Define, dt::f32, std::string("v"), {load(at(A, {m, iconst(0)})), m});
  CHECK(fault(kernel({V, output(load(at(V, {m})))}), Stage::Kernel) == "");
  CHECK(fault(kernel({output(load(at(V, {m})))}), Stage::Kernel) == "Output void: it reads a definition that does not stand before it");
  const UOp D = param(1, "d", dt::f32, {iconst(8), iconst(4)});
  CHECK(fault(kernel({output(load(at(A, {m, iconst(0)})) + load(at(D, {m, iconst(0)})))}), Stage::Kernel).ends_with("two Params of slot 1"));
  const UOp run = node(Op::Index, dt::f32.vec(4), {}, {C, m, n});
  const UOp wide = node(Op::Output, dt::kVoid, {}, {node(Op::Store, dt::kVoid, {}, {run, load(run)}), m, n});
  CHECK(fault(kernel({wide}), Stage::Kernel) == "Index f32x4: vectors come with registers_expanded");
}

TEST_CASE("verify: Scheduled") {
  const UOp symbolic = range("n", variable("v", 1, 8), 8, Kind::Upcast);
  CHECK(fault(node(Op::Scheduled, dt::kVoid, {}, {kMatmul, m, m}), Stage::Scheduled) == "Scheduled void: the range m stands twice");
  CHECK(fault(node(Op::Scheduled, dt::kVoid, {}, {kMatmul, symbolic}), Stage::Scheduled) == "Range i64: a register range has constant trips");
}

TEST_CASE("verify: Nests and Expanded") {
  const UOp write = store(at(flat, {i}), one);
  CHECK(fault(loop(i, loop(k, store(at(flat, {n}), one))), Stage::Nests) == "Store void: the range n is not open here");
  CHECK(fault(loop(vec16, store(at(flat, {vec16}), one)), Stage::Nests) == "For void: a For over a register range");
  CHECK(fault(open(i), Stage::Nests) == "For void: the body is missing");
  CHECK(fault(store(at(flat, {vec16}), one), Stage::Expanded) == "Range i64: a register range is left");
  CHECK(fault(loop(range("j", i + iconst(1)), store(at(flat, {iconst(0)}), one)), Stage::Nests) == "For void: the range i is not open here");
  CHECK(fault(node(Op::If, dt::kVoid, {}, {alu(Op::Lt, i, k), write}), Stage::Nests).ends_with("is not open here"));
  CHECK(fault(store(at(C, {iconst(0), iconst(0)}), one), Stage::Nests) == "");
  CHECK(fault(store(at(C, {iconst(0), iconst(0)}), one), Stage::Expanded) == "Index f32: 2 indices for 2 dimensions");
  const UOp wide = node(Op::Index, dt::f32.vec(4), {}, {flat, iconst(0)});
  CHECK(fault(store(wide, constant(dt::f32.vec(4), 1.0)), Stage::Expanded) == "");
  CHECK(fault(store(wide, constant(dt::f32.vec(4), 1.0)), Stage::Nests) == "Index f32x4: vectors come with registers_expanded");
  const UOp registers = node(Op::Memory, dt::f32.vec(16), ParamArg{0, "acc"}, {iconst(2)});
  auto element = [&](std::initializer_list<UOp> src) { return store(node(Op::Index, dt::f32, {}, src), one); };
  CHECK(fault(block_of({registers, element({registers, iconst(1), vec16})}), Stage::Nests) == "");
  CHECK(fault(block_of({registers, element({registers, iconst(1), vec16, vec16})}), Stage::Nests) == "Index f32: 3 indices for 1 dimensions");
}

TEST_CASE("verify: Linear") {
  const UOp value = load(at(flat, {i})), sum = value + one, write = store(at(flat, {i}), sum);
  const UOp acc = node(Op::Memory, dt::f32, ParamArg{0, "acc"}, {iconst(1)}), clear = store(at(acc, {iconst(0)}), one);
  const UOp grid = range("g", iconst(4), 0, Kind::Grid), local = range("l", iconst(4), 0, Kind::Local);
  CHECK(fault(linear({open(i), value, write, close(open(i))}), Stage::Linear) == "Store void: it uses x[i] + 1.0, which has no value here");
  CHECK(fault(linear({open(i), value, sum, close(open(i)), open(i), write, close(open(i))}), Stage::Linear) ==
        "Store void: it uses x[i] + 1.0, which has no value here");
  CHECK(fault(linear({value}), Stage::Linear) == "Load f32: the range i is not open here");
  CHECK(fault(linear({clear}), Stage::Linear) == "Store void: it uses acc, which has no value here");
  CHECK(fault(linear({acc, clear}), Stage::Linear) == "");
  CHECK(fault(linear({open(i)}), Stage::Linear) == "For void: the scope is not closed");
  CHECK(fault(linear({open(i), close(open(k))}), Stage::Linear) == "End void: it closes what is not the innermost scope");
  CHECK(fault(linear({loop(i, clear)}), Stage::Linear) == "For void: a For or If of a Linear has no body");
  CHECK(fault(linear({iconst(4)}), Stage::Linear) == "Const i64: no entry of a Linear");
  CHECK(fault(linear({open(i), open(grid), close(open(grid)), close(open(i))}), Stage::Linear) == "For void: a grid inside a loop");
  CHECK(fault(linear({open(local), close(open(local))}), Stage::Linear) == "");
  CHECK(fault(linear({open(grid), open(local), close(open(local)), close(open(grid))}), Stage::Linear) == "");
  CHECK(fault(linear({open(i), open(local), close(open(local)), close(open(i))}), Stage::Linear) == "For void: threads inside a loop");
  const UOp barrier = node(Op::Barrier, dt::kVoid, {}, {}), other = range("m", iconst(2), 0, Kind::Local), next = range("h", iconst(4), 0, Kind::Grid);
  CHECK(fault(linear({open(grid), open(local), barrier, close(open(local)), close(open(grid)), open(next), open(local), close(open(local)), close(open(next))}),
              Stage::Linear) == "");
  CHECK(fault(linear({open(grid), open(local), close(open(local)), barrier, close(open(grid))}), Stage::Linear) ==
        "Barrier void: only the threads of a block do this");
  CHECK(fault(linear({open(grid), open(local), close(open(local)), open(other), close(open(other)), close(open(grid))}), Stage::Linear) ==
        "For void: a second For over the threads of a block");
  const auto meet_under = [&](const UOp& condition) {
    const UOp some = node(Op::If, dt::kVoid, {}, {condition});
    return fault(linear({open(grid), open(local), condition, some, node(Op::CopyWait, dt::kVoid, int64_t{0}, {}), close(some), close(open(local)), close(open(grid))}),
                 Stage::Linear);
  };
  CHECK(meet_under(alu(Op::Lt, grid, iconst(2))) == "");
  CHECK(meet_under(alu(Op::Lt, local, iconst(2))) == "CopyWait void: all threads of the block must come here, and if l < 2 tells them apart");
}

TEST_CASE("verify: leaves") {
  CHECK(node_fault(node(Op::Const, dt::f32.vec(2), 1.0, {})) == "Const f32x2: a Const is a scalar");
  CHECK(node_fault(node(Op::Const, dt::f32, int64_t{1}, {})) == "Const f32: a float Const holds a double");
  CHECK(node_fault(node(Op::Const, dt::i32, 1.0, {})) == "Const i32: an integer Const holds an integer");
  CHECK(node_fault(node(Op::Const, dt::u8, int64_t{256}, {})) == "Const u8: the value is not in its type's range");
  CHECK(node_fault(node(Op::Variable, dt::i32, VariableArg{"v", 0, 1}, {})) == "Variable i32: a Variable is an i64 with a name and limits");
  CHECK(node_fault(node(Op::Buffer, dt::f32, {}, {})) == "Buffer f32: the buffer's id is missing");
  CHECK(node_fault(node(Op::Buffer, dt::f32, int64_t{1}, {constant(dt::i32, int64_t{4})})) == "Buffer f32: an extent is of i32, not i64");
  const UOp wrong_range = node(Op::Range, dt::i32, RangeArg{"r"}, {iconst(4)}), wrong_param = node(Op::Param, dt::f32.vec(2), ParamArg{0, "p"}, {iconst(4)});
  CHECK(node_fault(loop(wrong_range, store(at(flat, {iconst(0)}), one)), Stage::Nests) == "Range i32: a Range is an i64 with an axis");
  CHECK(node_fault(store(at(wrong_param, {iconst(0)}), constant(dt::f32.vec(2), 1.0)), Stage::Expanded) ==
        "Param f32x2: a Param is a buffer of scalars with a slot");
}

TEST_CASE("verify: elementwise") {
  const UOp two = constant(dt::i32, int64_t{2}), four = constant(dt::f32.vec(4), 1.0);
  auto bad = [](Op op, DType t, std::initializer_list<UOp> src) { return node_fault(UOp(op, t, {}, src)); };
  auto vector = [](Op op, DType t, std::initializer_list<UOp> src) { return node_fault(store(at(flat, {iconst(0)}), UOp(op, t, {}, src)), Stage::Expanded); };
  CHECK(bad(Op::Add, dt::f32, {one, two}) == "Add f32: a source is of i32, the result of f32");
  CHECK(bad(Op::Exp, dt::i32, {two}) == "Exp i32: the op is for floats");
  CHECK(bad(Op::IDiv, dt::f32, {one, one}) == "IDiv f32: the op is for integers");
  CHECK(bad(Op::And, dt::f32, {one, one}) == "And f32: the op is for integers and bool");
  CHECK(bad(Op::Shl, dt::f32, {one, two}) == "Shl f32: shifts are for integers");
  CHECK(bad(Op::Lt, dt::f32, {one, one}) == "Lt f32: a comparison gives bool");
  CHECK(bad(Op::Lt, dt::kBool, {one, two}) == "Lt bool: the operands' dtypes differ");
  CHECK(bad(Op::Where, dt::f32, {one, one, one}) == "Where f32: the condition is of f32, not bool");
  CHECK(bad(Op::Where, dt::f32, {yes, one, two}) == "Where f32: the branches' dtypes differ from the result's");
  CHECK(bad(Op::Cast, dt::kVoid, {one}) == "Cast void: a value is converted");
  CHECK(bad(Op::Bitcast, dt::i64, {one}) == "Bitcast i64: a Bitcast keeps the number of bytes");
  CHECK(vector(Op::Add, dt::f32, {four, one}) == "Add f32: a source has 4 lanes, the result 1");
}

TEST_CASE("verify: vectors") {
  auto bad = [](const UOp& u) { return node_fault(store(node(Op::Index, u.dtype(), {}, {flat, iconst(0)}), u), Stage::Expanded); };
  const UOp four = constant(dt::f32.vec(4), 1.0);
  CHECK(bad(cast(node(Op::Lanes, dt::i64, {}, {}), dt::f32)) == "Lanes i64: Lanes is a vector of integers");
  CHECK(bad(node(Op::Broadcast, dt::f32.vec(4), {}, {iconst(1)})) == "Broadcast f32x4: a source is of i64, the result of f32x4");
  CHECK(bad(node(Op::Broadcast, dt::f32.vec(4), {}, {four})) == "Broadcast f32x4: a Broadcast makes a vector of a scalar");
  CHECK(bad(node(Op::Stack, dt::f32.vec(4), {}, {one, one})) == "Stack f32x4: a Stack takes one scalar a lane");
  CHECK(bad(node(Op::Shuffle, dt::f32.vec(2), Ints{0}, {four})) == "Shuffle f32x2: a Shuffle names one source lane for each of its lanes");
  CHECK(bad(node(Op::Shuffle, dt::f32.vec(2), Ints{0, 4}, {four})) == "Shuffle f32x2: a Shuffle names lane 4");
  CHECK(bad(node(Op::Shuffle, dt::f32.vec(2), Ints{0, 8}, {four, four})) == "Shuffle f32x2: a Shuffle names lane 8");
  CHECK(bad(node(Op::Shuffle, dt::f32.vec(2), Ints{0, 4}, {four, one})) == "Shuffle f32x2: a Shuffle is of two vectors of one type");
}

TEST_CASE("verify: memory") {
  auto bad = [](const UOp& u) { return node_fault(u, Stage::Expanded); };
  const UOp f = at(flat, {iconst(0)});
  CHECK(bad(store(node(Op::Index, dt::f32, {}, {one, iconst(0)}), one)) == "Index f32: an Index is into a buffer");
  CHECK(bad(store(node(Op::Index, dt::i32, {}, {flat, iconst(0)}), constant(dt::i32, int64_t{1}))) ==
        "Index i32: the buffer is of f32, the Index of i32");
  CHECK(bad(store(at(flat, {constant(dt::i32, int64_t{1})}), one)) == "Index f32: an index is of i32, not i64");
  CHECK(bad(block_of({node(Op::Memory, dt::f32, {}, {iconst(4)})})) == "Memory f32: a Memory has a number and a name");
  CHECK(bad(node(Op::Memory, dt::f32, ParamArg{0, "t"}, {variable("v", 1, 2)})) == "Memory f32: an extent of a Memory is no constant");
  CHECK(bad(node(Op::Store, dt::kVoid, {}, {one, one})) == "Store void: the address is no Index");
  CHECK(bad(store(f, node(Op::Load, dt::i32, {}, {f}))) == "Load i32: the Index is of f32, the Load of i32");
  CHECK(bad(store(f, iconst(1))) == "Store void: the Index is of f32, the stored value of i64");
  CHECK(bad(store(f, one, iconst(1))) == "Store void: the gate is of i64 for an access of 1 lanes");
  CHECK(bad(store(f, load(f, constant(dt::kBool.vec(4), int64_t{1})))) == "Load f32: the gate is of boolx4 for an access of 1 lanes");
  CHECK(bad(node(Op::Store, dt::f32, {}, {f, one})) == "Store f32: a statement has no value");
}

TEST_CASE("verify: reductions") {
  auto in_kernel = [](const UOp& value) { return node_fault(kernel({output(value)}), Stage::Kernel); };
  auto reduce = [](Arg arg, std::initializer_list<UOp> src, DType t = dt::f32) { return node(Op::Reduce, t, std::move(arg), src); };
  CHECK(in_kernel(reduce({}, {kBody, k})) == "Reduce f32: the reducer is missing");
  CHECK(in_kernel(reduce(ReduceArg{"welford", {}}, {kBody})) == "Reduce f32: welford has 3 states");
  CHECK(in_kernel(reduce(ReduceArg{"sum", {}}, {iconst(1), k})) == "Reduce f32: state 0 is of i64, the result of f32");
  CHECK(in_kernel(reduce(ReduceArg{"sum", {}}, {kBody, kBody})) == "Reduce f32: source 1 is no Range");
  const UOp arg = reduce(ReduceArg{"argmax", {}}, {kBody, k, k});
  auto project = [](int64_t s, const UOp& of, DType t) { return node(Op::Project, t, s, {of}); };
  CHECK(in_kernel(cast(project(1, arg, dt::i64), dt::f32)) == "");
  CHECK(in_kernel(cast(project(2, arg, dt::i64), dt::f32)) == "Project i64: the reduction has no such state");
  CHECK(in_kernel(project(1, arg, dt::f32)) == "Project f32: the state is of i64, the result of f32");
  CHECK(in_kernel(project(0, one, dt::f32)) == "Project f32: a Project is of a reduction");
  CHECK(node_fault(node(Op::ReduceAxis, dt::f32, ReduceArg{"sum", {0}}, {one, one})) == "ReduceAxis f32: sum has 1 states");
}

TEST_CASE("verify: statements") {
  auto bad = [](const UOp& u, Stage stage = Stage::Nests) { return node_fault(u, stage); };
  const UOp write = store(at(flat, {iconst(0)}), one);
  CHECK(bad(block_of({one})) == "Block void: a Block holds statements and Memories");
  CHECK(bad(node(Op::StoreAll, dt::kVoid, {}, {block_of({})})) == "StoreAll void: a StoreAll holds Stores");
  CHECK(bad(loop(iconst(4), write)) == "For void: a For runs over a Range");
  CHECK(bad(node(Op::If, dt::kVoid, {}, {iconst(1), write})) == "If void: an If asks a scalar bool");
  CHECK(bad(loop(i, one)) == "For void: the body is no statement");
  CHECK(bad(node(Op::Block, dt::f32, {}, {})) == "Block f32: a statement has no value");
  CHECK(bad(linear({close(write)}), Stage::Linear) == "End void: an End closes a For or an If");
  CHECK(bad(node(Op::Linear, dt::kVoid, {}, {}), Stage::Linear) == "Linear void: the name is missing");
  CHECK(bad(kernel({node(Op::Output, dt::kVoid, {}, {one, m})}), Stage::Kernel) == "Output void: an Output is of a Store");
  CHECK(bad(kernel({write}), Stage::Kernel) == "Kernel void: a Kernel holds Defines and ends with its Output");
  CHECK(bad(node(Op::Scheduled, dt::kVoid, {}, {write}), Stage::Scheduled) == "Scheduled void: a Scheduled is of a Kernel");
  CHECK(bad(kernel({node(Op::Define, dt::f32, {}, {one}), output(one)}), Stage::Kernel) == "Define f32: the name is missing");
  CHECK(bad(kernel({node(Op::Define, dt::i32, std::string("v"), {one}), output(one)}), Stage::Kernel) ==
        "Define i32: the value is of f32, the Define of i32");
}

TEST_CASE("verify: tensors") {
  const UOp x = node(Op::Buffer, dt::f32, int64_t{1}, {iconst(4)});
  auto bad = [](Op op, DType t, std::initializer_list<UOp> src) { return node_fault(UOp(op, t, {}, src)); };
  CHECK(bad(Op::Reshape, dt::i32, {x, iconst(4)}) == "Reshape i32: the source is of f32, the result of i32");
  CHECK(bad(Op::Reshape, dt::f32, {x, one}) == "Reshape f32: an extent is of f32, not i64");
  CHECK(bad(Op::Permute, dt::f32, {x}) == "Permute f32: the axes are missing");
  CHECK(bad(Op::Arange, dt::f32, {iconst(4)}) == "Arange f32: an Arange is of integers");
  CHECK(bad(Op::Gather, dt::f32, {x, x}) == "Gather f32: the ids are of f32, not integers");
  CHECK(bad(Op::Assign, dt::f32, {x, iconst(4)}) == "Assign f32: the assigned value is of i64");
}
