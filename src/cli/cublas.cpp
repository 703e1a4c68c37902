#include "src/cli/cublas.h"

#include <algorithm>

#include "runtime/cuda_timer.h"
#include "src/cli/cublas_arguments.h"
#include "src/cli/cublas_library.h"
#include "uops/error.h"

namespace pg {

namespace {

using blas::check;
constexpr size_t kWorkspace = 64 << 20;  // more than cuBLAS takes on its own (32 MB on Hopper)
constexpr int kCandidates = 32;          // of cublasLt, at most
constexpr int kTimed = 5;                // runs of each
constexpr float kOne = 1, kZero = 0;

std::string version_text(int v) {
  return std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}
int narrow(int64_t n) {
  if (n > INT32_MAX) throw UserError("bench: cuBLAS takes extents up to 2^31 - 1");
  return static_cast<int>(n);
}

/// What the peers of one kernel share.
struct Operation {
  CudaDevice& device;
  const blas::Library& library;
  const BenchKernel& kernel;
  std::vector<OperandSet> sets;
  Memory workspace;
  std::string version;

  Operation(CudaDevice& d, const blas::Library& l, const BenchKernel& k, std::vector<OperandSet> s)
      : device(d), library(l), kernel(k), sets(std::move(s)), workspace(d, kWorkspace) {}
  bool is_gemm() const { return kernel.kind == "gemm"; }
  GemmProblem problem() const {
    const auto& d = kernel.dims;
    return is_gemm() ? GemmProblem{d[0], d[1], d[2], d[3] != 0, d[4] != 0} : GemmProblem{1, d[0], d[1], false, d[2] != 0};
  }
  const float* input(size_t set, size_t i) const {
    return static_cast<const float*>(sets.at(set).buffers.at(kernel.inputs.at(i)));
  }
  float* result(size_t set) const { return static_cast<float*>(sets.at(set).theirs); }
  cu::Stream stream() const { return device.gpu()->life()->stream.get(); }  // its context is current then
};
using Shared = std::shared_ptr<Operation>;

class CublasPeer final : public KernelPeer {
 public:
  explicit CublasPeer(Shared o) : o_(std::move(o)) {
    name = "cublas";
    const cu::Stream stream = o_->stream();
    check(o_->library.create(&handle_), "creating a handle");
    check(o_->library.set_stream(handle_, stream), "setting the stream");
    check(o_->library.set_workspace(handle_, o_->workspace.data(), o_->workspace.bytes()), "setting the workspace");
    check(o_->library.set_math_mode(handle_, blas::kDefaultMath), "setting the math mode");
    int v = 0;
    check(o_->library.get_version(handle_, &v), "asking for the version");
    o_->version = version_text(v);
    version = "cuBLAS " + o_->version + ", fp32 without TF32";
  }
  ~CublasPeer() override { o_->library.destroy(handle_); }
  void run(size_t set) override {
    o_->stream();
    if (o_->is_gemm()) {
      const ColumnGemm g = column_gemm(o_->problem());
      check(o_->library.sgemm(handle_, static_cast<int>(g.first_op), static_cast<int>(g.second_op), narrow(g.m), narrow(g.n),
                              narrow(g.k), &kOne, o_->input(set, 1), narrow(g.first_ld), o_->input(set, 0),
                              narrow(g.second_ld), &kZero, o_->result(set), narrow(g.result_ld)),
            "sgemm");
    } else {
      const auto& d = o_->kernel.dims;
      const ColumnGemv g = column_gemv(d[0], d[1], d[2] != 0);
      check(o_->library.sgemv(handle_, static_cast<int>(g.op), narrow(g.rows), narrow(g.columns), &kOne, o_->input(set, 0),
                              narrow(g.ld), o_->input(set, 1), 1, &kZero, o_->result(set), 1),
            "sgemv");
    }
  }

 private:
  Shared o_;
  blas::Handle handle_ = nullptr;
};

class CublasLtPeer final : public KernelPeer {
 public:
  explicit CublasLtPeer(Shared o) : o_(std::move(o)) {
    name = "cublaslt";
    o_->stream();
    const blas::Library& l = o_->library;
    const ColumnGemm g = column_gemm(o_->problem());
    check(l.lt_create(&handle_), "creating a handle of cublasLt");
    check(l.lt_matmul_create(&matmul_, blas::kCompute32, blas::kFloat32), "describing a product");
    const int first_op = static_cast<int>(g.first_op), second_op = static_cast<int>(g.second_op);
    check(l.lt_matmul_set(matmul_, blas::kMatmulOpA, &first_op, sizeof first_op), "describing a product");
    check(l.lt_matmul_set(matmul_, blas::kMatmulOpB, &second_op, sizeof second_op), "describing a product");
    const auto layout = [&](blas::LtLayout& to, int64_t rows, int64_t columns, int64_t ld) {
      check(l.lt_layout_create(&to, blas::kFloat32, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), ld),
            "describing a matrix");
    };
    layout(first_, g.first_rows(), g.first_columns(), g.first_ld);
    layout(second_, g.second_rows(), g.second_columns(), g.second_ld);
    layout(result_, g.m, g.n, g.result_ld);
    choose();
  }
  ~CublasLtPeer() override {
    for (const blas::LtLayout layout : {first_, second_, result_})
      if (layout) o_->library.lt_layout_destroy(layout);
    if (matmul_) o_->library.lt_matmul_destroy(matmul_);
    if (handle_) o_->library.lt_destroy(handle_);
  }
  CublasLtPeer(const CublasLtPeer&) = delete;
  CublasLtPeer& operator=(const CublasLtPeer&) = delete;
  bool ready() const { return ready_; }
  void run(size_t set) override { check(enqueue(best_, set), "matmul of cublasLt"); }

 private:
  blas::Status enqueue(const blas::LtCandidate& c, size_t set) const {
    const cu::Stream stream = o_->stream();
    float* const to = o_->result(set);
    return o_->library.lt_matmul(handle_, matmul_, &kOne, o_->input(set, 1), first_, o_->input(set, 0), second_, &kZero, to,
                                 result_, to, result_, &c.algorithm, o_->workspace.data(), o_->workspace.bytes(), stream);
  }
  /// The first one is what its authors would take; the best of all is what it can do.
  void choose() {
    const blas::Library& l = o_->library;
    blas::LtPreference preference = nullptr;
    check(l.lt_preference_create(&preference), "describing a preference");
    const uint64_t bytes = o_->workspace.bytes();
    std::vector<blas::LtCandidate> all(kCandidates);
    int found = 0;
    blas::Status s = l.lt_preference_set(preference, blas::kPreferenceWorkspace, &bytes, sizeof bytes);
    if (s == 0)
      s = l.lt_heuristic(handle_, matmul_, first_, second_, result_, result_, preference, kCandidates, all.data(), &found);
    l.lt_preference_destroy(preference);
    if (s != 0) return;  // it has none for this problem
    CudaTimer timer(o_->device);
    double least = 0;
    int which = 0;
    for (int i = 0; i < found; ++i) {
      const auto& c = all[static_cast<size_t>(i)];
      if (c.state != 0 || enqueue(c, 0) != 0) continue;
      const auto ms = timer.each_ms(kTimed, [&](size_t n) { enqueue(c, n % o_->sets.size()); });
      const double fastest = *std::min_element(ms.begin(), ms.end());
      if (ready_ && fastest >= least) continue;
      ready_ = true, best_ = c, least = fastest, which = i;
    }
    version = "cublasLt " + o_->version + ", fp32 without TF32, candidate " + std::to_string(which + 1) + " of " +
              std::to_string(found);
  }

  Shared o_;
  blas::LtHandle handle_ = nullptr;
  blas::LtMatmul matmul_ = nullptr;
  blas::LtLayout first_ = nullptr, second_ = nullptr, result_ = nullptr;
  blas::LtCandidate best_{};
  bool ready_ = false;
};

}  // namespace

std::vector<std::unique_ptr<KernelPeer>> cublas_peers(CudaDevice& device, const BenchKernel& k,
                                                      const std::vector<OperandSet>& sets, std::string& why) {
  std::vector<std::unique_ptr<KernelPeer>> all;
  if (k.kind != "gemm" && k.kind != "gemv") {
    why = "it has no " + k.kind;
    return all;
  }
  device.gpu()->life();  // cuBLAS works in the context that is current
  const blas::Library* library = blas::library(device.facts().driver_version, why);
  if (!library) return all;
  const auto operation = std::make_shared<Operation>(device, *library, k, sets);
  all.push_back(std::make_unique<CublasPeer>(operation));
  auto lt = std::make_unique<CublasLtPeer>(operation);
  if (lt->ready()) all.push_back(std::move(lt));
  return all;
}

}  // namespace pg
