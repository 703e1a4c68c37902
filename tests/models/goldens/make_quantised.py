#!/usr/bin/env python3
"""Writes quantised.json: packed rows and what they mean, by the `gguf` package (PyPI), which ggml's own scripts use.

    pip install gguf && ./make_quantised.py
"""
import json
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize, quantize

rng = np.random.default_rng(20261127)
rows, blocks = 3, 2
sizes = {"Q8_0": (32, 34, [0]), "Q4_0": (32, 18, [0]), "Q4_K": (256, 144, [0, 2]), "Q6_K": (256, 210, [208]), "F16": (1, 2, [0]), "BF16": (1, 2, [])}
result = {"decoded": [], "packed": []}
for name, (elements, size, scales) in sizes.items():
    n = blocks if elements > 1 else 20
    raw = rng.integers(0, 256, (rows, n, size), dtype=np.uint8)  # every pattern of bits
    for at in scales:  # but for infinities and NaNs as scales
        raw[:, :, at:at + 2] = (rng.standard_normal((rows, n)) * 0.02).astype(np.float16)[..., None].view(np.uint8)
    if name == "BF16":
        raw = (rng.standard_normal((rows, n)).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)[..., None].view(np.uint8)
    raw = raw.reshape(rows, n * size)
    values = dequantize(raw, T[name]).astype(np.float32)
    result["decoded"].append({"type": name, "shape": list(values.shape), "bytes": raw.tobytes().hex(), "values": values.tobytes().hex()})
for name in ["Q8_0", "Q4_0"]:
    values = rng.standard_normal((4, 32)).astype(np.float32)
    values[2] = 0
    values[3, :3] = [1.5, -1.5, 1.5]  # the greatest magnitude twice
    values[3, 3:] *= 0.3
    result["packed"].append({"type": name, "values": values.tobytes().hex(), "bytes": quantize(values, T[name]).tobytes().hex()})
Path(__file__).with_name("quantised.json").write_text(json.dumps(result, indent=1) + "\n")
