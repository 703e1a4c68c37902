#!/usr/bin/env python3
"""Make picollama.gguf: train a tokenizer and a tiny llama on free licence texts.

Everything is made from scratch: a sentencepiece BPE tokenizer with byte
fallback, a llama (RMSNorm, grouped-query attention, interleaved-pair RoPE,
SwiGLU, untied output head) trained with PyTorch on one CPU thread, and a GGUF
v3 file written by the small writer below.

Needs: torch>=2.9, numpy, sentencepiece (all from PyPI).  Run:

    python make_picollama.py            # writes picollama.gguf next to this file

The run is seeded; on one machine with one set of library versions it repeats
itself, elsewhere the weights differ in the last bits and so does every later
step.  make_goldens.py must therefore be run again after this script.
"""

import argparse
import hashlib
import io
import json
import math
import re
import struct
import time
from pathlib import Path

import numpy as np
import sentencepiece as spm
import torch
import torch.nn as nn
import torch.nn.functional as F

# The texts, as Debian's base-files ships them.  Each says of itself "Everyone
# is permitted to copy and distribute verbatim copies of this license document".
TEXTS = {
    "GPL-1": "d77d235e41d54594865151f4751e835c5a82322b0e87ace266567c3391a4b912",
    "GPL-2": "8177f97513213526df2cf6184d8ff986c675afb514d4e68a404010521b880643",
    "GPL-3": "3972dc9744f6499f0f9b2dbf76696f2ae7ad8af9b23dde66d6af86c9dfb36986",
    "LGPL-2": "681e386e44a19d7d0674b4320272c90e66b6610b741e7e6305f8219c42e85366",
    "LGPL-2.1": "dc626520dcd53a22f727af3ee42c770e56c97a64fe3adb063799d8ab032fe551",
    "LGPL-3": "e3a994d82e644b03a792a930f574002658412f62407f5fee083f2555c5f23118",
    "GFDL-1.2": "d8e94ae5fdb5433fcae2961aeb1a8cf17174d6f4a0465d24bf37dd8a038bd439",
    "GFDL-1.3": "110535522396708cea37c72a802c5e7e81391139f5f7985631c93ef242b206a4",
}

VOCAB, DIM, LAYERS, HEADS, KV_HEADS, HEAD_DIM, FFN, CTX = 1024, 128, 4, 4, 2, 32, 352, 256
EPS, ROPE_BASE = 1e-5, 10000.0
UNK, BOS, EOS = 0, 1, 2
IGNORE = -100

# Matrices stored as F16; all others, and the norms, are stored as F32.
F16_TENSORS = re.compile(r"token_embd|ffn_(gate|up|down)")


# --------------------------------------------------------------------- text


def read_texts(folder):
    """The documents, one paragraph a line, with the hard line breaks undone."""
    documents = []
    for name, expected in TEXTS.items():
        raw = (folder / name).read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        if digest != expected:
            print(f"warning: {name} is not the file the shipped model was trained on ({digest})")
        paragraphs = re.split(r"\n\s*\n", raw.decode("ascii"))
        lines = (" ".join(p.split()) for p in paragraphs)
        documents.append("\n".join(line for line in lines if line))
    return documents


def train_tokenizer(documents):
    """A sentencepiece BPE model that leaves its input's characters alone."""
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter("\n".join(documents).split("\n")),
        model_writer=model,
        model_type="bpe",
        vocab_size=VOCAB,
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=True,
        max_sentence_length=1 << 20,
        unk_id=UNK,
        bos_id=BOS,
        eos_id=EOS,
        pad_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return spm.SentencePieceProcessor(model_proto=model.getvalue())


WORDS = r"(?:^|\s)(?=\S)"
SENTENCES = r"(?:^|\n|(?<=[.:;]) )(?=\S)"
REACH = 4000  # characters; always more than CTX tokens


def make_windows(documents, tokenizer, starts):
    """One row of CTX + 1 ids for each match of starts: BOS, then the text from there on."""
    rows = []
    for text in documents:
        for match in re.finditer(starts, text):
            rest = text[match.end() : match.end() + REACH]
            ids = [BOS] + tokenizer.encode(rest)
            if len(rest) < REACH:
                ids.append(EOS)
            ids = ids[: CTX + 1]
            rows.append(ids + [IGNORE] * (CTX + 1 - len(ids)))
    return torch.tensor(rows)


# -------------------------------------------------------------------- model


class RMSNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(DIM))

    def forward(self, x):
        return F.rms_norm(x, (DIM,), self.weight, EPS)


def rope(x, cos, sin):
    """Turn the pairs (2i, 2i+1) of each head; x is batch, head, time, HEAD_DIM."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class Block(nn.Module):
    """One layer; the attributes carry GGUF's names."""

    def __init__(self):
        super().__init__()
        self.attn_norm = RMSNorm()
        self.attn_q = nn.Linear(DIM, HEADS * HEAD_DIM, bias=False)
        self.attn_k = nn.Linear(DIM, KV_HEADS * HEAD_DIM, bias=False)
        self.attn_v = nn.Linear(DIM, KV_HEADS * HEAD_DIM, bias=False)
        self.attn_output = nn.Linear(HEADS * HEAD_DIM, DIM, bias=False)
        self.ffn_norm = RMSNorm()
        self.ffn_gate = nn.Linear(DIM, FFN, bias=False)
        self.ffn_up = nn.Linear(DIM, FFN, bias=False)
        self.ffn_down = nn.Linear(FFN, DIM, bias=False)

    def forward(self, x, cos, sin):
        batch, time_, _ = x.shape

        def split(y, heads):
            return y.view(batch, time_, heads, HEAD_DIM).transpose(1, 2)

        h = self.attn_norm(x)
        q = rope(split(self.attn_q(h), HEADS), cos, sin)
        k = rope(split(self.attn_k(h), KV_HEADS), cos, sin)
        v = split(self.attn_v(h), KV_HEADS)
        # Query heads 0 and 1 read KV head 0, query heads 2 and 3 read KV head 1.
        k = k.repeat_interleave(HEADS // KV_HEADS, 1)
        v = v.repeat_interleave(HEADS // KV_HEADS, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn_output(y.transpose(1, 2).reshape(batch, time_, -1))
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.token_embd = nn.Embedding(VOCAB, DIM)
        self.blk = nn.ModuleList(Block() for _ in range(LAYERS))
        self.output_norm = RMSNorm()
        self.output = nn.Linear(DIM, VOCAB, bias=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                std = 0.02 if name.startswith(("token_embd", "output")) else DIM**-0.5
                if name.endswith(("attn_output.weight", "ffn_down.weight")):
                    std /= math.sqrt(2 * LAYERS)
                nn.init.normal_(p, std=std)
        angle = torch.outer(
            torch.arange(CTX).float(),
            ROPE_BASE ** (-torch.arange(0, HEAD_DIM, 2).float() / HEAD_DIM),
        )
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, ids):
        x = self.token_embd(ids)
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        for block in self.blk:
            x = block(x, cos, sin)
        return self.output(self.output_norm(x))


# ----------------------------------------------------------------- training


def window_loss(model, rows):
    logits = model(rows[:, :-1].clamp(min=0))
    return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), ignore_index=IGNORE)


def train(model, windows, args):
    """Muon for the layers' matrices, AdamW for the rest, cosine to zero for both."""
    named = list(model.named_parameters())
    hidden = [p for n, p in named if p.dim() == 2 and n.startswith("blk.")]
    others = [p for n, p in named if not (p.dim() == 2 and n.startswith("blk."))]
    optimizers = [
        torch.optim.Muon(hidden, lr=args.lr, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=args.lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    generator = torch.Generator().manual_seed(args.seed)
    order = torch.empty(0, dtype=torch.long)
    start = time.monotonic()
    for step in range(args.steps):
        if len(order) < args.batch:
            order = torch.cat((order, torch.randperm(len(windows), generator=generator)))
        rows, order = windows[order[: args.batch]], order[args.batch :]
        warm = min(1.0, (step + 1) / args.warmup)
        scale = warm * 0.5 * (1 + math.cos(math.pi * step / args.steps))
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = args.lr * scale
            optimizer.zero_grad(set_to_none=True)
        loss = window_loss(model, rows)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        if step % 25 == 0 or step + 1 == args.steps:
            seconds = time.monotonic() - start
            print(f"step {step:5d}  loss {loss.item():.4f}  {seconds:7.1f} s", flush=True)


@torch.no_grad()
def evaluate(model, windows):
    """Mean loss (nats a token) and share of tokens guessed right, over the windows."""
    total, right, count = 0.0, 0, 0
    for rows in windows.split(16):
        logits, target = model(rows[:, :-1].clamp(min=0)), rows[:, 1:]
        used = target != IGNORE
        total += F.cross_entropy(logits[used], target[used], reduction="sum").item()
        right += (logits.argmax(-1) == target)[used].sum().item()
        count += used.sum().item()
    return total / count, right / count


@torch.no_grad()
def complete(model, tokenizer, prompt, tokens=48):
    ids = [BOS] + tokenizer.encode(prompt)
    for _ in range(tokens):
        ids.append(model(torch.tensor([ids]))[0, -1].argmax().item())
    return tokenizer.decode(ids)


# --------------------------------------------------------------------- GGUF


class GGUF:
    """A writer for the few kinds of value and tensor that this file needs."""

    ALIGNMENT = 32
    CODES = {"u32": (4, "<I"), "i32": (5, "<i"), "f32": (6, "<f"), "bool": (7, "<?")}

    def __init__(self):
        self.pairs, self.tensors = [], []

    @classmethod
    def value(cls, kind, value):
        if kind == "str":
            raw = value.encode("utf-8")
            return struct.pack("<Q", len(raw)) + raw
        return struct.pack(cls.CODES[kind][1], value)

    @classmethod
    def code(cls, kind):
        return 8 if kind == "str" else cls.CODES[kind][0]

    def add(self, key, kind, value):
        head = self.value("str", key) + struct.pack("<i", self.code(kind))
        self.pairs.append(head + self.value(kind, value))

    def add_array(self, key, kind, values):
        head = self.value("str", key) + struct.pack("<iiQ", 9, self.code(kind), len(values))
        self.pairs.append(head + b"".join(self.value(kind, v) for v in values))

    def add_tensor(self, name, array):
        self.tensors.append((name, np.ascontiguousarray(array)))

    def write(self, path):
        def pad(raw):
            return raw + b"\0" * (-len(raw) % self.ALIGNMENT)

        infos, data = b"", b""
        for name, array in self.tensors:
            code = {"float32": 0, "float16": 1}[array.dtype.name]
            dims = array.shape[::-1]  # the fastest first
            infos += self.value("str", name) + struct.pack("<I", len(dims))
            infos += struct.pack(f"<{len(dims)}qiQ", *dims, code, len(data))
            data += pad(array.tobytes())
        head = b"GGUF" + struct.pack("<Iqq", 3, len(self.tensors), len(self.pairs))
        path.write_bytes(pad(head + b"".join(self.pairs) + infos) + data)


def write_gguf(path, model, tokenizer, notes):
    out = GGUF()
    out.add("general.architecture", "str", "llama")
    out.add("general.name", "str", "picollama")
    out.add("general.description", "str", notes)
    out.add("general.license", "str", "other")
    out.add(
        "general.license.name",
        "str",
        "trained on GNU licence texts, each of which may be copied verbatim; see README.md",
    )
    out.add("general.alignment", "u32", GGUF.ALIGNMENT)
    out.add("llama.context_length", "u32", CTX)
    out.add("llama.embedding_length", "u32", DIM)
    out.add("llama.block_count", "u32", LAYERS)
    out.add("llama.feed_forward_length", "u32", FFN)
    out.add("llama.attention.head_count", "u32", HEADS)
    out.add("llama.attention.head_count_kv", "u32", KV_HEADS)
    out.add("llama.attention.layer_norm_rms_epsilon", "f32", EPS)
    out.add("llama.rope.freq_base", "f32", ROPE_BASE)
    out.add("llama.rope.dimension_count", "u32", HEAD_DIM)
    out.add("llama.vocab_size", "u32", VOCAB)
    kinds = [
        2 if tokenizer.is_unknown(i) else 3 if tokenizer.is_control(i) else 6 if tokenizer.is_byte(i) else 1
        for i in range(VOCAB)
    ]
    out.add("tokenizer.ggml.model", "str", "llama")
    out.add_array("tokenizer.ggml.tokens", "str", [tokenizer.id_to_piece(i) for i in range(VOCAB)])
    out.add_array("tokenizer.ggml.scores", "f32", [tokenizer.get_score(i) for i in range(VOCAB)])
    out.add_array("tokenizer.ggml.token_type", "i32", kinds)
    out.add("tokenizer.ggml.bos_token_id", "u32", BOS)
    out.add("tokenizer.ggml.eos_token_id", "u32", EOS)
    out.add("tokenizer.ggml.unknown_token_id", "u32", UNK)
    out.add("tokenizer.ggml.add_bos_token", "bool", True)
    out.add("tokenizer.ggml.add_eos_token", "bool", False)
    out.add("tokenizer.ggml.add_space_prefix", "bool", True)
    for name, p in model.named_parameters():
        out.add_tensor(name, p.detach().numpy().astype(stored_type(name)))
    out.write(path)


def stored_type(name):
    return np.float16 if F16_TENSORS.search(name) else np.float32


# --------------------------------------------------------------------- main


def main():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--texts",
        type=Path,
        default=Path("/usr/share/common-licenses"),
        help="folder with the licence texts (default: %(default)s, as on Debian)",
    )
    parser.add_argument("--out", type=Path, default=here / "picollama.gguf", help="file to write")
    parser.add_argument("--steps", type=int, default=1200, help="optimizer steps (%(default)s)")
    parser.add_argument("--batch", type=int, default=16, help="windows a step (%(default)s)")
    parser.add_argument("--lr", type=float, default=8e-3, help="peak learning rate (%(default)s)")
    parser.add_argument("--warmup", type=int, default=30, help="steps of warm-up (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="random seed (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    documents = read_texts(args.texts)
    tokenizer = train_tokenizer(documents)
    windows = make_windows(documents, tokenizer, WORDS)
    model = Llama()
    characters = sum(map(len, documents))
    tokens = sum(len(tokenizer.encode(d)) for d in documents)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{characters} characters, {tokens} tokens, {len(windows)} windows, {parameters} parameters")

    started = time.monotonic()
    train(model, windows, args)
    minutes = (time.monotonic() - started) / 60

    # From here on the model holds the values as the file stores them.
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.from_numpy(p.numpy().astype(stored_type(name)).astype(np.float32)))
    loss, accuracy = evaluate(model, make_windows(documents, tokenizer, SENTENCES))
    notes = (
        f"A llama of {parameters} parameters trained on {', '.join(TEXTS)}: "
        f"{args.steps} steps, final loss {loss:.4f} nats a token."
    )
    write_gguf(args.out, model, tokenizer, notes)
    print(
        json.dumps(
            {
                "file": args.out.name,
                "bytes": args.out.stat().st_size,
                "final_loss": round(loss, 4),
                "next_token_accuracy": round(accuracy, 4),
                "minutes": round(minutes, 1),
                "torch": torch.__version__,
                "sentencepiece": spm.__version__,
            },
            indent=1,
        )
    )
    for prompt in ("You may convey", "This program is distributed"):
        print(repr(complete(model, tokenizer, prompt)))


if __name__ == "__main__":
    main()
