#!/usr/bin/env python3
"""Make the small Hugging Face checkpoints here and their logits, by transformers alone.

Each folder holds config.json and model*.safetensors as save_pretrained writes them, of seeded random weights, and
logits.json: token ids, and the logits after some of them that transformers' LlamaForCausalLM computes in float32.

Needs: torch, transformers, safetensors (all from PyPI).  Run:

    python make_checkpoints.py
"""

import json
import shutil
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).resolve().parent
TOKENS = 56
AFTER = (0, 1, 17, 40, 55)  # logits are stored after these positions

COMMON = dict(vocab_size=48, num_hidden_layers=2, max_position_embeddings=64, initializer_range=0.25)
LLAMA3 = dict(
    rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32
)
CHECKPOINTS = {
    # folder: (what LlamaConfig gets, dtype of the file, save_pretrained's max_shard_size)
    "mha_f32": (dict(hidden_size=32, intermediate_size=40, num_attention_heads=4, num_key_value_heads=4), torch.float32, "1GB"),
    "gqa_llama3_tied_bf16": (
        dict(
            hidden_size=32,
            intermediate_size=48,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            rope_theta=500000.0,
            rope_scaling=LLAMA3,
            tie_word_embeddings=True,
            rms_norm_eps=1e-5,
        ),
        torch.bfloat16,
        "1GB",
    ),
    "gqa_linear_f16_sharded": (
        dict(
            hidden_size=24,
            intermediate_size=32,
            num_attention_heads=6,
            num_key_value_heads=2,
            head_dim=4,
            rope_scaling=dict(rope_type="linear", factor=2.0),
        ),
        torch.float16,
        "6KB",
    ),
}


def main():
    for name, (options, dtype, shard) in CHECKPOINTS.items():
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        torch.manual_seed(sum(map(ord, name)))
        model = LlamaForCausalLM(LlamaConfig(**COMMON, **options)).to(dtype)
        for p in model.parameters():
            if p.ndim == 1:  # norms begin as ones, which would hide one that is forgotten
                p.data.copy_(torch.rand(p.shape) + 0.5)
        model.save_pretrained(folder, max_shard_size=shard)
        (folder / "generation_config.json").unlink(missing_ok=True)
        ids = torch.randint(0, COMMON["vocab_size"], (1, TOKENS))
        with torch.no_grad():
            logits = LlamaForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="eager")(ids).logits[0]
        for file in folder.glob("*.safetensors"):
            file.chmod(0o644)
        golden = {
            "ids": ids[0].tolist(),
            "logits": {str(i): [round(float(x), 6) for x in logits[i]] for i in AFTER},
        }
        (folder / "logits.json").write_text(json.dumps(golden) + "\n")
        print(name, sum(f.stat().st_size for f in folder.iterdir()), "bytes", float(logits.abs().max()))


if __name__ == "__main__":
    main()
