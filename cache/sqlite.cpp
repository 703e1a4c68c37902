#include "cache/sqlite.h"

#include <sqlite3.h>

#include <cstdio>

namespace pg {
namespace {

constexpr int kWaitMs = 5;  // between two tries to lock what SQLite does not wait for
constexpr const char* kDamaged = " (damaged: move it away and run again to start a new one)";

[[noreturn]] void raise(sqlite3* db, int rc, const std::string& path, const char* action) {
  const int code = rc & 0xff;  // extended codes keep the primary one in the low byte
  const std::string said = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
  const std::string what = "database " + path + ": " + said;
  switch (code) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: throw SqliteError(what + kDamaged, code);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: throw SqliteError(what + " (another process holds it; wait for it to end)", code);
    case SQLITE_FULL: throw SqliteError(what + " (make room, or set PICOGRAD_DB to a path on another disk)", code);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_IOERR: throw SqliteError(what + " (set PICOGRAD_DB or --db to a path that can be read and written)", code);
    default: throw InternalError(what + ", in: " + action);
  }
}

/// SQLite reads options from the URI, so `?`, `#` and `%` of a path must not look like ones.
std::string uri(const std::string& path, const char* options) {
  std::string out = "file:";
  for (unsigned char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      char hex[4];
      std::snprintf(hex, sizeof hex, "%%%02x", c);
      out += hex;
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + options;
}

}  // namespace

SqliteError damaged(const std::string& path, const std::string& why) {
  return {"database " + path + ": " + why + kDamaged, SQLITE_CORRUPT};
}
bool SqliteError::corrupt() const { return code_ == SQLITE_CORRUPT || code_ == SQLITE_NOTADB; }
bool SqliteError::busy() const { return code_ == SQLITE_BUSY || code_ == SQLITE_LOCKED; }

Statement::Statement(sqlite3* db, const std::string& path, std::string_view sql) : db_(db), path_(path) {
  const int rc = sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &stmt_, nullptr);
  if (rc != SQLITE_OK) raise(db, rc, path, std::string(sql).c_str());
}
Statement::~Statement() { sqlite3_finalize(stmt_); }

void Statement::check(int rc) const {
  if (rc != SQLITE_OK) raise(db_, rc, path_, sqlite3_sql(stmt_));
}
void Statement::reset() {
  sqlite3_reset(stmt_);  // its result repeats the last step's error, which was thrown then
  sqlite3_clear_bindings(stmt_);
}
void Statement::bind_one(int at, std::string_view v) {
  check(sqlite3_bind_text64(stmt_, at, v.data() ? v.data() : "", v.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}
void Statement::bind_one(int at, int64_t v) { check(sqlite3_bind_int64(stmt_, at, v)); }
void Statement::bind_one(int at, double v) { check(sqlite3_bind_double(stmt_, at, v)); }

bool Statement::step() {
  const int rc = sqlite3_step(stmt_);
  if (rc == SQLITE_ROW) return true;
  if (rc != SQLITE_DONE) raise(db_, rc, path_, sqlite3_sql(stmt_));
  return false;
}
void Statement::run() {
  while (step()) {
  }
}

std::string Statement::text(int column) const {
  const auto* s = reinterpret_cast<const char*>(sqlite3_column_text(stmt_, column));
  return s ? std::string(s, static_cast<size_t>(sqlite3_column_bytes(stmt_, column))) : std::string();
}
int64_t Statement::integer(int column) const { return sqlite3_column_int64(stmt_, column); }
double Statement::real(int column) const { return sqlite3_column_double(stmt_, column); }

Connection::Connection(const std::string& path, Access access) : path_(path) {
  const bool memory = path == ":memory:";
  const char* options = access == Access::Create ? "?mode=rwc" : access == Access::ReadOnly ? "?mode=ro" : "?immutable=1";
  const int flags = SQLITE_OPEN_URI | SQLITE_OPEN_FULLMUTEX |
                    (access == Access::Create ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  const int rc = sqlite3_open_v2(memory ? path.c_str() : uri(path, options).c_str(), &db_, flags, nullptr);
  if (rc != SQLITE_OK) {
    sqlite3* failed = std::exchange(db_, nullptr);
    struct Close {
      sqlite3* db;
      ~Close() { sqlite3_close_v2(db); }
    } close{failed};
    raise(failed, rc, path_, "open");
  }
  sqlite3_busy_timeout(db_, kBusyMs);
}
Connection::~Connection() { sqlite3_close_v2(db_); }

void Connection::execute(const char* sql) {
  const int rc = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) raise(db_, rc, path_, sql);
}
int64_t Connection::integer(std::string_view sql) const {
  Statement s = prepare(sql);
  return s.step() ? s.integer(0) : 0;
}
int64_t Connection::changes() const { return sqlite3_changes64(db_); }
bool Connection::in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }
void Connection::copy_to(Connection& to) const {
  sqlite3_backup* backup = sqlite3_backup_init(to.db_, "main", db_, "main");
  if (!backup) raise(to.db_, sqlite3_errcode(to.db_), to.path_, "copy");
  int rc = SQLITE_OK;
  for (int waited = 0; (rc = sqlite3_backup_step(backup, -1)) != SQLITE_DONE && waited < kBusyMs; waited += kWaitMs) {
    if (rc != SQLITE_BUSY && rc != SQLITE_LOCKED) break;
    sqlite3_sleep(kWaitMs);
  }
  sqlite3_backup_finish(backup);
  if (rc != SQLITE_DONE) raise(nullptr, rc, to.path_, "copy");
}

Transaction::~Transaction() {
  if (!open_ || !connection_.in_transaction()) return;  // SQLite rolls back by itself where the disk is full
  try {
    connection_.execute("rollback");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "picograd: %s\n", e.what());
  }
}
void Transaction::commit() {
  connection_.execute("commit");
  open_ = false;
}

}  // namespace pg
