// picograd db export|import|merge: schedules go from one database to another.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "cache/exchange.h"
#include "runtime/device.h"
#include "search/pretuned.h"
#include "src/cli/db_actions.h"
#include "uops/error.h"

namespace pg::db {
namespace {

using nlohmann::json;

/// The device whose id begins with these digits.
std::string find_device(const Contents& contents, const DbOptions& o) {
  std::vector<std::string> found;
  for (const auto& [id, facts] : contents.devices)
    if (id.starts_with(o.device)) found.push_back(id);
  if (found.empty())
    throw UserError("no device " + o.device + " in " + o.path + "; `picograd db export` without --device names them all");
  if (found.size() > 1)
    throw UserError(std::to_string(found.size()) + " devices begin with " + o.device + ": give more digits (" + found[0] +
                    ", " + found[1] + (found.size() > 2 ? ", ..)" : ")"));
  return found[0];
}

/// A file: whole or not at all. Pipes and devices are written to, never replaced.
void write_file(const std::string& path, const std::string& text) {
  std::error_code ignored;
  const bool replace = !std::filesystem::exists(path, ignored) || std::filesystem::is_regular_file(path, ignored);
  const std::string part = replace ? path + ".part" : path;
  errno = 0;
  std::ofstream file(part, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file && (!replace || std::rename(part.c_str(), path.c_str()) == 0)) return;
  const std::string why = std::strerror(errno);
  if (replace) std::remove(part.c_str());
  throw UserError("cannot write " + path + ": " + why + "; give another place with -o");
}

json to_json(const MergeReport& r) {
  const auto rows = [](const MergeReport::Rows& n) { return json{{"added", n.added}, {"present", n.present}}; };
  json j{{"devices", rows(r.devices)},
         {"toolchains", rows(r.toolchains)},
         {"kernels", rows(r.kernels)},
         {"winners", rows(r.winners)},
         {"measurements", rows(r.measurements)},
         {"plans", rows(r.plans)}};
  j["winners"].update({{"replaced", r.replaced}, {"kept", r.kept}});
  return j;
}
std::string to_text(const MergeReport& r) {
  const auto rows = [](const char* name, const MergeReport::Rows& n) {
    return std::string(name) + " " + std::to_string(n.added) + " added, " + std::to_string(n.present) + " already there";
  };
  std::string winners = rows("winners", r.winners);
  if (r.replaced > 0) winners += ", " + std::to_string(r.replaced) + " replaced because the other one was better";
  if (r.kept > 0) winners += ", " + std::to_string(r.kept) + " kept because the other one was not";
  return rows("kernels", r.kernels) + "; " + winners + "; " + rows("measurements", r.measurements) + "; " +
         rows("plans", r.plans);
}

/// All of them are read before anything is written, and written in one transaction.
int unite(const DbOptions& o, std::ostream& out, const std::vector<Contents>& others) {
  const auto store = Store::open(o.path, OpenMode::ReadWrite, /*strict=*/true);
  const std::vector<MergeReport> reports = store->merge(others);
  json all = json::array();
  for (size_t i = 0; i < reports.size(); ++i) {
    json j = to_json(reports[i]);
    j["file"] = o.files[i];
    all.push_back(std::move(j));
    if (!o.json) out << o.files[i] << ": " << to_text(reports[i]) << "\n";
  }
  if (o.json) print(out, {{"path", store->path()}, {"files", all}});
  return 0;
}

}  // namespace

int export_contents(const DbOptions& o, std::ostream& out) {
  Contents contents = Store::open(o.path, OpenMode::ReadOnly, /*strict=*/true)->contents();
  std::string device = o.this_device ? default_device().info().id : "";
  if (!o.device.empty()) device = find_device(contents, o);
  contents = selected(std::move(contents), device, o.winners_only);
  const std::string text = exchange_text(contents);
  if (o.output.empty()) {
    out << text;
    return 0;
  }
  write_file(o.output, text);
  if (o.json)
    print(out, {{"file", o.output},
                {"bytes", text.size()},
                {"kernels", contents.kernels.size()},
                {"winners", contents.winners.size()},
                {"measurements", contents.measurements.size()},
                {"plans", contents.plans.size()}});
  else
    out << o.output << ": " << contents.kernels.size() << " kernels, " << contents.winners.size() << " winners, "
        << contents.measurements.size() << " measurements, " << contents.plans.size() << " plans\n";
  return 0;
}

int import_files(const DbOptions& o, std::ostream& out) {
  std::vector<Contents> others;
  for (const std::string& file : o.files) others.push_back(read_export(file));
  return unite(o, out, others);
}

int merge_databases(const DbOptions& o, std::ostream& out) {
  std::vector<Contents> others;
  for (const std::string& file : o.files)
    others.push_back(Store::open(file, OpenMode::ReadOnly, /*strict=*/true)->contents());
  return unite(o, out, others);
}

}  // namespace pg::db
