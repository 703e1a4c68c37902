#pragma once
// The types and small functions that a kernel for Clang stands on, each written once and only when used.
#include <string>
#include <unordered_set>

#include "uops/uop.h"

namespace pg {

class ClangPrelude {
 public:
  /// A scalar's C name, or a vector's (declared with the first use). Vectors of bool are masks of 0 and -1 bytes.
  std::string type(DType);
  /// How an element lies in memory: bool as _Bool.
  static std::string element(DType);
  /// Names of functions. `t` is the operands' type.
  std::string function(Op, DType t);
  std::string convert(DType from, DType to);  // where a cast or __builtin_convertvector is not enough
  std::string bitcast(DType from, DType to);  // scalars
  std::string select(DType);
  std::string load(DType, bool masked);     // (pointer [, mask])
  std::string store(DType, bool masked);    // (pointer, value [, mask])
  std::string gather(DType, bool masked);   // (pointer, i64 lanes [, mask])
  std::string scatter(DType, bool masked);  // (pointer, i64 lanes, value [, mask])
  std::string lane_numbers(DType);

  const std::string& text() const { return text_; }

 private:
  bool first_use(const std::string& name) { return written_.insert(name).second; }
  void macro(const std::string& name, const std::string& meaning);
  void define(const std::string& head, const std::string& body);
  std::string bits(int lanes);
  std::string gather_body(DType, const std::string& mask_bits);
  std::string unaligned(DType);
  std::string masked_body(DType, bool is_store);
  std::string masked_body_in_a_wider_register(DType, bool is_store, const std::string& by_lanes);

  std::unordered_set<std::string> written_;
  std::string text_ = "#define INLINE static inline __attribute__((always_inline))\n";
};

}  // namespace pg
