#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct pcre2_real_code_8;

namespace pg {

/// A regular expression out of a tokenizer's file, with Unicode's classes and look-ahead (PCRE2). It is not trusted: what
/// takes too many steps or too much memory is a UserError.
class Pattern {
 public:
  /// UserError with the place and the reason when it does not compile.
  explicit Pattern(const std::string& pattern);

  /// Cuts `text`, valid UTF-8, into the matches and what lies between them: no byte is lost. UserError when the limits are
  /// hit.
  void split(std::string_view text, const std::function<void(std::string_view)>& piece) const;

 private:
  struct Free {
    void operator()(pcre2_real_code_8*) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

}  // namespace pg
