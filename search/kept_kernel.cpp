#include "search/kept_kernel.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "runtime/artifact_cache.h"
#include "search/keys.h"
#include "uops/text.h"

namespace pg {

namespace {
using nlohmann::json;

/// Which build of the program this is: kCodegenVersion is raised for what was meant to change, this tells of all else.
std::string this_program() {
  static const std::string known = [] {
    struct stat s {};
    if (stat("/proc/self/exe", &s) != 0) return std::string();
    return std::to_string(s.st_size) + " " + std::to_string(s.st_mtim.tv_sec) + " " + std::to_string(s.st_mtim.tv_nsec);
  }();
  return known;
}
std::string key_of(const UOp& launch, std::span<const Opts> opts, const Device& device) {
  const WinnerKey k = winner_key(launch, {}, device);
  std::string all;
  for (const Opts& o : opts) all += text(o) + "\n";
  return ArtifactCache::key(
      {"built", this_program(), k.kernel, all, k.device, k.toolchain, std::to_string(k.threads), device.target().isa});
}

json texts(std::span<const UOp> nodes) {
  json all = json::array();
  for (const UOp& u : nodes) all.push_back(text(u));
  return all;
}
UOps nodes(const json& texts) {
  UOps all;
  for (const json& t : texts) all.push_back(parse(t.get<std::string>()));
  return all;
}
json to_json(const LaunchInfo& l) {
  return {{"name", l.name},
          {"params", texts(l.params)},
          {"workspaces", texts(l.workspaces)},
          {"variables", texts(l.variables)},
          {"phases", texts(l.phases)},
          {"items", text(l.items)},
          {"scratch", l.scratch_bytes},
          {"threads", l.threads},
          {"blocks", l.blocks},
          {"shared", l.shared_bytes}};
}
LaunchInfo launch_from(const json& j) {
  LaunchInfo l;
  l.name = j.at("name");
  l.params = nodes(j.at("params"));
  l.workspaces = nodes(j.at("workspaces"));
  l.variables = nodes(j.at("variables"));
  l.phases = nodes(j.at("phases"));
  l.items = parse(j.at("items").get<std::string>());
  l.scratch_bytes = j.at("scratch");
  l.threads = j.at("threads");
  l.blocks = j.at("blocks");
  l.shared_bytes = j.at("shared");
  return l;
}

}  // namespace

std::optional<Built> kept_kernel(const UOp& launch, std::span<const Opts> opts, Device& device) {
  ArtifactCache* cache = device.artifacts();
  auto kept = cache ? cache->get(key_of(launch, opts, device)) : std::nullopt;
  if (!kept) return std::nullopt;
  const size_t end = kept->bytes.find('\n');  // the launch, as JSON on one line, then the artifact
  if (end == kept->bytes.npos) return std::nullopt;
  Built b;
  try {
    b.source.launch = launch_from(json::parse(kept->bytes.substr(0, end)));
  } catch (const std::exception&) {  // of another version
    return std::nullopt;
  }
  b.source.name = kept->name;
  b.artifact = {kept->name, kept->bytes.substr(end + 1), 0};
  b.program = device.load(b.artifact, b.source.launch);
  return b;
}

void keep_kernel(const UOp& launch, std::span<const Opts> opts, Device& device, const Source& source,
                 const Artifact& artifact) {
  if (ArtifactCache* cache = device.artifacts())
    cache->put(key_of(launch, opts, device), {artifact.name, to_json(source.launch).dump() + "\n" + artifact.bytes, 0});
}

}  // namespace pg
