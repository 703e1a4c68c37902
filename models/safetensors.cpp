#include "models/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "models/json_text.h"
#include "models/mapped_file.h"
#include "models/utf8.h"
#include "uops/error.h"

namespace pg {
namespace {

using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

constexpr uint64_t kMaxHeader = 100'000'000;  // the limit of the format's own library
constexpr size_t kMaxDims = 8;
constexpr uint64_t kMostElements = uint64_t{1} << 48;  // keeps products of extents and bytes within 64 bits

struct ElementType {
  const char* name;
  uint64_t bytes;
};
constexpr ElementType kTypes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
                                  {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
                                  {"U32", 4},  {"F32", 4}, {"I64", 8}, {"U64", 8},     {"F64", 8}};

const char* const kDamaged = "; the file is damaged or incomplete: download or export it again";

uint64_t natural(const JsonObject& of, const Json& value, const char* what) {
  if (!value.is_number_unsigned()) of.fail(std::string(what) + " holds something else than numbers of 0 or more" + kDamaged);
  return value.get<uint64_t>();
}

/// One entry of the header; its data still to be placed.
SafetensorsTensor described(const JsonObject& entry, uint64_t& begin, uint64_t& end) {
  SafetensorsTensor out;
  out.type = entry.string("dtype");
  const auto* type = std::ranges::find(kTypes, out.type, &ElementType::name);
  if (type == std::end(kTypes)) entry.fail("the type \"" + shown(out.type) + "\" is unknown; convert the model to F16");
  const Json& shape = entry.array("shape");
  if (shape.size() > kMaxDims) entry.fail("there are " + std::to_string(shape.size()) + " dimensions, more than 8");
  uint64_t elements = 1;
  for (const Json& extent : shape) {
    const uint64_t n = natural(entry, extent, "the shape");
    if (n > kMostElements || (n > 0 && elements > kMostElements / n))
      entry.fail("the shape has an impossible extent, " + std::to_string(n) + kDamaged);
    elements *= n;
    out.shape.push_back(static_cast<int64_t>(n));
  }
  const Json& offsets = entry.array("data_offsets");
  if (offsets.size() != 2) entry.fail(std::string("data_offsets is not [begin, end]") + kDamaged);
  begin = natural(entry, offsets[0], "data_offsets"), end = natural(entry, offsets[1], "data_offsets");
  if (begin > end || end - begin != elements * type->bytes) {
    entry.fail("data_offsets [" + std::to_string(begin) + ", " + std::to_string(end) + "] do not hold the " +
               std::to_string(elements * type->bytes) + " bytes of its shape" + kDamaged);
  }
  return out;
}

}  // namespace

Safetensors Safetensors::open(const std::string& path) {
  MappedFile file = map_file(path);
  return Safetensors(path, file.bytes, file.keep);
}

Safetensors::Safetensors(std::string name, std::span<const std::byte> bytes, std::shared_ptr<void> keep)
    : name_(std::move(name)), keep_(std::move(keep)) {
  uint64_t length = 0;
  if (bytes.size() < sizeof length) fail("at byte 0: the file ends within the length of its header" + std::string(kDamaged));
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMaxHeader || length > bytes.size() - sizeof length) {
    fail("at byte 0: a header of " + std::to_string(length) + " bytes does not fit into the file of " +
         std::to_string(bytes.size()) + "; this is not a safetensors file, or it is incomplete");
  }
  const Json header = parse_json(name_, {reinterpret_cast<const char*>(bytes.data()) + sizeof length, length});
  const std::span<const std::byte> data = bytes.subspan(sizeof length + length);
  struct Place {
    uint64_t begin, end;
    SafetensorsTensor tensor;
  };
  std::vector<Place> places;
  for (const auto& [key, value] : JsonObject(name_, header).json().items()) {
    if (key == "__metadata__") continue;
    Place p;
    p.tensor = described(JsonObject(name_ + ": tensor \"" + shown(key) + "\"", value), p.begin, p.end);
    p.tensor.name = key;
    if (p.end > data.size()) {
      fail("tensor \"" + shown(key) + "\" ends at byte " + std::to_string(p.end) +
           " of the data, beyond the end of the file" + kDamaged);
    }
    p.tensor.data = data.subspan(p.begin, p.end - p.begin);
    places.push_back(std::move(p));
  }
  std::ranges::sort(places, [](const Place& a, const Place& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;  // an empty one before what begins where it stands
  });
  uint64_t at = 0;
  for (Place& p : places) {
    if (p.begin != at) {
      fail("tensor \"" + shown(p.tensor.name) + "\" begins at byte " + std::to_string(p.begin) + " of the data, " +
           (p.begin < at ? "inside another tensor" : "behind a gap") + kDamaged);
    }
    at = p.end;
    by_name_.emplace(p.tensor.name, tensors_.size());
    tensors_.push_back(std::move(p.tensor));
  }
  if (at != data.size()) {
    fail("the data goes on for " + std::to_string(data.size() - at) + " bytes behind the last tensor" + kDamaged);
  }
}

void Safetensors::fail(const std::string& what) const { throw UserError(name_ + ": " + what); }

const SafetensorsTensor* Safetensors::find(std::string_view tensor) const {
  const auto found = by_name_.find(tensor);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

DType Safetensors::dtype(const SafetensorsTensor& tensor) const {
  if (tensor.type == "F32") return dt::f32;
  if (tensor.type == "F16") return dt::f16;
  if (tensor.type == "BF16") return dt::bf16;
  fail("tensor \"" + shown(tensor.name) + "\" is " + tensor.type +
       ": this version reads F32, F16 and BF16; convert the model to one of them");
}

std::map<std::string, std::string> parse_shard_index(const std::string& name, std::string_view text) {
  const Json json = parse_json(name, text);
  const JsonObject map = JsonObject(name, json).object("weight_map");
  std::map<std::string, std::string> out;
  for (const auto& [tensor, file] : map.json().items()) {
    if (!file.is_string()) map.fail("\"" + shown(tensor) + "\" is in no file" + kDamaged);
    const auto& path = file.get_ref<const std::string&>();
    if (path.empty() || path.find('/') != path.npos || path == "." || path == ".." || path.find('\0') != path.npos)
      map.fail("\"" + shown(path) + "\" is no file beside the index; put all parts into one folder");
    out.emplace(tensor, path);
  }
  return out;
}

}  // namespace pg
