#include "cache/database_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <thread>

#include "cache/schema.h"

namespace pg {
namespace fs = std::filesystem;
namespace {

constexpr const char* kRemedy = "; set PICOGRAD_DB or --db to a path that you can write";
constexpr int64_t kLeastBytes = 512;         // SQLite's smallest page; it takes anything shorter for an empty file
constexpr int64_t kCheckedBytes = 16 << 20;  // a file up to this size is checked page by page at every start (< 10 ms)

bool may(const std::string& path, int mode) { return faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0; }
std::string folder_of(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}
/// Bytes of a file; -1 when there is none.
int64_t size_of(const std::string& path) {
  struct stat s;
  return stat(path.c_str(), &s) == 0 ? s.st_size : -1;
}

/// Missing parents come into being private to the user: a schedule becomes code that runs.
void make_folders(const fs::path& folder) {
  if (folder.empty() || fs::exists(folder)) return;
  make_folders(folder.parent_path());
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    throw UserError("cannot create the folder " + folder.string() + " for the database: " + std::strerror(errno) + kRemedy);
}

void check_pages(const Connection& db, int64_t bytes) {
  const int64_t pages = db.integer("pragma page_count"), page = db.integer("pragma page_size");
  if (bytes > kCheckedBytes) {
    // Pages of the log may be missing from the file, so only a whole database without a log can be told to be too short.
    if (size_of(db.path() + "-wal") <= 0 && bytes < pages * page)
      throw damaged(db.path(), "the file is shorter than its header says");
    return;
  }
  Statement check = db.prepare("pragma quick_check(1)");
  if (check.step() && check.text(0) != "ok") throw damaged(db.path(), check.text(0));
}

/// Switching a new file to WAL needs it for oneself, and SQLite does not wait for that lock by itself.
void use_wal(Connection& db) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(Connection::kBusyMs);
  for (;;) {
    try {
      db.execute("pragma journal_mode = wal");
      return;
    } catch (const SqliteError& e) {
      if (!e.busy() || std::chrono::steady_clock::now() > end) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

/// By us and not by SQLite, so that it is private from the first moment. False, with `flags` O_EXCL: it is there already.
bool create_file(const std::string& path, int flags = 0) {
  const int fd = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | flags, 0600);
  if (fd < 0 && flags == O_EXCL && errno == EEXIST) return false;
  if (fd < 0) throw UserError("cannot create the database " + path + ": " + std::strerror(errno) + kRemedy);
  close(fd);
  return true;
}

std::unique_ptr<Connection> open_writable(const std::string& path) {
  if (size_of(path) < 0) create_file(path);
  const int64_t bytes = size_of(path);
  if (bytes > 0 && bytes < kLeastBytes) throw damaged(path, "the file is shorter than any database");
  auto db = std::make_unique<Connection>(path, Connection::Access::Create);
  schema_version(*db, kSchemaVersion);
  if (bytes > 0) check_pages(*db, bytes);
  use_wal(*db);
  db->execute("pragma synchronous = normal; pragma foreign_keys = on");
  migrate(*db, migrations());
  return db;
}

std::unique_ptr<Connection> open_empty() {
  auto db = std::make_unique<Connection>(":memory:", Connection::Access::Create);
  migrate(*db, migrations());
  return db;
}

UserError missing(const std::string& path) {
  return UserError("there is no database at " + path + "; tune first, or set PICOGRAD_DB or --db to another path");
}

DatabaseFile open_read_only(const std::string& path) {
  const int64_t bytes = size_of(path);
  if (bytes < 0) throw missing(path);
  if (!may(path, R_OK)) throw UserError("cannot read the database " + path + ": " + std::strerror(errno) + kRemedy);
  if (bytes == 0) return {open_empty()};
  if (bytes < kLeastBytes) throw damaged(path, "the file is shorter than any database");
  const auto opened = [&](Connection::Access access) {
    auto db = std::make_unique<Connection>(path, access);
    const int version = schema_version(*db, kSchemaVersion);
    check_pages(*db, bytes);
    if (version < kSchemaVersion) {
      auto copy = std::make_unique<Connection>(":memory:", Connection::Access::Create);
      db->copy_to(*copy);
      migrate(*copy, migrations());
      db = std::move(copy);
    }
    return DatabaseFile{.connection = std::move(db), .schema = version};
  };
  try {
    return opened(Connection::Access::ReadOnly);
  } catch (const SqliteError& e) {
    // WAL needs its shared index beside the file. Where that cannot be made, the file alone is the whole database if the log
    // is empty; a log that cannot be read would silently be left out.
    if (e.corrupt()) throw;
    if (size_of(path + "-wal") > 0)
      throw UserError("database " + path +
                      " has a write-ahead log that cannot be read here; open it once with write permission (" + e.what() +
                      ")");
    return opened(Connection::Access::Immutable);
  }
}

/// Renames the database and its log. False when another process has already put a new file in its place.
bool set_aside(const std::string& path, ino_t examined, const std::string& why) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  flock(fd, LOCK_EX);  // two processes that find the same damage: the second must not move the first one's new file
  struct stat now;
  const bool same = stat(path.c_str(), &now) == 0 && now.st_ino == examined;
  if (same) {
    std::string to = path + ".corrupt-" + std::to_string(std::time(nullptr));
    for (int i = 1; size_of(to) >= 0; ++i)
      to = path + ".corrupt-" + std::to_string(std::time(nullptr)) + "-" + std::to_string(i);
    for (const char* part : {"-wal", "-shm", ""}) {
      if (rename((path + part).c_str(), (to + part).c_str()) != 0 && *part == 0) {
        const int e = errno;
        close(fd);
        throw UserError("cannot set the damaged database " + path + " aside: " + std::strerror(e) + kRemedy);
      }
    }
    std::fprintf(stderr, "picograd: warning: %s\npicograd: warning: set aside as %s; starting a new database\n", why.c_str(),
                 to.c_str());
  }
  close(fd);
  return same;
}

}  // namespace

DatabaseFile open_database_file(const std::string& path, OpenMode mode, bool strict) {
  if (path.empty()) throw UserError("the database has no path; set PICOGRAD_DB or --db");
  if (path == ":memory:") {
    auto db = open_empty();
    db->execute("pragma foreign_keys = on");
    return {std::move(db), true};
  }
  if (fs::is_directory(path)) throw UserError("the database " + path + " is a folder" + kRemedy);
  if (mode == OpenMode::ReadWrite && size_of(path) < 0) make_folders(fs::path(path).parent_path());
  const bool exists = size_of(path) >= 0;
  bool writable = mode == OpenMode::ReadWrite && may(folder_of(path), W_OK | X_OK) && (!exists || may(path, W_OK));
  if (mode == OpenMode::ReadWrite && !exists && !writable)
    throw UserError("cannot create the database " + path + ": " + std::strerror(errno) + kRemedy);
  if (!writable) return open_read_only(path);

  for (;;) {
    struct stat examined {};
    stat(path.c_str(), &examined);
    try {
      return {open_writable(path), true};
    } catch (const SqliteError& e) {
      if (!e.corrupt() || strict) throw;
      set_aside(path, examined.st_ino, e.what());
    }
  }
}

Migrated migrate_database_file(const std::string& path) {
  if (size_of(path) < 0) throw missing(path);
  Migrated out{.to = kSchemaVersion};
  {
    const DatabaseFile old = open_database_file(path, OpenMode::ReadOnly, true);
    out.from = old.schema;
  }
  if (out.from == out.to) return out;
  for (const std::string& file : {path, folder_of(path)})
    if (!may(file, W_OK)) throw UserError("cannot write " + file + ": " + std::strerror(errno) + kRemedy);

  const std::string first = path + ".v" + std::to_string(out.from);
  out.backup = first;
  for (int i = 2; !create_file(out.backup, O_EXCL); ++i) out.backup = first + "-" + std::to_string(i);
  try {
    const Connection old(path, Connection::Access::Create);
    Connection copy(out.backup, Connection::Access::Create);
    old.copy_to(copy);
  } catch (...) {
    unlink(out.backup.c_str());  // half a backup is none
    throw;
  }
  open_database_file(path, OpenMode::ReadWrite, true);
  return out;
}

}  // namespace pg
