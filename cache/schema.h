#pragma once
// The database's schema as numbered migrations, and its version check.
#include <span>

#include "cache/sqlite.h"

namespace pg {

/// Brings a database from version `to - 1` to `to`; kept for ever, never edited once released.
struct Migration {
  int to;
  const char* sql;
};
std::span<const Migration> migrations();

/// "pico": tells picograd's databases from other programs' (`pragma application_id`).
inline constexpr int kApplicationId = 0x7069636f;

/// The version in the file; 0: a new, empty database. UserError when it is newer than `newest`, or another program's.
int schema_version(Connection&, int newest);
/// Applies the missing migrations in one transaction, safe against other processes doing the same.
void migrate(Connection&, std::span<const Migration>);

}  // namespace pg
