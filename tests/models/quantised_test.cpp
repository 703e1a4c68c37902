#include "models/quantised.h"

#include <doctest/doctest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/llama.h"
#include "models/random.h"
#include "runtime/device.h"
#include "src/graph/realize.h"
#include "src/tensor/buffers.h"
#include "tests/models/errors.h"
#include "uops/kernel.h"

namespace pg {
namespace {

using namespace tests;
using Json = nlohmann::json;
using Bytes = std::vector<std::byte>;

/// What ggml's own scripts make of the same bytes: goldens/make_quantised.py.
const Json& goldens() {
  static const Json all = Json::parse(std::ifstream(PICOGRAD_SOURCE_DIR "/tests/models/goldens/quantised.json"));
  return all;
}
Bytes bytes(const std::string& hex) {
  Bytes out;
  for (size_t i = 0; i < hex.size(); i += 2) out.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}
std::vector<float> floats(const std::string& hex) {
  const Bytes raw = bytes(hex);
  std::vector<float> out(raw.size() / 4);
  std::memcpy(out.data(), raw.data(), raw.size());
  return out;
}
Packing packing(const Json& golden) {
  for (int i = 0;; ++i)
    if (golden.at("type") == info(static_cast<Packing>(i)).name) return static_cast<Packing>(i);
}
MemoryRef memory(const Bytes& raw, Device& d) {
  auto m = std::make_shared<Memory>(d, raw.size());
  d.copy_in(m->data(), raw.data(), raw.size());
  return m;
}
bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}
/// A matrix of a random row-major pattern, packed by ggml's rules where we pack, of random bytes with sane scales elsewhere.
struct Packed {
  Bytes raw;
  std::vector<int64_t> shape;
  Packing type;
  Tensor on(Device& d) const { return decoded(memory(raw, d), type, shape); }
};
Packed random_packed(Packing type, int64_t rows, int64_t columns, uint64_t seed) {
  Packed p{{}, {rows, columns}, type};
  p.raw.resize(static_cast<size_t>(packed_bytes(type, p.shape)));
  for (size_t i = 0; i < p.raw.size(); ++i) p.raw[i] = static_cast<std::byte>(random_bits(seed, i) & 0xff);
  const auto& block = info(type);
  const std::vector<size_t> scales = type == Packing::Q6_K   ? std::vector<size_t>{208}
                                     : type == Packing::Q4_K ? std::vector<size_t>{0, 2}
                                                             : std::vector<size_t>{0};
  for (size_t at = 0; at < p.raw.size(); at += static_cast<size_t>(block.bytes))
    for (size_t s : scales)
      p.raw[at + s + 1] = static_cast<std::byte>(random_bits(seed + 1, at + s) % 8 + 0x18);  // 2^-9 .. 2^-7
  return p;
}
Tensor random_floats(std::vector<int64_t> shape, uint64_t seed) {
  return Tensor::randn(Shape(shape.begin(), shape.end()), seed);
}
constexpr Packing kBlocks[] = {Packing::Q8_0, Packing::Q4_0, Packing::Q4_K, Packing::Q6_K};

TEST_CASE("quantised: every type decodes to ggml's floats, bit for bit") {
  for (const char* on : {"REF", "CPU"})
    for (const Json& golden : goldens().at("decoded")) {
      INFO(std::string(golden.at("type")) << " on " << on);
      const auto shape = golden.at("shape").get<std::vector<int64_t>>();
      const MemoryRef raw = memory(bytes(golden.at("bytes")), device(on));
      Tensor t = decoded(raw, packing(golden), shape).cast(dt::f32);
      CHECK(same_bits(t.to_floats(), floats(golden.at("values"))));
    }
}

TEST_CASE("quantised: numbers are packed as ggml packs them") {
  for (const Json& golden : goldens().at("packed")) {
    INFO(std::string(golden.at("type")));
    CHECK(packed(floats(golden.at("values")), packing(golden)) == bytes(golden.at("bytes")));
  }
  CHECK(packed(std::vector<float>{1.5f, -2}, Packing::BF16) == bytes("c03f00c0"));
  CHECK(packed(std::vector<float>{1.5f, -2}, Packing::F16) == bytes("003e00c0"));
}

TEST_CASE("quantised: a product reads packed bytes in one kernel, for one row and for many") {
  for (const Packing type : kBlocks)
    for (int64_t rows : {1, 7, 200}) {
      INFO(std::string(info(type).name) << ", " << rows << " rows");
      const Packed w = random_packed(type, 96, 512, 5);
      const Tensor x = random_floats({rows, 512}, 6);
      Graph packed_graph({x.matmul(w.on(default_device()).transpose())});
      REQUIRE(packed_graph.kernel_count() == 1);
      CHECK(packed_graph.memory_plan().without_reuse == 0);
      int64_t widest = 0;  // the packed matrix is all that it reads beside x
      for (const UOp& p : params_of(packed_graph.kernels()[0].ast))
        if (p.dtype().element_bytes() < 4) ++widest;
      CHECK(widest >= 2);
      packed_graph.replay();
      Tensor dense = w.on(default_device());
      dense.realize();
      const std::vector<float> got = packed_graph.outputs()[0].to_floats(), wanted = x.matmul(dense.transpose()).to_floats();
      double worst = 0;
      for (size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(double(got[i]) - double(wanted[i])));
      CHECK(worst < 2e-3);
    }
}

TEST_CASE("quantised: of an embedding only the rows that are looked up are decoded") {
  for (const Packing type : kBlocks) {
    INFO(std::string(info(type).name));
    const Packed w = random_packed(type, 50, 256, 8);
    const Tensor ids = Tensor::from(std::vector<int32_t>{7, 49, 0}, {3});
    Graph graph({w.on(default_device()).gather(ids)});
    CHECK(graph.kernel_count() == 1);
    CHECK(graph.memory_plan().without_reuse == 0);
    graph.replay();
    const std::vector<float> all = w.on(default_device()).to_floats(), got = graph.outputs()[0].to_floats();
    std::vector<float> wanted;
    for (int row : {7, 49, 0}) wanted.insert(wanted.end(), all.begin() + row * 256, all.begin() + (row + 1) * 256);
    CHECK(same_bits(got, wanted));
  }
}

/// The same numbers as floats in memory.
LlamaWeights unpacked(LlamaWeights w) {
  const auto dense = [](Tensor& t) {
    t = t.cast(dt::f32).contiguous();
    t.realize();
  };
  for (Tensor* t : {&w.embedding, &w.norm, &w.output}) dense(*t);
  for (LlamaLayer& l : w.layers)
    for (Tensor* t : {&l.attention_norm, &l.q, &l.k, &l.v, &l.o, &l.ffn_norm, &l.gate, &l.up, &l.down}) dense(*t);
  return w;
}

TEST_CASE("quantised: a llama's logits are those of the same weights as floats") {
  LlamaConfig c = LlamaConfig::preset("tiny");
  c.dim = 64, c.heads = 4, c.kv_heads = 2, c.head_dim = 16, c.ffn = 96, c.chunk = 24;
  const std::vector<int32_t> ids = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4};
  for (const Packing type : {Packing::Q8_0, Packing::Q4_0, Packing::F16, Packing::BF16}) {
    INFO(std::string(info(type).name));
    const LlamaWeights w = LlamaWeights::random(c, 12, default_device(), type);
    CHECK(w.token_bytes() < LlamaWeights::random(c, 12).token_bytes() * info(type).bytes / info(type).elements / 4 + 4096);
    Llama packed_llama(c, w), dense_llama(c, unpacked(w));
    // The same kernels but for what they read: no matrix is unpacked into memory.
    const auto count = [](const std::vector<Graph::KernelUse>& kernels) {
      int n = 0;
      for (const Graph::KernelUse& k : kernels) n += k.count;
      return n;
    };
    CHECK(count(packed_llama.decode_kernels()) == count(dense_llama.decode_kernels()));
    CHECK(count(packed_llama.prefill_kernels()) == count(dense_llama.prefill_kernels()));
    const auto worst = [&] {
      double out = 0;
      for (size_t i = 0; i < packed_llama.logits().size(); ++i)
        out = std::max(out, std::abs(double{packed_llama.logits()[i]} - double{dense_llama.logits()[i]}));
      return out;
    };
    packed_llama.prefill(ids), dense_llama.prefill(ids);
    CHECK(worst() < 1e-4);
    packed_llama.decode(11), dense_llama.decode(11);
    CHECK(worst() < 1e-4);
  }
}

TEST_CASE("quantised: names, and what is refused") {
  CHECK(parse_packing("q8_0") == Packing::Q8_0);
  CHECK(parse_packing("F16") == Packing::F16);
  CHECK(user_error([] { parse_packing("q4_k"); }) ==
        "weights cannot be packed as 'q4_k'; known are F32, F16, BF16, Q8_0, Q4_0");
  CHECK(user_error([] {
          packed_bytes(Packing::Q4_K, {4, 128});
        }) == "Q4_K packs rows of a multiple of 256 numbers, not of 128");
  CHECK(user_error([] { packed(std::vector<float>(256), Packing::Q6_K); }) == "Q6_K is read, not made; use Q8_0 or Q4_0");
  CHECK(packed_bytes(Packing::Q8_0, {3, 64}) == 3 * 68);
  CHECK(!packing_of(3));  // Q4_1
}

}  // namespace
}  // namespace pg
