#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "uops/uop.h"

namespace pg {

/// The text form: one line a node, sources first, `%3 = Add f32 %1 %2`, the argument in brackets where there is one:
///   %0 = Const i64 [4]
///   %1 = Range i64 [n:32 upcast] %0
/// `parse(text(u)) == u` for every UOp. Floats are written so that they read back exactly (inf, -inf, nan too).
/// Arguments: 4 · 0.5 · "a string" · (1 2 3) · Range n, n:32 upcast · Variable pos 0..255 · Param #0 x · Reduce sum(0 1).
std::string text(const UOp&);
/// Throws UserError naming the line where the text is wrong.
UOp parse(std::string_view);
/// One line, C-like (`a[i*4 + j] * 2`), for errors and DEBUG; not parsed back. Long ones are cut with `…`.
std::string pretty(const UOp&);
/// JSON: {"nodes": [{"op","dtype","arg","src":[..]}, ..]}, the last node is the root. `from_json(to_json(u)) == u`.
std::string to_json(const UOp&);
UOp from_json(std::string_view);
/// 128-bit content hash of the text form as 32 hex digits: the database's identity of a kernel.
std::string content_id(const UOp&);

/// A double as text that reads back to the same bits and never looks like an integer: 1.0, 0.1, -inf, nan, nan:<bits in hex>.
std::string number_text(double);
std::optional<double> parse_number(std::string_view);

}  // namespace pg
