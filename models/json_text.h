#pragma once
// JSON of a model's folder (config.json, tokenizer.json, ..): nothing in it is trusted, and every error names file and key.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace pg {

/// UserError with the file's name and the byte where `text` stops being JSON, or where an object holds a key twice.
nlohmann::json parse_json(const std::string& name, std::string_view text);

/// An object inside a file. Without a fallback, a missing key is a UserError that names it; so is a value of another type,
/// always. A null counts as missing. It looks into the parsed text, which must outlive it.
class JsonObject {
 public:
  /// `where`: "config.json", "tokenizer.json: model". UserError when it is no object.
  JsonObject(std::string where, const nlohmann::json&);

  bool has(std::string_view key) const { return find(key) != nullptr; }
  int64_t integer(const char* key, std::optional<int64_t> fallback = {}) const;
  double number(const char* key, std::optional<double> fallback = {}) const;
  bool flag(const char* key, std::optional<bool> fallback = {}) const;
  std::string string(const char* key, std::optional<std::string> fallback = {}) const;
  JsonObject object(const char* key) const;
  const nlohmann::json& array(const char* key) const;
  /// Null where there is none.
  const nlohmann::json* find(std::string_view key) const;

  const nlohmann::json& json() const { return json_; }
  const std::string& where() const { return where_; }
  [[noreturn]] void fail(const std::string& what) const;

 private:
  const nlohmann::json& wanted(const char* key) const;
  [[noreturn]] void mistyped(const char* key, const char* type) const;

  std::string where_;
  const nlohmann::json& json_;
};

}  // namespace pg
