#include "cache/exchange.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cache/rows_json.h"
#include "uops/text.h"

namespace pg {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kFormat = "picograd schedules";
constexpr const char* kStatuses[] = {"ok", "slow", "wrong", "crash", "timeout", "compile_error"};

ordered_json row_with_text(const KernelRow& k) {
  ordered_json lines = ordered_json::array();
  std::istringstream in(k.ir);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  if (k.ir.ends_with("\n")) lines.push_back("");  // the lines are joined by line ends
  ordered_json j = row_json(k);
  j["ir"] = std::move(lines);
  return j;
}

/// What a value of the file should have been.
[[noreturn]] void wrong(const std::string& place, const std::string& should) { throw UserError(place + ": " + should); }

/// One object of the file. Every field is asked for once; `done` refuses what was not.
class Fields {
 public:
  Fields(const json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object.is_object()) wrong(place_, "should be an object");
  }

  std::string place(const std::string& field) const { return place_.empty() ? field : place_ + "." + field; }
  const json& at(const char* field) {
    const auto found = object_.find(field);
    if (found == object_.end()) wrong(place(field), "is missing");
    read_.insert(field);
    return *found;
  }
  std::string word(const char* field) { return typed<std::string>(field, &json::is_string, "a text"); }
  bool flag(const char* field) { return typed<bool>(field, &json::is_boolean, "true or false"); }
  double number(const char* field) {
    const double x = typed<double>(field, &json::is_number, "a number");
    if (!(x >= 0 && std::isfinite(x))) wrong(place(field), "should be 0 or more");
    return x;
  }
  int64_t integer(const char* field, int64_t least = 0, int64_t most = INT64_MAX) {
    const auto x = typed<int64_t>(field, &json::is_number_integer, "a whole number");
    if (x < least) wrong(place(field), "should be " + std::to_string(least) + " or more");
    if (x > most) wrong(place(field), "should be " + std::to_string(most) + " or less");
    return x;
  }
  const json& list(const char* field) {
    if (!at(field).is_array()) wrong(place(field), "should be a list");
    return at(field);
  }
  void done() const {
    for (const auto& [name, value] : object_.items())
      if (!read_.contains(name)) wrong(place(name), "is unknown; a newer picograd may know it");
  }

 private:
  template <class T>
  T typed(const char* field, bool (json::*is)() const noexcept, const char* kind) {
    const json& value = at(field);
    if (!(value.*is)()) wrong(place(field), std::string("should be ") + kind);
    return value.get<T>();
  }

  const json& object_;
  std::string place_;  // "winners[3]"
  std::set<std::string> read_;
};

/// A bucket is "pos=512,T=64", or empty.
bool is_bucket(const std::string& bucket) {
  if (bucket.empty()) return true;
  std::istringstream parts(bucket + ",");
  for (std::string part; std::getline(parts, part, ',');) {
    const size_t equals = part.find('=');
    if (equals == 0 || equals == part.npos || equals + 1 == part.size()) return false;
    if (part.find_first_not_of("0123456789", equals + 1) != part.npos) return false;
  }
  return true;
}

class Reader {
 public:
  explicit Reader(const ScheduleCheck& check) : check_(check) {}

  Contents read(const json& document) {
    Fields file(document, "");
    if (!document.contains("format") || document["format"] != kFormat)
      wrong("format", std::string("is not \"") + kFormat + "\": no export of picograd's");
    file.at("format");
    version_ = file.integer("version", 1);
    if (version_ > kExchangeVersion)
      wrong("version", std::to_string(version_) + " is newer than this picograd, which knows versions up to " +
                           std::to_string(kExchangeVersion) + "; use a newer picograd");
    out_.devices = documents(file, "devices");
    out_.toolchains = documents(file, "toolchains");
    rows(file, "kernels", [&](Fields& f) { out_.kernels.push_back(kernel(f)); });
    rows(file, "winners", [&](Fields& f) { out_.winners.push_back(winner(f)); });
    rows(file, "measurements", [&](Fields& f) { out_.measurements.push_back(measurement(f)); });
    if (version_ >= 3) rows(file, "plans", [&](Fields& f) { out_.plans.push_back(plan(f)); });
    file.done();
    return std::move(out_);
  }

 private:
  static std::map<std::string, std::string> documents(Fields& file, const char* name) {
    std::map<std::string, std::string> out;
    const json& all = file.at(name);
    if (!all.is_object()) wrong(name, "should be an object");
    for (const auto& [id, value] : all.items()) {
      if (!value.is_object()) wrong(std::string(name) + "." + id, "should be an object");
      out.emplace(id, value.dump());
    }
    return out;
  }
  template <class F>
  static void rows(Fields& file, const char* name, F&& row) {
    const json& all = file.list(name);
    for (size_t i = 0; i < all.size(); ++i) {
      Fields fields(all[i], std::string(name) + "[" + std::to_string(i) + "]");
      row(fields);
      fields.done();
    }
  }

  KernelRow kernel(Fields& f) {
    KernelRow k{.id = f.word("id"),
                .template_hash = f.word("template"),
                .name = f.word("name"),
                .shape = f.word("shape"),
                .flops = f.number("flops"),
                .bytes = f.number("bytes")};
    bool first = true;
    for (const json& line : f.list("ir")) {
      if (!line.is_string()) wrong(f.place("ir"), "should be a list of lines");
      k.ir += (std::exchange(first, false) ? "" : "\n") + line.get<std::string>();
    }
    std::string hash;
    try {
      hash = content_id(parse(k.ir));
    } catch (const UserError& e) {
      wrong(f.place("ir"), std::string("is no kernel: ") + e.what());
    }
    if (hash != k.id) wrong(f.place("id"), k.id + " is not the hash of its text, " + hash);
    kernels_.insert(k.id);
    return k;
  }
  static std::string known(Fields& f, const char* field, const auto& all) {
    std::string id = f.word(field);
    if (!all.contains(id)) wrong(f.place(field), "the file has no " + std::string(field) + " " + id);
    return id;
  }
  WinnerKey key(Fields& f) const {
    WinnerKey k{.kernel = known(f, "kernel", kernels_),
                .device = known(f, "device", out_.devices),
                .toolchain = known(f, "toolchain", out_.toolchains),
                .threads = static_cast<int>(f.integer("threads", 1, INT_MAX)),
                .precision = f.word("precision"),
                .bucket = f.word("bucket")};
    if (k.precision.empty()) wrong(f.place("precision"), "is empty");
    if (!is_bucket(k.bucket)) wrong(f.place("bucket"), "should be like pos=512,T=64");
    return k;
  }
  std::string schedule(Fields& f, const char* field = "schedule") const {
    std::string opts = f.word(field);
    try {
      check_(opts);
    } catch (const UserError& e) {
      wrong(f.place(field), std::string("is no schedule: ") + e.what());
    }
    return opts;
  }
  WinnerRow winner(Fields& f) const {
    WinnerRow w{.key = key(f),
                .schedule = schedule(f),
                .median_ms = f.number("median_ms"),
                .default_ms = f.number("default_ms"),
                .candidates = f.integer("candidates"),
                .search_seconds = f.number("search_seconds"),
                .finished = f.flag("finished"),
                .created = f.integer("created", 1)};
    if (w.median_ms == 0) wrong(f.place("median_ms"), "should be more than 0");
    return w;
  }
  MeasurementRow measurement(Fields& f) const {
    MeasurementRow m{.key = key(f),
                     .schedule = schedule(f),
                     .bindings = f.word("bindings"),
                     .median_ms = f.number("median_ms"),
                     .spread = f.number("spread"),
                     .samples = f.integer("samples"),
                     .status = f.word("status"),
                     .reason = f.word("reason"),
                     .verified = f.flag("verified"),
                     .run = f.word("run"),
                     .created = f.integer("created", 1)};
    if (std::find(std::begin(kStatuses), std::end(kStatuses), m.status) == std::end(kStatuses))
      wrong(f.place("status"), "'" + m.status + "' is unknown");
    if (m.status == "ok" && m.median_ms == 0) wrong(f.place("median_ms"), "should be more than 0");
    if (version_ >= 2) m.lineage = lineage(f);
    return m;
  }
  PlanRow plan(Fields& f) const {
    PlanRow p{.site = f.word("site"),
              .device = known(f, "device", out_.devices),
              .toolchain = known(f, "toolchain", out_.toolchains),
              .threads = static_cast<int>(f.integer("threads", 1, INT_MAX)),
              .precision = f.word("precision"),
              .in_place = f.flag("in_place"),
              .in_place_ms = f.number("in_place_ms"),
              .stored_ms = f.number("stored_ms"),
              .spread = f.number("spread"),
              .created = f.integer("created", 1)};
    if (p.site.empty()) wrong(f.place("site"), "is empty");
    return p;
  }
  Lineage lineage(Fields& f) const {
    Lineage l{.origin = f.word("origin"), .round = f.integer("round")};
    if (std::find(std::begin(kOrigins), std::end(kOrigins), l.origin) == std::end(kOrigins))
      wrong(f.place("origin"), "'" + l.origin + "' is unknown");
    if (!f.at("parent").is_null()) l.parent = schedule(f, "parent");
    return l;
  }

  const ScheduleCheck& check_;
  int64_t version_ = kExchangeVersion;
  Contents out_;
  std::set<std::string> kernels_;
};

}  // namespace

Contents selected(Contents all, const std::string& device, bool winners_only) {
  const auto other = [&](const auto& row) { return !device.empty() && row.key.device != device; };
  std::erase_if(all.winners, other);
  std::erase_if(all.measurements, [&](const MeasurementRow& m) { return winners_only || other(m); });
  std::erase_if(all.plans, [&](const PlanRow& p) { return !device.empty() && p.device != device; });
  if (device.empty() && !winners_only) return all;
  std::set<std::string> used;  // kernels, devices and toolchains: their ids are hashes, so one set does
  const auto use = [&](const auto& rows) {
    for (const auto& row : rows) used.insert({row.key.kernel, row.key.device, row.key.toolchain});
  };
  use(all.winners);
  use(all.measurements);
  for (const PlanRow& p : all.plans) used.insert({p.device, p.toolchain});
  std::erase_if(all.kernels, [&](const KernelRow& k) { return !used.contains(k.id); });
  std::erase_if(all.devices, [&](const auto& row) { return !used.contains(row.first); });
  std::erase_if(all.toolchains, [&](const auto& row) { return !used.contains(row.first); });
  return all;
}

std::string exchange_text(const Contents& contents) {
  std::string out = "{\n\"format\": \"" + std::string(kFormat) + "\",\n\"version\": " + std::to_string(kExchangeVersion);
  const auto object = [&](const char* name, const std::map<std::string, std::string>& documents) {
    out += std::string(",\n\"") + name + "\": {";
    const char* separator = "\n";
    for (const auto& [id, text] : documents)
      out += std::exchange(separator, ",\n") + dumped(id) + ": " + dumped(ordered_json::parse(text));
    out += "\n}";
  };
  const auto list = [&](const char* name, const auto& rows, auto row_of, int indent) {
    out += std::string(",\n\"") + name + "\": [";
    const char* separator = "\n";
    for (const auto& row : rows) out += std::exchange(separator, ",\n") + dumped(row_of(row), indent);
    out += "\n]";
  };
  object("devices", contents.devices);
  object("toolchains", contents.toolchains);
  const auto plain = [](const auto& row) { return row_json(row); };
  list("kernels", contents.kernels, row_with_text, 1);
  list("winners", contents.winners, plain, -1);
  list("measurements", contents.measurements, plain, -1);
  list("plans", contents.plans, plain, -1);
  return out + "\n}\n";
}

Contents parse_exchange(const std::string& text, const std::string& file, const ScheduleCheck& check) {
  try {
    return Reader(check).read(json::parse(text));
  } catch (const json::exception& e) {
    throw UserError(file + ": no whole JSON text: " + e.what());
  } catch (const UserError& e) {
    throw UserError(file + ": " + e.what());
  }
}

Contents read_exchange(const std::string& file, const ScheduleCheck& check) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (in && in.peek() != in.eof()) text << in.rdbuf();
  if (!in && !in.eof()) throw UserError("cannot read " + file + ": " + std::strerror(errno));
  return parse_exchange(text.str(), file, check);
}

}  // namespace pg
