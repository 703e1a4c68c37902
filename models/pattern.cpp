#include "models/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>

#include "models/utf8.h"
#include "uops/error.h"

namespace pg {
namespace {

constexpr size_t kMaxPattern = 4096;
// Steps of one match. Of a tokenizer's patterns it takes a few for each character of the longest run; nested repetitions
// take exponentially many.
constexpr uint32_t kFewestSteps = 10'000, kStepsPerByte = 16;
constexpr uint32_t kMostSteps = 1u << 30;
constexpr uint32_t kHeapKiB = 64 << 10;

/// Unicode's White_Space. PCRE2's \s also takes U+180E, which is none since Unicode 6.3 and none to the libraries that
/// tokenizers were trained with.
constexpr std::string_view kSpaces =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

/// The pattern with \s and \S spelled out. In a class \S stays, since a class cannot hold another's complement.
std::string with_spaces_spelled(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); i++) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escaped = pattern[++i];
      if (escaped == 's')
        out += in_class ? std::string(kSpaces) : "[" + std::string(kSpaces) + "]";
      else if (escaped == 'S' && !in_class)
        out += "[^" + std::string(kSpaces) + "]";
      else
        out += {'\\', escaped};
      continue;
    }
    out += c;
    if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') out += pattern[++i];  // a ] in front is one of the class
    }
  }
  return out;
}

std::string words_for(int error) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

template <auto release>
struct Release {
  template <class T>
  void operator()(T* p) const {
    release(p);
  }
};
using CompileContext = std::unique_ptr<pcre2_compile_context, Release<pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Release<pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Release<pcre2_match_data_free>>;

}  // namespace

void Pattern::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

Pattern::Pattern(const std::string& pattern) {
  if (pattern.size() > kMaxPattern)
    throw UserError("tokenizer: a pattern of " + std::to_string(pattern.size()) + " bytes; 4096 are the most");
  const std::string portable = with_spaces_spelled(pattern);
  const CompileContext context(pcre2_compile_context_create(nullptr));
  if (!context) throw UserError("tokenizer: there is no memory for the pattern \"" + shown(pattern) + "\"");
  int error = 0;
  PCRE2_SIZE at = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(portable.data()), portable.size(),
                            PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, context.get()));
  if (!code_) throw UserError("tokenizer: the pattern \"" + shown(pattern) + "\" cannot be used: " + words_for(error));
}

void Pattern::split(std::string_view text, const std::function<void(std::string_view)>& piece) const {
  const MatchContext limits(pcre2_match_context_create(nullptr));
  const MatchData data(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  if (!limits || !data) throw UserError("tokenizer: there is no memory to match a pattern with");
  const size_t steps = kFewestSteps + kStepsPerByte * text.size();
  pcre2_set_match_limit(limits.get(), static_cast<uint32_t>(std::min<size_t>(steps, kMostSteps)));
  pcre2_set_heap_limit(limits.get(), kHeapKiB);

  size_t begin = 0;  // of what no match has taken yet
  const auto cut = [&](size_t end) {
    if (end > begin) piece(text.substr(begin, end - begin));
    begin = std::max(begin, end);
  };
  for (size_t at = 0; at < text.size();) {
    const int found = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                  PCRE2_NO_UTF_CHECK, data.get(), limits.get());
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      throw UserError("tokenizer: its pattern cannot be matched with this text: " + words_for(found) +
                      "; shorten the text, or check where the tokenizer comes from");
    }
    const PCRE2_SIZE* match = pcre2_get_ovector_pointer(data.get());
    cut(match[0]);
    cut(match[1]);
    at = match[1] > at ? match[1] : at;
    if (match[0] == match[1] && at < text.size()) at += utf8_front(text.substr(at)).bytes;  // an empty match only cuts
  }
  cut(text.size());
}

}  // namespace pg
