#include "runtime/cuda_resources.h"

#include <algorithm>
#include <charconv>

namespace pg {

namespace {

// What lines look like (NVRTC 13.0; 12 has blanks where it says "ptxas         ."):
//   ptxas info    : (C7510) Potential Performance Loss: .. in function 'gemm'
//   ptxas info    : Compiling entry function 'gemm' for 'sm_90a'
//   ptxas         .     272 bytes stack frame, 752 bytes spill stores, 536 bytes spill loads
//   ptxas info    : Used 32 registers, used 1 barriers, 400 bytes smem, 376 bytes cmem[0]

bool has(std::string_view line, std::string_view words) { return line.find(words) != line.npos; }

/// The number that stands before these words; 0 where they are not said.
int64_t before(std::string_view line, std::string_view words) {
  const size_t end = line.find(words);
  if (end == line.npos) return 0;
  size_t begin = end;
  while (begin > 0 && line[begin - 1] >= '0' && line[begin - 1] <= '9') --begin;
  int64_t n = 0;
  std::from_chars(line.data() + begin, line.data() + end, n);
  return n;
}

/// What stands in quotes behind these words; empty where they are not said.
std::string quoted(std::string_view line, std::string_view words) {
  size_t begin = line.find(words);
  if (begin == line.npos) return {};
  begin = line.find('\'', begin);
  if (begin == line.npos) return {};
  const size_t end = line.find('\'', begin + 1);
  return end == line.npos ? std::string() : std::string(line.substr(begin + 1, end - begin - 1));
}

struct Warning {
  std::string number, text;  // C7510; empty for those without one
};
/// An advisory with a number, or a warning.
bool parse_warning(std::string_view line, Warning& w) {
  if (!line.starts_with("ptxas")) return false;
  const size_t colon = line.find(": ");
  if (colon == line.npos) return false;
  std::string_view said = line.substr(colon + 2);
  if (said.starts_with("(C") && has(said, ") ")) {
    const size_t end = said.find(") ");
    w = {std::string(said.substr(1, end - 1)), std::string(said.substr(end + 2))};
    return true;
  }
  w = {"", std::string(said)};
  return has(line.substr(0, colon), "warning");
}

}  // namespace

std::vector<KernelResources> parse_resources(std::string_view log) {
  std::vector<KernelResources> kernels;
  std::vector<std::pair<std::string, Warning>> warnings;  // of this kernel, empty: of all
  while (!log.empty()) {
    const size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = log.substr(0, end);
    log.remove_prefix(std::min(end + 1, log.size()));

    Warning w;
    if (const std::string kernel = quoted(line, "Compiling entry function"); !kernel.empty()) {
      kernels.push_back({.kernel = kernel});
    } else if (parse_warning(line, w)) {
      warnings.emplace_back(quoted(line, "in function"), w);
      if (warnings.back().first.empty()) warnings.back().first = quoted(line, "in the function");
    } else if (!kernels.empty()) {
      KernelResources& k = kernels.back();
      if (has(line, "bytes stack frame")) {
        k.stack_bytes = before(line, " bytes stack frame");
        k.spill_stores = before(line, " bytes spill stores");
        k.spill_loads = before(line, " bytes spill loads");
      } else if (has(line, "Used ") && has(line, " registers")) {
        k.registers = static_cast<int>(before(line, " registers"));
        k.shared_bytes = before(line, " bytes smem");
      }
    }
  }
  for (KernelResources& k : kernels) {
    std::vector<std::string> seen;
    for (const auto& [kernel, w] : warnings) {
      if (!kernel.empty() && kernel != k.kernel) continue;
      if (!w.number.empty() && std::find(seen.begin(), seen.end(), w.number) != seen.end()) continue;
      seen.push_back(w.number);
      k.warnings.push_back(w.number.empty() ? w.text : w.number + ": " + w.text);
    }
  }
  return kernels;
}

}  // namespace pg
