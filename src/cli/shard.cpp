#include "src/cli/shard.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "uops/error.h"

namespace pg {

namespace {

/// -1: it is no number.
int number(const std::string& text) {
  int n = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc() && end == text.data() + text.size() ? n : -1;
}

struct Launcher {
  const char *rank, *size;
  std::initializer_list<const char*> job;  // the first that is set
};
const Launcher kLaunchers[] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"}},
    {"PMI_RANK", "PMI_SIZE", {"PMI_JOBID", "SLURM_JOB_ID"}},
    {"SLURM_PROCID", "SLURM_NTASKS", {"SLURM_JOB_ID"}},
};

}  // namespace

Shard parse_shard(const std::string& text) {
  const size_t slash = text.find('/');
  Shard s;
  if (slash != text.npos) s = {number(text.substr(0, slash)), number(text.substr(slash + 1))};
  if (slash == text.npos || s.number < 1 || s.of < s.number)
    throw UserError("--shard '" + text + "': say which of how many, from 1 on, as in 2/8");
  return s;
}

std::optional<Launched> launched(const Environment& variable) {
  for (const Launcher& l : kLaunchers) {
    const int rank = number(variable(l.rank)), size = number(variable(l.size));
    if (rank < 0 || size <= rank) continue;
    for (const char* name : l.job)
      if (std::string job = variable(name); !job.empty()) return Launched{{rank + 1, size}, job + variable("SLURM_STEP_ID")};
  }
  return std::nullopt;
}

std::vector<size_t> share_of(std::span<const double> weights, const Shard& shard) {
  std::vector<size_t> heaviest(weights.size());
  std::iota(heaviest.begin(), heaviest.end(), size_t{0});
  std::stable_sort(heaviest.begin(), heaviest.end(), [&](size_t a, size_t b) { return weights[a] > weights[b]; });
  std::vector<double> load(static_cast<size_t>(shard.of));
  std::vector<size_t> own;
  for (const size_t i : heaviest) {
    const auto least = std::min_element(load.begin(), load.end());
    *least += weights[i];
    if (least - load.begin() == shard.number - 1) own.push_back(i);
  }
  std::sort(own.begin(), own.end());
  return own;
}

}  // namespace pg
