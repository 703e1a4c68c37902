#include "runtime/cpu_info.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace pg {

namespace {

// Those that decide what -march=native generates for picograd's kernels.
constexpr const char* kFeatures[] = {"avx",      "f16c",     "fma",      "avx2",        "avx512f",
                                     "avx512bw", "avx512dq", "avx512vl", "avx512_bf16", "avx512_fp16"};

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// "48K" → 49152; 0 when it does not read so.
int64_t size_in_bytes(const std::string& s) {
  std::istringstream in(s);
  int64_t n = 0;
  char unit = 0;
  in >> n >> unit;
  return unit == 'K' ? n << 10 : unit == 'M' ? n << 20 : n;
}

void read_caches(CpuInfo& cpu) {
  for (int i = 0;; ++i) {
    const std::string index = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/";
    const std::string level = first_line(index + "level");
    if (level.empty()) return;
    const int64_t bytes = size_in_bytes(first_line(index + "size"));
    if (bytes == 0 || first_line(index + "type") == "Instruction") continue;
    (level == "1" ? cpu.l1_bytes : level == "2" ? cpu.l2_bytes : cpu.l3_bytes) = bytes;
  }
}

}  // namespace

bool CpuInfo::has(const char* feature) const {
  return std::find(features.begin(), features.end(), feature) != features.end();
}

CpuInfo cpu_info() {
  CpuInfo cpu;
  cpu.cores = static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  std::ifstream file("/proc/cpuinfo");
  std::string family, model;
  for (std::string line; std::getline(file, line) && !line.empty();) {  // the first processor
    const size_t colon = line.find(':');
    if (colon == line.npos || colon == 0) continue;
    const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    const std::string value = colon + 2 <= line.size() ? line.substr(colon + 2) : "";
    if (key == "model name")
      cpu.model = value;
    else if (key == "cpu family")
      family = value;
    else if (key == "model")
      model = value;
    else if (key == "flags") {
      std::istringstream words(value);
      for (std::string w; words >> w;)
        if (std::find(std::begin(kFeatures), std::end(kFeatures), w) != std::end(kFeatures)) cpu.features.push_back(w);
    }
  }
  if (cpu.model.empty()) cpu.model = "unknown processor";
  // Virtual machines hide the name; family and model remain.
  if (!family.empty()) cpu.model += " (family " + family + ", model " + model + ")";
  std::sort(cpu.features.begin(), cpu.features.end());
  read_caches(cpu);
  return cpu;
}

int usable_cores() {
  cpu_set_t mask;
  return sched_getaffinity(0, sizeof mask, &mask) == 0 ? std::max(1, CPU_COUNT(&mask)) : 1;
}

Target cpu_target(const CpuInfo& cpu, const std::string& isa, int threads) {
  Target t;
  t.isa = isa;
  const bool wide =
      isa == "x86-64-v4" || (isa == "native" && cpu.has("avx512f") && cpu.has("avx512bw") && cpu.has("avx512vl"));
  const bool middle = isa == "x86-64-v3" || (isa == "native" && cpu.has("avx2"));
  t.vector_bytes = wide ? 64 : middle ? 32 : 16;
  t.registers = wide ? 32 : 16;
  t.cores = threads > 0 ? threads : usable_cores();
  t.l1_bytes = cpu.l1_bytes;
  t.l2_bytes = cpu.l2_bytes;
  t.l3_bytes = cpu.l3_bytes;
  return t;
}

}  // namespace pg
