#pragma once
// Linear → CUDA C, without any header of the toolkit: what NVRTC knows of its own, and PTX.
#include <span>
#include <string>
#include <vector>

#include "renderers/render.h"

namespace pg {

/// What the text means what it says with: a product and a sum are two roundings unless the program says Fma.
inline constexpr const char* kCudaOptions[] = {"--fmad=false"};

/// The parts of a translation unit; together they are the text.
struct CudaText {
  std::string ptx;        // functions of inline PTX: what a host compiler must be given others for
  std::string functions;  // types and functions in CUDA C
  std::string kernels;
  std::string text() const { return ptx + functions + kernels; }
};

/// One kernel for each phase (LaunchInfo::phases), in the same source:
///   extern "C" __global__ void __launch_bounds__(threads) NAME(params.., workspaces.., long long variables..)
/// Items are blocks (blockIdx.x), threads threadIdx.x; a launch has LaunchInfo::threads of them and LaunchInfo::shared_bytes
/// of dynamic shared memory, all in x. Buffers never alias, and begin at multiples of 256 bytes. InternalError on CopyAsync
/// where the target has none (sm < 80).
Source render_cuda(const UOp& linear, const Target&);
/// Several programs in one unit: program i is called symbols[i].
CudaText cuda_text(std::span<const UOp> linears, std::span<const std::string> symbols, const Target&);

/// The symbol of a phase's kernel: NAME, NAME_phase1, ..
std::string cuda_kernel(const std::string& name, size_t phase);
/// A symbol that no function of CUDA has: one would be overloaded.
std::string cuda_symbol(const std::string& name);

}  // namespace pg
