#include "models/safetensors.h"

#include <doctest/doctest.h>

#include "models/random.h"
#include "tests/models/errors.h"
#include "tests/models/safetensors_writer.h"

namespace pg {
namespace {

using namespace tests;

std::string refusal(const std::string& header, const std::string& data = "") {
  return user_error([&] { read_safetensors(safetensors_bytes(header, data)); });
}

TEST_CASE("safetensors: tensors have their shapes, types and own bytes, in the order of the data") {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,1],"data_offsets":[8,12]},)"
      R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"none":{"dtype":"F16","shape":[0,4],"data_offsets":[8,8]},)"
      R"("one":{"dtype":"F16","shape":[],"data_offsets":[12,14]},"i":{"dtype":"I8","shape":[1],"data_offsets":[14,15]}}   )";
  const Safetensors file = read_safetensors(safetensors_bytes(header, "01234567abcdefz"));
  REQUIRE(file.tensors().size() == 5);
  const char* const order[] = {"a", "none", "b", "one", "i"};
  for (size_t i = 0; i < 5; i++) CHECK(file.tensors()[i].name == order[i]);
  const SafetensorsTensor& b = *file.find("b");
  CHECK(b.shape == std::vector<int64_t>{2, 1});
  CHECK(std::string(reinterpret_cast<const char*>(b.data.data()), b.data.size()) == "abcd");
  CHECK(file.dtype(b) == dt::bf16);
  CHECK(file.dtype(*file.find("a")) == dt::f32);
  CHECK(file.dtype(*file.find("one")) == dt::f16);
  CHECK(file.find("none")->data.empty());
  CHECK(file.find("__metadata__") == nullptr);
  CHECK(contains(user_error([&] { file.dtype(*file.find("i")); }),
                 "tensor \"i\" is I8: this version reads F32, F16 and BF16"));
}

TEST_CASE("safetensors: a damaged file is one clear error") {
  CHECK(contains(user_error([] { read_safetensors("1234567"); }), "test.safetensors: at byte 0: the file ends within"));
  CHECK(contains(user_error([] { read_safetensors(safetensors_bytes("{}", "", 3)); }), "a header of 3 bytes does not fit"));
  CHECK(contains(user_error([] { read_safetensors(safetensors_bytes("{}", "x")); }), "goes on for 1 bytes behind the last"));
  CHECK(contains(user_error([] { read_safetensors(safetensors_bytes("{}", "", INT64_MAX)); }), "does not fit"));
  CHECK(contains(refusal("{\"a\":"), "this is not JSON"));
  CHECK(contains(refusal("[]"), "this is no JSON object"));
  CHECK(contains(refusal(R"({"a":1})"), "tensor \"a\": this is no JSON object"));
  const auto entry = [](const std::string& type, const std::string& shape, const std::string& offsets) {
    return R"({"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const auto one = [&](const std::string& type, const std::string& shape, const std::string& offsets) {
    return refusal(R"({"a":)" + entry(type, shape, offsets) + "}", "01234567");
  };
  CHECK(one("F32", "[2]", "[0,8]").empty());
  CHECK(contains(one("F31", "[2]", "[0,8]"), "tensor \"a\": the type \"F31\" is unknown"));
  CHECK(contains(one("F32", "[3]", "[0,8]"), "[0, 8] do not hold the 12 bytes of its shape"));
  CHECK(contains(one("F32", "[2]", "[8,0]"), "[8, 0] do not hold"));
  CHECK(contains(one("F32", "[-2]", "[0,8]"), "the shape holds something else than numbers of 0 or more"));
  CHECK(contains(one("F32", "[1.5]", "[0,8]"), "the shape holds something else"));
  CHECK(contains(one("F32", "[4294967296,4294967296]", "[0,8]"), "impossible extent, 4294967296"));
  CHECK(contains(one("F32", "[18446744073709551615]", "[0,8]"), "impossible extent"));
  CHECK(contains(one("F32", "[1e999]", "[0,8]"), "beyond all bounds"));
  CHECK(contains(one("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), "9 dimensions"));
  CHECK(contains(one("F32", "2", "[0,8]"), "\"shape\" does not hold an array"));
  CHECK(contains(one("F32", "[2]", "[0]"), "data_offsets is not [begin, end]"));
  CHECK(contains(one("F32", "[2]", "[0,-8]"), "data_offsets holds something else"));
  CHECK(contains(one("F32", "[3]", "[0,12]"), "ends at byte 12 of the data, beyond the end of the file"));
  CHECK(contains(one("F32", "[1]", "[0,4]"), "goes on for 4 bytes behind the last tensor"));
  CHECK(contains(one("F32", "[1]", "[4,8]"), "begins at byte 4 of the data, behind a gap"));
  const auto two = [&](const std::string& first, const std::string& second) {
    return refusal(R"({"a":)" + first + R"(,"b":)" + second + "}", "01234567");
  };
  CHECK(two(entry("F32", "[1]", "[4,8]"), entry("F32", "[1]", "[0,4]")).empty());
  CHECK(contains(two(entry("F32", "[2]", "[0,8]"), entry("F32", "[1]", "[4,8]")),
                 "\"b\" begins at byte 4 of the data, inside"));
  CHECK(contains(two(entry("F32", "[2]", "[0,8]"), entry("F32", "[2]", "[0,8]")), "inside another tensor"));
  CHECK(contains(refusal(R"({"a":)" + entry("I8", "[1]", "[0,1]") + R"(,"a":)" + entry("I8", "[1]", "[0,1]") + "}", "0"),
                 "the key \"a\" stands there twice"));
  CHECK(contains(refusal(std::string(100000, '[')), "this is not JSON"));
}

TEST_CASE("safetensors: no truncation and no flipped byte is read beyond the file") {
  const std::string good = safetensors_bytes(
      R"({"b":{"dtype":"F16","shape":[2,2],"data_offsets":[8,16]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
      "0123456789abcdef");
  for (size_t n = 0; n < good.size(); n++) CHECK(!user_error([&] { read_safetensors(good.substr(0, n)); }).empty());
  const uint64_t seed = 11;
  MESSAGE("seed " << seed);
  for (uint64_t i = 0; i < 4000; i++) {
    std::string bad = good;
    bad[random_bits(seed, 2 * i) % bad.size()] ^= static_cast<char>(1 << random_bits(seed, 2 * i + 1) % 8);
    user_error([&] {
      const Safetensors file = read_safetensors(bad);
      for (const SafetensorsTensor& t : file.tensors()) CHECK(t.data.size() <= 16);
    });
  }
}

TEST_CASE("safetensors: an index names files beside it") {
  const auto index =
      parse_shard_index("i.json", R"({"metadata":{},"weight_map":{"a":"x.safetensors","b":"y.safetensors"}})");
  CHECK(index.at("b") == "y.safetensors");
  const auto refused = [](const std::string& text) { return user_error([&] { parse_shard_index("i.json", text); }); };
  CHECK(contains(refused("{}"), "i.json: \"weight_map\" is missing"));
  CHECK(contains(refused(R"({"weight_map":{"a":1}})"), "\"a\" is in no file"));
  for (const char* path : {"../x", "/etc/passwd", "", "..", "a/b"})
    CHECK(contains(refused(std::string(R"({"weight_map":{"a":")") + path + "\"}}"), "is no file beside the index"));
}

}  // namespace
}  // namespace pg
