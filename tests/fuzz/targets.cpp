#include "tests/fuzz/targets.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "models/byte_pairs.h"
#include "models/gguf.h"
#include "models/hf_checkpoint.h"
#include "models/llama_config.h"
#include "models/safetensors.h"
#include "models/sentencepiece.h"
#include "models/tokenizer.h"
#include "models/utf8.h"
#include "uops/error.h"

namespace pg::fuzz {
namespace {

/// A wrong result ends the process, as a crash does.
void require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "wrong: %s\n", what);
  std::abort();
}

/// A mistake in the input is no finding.
template <class F>
void refusable(F&& f) {
  try {
    f();
  } catch (const UserError& e) {
    require(*e.what() != '\0', "an error without words");
  }
}

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Takes bytes off the front; what is not there is 0 or empty.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}
  size_t u8() {
    const Bytes b = take(1);
    return b.empty() ? 0 : std::to_integer<size_t>(b[0]);
  }
  size_t u16() {
    const size_t low = u8();
    return low | u8() << 8;
  }
  Bytes take(size_t n) {
    const Bytes out = rest_.first(std::min(n, rest_.size()));
    rest_ = rest_.subspan(out.size());
    return out;
  }
  std::string_view until(char end) {
    const std::string_view rest = text_of(rest_), out = rest.substr(0, rest.find(end));
    take(out.size() + 1);
    return out;
  }
  Bytes rest() const { return rest_; }

 private:
  Bytes rest_;
};

/// Reads every byte, so that a sanitizer sees one that is not there.
void read_all(Bytes bytes) {
  unsigned sum = 0;
  for (std::byte b : bytes) sum += std::to_integer<unsigned>(b);
  require(sum != ~0u, "unreachable");
}

/// The bytes in memory of exactly their size, aligned as a mapped file's.
std::shared_ptr<void> aligned_copy(Bytes bytes, Bytes& out) {
  constexpr size_t kAlignment = 64;
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, std::max<size_t>(bytes.size(), 1)) != 0) std::abort();
  if (!bytes.empty()) std::memcpy(memory, bytes.data(), bytes.size());
  out = {static_cast<const std::byte*>(memory), bytes.size()};
  return {memory, std::free};
}

/// Ids name tokens, and a stream of them is well-formed text.
std::string checked_decode(const Tokenizer& t, const std::vector<int32_t>& ids) {
  for (int32_t id : ids) require(id >= 0 && id < t.size(), "an id outside the vocabulary");
  std::string text = t.decode(ids);
  for (std::string_view rest = text; !rest.empty();) {
    const Utf8Front front = utf8_front(rest);
    require(front.what == Utf8Front::Character, "decoded text is no UTF-8");
    rest.remove_prefix(front.bytes);
  }
  return text;
}

std::string bytes_of(const Tokenizer& t, const std::vector<int32_t>& ids) {
  std::string out;
  for (int32_t id : ids) out += t.bytes(id);
  return out;
}

void try_out(const Tokenizer& t, std::string_view text) {
  checked_decode(t, t.encode(text));
  checked_decode(t, t.encode(text, {.bos = false, .special = true}));
}

/// The definition of merging, for texts that are short: again and again the best pair, the leftmost of equal ones.
template <class Candidate>
std::vector<Symbol> naively_merged(std::vector<Symbol> symbols, const Candidate& candidate) {
  for (;;) {
    std::optional<MergeCandidate> best;
    size_t at = 0;
    for (size_t i = 0; i + 1 < symbols.size(); i++) {
      if (symbols[i].fixed || symbols[i + 1].fixed) continue;
      const std::optional<MergeCandidate> c = candidate(symbols[i], symbols[i + 1]);
      if (c && (!best || c->priority > best->priority)) best = c, at = i;
    }
    if (!best) return symbols;
    symbols[at].id = best->id;
    symbols[at].length += symbols[at + 1].length;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

constexpr size_t kShort = 48;  // the definition takes cubic time

const char* const kSample = "Hello  w\u00f6rld's 123 \u2581<s>\n\n\U0001F600";

}  // namespace

void gguf(Bytes bytes) {
  refusable([&] {
    Bytes copy;
    const std::shared_ptr<void> keep = aligned_copy(bytes, copy);
    const Gguf file("fuzz.gguf", copy, keep);
    for (const GgufTensor& t : file.tensors()) {
      read_all(t.data);
      refusable([&] { file.tensor(t.name); });
    }
    refusable([&] { LlamaConfig::from(file).parameters(); });
    refusable([&] { try_out(Tokenizer::from(file), kSample); });
  });
}

void safetensors(Bytes bytes) {
  Reader reader(bytes);
  const std::string_view json = text_of(reader.take(reader.u16()));
  refusable([&] { LlamaConfig::from_json("config.json", json).parameters(); });
  refusable([&] { parse_shard_index("model.safetensors.index.json", json); });
  refusable([&] {
    Bytes copy;
    const std::shared_ptr<void> keep = aligned_copy(reader.rest(), copy);
    const Safetensors file("fuzz.safetensors", copy, keep);
    size_t held = 0;
    for (const SafetensorsTensor& t : file.tensors()) {
      read_all(t.data);
      held += t.data.size();
      require(file.find(t.name) == &t, "a tensor is not found by its name");
      refusable([&] { file.dtype(t); });
      if (t.shape.size() == 2 && t.shape[0] > 0 && t.shape[0] % 4 == 0) {
        std::vector<std::byte> rows(t.data.size());
        interleave_rows(t.data, rows, t.shape[0] / 4, 4);
      }
    }
    require(held <= copy.size(), "the tensors hold more than the file");
  });
}

void sentencepiece(Bytes bytes) {
  Reader reader(bytes);
  const size_t flags = reader.u8();
  const bool all_bytes = flags & 1;
  Vocabulary v;
  v.add_bos = false;
  v.add_space_prefix = flags & 2;
  Reader lines(Bytes(std::as_bytes(std::span(reader.until('\0')))));
  while (!lines.rest().empty()) {
    Reader line(std::as_bytes(std::span(lines.until('\n'))));
    const auto kind = static_cast<PieceKind>(line.u8() % 6 + 1);
    const auto score = static_cast<float>(line.u8());
    v.pieces.push_back({std::string(text_of(line.rest())), score, kind});
    if (kind == PieceKind::Unknown) v.unknown = static_cast<int32_t>(v.pieces.size()) - 1;
  }
  const std::string_view text = text_of(reader.rest());
  const char* hex = "0123456789ABCDEF";
  std::set<unsigned char> needed = {0xE2, 0x96, 0x81};  // of the mark for spaces; not all 256, for speed
  needed.insert(text.begin(), text.end());
  for (unsigned char b : all_bytes ? needed : std::set<unsigned char>())
    v.pieces.push_back({std::string("<0x") + hex[b / 16] + hex[b % 16] + ">", 0, PieceKind::Byte});
  refusable([&] {
    const Tokenizer t(v);
    const std::vector<int32_t> ids = t.encode(text);
    checked_decode(t, ids);
    try_out(t, text);
    if (all_bytes && !text.empty()) {
      const std::string wanted = spaces_unmarked((v.add_space_prefix ? " " : "") + std::string(text));
      // A mark may come back as a space or, where it is no piece, as its bytes.
      require(spaces_unmarked(bytes_of(t, ids)) == wanted, "the text does not come back");
    }
  });
}

void byte_pairs(Bytes bytes) {
  Reader reader(bytes);
  const size_t mode = reader.u8() % 3;
  if (mode == 0) {
    const std::string_view json = text_of(reader.take(reader.u16()));
    refusable([&] { try_out(Tokenizer::from_json("tokenizer.json", json), text_of(reader.rest())); });
    return;
  }
  auto v = std::make_shared<Vocabulary>();
  v->add_bos = v->add_space_prefix = v->marks_spaces = false;
  for (int b = 0; b < 256; b++) v->pieces.push_back({std::string(1, static_cast<char>(b)), 0, PieceKind::Normal});
  std::vector<TokenMerge> merges;
  ByteLevelBpe::Options options;
  if (mode == 1) {
    options.patterns = {std::string(reader.until('\0'))};
  } else {
    for (size_t n = reader.u8() % 64; n-- > 0;) {
      const size_t left = reader.u16() % v->pieces.size(), right = reader.u16() % v->pieces.size();
      const std::string whole = v->pieces[left].text + v->pieces[right].text;
      merges.push_back({static_cast<int32_t>(left), static_cast<int32_t>(right), static_cast<int32_t>(v->pieces.size())});
      v->pieces.push_back({whole.substr(0, 64) == whole ? whole : "", 0, PieceKind::Normal});
      if (v->pieces.back().text.empty()) merges.pop_back();  // no longer the text of its parts
    }
  }
  const std::string_view text = text_of(reader.rest());
  refusable([&] {
    const Tokenizer t(v, std::make_shared<const ByteLevelBpe>(v, merges, options), false);
    const std::vector<int32_t> ids = t.encode(text);
    checked_decode(t, ids);
    require(bytes_of(t, ids) == text, "the text does not come back");
    if (mode == 2 && text.size() <= kShort) {
      const bool well_formed = [&] {
        for (size_t at = 0; at < text.size(); at += utf8_front(text.substr(at)).bytes)
          if (utf8_front(text.substr(at)).what != Utf8Front::Character) return false;
        return true;
      }();
      if (!well_formed) return;  // it is cut where it is not
      const MergeTable table(merges);
      std::vector<Symbol> symbols;
      for (size_t i = 0; i < text.size(); i++)
        symbols.push_back({static_cast<int32_t>(static_cast<unsigned char>(text[i])), i, 1});
      std::vector<int32_t> naive;
      for (const Symbol& s :
           naively_merged(std::move(symbols), [&](const Symbol&a, const Symbol&b) { return table.find(a.id, b.id); }))
        naive.push_back(s.id);
      require(naive == ids, "other ids than by the definition");
    }
  });
}

}  // namespace pg::fuzz
