#pragma once
#include <string>
#include <string_view>

namespace pg {

/// 128-bit content hash as 32 hex digits: the id of a row made of text.
std::string content_hash(std::string_view);

}  // namespace pg
