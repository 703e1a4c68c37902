#pragma once
// RAII for SQLite: a connection, a statement, a transaction. Only cache/ includes this.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "uops/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace pg {

/// The file or its surroundings are at fault (damaged, locked, full, not readable), not picograd. `code` is the primary
/// result code.
class SqliteError : public UserError {
 public:
  SqliteError(const std::string& message, int code) : UserError(message), code_(code) {}
  int code() const { return code_; }
  bool corrupt() const;
  bool busy() const;

 private:
  int code_;
};

/// What a check of picograd's own found.
SqliteError damaged(const std::string& path, const std::string& why);

class Statement {
 public:
  Statement(sqlite3* db, const std::string& path, std::string_view sql);
  Statement(Statement&& o) noexcept : db_(o.db_), path_(o.path_), stmt_(std::exchange(o.stmt_, nullptr)) {}
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  /// Binds parameters ?1, ?2, .. in order and starts over.
  template <class... Args>
  Statement& bind(const Args&... args) {
    reset();
    int at = 0;
    (bind_one(++at, args), ...);
    return *this;
  }
  /// The next row; false at the end.
  bool step();
  /// Runs a statement that gives no rows.
  void run();

  std::string text(int column) const;
  int64_t integer(int column) const;
  double real(int column) const;

 private:
  void reset();
  void bind_one(int at, std::string_view value);
  void bind_one(int at, int64_t value);
  void bind_one(int at, int value) { bind_one(at, int64_t{value}); }
  void bind_one(int at, bool value) { bind_one(at, int64_t{value}); }
  void bind_one(int at, double value);
  void check(int rc) const;

  sqlite3* db_;
  const std::string& path_;
  sqlite3_stmt* stmt_ = nullptr;
};

class Connection {
 public:
  enum class Access { Create, ReadOnly, Immutable };  // Immutable: no locks, no log; the file must not change
  /// `path` may be ":memory:". Waits up to `kBusyMs` for other processes' locks.
  Connection(const std::string& path, Access);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  const std::string& path() const { return path_; }
  void execute(const char* sql);
  Statement prepare(std::string_view sql) const { return Statement(db_, path_, sql); }
  int64_t integer(std::string_view sql) const;  // the first column of the first row
  int64_t changes() const;                      // rows that the last insert, update or delete changed
  bool in_transaction() const;
  /// Makes `to` a copy of this database as it is now, its log included.
  void copy_to(Connection& to) const;

  static constexpr int kBusyMs = 20000;  // a migration or a checkpoint of another process takes less

 private:
  std::string path_;
  sqlite3* db_ = nullptr;
};

/// BEGIN IMMEDIATE: takes the write lock at once, so that no transaction fails half-way for want of it. Rolled back unless
/// committed.
class Transaction {
 public:
  explicit Transaction(Connection& c) : connection_(c) { connection_.execute("begin immediate"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Connection& connection_;
  bool open_ = true;
};

}  // namespace pg
