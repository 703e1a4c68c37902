#!/usr/bin/env python3
"""Writes the expected values of tests/tensor/goldens_test.cpp with PyTorch: one JSON file per group, one case a line.

A case: {"name", "op", "inputs": [{"dtype", "shape", "data"}], "attrs", "expected": [..], "cotangent", "gradients": [..]}.
With a cotangent c, `gradients` holds d sum(y * c) / d input for the float inputs. Numbers that JSON lacks are strings
("nan", "inf", "-inf"). Usage: python3 make_goldens.py (needs torch; any version since 2.0 gives the same to 1e-6).
"""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

from stored import NAMES, stored

torch.manual_seed(20240229)


class Group:
    def __init__(self, name):
        self.name, self.cases = name, []

    def case(self, name, op, f, inputs, gradient=True, **attrs):
        xs = [x.clone() for x in inputs]
        floats = [x for x in xs if x.dtype == torch.float32]
        if gradient:
            for x in floats:
                x.requires_grad_(True)
        out = f(*xs)
        case = {"name": name, "op": op, "inputs": [stored(x) for x in xs], "attrs": attrs, "expected": [stored(out)]}
        if gradient:
            cotangent = torch.randn(out.shape)
            grads = torch.autograd.grad((out * cotangent).sum(), floats, allow_unused=True)
            case["cotangent"] = stored(cotangent)
            case["gradients"] = [stored(g if g is not None else torch.zeros_like(x)) for g, x in zip(grads, floats)]
        self.cases.append(case)

    def write(self):
        lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in self.cases)
        Path(__file__).with_name(self.name + ".json").write_text("[\n" + lines + "\n]\n")
        print(self.name, len(self.cases))


def randn(*shape):
    return torch.randn(*shape)


def positive(*shape):
    return torch.rand(*shape) * 3 + 0.1


def integers(dtype, *shape, lo=-5, hi=6):
    return torch.randint(max(lo, 0) if dtype == torch.uint8 else lo, hi, shape).to(dtype)


# ---- elementwise ----
g = Group("elementwise")
unary = {
    "neg": torch.neg, "exp": torch.exp, "sin": torch.sin, "cos": torch.cos, "tanh": torch.tanh, "erf": torch.erf, "abs": torch.abs,
    "relu": torch.relu, "sigmoid": torch.sigmoid, "silu": F.silu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "floor": torch.floor,
}
for name, f in unary.items():
    g.case(name, name, f, [randn(3, 7)])
    g.case(name + " of large values", name, f, [torch.tensor([-30.0, -8.5, -0.0, 0.0, 8.5, 30.0])])
for name, f in {"log": torch.log, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "reciprocal": torch.reciprocal}.items():
    g.case(name, name, f, [positive(3, 7)])
special = torch.tensor([math.nan, math.inf, -math.inf])
for name in ["neg", "exp", "tanh", "erf", "floor", "abs"]:
    g.case(name + " of special values", name, unary[name], [special], gradient=False)
for name, f in {"log": torch.log, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "reciprocal": torch.reciprocal}.items():
    g.case(name + " of special values", name, f, [torch.cat([special, torch.tensor([0.0])])], gradient=False)
for name in ["exp", "sin", "sigmoid"]:
    g.case(name + " of integers", name, unary[name], [integers(torch.int32, 5)], gradient=False)
binary = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum, "minimum": torch.minimum}
for name, f in binary.items():
    g.case(name, name, f, [randn(3, 4), randn(3, 4)])
    g.case(name + " broadcasts", name, f, [randn(2, 3, 1), randn(4)])
    g.case(name + " with a column", name, f, [randn(3, 4), randn(3, 1)])
    g.case(name + " with a scalar tensor", name, f, [randn(3, 4), randn(())])
tie = torch.tensor([1.0, 2.0, -3.0, 0.5])
for name in ["maximum", "minimum"]:
    g.case(name + " of equal values", name, binary[name], [tie, torch.tensor([1.0, 2.0, -4.0, 0.75])])
compare = {"less": torch.lt, "equal": torch.eq, "not_equal": torch.ne}
near = torch.tensor([1.0, 2.0, math.nan, -0.0, math.inf])
for name, f in compare.items():
    g.case(name, name, f, [near, torch.tensor([[1.0, 3.0, math.nan, 0.0, math.inf]])], gradient=False)
    g.case(name + " of integers", name, f, [integers(torch.int32, 3, 4), integers(torch.int32, 4)], gradient=False)
g.case("where", "where", torch.where, [randn(3, 4) > 0, randn(3, 4), randn(4)])
g.case("where broadcasts its condition", "where", torch.where, [randn(3, 1) > 0, randn(3, 4), randn(())])
g.case("where skips a NaN", "where", torch.where, [torch.tensor([True, False]), torch.tensor([1.0, math.nan]), torch.tensor([math.nan, 2.0])],
       gradient=False)
for name, f in {"logical_not": torch.logical_not}.items():
    g.case(name, name, f, [randn(5) > 0], gradient=False)
    g.case(name + " of numbers", name, f, [integers(torch.int32, 8, lo=-1, hi=2)], gradient=False)
for name, f in {"add_scalar": lambda x: x + 2.5, "rsub_scalar": lambda x: 1.5 - x, "mul_scalar": lambda x: x * -3,
                "div_scalar": lambda x: x / 4, "rdiv_scalar": lambda x: 2 / x}.items():
    g.case(name, name, f, [positive(3, 4)])
    g.case(name + " of integers", name, f, [integers(torch.int32, 4, lo=1)], gradient=False)
g.case("a polynomial of one tensor", "cube", lambda x: x * x * x - x, [randn(6)])
g.write()

# ---- dtypes ----
g = Group("dtypes")
kinds = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float32]


def sample(t):
    return integers(torch.int32, 4, lo=1, hi=7).to(t)


for a in kinds:
    for b in kinds:
        g.case("add %s %s" % (NAMES[a], NAMES[b]), "add", torch.add, [sample(a), sample(b)], gradient=False)
for a in kinds:
    g.case("mul by itself " + NAMES[a], "mul", torch.mul, [sample(a), sample(a)], gradient=False)
    g.case("div " + NAMES[a], "div", torch.div, [sample(a), sample(a)], gradient=False)
    g.case("sum " + NAMES[a], "sum", lambda x: x.sum(), [sample(a)], gradient=False)
    g.case("max " + NAMES[a], "max", lambda x: x.amax(), [sample(a)], gradient=False)
    g.case("less " + NAMES[a], "less", torch.lt, [sample(a), sample(a)], gradient=False)
    for b in kinds:
        if a != b:
            g.case("cast %s to %s" % (NAMES[a], NAMES[b]), "cast", lambda x: x.to(b), [sample(a)], gradient=False, to=NAMES[b])
fraction = torch.tensor([-2.75, -0.5, 0.0, 0.5, 2.75])
g.case("cast f32 to i32 truncates", "cast", lambda x: x.to(torch.int32), [fraction], gradient=False, to="i32")
g.case("cast f32 to bool", "cast", lambda x: x.to(torch.bool), [fraction], gradient=False, to="bool")
g.case("cast f32 to f16 rounds", "cast", lambda x: x.to(torch.float16), [torch.tensor([0.1, 1000.7, 65519.0, 1e-7, -3.14159])], gradient=False, to="f16")
g.case("cast f32 to bf16 rounds", "cast", lambda x: x.to(torch.bfloat16), [torch.tensor([0.1, 1000.7, 1e30, 1e-30, -3.14159])], gradient=False,
       to="bf16")
for name, f in {"and": torch.bitwise_and, "or": torch.bitwise_or, "xor": torch.bitwise_xor}.items():
    g.case(name + " i32", name, f, [integers(torch.int32, 6), integers(torch.int32, 6)], gradient=False)
    g.case(name + " bool", name, f, [randn(6) > 0, randn(6) > 0], gradient=False)
g.write()

# ---- reductions ----
g = Group("reductions")
reduce = {"sum": lambda x, a, k: x.sum(a, k), "mean": lambda x, a, k: x.mean(a, k), "max": lambda x, a, k: x.amax(a, k),
          "min": lambda x, a, k: x.amin(a, k)}
for name, f in reduce.items():
    for axes in [[0], [1], [-1], [0, 2], [0, 1, 2]]:
        for keep in [False, True]:
            g.case("%s %s%s" % (name, axes, " keepdim" if keep else ""), name, lambda x: f(x, axes, keep), [randn(2, 3, 5)], axes=axes, keepdim=keep)
g.case("max shares among equal ones", "max", lambda x: x.amax([1]), [torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])], axes=[1])
g.case("sum of nothing left out", "sum", lambda x: x.sum(), [randn(4, 1)])
g.case("sum of a scalar", "sum", lambda x: x.sum(), [randn(())])
for axis in [0, 1, -1]:
    for keep in [False, True]:
        g.case("argmax %d %d" % (axis, keep), "argmax", lambda x: x.argmax(axis, keep).int(), [randn(3, 4, 5)], gradient=False, axis=axis, keepdim=keep)
ties = torch.tensor([[1.0, 3.0, 3.0, 2.0], [5.0, 5.0, 5.0, 5.0], [0.0, -0.0, -1.0, 0.0], [-math.inf] * 4])
g.case("argmax takes the first of equal ones", "argmax", lambda x: x.argmax(1).int(), [ties], gradient=False, axis=1)
nans = torch.tensor([[1.0, math.nan, 3.0, math.nan], [math.nan, math.inf, 0.0, 1.0], [1.0, 2.0, 3.0, math.nan]])
g.case("argmax takes the first NaN", "argmax", lambda x: x.argmax(1).int(), [nans], gradient=False, axis=1)
g.case("argmax of integers", "argmax", lambda x: x.argmax(0).int(), [integers(torch.int32, 6, 3)], gradient=False, axis=0)
g.case("sum with a NaN", "sum", lambda x: x.sum(1), [nans], gradient=False, axes=[1])
g.case("max with a NaN", "max", lambda x: x.amax([1]), [nans], gradient=False, axes=[1])
g.case("max of integers", "max", lambda x: x.amax([1]), [integers(torch.int32, 4, 6)], gradient=False, axes=[1])
for axis in [0, 1, -1]:
    g.case("softmax %d" % axis, "softmax", lambda x: x.softmax(axis), [randn(3, 4, 5)], axis=axis)
g.case("softmax of large values", "softmax", lambda x: x.softmax(-1), [torch.tensor([[1000.0, 999.0, -1000.0], [-1e30, 0.0, 1.0]])], axis=-1)
g.case("softmax with minus infinity", "softmax", lambda x: x.softmax(-1), [torch.tensor([[0.5, -math.inf, 1.0, -math.inf]])], axis=-1)


def rmsnorm(x, w):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * w


g.case("rmsnorm", "rmsnorm", rmsnorm, [randn(2, 3, 8), randn(8)], eps=1e-5)
g.case("rmsnorm of small values", "rmsnorm", rmsnorm, [randn(3, 8) * 1e-3, randn(8)], eps=1e-5)
g.write()

# ---- movement ----
g = Group("movement")
g.case("reshape", "reshape", lambda x: x.reshape(4, 3), [randn(2, 6)], shape=[4, 3])
g.case("reshape with -1", "reshape", lambda x: x.reshape(2, -1), [randn(4, 3)], shape=[2, -1])
g.case("reshape of a permutation", "permute_reshape", lambda x: x.permute(1, 0).reshape(-1), [randn(3, 4)])
g.case("expand", "expand", lambda x: x.expand(2, 3, 4), [randn(3, 1)], shape=[2, 3, 4])
g.case("permute", "permute", lambda x: x.permute(2, 0, 1), [randn(2, 3, 4)], axes=[2, 0, 1])
g.case("transpose", "transpose", lambda x: x.transpose(0, -1), [randn(2, 3, 4)], a=0, b=-1)
g.case("pad", "pad", lambda x: F.pad(x, (1, 2, 3, 0)), [randn(2, 3)], pairs=[[3, 0], [1, 2]])
g.case("shrink", "shrink", lambda x: x[1:3, 2:4], [randn(4, 5)], pairs=[[1, 3], [2, 4]])
g.case("slice", "slice", lambda x: x[:, :, 1:4], [randn(2, 2, 5)], axis=-1, begin=1, end=4)
g.case("flip", "flip", lambda x: x.flip(0, 2), [randn(2, 3, 4)], axes=[0, 2])
g.case("unsqueeze", "unsqueeze", lambda x: x.unsqueeze(-1), [randn(2, 3)], axis=-1)
g.case("squeeze", "squeeze", lambda x: x.squeeze(1), [randn(2, 1, 3)], axis=1)
for axis in [0, 1, -1]:
    g.case("stack %d" % axis, "stack", lambda a, b, c: torch.stack([a, b, c], axis), [randn(2, 3) for _ in range(3)], axis=axis)
g.case("cat", "cat", lambda a, b, c: torch.cat([a, b, c], 1), [randn(2, 3), randn(2, 1), randn(2, 4)], axis=1)
g.case("cat with infinities", "cat", lambda a, b: torch.cat([a, b], 0), [special, randn(2)], gradient=False, axis=0)
g.case("cat of bool", "cat", lambda a, b: torch.cat([a, b], 0), [randn(3) > 0, randn(2) > 0], gradient=False, axis=0)
g.case("cat promotes", "cat", lambda a, b: torch.cat([a, b], 0), [integers(torch.int32, 3), randn(2)], gradient=False, axis=0)
g.case("pad of a flip of a shrink", "flip_pad", lambda x: F.pad(x[1:, :2].flip(1), (1, 0, 0, 2)), [randn(3, 4)])
for shape in [(5,), (2, 3), ()]:
    g.case("gather %s" % (shape,), "gather", lambda x, i: x[i.long()], [randn(6, 4), integers(torch.int32, *shape, lo=0, hi=6)])
g.case("gather of numbers", "gather", lambda x, i: x[i.long()], [randn(6), integers(torch.int32, 4, lo=0, hi=6)])
g.case("gather of matrices", "gather", lambda x, i: x[i.long()], [randn(3, 2, 2), integers(torch.int64, 4, lo=0, hi=3)])
g.write()

# ---- products ----
g = Group("products")
for a, b in [((3, 4), (4, 5)), ((1, 7), (7, 1)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)),
             ((3, 4), (2, 4, 5)), ((2, 1, 3, 4), (3, 4, 2)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)), ((17, 33), (33, 9))]:
    g.case("matmul %s %s" % (list(a), list(b)), "matmul", torch.matmul, [randn(*a), randn(*b)])
g.case("matmul transposed", "matmul_nt", lambda a, b: a @ b.transpose(0, 1), [randn(3, 4), randn(5, 4)])
g.case("matmul of integers", "matmul", torch.matmul, [integers(torch.int32, 3, 4), integers(torch.int32, 4, 2)], gradient=False)
g.case("matmul of f16", "matmul", torch.matmul, [randn(3, 4).half(), randn(4, 2).half()], gradient=False)


def attention(q, k, v, mask=None):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


g.case("attention", "attention", attention, [randn(2, 3, 4), randn(2, 5, 4), randn(2, 5, 6)])
causal = torch.zeros(4, 4).masked_fill(torch.ones(4, 4).triu(1).bool(), -math.inf)
g.case("attention, causal", "attention", lambda q, k, v: attention(q, k, v, causal), [randn(2, 2, 4, 8), randn(2, 2, 4, 8), randn(2, 2, 4, 8)],
       causal=True)
g.case("attention, additive mask", "attention", attention, [randn(1, 2, 3, 4), randn(1, 2, 5, 4), randn(1, 2, 5, 4), randn(3, 5)])
g.case("attention with a scale", "attention", lambda q, k, v: (q @ k.transpose(-1, -2) * 0.3).softmax(-1) @ v, [randn(3, 4), randn(5, 4), randn(5, 2)],
       scale=0.3)


def mlp(x, w1, b1, w2, b2, labels):
    """Cross entropy of a two-layer perceptron, from its parts."""
    logits = F.gelu(x @ w1 + b1) @ w2 + b2
    return F.cross_entropy(logits, labels.long())


g.case("loss of a perceptron", "mlp_loss", mlp, [randn(6, 5), randn(5, 8), randn(8), randn(8, 3), randn(3), integers(torch.int32, 6, lo=0, hi=3)])


def block(x, norm, wq, wk, wv, wo, norm2, w1, w2, w3):
    """One llama block of one head without positions: the residual stream through attention and the gated feed-forward."""
    h = rmsnorm(x, norm)
    y = x + attention(h @ wq, h @ wk, h @ wv, causal) @ wo
    h = rmsnorm(y, norm2)
    return y + (F.silu(h @ w1) * (h @ w3)) @ w2


g.case("a llama block", "llama_block", block, [randn(4, 6), randn(6)] + [randn(6, 6) * 0.5 for _ in range(4)] + [randn(6), randn(6, 9) * 0.5, randn(9, 6) * 0.5, randn(6, 9) * 0.5])
g.write()
