#!/usr/bin/env python3
"""Make picollama_goldens.json from picollama.gguf, by others' code alone.

Nothing here is shared with make_picollama.py or with picograd: the file is read
by the `gguf` package, the text is cut into tokens by the `sentencepiece` library
(its model rebuilt from the file's own metadata), and the logits come from
`transformers`' LlamaForCausalLM, which reads the GGUF file itself and turns the
rows of the Q and K matrices to its own half-split RoPE.

Needs: torch, transformers, accelerate, gguf, sentencepiece, protobuf, numpy (all
from PyPI).  Run:

    python make_goldens.py
"""

import argparse
import hashlib
import json
from pathlib import Path

import gguf
import sentencepiece as spm
import torch
import transformers
from sentencepiece import sentencepiece_model_pb2 as pb

TOKENS = 64  # of each greedy continuation
MIN_GAP = 1e-3  # between the two best logits of every greedy step

# Prompts to cut into tokens and to continue.
CONTINUED = (
    "This program is distributed in the hope",
    "You may convey a covered work",
    "Everyone is permitted to copy",
    "The GNU General Public License",
    "a copy of the Library",
    "You should have received a copy",
    "Activities other than copying",
    "Libert\u00e9! \u2014 The Program",
    "",
)
# Prompts only to cut into tokens: bytes, spaces, line breaks, look-alikes of special tokens.
CUT = (
    " ",
    "  double  spaces   at  both ends  ",
    "first line\nsecond line\r\n\n\tfourth line\n",
    "na\u00efve caf\u00e9 \u2014 \u20ac5, \u65e5\u672c\u8a9e",
    "free software \U0001f600\U0001f469\u200d\U0001f4bb!",
    "<s> </s> <unk> <0x0A> [INST]",
    "already\u2581marked \u2581\u2581 text",
    "0123456789 aaaaaaaaaaaaaaaa thethethethe ~`|{}\\^",
    "GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007",
    "Copyright (C) 2007 Free Software Foundation, Inc. <https://fsf.org/>",
)


def rebuild_tokenizer(reader):
    """The sentencepiece model that the metadata of the GGUF file describes."""

    def field(name):
        return reader.fields[f"tokenizer.ggml.{name}"].contents()

    model = pb.ModelProto()
    rows = zip(field("tokens"), field("scores"), field("token_type"), strict=True)
    for piece, score, kind in rows:
        model.pieces.add(piece=piece, score=score, type=kind)
    model.trainer_spec.model_type = pb.TrainerSpec.BPE
    model.trainer_spec.vocab_size = len(model.pieces)
    model.trainer_spec.byte_fallback = True
    model.trainer_spec.unk_id = field("unknown_token_id")
    model.trainer_spec.bos_id = field("bos_token_id")
    model.trainer_spec.eos_id = field("eos_token_id")
    model.trainer_spec.pad_id = -1
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = field("add_space_prefix")
    model.normalizer_spec.remove_extra_whitespaces = False
    model.normalizer_spec.escape_whitespaces = True
    return spm.SentencePieceProcessor(model_proto=model.SerializeToString())


@torch.no_grad()
def next_logits(model, ids):
    return model(torch.tensor([ids])).logits[0, -1]


def plain_text(tokenizer, ids):
    """What the tokens spell, a leading space included."""
    raw = b""
    for i in ids:
        piece = tokenizer.id_to_piece(i)
        is_byte = tokenizer.is_byte(i)
        raw += bytes([int(piece[3:5], 16)]) if is_byte else piece.replace("\u2581", " ").encode()
    return raw.decode("utf-8")


def continue_greedily(model, tokenizer, ids):
    out, gaps = [], []
    for _ in range(TOKENS):
        best = next_logits(model, ids + out).topk(2)
        gaps.append((best.values[0] - best.values[1]).item())
        out.append(best.indices[0].item())
    assert tokenizer.eos_id() not in out, "the continuation ends early; choose another prompt"
    assert min(gaps) > MIN_GAP, f"top-2 gap {min(gaps)}; choose another prompt"
    return {
        "continuation_ids": out,
        "continuation_text": plain_text(tokenizer, out),
        "min_top2_logit_gap": round(min(gaps), 6),
    }


def main():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=here / "picollama.gguf", help="file to read")
    parser.add_argument(
        "--out", type=Path, default=here / "picollama_goldens.json", help="file to write"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)

    tokenizer = rebuild_tokenizer(gguf.GGUFReader(args.model))
    model = transformers.LlamaForCausalLM.from_pretrained(
        args.model.parent,
        gguf_file=args.model.name,
        dtype=torch.float32,
        attn_implementation="eager",
    ).eval()

    prompts = []
    for text in CONTINUED + CUT:
        ids = [tokenizer.bos_id()] + tokenizer.encode(text)
        row = {"prompt": text, "ids": ids, "pieces": [tokenizer.id_to_piece(i) for i in ids]}
        if text in CONTINUED:
            row |= continue_greedily(model, tokenizer, ids)
        prompts.append(row)

    first = prompts[0]
    logits = next_logits(model, first["ids"])
    goldens = {
        "model": args.model.name,
        "model_sha256": hashlib.sha256(args.model.read_bytes()).hexdigest(),
        "tokenizer_by": f"sentencepiece {spm.__version__}, its model rebuilt from the GGUF metadata",
        "logits_by": f"transformers {transformers.__version__} LlamaForCausalLM reading the GGUF file, "
        f"float32, eager attention, no cache, torch {torch.__version__.split('+')[0]} on a CPU",
        "ids": "BOS first; a continuation's ids follow its prompt's",
        "first_step_logits": {
            "prompt": first["prompt"],
            "position": len(first["ids"]) - 1,
            "first_16": [round(v, 6) for v in logits[:16].tolist()],
            "argmax": logits.argmax().item(),
            "max": round(logits.max().item(), 6),
        },
        "prompts": prompts,
    }
    args.out.write_text(dump(goldens) + "\n", encoding="utf-8")
    for row in prompts[: len(CONTINUED)]:
        gap = row["min_top2_logit_gap"]
        print(f"{row['prompt']!r} -> {row['continuation_text']!r} (gap {gap})")


def dump(goldens):
    """JSON in ASCII, one key a line, each array of a prompt on its own line."""
    head = {k: v for k, v in goldens.items() if k != "prompts"}
    rows = []
    for row in goldens["prompts"]:
        lines = ",\n".join(f"   {json.dumps(k)}: {json.dumps(v)}" for k, v in row.items())
        rows.append("  {\n" + lines + "\n  }")
    lines = [f" {json.dumps(k)}: {json.dumps(v)}" for k, v in head.items()]
    lines.append(' "prompts": [\n' + ",\n".join(rows) + "\n ]")
    return "{\n" + ",\n".join(lines) + "\n}"


if __name__ == "__main__":
    main()
