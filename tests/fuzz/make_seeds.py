#!/usr/bin/env python3
"""Write the first files of the fuzzers' corpora: small files of each kind, by hand. What fuzzing found lies beside them."""

import json
import struct
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
U32, I32, F32, BOOL, STRING, ARRAY, U64 = 4, 5, 6, 7, 8, 9, 10


def write(target, name, data):
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    (CORPUS / target / name).write_bytes(data)


def string(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    return string(v) if kind == STRING else struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?", U64: "<Q"}[kind], v)


def gguf(pairs, tensors, version=3):
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    for key, kind, v in pairs:
        out += string(key)
        if isinstance(v, list):
            out += struct.pack("<IIQ", ARRAY, kind, len(v)) + b"".join(value(kind, x) for x in v)
        else:
            out += struct.pack("<I", kind) + value(kind, v)
    data = b""
    for name, shape, kind, size in tensors:
        data += b"\0" * (-len(data) % 32)
        out += string(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in reversed(shape))
        out += struct.pack("<IQ", kind, len(data))
        data += bytes(i % 251 for i in range(size))
    return out + b"\0" * (-len(out) % 32) + data


LLAMA = [
    ("general.architecture", STRING, "llama"), ("general.name", STRING, "s"), ("general.alignment", U32, 32),
    ("llama.context_length", U32, 16), ("llama.embedding_length", U32, 8), ("llama.block_count", U32, 1),
    ("llama.feed_forward_length", U32, 12), ("llama.attention.head_count", U32, 2), ("llama.attention.head_count_kv", U32, 1),
    ("llama.attention.layer_norm_rms_epsilon", F32, 1e-5), ("llama.rope.freq_base", F32, 1e4),
    ("llama.rope.dimension_count", U32, 4), ("llama.rope.scaling.type", STRING, "linear"), ("llama.rope.scaling.factor", F32, 2.0),
]  # fmt: skip
SENTENCEPIECE = [
    ("tokenizer.ggml.model", STRING, "llama"),
    ("tokenizer.ggml.tokens", STRING, ["<unk>", "<s>", "</s>", "<0x0A>", "\u2581", "l", "o", "lo", "H", "\u2581w", "<x>"]),
    ("tokenizer.ggml.scores", F32, [0.0, 0, 0, 0, -1, -2, -3, -4, -5, -6, 0]),
    ("tokenizer.ggml.token_type", I32, [2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 4]),
    ("tokenizer.ggml.bos_token_id", U32, 1), ("tokenizer.ggml.eos_token_id", U32, 2), ("tokenizer.ggml.unknown_token_id", U32, 0),
    ("tokenizer.ggml.add_bos_token", BOOL, True), ("tokenizer.ggml.add_space_prefix", BOOL, False),
]  # fmt: skip
BYTE_LEVEL = [
    ("tokenizer.ggml.model", STRING, "gpt2"), ("tokenizer.ggml.pre", STRING, "llama-bpe"),
    ("tokenizer.ggml.tokens", STRING, ["H", "e", "l", "o", "\u0120", "ll", "llo", "<|eot_id|>", "<|b|>"]),
    ("tokenizer.ggml.token_type", I32, [1, 1, 1, 1, 1, 1, 1, 3, 3]), ("tokenizer.ggml.merges", STRING, ["l l", "ll o"]),
    ("tokenizer.ggml.bos_token_id", U32, 8), ("tokenizer.chat_template", STRING, "{{ x }}"),
]  # fmt: skip
TENSORS = [
    ("token_embd.weight", (11, 8), 0, 11 * 8 * 4), ("blk.0.attn_norm.weight", (8,), 0, 32), ("output_norm.weight", (8,), 1, 16),
    ("rope_freqs.weight", (2,), 0, 8), ("q", (2, 32), 8, 68), ("k", (1, 256), 12, 144), ("h", (1, 1, 1, 3), 30, 6),
]  # fmt: skip


def seed_gguf():
    write("gguf", "llama", gguf(LLAMA + SENTENCEPIECE, TENSORS))
    write("gguf", "llama3", gguf(LLAMA[:10] + BYTE_LEVEL, TENSORS[:2]))
    write("gguf", "v2", gguf(LLAMA[:3], TENSORS[:3], version=2))
    for i in range(len(TENSORS)):
        write("gguf", f"tensor{i}", gguf([], TENSORS[i : i + 1]))
    write("gguf", "sentencepiece", gguf(SENTENCEPIECE, []))
    write("gguf", "bytes", gguf(BYTE_LEVEL, []))
    write("gguf", "types", gguf([("a", U64, 1), ("b", BOOL, [True, False]), ("c", STRING, ["", "x"]), ("d", F32, [])], []))


def length(b):
    return struct.pack("<H", len(b)) + b


CONFIG = {
    "model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
    "intermediate_size": 12, "vocab_size": 11, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 1e4,
}  # fmt: skip
LLAMA3 = {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 32}


def safetensors(header, size):
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + bytes(i % 251 for i in range(size))


def seed_safetensors():
    def entry(dtype, shape, begin, end):
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}

    files = {
        "one": safetensors({"a": entry("F32", [2, 3], 0, 24)}, 24),
        "two": safetensors({"b": entry("BF16", [4, 2], 8, 24), "a": entry("F16", [4], 0, 8)}, 24),
        "metadata": safetensors({"__metadata__": {"format": "pt"}, "a": entry("I64", [], 0, 8)}, 8),
        "empty": safetensors({}, 0),
        "none": safetensors({"a": entry("F32", [0, 4], 0, 0)}, 0),
        "gap": safetensors({"a": entry("U8", [1], 4, 5)}, 5),
        "overlap": safetensors({"a": entry("U8", [4], 0, 4), "b": entry("U8", [4], 2, 6)}, 6),
    }
    for name, data in files.items():
        write("safetensors", name, length(b"") + data)
    for name, change in {
        "config": {},
        "llama3": {"rope_scaling": LLAMA3, "tie_word_embeddings": True, "head_dim": 4},
        "linear": {"rope_scaling": {"type": "linear", "factor": 2.5}},
        "parameters": {"rope_parameters": {**LLAMA3, "rope_theta": 5e5}},
        "refused": {"attention_bias": True, "hidden_act": "gelu", "quantization_config": {}},
    }.items():
        write("safetensors", name, length(json.dumps({**CONFIG, **change}).encode()) + files["one"])
    index = {"metadata": {"total_size": 1}, "weight_map": {"a": "model-1.safetensors", "b": "../x"}}
    write("safetensors", "index", length(json.dumps(index).encode()) + files["two"])


def seed_sentencepiece():
    def pieces(flags, lines, text):
        return bytes([flags]) + b"\n".join(bytes([k, s]) + t.encode() for k, s, t in lines) + b"\0" + text.encode()

    n, u, c, d, i, b = range(6)  # normal, unknown, control, user-defined, idle, byte
    merges = [(n, 9, "ab"), (n, 8, "bc"), (n, 7, "abc"), (n, 3, "a"), (n, 2, "b"), (n, 1, "c"), (n, 5, "\u2581a")]
    for j, flags in enumerate((0, 1, 2, 3)):
        write("sentencepiece", f"merges{j}", pieces(flags, merges, "abcab bc aabbcc"))
        write("sentencepiece", f"unknown{j}", pieces(flags, merges + [(u, 0, "<unk>")], "x\u20acyab\u2581"))
        write("sentencepiece", f"defined{j}", pieces(flags, merges + [(d, 0, "bca"), (d, 0, "\u2581\u2581"), (c, 0, "<s>")], "abca  <s>bcab"))
    write("sentencepiece", "bytes", pieces(0, [(b, 0, "<0x61>"), (b, 0, "<0xE2>"), (i, 4, "zz")], "a\u20aczz"))
    write("sentencepiece", "badbyte", pieces(0, [(b, 0, "<0x6>")], "a"))
    write("sentencepiece", "equal", pieces(1, [(n, 1, "aa"), (n, 1, "aaaa"), (n, 1, "a")], "a" * 40))


def seed_byte_pairs():
    def tokenizer(model, **top):
        return bytes([0]) + length(json.dumps({**top, "model": {"type": "BPE", **model}}, ensure_ascii=False).encode())

    split = {"type": "Split", "pattern": {"Regex": "\\p{L}+|\\s+(?!\\S)"}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    vocab = {"a": 0, "b": 1, "\u0120": 2, "ab": 3, "<s>": 4}
    plain = {"vocab": vocab, "merges": ["a b"]}
    added = [{"id": 4, "content": "<s>", "special": True}, {"id": 5, "content": "bb", "special": False}]
    bos = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]}
    text = b"ab  abb<s> a"
    write("byte_pairs", "level", tokenizer(plain, pre_tokenizer=level) + text)
    write("byte_pairs", "split", tokenizer({**plain, "ignore_merges": True}, added_tokens=added, post_processor=bos,
          pre_tokenizer={"type": "Sequence", "pretokenizers": [split, {**level, "use_regex": False}]}) + text)  # fmt: skip
    write("byte_pairs", "digits", tokenizer(plain, pre_tokenizer={"type": "Sequence", "pretokenizers": [
          {"type": "Digits", "individual_digits": True}, level]}) + text)  # fmt: skip
    marks = {"a": 0, "\u2581": 1, "\u2581a": 2, "<unk>": 3, "<0x62>": 4}
    two = {"vocab": marks, "merges": [["\u2581", "a"]], "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
    write("byte_pairs", "prepend", tokenizer(two, normalizer={"type": "Sequence", "normalizers": [
          {"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}) + text)  # fmt: skip
    for scheme in ("always", "first", "never"):
        write("byte_pairs", scheme, tokenizer({**two, "byte_fallback": False}, added_tokens=added[:1], pre_tokenizer={
              "type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": False}) + text)  # fmt: skip
    gpt2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    llama3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    for name, pattern in {"gpt2": gpt2, "llama3": llama3, "nested": "(a+)+b|.", "look": "(?<=a)b|(?=x)", "none": "", "bad": "[a-"}.items():
        write("byte_pairs", name, bytes([1]) + pattern.encode() + b"\0" + "It's aaaa 1234 \u00e9\U0001f600\n\n  x".encode())
    for j, merges in enumerate(([(97, 97), (256, 256)], [(97, 98), (256, 99), (98, 99)], [(195, 169), (97, 256)])):
        packed = b"".join(struct.pack("<HH", *m) for m in merges)
        write("byte_pairs", f"merges{j}", bytes([2, len(merges)]) + packed + "aaaaabcabc\u00e9aa\u00e9".encode())
    write("byte_pairs", "invalid", bytes([2, 0]) + b"a\xff\xfe\xe2\x82a")


for seed in (seed_gguf, seed_safetensors, seed_sentencepiece, seed_byte_pairs):
    seed()
