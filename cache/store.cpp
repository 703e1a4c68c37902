#include "cache/store.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <mutex>

#include "cache/content_hash.h"
#include "cache/database_file.h"

namespace pg {
namespace {

constexpr const char* kKernelColumns = "k.id, k.template_hash, k.name, k.ir, k.shape, k.flops, k.bytes";
constexpr const char* kWinnerColumns =
    "w.kernel, w.device, w.toolchain, w.threads, w.precision, w.bucket, s.opts, w.median_ms, w.default_ms, w.candidates, "
    "w.search_seconds, w.finished";
constexpr const char* kWinners = " from winner w join schedule s on s.id = w.schedule ";
constexpr int kWinnerEnd = 12;  // number of kWinnerColumns: what a join selects beside them starts here

int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

KernelRow kernel_row(const Statement& s, int at = 0) {
  return {.id = s.text(at),
          .template_hash = s.text(at + 1),
          .name = s.text(at + 2),
          .ir = s.text(at + 3),
          .shape = s.text(at + 4),
          .flops = s.real(at + 5),
          .bytes = s.real(at + 6)};
}
WinnerKey key_row(const Statement& s) {
  return {.kernel = s.text(0),
          .device = s.text(1),
          .toolchain = s.text(2),
          .threads = static_cast<int>(s.integer(3)),
          .precision = s.text(4),
          .bucket = s.text(5)};
}
WinnerRow winner_row(const Statement& s) {
  return {.key = key_row(s),
          .schedule = s.text(6),
          .median_ms = s.real(7),
          .default_ms = s.real(8),
          .candidates = s.integer(9),
          .search_seconds = s.real(10),
          .finished = s.integer(11) != 0};
}

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, DatabaseFile file)
      : path_(std::move(path)), writable_(file.writable), db_(std::move(file.connection)) {}

  bool writable() const override { return writable_; }
  const std::string& path() const override { return path_; }

  void put_device(const std::string& id, const std::string& json) override { put_json("device", id, json); }
  void put_toolchain(const std::string& id, const std::string& json) override { put_json("toolchain", id, json); }

  void put_kernel(const KernelRow& k) override {
    write([&] {
      db_->prepare(
             "insert into kernel(id, template_hash, name, ir, shape, flops, bytes) values (?1,?2,?3,?4,?5,?6,?7) "
             "on conflict(id) do nothing")
          .bind(k.id, k.template_hash, k.name, k.ir, k.shape, k.flops, k.bytes)
          .run();
    });
  }

  void put_measurements(const std::vector<MeasurementRow>& rows) override {
    if (rows.empty()) return;
    write([&] {
      Statement insert = db_->prepare(
          "insert into measurement(id, kernel, schedule, device, toolchain, threads, precision, bucket, bindings, "
          "median_ms, "
          "spread, samples, status, reason, verified, run, created) values "
          "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17) "
          "on conflict(id) do nothing");
      const int64_t created = now_ms();
      for (const MeasurementRow& m : rows) {
        const WinnerKey& k = m.key;
        require_references(k);
        // The same schedule timed twice in one run is two measurements: time and sample count are part of the identity.
        std::string identity;
        for (const std::string& part :
             {k.kernel, k.device, k.toolchain, std::to_string(k.threads), k.precision, k.bucket, m.schedule, m.bindings,
              m.status, m.run, std::to_string(m.median_ms), std::to_string(m.samples), std::to_string(created)})
          identity += std::to_string(part.size()) + ":" + part;
        insert.bind(content_hash(identity), k.kernel, schedule_id(m.schedule), k.device, k.toolchain, k.threads, k.precision,
                    k.bucket, m.bindings, m.median_ms, m.spread, m.samples, m.status, m.reason, m.verified, m.run, created);
        insert.run();
      }
    });
  }

  void put_winner(const WinnerRow& w) override {
    const WinnerKey& k = w.key;
    // A winner is worth a whole search: it must outlive even a power cut, the rest only the end of the process.
    std::lock_guard lock(mutex_);
    require_writable();
    db_->execute("pragma synchronous = full");
    {
      Transaction transaction(*db_);
      require_references(k);
      db_->prepare(
             "insert or replace into winner(kernel, device, toolchain, threads, precision, bucket, schedule, median_ms, "
             "default_ms, "
             "candidates, search_seconds, finished, created) values (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)")
          .bind(k.kernel, k.device, k.toolchain, k.threads, k.precision, k.bucket, schedule_id(w.schedule), w.median_ms,
                w.default_ms, w.candidates, w.search_seconds, w.finished, now_ms())
          .run();
      transaction.commit();
    }
    db_->execute("pragma synchronous = normal");
  }

  std::optional<KernelRow> kernel(const std::string& id) override {
    std::lock_guard lock(mutex_);
    Statement s = db_->prepare(std::string("select ") + kKernelColumns + " from kernel k where k.id = ?1");
    if (!s.bind(id).step()) return std::nullopt;
    return kernel_row(s);
  }

  std::optional<WinnerRow> winner(const WinnerKey& k) override {
    std::lock_guard lock(mutex_);
    Statement s = db_->prepare(
        std::string("select ") + kWinnerColumns + kWinners +
        "where w.kernel=?1 and w.device=?2 and w.toolchain=?3 and w.threads=?4 and w.precision=?5 and w.bucket=?6");
    if (!s.bind(k.kernel, k.device, k.toolchain, k.threads, k.precision, k.bucket).step()) return std::nullopt;
    return winner_row(s);
  }

  std::vector<WinnerRow> winners_other_toolchain(const WinnerKey& k) override {
    std::lock_guard lock(mutex_);
    Statement s = db_->prepare(
        std::string("select ") + kWinnerColumns + kWinners +
        "where w.kernel=?1 and w.device=?2 and w.toolchain<>?3 and w.threads=?4 and w.precision=?5 and w.bucket=?6 "
        "order by w.created desc, w.toolchain");
    s.bind(k.kernel, k.device, k.toolchain, k.threads, k.precision, k.bucket);
    std::vector<WinnerRow> out;
    while (s.step()) out.push_back(winner_row(s));
    return out;
  }

  std::vector<std::pair<WinnerRow, KernelRow>> winners_of_template(const std::string& template_hash,
                                                                   const WinnerKey& k) override {
    std::lock_guard lock(mutex_);
    Statement s =
        db_->prepare(std::string("select ") + kWinnerColumns + ", " + kKernelColumns + kWinners +
                     "join kernel k on k.id = w.kernel where k.template_hash=?1 and w.device=?2 and w.precision=?3 "
                     "and not (w.kernel=?4 and w.toolchain=?5 and w.threads=?6 and w.bucket=?7) "
                     "order by w.threads=?6 desc, w.toolchain=?5 desc, w.created desc, w.kernel, w.bucket");
    s.bind(template_hash, k.device, k.precision, k.kernel, k.toolchain, k.threads, k.bucket);
    std::vector<std::pair<WinnerRow, KernelRow>> out;
    while (s.step()) out.emplace_back(winner_row(s), kernel_row(s, kWinnerEnd));
    return out;
  }

  std::vector<std::pair<std::string, std::string>> quarantined(const WinnerKey& k) override {
    std::lock_guard lock(mutex_);
    // What is wrong or does not compile for one bucket or thread count is so for all; only hanging depends on the size.
    Statement s = db_->prepare(
        "select s.opts, m.status || ': ' || m.reason, max(m.created) from measurement m join schedule s on s.id = "
        "m.schedule "
        "where m.status not in ('ok', 'slow') and m.kernel=?1 and m.device=?2 and m.toolchain=?3 and m.precision=?4 "
        "and (m.status <> 'timeout' or (m.threads=?5 and m.bucket=?6)) group by s.id order by s.opts");
    s.bind(k.kernel, k.device, k.toolchain, k.precision, k.threads, k.bucket);
    std::vector<std::pair<std::string, std::string>> out;
    while (s.step()) out.emplace_back(s.text(0), s.text(1));
    return out;
  }

  std::vector<MeasurementRow> measurements(const std::string& kernel) override {
    std::lock_guard lock(mutex_);
    Statement s = db_->prepare(
        "select m.kernel, m.device, m.toolchain, m.threads, m.precision, m.bucket, s.opts, m.bindings, m.median_ms, "
        "m.spread, m.samples, "
        "m.status, m.reason, m.verified, m.run, m.created "
        "from measurement m join schedule s on s.id = m.schedule where m.kernel=?1 "
        "order by m.created, m.id");
    s.bind(kernel);
    std::vector<MeasurementRow> out;
    while (s.step())
      out.push_back({.key = key_row(s),
                     .schedule = s.text(6),
                     .bindings = s.text(7),
                     .median_ms = s.real(8),
                     .spread = s.real(9),
                     .samples = s.integer(10),
                     .status = s.text(11),
                     .reason = s.text(12),
                     .verified = s.integer(13) != 0,
                     .run = s.text(14),
                     .created = s.integer(15)});
    return out;
  }

  std::vector<KernelRow> kernels() override {
    std::lock_guard lock(mutex_);
    Statement s = db_->prepare(std::string("select ") + kKernelColumns + " from kernel k order by k.name, k.id");
    std::vector<KernelRow> out;
    while (s.step()) out.push_back(kernel_row(s));
    return out;
  }

  std::vector<WinnerRow> winners() override {
    std::lock_guard lock(mutex_);
    Statement s =
        db_->prepare(std::string("select ") + kWinnerColumns + kWinners +
                     "join kernel k on k.id = w.kernel order by k.name, w.kernel, w.device, w.toolchain, w.threads, "
                     "w.precision, w.bucket");
    std::vector<WinnerRow> out;
    while (s.step()) out.push_back(winner_row(s));
    return out;
  }

  StoreStats stats() override {
    std::lock_guard lock(mutex_);
    const auto count = [&](const char* what) { return db_->integer(std::string("select count(*) from ") + what); };
    StoreStats out{.kernels = count("kernel"),
                   .schedules = count("schedule"),
                   .measurements = count("measurement"),
                   .winners = count("winner"),
                   .quarantined = count("(select distinct kernel, schedule, device, toolchain, precision from measurement "
                                        "where status not in ('ok', 'slow'))"),
                   .artifacts = count("artifact"),
                   .schema = static_cast<int>(db_->integer("pragma user_version")),
                   .path = path_};
    for (const char* part : {"", "-wal"}) {
      std::error_code missing;
      const auto bytes = std::filesystem::file_size(path_ + part, missing);
      if (!missing) out.bytes += static_cast<int64_t>(bytes);
    }
    return out;
  }

  std::vector<std::string> check() override {
    std::lock_guard lock(mutex_);
    std::vector<std::string> problems;
    const auto each = [&](const char* sql, auto&& problem) {
      Statement s = db_->prepare(sql);
      while (s.step()) problem(s);
    };
    each("pragma integrity_check", [&](const Statement& s) {
      if (s.text(0) != "ok") problems.push_back("integrity: " + s.text(0));
    });
    each("pragma foreign_key_check", [&](const Statement& s) {
      problems.push_back("a row of " + s.text(0) + " refers to a missing row of " + s.text(2));
    });
    each("select id, opts from schedule", [&](const Statement& s) {
      if (content_hash(s.text(1)) != s.text(0))
        problems.push_back("schedule " + s.text(0) + " is not the hash of its opts: " + s.text(1));
    });
    each("select kernel, median_ms, default_ms from winner", [&](const Statement& s) {
      if (!(s.real(1) > 0 && std::isfinite(s.real(1)))) problems.push_back("winner of kernel " + s.text(0) + " has no time");
      if (s.real(2) < 0) problems.push_back("winner of kernel " + s.text(0) + " has a negative default time");
    });
    each("select id from measurement where (status = 'ok' and not median_ms > 0) or samples < 0 or spread < 0",
         [&](const Statement& s) { problems.push_back("measurement " + s.text(0) + " has impossible numbers"); });
    each(
        "select distinct w.kernel, s.opts, m.status from winner w join schedule s on s.id = w.schedule join measurement m "
        "on "
        "m.kernel = w.kernel and m.schedule = w.schedule and m.device = w.device and m.toolchain = w.toolchain and "
        "m.precision = w.precision where m.status in ('wrong', 'crash')",
        [&](const Statement& s) {
          problems.push_back("winner of kernel " + s.text(0) + " is quarantined (" + s.text(2) + "): " + s.text(1));
        });
    return problems;
  }

 private:
  void require_writable() const {
    if (!writable_)
      throw UserError("database " + path_ + " is read-only; set PICOGRAD_DB or --db to a path that you can write");
  }
  /// One transaction.
  template <class F>
  void write(F&& body) {
    std::lock_guard lock(mutex_);
    require_writable();
    Transaction transaction(*db_);
    body();
    transaction.commit();
  }
  void put_json(const std::string& table, const std::string& id, const std::string& json) {
    write([&] {
      db_->prepare("insert into " + table + "(id, json) values (?1, ?2) on conflict(id) do nothing").bind(id, json).run();
    });
  }
  void require_references(const WinnerKey& k) {
    Statement s = db_->prepare(
        "select exists(select 1 from kernel where id=?1), exists(select 1 from device where id=?2), "
        "exists(select 1 from toolchain where id=?3)");
    s.bind(k.kernel, k.device, k.toolchain).step();
    if (!s.integer(0)) throw InternalError("store: put_kernel must come first for kernel " + k.kernel);
    if (!s.integer(1)) throw InternalError("store: put_device must come first for device " + k.device);
    if (!s.integer(2)) throw InternalError("store: put_toolchain must come first for toolchain " + k.toolchain);
  }
  std::string schedule_id(const std::string& opts) {
    const std::string id = content_hash(opts);
    db_->prepare("insert into schedule(id, opts) values (?1, ?2) on conflict(id) do nothing").bind(id, opts).run();
    return id;
  }

  std::string path_;
  bool writable_;
  std::mutex mutex_;
  std::unique_ptr<Connection> db_;
};

}  // namespace

std::unique_ptr<Store> Store::open(const std::string& path, OpenMode mode, bool strict) {
  return std::make_unique<SqliteStore>(path, open_database_file(path, mode, strict));
}

}  // namespace pg
