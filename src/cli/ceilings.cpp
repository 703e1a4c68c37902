#include "src/cli/ceilings.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "runtime/clang.h"
#include "uops/error.h"

namespace pg {

namespace {

// Latency times throughput of a multiply-add is 8 to 10; the AVX2 register file holds no more beside the two operands.
constexpr int kAccumulators = 12;
constexpr long kIterations = 20'000;  // some 50 µs
constexpr int kStreams = 8;           // independent sums of a pass over memory

std::string repeated(int times, const std::string& line) {
  std::string all;
  for (int i = 0; i < times; ++i) {
    std::string one = line;
    for (size_t at; (at = one.find('#')) != one.npos;) one.replace(at, 1, std::to_string(i));
    all += one;
  }
  return all;
}

/// The sums are stored, and no float sum may be reordered: nothing can be optimised away.
std::string source(int vector_bytes) {
  return "typedef float v __attribute__((vector_size(" + std::to_string(vector_bytes) +
         ")));\n"
         "void peak(long n, float *sink) {\n"
         "#pragma clang fp contract(fast)\n"
         "  v x = (v){} + sink[0], y = (v){} + sink[1];\n" +
         repeated(kAccumulators, "  v a# = y * #.0f;\n") + "  for (long i = 0; i < n; ++i) {\n" +
         repeated(kAccumulators, "    a# = a# * x + y;\n") + "  }\n  v s = y;\n" + repeated(kAccumulators, "  s += a#;\n") +
         "  for (unsigned i = 0; i < sizeof(v) / sizeof(float); ++i) sink[2] += s[i];\n}\n"
         "void pass(const v *p, long n, float *sink) {\n" +
         repeated(kStreams, "  v a# = {};\n") + "  for (long i = 0; i < n; i += " + std::to_string(kStreams) + ") {\n" +
         repeated(kStreams, "    a# += p[i + #];\n") + "  }\n  v s = {};\n" + repeated(kStreams, "  s += a#;\n") +
         "  for (unsigned i = 0; i < sizeof(v) / sizeof(float); ++i) sink[2] += s[i];\n}\n";
}

const Clang& compiler_of(const CpuDevice& device) {
  if (const FoundClang& found = device.compiler(); found.clang) return *found.clang;
  throw UserError(device.compiler().missing);
}

/// x, y: the accumulators converge to y / (1 - x), far from subnormal numbers. The third takes the result.
struct Sink {
  alignas(64) float x[16] = {0.5f, 1.0f, 0.0f};
};

}  // namespace

Ceilings::Ceilings(CpuDevice& device, Buffers working_set)
    : device_(device),
      threads_(device.target().cores),
      lanes_(device.target().lanes_f32()),
      code_(compile_shared_object(compiler_of(device), device.target().isa, source(device.target().vector_bytes))),
      pool_(threads_),
      working_set_(std::move(working_set)) {}

double Ceilings::peak_flops() const { return 2.0 * kAccumulators * lanes_ * static_cast<double>(kIterations) * threads_; }

void Ceilings::peak() {
  auto* const run = reinterpret_cast<void (*)(long, float*)>(code_.symbol("peak"));
  const auto part = [&](int64_t, int64_t) {
    Sink sink;
    run(kIterations, sink.x);
  };
  threads_ == 1 ? part(0, 1) : pool_.run(threads_, part);
}

/// Whole rounds of the loop: what is left at the end of a buffer is left out.
int64_t Ceilings::vectors_of_a_thread(std::span<const std::byte> buffer) const {
  const size_t round = sizeof(float) * static_cast<size_t>(lanes_ * kStreams * threads_);
  return static_cast<int64_t>(buffer.size() / round) * kStreams;
}
double Ceilings::read_bytes() const {
  double bytes = 0;
  for (const auto& b : working_set_)
    bytes += static_cast<double>(vectors_of_a_thread(b)) * lanes_ * threads_ * sizeof(float);
  return bytes;
}
void Ceilings::read(std::span<const std::byte> buffer) {
  auto* const run = reinterpret_cast<void (*)(const void*, long, float*)>(code_.symbol("pass"));
  const int64_t vectors = vectors_of_a_thread(buffer);
  const auto part = [&](int64_t begin, int64_t) {
    Sink sink;
    run(reinterpret_cast<const float*>(buffer.data()) + begin * vectors * lanes_, vectors, sink.x);
  };
  threads_ == 1 ? part(0, 1) : pool_.run(threads_, part);
}
void Ceilings::read() {
  for (const auto& b : working_set_) read(b);
}
void Ceilings::sweep() {
  constexpr size_t kLeastSwept = size_t{64} << 20;
  if (!swept_) {
    const auto wanted = static_cast<size_t>(device_.target().l3_bytes) * 3 / 2;
    swept_ = std::make_unique<Memory>(device_, std::max(kLeastSwept, wanted));
    std::memset(swept_->data(), 0, swept_->bytes());
  }
  read({static_cast<const std::byte*>(swept_->data()), swept_->bytes()});
}

}  // namespace pg
