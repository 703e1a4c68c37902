#include "models/llama.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include "models/generate.h"
#include "models/gguf.h"
#include "models/llama_kernels.h"
#include "models/random.h"
#include "tests/models/errors.h"
#include "tests/models/naive_llama.h"
#include "tests/models/private_store.h"
#include "tests/models/small_llama.h"

namespace pg {
namespace {

using namespace tests;
using Ids = std::vector<int32_t>;

double worst(const std::vector<float>& got, const NaiveLlama::Vec& wanted) {
  REQUIRE(got.size() == wanted.size());
  double out = 0;
  for (size_t i = 0; i < got.size(); i++) out = std::max(out, std::abs(got[i] - wanted[i]));
  return out;
}
Ids random_ids(int64_t count, int64_t vocab, uint64_t seed) {
  Ids out;
  for (int64_t i = 0; i < count; i++) out.push_back(static_cast<int32_t>(random_bits(seed, i) % vocab));
  return out;
}
NaiveLlama::Vec naive_logits(NaiveLlama naive, const Ids& ids) {
  NaiveLlama::Vec out;
  for (int32_t id : ids) out = naive.next(id);
  return out;
}
constexpr double kTolerance = 1e-4;

LlamaConfig tiny() {
  LlamaConfig c = LlamaConfig::preset("tiny");
  c.chunk = 8;
  return c;
}

TEST_CASE("llama: token by token and in chunks, the logits are the naive forward's") {
  const uint64_t seed = 11;
  MESSAGE("seed " << seed);
  LlamaConfig c = tiny();
  LlamaWeights w = LlamaWeights::random(c, seed);
  NaiveLlama naive(c, w);
  Llama llama(c, w);
  Ids ids = random_ids(c.context, c.vocab, seed);

  std::vector<NaiveLlama::Vec> wanted;
  for (size_t i = 0; i < ids.size(); i++) {
    wanted.push_back(naive.next(ids[i]));
    INFO("decode at position " << i);
    REQUIRE(worst(llama.decode(ids[i]), wanted.back()) < kTolerance);
  }
  // Prompts of one token, part of a chunk, a chunk, chunks and a rest, chunks and one token, all of the context.
  for (size_t n : {1u, 2u, 5u, 8u, 9u, 19u, 25u, 48u}) {
    llama.reset();
    INFO("prompt of " << n);
    REQUIRE(worst(llama.prefill(std::span(ids).first(n)), wanted[n - 1]) < kTolerance);
    CHECK(llama.position() == static_cast<int64_t>(n));
    if (n < ids.size()) REQUIRE(worst(llama.decode(ids[n]), wanted[n]) < kTolerance);
  }
  // A second prompt goes on where the first ended.
  llama.reset();
  llama.prefill(std::span(ids).first(7));
  CHECK(worst(llama.prefill(std::span(ids).subspan(7, 12)), wanted[18]) < kTolerance);
}

TEST_CASE("llama: shared key-value heads, scaled rotation, odd sizes") {
  for (int variant = 0; variant < 3; variant++) {
    LlamaConfig c = tiny();
    if (variant == 0) c.heads = c.kv_heads = 3, c.head_dim = 10, c.dim = 30, c.ffn = 37, c.vocab = 51;
    if (variant == 1) c.kv_heads = 1, c.rope_factors = {1, 1, 2, 4, 8, 8, 8, 8}, c.rope_base = 500;
    if (variant == 2) c.heads = 6, c.kv_heads = 2, c.head_dim = 8, c.rope_scale = 4, c.eps = 1e-2, c.layers = 1;
    c.context = 16;
    LlamaWeights w = LlamaWeights::random(c, 5 + variant);
    Llama llama(c, w);
    Ids ids = random_ids(13, c.vocab, variant);
    NaiveLlama::Vec wanted = naive_logits(NaiveLlama(c, w), ids);
    INFO("variant " << variant);
    CHECK(worst(llama.prefill(ids), wanted) < kTolerance);
    llama.reset();
    for (int32_t id : ids) llama.decode(id);
    CHECK(worst(llama.logits(), wanted) < kTolerance);
  }
}

TEST_CASE("llama: a GGUF file's weights are read in place; F16 matrices equal their F32 values") {
  std::vector<std::vector<float>> logits;
  for (bool half : {false, true}) {
    Gguf file = read_gguf(small_llama(half).bytes());
    LlamaConfig c = LlamaConfig::from(file);
    CHECK(c.tied);
    LlamaWeights w = LlamaWeights::from(file, c);
    CHECK(w.layers[0].q.dtype() == (half ? dt::f16 : dt::f32));
    Llama llama(c, w);
    Ids ids = Tokenizer::from(file).encode("hello world, hello");
    logits.push_back(llama.prefill(ids));
    CHECK(worst(logits.back(), naive_logits(NaiveLlama(c, w), ids)) < kTolerance);
  }
  for (size_t i = 0; i < logits[0].size(); i++) CHECK(logits[0][i] == doctest::Approx(logits[1][i]).epsilon(1e-5));
}

TEST_CASE("llama: every token replays the same kernels, which are those that tuning works through") {
  LlamaConfig c = tiny();
  Llama llama(c, LlamaWeights::random(c, 1));
  auto same = [](const std::vector<Graph::KernelUse>& run, const std::vector<LlamaKernel>& tuned) {
    REQUIRE(run.size() == tuned.size());
    for (size_t i = 0; i < run.size(); i++) {
      CHECK(run[i].ast == tuned[i].ast);
      CHECK(run[i].count == tuned[i].count);
    }
  };
  LlamaWeights shapes = LlamaWeights::placeholders(c);
  auto decode = decode_kernels(c, shapes, 5), prefill = prefill_kernels(c, shapes, 0, 8);
  same(llama.decode_kernels(), decode);
  same(llama.prefill_kernels(), prefill);
  for (int32_t i = 0; i < 10; i++) llama.decode(i);
  same(llama.decode_kernels(), decode);

  int launches = 0;
  bool symbolic = false;
  for (const LlamaKernel& k : decode) {
    launches += k.count;
    for (const VariableBinding& b : k.bindings) symbolic |= b.name == "pos" && b.value == 5;
  }
  CHECK(symbolic);
  MESSAGE(decode.size() << " distinct kernels and " << launches << " launches a token, " << prefill.size()
                        << " kernels of prefill");
  // The layers are equal, so more of them bring more launches but no new kernels.
  c.layers = 4;
  CHECK(decode_kernels(c, LlamaWeights::placeholders(c), 5).size() == decode.size());
}

TEST_CASE("llama: what does not fit is refused and changes nothing") {
  LlamaConfig c = tiny();
  c.context = 10;
  Llama llama(c, LlamaWeights::random(c, 1));
  CHECK(contains(user_error([&] { llama.prefill({}); }), "there are no tokens"));
  CHECK(contains(user_error([&] { llama.decode(100); }), "there is no token 100; the vocabulary has 100"));
  CHECK(contains(user_error([&] { llama.prefill(Ids(11)); }), "11 more tokens do not fit into the context: 0 of its 10"));
  llama.prefill(Ids(10));
  CHECK(llama.room() == 0);
  CHECK(contains(user_error([&] { llama.decode(1); }), "10 of its 10 positions are taken"));
  CHECK(llama.position() == 10);
}

TEST_CASE("llama: hyper-parameters and weights that make no llama") {
  auto refused = [](const std::function<void(GgufWriter&)>& change) {
    GgufWriter w = small_llama();
    change(w);
    Gguf file = read_gguf(w.bytes());
    return user_error([&] { LlamaWeights::from(file, LlamaConfig::from(file)); });
  };
  CHECK(refused([](GgufWriter&) {}) == "");
  std::vector<float> data(8);
  CHECK(contains(refused([&](GgufWriter& w) { w.tensor("blk.0.attn_q.bias", {8}, data); }),
                 "\"blk.0.attn_q.bias\" is not part of a plain llama"));
  CHECK(contains(refused([&](GgufWriter& w) {
                   w.tensor("output.weight", {2, 4}, data);
                 }),
                 "output.weight has shape [2, 4], but"));
  CHECK(contains(refused([](GgufWriter& w) { w.pair<uint32_t>("split.count", 3); }), "split into 3 files"));
  CHECK(contains(refused([](GgufWriter& w) { w.pair("llama.rope.scaling.type", std::string("yarn")); }), "\"yarn\""));
  CHECK(contains(user_error([] { LlamaConfig::preset("gpt"); }), "known are tinyllama-1.1b"));
  LlamaConfig c = tiny();
  c.kv_heads = 3;
  CHECK(contains(user_error([&] { c.check(); }), "4 heads cannot share 3 key-value heads"));
}

TEST_CASE("llama: parameter counts of the presets are the published ones") {
  CHECK(LlamaConfig::preset("tinyllama-1.1b").parameters() == 1100048384);
  CHECK(LlamaConfig::preset("llama-2-7b").parameters() == 6738415616);
  CHECK(LlamaConfig::preset("llama-3.2-1b").parameters() == 1235814400);
  CHECK(LlamaConfig::preset("llama-3.1-8b").parameters() == 8030261248);
}

TEST_CASE("generate: stops at the count, at the end of the text, at the end of the context, and when told to") {
  LlamaConfig c = tiny();
  c.context = 12;
  Llama llama(c, LlamaWeights::random(c, 3));
  GenerateOptions o;
  o.sampler.temperature = 0;
  o.tokens = 4;
  auto never = [](int32_t) { return false; };
  auto on = [](int32_t) { return true; };
  Ids prompt = {1, 2, 3};
  GenerateStats first = generate(llama, prompt, o, never, on);
  CHECK(first.stop == StopReason::Count);
  CHECK(first.tokens.size() == 4);
  CHECK(first.prompt_tokens == 3);
  CHECK(first.decoded == 3);
  llama.reset();
  GenerateStats ended = generate(
      llama, prompt, o, [&](int32_t t) { return t == first.tokens[1]; }, on);
  CHECK(ended.stop == StopReason::EndOfText);
  CHECK(ended.tokens == Ids(first.tokens.begin(), std::ranges::find(first.tokens, first.tokens[1])));
  llama.reset();
  o.tokens = 100;
  GenerateStats full = generate(llama, prompt, o, never, on);
  CHECK(full.stop == StopReason::ContextFull);
  CHECK(full.tokens.size() == 10);  // 9 positions were left, and the last position's logits give one token more
  CHECK(std::equal(first.tokens.begin(), first.tokens.end(), full.tokens.begin()));
  llama.reset();
  GenerateStats told = generate(llama, prompt, o, never, [](int32_t) { return false; });
  CHECK(told.stop == StopReason::Interrupted);
  CHECK(told.tokens.size() == 1);
}

TEST_CASE("llama: a token reads every weight but the embedding, unless that is the head too") {
  LlamaConfig c = LlamaConfig::preset("tiny");
  c.tied = false;
  CHECK(LlamaWeights::random(c, 1).token_bytes() == 4 * (c.parameters() - c.vocab * c.dim));
  const Gguf file = read_gguf(small_llama(true).bytes());
  REQUIRE(LlamaConfig::from(file).tied);
  int64_t bytes = 0;
  for (const GgufTensor& t : file.tensors()) bytes += static_cast<int64_t>(t.data.size());
  CHECK(LlamaWeights::from(file, LlamaConfig::from(file)).token_bytes() == bytes);
}

}  // namespace
}  // namespace pg
