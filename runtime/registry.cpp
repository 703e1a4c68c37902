// The devices of this process, and what can be said of them.
#include <dlfcn.h>

#include <memory>
#include <mutex>

#include "runtime/cpu_device.h"
#include "runtime/ref_device.h"
#include "uops/evaluate.h"

namespace pg {

namespace {

struct Registry {
  std::mutex mutex;
  std::unique_ptr<CpuDevice> cpu;
  std::unique_ptr<RefDevice> ref;

  static Registry& get() {
    static Registry* r = new Registry;  // never destroyed: Memory may outlive any order of destruction
    return *r;
  }
};

DeviceReport cpu_report() {
  const auto& cpu = static_cast<CpuDevice&>(device("CPU"));
  const Target& t = cpu.target();
  const std::string hardware = cpu.cpu().model + ", " + std::to_string(t.cores) + (t.cores == 1 ? " core, " : " cores, ") +
                               std::to_string(8 * t.vector_bytes) + "-bit vectors";
  const FoundClang& found = cpu.compiler();
  if (found.clang)
    return {"CPU", true, hardware + ", " + found.clang->version() + " (" + found.clang->route() + ")", "", found.note};
  return {"CPU", false, hardware + "; only kernels compiled before can run", found.missing, found.note};
}

DeviceReport cuda_report() {
  const auto is_there = [](const char* library) {
    void* handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
    if (handle) dlclose(handle);
    return handle != nullptr;
  };
  if (!is_there("libcuda.so.1")) return {"CUDA", false, "libcuda.so.1 not found", "install the NVIDIA driver", ""};
  return {"CUDA", false, "driver found; this build has no CUDA device yet", "use the CPU device", ""};
}

}  // namespace

std::vector<Artifact> Device::compile_all(std::span<const Source> sources) {
  std::vector<Artifact> all;
  for (const Source& s : sources) all.push_back(compile(s));
  return all;
}

Device& device(std::string_view name) {
  Registry& r = Registry::get();
  std::lock_guard lock(r.mutex);
  if (name == "CPU") {
    if (!r.cpu) r.cpu = std::make_unique<CpuDevice>(config());
    return *r.cpu;
  }
  if (name == "REF") {
    if (!r.ref) r.ref = std::make_unique<RefDevice>();
    return *r.ref;
  }
  throw UserError("unknown device " + std::string(name) + ": there are CPU and REF");
}

Device& default_device() { return device(config().device); }

std::vector<DeviceReport> device_reports() {
  return {cpu_report(), {"REF", true, "the reference interpreter", "", ""}, cuda_report()};
}

int64_t evaluate(const UOp& expression, std::span<const UOp> variables, std::span<const int64_t> values) {
  if (const auto constant = const_int(expression)) return *constant;
  if (variables.size() != values.size())
    throw InternalError("evaluate: " + std::to_string(variables.size()) + " Variables, " + std::to_string(values.size()) +
                        " values");
  Values bound;
  for (size_t i = 0; i < variables.size(); ++i) bound.emplace_back(variables[i], values[i]);
  return evaluate(expression, bound);
}

}  // namespace pg
