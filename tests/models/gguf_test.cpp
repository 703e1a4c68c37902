#include "models/gguf.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "models/llama_config.h"
#include "models/random.h"
#include "models/tokenizer.h"
#include "tests/models/errors.h"
#include "tests/models/small_llama.h"

namespace pg {
namespace {

using namespace tests;

std::string refusal(const std::string& bytes) {
  return user_error([&] { read_gguf(bytes); });
}
std::string refusal(const GgufWriter& w) { return refusal(w.bytes()); }

struct TemporaryFile {
  std::string path;
  explicit TemporaryFile(const std::string& contents) {
    path = (std::filesystem::temp_directory_path() / ("picograd_gguf_" + std::to_string(::getpid()) + ".gguf")).string();
    std::ofstream(path, std::ios::binary) << contents;
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
};

TEST_CASE("gguf: metadata of every type comes back, by key") {
  GgufWriter w;
  w.pair<uint32_t>("a.u32", 7)
      .pair<int32_t>("a.i32", -7)
      .pair<float>("a.f32", 0.5f)
      .pair("a.bool", true)
      .pair<uint64_t>("a.u64", 1ull << 40);
  w.pair<int64_t>("a.i64", -(1ll << 40)).pair<double>("a.f64", 1e300).pair("a.str", std::string("text"));
  w.pair("b.strs", std::vector<std::string>{"x", "", "yz"})
      .pair("b.floats", std::vector<float>{1, 2})
      .pair("b.ints", std::vector<int32_t>{-1, 5});
  Gguf g = read_gguf(w.bytes());
  CHECK(g.integer("a.u32") == 7);
  CHECK(g.integer("a.i32") == -7);
  CHECK(g.number("a.f32") == 0.5);
  CHECK(g.flag("a.bool"));
  CHECK(g.integer("a.u64") == 1ll << 40);
  CHECK(g.integer("a.i64") == -(1ll << 40));
  CHECK(g.number("a.f64") == 1e300);
  CHECK(g.number("a.u32") == 7.0);
  CHECK(g.string("a.str") == "text");
  CHECK(g.strings("b.strs") == std::vector<std::string_view>{"x", "", "yz"});
  CHECK(g.numbers("b.floats") == std::vector<double>{1, 2});
  CHECK(g.integers("b.ints") == std::vector<int64_t>{-1, 5});
  CHECK(g.integer("missing", 3) == 3);
  CHECK(contains(user_error([&] { g.integer("missing"); }), "test.gguf: the key \"missing\" is missing"));
  CHECK(contains(user_error([&] { g.integer("a.str"); }), "\"a.str\" does not hold an integer"));
  CHECK(contains(user_error([&] { g.integer("a.str", 3); }), "\"a.str\" does not hold an integer"));
  CHECK(contains(user_error([&] { g.strings("b.ints"); }), "\"b.ints\" does not hold an array of strings"));
}

TEST_CASE("gguf: tensors have row-major shapes and their own bytes") {
  GgufWriter w;
  w.tensor("m", {2, 3}, {1, 2, 3, 4, 5, 6}).tensor("v", {1}, {7});
  uint16_t halves[2] = {0x3C00, 0xC000};
  w.tensor("h", {2}, 1, halves, sizeof halves);
  for (uint32_t version : {2u, 3u}) {
    w.version = version;
    Gguf g = read_gguf(w.bytes());
    const GgufTensor& m = g.tensor("m");
    CHECK(m.shape == std::vector<int64_t>{2, 3});
    REQUIRE(m.data.size() == 24);
    CHECK(reinterpret_cast<const float*>(m.data.data())[5] == 6);
    CHECK(*reinterpret_cast<const float*>(g.tensor("v").data.data()) == 7);
    CHECK(g.packing(g.tensor("h")) == Packing::F16);
    CHECK(contains(user_error([&] { g.tensor("nothing"); }), "the tensor \"nothing\" is missing"));
  }
}

TEST_CASE("gguf: packed tensors are read; a type that is not is refused by name") {
  GgufWriter w;
  std::vector<char> block(256 * 2);
  const std::vector<std::pair<uint32_t, size_t>> types = {{0, 1024}, {1, 512},  {30, 512}, {8, 272},
                                                          {2, 144},  {12, 144}, {14, 210}};
  for (const auto& [type, bytes] : types) {
    block.resize(bytes);
    w.tensor(std::to_string(type), {1, 256}, type, block.data(), bytes);
  }
  w.tensor("blk.0.attn_q.weight", {1, 256}, 10, block.data(), 84);
  Gguf g = read_gguf(w.bytes());
  CHECK(contains(
      user_error([&] { g.tensor("blk.0.attn_q.weight"); }),
      "test.gguf: blk.0.attn_q.weight is Q2_K: this version reads F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q6_K; convert the "
      "model to one of them"));
  for (const auto& [type, bytes] : types) {
    const GgufTensor& t = g.tensor(std::to_string(type));
    CHECK(info(g.packing(t)).ggml == type);
    CHECK(t.data.size() == bytes);
    CHECK(packed_bytes(g.packing(t), t.shape) == static_cast<int64_t>(bytes));
  }
}

TEST_CASE("gguf: what is wrong is said once, with file, byte and remedy") {
  GgufWriter magic;
  magic.magic = 0x12345678;
  CHECK(contains(refusal(magic), "test.gguf: at byte 0: this is not a GGUF file"));
  GgufWriter version;
  version.version = 9;
  CHECK(contains(refusal(version), "at byte 4: GGUF version 9"));
  GgufWriter many;
  many.pair_count = 1ull << 60;
  CHECK(contains(refusal(many),
                 "at byte 16: the number of metadata values is 1152921504606846976, more than the file can hold"));
  CHECK(contains(refusal(std::string("GGUF")), "at byte 4: the version needs 4 bytes, but the file ends"));
  CHECK(contains(refusal(std::string()), "at byte 0: the magic number"));

  float data[4] = {};
  CHECK(contains(refusal(GgufWriter().tensor("t", {1ll << 40}, 0, data, 16)), "beyond the end of the file"));
  CHECK(contains(refusal(GgufWriter().tensor("t", {1ll << 40, 1ll << 40}, 0, data, 16)), "has an impossible extent"));
  CHECK(contains(refusal(GgufWriter().tensor("t", {-1}, 0, data, 16)), "has an impossible extent"));
  CHECK(contains(refusal(GgufWriter().tensor("t", {0}, 0, data, 0)), "has an impossible extent, 0"));
  CHECK(contains(refusal(GgufWriter().tensor("t", {1, 1, 1, 1, 1}, 0, data, 4)), "has 5 dimensions"));
  CHECK(contains(refusal(GgufWriter().tensor("t", {4}, 77, data, 16)), "\"t\" has the unknown type 77"));
  CHECK(contains(refusal(GgufWriter().tensor("t", {4}, 0, data, 16, 3)), "is not aligned to 32"));
  CHECK(contains(refusal(GgufWriter().tensor("t", {4}, 0, data, 16, ~31ll ^ (1ll << 63))), "beyond the end of the file"));
  CHECK(contains(refusal(GgufWriter().tensor("t", {33}, 12, data, 16)), "Q4_K needs rows of a multiple of 256"));
  CHECK(contains(refusal(GgufWriter().tensor("t", {4}, 0, data, 16).tensor("u", {4}, 0, data, 16, 0)),
                 "\"t\" and \"u\" overlap"));
  CHECK(contains(refusal(GgufWriter().tensor("t", {4}, 0, data, 16).tensor("t", {4}, 0, data, 16)),
                 "\"t\" stands there twice"));
  CHECK(contains(refusal(GgufWriter().pair("k", true).pair("k", true)), "\"k\" stands there twice"));
  CHECK(contains(refusal(GgufWriter().pair<uint32_t>("general.alignment", 12)), "general.alignment is 12"));
  CHECK(contains(refusal(GgufWriter().pair<uint32_t>("general.alignment", 0)), "general.alignment is 0"));
  CHECK(contains(refusal(GgufWriter().pair<uint64_t>("k", ~0ull)), "an integer beyond 2^63"));
}

TEST_CASE("gguf: files that are none") {
  CHECK(contains(user_error([] { Gguf::open("/nonexistent/model.gguf"); }), "/nonexistent/model.gguf: cannot be opened"));
  CHECK(contains(user_error([] { Gguf::open("/tmp"); }), "/tmp: is not a regular file"));
  TemporaryFile empty("");
  CHECK(contains(user_error([&] { Gguf::open(empty.path); }), "at byte 0: the file is empty"));
}

TEST_CASE("gguf: a file cut at any byte gives one clear error, the whole one none") {
  std::string whole = small_llama().bytes();
  {
    TemporaryFile file(whole);
    CHECK(Gguf::open(file.path).tensors().size() == 11);
  }
  for (size_t n = 0; n < whole.size(); n++) {
    std::string said = refusal(whole.substr(0, n));
    REQUIRE_MESSAGE(contains(said, "test.gguf: at byte "), "cut at " << n << ": " << said);
    REQUIRE_MESSAGE(contains(said, "download or export it again"), "cut at " << n << ": " << said);
  }
}

// Whatever reads the file afterwards is part of the promise: hyper-parameters, tokenizer, every tensor's bytes.
void use(const Gguf& g) {
  LlamaConfig::from(g);
  Tokenizer t = Tokenizer::from(g);
  std::vector<int32_t> ids = t.encode("hello w\u00f6rld \xff");
  t.decode(ids);
  unsigned sum = 0;
  for (const GgufTensor& tensor : g.tensors()) {
    for (std::byte b : tensor.data) sum += static_cast<unsigned>(b);
  }
  CHECK(sum > 0);
}

TEST_CASE("gguf: 30000 damaged files neither crash nor hang") {
  const uint64_t seed = 20260101;
  MESSAGE("seed " << seed);
  const std::string whole = small_llama().bytes();
  REQUIRE_NOTHROW(use(read_gguf(whole)));
  // Numbers that make trouble: huge, negative, just off.
  const uint64_t nasty[] = {0,          1,          2,          7,          0x7F,       0xFF,  0x7FFFFFFF, 0xFFFFFFFF,
                            1ull << 32, 1ull << 47, 1ull << 62, ~0ull >> 1, 1ull << 63, ~0ull, ~0ull - 31};
  size_t head = whole.size();  // what stands in front of the tensors' data
  const Gguf intact = read_gguf(whole);
  for (const GgufTensor& t : intact.tensors()) head -= (t.data.size() + 31) / 32 * 32;
  int refused = 0, accepted = 0;
  uint64_t n = 0;
  auto draw = [&](uint64_t below) { return random_bits(seed, n++) % below; };
  auto start = std::chrono::steady_clock::now();
  for (int round = 0; round < 30000; round++) {
    std::string bytes = whole;
    for (uint64_t k = draw(3) + 1; k-- > 0;) {
      size_t at = draw(4) == 0 ? draw(64) : draw(head);
      switch (draw(4)) {
        case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << draw(8))); break;
        case 1: bytes[at] = static_cast<char>(draw(256)); break;
        case 2: {
          uint64_t value = nasty[draw(std::size(nasty))];
          size_t width = draw(2) ? 8 : 4;
          std::memcpy(bytes.data() + at, &value, std::min(width, bytes.size() - at));
          break;
        }
        default: bytes.resize(std::max<size_t>(draw(bytes.size()), at + 8)); break;
      }
    }
    INFO("seed " << seed << " round " << round);
    try {
      use(read_gguf(bytes));
      accepted++;
    } catch (const UserError&) {
      refused++;
    }
  }
  MESSAGE(refused << " refused, " << accepted << " accepted");
  CHECK(refused > 3000);
  CHECK(accepted > 300);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::minutes(5));
}

}  // namespace
}  // namespace pg
