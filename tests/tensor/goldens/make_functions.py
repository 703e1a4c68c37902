#!/usr/bin/env python3
"""Writes functions.json: the functions that are made of other ops. Cases as in make_goldens.py; torch since 1.13 will do."""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

from stored import stored

torch.manual_seed(20261127)
cases = []


def case(name, op, f, inputs, gradient=True, **attrs):
    """Values in double precision where the op is one of floats, rounded once."""
    xs = [x.clone() for x in inputs]
    wide = [x.double().requires_grad_(gradient) if x.dtype == torch.float32 else x for x in xs]
    out = f(*wide)
    narrow = out.float() if out.dtype == torch.float64 else out
    c = {"name": name, "op": op, "inputs": [stored(x) for x in xs], "attrs": attrs, "expected": [stored(narrow)]}
    if gradient:
        floats = [x for x in wide if x.dtype == torch.float64]
        cotangent = torch.randn(out.shape)
        grads = torch.autograd.grad((out * cotangent.double()).sum(), floats, allow_unused=True)
        c["cotangent"] = stored(cotangent)
        c["gradients"] = [stored((g if g is not None else torch.zeros_like(x)).float()) for g, x in zip(grads, floats)]
    cases.append(c)


def within(low, high, *shape):
    return torch.rand(*(shape or (24,))) * (high - low) + low


everywhere = {
    "square": torch.square, "exp2": torch.exp2, "expm1": torch.expm1, "atan": torch.atan, "sinh": torch.sinh, "cosh": torch.cosh,
    "asinh": torch.asinh, "leaky_relu": F.leaky_relu, "elu": F.elu, "softplus": F.softplus, "logsigmoid": F.logsigmoid, "mish": F.mish,
    "relu6": F.relu6, "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish, "frac": torch.frac,
}
for name, f in everywhere.items():
    case(name, name, f, [within(-4, 4)])
    case(name + " near 0", name, f, [torch.tensor([-1e-3, -3e-8, 1e-30, 2e-6, 0.01, 0.3])])
    case(name + " further away", name, f, [torch.tensor([-30.0, -18.5, -9.25, 9.25, 18.5, 30.0])])
bounded = {"log2": (torch.log2, 0.01, 9), "log10": (torch.log10, 0.01, 9), "log1p": (torch.log1p, -0.9, 9), "tan": (torch.tan, -1.4, 1.4),
           "asin": (torch.asin, -0.95, 0.95), "acos": (torch.acos, -0.95, 0.95), "acosh": (torch.acosh, 1.05, 9), "atanh": (torch.atanh, -0.9, 0.9)}
for name, (f, low, high) in bounded.items():
    case(name, name, f, [within(low, high)])
    case(name + " out of range", name, f, [torch.tensor([low - 9, math.nan])], gradient=False) if name != "tan" else None
case("log1p near 0", "log1p", torch.log1p, [torch.tensor([0.0, -1e-3, -3e-8, 1e-30, 2e-6, 0.01])])
case("asin of the ends", "asin", torch.asin, [torch.tensor([-1.0, 0.0, 1.0])], gradient=False)
case("acos of the ends", "acos", torch.acos, [torch.tensor([-1.0, 0.0, 1.0])], gradient=False)
case("acosh of 1", "acosh", torch.acosh, [torch.tensor([1.0, 1.0000001])], gradient=False)
special = torch.tensor([math.nan, math.inf, -math.inf, 0.0, -0.0])
for name in ["square", "exp2", "expm1", "atan", "sinh", "cosh", "leaky_relu", "elu", "softplus", "relu6", "hardsigmoid"]:
    case(name + " of special values", name, everywhere[name], [special], gradient=False)
for name, f in {"log2": torch.log2, "log10": torch.log10, "log1p": torch.log1p}.items():
    case(name + " of special values", name, f, [special], gradient=False)
halves = torch.tensor([-2.5, -1.5, -0.75, -0.5, -0.0, 0.49999997, 0.5, 0.75, 1.5, 2.5, 3.5, 1e10, math.inf, math.nan])
for name, f in {"ceil": torch.ceil, "trunc": torch.trunc, "round": torch.round}.items():
    case(name, name, f, [halves], gradient=False)
    case(name + " of integers", name, lambda x: x.clone(), [torch.tensor([-3, 0, 5], dtype=torch.int32)], gradient=False)
case("sign", "sign", torch.sign, [torch.tensor([-2.5, -0.0, 0.0, 1e-30, math.inf])], gradient=False)
case("sign of integers", "sign", torch.sign, [torch.tensor([-3, 0, 5], dtype=torch.int32)], gradient=False)
for name, f in {"isnan": torch.isnan, "isinf": torch.isinf, "isfinite": torch.isfinite}.items():
    case(name, name, f, [torch.cat([special, torch.tensor([3e38, 1.0])])], gradient=False)
    case(name + " of integers", name, f, [torch.tensor([1, 0], dtype=torch.int32)], gradient=False)
for exponent in [-2, -1, 0, 0.5, 1, 2, 3, 7, 2.5, -0.3]:
    case("pow %g" % exponent, "pow_number", lambda x: x.pow(exponent), [within(0.1, 3, 3, 4)], exponent=exponent)
for exponent in [-3, 2, 5]:
    case("pow %g of negative numbers" % exponent, "pow_number", lambda x: x.pow(exponent), [within(-3, -0.2)], exponent=exponent)
case("pow", "pow", torch.pow, [within(0.1, 3, 3, 4), within(-2, 2, 4)])
case("pow of special pairs", "pow", torch.pow, [torch.tensor([-2.0, -2.0, -2.0, 0.0, 0.0, 1.0, 5.0, 0.0, -8.0]),
                                                torch.tensor([3.0, 2.0, 0.5, 0.0, 2.0, math.nan, 0.0, -1.0, -1.0])], gradient=False)
case("atan2", "atan2", torch.atan2, [within(-2, 2, 4, 6), within(-2, 2, 6)])
case("atan2 on the axes", "atan2", torch.atan2, [torch.tensor([0.0, 0.0, 0.0, 1.0, -1.0]), torch.tensor([0.0, 1.0, -1.0, 0.0, 0.0])], gradient=False)
case("clamp", "clamp", lambda x: x.clamp(-0.5, 1.25), [within(-3, 3, 3, 8)], low=-0.5, high=1.25)
case("clamp of integers", "clamp", lambda x: x.clamp(-1, 2), [torch.tensor([-4, -1, 0, 2, 7], dtype=torch.int32)], gradient=False, low=-1, high=2)
case("clamp keeps a NaN", "clamp", lambda x: x.clamp(-1, 2), [special], gradient=False, low=-1, high=2)
case("masked_fill", "masked_fill", lambda x, m: x.masked_fill(m, -7.5), [within(-1, 1, 3, 4), torch.rand(4) < 0.5], value=-7.5)
near = torch.tensor([1.0, 2.0, math.nan, -0.0, math.inf])
for name, f in {"less_equal": torch.le, "greater": torch.gt, "greater_equal": torch.ge}.items():
    case(name, name, f, [near, torch.tensor([[1.0, 3.0, math.nan, 0.0, math.inf], [1.5, 1.0, 0.0, 1.0, 0.0]])], gradient=False)
for axes in [[0], [1], [0, 2], [0, 1, 2]]:
    for keep in [False, True]:
        more = dict(axes=axes, keepdim=keep)
        for correction in [0, 1]:
            case("var %s %d" % (axes, correction), "var", lambda x: x.var(axes, unbiased=bool(correction), keepdim=keep), [within(-2, 2, 3, 4, 5)],
                 correction=correction, **more)
        case("std %s" % axes, "std", lambda x: x.std(axes, keepdim=keep), [within(-2, 2, 3, 4, 5)], **more)
        case("logsumexp %s" % axes, "logsumexp", lambda x: x.logsumexp(axes, keep), [within(-2, 2, 3, 4, 5)], **more)
case("var of one element", "var", lambda x: x.var([1]), [within(-2, 2, 3, 1)], gradient=False, axes=[1])
case("logsumexp of large values", "logsumexp", lambda x: x.logsumexp([1]),
     [torch.tensor([[1e30, 1.0], [-math.inf, -math.inf], [math.inf, 1.0], [-800.0, -801.0], [math.nan, 1.0]])], gradient=False, axes=[1])
for axis in [0, 1, -1]:
    case("log_softmax %d" % axis, "log_softmax", lambda x: x.log_softmax(axis), [within(-3, 3, 3, 4, 5)], axis=axis)
    case("argmin %d" % axis, "argmin", lambda x: x.argmin(axis).int(), [within(-3, 3, 3, 4, 5)], gradient=False, axis=axis)
    some = torch.rand(3, 4, 5) < 0.2
    case("any %d" % axis, "any", lambda x: x.any(axis), [some], gradient=False, axes=[axis])
    case("all %d" % axis, "all", lambda x: x.all(axis), [some.logical_not()], gradient=False, axes=[axis])
case("log_softmax of large values", "log_softmax", lambda x: x.log_softmax(-1), [torch.tensor([[1000.0, 999.0, -1000.0]])], axis=-1)
low = -2**31
case("argmin of integers", "argmin", lambda x: x.argmin(0).int(), [torch.tensor([3, low, low, 2**31 - 1], dtype=torch.int32)], gradient=False, axis=0)
case("any of numbers", "any", lambda x: x.bool().any(0), [torch.tensor([0.0, 0.25])], gradient=False, axes=[0])


# ---- movement and creation ----
def stepped(x, axis, begin, end, step):
    """As Python slices; torch has no negative steps."""
    places = range(x.shape[axis])[slice(begin, end, step)]
    return x.index_select(axis, torch.tensor(list(places), dtype=torch.int64))


ends = [None, 0, 1, 4, 7, 9, -1, -3, -7, -20]
for begin in ends:
    for end in ends:
        for step in [1, 2, 3, 10, -1, -2, -7]:
            if len(range(7)[slice(begin, end, step)]) > 0:
                case("slice %s:%s:%s" % (begin, end, step), "slice_step", lambda x: stepped(x, 0, begin, end, step), [torch.arange(7.0)], gradient=False,
                     axis=0, begin=begin, end=end, step=step)
for axis, begin, end, step in [(0, None, None, 2), (1, -2, None, -2), (-1, 1, -1, 3)]:
    case("slice axis %d" % axis, "slice_step", lambda x: stepped(x, axis, begin, end, step), [within(-1, 1, 3, 4, 6)], axis=axis, begin=begin, end=end, step=step)
for times in [[2, 3], [1, 1, 2], [3, 1, 2]]:
    case("repeat %s" % times, "repeat", lambda x: x.repeat(times), [within(-1, 1, 2, 3)], times=times)
for axis in [0, 1, -1]:
    case("repeat_interleave %d" % axis, "repeat_interleave", lambda x: x.repeat_interleave(3, axis), [within(-1, 1, 2, 3, 2)], times=3, axis=axis)
for by in [0, 1, -1, 3, 5, -7]:
    case("roll %d" % by, "roll", lambda x: x.roll(by, 1), [within(-1, 1, 2, 5)], by=by, axis=1)
case("split of sizes", "split_sizes", lambda x: x.split([1, 4, 2], 1)[1], [within(-1, 1, 2, 7)], sizes=[1, 4, 2], axis=1, part=1)
for part in [0, 2]:
    case("split by 3, part %d" % part, "split", lambda x: x.split(3, 1)[part], [within(-1, 1, 2, 7)], size=3, axis=1, part=part)
for diagonal in [-2, -1, 0, 1, 3]:
    case("tril %d" % diagonal, "tril", lambda x: x.tril(diagonal), [within(-1, 1, 2, 3, 4)], diagonal=diagonal)
    case("triu %d" % diagonal, "triu", lambda x: x.triu(diagonal), [within(-1, 1, 2, 4, 3)], diagonal=diagonal)
for before, after in [(0, 0), (1, 2), (3, 0), (0, 3)]:
    case("reflect %d %d" % (before, after), "pad_reflect", lambda x: F.pad(x, (before, after), mode="reflect"), [within(-1, 1, 2, 3, 4)], axis=-1,
         before=before, after=after)
    case("replicate %d %d" % (before, after), "pad_replicate", lambda x: F.pad(x, (before, after), mode="replicate"), [within(-1, 1, 2, 3, 4)], axis=2,
         before=before, after=after)
for first, last, n in [(0, 1, 5), (-2, 3.5, 8), (4, -1, 2), (3, 9, 1)]:
    case("linspace %g %g %d" % (first, last, n), "linspace", lambda: torch.linspace(first, last, n), [], gradient=False, first=first, last=last, n=n)
case("eye", "eye", lambda: torch.eye(4), [], gradient=False, n=4)
case("one_hot", "one_hot", lambda i: F.one_hot(i.long(), 5), [torch.tensor([[0, 4], [2, 2]], dtype=torch.int32)], gradient=False, classes=5)
text = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
Path(__file__).with_name("functions.json").write_text("[\n" + text + "\n]\n")
print("functions", len(cases))
