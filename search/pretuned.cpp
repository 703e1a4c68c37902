#include "search/pretuned.h"

#include <cctype>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cache/exchange.h"
#include "runtime/config.h"
#include "runtime/device.h"
#include "runtime/shipped.h"
#include "search/opt.h"

namespace pg {
namespace {

constexpr size_t kIdDigits = 12;

/// The file of this device; empty: there is none.
std::string pretuned_file(const DeviceInfo& device) {
  const std::string& set = config().pretuned;
  if (set == "none") return "";
  const std::string folder = set.empty() ? shipped("cache/pretuned", "pretuned") : set;
  if (folder.empty()) return "";
  const std::filesystem::path file = std::filesystem::path(folder) / pretuned_name(device.id, device.json);
  std::error_code ignored;
  return std::filesystem::is_regular_file(file, ignored) ? file.string() : "";
}

}  // namespace

Contents read_export(const std::string& file) {
  return read_exchange(file, [](const std::string& opts) { parse_opts(opts); });
}

std::string pretuned_name(const std::string& id, const std::string& json) {
  const nlohmann::json facts = nlohmann::json::parse(json);
  std::string name;
  for (const unsigned char c : facts.value("cpu", facts.value("gpu", "device"))) {
    if (std::isalnum(c))
      name += static_cast<char>(std::tolower(c));
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  if (!name.ends_with('-')) name += '-';
  return name + id.substr(0, kIdDigits) + ".json";
}

void take_pretuned(Store& store, const Device& device) {
  const DeviceInfo info = device.info();
  if (!store.wants_pretuned(info.id)) return;
  const std::string file = pretuned_file(info);
  if (file.empty()) return;
  try {
    const Contents contents = selected(read_export(file), info.id, /*winners_only=*/true);
    store.put_pretuned(info.id, contents);
    if (config().debug >= 1)
      std::cerr << "picograd: " << contents.winners.size() << " schedules came with picograd: " << file << "\n";
  } catch (const UserError& e) {
    std::cerr << "picograd: warning: " << e.what() << "\n  going on without the schedules that came with picograd\n";
  }
}

}  // namespace pg
