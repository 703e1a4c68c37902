#pragma once
// Where NVRTC may lie: it comes with a CUDA toolkit or with a wheel of Python's.
#include <functional>
#include <string>
#include <vector>

namespace pg {

struct NvrtcPlaces {
  std::string home;  // CUDA_HOME or CUDA_PATH; may be empty
  std::string root;  // put before /usr/local and /opt (tests)
  /// Python's folders for packages; asked only when nothing was found elsewhere.
  std::function<std::vector<std::string>()> python_folders;
};

/// Names and paths to try, in rounds: a later round is for those whom no earlier one served. Newest first in a folder.
/// 1: CUDA_HOME, 2: the linker's path and the folders where toolkits are installed, 3: Python's wheels.
constexpr int kNvrtcRounds = 3;
std::vector<std::string> nvrtc_candidates(const NvrtcPlaces&, int round);
/// The same for another library of the toolkit: "libcublas".
std::vector<std::string> toolkit_candidates(const std::string& library, const NvrtcPlaces&, int round);

/// sys.path of the python3 on PATH; empty without one.
std::vector<std::string> python_folders();
/// The folder of cuda_fp16.h that goes with a libnvrtc; empty: none is there.
std::string headers_beside(const std::string& nvrtc);

}  // namespace pg
