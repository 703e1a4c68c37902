#pragma once
// cuBLAS and cuBLASLt, found at run time and never needed: their functions by prototypes of our own.
#include <memory>
#include <string>

#include "runtime/cuda_driver.h"
#include "runtime/dynamic_library.h"

namespace pg::blas {

// cuBLAS's manual, "Using the cuBLAS API" and "Using the cuBLASLt API"; these numbers are its binary interface.
using Status = int;  // cublasStatus_t; 0: success
using Handle = struct Handle_*;
using LtHandle = struct LtHandle_*;
using LtMatmul = struct LtMatmul_*;                   // cublasLtMatmulDesc_t
using LtLayout = struct LtLayout_*;                   // cublasLtMatrixLayout_t
using LtPreference = struct LtPreference_*;           // cublasLtMatmulPreference_t
inline constexpr int kFloat32 = 0;                    // CUDA_R_32F
inline constexpr int kCompute32 = 68;                 // CUBLAS_COMPUTE_32F: without TF32
inline constexpr int kDefaultMath = 0;                // CUBLAS_DEFAULT_MATH: without TF32
inline constexpr int kMatmulOpA = 3, kMatmulOpB = 4;  // CUBLASLT_MATMUL_DESC_TRANSA, _TRANSB
inline constexpr int kPreferenceWorkspace = 1;        // CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES

struct LtAlgorithm {  // cublasLtMatmulAlgo_t
  uint64_t data[8];
};
struct LtCandidate {  // cublasLtMatmulHeuristicResult_t
  LtAlgorithm algorithm;
  size_t workspace;
  Status state;
  float waves;
  int reserved[4];
};

/// name, library (blas or lt), symbol, parameters
#define PG_CUBLAS(X)                                                                                                        \
  X(create, blas, cublasCreate_v2, (Handle*))                                                                               \
  X(destroy, blas, cublasDestroy_v2, (Handle))                                                                              \
  X(get_version, blas, cublasGetVersion_v2, (Handle, int* version))                                                         \
  X(set_stream, blas, cublasSetStream_v2, (Handle, cu::Stream))                                                             \
  X(set_math_mode, blas, cublasSetMathMode, (Handle, int mode))                                                             \
  X(set_workspace, blas, cublasSetWorkspace_v2, (Handle, void*, size_t bytes))                                              \
  X(sgemm, blas, cublasSgemm_v2,                                                                                            \
    (Handle, int op_a, int op_b, int m, int n, int k, const float* alpha, const float* a, int lda, const float* b, int ldb, \
     const float* beta, float* c, int ldc))                                                                                 \
  X(sgemv, blas, cublasSgemv_v2,                                                                                            \
    (Handle, int op, int m, int n, const float* alpha, const float* a, int lda, const float* x, int incx,                   \
     const float* beta, float* y, int incy))                                                                                \
  X(lt_create, lt, cublasLtCreate, (LtHandle*))                                                                             \
  X(lt_destroy, lt, cublasLtDestroy, (LtHandle))                                                                            \
  X(lt_matmul_create, lt, cublasLtMatmulDescCreate, (LtMatmul*, int compute, int scale))                                    \
  X(lt_matmul_destroy, lt, cublasLtMatmulDescDestroy, (LtMatmul))                                                           \
  X(lt_matmul_set, lt, cublasLtMatmulDescSetAttribute, (LtMatmul, int attribute, const void*, size_t bytes))                \
  X(lt_layout_create, lt, cublasLtMatrixLayoutCreate, (LtLayout*, int type, uint64_t rows, uint64_t columns, int64_t ld))   \
  X(lt_layout_destroy, lt, cublasLtMatrixLayoutDestroy, (LtLayout))                                                         \
  X(lt_preference_create, lt, cublasLtMatmulPreferenceCreate, (LtPreference*))                                              \
  X(lt_preference_destroy, lt, cublasLtMatmulPreferenceDestroy, (LtPreference))                                             \
  X(lt_preference_set, lt, cublasLtMatmulPreferenceSetAttribute, (LtPreference, int attribute, const void*, size_t bytes))  \
  X(lt_heuristic, lt, cublasLtMatmulAlgoGetHeuristic,                                                                       \
    (LtHandle, LtMatmul, LtLayout a, LtLayout b, LtLayout c, LtLayout d, LtPreference, int wanted, LtCandidate*,            \
     int* found))                                                                                                           \
  X(lt_matmul, lt, cublasLtMatmul,                                                                                          \
    (LtHandle, LtMatmul, const void* alpha, const void* a, LtLayout, const void* b, LtLayout, const void* beta,             \
     const void* c, LtLayout, void* d, LtLayout, const LtAlgorithm*, void* workspace, size_t bytes, cu::Stream))

struct Library {
#define PG_MEMBER(name, library, symbol, parameters) Status(*name) parameters = nullptr;
  PG_CUBLAS(PG_MEMBER)
#undef PG_MEMBER
  std::shared_ptr<DynamicLibrary> lt, blas;
};

/// Loaded once, of the newest CUDA that the driver takes. Null with `why` set where there is none.
const Library* library(int driver_version, std::string& why);
/// InternalError "cuBLAS: sgemm: status 13 (execution failed)".
void check(Status, const std::string& doing);

}  // namespace pg::blas
