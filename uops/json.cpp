#include <unordered_map>

#include <nlohmann/json.hpp>

#include "uops/text.h"

namespace pg {

namespace {
using Json = nlohmann::ordered_json;

struct ArgJson {
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(int64_t v) const { return v; }
  Json operator()(double v) const { return {{"float", number_text(v)}}; }  // JSON has no infinities and no NaN
  Json operator()(const std::string& s) const { return s; }
  Json operator()(const Ints& v) const { return Json(v); }
  Json operator()(const RangeArg& a) const { return {{"axis", a.axis}, {"tile", a.tile}, {"kind", text(a.kind)}}; }
  Json operator()(const VariableArg& a) const { return {{"name", a.name}, {"lo", a.lo}, {"hi", a.hi}}; }
  Json operator()(const ParamArg& a) const { return {{"slot", a.slot}, {"name", a.name}}; }
  Json operator()(const ReduceArg& a) const { return {{"reducer", a.reducer}, {"axes", a.axes}}; }
};

template <class T>
T required(std::optional<T> value, const char* what, const std::string& text) {
  if (!value) throw UserError("UOp JSON: no " + std::string(what) + " is named '" + text + "'");
  return *value;
}

Arg arg_of(const Json& j) {
  if (j.is_null()) return {};
  if (j.is_number_integer()) return j.get<int64_t>();
  if (j.is_string()) return j.get<std::string>();
  if (j.is_array()) return j.get<Ints>();
  if (j.contains("float")) {
    const auto s = j.at("float").get<std::string>();
    return required(parse_number(s), "number", s);
  }
  if (j.contains("axis")) {
    const auto kind = j.at("kind").get<std::string>();
    return RangeArg{j.at("axis"), j.at("tile"), required(parse_kind(kind), "kind", kind)};
  }
  if (j.contains("slot")) return ParamArg{j.at("slot"), j.at("name")};
  if (j.contains("reducer")) return ReduceArg{j.at("reducer"), j.at("axes").get<Ints>()};
  return VariableArg{j.at("name"), j.at("lo"), j.at("hi")};
}
}  // namespace

std::string to_json(const UOp& root) {
  std::unordered_map<const void*, size_t> number;
  Json nodes = Json::array();
  for (const UOp& u : toposort(root)) {
    number.emplace(u.id(), number.size());
    Json src = Json::array();
    for (const UOp& s : u.src()) src.push_back(number.at(s.id()));
    nodes.push_back({{"op", info(u.op()).name}, {"dtype", text(u.dtype())}, {"arg", std::visit(ArgJson(), u.arg())}, {"src", std::move(src)}});
  }
  return Json{{"nodes", std::move(nodes)}}.dump();
}

UOp from_json(std::string_view s) try {
  UOps nodes;
  const Json document = Json::parse(s);
  for (const Json& j : document.at("nodes")) {
    const auto op = j.at("op").get<std::string>(), dtype = j.at("dtype").get<std::string>();
    UOps src;
    for (size_t n : j.at("src")) {
      if (n >= nodes.size()) throw UserError("UOp JSON: node " + std::to_string(nodes.size()) + " uses node " + std::to_string(n));
      src.push_back(nodes[n]);
    }
    const OpInfo& i = info(required(parse_op(op), "op", op));
    if (static_cast<int>(src.size()) < i.least || (i.most >= 0 && static_cast<int>(src.size()) > i.most))
      throw UserError("UOp JSON: " + op + " does not take " + std::to_string(src.size()) + " sources");
    nodes.emplace_back(*parse_op(op), required(parse_dtype(dtype), "dtype", dtype), arg_of(j.at("arg")), src);
  }
  if (nodes.empty()) throw UserError("UOp JSON: no node");
  return nodes.back();
} catch (const nlohmann::json::exception& e) {
  throw UserError(std::string("UOp JSON: ") + e.what());
}

}  // namespace pg
