#pragma once
// NVRTC, the compiler of CUDA C as a library, found at run time.
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/dynamic_library.h"
#include "runtime/nvrtc_search.h"

namespace pg {

class Nvrtc;
struct FoundNvrtc {
  std::shared_ptr<const Nvrtc> nvrtc;
  std::string missing = {};  // why there is none and what to do; empty when there is one
};

struct NvrtcResult {
  std::string cubin, log;
};

class Nvrtc {
 public:
  /// The newest that makes cubins for a driver of this version (13000; 0: any). Where only newer ones are found, the oldest
  /// of them: the driver will say what it thinks of its cubins. `library` names a file instead (tests).
  static FoundNvrtc find(const NvrtcPlaces&, int driver_version, const std::string& library = "");
  /// Null when it cannot be loaded; then `why` says why not.
  static std::shared_ptr<const Nvrtc> load(const std::string& library, std::string& why);

  int version() const { return version_; }                 // 13000
  const std::string& path() const { return path_; }        // of the library
  const std::string& headers() const { return headers_; }  // folder of cuda_fp16.h; may be empty
  /// Compute capabilities, ascending: 75, 80, .., 121.
  const std::vector<int>& architectures() const { return architectures_; }

  /// Throws InternalError with the compiler's words when the source does not compile, UserError when NVRTC lacks a part of
  /// its own or does not know the architecture. Thread-safe; several threads compile at once. `name` is the kernel's, for
  /// the messages.
  NvrtcResult compile(const std::string& name, const std::string& source, std::span<const std::string> options) const;

 private:
  Nvrtc() = default;
  struct Program;
  enum class Status : int { Success = 0, InvalidOption = 5, Compilation = 6, BuiltinOperationFailure = 7 };
  struct Functions {
    const char* (*error_string)(Status) = nullptr;
    Status (*version)(int* major, int* minor) = nullptr;
    Status (*num_supported_archs)(int*) = nullptr;
    Status (*supported_archs)(int*) = nullptr;
    Status (*create)(Program**, const char* source, const char* name, int headers, const char* const*,
                     const char* const*) = nullptr;
    Status (*destroy)(Program**) = nullptr;
    Status (*compile)(Program*, int options, const char* const*) = nullptr;
    Status (*log_size)(Program*, size_t*) = nullptr;
    Status (*log)(Program*, char*) = nullptr;
    Status (*cubin_size)(Program*, size_t*) = nullptr;
    Status (*cubin)(Program*, char*) = nullptr;
  };
  std::shared_ptr<DynamicLibrary> builtins_, library_;
  Functions functions_;
  int version_ = 0;
  std::string path_, headers_;
  std::vector<int> architectures_;
};

}  // namespace pg
