#include "runtime/cuda_driver.h"

#include <vector>

namespace pg {

namespace {

using cu::Result;

// WSL's lies on no linker path.
constexpr const char* kDrivers[] = {"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"};
constexpr const char* kInstall =
    "install the NVIDIA driver, after which nvidia-smi shows the GPU; a container must be started with its GPUs (--gpus "
    "all)";
constexpr const char* kUpdate = "update the NVIDIA driver to one of CUDA 11.4 or later";

/// What cuInit and the count of devices say, in terms of what to do.
FoundCudaDriver refused(const CudaDriver& driver, Result result) {
  switch (result) {
    case Result::NoDevice:
      return {nullptr, "the NVIDIA driver is there, but no GPU that it can use",
              "look at nvidia-smi and CUDA_VISIBLE_DEVICES; a container must be started with its GPUs (--gpus all)"};
    case Result::SystemDriverMismatch:
      return {nullptr, "the driver's library and its kernel module are of different versions: " + driver.words(result),
              "restart the machine, or reload the nvidia kernel module, after an update of the driver"};
    case Result::StubLibrary:
      return {nullptr, "the library found is the toolkit's stub, not a driver: " + driver.words(result),
              "take the toolkit's stubs folder out of LD_LIBRARY_PATH"};
    case Result::SystemNotReady:
      return {nullptr, "the GPUs are not ready: " + driver.words(result),
              "start NVIDIA's fabric manager (systemctl start nvidia-fabricmanager) and look at nvidia-smi"};
    case Result::CompatNotSupportedOnDevice:
      return {nullptr, "the compatibility driver found does not support this GPU: " + driver.words(result),
              "take the toolkit's compat folder out of LD_LIBRARY_PATH"};
    default: return {nullptr, "the NVIDIA driver does not start: " + driver.words(result), "look at nvidia-smi and dmesg"};
  }
}

}  // namespace

FoundCudaDriver CudaDriver::find(const std::string& library) {
  const std::shared_ptr<CudaDriver> driver(new CudaDriver);
  std::vector<std::string> names(std::begin(kDrivers), std::end(kDrivers));
  if (!library.empty()) names = {library};
  std::string first_words;
  for (const std::string& name : names) {
    std::string words;
    if ((driver->library_ = DynamicLibrary::open(name, words))) break;
    if (first_words.empty()) first_words = words;
  }
  if (!driver->library_) {
    const bool absent = first_words.find("No such file") != first_words.npos;
    return {nullptr, absent ? names[0] + " not found" : names[0] + " cannot be loaded: " + first_words, kInstall};
  }
  Functions& f = driver->functions_;
#define CUDA(member, entry, parameters)                       \
  if (void* address = driver->library_->symbol(#entry))       \
    f.member = reinterpret_cast<decltype(f.member)>(address); \
  else                                                        \
    return {nullptr, "the NVIDIA driver is too old: it has no " #entry, kUpdate};
#include "runtime/cuda_functions.def"
#undef CUDA
  if (const Result r = f.init(0); r != Result::Success) return refused(*driver, r);
  if (const Result r = f.driver_get_version(&driver->version_); r != Result::Success) return refused(*driver, r);
  if (const Result r = f.device_get_count(&driver->devices_); r != Result::Success) return refused(*driver, r);
  if (driver->devices_ == 0) return refused(*driver, Result::NoDevice);
  return {driver};
}

std::string CudaDriver::words(Result r) const {
  const char *name = nullptr, *words = nullptr;
  functions_.get_error_name(r, &name);
  functions_.get_error_string(r, &words);
  if (!name || !words) return "CUDA error " + std::to_string(static_cast<int>(r));
  return std::string(words) + " (" + name + ")";
}

std::string cuda_version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

bool is_sticky(Result r) {
  switch (r) {
    case Result::EccUncorrectable:
    case Result::NvlinkUncorrectable:
    case Result::Contained:
    case Result::IllegalAddress:
    case Result::LaunchTimeout:
    case Result::ContextIsDestroyed:
    case Result::Assert:
    case Result::HardwareStackError:
    case Result::IllegalInstruction:
    case Result::MisalignedAddress:
    case Result::InvalidAddressSpace:
    case Result::InvalidPc:
    case Result::LaunchFailed:
    case Result::TensorMemoryLeak: return true;
    default: return false;
  }
}

}  // namespace pg
