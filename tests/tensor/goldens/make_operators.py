#!/usr/bin/env python3
"""Writes operators.json, the expected values of tests/tensor/operators_test.cpp: one case a line, ["op", inputs, attrs, expected, gradients].

An input is [dtype, shape, seed, kind]: its elements are numbers of a counter-based generator (`drawn` below, and in the test), so that only
results are stored: [dtype, shape, data]. The gradients are those of sum(y * c), where c is [f32, shape of y, seed, "n"] with the seed of the
case, at the float inputs of kind n, q, d, p or z. torch since 1.13 will do; values in double precision, rounded to 7 digits.
"""
import json
import math
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

NAMES = {torch.float32: "f32", torch.int32: "i32", torch.int64: "i64", torch.uint8: "u8", torch.bool: "bool"}
TYPES = {name: dtype for dtype, name in NAMES.items()}
SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5, -1.5, 0.25]
rng = random.Random(20261127)
cases = []


def hashed(seed, n):
    """Words of 32 bits for the counters 0 .. n-1."""
    mask = np.uint64(0xFFFFFFFF)
    h = (np.uint64(seed) * np.uint64(0x9E3779B1) + np.arange(n, dtype=np.uint64) * np.uint64(0x85EBCA6B)) & mask
    h ^= h >> np.uint64(15)
    h = (h * np.uint64(0x2C1B3C6D)) & mask
    h ^= h >> np.uint64(12)
    h = (h * np.uint64(0x297A2D39)) & mask
    return (h ^ (h >> np.uint64(15))).astype(np.int64)


def drawn(dtype, shape, seed, kind):
    n = math.prod(shape)
    h = hashed(seed, n)
    if kind == "n":  # from -2 to 2, of few digits
        v = (h % 41 - 20) / 10
    elif kind == "q":  # in [-2, 2), of few bits
        v = (h % 128 - 64) / 32
    elif kind == "d":  # from -10.24, all different up to 256 elements
        v = ((h % 8) * 256 + np.arange(n) % 256 - 1024) / 100
    elif kind == "p":  # from 0.5 to 2
        v = (h % 16 + 5) / 10
    elif kind == "z":  # with zeros
        v = np.where(h % 3 == 0, 0.0, (h % 41 - 20) / 10)
    elif kind == "s":
        v = np.array([SPECIAL[i] for i in h % 8])
    else:  # whole numbers in [low, high)
        v = h % (kind[1] - kind[0]) + kind[0]
    return torch.tensor(np.asarray(v).reshape(shape)).to(TYPES[dtype])


def number(v):
    if isinstance(v, float):
        return str(v) if not math.isfinite(v) else int(v) if v == int(v) and abs(v) < 1e6 else float("%.7g" % v)
    return int(v)


def numbers(t):
    return [number(v) for v in t.detach().reshape(-1).tolist()]


def case(op, f, *inputs, gradient=True, **attrs):
    """Inputs: (shape, kind) of f32, or (dtype, shape, kind). f gives a tensor."""
    specs, xs = [], []
    for i in inputs:
        dtype, shape, kind = i if len(i) == 3 else ("f32",) + i
        specs.append([dtype, list(shape), rng.randrange(1 << 16), kind])
        x = drawn(*specs[-1])
        xs.append(x.double() if dtype == "f32" else x)
    smooth = [x.requires_grad_(True) for x, s in zip(xs, specs) if gradient and s[0] == "f32" and s[3] in ("n", "q", "d", "p", "z")]
    y = f(*xs)
    shown = y.float() if y.dtype == torch.float64 else y
    row = [op, specs, attrs, [NAMES[shown.dtype], list(y.shape), numbers(y)]]
    if smooth:
        seed = rng.randrange(1 << 16)
        c = drawn("f32", list(y.shape), seed, "n").double()
        grads = torch.autograd.grad((y * c).sum(), smooth, allow_unused=True)
        row += [seed, [numbers(g if g is not None else torch.zeros_like(x)) for g, x in zip(grads, smooth)]]
    cases.append(row)


def shape(most=5, rank=None, least=1):
    return [rng.randint(least, most) for _ in range(rank or rng.randint(1, 3))]


def times(n):
    return range(n)


# ---- arithmetic ----
names = {"floor_divide": lambda a, b: torch.div(a, b, rounding_mode="floor"), "remainder": torch.remainder, "fmod": torch.fmod}
for name, f in names.items():
    for _ in times(18):
        s = shape(5, 2)
        case(name, f, ("i32", s, [-20, 20]), ("i32", s[rng.randint(0, 1):], [1, 7]), gradient=False)
        case(name, f, ("i32", s, [-20, 20]), ("i32", s, [-9, -1]), gradient=False)
        case(name, f, ("i64", s, [-300, 300]), ("u8", s, [1, 20]), gradient=False)
        case(name, f, (s, "q"), (s[rng.randint(0, 1):], "p"), gradient=name != "floor_divide")
        case(name, lambda a, b: f(a, -b), (s, "d"), (s, "p"), gradient=name != "floor_divide", negate=True)
    case(name, f, ([32], "s"), ([32], "s"), gradient=False) if name != "floor_divide" else None
for name, f in {"logical_and": torch.logical_and, "logical_or": torch.logical_or, "logical_xor": torch.logical_xor}.items():
    for dtype, kind in [("f32", "z"), ("i32", [-1, 2]), ("bool", [0, 2])]:
        case(name, f, (dtype, [3, 4], kind), ("i32", [4], [0, 2]), gradient=False)
for _ in times(6):
    case("isclose", lambda a, b: torch.isclose(a, b, rtol=0.25, atol=0.25), ([24], "q"), ([24], "q"), gradient=False, rtol=0.25, atol=0.25)
    case("lerp", torch.lerp, ([3, 4], "n"), ([3, 4], "n"), ([3, 4], "n"))
case("isclose", torch.isclose, ([40], "s"), ([40], "s"), gradient=False)
for name, f in {"shift_left": lambda a, b: a << b, "shift_right": lambda a, b: a >> b}.items():
    for dtype, low in [("i32", -9000), ("i64", -90000), ("u8", 0)]:
        for _ in times(4):
            case(name, f, (dtype, [10], [low, 200]), (dtype, [10], [0, 8]), gradient=False)

# ---- reductions and scans ----
for _ in times(50):
    s = shape(4, 3)
    axes = rng.sample([0, 1, 2], rng.randint(1, 2))
    keep = rng.random() < 0.5
    kind = rng.choice(["n", "z", "p", "z"])

    def product(x):
        for a in sorted(axes, reverse=True):
            x = x.prod(a, keepdim=keep)
        return x
    case("prod", product, (s, kind), axes=axes, keepdim=keep)
for _ in times(6):
    case("prod", lambda x: x.prod(1), ("i32", [3, 5], [-4, 5]), gradient=False, axes=[1])
    case("cumsum", lambda x: x.cumsum(1), ("i32", [3, 7], [-4, 5]), gradient=False, axis=1)
    case("cumprod", lambda x: x.cumprod(0), ("i32", [7, 2], [-4, 5]), gradient=False, axis=0)
for _ in times(60):
    s = shape(6, rng.randint(1, 3))
    axis = rng.randrange(len(s))
    case("cumsum", lambda x: x.cumsum(axis), (s, "n"), axis=axis)
    case("cumprod", lambda x: x.cumprod(axis - len(s)), (s, rng.choice(["p", "z", "n"])), axis=axis - len(s))
for n in [64, 65, 97, 128]:
    case("cumsum", lambda x: x.cumsum(0), ([n], "n"), axis=0)
    case("cumprod", lambda x: x.cumprod(0), ([n], "p"), axis=0)

# ---- indexing ----
for _ in times(70):
    s = shape(5, rng.randint(1, 3), 2)
    axis = rng.randrange(len(s))
    i = [rng.randint(1, n) for n in s]
    i[axis] = rng.randint(1, 7)
    dtype = rng.choice(["i32", "i64", "u8"])
    ids = (dtype, i, [0, s[axis]])
    case("gather", lambda x, at: x.gather(axis, at.long()), (s, "n"), ids, axis=axis)
    case("scatter_add", lambda x, at, v: x.scatter_add(axis, at.long(), v), (s, "n"), ids, (i, "n"), axis=axis)
    # of several at one place the last one: made so by hand, torch promises no order
    def last(x, at, v):
        winner = torch.full(x.shape, -1, dtype=torch.int64)
        numbered = torch.arange(at.numel()).reshape(at.shape)
        flat = at.long()
        for place in np.ndindex(*at.shape):
            to = list(place)
            to[axis] = int(flat[place])
            winner[tuple(to)] = numbered[place]
        picked = v.reshape(-1)[winner.clamp(min=0)]
        return torch.where(winner >= 0, picked, x)
    case("scatter", last, (s, "n"), ids, (i, "n"), axis=axis)
    case("index_select", lambda x, at: x.index_select(axis, at.long()), (s, "n"), (dtype, [rng.randint(1, 6)], [0, s[axis]]), axis=axis)

# ---- sorting ----
for _ in times(60):
    s = shape(9, rng.randint(1, 3))
    axis = rng.randrange(len(s))
    descending = rng.random() < 0.5
    spec = rng.choice([(s, "d"), (s, "d"), (s, "d"), ("i32", s, [-5, 6]), ("u8", s, [0, 256]), ("i64", s, [-2**33, 2**33])])
    differs = len(spec) == 2
    case("sort", lambda x: torch.sort(x, dim=axis, descending=descending, stable=True)[0],
         spec, gradient=differs, axis=axis, descending=descending)
    case("argsort", lambda x: torch.sort(x, dim=axis, descending=descending, stable=True)[1].int(), spec, gradient=False, axis=axis, descending=descending)
    k = rng.randint(1, s[axis])
    case("topk", lambda x: x.topk(k, axis, descending)[0], (s, "d"), axis=axis, k=k, largest=descending)
    case("topk_places", lambda x: x.topk(k, axis, descending)[1].int(), (s, "d"), gradient=False, axis=axis, k=k, largest=descending)
for n in [33, 64, 65, 100, 130]:
    for descending in [False, True]:
        case("sort", lambda x: torch.sort(x, dim=1, descending=descending, stable=True)[0], ([2, n], "d"), axis=1, descending=descending)
        case("argsort", lambda x: torch.sort(x, dim=0, descending=descending, stable=True)[1].int(), ("i32", [n], [-5, 6]), gradient=False, axis=0,
             descending=descending)
        case("argsort", lambda x: torch.sort(x, dim=0, descending=descending, stable=True)[1].int(), ("i64", [n], [-2**34, 2**34]), gradient=False,
             axis=0, descending=descending)
        for k in [1, 5, 32]:
            case("topk", lambda x: x.topk(k, 0, descending)[0], ([n], "d"), axis=0, k=k, largest=descending)
for n in [20, 50]:
    for descending in [False, True]:
        case("argsort", lambda x: torch.sort(x, dim=0, descending=descending, stable=True)[1].int(), ([n], "s"), gradient=False, axis=0, descending=descending)
        case("sort", lambda x: torch.sort(x, dim=0, descending=descending, stable=True)[0], ([n], "s"), gradient=False, axis=0, descending=descending)

# ---- movement ----
for _ in times(40):
    s = shape(6, rng.randint(1, 3), 2)
    axis = rng.randrange(len(s))
    size, step = rng.randint(1, s[axis]), rng.randint(1, 4)
    case("unfold", lambda x: x.unfold(axis, size, step), (s, "n"), axis=axis, size=size, step=step)
    pairs = [[rng.randint(0, 2), rng.randint(0, 2)] for _ in s]
    flat = [v for p in reversed(pairs) for v in p]
    case("pad_value", lambda x: F.pad(x, flat, value=-2.5), (s, "n"), pairs=pairs, value=-2.5)
    b, a = rng.randint(0, s[axis]), rng.randint(0, s[axis])
    case("pad_circular", lambda x: torch.cat([x.narrow(axis, s[axis] - b, b), x, x.narrow(axis, 0, a)], axis), (s, "n"), axis=axis, before=b, after=a)
for _ in times(12):
    s = shape(4, 3)
    p, q = rng.sample([0, 1, 2], 2)
    s[q] = s[p]
    case("diagonal", lambda x: x.diagonal(dim1=p, dim2=q), (s, "n"), a=p, b=q)
for first, last, step in [(0, 5, 1), (1, 2.5, 0.5), (3, -2, -1.25), (-1, -1, 2), (0, 1, 0.3)]:
    case("arange", lambda: torch.arange(first, last, step, dtype=torch.float64), first=first, last=last, step=step)

# ---- convolutions ----
for _ in times(40):
    g = rng.choice([1, 1, 2])
    cin, out, k = g * rng.randint(1, 2), g * rng.randint(1, 2), rng.randint(1, 3)
    d, st, pad = rng.randint(1, 2), rng.randint(1, 3), rng.randint(0, 2)
    n = rng.randint(d * (k - 1) + 1, 7)
    more = dict(stride=st, padding=pad, dilation=d, groups=g)
    bias = [([out], "n")] if rng.random() < 0.5 else []
    case("conv1d", lambda x, w, b=None: F.conv1d(x, w, b, **more), ([rng.randint(1, 2), cin, n], "n"), ([out, cin // g, k], "n"), *bias, **more)
    op = rng.randint(0, max(st, d) - 1)
    pad = rng.randint(0, min(1, (n - 1) * st + d * (k - 1)) // 2)
    more = dict(stride=st, padding=pad, dilation=d, groups=g, output_padding=op)
    case("conv_transpose1d", lambda x, w, b=None: F.conv_transpose1d(x, w, b, **more), ([rng.randint(1, 2), cin, n], "n"), ([cin, out // g, k], "n"),
         *bias, **more)
for _ in times(24):
    g = rng.choice([1, 1, 2])
    cin, out, kh, kw = g * rng.randint(1, 2), g, rng.randint(1, 3), rng.randint(1, 2)
    d, st, pad = rng.randint(1, 2), rng.randint(1, 2), rng.randint(0, 1)
    h, w = rng.randint(d * (kh - 1) + 1, 6), rng.randint(d * (kw - 1) + 1, 4)
    more = dict(stride=st, padding=pad, dilation=d, groups=g)
    case("conv2d", lambda x, f: F.conv2d(x, f, **more), ([1, cin, h, w], "n"), ([out, cin // g, kh, kw], "n"), **more)
    more = dict(stride=st, padding=0, dilation=d, groups=g, output_padding=rng.randint(0, max(st, d) - 1))
    case("conv_transpose2d", lambda x, f: F.conv_transpose2d(x, f, **more), ([1, cin, 3, 2], "n"), ([cin, out // g, kh, kw], "n"), **more)
    case("im2col", lambda x: F.unfold(x, (kh, kw), dilation=d, padding=pad, stride=st), ([1, cin, h, w], "n"), window=[kh, kw], stride=st, padding=pad,
         dilation=d)

# ---- pooling, resizing ----
for _ in times(45):
    k = rng.randint(1, 4)
    st, pad, d, ceil = rng.randint(1, 3), rng.randint(0, k // 2), rng.randint(1, 2), rng.random() < 0.5
    n = rng.randint(d * (k - 1) + 1, 11)
    more = dict(window=k, stride=st, padding=pad, ceil=ceil)
    case("max_pool1d", lambda x: F.max_pool1d(x, k, st, pad, d, ceil_mode=ceil), ([1, 2, n], "d"), dilation=d, **more)
    counted = rng.random() < 0.5
    case("avg_pool1d", lambda x: F.avg_pool1d(x, k, st, pad, ceil, counted), ([1, 2, n], "n"), count_padding=counted, **more)
for _ in times(24):
    k, st = [rng.randint(1, 3), rng.randint(1, 3)], [rng.randint(1, 2), rng.randint(1, 3)]
    pad, ceil, counted = [k[0] // 2 * rng.randint(0, 1), k[1] // 2 * rng.randint(0, 1)], rng.random() < 0.5, rng.random() < 0.5
    s = [1, 1, rng.randint(3, 6), rng.randint(3, 5)]
    case("max_pool2d", lambda x: F.max_pool2d(x, k, st, pad, ceil_mode=ceil), (s, "d"), window=k, stride=st, padding=pad, ceil=ceil)
    case("avg_pool2d", lambda x: F.avg_pool2d(x, k, st, pad, ceil, counted), (s, "n"), window=k, stride=st, padding=pad, ceil=ceil, count_padding=counted)
    to = [rng.randint(1, 5), rng.randint(1, 5)]
    case("adaptive_avg_pool", lambda x: F.adaptive_avg_pool2d(x, to), (s, "n"), sizes=to)
    case("interpolate", lambda x: F.interpolate(x, size=to, mode="bilinear", align_corners=False), (s, "n"), sizes=to, how="linear", corners=False)
    case("interpolate", lambda x: F.interpolate(x, size=to, mode="bilinear", align_corners=True), (s, "n"), sizes=to, how="linear", corners=True)
for n, m in [(2, 4), (3, 6), (4, 2), (5, 3), (2, 3), (4, 7), (8, 5), (1, 3)]:
    case("interpolate", lambda x: F.interpolate(x, size=m, mode="nearest"), ([1, 2, n], "n"), sizes=[m], how="nearest", corners=False)

# ---- norms ----
for s in [[4, 2], [3, 2, 3], [2, 2, 2, 2], [2, 3, 4]]:
    c = [s[1]]
    for _ in times(3):
        along = [1, -1] + [1] * (len(s) - 2)  # torch has no gradients at the statistics
        case("batch_norm", lambda x, *t: (lambda m, v, w, b: (x - m) / (v + 1e-3).sqrt() * w + b)(*[a.reshape(along) for a in t]), (s, "n"), (c, "n"), (c, "p"), (c, "n"), (c, "n"), eps=1e-3)
        case("batch_norm_training", lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=1e-3), (s, "d"), (c, "n"), (c, "n"), eps=1e-3)

# ---- einsum ----
fixed = ["ij,jk->ik", "ij,jk", "bij,bjk->bik", "ij->ji", "ij->", "ij->j", "ii->i", "ii", "i,j->ij", "i,i->", "i,i->i", "ij,ij->i", "ijj->i", "ij,jk,kl->il",
         "bhtd,bhsd->bhts", "bthd,bshd->bhts", "...ij,...jk->...ik", "...i,i->...", "i...->...i", "...ij->...ji", "abc,cd,be->ade", "iij,jk->ik",
         "ab,cd->acbd", "ij,kj->ik", "ijk,jil->kl", "a,ab,b->", "BA,Ab", "ij,j", "ij,ij->ij", "abab->ab", "i...,i...->...", "ij,k->ij"]
for equation in fixed:
    for _ in times(3):
        size = {c: rng.randint(1, 4) for c in "abcdefghijklstBA"}
        dots = [rng.randint(1, 3) for _ in range(rng.randint(0, 2))]

        def extents(term):
            s = []
            while term:
                s += dots if term.startswith("...") else [size[term[0]]]
                term = term[3 if term.startswith("...") else 1:]
            return s
        case("einsum", lambda *x: torch.einsum(equation, *x), *[(extents(t), "n") for t in equation.split("->")[0].split(",")], equation=equation)
for _ in times(60):
    letters = "abcd"
    size = {c: rng.randint(1, 3) for c in letters}
    terms = ["".join(rng.choices(letters, k=rng.randint(1, 3))) for _ in range(rng.randint(1, 3))]
    used = sorted(set("".join(terms)))
    rng.shuffle(used)
    equation = ",".join(terms) + "->" + "".join(used[:rng.randint(0, len(used))])
    case("einsum", lambda *x: torch.einsum(equation, *x), *[([size[c] for c in t], "n") for t in terms], equation=equation)


# ---- attention ----
def attention(q, k, v, mask=None, causal=False, scale=0):
    h, g = q.shape[-3], k.shape[-3]
    if h != g:
        k, v = k.repeat_interleave(h // g, -3), v.repeat_interleave(h // g, -3)
    scores = q @ k.transpose(-1, -2) * (scale or q.shape[-1] ** -0.5)
    t, s = scores.shape[-2:]
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    if causal:
        scores = scores.masked_fill(torch.ones(t, s).tril(s - t) == 0, -math.inf)
    return scores.softmax(-1) @ v


for _ in times(12):
    g, each, t, d = rng.randint(1, 2), rng.randint(1, 3), rng.randint(1, 3), rng.randint(1, 4)
    s = t + rng.randint(0, 2)
    q, k = [g * each, t, d], [g, s, d]
    lead = [] if rng.random() < 0.5 else [2]
    case("attention", attention, (lead + q, "n"), (lead + k, "n"), (lead + k, "n"))
    case("attention", lambda *x: attention(*x, causal=True), (lead + q, "n"), (lead + k, "n"), (lead + k, "n"), causal=True)
    case("attention", lambda *x: attention(*x, scale=0.3), (lead + q, "n"), (lead + k, "n"), (lead + k, "n"), ([g * each, t, s], "n"), scale=0.3)
    case("attention", lambda a, b, c, m: attention(a, b, c, m | torch.eye(t, s).bool()), (lead + q, "n"), (lead + k, "n"), (lead + k, "n"),
         ("bool", [t, s], [0, 2]), eye=True)

text = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
Path(__file__).with_name("operators.json").write_text("[\n" + text + "\n]\n")
print("operators", len(cases), len(text))
