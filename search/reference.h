#pragma once
// What a kernel's outputs must be: sampled elements from the interpreter in double precision, and how far a candidate may be
// off.
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "search/run_buffers.h"
#include "search/tune.h"
#include "uops/uop.h"

namespace pg {

/// The buffer arguments of a kernel, or of a Together, for these Variable values. Integer buffers that index another one
/// hold ids below its extent; the output is InOut when the kernel also reads it or does not cover it.
std::vector<BufferSpec> buffer_specs(const UOp& launch, const Bindings64&);

class Reference {
 public:
  /// `inputs` by slot (initial contents; empty spans for an Output). Corners, tails and random elements: `samples` of them.
  Reference(const UOp& kernel, const Bindings64&, const std::vector<BufferSpec>&,
            const std::vector<std::span<const std::byte>>& inputs, uint64_t seed, int samples = 256);
  /// "" or what is wrong: "element 1023 is 0.5, expected 0.25 (off by 3e-1, allowed 2e-5)".
  std::string check_samples(std::span<const std::byte> output) const;
  /// The whole output against another, verified one.
  std::string check_whole(std::span<const std::byte> output, std::span<const std::byte> verified) const;
  /// How far the sampled elements are off at most, and in proportion to their size (or to 1, if that is more).
  struct Error {
    double absolute = 0, relative = 0;  // infinite where one is no number
  };
  Error error(std::span<const std::byte> output) const;

 private:
  /// What an element may be off: so much in proportion to its size (or to 1, if that is more), and so much in any case.
  struct Tolerance {
    double relative = 0, absolute = 0;
  };
  /// `noise`: 1 where what is wanted is exact, √2 where it is rounded like what was got.
  Tolerance tolerance(double noise) const;
  std::string compare(int64_t element, double got, double want, const Tolerance&) const;
  double read(std::span<const std::byte> buffer, int64_t element) const;

  BufferSpec output_;
  double terms_ = 1;                                  // length of the longest chain of reductions
  std::vector<std::pair<int64_t, double>> expected_;  // flat element → value
};

}  // namespace pg
