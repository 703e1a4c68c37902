#pragma once
#include <string>
#include <string_view>

#include "uops/uop.h"

namespace pg {

/// The text form: one line a node, sources first, `%3 = Add f32 %1 %2`, the argument in brackets where there is one:
///   %0 = Const i64 [4]
///   %1 = Range i64 [n:32 upcast] %0
/// `parse(text(u)) == u` for every UOp. Floats are written so that they read back exactly (inf, -inf, nan too).
std::string text(const UOp&);
/// Throws UserError naming the line where the text is wrong.
UOp parse(std::string_view);
/// One line, C-like (`a[i*4 + j] * 2`), for errors and DEBUG; not parsed back.
std::string pretty(const UOp&);
/// JSON: {"nodes": [{"op","dtype","arg","src":[..]}, ..]}, the last node is the root. `from_json(to_json(u)) == u`.
std::string to_json(const UOp&);
UOp from_json(std::string_view);
/// 128-bit content hash of the text form as 32 hex digits: the database's identity of a kernel.
std::string content_id(const UOp&);

}  // namespace pg
