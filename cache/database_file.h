#pragma once
// Finds out what is at a path and opens it as well as it can be opened: new, older, newer, damaged, read-only.
#include <memory>

#include "cache/sqlite.h"
#include "cache/store.h"

namespace pg {

struct DatabaseFile {
  std::unique_ptr<Connection> connection;
  bool writable = false;
  int schema = kSchemaVersion;  // of the file; the connection's is the newest one
};
/// The behaviour that `Store::open` promises.
DatabaseFile open_database_file(const std::string& path, OpenMode, bool strict);

struct Migrated {
  int from = 0, to = 0;
  std::string backup;  // where the database lies as it was; empty: nothing was to be done
};
/// Brings an older database up, behind a copy of it as `<path>.v<from>` (`.v<from>-2`, .. where there is one already).
/// UserError when it is missing, newer, damaged, another program's, or cannot be written; nothing has changed then.
Migrated migrate_database_file(const std::string& path);

}  // namespace pg
