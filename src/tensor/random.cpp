#include "src/tensor/random.h"

#include <array>
#include <cmath>
#include <numbers>

#include "src/tensor/buffers.h"
#include "src/tensor/shape.h"
#include "uops/simplify.h"

namespace pg {

namespace {

Tensor word(double value) { return Tensor::full({}, value, dt::u32); }
Tensor rotated(const Tensor& x, int bits) { return (x << bits) | (x >> (32 - bits)); }

Tensor key_word(const char* op, const Tensor& key, int i) {
  if (key.dtype() != dt::u32 || key.rank() != 1 || key.shape()[0].number() != 2)
    throw UserError(std::string(op) + ": the key is " + text(key.dtype()) + " " + text(key.shape()) +
                    ", not u32 [2]; make one with random_key()");
  return key.slice(0, i, i + 1).squeeze(0);
}

/// Both words for the elements of a shape: the counter is the element's number.
std::pair<Tensor, Tensor> words(const char* op, const Shape& shape, const Tensor& key) {
  key_word(op, key, 0);
  const Dim n = element_count(shape);
  constexpr int64_t kWord = int64_t{1} << 32;
  if (bounds(n.uop()).hi <= kWord) return threefry(key, Tensor::arange(n, dt::u32).reshape(shape), word(0));
  const Tensor i = Tensor::arange(n, dt::i64).reshape(shape);
  return threefry(key, i.cast(dt::u32), (i >> 32).cast(dt::u32));
}

/// [0, 1) with the 24 bits that a float holds.
Tensor fraction(const Tensor& bits) { return (bits >> 8).cast(dt::f32) * 0x1p-24; }

void check_probability(const char* op, double p, bool may_be_one) {
  if (!(p >= 0 && p <= 1) || (p == 1 && !may_be_one))
    throw UserError(std::string(op) + ": the probability " + std::to_string(p) + " is not in [0, 1" +
                    (may_be_one ? "]" : ")"));
}

}  // namespace

Tensor random_key(uint64_t seed, Device& device) {
  const std::array<uint32_t, 2> words{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  Tensor key = Tensor::empty({2}, dt::u32, device);
  device.copy_in(memory_of(key.uop())->data(), words.data(), sizeof words);
  return key;
}

Tensor fold_in(const Tensor& key, const Tensor& data) {
  key_word("fold_in", key, 0);
  if (!data.dtype().is_int() || data.rank() != 0)
    throw UserError("fold_in: the data is " + text(data.dtype()) + " " + text(data.shape()) + ", not one integer");
  const auto [a, b] = threefry(key, data.cast(dt::u32), word(1));
  return Tensor::stack({a, b});
}
Tensor fold_in(const Tensor& key, uint32_t data) { return fold_in(key, word(data)); }

/// Rounds and constants as in the paper and in its library, Random123.
std::pair<Tensor, Tensor> threefry(const Tensor& key, const Tensor& low, const Tensor& high) {
  constexpr int kRotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  constexpr double kParity = 0x1BD11BDA;
  for (const Tensor& counter : {low, high})
    if (counter.dtype() != dt::u32) throw UserError("threefry: a counter is " + text(counter.dtype()) + ", not u32");
  const Tensor k0 = key_word("threefry", key, 0), k1 = key_word("threefry", key, 1);
  const std::array<Tensor, 3> keys{k0, k1, k0 ^ k1 ^ word(kParity)};
  Tensor a = low + keys[0], b = high + keys[1];
  for (int group = 0; group < 5; ++group) {
    for (const int bits : kRotations[group % 2]) {
      a = a + b;
      b = rotated(b, bits) ^ a;
    }
    a = a + keys[static_cast<size_t>((group + 1) % 3)];
    b = b + keys[static_cast<size_t>((group + 2) % 3)] + word(group + 1);
  }
  return {a, b};
}

Tensor random_bits(Shape shape, const Tensor& key) { return words("random_bits", shape, key).first; }
Tensor random_uniform(Shape shape, const Tensor& key) { return fraction(words("random_uniform", shape, key).first); }

/// The two words of an element make the two uniform numbers of its one normal number.
Tensor random_normal(Shape shape, const Tensor& key) {
  const auto [a, b] = words("random_normal", shape, key);
  const Tensor radius = ((1 - fraction(a)).log() * -2).sqrt();  // 1 - u is never 0
  return radius * (fraction(b) * (2 * std::numbers::pi)).cos();
}

Tensor random_int(Shape shape, int64_t low, int64_t high, const Tensor& key) {
  constexpr int64_t kLeast = -(int64_t{1} << 31), kMost = int64_t{1} << 31;
  if (low >= high || low < kLeast || high > kMost)
    throw UserError("random_int: [" + std::to_string(low) + ", " + std::to_string(high) + ") is not a range of i32");
  const Tensor bits = words("random_int", shape, key).first.cast(dt::u64);
  const Tensor place = (bits * static_cast<double>(high - low)) >> 32;  // the product is below 2⁶⁴
  return (place.cast(dt::i64) + static_cast<double>(low)).cast(dt::i32);
}

Tensor bernoulli(const Tensor& p, const Tensor& key) {
  if (!p.dtype().is_float()) throw UserError("bernoulli: the probabilities are " + text(p.dtype()) + ", not floats");
  return random_uniform(p.shape(), key) < p.cast(dt::f32);
}
Tensor bernoulli(Shape shape, double p, const Tensor& key) {
  check_probability("bernoulli", p, true);
  return random_uniform(std::move(shape), key) < p;
}

Tensor dropout(const Tensor& x, double p, const Tensor& key) {
  check_probability("dropout", p, false);
  if (!x.dtype().is_float()) throw UserError("dropout: the tensor is " + text(x.dtype()) + ", not of floats");
  const Tensor keep = bernoulli(x.shape(), 1 - p, key);
  return Tensor::where(keep, x * (1 / (1 - p)), Tensor::full({}, 0, x.dtype()));
}

}  // namespace pg
