#include <doctest/doctest.h>

#include "src/tensor/buffers.h"
#include "src/tensor/shape.h"

using namespace pg;

namespace {
std::string assign_error(const Tensor& view, const Tensor& value) {
  try {
    view.assign(value);
  } catch (const UserError& e) {
    return e.what();
  }
  return "no error";
}
}  // namespace

TEST_CASE("an assign to a slice is the whole buffer afterwards") {
  const UOp pos = variable("pos", 0, 60);
  const Tensor cache = Tensor::empty({2, 64, 4});
  const Tensor after = cache.slice(1, pos, pos + 3).assign(Tensor::zeros({2, 3, 4}));
  CHECK(after.uop().is(Op::Assign));
  CHECK(text(after.shape()) == "[2, 64, 4]");
  CHECK(after.uop().src(0).is(Op::Shrink));
  CHECK(after.uop().src(0).src(0) == cache.uop());
}

TEST_CASE("a chain of assigns orders itself through the view") {
  const Tensor x = Tensor::empty({8});
  const Tensor once = x.slice(0, 0, 4).assign(Tensor::zeros({4}));
  const Tensor twice = once.slice(0, 4, 8).assign(Tensor::zeros({4}));
  CHECK(text(twice.shape()) == "[8]");
  CHECK(depends_on(twice.uop(), once.uop()));
}

TEST_CASE("the value is broadcast and cast to what it is written into") {
  const Tensor x = Tensor::empty({4, 3}, dt::f16);
  const UOp value = x.assign(Tensor::arange(3)).uop().src(1);
  CHECK(value.dtype() == dt::f16);
  CHECK(text(shape_of(value)) == "[4, 3]");
}

TEST_CASE("assign refuses what has no place in memory") {
  const Tensor x = Tensor::empty({4, 3});
  CHECK(assign_error(x + 1.0, x) == "assign: the tensor is not realised (its last step is Add); call realize() first");
  CHECK(assign_error(Tensor::zeros({4, 3}), x) == "assign: an element of the view has no place of its own (Expand)");
  CHECK(assign_error(x.pad({{1, 0}, {0, 0}}), Tensor::zeros({5, 3})) ==
        "assign: an element of the view has no place of its own (Pad)");
  CHECK(assign_error(x.slice(0, 1, 3), x) == "assign: shapes [2, 3] and [4, 3] do not broadcast");
  CHECK(assign_error(x.slice(0, 0, 1), x) == "assign: a value of shape [4, 3] does not fit the view [1, 3]");
}

TEST_CASE("a buffer's memory goes with the last node that mentions it") {
  std::weak_ptr<Memory> watched;
  Tensor sum;
  {
    const Tensor x = Tensor::empty({16});
    watched = memory_of(x.uop());
    sum = x.sum();
  }
  CHECK_FALSE(watched.expired());
  sum = Tensor();
  CHECK(watched.expired());
}

TEST_CASE("virtual buffers have no memory until it is set") {
  const UOp extents[] = {iconst(4), variable("n", 0, 10)};
  const UOp a = new_virtual_buffer(dt::f16, extents), b = new_virtual_buffer(dt::f16, extents);
  CHECK_FALSE(a == b);
  CHECK(memory_of(a) == nullptr);
  CHECK(capacity(a) == 4 * 10 * 2);
  const auto memory = std::make_shared<Memory>(default_device(), 80);
  set_memory(a, memory);
  CHECK(memory_of(a) == memory);
  CHECK(memory_of(b) == nullptr);
  set_memory(a, nullptr);
  CHECK(memory_of(a) == nullptr);
  CHECK(memory.use_count() == 1);
}
