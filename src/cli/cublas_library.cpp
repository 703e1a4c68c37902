#include "src/cli/cublas_library.h"

#include <cstdlib>
#include <filesystem>

#include "runtime/config.h"
#include "runtime/nvrtc_search.h"
#include "uops/error.h"

namespace pg::blas {

namespace {

/// The libcublas that goes with a libcublasLt: from the same folder, of the same version.
std::string beside(std::string lt) {
  const size_t at = lt.rfind("libcublasLt");
  return lt.replace(at, std::string("libcublasLt").size(), "libcublas");
}

std::unique_ptr<Library> load(const std::string& lt, std::string& why) {
  auto all = std::make_unique<Library>();
  // libcublas needs libcublasLt: which is there by then, wherever it was found.
  all->lt = DynamicLibrary::open(lt, why);
  if (all->lt) all->blas = DynamicLibrary::open(beside(lt), why);
  if (!all->blas) return nullptr;
#define PG_LOAD(name, from, symbol_, parameters)                                  \
  all->name = reinterpret_cast<decltype(all->name)>(all->from->symbol(#symbol_)); \
  if (!all->name) {                                                               \
    why = lt + " is too old: it has no " #symbol_;                                \
    return nullptr;                                                               \
  }
  PG_CUBLAS(PG_LOAD)
#undef PG_LOAD
  return all;
}

bool newer_than(int driver_version, const Library& l) {
  Handle h = nullptr;
  int version = 0;                     // 130002 of CUDA 13, 120803 of CUDA 12; 11 and before count otherwise and are old
  if (l.create(&h) != 0) return true;  // it does not start: the driver is too old
  l.get_version(h, &version);
  l.destroy(h);
  return version / 10000 > driver_version / 1000;
}

}  // namespace

const Library* library(int driver_version, std::string& why) {
  static std::unique_ptr<Library> found;
  static std::string missing;
  if (!found && missing.empty()) {
    setenv("NVIDIA_TF32_OVERRIDE", "0", 1);  // fp32 is compared with fp32, whatever a login script set
    std::string words;
    for (int round = 1; round <= kNvrtcRounds && !found; ++round)
      for (const std::string& lt : toolkit_candidates("libcublasLt", {config().cuda_home, "", python_folders}, round)) {
        found = load(lt, words);
        if (found && newer_than(driver_version, *found)) {
          found.reset();
          words = lt + " does not start under this driver";
        }
        if (found) break;
      }
    if (!found)
      missing =
          "cuBLAS not found (install a CUDA toolkit or the Python wheel nvidia-cublas, and set CUDA_HOME where it "
          "lies elsewhere): " +
          words;
  }
  if (!found) why = missing;
  return found.get();
}

void check(Status status, const std::string& doing) {
  if (status == 0) return;
  const char* words = status == 1    ? "not initialized"
                      : status == 3  ? "allocation failed"
                      : status == 7  ? "invalid value"
                      : status == 8  ? "architecture mismatch"
                      : status == 13 ? "execution failed"
                      : status == 15 ? "not supported"
                                     : "error";
  throw InternalError("cuBLAS: " + doing + ": status " + std::to_string(status) + " (" + words + ")");
}

}  // namespace pg::blas
