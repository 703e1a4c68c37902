#pragma once
// A loaded cubin and its kernels.
#include <string>

#include "runtime/cuda_context.h"

namespace pg {

/// What the compiler made of one source, as it is kept and sent: the cubin, what ptxas said of it, and for whom it is.
struct CudaBinary {
  std::string architecture;  // "sm_90a"
  int nvrtc = 0;             // 13000: by NVRTC 13.0
  std::string log = {}, cubin = {};
};
std::string pack(const CudaBinary&);
/// Throws InternalError when these bytes are none.
CudaBinary unpack_cuda_binary(const std::string& bytes);

class CudaFunction {
 public:
  CudaFunction() = default;
  CudaFunction(std::shared_ptr<CudaContext> context, cu::Function f, std::string name)
      : context_(std::move(context)), function_(f), name_(std::move(name)) {}
  cu::Function get() const { return function_; }
  const std::string& name() const { return name_; }
  int attribute(cu::FunctionAttribute) const;
  /// Makes ready for blocks of so many threads with so much dynamic shared memory, the opt-in above 48 KB included. Throws
  /// UserError when the kernel cannot run so on this GPU. `most_shared`: what a block may have here.
  void allow(int64_t threads, int64_t shared_bytes, int64_t most_shared) const;
  /// Blocks that fit on an SM at once.
  int blocks_per_sm(int64_t threads, int64_t shared_bytes) const;

 private:
  std::shared_ptr<CudaContext> context_;  // the module must outlive it
  cu::Function function_ = nullptr;
  std::string name_;
};

class CudaModule {
 public:
  CudaModule() = default;
  /// Throws UserError where the driver is too old for the cubin, InternalError when it is not for this GPU or no cubin.
  /// `architecture` is the GPU's.
  CudaModule(std::shared_ptr<CudaContext>, const CudaBinary&, const std::string& architecture);
  /// Throws InternalError when there is no such kernel.
  CudaFunction function(const std::string& name) const;
  const std::shared_ptr<CudaContext>& context() const { return handle_.context(); }

 private:
  CudaHandle<cu::Module, &CudaDriver::Functions::module_unload> handle_;
};

}  // namespace pg
