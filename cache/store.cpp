#include "cache/store.h"

#include <cmath>
#include <filesystem>
#include <mutex>

#include "cache/content_hash.h"
#include "cache/database_file.h"
#include "cache/merge.h"
#include "cache/prune.h"
#include "cache/rows.h"

namespace pg {
namespace {

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, DatabaseFile file)
      : path_(std::move(path)), writable_(file.writable), schema_(file.schema), db_(std::move(file.connection)) {}

  bool writable() const override { return writable_; }
  const std::string& path() const override { return path_; }

  void put_device(const std::string& id, const std::string& json) override {
    write([&] { insert_json(*db_, "device", id, json); });
  }
  void put_toolchain(const std::string& id, const std::string& json) override {
    write([&] { insert_json(*db_, "toolchain", id, json); });
  }
  void put_kernel(const KernelRow& k) override {
    write([&] { insert_kernel(*db_, k); });
  }
  void put_measurements(const std::vector<MeasurementRow>& rows) override {
    if (rows.empty()) return;
    write([&] { insert_measurements(*db_, rows); });
  }
  // A winner is worth a whole search: it must outlive even a power cut, the rest only the end of the process.
  void put_winner(const WinnerRow& w) override {
    write_durably([&] { write_winner(*db_, w); });
  }

  void put_plan(const PlanRow& p) override {
    write_durably([&] { write_plan(*db_, p); });
  }

  Contents contents() override {
    std::lock_guard lock(mutex_);
    return read_contents(*db_);
  }
  std::vector<MergeReport> merge(const std::vector<Contents>& others) override {
    std::vector<MergeReport> reports;
    write_durably([&] {
      for (const Contents& theirs : others) reports.push_back(merge_contents(*db_, theirs));
    });
    return reports;
  }
  bool wants_pretuned(const std::string& device) override {
    std::lock_guard lock(mutex_);
    return writable_ && wants(device);
  }
  void put_pretuned(const std::string& device, const Contents& theirs) override {
    write_durably([&] {
      if (!wants(device)) return;  // another process was faster
      merge_contents(*db_, theirs);
      db_->prepare("insert into pretuned(device, created) values (?1, ?2)").bind(device, now_ms()).run();
    });
  }
  PruneReport prune(const PruneOptions& options) override {
    std::lock_guard lock(mutex_);
    require_writable();
    return prune_database(*db_, options);
  }

  std::optional<KernelRow> kernel(const std::string& id) override {
    std::lock_guard lock(mutex_);
    return find_kernel(*db_, id);
  }
  std::optional<WinnerRow> winner(const WinnerKey& k) override {
    std::lock_guard lock(mutex_);
    return find_winner(*db_, k);
  }

  std::vector<WinnerRow> winners_other_toolchain(const WinnerKey& k) override {
    std::lock_guard lock(mutex_);
    Statement s = db_->prepare(
        std::string("select ") + kWinnerColumns + kWinners +
        "where w.kernel=?1 and w.device=?2 and w.toolchain<>?3 and w.threads=?4 and w.precision=?5 and w.bucket=?6 "
        "order by w.created desc, w.toolchain");
    s.bind(k.kernel, k.device, k.toolchain, k.threads, k.precision, k.bucket);
    std::vector<WinnerRow> out;
    while (s.step()) out.push_back(read_winner(s));
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
    while (s.step()) out.emplace_back(read_winner(s), read_kernel(s, kWinnerEnd));
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
    Statement s = db_->prepare(std::string("select ") + kMeasurementColumns + kMeasurements +
                               "where m.kernel=?1 order by m.created, m.id");
    s.bind(kernel);
    std::vector<MeasurementRow> out;
    while (s.step()) out.push_back(read_measurement(s));
    return out;
  }

  std::vector<PlanRow> plans() override {
    std::lock_guard lock(mutex_);
    return all_plans(*db_);
  }

  std::vector<KernelRow> kernels() override {
    std::lock_guard lock(mutex_);
    Statement s = db_->prepare(std::string("select ") + kKernelColumns + " from kernel k order by k.name, k.id");
    std::vector<KernelRow> out;
    while (s.step()) out.push_back(read_kernel(s));
    return out;
  }

  std::vector<WinnerRow> winners() override {
    std::lock_guard lock(mutex_);
    Statement s =
        db_->prepare(std::string("select ") + kWinnerColumns + kWinners +
                     "join kernel k on k.id = w.kernel order by k.name, w.kernel, w.device, w.toolchain, w.threads, "
                     "w.precision, w.bucket");
    std::vector<WinnerRow> out;
    while (s.step()) out.push_back(read_winner(s));
    return out;
  }

  StoreStats stats() override {
    std::lock_guard lock(mutex_);
    const auto count = [&](const char* what) { return db_->integer(std::string("select count(*) from ") + what); };
    StoreStats out{.kernels = count("kernel"),
                   .schedules = count("schedule"),
                   .measurements = count("measurement"),
                   .winners = count("winner"),
                   .plans = count("plan"),
                   .quarantined = count("(select distinct kernel, schedule, device, toolchain, precision from measurement "
                                        "where status not in ('ok', 'slow'))"),
                   .artifacts = count("artifact"),
                   .schema = schema_,
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
    each("select site from plan where not (in_place_ms > 0 and stored_ms > 0) or spread < 0",
         [&](const Statement& s) { problems.push_back("plan of " + s.text(0) + " has impossible numbers"); });
    each("select id from measurement where (status = 'ok' and not median_ms > 0) or samples < 0 or spread < 0",
         [&](const Statement& s) { problems.push_back("measurement " + s.text(0) + " has impossible numbers"); });
    each("select id from measurement where parent <> '' and parent not in (select id from schedule)",
         [&](const Statement& s) { problems.push_back("measurement " + s.text(0) + " has a parent that is missing"); });
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
  template <class F>
  void write_durably(F&& body) {
    std::lock_guard lock(mutex_);
    require_writable();
    db_->execute("pragma synchronous = full");
    Transaction transaction(*db_);
    body();
    transaction.commit();
    db_->execute("pragma synchronous = normal");
  }
  bool wants(const std::string& device) {
    Statement s = db_->prepare(
        "select not exists(select 1 from winner where device=?1) and not exists(select 1 from pretuned where device=?1)");
    return s.bind(device).step() && s.integer(0) != 0;
  }

  std::string path_;
  bool writable_;
  int schema_;
  std::mutex mutex_;
  std::unique_ptr<Connection> db_;
};

}  // namespace

std::unique_ptr<Store> Store::open(const std::string& path, OpenMode mode, bool strict) {
  return std::make_unique<SqliteStore>(path, open_database_file(path, mode, strict));
}

}  // namespace pg
