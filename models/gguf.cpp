#include "models/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "models/mapped_file.h"
#include "models/utf8.h"
#include "uops/error.h"

namespace pg {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF files are little-endian");

constexpr uint64_t kDefaultAlignment = 32;
constexpr uint32_t kMaxDims = 4;
enum ValueType : uint32_t { U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64, kValueTypes };
/// Bytes of one value in the file; of a string: its length field.
constexpr uint64_t kValueBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

/// ggml's tensor types, by number: elements per block and bytes per block.
struct TensorType {
  const char* name;
  uint64_t elements, bytes;
};
constexpr TensorType kTensorTypes[] = {
    {"F32", 1, 4},      {"F16", 1, 2},        {"Q4_0", 32, 18},    {"Q4_1", 32, 20},     {nullptr, 0, 0},
    {nullptr, 0, 0},    {"Q5_0", 32, 22},     {"Q5_1", 32, 24},    {"Q8_0", 32, 34},     {"Q8_1", 32, 36},
    {"Q2_K", 256, 84},  {"Q3_K", 256, 110},   {"Q4_K", 256, 144},  {"Q5_K", 256, 176},   {"Q6_K", 256, 210},
    {"Q8_K", 256, 292}, {"IQ2_XXS", 256, 66}, {"IQ2_XS", 256, 74}, {"IQ3_XXS", 256, 98}, {"IQ1_S", 256, 50},
    {"IQ4_NL", 32, 18}, {"IQ3_S", 256, 110},  {"IQ2_S", 256, 82},  {"IQ4_XS", 256, 136}, {"I8", 1, 1},
    {"I16", 1, 2},      {"I32", 1, 4},        {"I64", 1, 8},       {"F64", 1, 8},        {"IQ1_M", 256, 56},
    {"BF16", 1, 2},
};
const TensorType* tensor_type(uint32_t number) {
  if (number >= std::size(kTensorTypes) || !kTensorTypes[number].name) return nullptr;
  return &kTensorTypes[number];
}

}  // namespace

/// Walks the bytes once, from front to back.
class GgufParser {
 public:
  GgufParser(Gguf& out, std::span<const std::byte> bytes) : out_(out), bytes_(bytes) {}

  void run() {
    constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
    if (scalar<uint32_t>("the magic number") != kMagic) fail(0, "this is not a GGUF file (it does not begin with \"GGUF\")");
    auto version = scalar<uint32_t>("the version");
    if (version != 2 && version != 3) {
      fail(4, "GGUF version " + std::to_string(version) + "; this program reads versions 2 and 3",
           "convert the model to GGUF version 3");
    }
    uint64_t tensors = count("the number of tensors", 8 + 4 + 4 + 8),
             values = count("the number of metadata values", 8 + 4 + 1);
    for (uint64_t i = 0; i < values; i++) read_pair();
    alignment_ = static_cast<uint64_t>(out_.integer("general.alignment", kDefaultAlignment));
    if (!std::has_single_bit(alignment_) || alignment_ < 8 || alignment_ > (1 << 20)) {
      fail(at_, "general.alignment is " + std::to_string(alignment_) + ", not a power of two from 8 to 1048576");
    }
    std::vector<Placement> places;
    places.reserve(tensors);
    for (uint64_t i = 0; i < tensors; i++) places.push_back(read_tensor_info());
    place(places);
  }

 private:
  struct Placement {
    uint64_t info_at, offset, bytes;  // where the tensor is described; its data, relative to the data section
    size_t tensor;
  };

  [[noreturn]] void fail(uint64_t at, const std::string& what,
                         const char* remedy = "the file is damaged or incomplete: download or export it again") const {
    throw UserError(out_.name_ + ": at byte " + std::to_string(at) + ": " + what + "; " + remedy);
  }
  uint64_t left() const { return bytes_.size() - at_; }
  void need(uint64_t n, std::string_view what) const {
    if (n > left()) {
      fail(at_, std::string(what) + " needs " + std::to_string(n) + " bytes, but the file ends after " +
                    std::to_string(left()) + " more");
    }
  }
  template <class T>
  T scalar() {
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  template <class T>
  T scalar(std::string_view what) {
    need(sizeof(T), what);
    return scalar<T>();
  }
  /// A count of things that take at least `least` bytes each.
  uint64_t count(const std::string& what, uint64_t least) {
    auto n = scalar<uint64_t>(what);
    if (n > left() / least) fail(at_ - 8, what + " is " + std::to_string(n) + ", more than the file can hold");
    return n;
  }
  std::string_view string(std::string_view what) {
    auto n = scalar<uint64_t>(what);
    need(n, what);
    std::string_view text(reinterpret_cast<const char*>(bytes_.data() + at_), n);
    at_ += n;
    return text;
  }

  void read_pair() {
    uint64_t key_at = at_;
    std::string_view key = string("a metadata key");
    auto type = scalar<uint32_t>("the type of a metadata value");
    if (type >= kValueTypes) fail(at_ - 4, "\"" + shown(key) + "\" has the unknown value type " + std::to_string(type));
    GgufValue value = type == Array ? array(key) : single(type, key);
    if (!out_.values_.emplace(key, std::move(value)).second)
      fail(key_at, "the key \"" + shown(key) + "\" stands there twice");
  }

  int64_t integer(uint32_t type) {
    switch (type) {
      case U8: return scalar<uint8_t>();
      case I8: return scalar<int8_t>();
      case U16: return scalar<uint16_t>();
      case I16: return scalar<int16_t>();
      case U32: return scalar<uint32_t>();
      case I32: return scalar<int32_t>();
      case I64: return scalar<int64_t>();
      default: break;
    }
    auto value = scalar<uint64_t>();
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) fail(at_ - 8, "an integer beyond 2^63");
    return static_cast<int64_t>(value);
  }

  bool boolean() {
    auto value = scalar<uint8_t>();
    if (value > 1) fail(at_ - 1, "a bool that is neither 0 nor 1");
    return value == 1;
  }

  GgufValue single(uint32_t type, std::string_view key) {
    if (type == String) return string("the value of \"" + shown(key) + "\"");
    need(kValueBytes[type], "the value of \"" + shown(key) + "\"");
    if (type == F32) return static_cast<double>(scalar<float>());
    if (type == F64) return scalar<double>();
    if (type == Bool) return boolean();
    return integer(type);
  }

  template <class T, class F>
  std::vector<T> repeat(uint64_t n, F read) {
    std::vector<T> out;
    out.reserve(n);
    for (uint64_t i = 0; i < n; i++) out.push_back(read());
    return out;
  }

  GgufValue array(std::string_view key) {
    std::string what = "the array \"" + shown(key) + "\"";
    auto type = scalar<uint32_t>(what);
    if (type >= kValueTypes || type == Array) {
      fail(at_ - 4,
           what + " has elements of type " + (type == Array ? "array" : std::to_string(type)) + ", which is not supported");
    }
    uint64_t n = count("the length of " + what, kValueBytes[type]);
    if (type == String) return repeat<std::string_view>(n, [&] { return string(what); });
    if (type == F32) return repeat<double>(n, [&] { return static_cast<double>(scalar<float>()); });
    if (type == F64) return repeat<double>(n, [&] { return scalar<double>(); });
    if (type == Bool) return repeat<bool>(n, [&] { return boolean(); });
    return repeat<int64_t>(n, [&] { return integer(type); });
  }

  Placement read_tensor_info() {
    uint64_t start = at_;
    GgufTensor tensor;
    tensor.name = string("a tensor's name");
    std::string what = "tensor \"" + shown(tensor.name) + "\"";
    auto dims = scalar<uint32_t>("a tensor's number of dimensions");
    if (dims == 0 || dims > kMaxDims) fail(at_ - 4, what + " has " + std::to_string(dims) + " dimensions, not 1 to 4");
    need(dims * 8 + 4 + 8, "the description of " + what);
    uint64_t elements = 1;
    constexpr uint64_t kMost = uint64_t{1} << 48;  // keeps every product of extents and block bytes within 64 bits
    for (uint32_t i = 0; i < dims; i++) {
      auto extent = scalar<uint64_t>();
      if (extent == 0 || extent > kMost / elements)
        fail(at_ - 8, what + " has an impossible extent, " + std::to_string(extent));
      elements *= extent;
      tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(extent));
    }
    tensor.type = scalar<uint32_t>();
    const TensorType* type = tensor_type(tensor.type);
    if (!type) {
      fail(at_ - 4, what + " has the unknown type " + std::to_string(tensor.type),
           ("this version reads " + packing_names() + ": convert the model to one of them").c_str());
    }
    if (static_cast<uint64_t>(tensor.shape.back()) % type->elements != 0) {
      fail(start, what + ": " + type->name + " needs rows of a multiple of " + std::to_string(type->elements) + " elements");
    }
    auto offset = scalar<uint64_t>();
    if (offset % alignment_ != 0) {
      fail(at_ - 8,
           "the offset of " + what + ", " + std::to_string(offset) + ", is not aligned to " + std::to_string(alignment_));
    }
    if (!out_.by_name_.emplace(tensor.name, out_.tensors_.size()).second) fail(start, what + " stands there twice");
    out_.tensors_.push_back(std::move(tensor));
    return {start, offset, elements / type->elements * type->bytes, out_.tensors_.size() - 1};
  }

  /// Gives every tensor its bytes; none may reach past the end or into another.
  void place(std::vector<Placement>& places) {
    uint64_t begin = (at_ + alignment_ - 1) / alignment_ * alignment_;
    for (const Placement& p : places) {
      GgufTensor& tensor = out_.tensors_[p.tensor];
      if (begin > bytes_.size() || p.offset > bytes_.size() - begin || p.bytes > bytes_.size() - begin - p.offset) {
        fail(p.info_at, "tensor \"" + shown(tensor.name) + "\" takes " + std::to_string(p.bytes) + " bytes from byte " +
                            std::to_string(p.offset) + " of the data on, beyond the end of the file");
      }
      tensor.data = bytes_.subspan(begin + p.offset, p.bytes);
    }
    std::ranges::sort(places, {}, &Placement::offset);
    for (size_t i = 1; i < places.size(); i++) {
      const Placement &a = places[i - 1], &b = places[i];
      if (a.offset + a.bytes > b.offset) {
        fail(b.info_at, "the tensors \"" + shown(out_.tensors_[a.tensor].name) + "\" and \"" +
                            shown(out_.tensors_[b.tensor].name) + "\" overlap");
      }
    }
  }

  Gguf& out_;
  std::span<const std::byte> bytes_;
  uint64_t at_ = 0, alignment_ = kDefaultAlignment;
};

Gguf Gguf::open(const std::string& path) {
  MappedFile file = map_file(path);
  return Gguf(path, file.bytes, file.keep);
}

Gguf::Gguf(std::string name, std::span<const std::byte> bytes, std::shared_ptr<void> keep)
    : name_(std::move(name)), keep_(std::move(keep)) {
  GgufParser(*this, bytes).run();
}

void Gguf::fail(const std::string& what) const { throw UserError(name_ + ": " + what); }

template <class T>
const T& Gguf::get(std::string_view key, const char* wanted) const {
  auto found = values_.find(key);
  if (found == values_.end()) {
    fail("the key \"" + std::string(key) + "\" is missing; export the model again with a current converter");
  }
  if (const T* value = std::get_if<T>(&found->second)) return *value;
  fail("the key \"" + std::string(key) + "\" does not hold " + wanted + "; export the model again with a current converter");
}

int64_t Gguf::integer(std::string_view key, std::optional<int64_t> fallback) const {
  return fallback && !has(key) ? *fallback : get<int64_t>(key, "an integer");
}
double Gguf::number(std::string_view key, std::optional<double> fallback) const {
  if (fallback && !has(key)) return *fallback;
  auto found = values_.find(key);
  if (found != values_.end() && std::holds_alternative<int64_t>(found->second)) return static_cast<double>(integer(key));
  return get<double>(key, "a number");
}
bool Gguf::flag(std::string_view key, std::optional<bool> fallback) const {
  return fallback && !has(key) ? *fallback : get<bool>(key, "a bool");
}
std::string_view Gguf::string(std::string_view key, std::optional<std::string_view> fallback) const {
  return fallback && !has(key) ? *fallback : get<std::string_view>(key, "a string");
}
const std::vector<std::string_view>& Gguf::strings(std::string_view key) const {
  return get<std::vector<std::string_view>>(key, "an array of strings");
}
const std::vector<double>& Gguf::numbers(std::string_view key) const {
  return get<std::vector<double>>(key, "an array of floats");
}
const std::vector<int64_t>& Gguf::integers(std::string_view key) const {
  return get<std::vector<int64_t>>(key, "an array of integers");
}

const GgufTensor* Gguf::find(std::string_view name) const {
  auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

const GgufTensor& Gguf::tensor(std::string_view name) const {
  const GgufTensor* found = find(name);
  if (!found)
    fail("the tensor \"" + std::string(name) + "\" is missing; the model is incomplete or of another architecture");
  packing(*found);
  return *found;
}

Packing Gguf::packing(const GgufTensor& tensor) const {
  if (const auto known = packing_of(tensor.type)) return *known;
  fail(shown(tensor.name) + " is " + tensor_type(tensor.type)->name + ": this version reads " + packing_names() +
       "; convert the model to one of them");
}

}  // namespace pg
