#include "models/json_text.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "models/utf8.h"
#include "uops/error.h"

namespace pg {

using Json = nlohmann::json;

Json parse_json(const std::string& name, std::string_view text) {
  std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open
  const auto watch = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
      throw UserError(name + ": the key \"" + shown(value.get<std::string>()) +
                      "\" stands there twice; download or export the model again");
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::parse_error& e) {
    throw UserError(name + ": at byte " + std::to_string(e.byte) +
                    ": this is not JSON; the file is damaged or incomplete: download or export it again");
  } catch (const Json::out_of_range&) {
    throw UserError(name + ": holds a number beyond all bounds; download or export the model again");
  }
}

JsonObject::JsonObject(std::string where, const Json& json) : where_(std::move(where)), json_(json) {
  if (!json.is_object()) throw UserError(where_ + ": this is no JSON object; download or export the model again");
}

void JsonObject::fail(const std::string& what) const { throw UserError(where_ + ": " + what); }
void JsonObject::mistyped(const char* key, const char* type) const {
  fail("\"" + std::string(key) + "\" does not hold " + type + "; download or export the model again");
}

const Json* JsonObject::find(std::string_view key) const {
  const auto found = json_.find(key);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}
const Json& JsonObject::wanted(const char* key) const {
  if (const Json* found = find(key)) return *found;
  fail("\"" + std::string(key) + "\" is missing; download or export the model again");
}

int64_t JsonObject::integer(const char* key, std::optional<int64_t> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const Json& value = wanted(key);
  if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX))
    mistyped(key, "an integer");
  return value.get<int64_t>();
}
double JsonObject::number(const char* key, std::optional<double> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const Json& value = wanted(key);
  if (!value.is_number()) mistyped(key, "a number");
  return value.get<double>();
}
bool JsonObject::flag(const char* key, std::optional<bool> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const Json& value = wanted(key);
  if (!value.is_boolean()) mistyped(key, "true or false");
  return value.get<bool>();
}
std::string JsonObject::string(const char* key, std::optional<std::string> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const Json& value = wanted(key);
  if (!value.is_string()) mistyped(key, "a string");
  return value.get<std::string>();
}
JsonObject JsonObject::object(const char* key) const { return {where_ + ": " + key, wanted(key)}; }
const Json& JsonObject::array(const char* key) const {
  const Json& value = wanted(key);
  if (!value.is_array()) mistyped(key, "an array");
  return value;
}

}  // namespace pg
