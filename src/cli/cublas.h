#pragma once
#include "runtime/cuda_device.h"
#include "src/cli/kernel_peers.h"
#include "src/cli/operands.h"

namespace pg {

/// cublasSgemm or cublasSgemv, and for products of matrices the fastest of cublasLt's candidates; fp32 without TF32. Empty
/// with `why` set where there is no cuBLAS or it has no such operation.
std::vector<std::unique_ptr<KernelPeer>> cublas_peers(CudaDevice&, const BenchKernel&, const std::vector<OperandSet>&,
                                                      std::string& why);

}  // namespace pg
