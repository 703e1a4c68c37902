#include "src/cli/ceilings.h"

#include <algorithm>
#include <cstdlib>
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
constexpr size_t kLeastBytes = size_t{4} << 10, kMostBytes = size_t{2} << 30;

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

const ClangCompiler& compiler_of(const CpuDevice& device) {
  if (const ClangCompiler* c = device.compiler()) return *c;
  throw UserError(missing_clang(""));
}

/// x, y: the accumulators converge to y / (1 - x), far from subnormal numbers. The third takes the result.
struct Sink {
  alignas(64) float x[16] = {0.5f, 1.0f, 0.0f};
};

}  // namespace

Ceilings::Ceilings(const CpuDevice& device, double working_set)
    : threads_(device.target().cores),
      lanes_(device.target().lanes_f32()),
      sweep_bytes_(device.target().l3_bytes * 3 / 2),
      code_(compile_shared_object(compiler_of(device), device.target().isa, source(device.target().vector_bytes))),
      pool_(threads_),
      buffer_(buffer_of(working_set)) {}

double Ceilings::peak_flops() const { return 2.0 * kAccumulators * lanes_ * static_cast<double>(kIterations) * threads_; }

void Ceilings::peak() {
  auto* const run = reinterpret_cast<void (*)(long, float*)>(code_.symbol("peak"));
  const auto part = [&](int64_t, int64_t) {
    Sink sink;
    run(kIterations, sink.x);
  };
  threads_ == 1 ? part(0, 1) : pool_.run(threads_, part);
}

/// Whole vectors of every stream of every thread; written once by the thread that reads it.
Ceilings::Buffer Ceilings::buffer_of(double bytes) const {
  const size_t step = sizeof(float) * static_cast<size_t>(lanes_ * kStreams * threads_);
  const size_t wanted = std::clamp(static_cast<size_t>(bytes), kLeastBytes, kMostBytes);
  Buffer b;
  b.bytes = (wanted + step - 1) / step * step;
  b.data = {static_cast<float*>(std::aligned_alloc(4096, (b.bytes + 4095) / 4096 * 4096)), &std::free};
  if (!b.data) throw UserError("bench: no memory for " + std::to_string(b.bytes) + " bytes to read");
  std::memset(b.data.get(), 0, b.bytes);
  return b;
}

void Ceilings::read(const Buffer& b) {
  auto* const run = reinterpret_cast<void (*)(const void*, long, float*)>(code_.symbol("pass"));
  const size_t floats = b.bytes / sizeof(float) / static_cast<size_t>(threads_);
  const auto part = [&](int64_t begin, int64_t) {
    Sink sink;
    run(b.data.get() + static_cast<size_t>(begin) * floats, static_cast<long>(floats) / lanes_, sink.x);
  };
  threads_ == 1 ? part(0, 1) : pool_.run(threads_, part);
}
void Ceilings::read() { read(buffer_); }
void Ceilings::sweep() {
  if (!swept_.data) swept_ = buffer_of(static_cast<double>(sweep_bytes_));
  read(swept_);
}

}  // namespace pg
