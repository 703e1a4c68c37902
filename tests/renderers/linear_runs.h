#pragma once
// Runs of Linear programs on the CPU and in the interpreter.
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "renderers/render.h"
#include "runtime/cpu_device.h"
#include "runtime/process.h"
#include "tests/uops/linear_builder.h"
#include "uops/half.h"
#include "uops/interpret.h"

namespace pg {

using test::LinearBuilder;

/// The bytes of each Param.
using Buffers = std::vector<std::vector<unsigned char>>;

inline double random_number(std::mt19937& random, DType t) {
  const int spread = t.is_bool() ? 1 : 100;
  const bool negative = t.is_float() || (t.is_int() && !t.is_unsigned());
  const double x = std::uniform_int_distribution<int>(negative ? -spread : 0, spread)(random);
  return t.is_float() ? x / 8 : x;
}
inline void put(std::vector<unsigned char>& to, size_t i, DType t, double x) {
  const auto write = [&](auto v) { std::memcpy(to.data() + i * sizeof v, &v, sizeof v); };
  switch (t.scalar) {
    case Scalar::Float32: return write(static_cast<float>(x));
    case Scalar::Float16: return write(to_f16(static_cast<float>(x)));
    case Scalar::BFloat16: return write(to_bf16(static_cast<float>(x)));
    default: break;
  }
  const int64_t v = static_cast<int64_t>(x);
  std::memcpy(to.data() + i * t.element_bytes(), &v, t.element_bytes());  // little-endian
}
inline Buffers random_buffers(const UOp& linear, unsigned seed) {
  std::mt19937 random(seed);
  Buffers all;
  for (const UOp& p : launch_info(linear).params) {
    const DType t = p.dtype().element();
    const auto n = static_cast<size_t>(*const_int(p.src(0)));
    auto& b = all.emplace_back(n * t.element_bytes());
    for (size_t i = 0; i < n; ++i) put(b, i, t, random_number(random, t));
  }
  return all;
}

inline void run_reference(const UOp& linear, Buffers& buffers, std::vector<int64_t> variables = {}) {
  const LaunchInfo launch = launch_info(linear);
  std::vector<HostBuffer> host;
  for (size_t i = 0; i < buffers.size(); ++i) host.push_back({buffers[i].data(), *const_int(launch.params[i].src(0))});
  interpret(linear, host, variables);
}

inline void run_program(Program& program, const UOp& linear, Buffers& buffers, std::vector<int64_t> variables = {}) {
  const LaunchInfo launch = launch_info(linear);
  std::vector<void*> pointers;
  for (auto& b : buffers) pointers.push_back(b.data());
  program.launch(pointers, variables, evaluate(launch.items, launch.variables, variables));
}

/// Equal bits, but for NaNs, which are all alike. Where the buffers of the Params first differ, in words; empty: nowhere.
inline std::string difference(const UOp& linear, const Buffers& expected, const Buffers& got) {
  const LaunchInfo launch = launch_info(linear);
  for (size_t b = 0; b < got.size(); ++b) {
    const DType t = launch.params[b].dtype().element();
    const size_t size = t.element_bytes();
    for (size_t i = 0; i * size < got[b].size(); ++i) {
      uint64_t x = 0, y = 0;
      std::memcpy(&x, expected[b].data() + i * size, size);
      std::memcpy(&y, got[b].data() + i * size, size);
      const auto is_nan = [&](uint64_t bits) {
        const uint64_t infinity = t == dt::f32   ? 0x7f800000
                                  : t == dt::f16 ? 0x7c00
                                                 : 0x7f80,
                       sign = uint64_t{1} << (8 * size - 1);
        return t.is_float() && (bits & ~sign) > infinity;
      };
      if (x == y || (is_nan(x) && is_nan(y))) continue;
      return launch.params[b].arg_as<ParamArg>().name + "[" + std::to_string(i) + "]: bits " + std::to_string(y) +
             " instead of " + std::to_string(x);
    }
  }
  return "";
}

/// The first feature of this level that the processor lacks; "" when its code runs here.
inline std::string missing_feature(const std::string& isa) {
  const CpuInfo cpu = cpu_info();
  std::vector<const char*> asked;
  if (isa == "x86-64-v3" || isa == "x86-64-v4") asked = {"avx2", "fma", "f16c"};
  if (isa == "x86-64-v4") asked.insert(asked.end(), {"avx512f", "avx512bw", "avx512dq", "avx512vl"});
  for (const char* feature : asked)
    if (!cpu.has(feature)) return feature;
  return "";
}

/// A CPU device of its own, with a fresh artifact cache.
struct TestCpu {
  TemporaryDirectory directory;
  Config config;
  std::unique_ptr<CpuDevice> device;
  explicit TestCpu(const std::string& isa = "native", int threads = 1, const std::string& compiler = "auto") {
    config.isa = isa;
    config.compiler = compiler;
    config.threads = threads;
    config.cache_dir = directory.path() + "/artifacts";
    device = std::make_unique<CpuDevice>(config);
  }
  std::shared_ptr<Program> load(const UOp& linear) {
    const Source s = device->render(linear);
    return device->load(device->compile(s), s.launch);
  }
};

}  // namespace pg
