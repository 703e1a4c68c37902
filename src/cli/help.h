#pragma once
#include <iosfwd>
#include <string>

namespace pg {

inline constexpr const char* kVersion = "0.1";
/// "picograd 0.1 (codegen 1, database schema 1)": the numbers decide which winners are replayed.
std::string version_text();

/// Every command, every option that all of them share, every environment variable.
void print_help(std::ostream&);

}  // namespace pg
