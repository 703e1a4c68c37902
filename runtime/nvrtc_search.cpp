#include "runtime/nvrtc_search.h"

#include <algorithm>
#include <filesystem>

#include "runtime/process.h"

namespace pg {

namespace fs = std::filesystem;

namespace {

// The linker wants a whole name, and a name has its major version. NVRTC's of 11 are all called 11.2.
constexpr const char* kEndings[] = {".so.15", ".so.14", ".so.13", ".so.12", ".so.11.2", ".so.11", ".so"};

/// Names in a folder that begin so, the last by order of numbers first (13.1 before 13.0 before 9).
std::vector<std::string> entries(const fs::path& folder, const std::string& prefix) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().filename().string().starts_with(prefix)) names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return a.size() != b.size() ? a.size() > b.size() : a > b; });
  return names;
}

void add_libraries(std::vector<std::string>& all, const fs::path& folder, const std::string& library) {
  for (const std::string& name : entries(folder, library + ".so")) all.push_back((folder / name).string());
}

void add_toolkit(std::vector<std::string>& all, const fs::path& toolkit, const std::string& library) {
  for (const char* folder : {"lib64", "lib", "targets/x86_64-linux/lib"}) add_libraries(all, toolkit / folder, library);
}

/// One entry a file: links are common.
std::vector<std::string> without_twins(const std::vector<std::string>& all) {
  std::vector<std::string> kept, seen;
  for (const std::string& path : all) {
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    const std::string what = error ? path : real.string();
    if (std::find(seen.begin(), seen.end(), what) != seen.end()) continue;
    seen.push_back(what);
    kept.push_back(path);
  }
  return kept;
}

}  // namespace

std::vector<std::string> nvrtc_candidates(const NvrtcPlaces& places, int round) {
  return toolkit_candidates("libnvrtc", places, round);
}

std::vector<std::string> toolkit_candidates(const std::string& library, const NvrtcPlaces& places, int round) {
  std::vector<std::string> all;
  if (round == 1 && !places.home.empty()) {
    add_toolkit(all, places.home, library);
    add_libraries(all, places.home, library);
  }
  if (round == 2) {
    if (places.root.empty())
      for (const char* ending : kEndings) all.push_back(library + ending);
    for (const char* folder : {"/usr/local", "/opt"})
      for (const std::string& toolkit : entries(places.root + folder, "cuda"))
        add_toolkit(all, fs::path(places.root + folder) / toolkit, library);
    add_toolkit(all, places.root + "/opt/nvidia/cuda", library);
  }
  if (round == 3 && places.python_folders)
    for (const std::string& folder : places.python_folders()) {
      const fs::path wheels = fs::path(folder) / "nvidia";
      for (const std::string& name : entries(wheels, "cu"))  // cuda_nvrtc, cublas, cu13
        add_libraries(all, wheels / name / "lib", library);
    }
  return without_twins(all);
}

std::vector<std::string> python_folders() {
  const auto python = run_process({"python3", "-c", "import sys; print('\\n'.join(p for p in sys.path if p))"});
  std::vector<std::string> all;
  if (!python || python->status != 0) return all;
  for (size_t at = 0; at < python->out.size();) {
    const size_t end = std::min(python->out.find('\n', at), python->out.size());
    if (end > at) all.push_back(python->out.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

std::string headers_beside(const std::string& nvrtc) {
  const fs::path folder = fs::path(nvrtc).parent_path();
  // A toolkit's lib and lib64, its targets/x86_64-linux/lib; a wheel's cu13/lib; cuda_nvrtc/lib beside cuda_runtime.
  for (const char* way : {"../include", "../../include", "../../../include", "../../cuda_runtime/include"}) {
    std::error_code error;
    const fs::path include = (folder / way).lexically_normal();
    if (fs::exists(include / "cuda_fp16.h", error)) return include.string();
  }
  return {};
}

}  // namespace pg
