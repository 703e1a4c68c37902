#include "models/tokenizer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "models/gguf.h"
#include "models/random.h"
#include "models/utf8.h"
#include "tests/models/errors.h"
#include "tests/models/small_llama.h"

namespace pg {
namespace {

using namespace tests;
using Ids = std::vector<int32_t>;

Tokenizer small_tokenizer() {
  GgufWriter w;
  add_tokenizer(w);
  return Tokenizer::from(read_gguf(w.bytes()));
}

/// A vocabulary of these normal pieces, in order of falling score, without specials.
Vocabulary pieces(const std::vector<std::string>& texts) {
  Vocabulary v;
  v.add_bos = v.add_space_prefix = false;
  float score = 0;
  for (const std::string& t : texts) v.pieces.push_back({t, --score, PieceKind::Normal});
  return v;
}
std::vector<std::string> split(const Tokenizer& t, std::string_view text) {
  std::vector<std::string> out;
  for (int32_t id : t.encode(text)) out.push_back(t.vocabulary().pieces[id].text);
  return out;
}
using Strings = std::vector<std::string>;

TEST_CASE("tokenizer: merges take the best score first") {
  Tokenizer t(pieces({"bc", "ab", "abc", "a", "b", "c"}));
  CHECK(split(t, "abc") == Strings{"abc"});  // bc, then a+bc
  Tokenizer u(pieces({"ab", "bc", "a", "b", "c"}));
  CHECK(split(u, "abc") == Strings{"ab", "c"});
  CHECK(split(u, "bcbab") == Strings{"bc", "b", "ab"});
}

TEST_CASE("tokenizer: of equal scores the leftmost pair is merged") {
  Tokenizer t(pieces({"aa", "a"}));
  CHECK(split(t, "aaa") == Strings{"aa", "a"});
  CHECK(split(t, "aaaaa") == Strings{"aa", "aa", "a"});
}

TEST_CASE("tokenizer: BOS, the added space, spaces as pieces") {
  Tokenizer t = small_tokenizer();
  CHECK(split(t, "hello world") == Strings{"<s>", "\u2581hello", "\u2581world"});
  CHECK(split(t, "hello  world") == Strings{"<s>", "\u2581hello", "\u2581", "\u2581world"});
  CHECK(t.encode("") == Ids{1});
  CHECK(t.decode(t.encode("hello world")) == "hello world");
  CHECK(t.decode(t.encode("  hello ")) == "  hello ");
}

TEST_CASE("tokenizer: what is no piece falls back to bytes, or to the unknown piece where there are none") {
  Tokenizer t = small_tokenizer();
  CHECK(split(t, "h\u20ac") == Strings{"<s>", "\u2581", "h", "<0xE2>", "<0x82>", "<0xAC>"});
  CHECK(split(t, "\u00e9") == Strings{"<s>", "\u2581", "\u00e9"});
  Vocabulary v = pieces({"a"});
  v.pieces.push_back({"<unk>", 0, PieceKind::Unknown});
  v.unknown = 1;
  Tokenizer u(std::move(v));
  CHECK(u.encode("a\u20aca") == Ids{0, 1, 0});
  CHECK(u.decode(Ids{0, 1}) == "a \u2047 ");
}

TEST_CASE("tokenizer: control pieces never come from text and print nothing") {
  Tokenizer t = small_tokenizer();
  for (int32_t id : t.encode("<s></s><unk>")) CHECK((id == 1 || id > 2));
  CHECK(t.decode(t.encode("<s>x")) == "<s>x");
  CHECK(t.decode(Ids{1, 2, 1}) == "");
  CHECK(t.ends(2));
  CHECK_FALSE(t.ends(1));
}

TEST_CASE("tokenizer: every text comes back from encode and decode") {
  Tokenizer t = small_tokenizer();
  const uint64_t seed = 7;
  MESSAGE("seed " << seed);
  const Strings parts = {"hello", " ", "world", "h", "\u00e9", "\u20ac", "\U0001F600", "\n", "w or", "ll", "\u2581x"};
  uint64_t n = 0;
  for (int round = 0; round < 2000; round++) {
    std::string text;
    for (uint64_t k = random_bits(seed, n++) % 12; k-- > 0;) text += parts[random_bits(seed, n++) % (parts.size() - 1)];
    INFO("seed " << seed << " round " << round << " text [" << text << "]");
    REQUIRE(t.decode(t.encode(text)) == text);
  }
}

TEST_CASE("tokenizer: a long text takes no quadratic time") {
  Tokenizer t = small_tokenizer();
  std::string text;
  for (int i = 0; i < 100000; i++) text += "hello world ";
  CHECK(t.decode(t.encode(text)) == text);
}

TEST_CASE("text stream: an unfinished character is held back until it is whole") {
  Tokenizer t = small_tokenizer();
  TextStream s(t);
  auto byte = [](int b) { return 3 + b; };
  CHECK(s.append(byte(0xE2)) == "");
  CHECK(s.append(byte(0x82)) == "");
  CHECK(s.append(byte(0xAC)) == "\u20ac");
  CHECK(s.append(byte('a')) == "a");
  CHECK(s.append(byte(0xF0)) == "");
  CHECK(s.append(byte('b')) == "\uFFFDb");
  CHECK(s.append(byte(0xFF)) == "\uFFFD");
  CHECK(s.append(byte(0xC3)) == "");
  CHECK(s.append(1) == "");  // control: nothing, and the character may still be finished
  CHECK(s.append(byte(0xA9)) == "\u00e9");
  CHECK(s.append(byte(0xE2)) == "");
  CHECK(s.finish() == "\uFFFD");
  CHECK(s.finish() == "");
}

TEST_CASE("text stream: only a text's own first space is dropped") {
  Tokenizer t = small_tokenizer();
  Ids ids = t.encode("hello world");
  TextStream start(t), middle(t, false);
  CHECK(start.append(ids[0]) == "");
  CHECK(start.append(ids[1]) == "hello");
  CHECK(start.append(ids[2]) == " world");
  CHECK(middle.append(ids[1]) == " hello");
}

TEST_CASE("utf8: the table of well-formed sequences") {
  auto what = [](std::string_view s) { return utf8_front(s).what; };
  CHECK(what("a") == Utf8Front::Character);
  CHECK(what("\xC2\x80") == Utf8Front::Character);
  CHECK(what("\xC1\x80") == Utf8Front::Invalid);            // overlong
  CHECK(what("\xE0\x9F\xBF") == Utf8Front::Invalid);        // overlong
  CHECK(what("\xED\xA0\x80") == Utf8Front::Invalid);        // surrogate
  CHECK(what("\xF4\x8F\xBF\xBF") == Utf8Front::Character);  // U+10FFFF
  CHECK(what("\xF4\x90\x80\x80") == Utf8Front::Invalid);
  CHECK(what("\xF0\x9F\x98") == Utf8Front::Incomplete);
  CHECK(what("\x80") == Utf8Front::Invalid);
}

TEST_CASE("tokenizer: a bad vocabulary is refused by name") {
  auto refused = [](const std::function<void(GgufWriter&)>& change) {
    GgufWriter w;
    change(w);
    return user_error([&] { Tokenizer::from(read_gguf(w.bytes())); });
  };
  Strings one = {"a"};
  CHECK(contains(refused([](GgufWriter&) {}), "\"tokenizer.ggml.model\" is missing"));
  CHECK(contains(refused([](GgufWriter& w) { w.pair("tokenizer.ggml.model", std::string("bert")); }),
                 "tokenizer.ggml.model is \"bert\""));
  auto vocabulary = [&](GgufWriter& w, float score, int32_t kind, size_t scores = 1) {
    w.pair("tokenizer.ggml.model", std::string("llama")).pair("tokenizer.ggml.tokens", one);
    w.pair("tokenizer.ggml.scores", std::vector<float>(scores, score))
        .pair("tokenizer.ggml.token_type", std::vector<int32_t>{kind});
  };
  CHECK(contains(refused([&](GgufWriter& w) { vocabulary(w, 0, 1, 2); }), ".scores differ in length: 1, 2"));
  CHECK(contains(refused([&](GgufWriter& w) { vocabulary(w, 0, 9); }), "token_type[0] is 9"));
  CHECK(contains(refused([&](GgufWriter& w) {
                   vocabulary(w, NAN, 1);
                   w.pair<uint32_t>("tokenizer.ggml.bos_token_id", 0);
                 }),
                 "the score of piece 0 is not a number"));
  CHECK(contains(refused([&](GgufWriter& w) { vocabulary(w, 0, 1); }), "there is none"));
  CHECK(contains(refused([&](GgufWriter& w) {
                   vocabulary(w, 0, 1);
                   w.pair<uint32_t>("tokenizer.ggml.eos_token_id", 5);
                 }),
                 "tokenizer.ggml.eos_token_id is 5, outside the vocabulary of 1"));
  CHECK(contains(refused([&](GgufWriter& w) {
                   vocabulary(w, 0, 6);
                   w.pair<uint32_t>("tokenizer.ggml.bos_token_id", 0);
                 }),
                 "the byte piece 0 is not written <0xHH>"));
  CHECK(contains(user_error([] { small_tokenizer().decode(Ids{99999}); }), "there is no token 99999"));
}

}  // namespace
}  // namespace pg
