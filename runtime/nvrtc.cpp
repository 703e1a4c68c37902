#include "runtime/nvrtc.h"

#include <algorithm>
#include <filesystem>

#include "runtime/cuda_driver.h"
#include "uops/error.h"

namespace pg {

namespace fs = std::filesystem;

namespace {

constexpr const char* kInstall =
    "install a CUDA toolkit, or NVRTC alone (pip install nvidia-cuda-nvrtc-cu12), or set CUDA_HOME to where one is";

/// NVRTC looks for its builtins on the linker's path only; one that lies elsewhere finds them if they are loaded already.
std::shared_ptr<DynamicLibrary> builtins_beside(const std::string& library) {
  if (library.find('/') == library.npos) return nullptr;
  std::error_code error;
  for (fs::directory_iterator it(fs::path(library).parent_path(), error), end; !error && it != end; it.increment(error)) {
    std::string why;
    if (it->path().filename().string().starts_with("libnvrtc-builtins.so."))
      if (auto loaded = DynamicLibrary::open(it->path().string(), why)) return loaded;
  }
  return nullptr;
}

/// The log without what differs from run to run.
std::string steady(const std::string& log) {
  std::string kept;
  for (size_t at = 0; at < log.size();) {
    const size_t end = std::min(log.find('\n', at), log.size());
    const std::string line = log.substr(at, end - at);
    if (line.find("Compile time =") == line.npos && !line.empty()) kept += line + "\n";
    at = end + 1;
  }
  return kept;
}

}  // namespace

std::shared_ptr<const Nvrtc> Nvrtc::load(const std::string& library, std::string& why) {
  const std::shared_ptr<Nvrtc> n(new Nvrtc);
  n->builtins_ = builtins_beside(library);
  n->library_ = DynamicLibrary::open(library, why);
  if (!n->library_) return nullptr;
  const char* missing = nullptr;
  const auto find = [&](auto& function, const char* symbol) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(n->library_->symbol(symbol));
    if (!function && !missing) missing = symbol;
  };
  Functions& f = n->functions_;
  find(f.error_string, "nvrtcGetErrorString");
  find(f.version, "nvrtcVersion");
  find(f.num_supported_archs, "nvrtcGetNumSupportedArchs");
  find(f.supported_archs, "nvrtcGetSupportedArchs");
  find(f.create, "nvrtcCreateProgram");
  find(f.destroy, "nvrtcDestroyProgram");
  find(f.compile, "nvrtcCompileProgram");
  find(f.log_size, "nvrtcGetProgramLogSize");
  find(f.log, "nvrtcGetProgramLog");
  find(f.cubin_size, "nvrtcGetCUBINSize");
  find(f.cubin, "nvrtcGetCUBIN");
  if (missing) {
    why = library + " is too old: it has no " + missing;
    return nullptr;
  }
  int major = 0, minor = 0, count = 0;
  if (f.version(&major, &minor) != Status::Success || f.num_supported_archs(&count) != Status::Success) {
    why = library + " does not say its version";
    return nullptr;
  }
  n->version_ = major * 1000 + minor * 10;
  n->architectures_.resize(static_cast<size_t>(std::max(0, count)));
  if (count > 0) f.supported_archs(n->architectures_.data());
  n->path_ = n->library_->file_of("nvrtcVersion");
  n->headers_ = headers_beside(n->path_);
  return n;
}

FoundNvrtc Nvrtc::find(const NvrtcPlaces& places, int driver_version, const std::string& library) {
  std::string why;
  if (!library.empty()) {
    auto n = load(library, why);
    if (n) return {n};
    return {nullptr, "NVRTC cannot be loaded: " + why + ": " + kInstall};
  }
  std::shared_ptr<const Nvrtc> too_new;
  std::string broken;  // the first that is there and does not load
  for (int round = 1; round <= kNvrtcRounds; ++round) {
    std::shared_ptr<const Nvrtc> best;
    for (const std::string& candidate : nvrtc_candidates(places, round)) {
      auto n = load(candidate, why);
      if (!n) {
        if (broken.empty() && fs::exists(candidate)) broken = why;
        continue;
      }
      // A driver takes cubins of all toolkits with its own major version or an earlier one.
      if (driver_version && n->version() / 1000 > driver_version / 1000) {
        if (!too_new || n->version() < too_new->version()) too_new = n;
      } else if (!best || n->version() > best->version()) {
        best = n;
      }
    }
    if (best) return {best};
  }
  if (too_new) return {too_new};
  return {nullptr, (broken.empty() ? "NVRTC (libnvrtc.so), the compiler of GPU kernels, not found: "
                                   : "NVRTC cannot be loaded: " + broken + ": ") +
                       std::string(kInstall)};
}

NvrtcResult Nvrtc::compile(const std::string& name, const std::string& source, std::span<const std::string> options) const {
  const std::string who = "NVRTC " + cuda_version_text(version_);
  std::vector<std::string> all(options.begin(), options.end());
  if (!headers_.empty() && source.find("#include") != source.npos) all.push_back("--include-path=" + headers_);
  std::vector<const char*> pointers;
  for (const std::string& o : all) pointers.push_back(o.c_str());

  struct Owner {
    const Functions& f;
    Program* program = nullptr;
    ~Owner() {
      if (program) f.destroy(&program);
    }
  } owner{functions_};
  const auto check = [&](Status s) {
    if (s != Status::Success) throw InternalError(who + ": " + functions_.error_string(s));
  };
  check(functions_.create(&owner.program, source.c_str(), (name + ".cu").c_str(), 0, nullptr, nullptr));
  const Status status = functions_.compile(owner.program, static_cast<int>(pointers.size()), pointers.data());

  const auto text = [&](auto size_of, auto get) {
    size_t n = 0;
    check(size_of(owner.program, &n));
    std::string s(n, '\0');
    if (n) check(get(owner.program, s.data()));
    return s;
  };
  std::string log = text(functions_.log_size, functions_.log);
  if (!log.empty() && log.back() == '\0') log.pop_back();
  log = steady(log);
  if (status == Status::InvalidOption && log.find("gpu-architecture") != log.npos) {
    std::string known;
    for (int a : architectures_) known += (known.empty() ? "sm_" : ", sm_") + std::to_string(a);
    throw UserError(who + " does not know this GPU's architecture (" + (all.empty() ? "" : all[0]) + "), only " + known +
                    ": install a CUDA toolkit that does and set CUDA_HOME to it");
  }
  if (status == Status::BuiltinOperationFailure)
    throw UserError(who + " (" + path_ + ") lacks a part of its own: " + log + kInstall);
  if (status != Status::Success)
    throw InternalError(who + " refuses generated code: " + functions_.error_string(status) + "\n" + log + "\n" + source);
  return {text(functions_.cubin_size, functions_.cubin), log};
}

}  // namespace pg
