#pragma once
// Random numbers as expressions: number i of a key is a function of the key and of i alone, so it is the same on every
// device, needs no memory, and is computed by the kernel that uses it (about 110 integer steps). The generator is
// Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
#include "src/tensor/tensor.h"

namespace pg {

/// A key, [2] of u32, in memory of the device: kernels do not depend on it, and an assign() to it gives a captured Graph
/// other numbers.
Tensor random_key(uint64_t seed, Device& = default_device());
/// The key number `data` under this one, as unrelated to it as any other: a key of u32 [2] for each step, layer or device.
Tensor fold_in(const Tensor& key, const Tensor& data);
Tensor fold_in(const Tensor& key, uint32_t data);

/// The two words, u32, that the cipher makes of counter words (any shapes that broadcast) under a key.
std::pair<Tensor, Tensor> threefry(const Tensor& key, const Tensor& low, const Tensor& high);

// Element i (row-major) of each depends on key and i only. UserError: the key is not [2] of u32. Shapes may hold Variables.
Tensor random_bits(Shape shape, const Tensor& key);     // u32
Tensor random_uniform(Shape shape, const Tensor& key);  // f32, multiples of 2⁻²⁴ in [0, 1)
Tensor random_normal(Shape shape, const Tensor& key);   // f32, Box-Muller; |x| < 5.8
/// Whole numbers in [low, high), i32. Each as likely as any other to within 2⁻³².
Tensor random_int(Shape shape, int64_t low, int64_t high, const Tensor& key);
/// true with probability p, bool of p's shape.
Tensor bernoulli(const Tensor& p, const Tensor& key);
Tensor bernoulli(Shape shape, double p, const Tensor& key);
/// Zero with probability p, else x / (1 - p); p in [0, 1). The gradient's kernels compute the choice again.
Tensor dropout(const Tensor& x, double p, const Tensor& key);

}  // namespace pg
