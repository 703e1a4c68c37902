"""How a tensor lies in the golden files: dtype, shape and data; numbers that JSON lacks are strings."""
import math

import torch

NAMES = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16", torch.bool: "bool", torch.int8: "i8",
         torch.uint8: "u8", torch.int16: "i16", torch.int32: "i32", torch.int64: "i64"}


def number(x):
    if isinstance(x, float) and not math.isfinite(x):
        return "nan" if math.isnan(x) else "inf" if x > 0 else "-inf"
    return float("%.9g" % x) if isinstance(x, float) else int(x)


def stored(t):
    t = t.detach()
    return {"dtype": NAMES[t.dtype], "shape": list(t.shape), "data": [number(x) for x in t.flatten().tolist()]}
