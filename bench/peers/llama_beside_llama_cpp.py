"""A llama of TinyLlama's shapes with random weights, by picograd and by llama.cpp in turns: a JSON object on stdout.

    python3 llama_beside_llama_cpp.py PICOGRAD FOLDER f32|q8_0 THREADS ROUNDS

PICOGRAD: the program; FOLDER: where the GGUF file is written (4.4 or 1.2 GB) unless it is there already. Needs llama-cpp-python, gguf and
numpy. A prompt of 512 tokens in one batch, then single tokens; both map the same file. llama.cpp's own packed layouts and its AMX kernels
are left out (`use_extra_bufts`): the latter are killed on virtual machines that do not grant AMX.
{"peer", "quant", "threads", "rounds", "prompt": {"picograd", "llama_cpp" (tokens a second, medians), "ratio", "low", "high"}, "generation": ..}
"""
import json, os, statistics, subprocess, sys, time

import gguf
import llama_cpp
import numpy as np

program, folder, quant, threads, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
PROMPT = 512
LAYERS, DIM, HEADS, KV_HEADS, HEAD, FFN, VOCAB, CONTEXT = 22, 2048, 32, 4, 64, 5632, 32000, 2048


def write(path):
    w = gguf.GGUFWriter(path, "llama")
    w.add_name("tinyllama-random"), w.add_context_length(CONTEXT), w.add_embedding_length(DIM), w.add_block_count(LAYERS)
    w.add_feed_forward_length(FFN), w.add_head_count(HEADS), w.add_head_count_kv(KV_HEADS), w.add_rope_dimension_count(HEAD)
    w.add_layer_norm_rms_eps(1e-5), w.add_rope_freq_base(10000.0), w.add_vocab_size(VOCAB)
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)] + [f"t{i}" for i in range(VOCAB - 259)]
    w.add_tokenizer_model("llama"), w.add_token_list(tokens), w.add_token_scores([-float(i) for i in range(VOCAB)])
    w.add_token_types([2, 3, 3] + [6] * 256 + [1] * (VOCAB - 259))
    w.add_bos_token_id(1), w.add_eos_token_id(2), w.add_unk_token_id(0)
    random = np.random.default_rng(1)

    def matrix(name, rows, columns):
        a = (random.random((rows, columns), dtype=np.float32) - 0.5) * np.float32(np.sqrt(12 / columns))
        kind = gguf.GGMLQuantizationType.Q8_0
        if quant == "f32":
            w.add_tensor(name, a)
        else:
            w.add_tensor(name, gguf.quants.quantize(a, kind), raw_dtype=kind)

    def ones(name):
        w.add_tensor(name, np.ones(DIM, dtype=np.float32))

    matrix("token_embd.weight", VOCAB, DIM)
    for i in range(LAYERS):
        for name, rows, columns in (("attn_q", HEADS * HEAD, DIM), ("attn_k", KV_HEADS * HEAD, DIM), ("attn_v", KV_HEADS * HEAD, DIM),
                                    ("attn_output", DIM, HEADS * HEAD), ("ffn_gate", FFN, DIM), ("ffn_up", FFN, DIM),
                                    ("ffn_down", DIM, FFN)):
            matrix(f"blk.{i}.{name}.weight", rows, columns)
        ones(f"blk.{i}.attn_norm.weight"), ones(f"blk.{i}.ffn_norm.weight")
    ones("output_norm.weight"), matrix("output.weight", VOCAB, DIM)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


def ours():
    out = subprocess.run([program, "--threads", str(threads), "bench", "llama", "-m", path, "-c", "1024", "--prompt", str(PROMPT),
                          "--position", "0", "--rounds", "6", "--json"], check=True, capture_output=True, text=True).stdout
    line = json.loads(out)
    return line["prompt"]["tokens_per_second"], line["generation"]["tokens_per_second"]


def theirs():
    def seconds(ids):
        start = time.perf_counter()
        llama.eval(ids)
        return time.perf_counter() - start

    def fresh():
        llama.reset()
        llama._ctx.kv_cache_clear()

    prompts = []
    for _ in range(2):
        fresh()
        prompts.append(seconds(ids))
    fresh()
    return PROMPT / statistics.median(prompts), 1 / statistics.median([seconds([t]) for t in ids[:7]][1:])


path = os.path.join(folder, f"tinyllama-random-{quant}.gguf")
if not os.path.exists(path):
    write(path + ".part")
    os.rename(path + ".part", path)

defaults = llama_cpp.llama_model_default_params


def plain():
    p = defaults()
    p.use_extra_bufts = False
    return p


llama_cpp.llama_cpp.llama_model_default_params = plain
llama = llama_cpp.Llama(path, n_ctx=1024, n_batch=PROMPT, n_ubatch=PROMPT, n_threads=threads, n_threads_batch=threads, verbose=False)
ids = [i * 7919 % 31000 + 300 for i in range(PROMPT)]
turns = [(ours(), theirs()) for _ in range(rounds)]
line = {"peer": "llama-cpp-python " + llama_cpp.__version__, "quant": quant, "threads": threads, "rounds": rounds}
for i, what in enumerate(("prompt", "generation")):
    ratios = sorted(a[i] / b[i] for a, b in turns)
    line[what] = {"picograd": statistics.median(a[i] for a, _ in turns), "llama_cpp": statistics.median(b[i] for _, b in turns),
                  "ratio": statistics.median(ratios), "low": ratios[0], "high": ratios[-1]}
print(json.dumps(line))
