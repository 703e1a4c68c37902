#pragma once
// Kernels in CUDA C compiled for the host, with cuda_shim.h in place of a GPU; and by NVRTC, to see that it takes them.
#include <doctest/doctest.h>

#include <memory>
#include <optional>

#include "renderers/cuda.h"
#include "runtime/shared_object.h"
#include "tests/renderers/linear_runs.h"
#include "uops/evaluate.h"

namespace pg {

inline const Target kSm80{.isa = "cuda", .gpu = true, .sm = 80};

/// How a block's threads and copies meet: both orders of copies, and threads in order or at random.
struct HostOrder {
  bool late = false;
  unsigned seed = 0;
};
inline constexpr HostOrder kHostOrders[] = {{false, 0}, {true, 0}, {false, 7}, {true, 11}};

class CudaOnHost {
 public:
  /// All programs in one unit. Where there is no compiler, `is_there` is false and the tests that need it say so.
  explicit CudaOnHost(const UOps& linears, const Target& target = kSm80) {
    std::vector<std::string> symbols;
    for (size_t i = 0; i < linears.size(); ++i) symbols.push_back("pg_" + std::to_string(i));
    const CudaText text = cuda_text(linears, symbols, target);
    source_ = "#include \"tests/renderers/cuda_shim.h\"\n" + text.functions + text.kernels +
              "\nstatic const shim::Kernel all[] = {";
    for (size_t i = 0; i < linears.size(); ++i) {
      launches_.push_back(launch_info(linears[i]));
      first_.push_back(kernels_);
      for (size_t p = 0; p < launches_.back().phases.size(); ++p, ++kernels_)
        source_ += "shim::kernel(&" + cuda_kernel(symbols[i], p) + "), ";
    }
    source_ +=
        "};\nextern \"C\" __attribute__((visibility(\"default\"))) const char* run(int k, void* const* buffers, const long "
        "long* "
        "variables, long long blocks, int threads, int late, unsigned seed) {\n"
        "  return shim::launch(all[k], buffers, variables, blocks, threads, late, seed);\n}\n";
    compile();
  }
  bool is_there() const { return code_ != nullptr; }
  const std::string& source() const { return source_; }

  /// What was wrong with a run of program `i`; "" when nothing was.
  std::string run(size_t i, Buffers& buffers, const std::vector<int64_t>& variables = {}, HostOrder order = {}) const {
    const auto f = reinterpret_cast<const char* (*)(int, void* const*, const long long*, long long, int, int, unsigned)>(
        code_->symbol("run"));
    const LaunchInfo& launch = launches_[i];
    Values values;
    for (size_t v = 0; v < launch.variables.size(); ++v) values.emplace_back(launch.variables[v], variables.at(v));
    std::vector<std::unique_ptr<Aligned>> memory;
    std::vector<void*> pointers;
    for (const auto& b : buffers) {
      memory.push_back(std::make_unique<Aligned>(b.size()));
      std::memcpy(memory.back()->data, b.data(), b.size());
    }
    for (const UOp& w : launch.workspaces) {
      int64_t bytes = w.dtype().bytes();
      for (const UOp& extent : w.src()) bytes *= evaluate(extent, values);
      memory.push_back(std::make_unique<Aligned>(static_cast<size_t>(bytes)));
    }
    for (const auto& m : memory) pointers.push_back(m->data);
    const std::vector<long long> arguments(variables.begin(), variables.end());
    std::string fault;
    for (size_t p = 0; p < launch.phases.size() && fault.empty(); ++p)
      if (const char* said = f(static_cast<int>(first_[i] + p), pointers.data(), arguments.data(),
                               evaluate(launch.phases[p], values), static_cast<int>(launch.threads), order.late, order.seed))
        fault = said;
    for (size_t b = 0; b < buffers.size(); ++b) std::memcpy(buffers[b].data(), memory[b]->data, buffers[b].size());
    return fault;
  }

 private:
  /// Poisoned memory that begins as a GPU's does.
  struct Aligned {
    static constexpr size_t kAlignment = 256;
    unsigned char* data;
    explicit Aligned(size_t bytes)
        : data(static_cast<unsigned char*>(std::aligned_alloc(kAlignment, (bytes + kAlignment) / kAlignment * kAlignment))) {
      std::memset(data, 0xff, (bytes + kAlignment) / kAlignment * kAlignment);
    }
    ~Aligned() { std::free(data); }
    Aligned(const Aligned&) = delete;
  };

  void compile() {
    const TemporaryDirectory directory;
    const std::string out = directory.path() + "/kernels.so";
    for (const char* compiler : {"g++", "clang++"}) {
      const auto result =
          run_process({compiler, "-x", "c++", "-std=c++20", "-O1", "-w", "-fPIC", "-shared", "-fvisibility=hidden",
                       "-ffp-contract=off", "-fno-strict-aliasing", "-I", PICOGRAD_SOURCE_DIR, "-o", out, "-"},
                      source_);
      if (!result) continue;
      if (result->status != 0) throw InternalError("the kernels do not compile:\n" + result->err.substr(0, 4000));
      code_ = std::make_unique<SharedObject>(*read_file(out));
      return;
    }
    MESSAGE("skipped: neither g++ nor clang++ is here to compile kernels in CUDA C for the host");
  }

  std::string source_;
  std::vector<LaunchInfo> launches_;
  std::vector<size_t> first_;
  size_t kernels_ = 0;
  std::unique_ptr<SharedObject> code_;
};

}  // namespace pg
