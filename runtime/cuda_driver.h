#pragma once
// The CUDA Driver API, found at run time: a table of its functions, and words for what goes wrong.
#include <memory>
#include <string>

#include "runtime/cuda_types.h"
#include "runtime/dynamic_library.h"

namespace pg {

class CudaDriver;

/// The driver, or why there is none that can be used and what to do about it.
struct FoundCudaDriver {
  std::shared_ptr<const CudaDriver> driver;
  std::string what = {}, remedy = {};  // empty when there is one
};

class CudaDriver {
 public:
  /// Loads and initialises. `library` names another file than the system's driver (tests).
  static FoundCudaDriver find(const std::string& library = "");

#define CUDA(member, entry, parameters) cu::Result(*member) parameters = nullptr;
  struct Functions {
    using Result = cu::Result;
    using DeviceId = cu::DeviceId;
    using DevicePointer = cu::DevicePointer;
    using Context = cu::Context;
    using Module = cu::Module;
    using Function = cu::Function;
    using Stream = cu::Stream;
    using Event = cu::Event;
    using Graph = cu::Graph;
    using GraphNode = cu::GraphNode;
    using GraphExec = cu::GraphExec;
    using DeviceAttribute = cu::DeviceAttribute;
    using FunctionAttribute = cu::FunctionAttribute;
    using KernelNodeParams = cu::KernelNodeParams;
#include "runtime/cuda_functions.def"
  };
#undef CUDA
  /// driver->call(..): every function of runtime/cuda_functions.def by its name.
  const Functions* operator->() const { return &functions_; }

  /// The newest CUDA that it knows: 13000 for 13.0.
  int version() const { return version_; }
  int devices() const { return devices_; }
  /// "an illegal memory access was encountered (CUDA_ERROR_ILLEGAL_ADDRESS)"
  std::string words(cu::Result) const;

 private:
  CudaDriver() = default;
  std::shared_ptr<DynamicLibrary> library_;
  Functions functions_;
  int version_ = 0, devices_ = 0;
};

/// 13000 → "13.0"
std::string cuda_version_text(int version);

/// After it nothing works in this context any more, not even giving memory back.
bool is_sticky(cu::Result);

}  // namespace pg
