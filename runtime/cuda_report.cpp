// What `picograd devices` says of GPUs.
#include <algorithm>
#include <cstdio>

#include "runtime/cuda_device.h"
#include "uops/error.h"

namespace pg {

namespace {

std::string hardware(const CudaFacts& f) {
  char s[160];
  // Two transfers a clock of the memory.
  std::snprintf(s, sizeof s, ", %s, %d SMs at %.2f GHz, %s at %.0f GB/s, L2 %s, driver of CUDA %s", f.architecture().c_str(),
                f.sms, f.clock_khz * 1e-6, bytes_text(f.memory_bytes).c_str(), 2e-6 * f.memory_clock_khz * f.memory_bits / 8,
                bytes_text(f.l2_bytes).c_str(), cuda_version_text(f.driver_version).c_str());
  return f.name + s;
}

DeviceReport report(const Config& config, int ordinal, const CudaLibraries& libraries) {
  const std::string name = "CUDA:" + std::to_string(ordinal);
  try {
    const CudaDevice device(config, ordinal, libraries);
    const std::string what = hardware(device.facts());
    const FoundNvrtc& compiler = device.compiler();
    if (!compiler.nvrtc) return {name, false, what + "; only kernels compiled before can run", compiler.missing, ""};
    const Nvrtc& nvrtc = *compiler.nvrtc;
    const std::string with = what + ", NVRTC " + cuda_version_text(nvrtc.version());
    const auto& known = nvrtc.architectures();
    if (std::find(known.begin(), known.end(), device.facts().sm()) == known.end())
      return {name, false, with + ", which does not know this GPU",
              "install a CUDA toolkit that knows " + device.facts().architecture() + " and set CUDA_HOME to it", ""};
    if (nvrtc.version() / 1000 > device.facts().driver_version / 1000)
      return {name, false, with + ", whose kernels the driver may refuse",
              "update the NVIDIA driver, or set CUDA_HOME to a toolkit of CUDA " +
                  cuda_version_text(device.facts().driver_version) + " or earlier",
              ""};
    return {name, true, with, "", "compiled by " + nvrtc.path()};
  } catch (const UserError& e) {
    return {name, false, e.what(), "look at nvidia-smi", ""};
  }
}

}  // namespace

std::vector<DeviceReport> cuda_reports(const Config& config, const CudaLibraries& libraries) {
  const FoundCudaDriver found = CudaDriver::find(libraries.driver);
  if (!found.driver) return {{"CUDA", false, found.what, found.remedy, ""}};
  std::vector<DeviceReport> all;
  for (int i = 0; i < found.driver->devices(); ++i) all.push_back(report(config, i, libraries));
  return all;
}

}  // namespace pg
