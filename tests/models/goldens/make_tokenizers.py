#!/usr/bin/env python3
"""Make the small tokenizers here and what other libraries make of a corpus of tricky strings with them.

Small vocabularies are trained on TRAINING by Hugging Face's tokenizers and by sentencepiece:

    llama3.json      byte-level BPE with Llama 3's pattern and special tokens; the ids are checked against tiktoken too
    llama3.gguf      the same as metadata of a GGUF file
    digits.json      byte-level BPE with GPT-2's pattern behind single digits, without BOS
    llama2.json      sentencepiece's vocabulary as transformers writes it, spaces added by the normalizer
    metaspace.json   .. and as newer versions write it, by the pre-tokenizer
    sentencepiece.gguf   the same vocabulary with its scores; the ids are those of the sentencepiece library

tokenizers.json holds the strings ("texts") and for every file: "plain", the ids of each string, special tokens in it being text;
"special", the ids of those where special tokens make a difference; "decoded", what the ids of "plain" become where that is not the
string; "random", random ids and their text.

Needs: tokenizers, transformers, tiktoken, sentencepiece, protobuf, gguf (all from PyPI).  Run:

    python make_tokenizers.py
"""

import io
import json
import random
import tempfile
from pathlib import Path

import gguf
import sentencepiece as spm
import tiktoken
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaTokenizerFast

HERE = Path(__file__).resolve().parent

TRAINING = (HERE.parents[2] / "LICENSE").read_text().splitlines() + """
The quick brown fox jumps over the lazy dog, and then it's gone; we'll see what they've done. I'm sure you'd say we're late.
In 2024 there were 1234567 cats, 42 dogs and 3.14159 pies; 100% of them didn't care. DON'T SHOUT, IT'S LATE!
def hello(name):\n    return f"hello {name}!"\n\nfor i in range(10):\n        print(hello(i), "world", i * 2)
Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. Où est la bibliothèque ? C'est là-bas, près de l'hôtel.
Съешь же ещё этих мягких французских булок, да выпей чаю. Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. דג סקרן שט בים מאוכזב.
いろはにほへと ちりぬるを 我が世誰ぞ 常ならむ。天地玄黄宇宙洪荒日月盈昃。키스의 고유조건은 입술끼리 만나야 한다.
نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر ومغلف بجلد أزرق 😀 🎉 👍🏽 the end ... the the the hello hello world world
""".splitlines()

TEXTS = [
    "", " ", "  ", "\n", "\t", "\r\n", "\n\n\n", " \n ", "   \n\n  \t x", "hello", " hello", "  hello", "hello ", "hello  world",
    "Hello, World!", "hello\nworld", "hello\r\nworld\r\n", "\r\r\n\n\r", "a\u00a0b\u00a0\u00a0c", "a\u2003b\u3000c\u202fd",
    "a\u180eb \u180e c", "\u200bzero\u200bwidth\ufeff", "\u0085next\u0085line\u2028sep\u2029par", "\x0b\x0c\x1c\x1d\x1e\x1f",
    "it's IT'S we'Ll I'M you'D they'VE he're x'T 'S", "it\u2019s", "'\u017f '\u017ft don'\u017f", "''''s 's's's", "can't've",
    "1 12 123 1234 12345 123456 1234567", "3.14159e-10", "٣٤٥٦ ⅷ ²³ ½ ১২৩৪", "x1y22z333", "1,234,567.89",
    "café cafe\u0301 e\u0301\u0301\u0301", "Zwölf Boxkämpfer", "Où est la bibliothèque ?", "ÀÉÎÕÜ ß ẞ İı ŉ",
    "Съешь же ещё этих мягких булок", "Ξεσκεπάζω την", "דג סקרן שט בים", "نص حكيم له سر قاطع", "हिन्दी देवनागरी क्षत्रिय", "ไทยไม่มีช่องว่าง",
    "天地玄黄宇宙洪荒", "いろはにほへと ちりぬるを。", "키스의 고유조건은", "ｆｕｌｌｗｉｄｔｈ　１２３", "中文English混合123テスト",
    "😀", "😀😀 🎉", "👍🏽👩‍💻👨‍👩‍👧‍👦🏳️‍🌈", "🇩🇪🇫🇷", "a😀b😀c", "e\u0301\u200d\u0301", "\U0001f1e6 \U0001f3fb", "𝒜𝓁𝓅𝒽𝒶 𝟙𝟚𝟛", "\U00020000\U0002a6d6",
    "!!!???...", "...", "a.b.c", "#include <stdio.h>", "if (x == y) { return -1; }", "\"quoted\" 'single'", "--flag=--other", "~`|{}\\^@#$%&*",
    "\t\tdef f(x):\n\t\t\treturn x\n\n", "    four\n        eight\n", "x  \n  y   \n\n   z", "trailing   ", " \t \t a", "a\n", "a \n b",
    "<s>", "</s>", "<unk>", "<s> hello</s>", "[INST] hi [/INST]", "<0x0A>", "<|begin_of_text|>hello<|eot_id|>", "<|eot_id|><|eot_id|>",
    " <|eot_id|> x <|end_of_text|>\n", "<|eot_id", "|eot_id|>", "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>", "<|extra|>x<|extra|> y",
    "\u2581", "\u2581\u2581hello", "hello\u2581world \u2581 x", "Ġhello Ċ", "\x00", "a\x00b", "\x7f\x80\xff", "\ud7ff\ue000\ufffd\uffff\U0010ffff",
    "the the the the", "thethethethe", "hellohellohello", "HELLO", "hELLo wORLd", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a" * 300, "ab" * 150, "é" * 100,
    "😀" * 60, " " * 120, "\n" * 90, " \n" * 60, "1" * 100, "!" * 100, "hello" * 60, "the quick brown fox " * 8,
]
FRAGMENTS = [
    "hello", "world", "the", "The", "THE", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "'s", "'LL", "'", "\"", "1", "23", "4567", ".", ",", "!?", "-",
    "é", "e\u0301", "ß", "ж", "булок", "天", "地玄", "ひ", "の", "한다", "نص", "😀", "👍🏽", "\u200d", "\u2581", "<s>", "</s>", "<|eot_id|>", "<|extra|>", "<0x41>",
    "x", "y", "zz", "_", "#", "(", ")", "\\", "\x00", "\x1b", "\ufffd", "\U0001d4d0", "२", "ⅷ",
]  # fmt: skip

SPECIAL3 = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def texts():
    rng = random.Random(20240611)
    return TEXTS + ["".join(rng.choices(FRAGMENTS, k=rng.randint(2, 14))) for _ in range(100)]


def byte_level(steps, vocab_size, add, special):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence(steps)
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    t.train_from_iterator(TRAINING, trainer)
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in special])
    t.add_tokens([AddedToken(s, special=False, normalized=False) for s in add])
    return t


def reloaded(t, **model):
    """The tokenizer out of its JSON, with members of its model replaced."""
    j = json.loads(t.to_str())
    j["model"].update(model)
    return Tokenizer.from_str(json.dumps(j))


def write(name, t):
    (HERE / name).write_text(json.dumps(json.loads(t.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")


def differing(values, others):
    return {str(i): v for i, (v, other) in enumerate(zip(values, others)) if v != other}


def golden(t):
    """What the tokenizers library makes of the texts."""
    t.encode_special_tokens = True
    plain = [t.encode(x).ids for x in texts()]
    t.encode_special_tokens = False
    special = [t.encode(x).ids for x in texts()]
    decoded = [t.decode(ids, skip_special_tokens=True) for ids in plain]
    return {"plain": plain, "special": differing(special, plain), "decoded": differing(decoded, texts())}


def alphabet():
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    out, n = {}, 0
    for b in range(256):
        if b in printable:
            out[chr(b)] = b
        else:
            out[chr(256 + n)] = b
            n += 1
    return out


def random_ids(size, decode):
    rng = random.Random(7)
    out = []
    for _ in range(60):
        ids = [rng.randrange(size) for _ in range(rng.randint(1, 12))]
        out.append([ids, decode(ids)])
    return out


def llama3():
    steps = [
        pre_tokenizers.Split(Regex(LLAMA3), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    t = reloaded(byte_level(steps, 256 + 240, ["<|extra|>"], SPECIAL3), ignore_merges=True)
    bos = t.token_to_id("<|begin_of_text|>")
    t.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A $B", special_tokens=[("<|begin_of_text|>", bos)]
            ),
        ]
    )
    write("llama3.json", t)
    out = golden(t)

    # tiktoken: ranks of bytes. It has no user-defined tokens, so texts with one are left out.
    of = alphabet()
    added = set(SPECIAL3) | {"<|extra|>"}
    ranks = {bytes(of[c] for c in s): i for s, i in t.get_vocab().items() if s not in added}
    special = {s: t.token_to_id(s) for s in SPECIAL3}
    tik = tiktoken.Encoding("small", pat_str=LLAMA3, mergeable_ranks=ranks, special_tokens=special)
    checked = 0
    for i, (text, plain) in enumerate(zip(texts(), out["plain"])):
        if "<|extra|>" in text:
            continue
        assert [bos] + tik.encode(text, disallowed_special=()) == plain, text
        assert [bos] + tik.encode(text, allowed_special="all") == out["special"].get(str(i), plain), text
        checked += 1
    print("llama3: tiktoken agrees on", checked, "texts")
    out["random"] = random_ids(len(ranks), tik.decode)

    writer = gguf.GGUFWriter(HERE / "llama3.gguf", "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    size = t.get_vocab_size()
    tokens = [t.id_to_token(i) for i in range(size)]
    writer.add_token_list(tokens)
    kind = {"<|extra|>": 4, **{s: 3 for s in SPECIAL3}}
    writer.add_token_types([kind.get(s, 1) for s in tokens])
    merges = json.loads(t.to_str())["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    writer.add_bos_token_id(bos)
    writer.add_eos_token_id(t.token_to_id("<|end_of_text|>"))
    writer.add_chat_template("{{ '<|start_header_id|>' }}")
    save(writer)
    return out


def save(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def digits():
    steps = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    t = byte_level(steps, 256 + 120, [], ["<s>", "</s>"])
    write("digits.json", t)
    return golden(t)


def sentencepiece():
    with tempfile.TemporaryDirectory() as folder:
        model = io.BytesIO()
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(TRAINING), model_writer=model, model_type="bpe", vocab_size=256 + 3 + 420,
            byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity", add_dummy_prefix=True,
            remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True, minloglevel=2,
        )  # fmt: skip
        (Path(folder) / "tokenizer.model").write_bytes(model.getvalue())
        plain = spm.SentencePieceProcessor(model_proto=model.getvalue())
        legacy = LlamaTokenizerFast(vocab_file=str(Path(folder) / "tokenizer.model"), legacy=True, from_slow=True)
        newer = LlamaTokenizerFast(vocab_file=str(Path(folder) / "tokenizer.model"), legacy=False, from_slow=True)
    out = {}
    for name, t in (("llama2.json", legacy), ("metaspace.json", newer)):
        # Special tokens that are normalized are looked for behind an added space; current checkpoints' are not.
        j = json.loads(t.backend_tokenizer.to_str())
        for token in j["added_tokens"]:
            token["normalized"] = False
        t = Tokenizer.from_str(json.dumps(j))
        write(name, t)
        out[name] = golden(t)

    # The library itself, with pieces that a user defined.
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    for text in ("<|extra|>", "\u2581\u2581", "hello"):
        if text in (p.piece for p in proto.pieces):
            next(p for p in proto.pieces if p.piece == text).type = 4
        else:
            proto.pieces.add(piece=text, score=0, type=4)
    defined = spm.SentencePieceProcessor(model_proto=proto.SerializeToString())
    writer = gguf.GGUFWriter(HERE / "sentencepiece.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([p.piece for p in proto.pieces])
    writer.add_token_scores([p.score for p in proto.pieces])
    writer.add_token_types([p.type for p in proto.pieces])
    writer.add_unk_token_id(defined.unk_id())
    writer.add_bos_token_id(defined.bos_id())
    writer.add_eos_token_id(defined.eos_id())
    writer.add_chat_template("{{ bos_token + '[INST] ' }}")
    save(writer)
    ids = [[defined.bos_id()] + defined.encode(x) for x in texts()]
    out["sentencepiece.gguf"] = {"plain": ids, "decoded": differing([defined.decode(i) for i in ids], texts())}
    assert plain.encode("x") == defined.encode("x")
    return out


def main():
    out = {"texts": texts(), "llama3.json": llama3(), "digits.json": digits(), **sentencepiece()}
    (HERE / "tokenizers.json").write_text(json.dumps(out, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
