#pragma once
#include <string>

#include "cache/store.h"

namespace pg {

inline WinnerKey test_key(const std::string& kernel = "k1") {
  return {.kernel = kernel, .device = "d1", .toolchain = "t1", .threads = 2, .precision = "fp32", .bucket = ""};
}
/// Make a database of the present schema one of an older one.
inline const std::string kBackToVersionThree =
    "drop table plan; create table graph (id text primary key, name text not null, json text not null) without rowid;"
    "create table plan (id text primary key, graph text not null references graph(id), alternative text not null, "
    "kernels text not null, chosen integer not null default 0) without rowid; create index plan_graph on plan(graph);"
    "pragma user_version = 3;";
inline const std::string kBackToVersionTwo =
    kBackToVersionThree +
    "alter table measurement drop column origin; alter table measurement drop column round;"
    "alter table measurement drop column parent; pragma user_version = 2;";
inline const std::string kBackToVersionOne = kBackToVersionTwo + "drop table pretuned; pragma user_version = 1";

/// What measurements and winners refer to.
inline void put_context(Store& s, const std::string& kernel = "k1", const std::string& template_hash = "template") {
  s.put_device("d1", R"({"cpu": "test"})");
  s.put_toolchain("t1", R"({"compiler": "one"})");
  s.put_toolchain("t2", R"({"compiler": "two"})");
  s.put_kernel({.id = kernel,
                .template_hash = template_hash,
                .name = "matmul_" + kernel,
                .ir = "%0 = Const i64 [4]",
                .shape = "m=4 n=4",
                .flops = 128,
                .bytes = 192});
}
inline MeasurementRow test_measurement(const std::string& schedule, const std::string& status = "ok",
                                       const std::string& kernel = "k1") {
  return {.key = test_key(kernel),
          .schedule = schedule,
          .bindings = R"({"pos": 511})",
          .median_ms = status == "ok" ? 1.5 : 0,
          .spread = 0.02,
          .samples = 9,
          .status = status,
          .reason = status == "ok" ? "" : "because",
          .verified = true,
          .run = "run1"};
}
inline WinnerRow test_winner(const std::string& schedule, double ms = 1.5, const std::string& kernel = "k1") {
  return {.key = test_key(kernel),
          .schedule = schedule,
          .median_ms = ms,
          .default_ms = 3,
          .candidates = 40,
          .search_seconds = 0.5,
          .finished = true};
}

}  // namespace pg
