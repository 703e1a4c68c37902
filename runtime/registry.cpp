// The devices of this process, and what can be said of them.
#include <charconv>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "runtime/cpu_device.h"
#include "runtime/cuda_device.h"
#include "runtime/ref_device.h"
#include "uops/evaluate.h"

namespace pg {

namespace {

struct Registry {
  std::mutex mutex;
  std::unique_ptr<CpuDevice> cpu;
  std::unique_ptr<RefDevice> ref;
  std::map<int, std::unique_ptr<CudaDevice>> cuda;  // by number

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

/// CUDA: the first GPU; CUDA:N: that of this number; else nothing.
std::optional<int> cuda_ordinal(std::string_view name) {
  if (name == "CUDA") return 0;
  if (!name.starts_with("CUDA:")) return std::nullopt;
  const std::string_view number = name.substr(5);
  int n = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), n);
  const bool whole = error == std::errc() && end == number.data() + number.size() && n >= 0;
  return whole ? std::optional(n) : std::nullopt;
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
  if (const auto n = cuda_ordinal(name)) {
    auto& cuda = r.cuda[*n];
    if (!cuda) cuda = std::make_unique<CudaDevice>(config(), *n);
    return *cuda;
  }
  throw UserError("unknown device " + std::string(name) + ": there are CPU, REF and CUDA:0, CUDA:1, ..");
}

Device& default_device() { return device(config().device); }

std::vector<DeviceReport> device_reports() {
  std::vector<DeviceReport> all{cpu_report(), {"REF", true, "the reference interpreter", "", ""}};
  for (DeviceReport& r : cuda_reports(config())) all.push_back(std::move(r));
  return all;
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
