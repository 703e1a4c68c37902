#include "src/cli/shard.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

#include "uops/error.h"

using namespace pg;

TEST_CASE("shard: i/n, from 1 on") {
  CHECK(parse_shard("2/8").number == 2);
  CHECK(parse_shard("2/8").of == 8);
  CHECK(parse_shard("1/1").whole());
  for (const char* wrong : {"", "2", "0/8", "9/8", "-1/8", "1/0", "a/b", "1/2/3", "1/ 2", "1.5/2", "99999999999/2"})
    CHECK_THROWS_WITH_AS(parse_shard(wrong), doctest::Contains("say which of how many"), UserError);
}

TEST_CASE("shard: every piece is one shard's, and no shard has much more than another") {
  std::mt19937 random(3);
  for (int t = 0; t < 200; ++t) {
    std::vector<double> weights(random() % 40);
    for (double& w : weights) w = std::exp(std::uniform_real_distribution<>(-3, 3)(random));
    const int of = 1 + static_cast<int>(random() % 9);
    std::vector<int> taken(weights.size());
    std::vector<double> load;
    for (int i = 1; i <= of; ++i) {
      const std::vector<size_t> own = share_of(weights, {i, of});
      CHECK(std::is_sorted(own.begin(), own.end()));
      load.push_back(0);
      for (size_t k : own) ++taken[k], load.back() += weights[k];
    }
    CHECK(std::all_of(taken.begin(), taken.end(), [](int n) { return n == 1; }));
    if (weights.empty()) continue;
    const auto [least, most] = std::minmax_element(load.begin(), load.end());
    CHECK(*most - *least <= *std::max_element(weights.begin(), weights.end()) + 1e-9);
  }
}

TEST_CASE("shard: what a launcher says of this process") {
  const auto rank = [](const std::map<std::string, std::string>& variables) {
    const auto l = launched([&](const char* name) { return variables.contains(name) ? variables.at(name) : ""; });
    return l ? std::to_string(l->shard.number) + "/" + std::to_string(l->shard.of) + " " + l->job : "none";
  };
  CHECK(rank({}) == "none");
  CHECK(rank({{"OMPI_COMM_WORLD_RANK", "2"}, {"OMPI_COMM_WORLD_SIZE", "4"}, {"PMIX_NAMESPACE", "job7"}}) == "3/4 job7");
  CHECK(rank({{"OMPI_COMM_WORLD_RANK", "4"}, {"OMPI_COMM_WORLD_SIZE", "4"}, {"PMIX_NAMESPACE", "job7"}}) == "none");
  CHECK(rank({{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "4"}}) == "none");  // which launch, nobody knows
  CHECK(rank({{"PMI_RANK", "0"}, {"PMI_SIZE", "2"}, {"PMI_JOBID", "x"}}) == "1/2 x");
  CHECK(rank({{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "2"}, {"SLURM_JOB_ID", "31"}, {"SLURM_STEP_ID", ".0"}}) == "2/2 31.0");
}
