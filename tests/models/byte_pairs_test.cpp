#include "models/byte_pairs.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "models/pattern.h"
#include "models/random.h"
#include "tests/models/errors.h"

namespace pg {
namespace {

using namespace tests;
using Ids = std::vector<int32_t>;
using Json = nlohmann::json;
using Strings = std::vector<std::string>;

Strings cut(const std::string& pattern, const std::string& text) {
  Strings out;
  Pattern(pattern).split(text, [&](std::string_view piece) { out.emplace_back(piece); });
  return out;
}

TEST_CASE("pattern: matches and what lies between them, in order and without loss") {
  CHECK(cut("b+", "abbcb") == Strings{"a", "bb", "c", "b"});
  CHECK(cut("x", "abc") == Strings{"abc"});
  CHECK(cut("x", "") == Strings{});
  CHECK(cut("(?=x)", "axbx") == Strings{"a", "xb", "x"});  // an empty match cuts
  CHECK(cut("", "aé") == Strings{"a", "é"});
  CHECK(cut(kLlama3Pattern, "I'Ve 12345  x\n\n ...!\n") ==
        Strings{"I", "'Ve", " ", "123", "45", " ", " x", "\n\n", " ...!\n"});
  CHECK(cut(kGpt2Pattern, "we'll  go 42") == Strings{"we", "'ll", " ", " go", " 42"});
}

TEST_CASE("pattern: spaces are Unicode's White_Space, also in classes") {
  CHECK(cut(R"(\s+)", "a\u00a0\u3000b\u180ec\u0085d") == Strings{"a", "\u00a0\u3000", "b\u180ec", "\u0085", "d"});
  CHECK(cut(R"([^\s]+)", "a\u180eb c") == Strings{"a\u180eb", " ", "c"});
  CHECK(cut(R"(\S+)", "a\u180eb c") == Strings{"a\u180eb", " ", "c"});
  CHECK(cut(R"([]\s]+)", "a] b") == Strings{"a", "] ", "b"});
  CHECK(cut(R"(\\s)", "a\\sb s") == Strings{"a", "\\s", "b s"});
}

TEST_CASE("pattern: what cannot be compiled or takes too long is one clear error") {
  const auto refused = [](const std::string& pattern, const std::string& text) {
    return user_error([&] { cut(pattern, text); });
  };
  CHECK(contains(refused("(a", ""), "the pattern \"(a\" cannot be used: missing closing parenthesis"));
  CHECK(contains(refused(R"(\C)", ""), "cannot be used"));
  CHECK(contains(refused(std::string(5000, 'a'), ""), "a pattern of 5000 bytes"));
  CHECK(contains(refused("(a+)+$", std::string(40, 'a') + "b"), "match limit exceeded; shorten the text"));
}

/// tokenizer.json of all bytes and these merges, written in the byte-level alphabet.
Json byte_level(const std::vector<std::pair<std::string, std::string>>& merges, const std::string& pattern) {
  Json vocab = Json::object(), list = Json::array();
  int other = 256;
  for (int b = 0; b < 256; b++) {
    const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    const int point = printable ? b : other++;
    vocab[point < 128 ? std::string(1, static_cast<char>(point))
                      : std::string{static_cast<char>(0xC0 | point >> 6), static_cast<char>(0x80 | (point & 63))}] = b;
  }
  for (const auto& [a, b] : merges) {
    if (!vocab.contains(a + b)) vocab[a + b] = vocab.size();
    list.push_back({a, b});
  }
  return {{"added_tokens", Json::array()},
          {"pre_tokenizer",
           {{"type", "Sequence"},
            {"pretokenizers",
             {{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}},
              {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", list}}}};
}
Tokenizer read(const Json& json) { return Tokenizer::from_json("tokenizer.json", json.dump()); }

/// The definition: again and again the best pair, the leftmost of equal ones.
Ids naive(const std::string& word, const std::vector<TokenMerge>& merges) {
  Ids ids;
  for (char c : word) ids.push_back(static_cast<unsigned char>(c));
  for (;;) {
    size_t best = merges.size(), at = 0;
    for (size_t i = 0; i + 1 < ids.size(); i++) {
      for (size_t m = 0; m < best; m++)
        if (merges[m].left == ids[i] && merges[m].right == ids[i + 1]) best = m, at = i;
    }
    if (best == merges.size()) return ids;
    ids[at] = merges[best].whole;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

TEST_CASE("byte pairs: random merges of random words are those of the definition") {
  const uint64_t seed = 5;
  MESSAGE("seed " << seed);
  uint64_t n = 0;
  for (int round = 0; round < 300; round++) {
    std::vector<TokenMerge> merges;
    auto vocabulary = std::make_shared<Vocabulary>();
    vocabulary->add_bos = vocabulary->add_space_prefix = vocabulary->marks_spaces = false;
    for (int b = 0; b < 256; b++) vocabulary->pieces.push_back({std::string(1, static_cast<char>(b)), 0, PieceKind::Normal});
    const std::string letters = "abc";
    Ids made(letters.begin(), letters.end());
    for (int i = 0; i < 12; i++) {
      const int32_t l = made[random_bits(seed, n++) % made.size()], r = made[random_bits(seed, n++) % made.size()];
      if (std::ranges::any_of(merges, [&](const TokenMerge& m) { return m.left == l && m.right == r; })) continue;
      const auto whole = static_cast<int32_t>(vocabulary->pieces.size());
      vocabulary->pieces.push_back({vocabulary->pieces[l].text + vocabulary->pieces[r].text, 0, PieceKind::Normal});
      merges.push_back({l, r, whole});
      made.push_back(whole);
    }
    const ByteLevelBpe bpe(vocabulary, merges, {});
    for (int k = 0; k < 10; k++) {
      std::string word;
      for (uint64_t length = random_bits(seed, n++) % 40; length-- > 0;) word += letters[random_bits(seed, n++) % 3];
      Ids ids;
      bpe.encode(word, true, ids);
      INFO("round " << round << " word " << word);
      REQUIRE(ids == naive(word, merges));
    }
  }
}

TEST_CASE("byte pairs: bytes that are no UTF-8 stand by themselves and come back") {
  const Tokenizer t = read(byte_level({{"h", "e"}}, kLlama3Pattern));
  const std::string text = "he\xff\xfehe \xe2\x82 he\xc3";
  const Ids ids = t.encode(text);
  std::string bytes;
  for (int32_t id : ids) bytes += t.bytes(id);
  CHECK(bytes == text);
  CHECK(ids[0] == 256);
  CHECK(t.decode(ids) == "he\uFFFD\uFFFDhe \uFFFD he\uFFFD");
}

TEST_CASE("byte pairs: a word of a million bytes takes no quadratic time") {
  const Tokenizer t = read(byte_level({{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}, {"b", "a"}, {"Ġ", "Ġ"}}, kLlama3Pattern));
  const auto seconds = [&](const std::string& text) {
    const auto start = std::chrono::steady_clock::now();
    CHECK(t.decode(t.encode(text)) == text);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::string mixed;
  for (int i = 0; i < 200'000; i++) mixed += "aabaa";
  const double limit = 30;  // it takes one; quadratic would be hours
  CHECK(seconds(std::string(1'000'000, 'a')) < limit);
  CHECK(seconds(mixed) < limit);
  CHECK(seconds(std::string(1'000'000, ' ')) < limit);
  CHECK(seconds(std::string(300'000, '\n') + std::string(300'000, ' ') + "x") < limit);
}

TEST_CASE("tokenizer.json: what is not supported or makes no sense is refused by name") {
  const Json good = byte_level({{"h", "e"}}, "a");
  CHECK(user_error([&] { read(good); }).empty());
  const auto refused = [&](const char* change, const char* says) {
    Json json = good;
    json.merge_patch(Json::parse(change));
    CAPTURE(change);
    const std::string error = user_error([&] { read(json); });
    CAPTURE(error);
    CHECK(contains(error, says));
  };
  refused(R"({"model":null})", "tokenizer.json: \"model\" is missing");
  refused(R"({"model":{"type":"Unigram"}})", "tokenizer.json: model: \"type\" is \"Unigram\"");
  refused(R"({"model":{"continuing_subword_prefix":"##"}})", "\"continuing_subword_prefix\" is not empty");
  refused(R"({"model":{"unk_token":"nothing"}})", "\"unk_token\", \"nothing\", is not in the vocabulary");
  refused(R"({"model":{"vocab":{"h":3}}})", "two tokens have the id 3");
  refused(R"({"model":{"vocab":{"h":-1}}})", "impossible token id -1");
  refused(R"({"model":{"vocab":{"h":4000000000}}})", "impossible token id 4000000000");
  refused(R"({"model":{"vocab":{"h":"x"}}})", "impossible token id");
  refused(R"({"model":{"merges":["h"]}})", "the merge \"h\" \"\" does not join");
  refused(R"({"model":{"merges":["h f"]}})", "the merge \"h\" \"f\" does not join");
  refused(R"({"model":{"merges":[["h","e","e"]]}})", "something else than pairs");
  refused(R"({"model":{"merges":{"h":1}}})", "\"merges\" does not hold an array");
  refused(R"({"normalizer":{"type":"NFC"}})", "normalizer: the type \"NFC\" is not supported");
  refused(R"({"normalizer":{"type":"Prepend","prepend":"▁"}})", "are not supported together");
  refused(R"({"pre_tokenizer":{"pretokenizers":[{"type":"Whitespace"}]}})", "the type \"Whitespace\" is not supported");
  refused(R"({"pre_tokenizer":{"pretokenizers":[{"type":"ByteLevel","add_prefix_space":true}]}})",
          "\"add_prefix_space\" is true");
  refused(R"({"pre_tokenizer":{"pretokenizers":[{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated"},
              {"type":"ByteLevel","add_prefix_space":false}]}})",
          "the pattern \"(\" cannot be used");
  refused(R"({"pre_tokenizer":{"pretokenizers":[{"type":"Split","pattern":{"Regex":"a"},"behavior":"Removed"}]}})",
          "not Isolated");
  refused(R"({"pre_tokenizer":null})", "this version reads byte-level BPE");
  refused(R"({"added_tokens":[{"id":300,"content":"<x>","lstrip":true}]})", "\"<x>\" has \"lstrip\"");
  refused(R"({"added_tokens":[{"content":"<x>"}]})", "impossible token id");
  refused(R"({"added_tokens":3})", "\"added_tokens\" does not hold an array");
  refused(R"({"post_processor":{"type":"BertProcessing"}})", "the type \"BertProcessing\" is not supported");
  refused(R"({"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{}},{"SpecialToken":{"id":"x"}}]}})",
          "only templates of one special token");
  refused(R"({"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<x>"}},{"Sequence":{}}]}})",
          "\"<x>\" is not among the added tokens");
  Json many = good;
  Json& steps = many["pre_tokenizer"]["pretokenizers"];
  for (int i = 0; i < 1000; i++) steps.insert(steps.begin(), steps[0]);
  CHECK(contains(user_error([&] { read(many); }), "by 1001 patterns in turn; 16 are the most"));
  Json few = good;
  few["model"]["vocab"] = {{"h", 0}};
  few["model"]["merges"] = Json::array();
  CHECK(contains(user_error([&] { read(few).encode("he"); }), "no token for the byte 101"));
}

}  // namespace
}  // namespace pg
