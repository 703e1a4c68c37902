#pragma once
// Finds out what is at a path and opens it as well as it can be opened: new, older, newer, damaged, read-only.
#include <memory>

#include "cache/sqlite.h"
#include "cache/store.h"

namespace pg {

struct DatabaseFile {
  std::unique_ptr<Connection> connection;
  bool writable = false;
};
/// The behaviour that `Store::open` promises; the schema is the newest one when it returns.
DatabaseFile open_database_file(const std::string& path, OpenMode, bool strict);

}  // namespace pg
