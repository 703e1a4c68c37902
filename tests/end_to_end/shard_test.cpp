// Several processes tune one model: each a share of its kernels, and what they found becomes one database.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/end_to_end/program.h"

using namespace pg;
using nlohmann::json;

namespace {

std::vector<std::string> tune(const std::vector<std::string>& more) {
  std::vector<std::string> all = {"--beam", "1", "--budget", "2s", "--threads", "1", "tune", "llama", "--config", "tiny"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}
/// What a winner is of.
std::set<std::string> winners(CommandLine& picograd, const std::string& database) {
  std::set<std::string> all;
  const json listed = json::parse(picograd.ok({"--db", database, "db", "list", "--json"}).out);
  for (const json& w : listed["winners"]) all.insert(w["kernel"].get<std::string>() + " " + w["bucket"].get<std::string>());
  return all;
}

}  // namespace

TEST_CASE("shards: each tunes kernels of its own into a database of its own, and merged they are one") {
  CommandLine picograd;
  const std::string first = picograd.folder / "1.db", second = picograd.folder / "2.db";
  picograd.ok(tune({"--shard", "1/2", "--out", first}));
  const Outcome o = picograd.ok(tune({"--shard", "2/2", "--out", second}));
  CHECK(contains(o.out, "shard 2 of 2; winners go to " + second));
  const std::set<std::string> a = winners(picograd, first), b = winners(picograd, second);
  CHECK(!a.empty());
  CHECK(!b.empty());
  for (const std::string& w : a) CHECK(!b.contains(w));
  CHECK(winners(picograd, picograd.database()).empty());  // a snapshot stays as it is
  CHECK(!contains(o.out, "plan "));
  picograd.ok({"db", "merge", first, second});
  std::set<std::string> both = a;
  both.insert(b.begin(), b.end());
  CHECK(winners(picograd, picograd.database()) == both);
  check_error(picograd.run(tune({"--shard", "3/2"})), 1, {"--shard '3/2'", "2/8"});
  check_error(picograd.run(tune({"--shard", "1/2", "--mpi"})), 2, {"--mpi"});
}

TEST_CASE("a database apart gets the plans too, and its kernels are theirs") {
  CommandLine picograd;
  const std::string apart = picograd.folder / "apart.db";
  CHECK(contains(picograd.ok(tune({"--out", apart})).out, "plan "));
  const auto plans = [&](const std::string& database) {
    return json::parse(picograd.ok({"--db", database, "db", "stats", "--json"}).out)["plans"].get<int>();
  };
  CHECK(plans(apart) > 0);
  CHECK(plans(picograd.database()) == 0);
}

TEST_CASE("shards: the processes of a launcher share the kernels out, and the first merges") {
  CommandLine ranks[2];
  const std::string database = ranks[0].database();
  pid_t pids[2];
  for (int i = 0; i < 2; ++i) {
    ranks[i].environment.insert({{"OMPI_COMM_WORLD_RANK", std::to_string(i)},
                                 {"OMPI_COMM_WORLD_SIZE", "2"},
                                 {"PMIX_NAMESPACE", "a job/1"}});
    ranks[i].environment["PICOGRAD_DB"] = database;
    pids[i] = ranks[i].start(tune({"--mpi"}));
  }
  for (int i = 0; i < 2; ++i) {
    const Outcome o = ranks[i].finish(pids[i]);
    INFO(o.err);
    REQUIRE(o.status == 0);
    CHECK(contains(o.out, "shard " + std::to_string(i + 1) + " of 2"));
    CHECK(contains(o.out, "plan ") == (i == 0));
    if (i == 0) CHECK(contains(o.out, "winners of 2 processes merged into " + database));
  }
  CHECK(winners(ranks[0], database).size() >= 2);
  for (const auto& entry : fs::directory_iterator(ranks[0].folder.path()))  // theirs are gone
    CHECK_MESSAGE((!contains(entry.path().filename().string(), "-of-") && entry.path().extension() != ".plans"),
                  entry.path());
  check_error(ranks[0].run({"--db", database, "tune", "llama", "--config", "tiny", "--shard", "a"}), 1, {"--shard 'a'"});
}

TEST_CASE("shards: mpirun starts them, where there is one") {
  CommandLine picograd;
  std::string mpirun;
  for (const char* path : {"/usr/bin/mpirun", "/usr/local/bin/mpirun"})
    if (fs::exists(path)) mpirun = path;
  if (mpirun.empty()) {
    MESSAGE("skipped: no mpirun");
    return;
  }
  picograd.program = mpirun;
  picograd.environment.insert({{"OMPI_ALLOW_RUN_AS_ROOT", "1"}, {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}});
  std::vector<std::string> arguments = {"-n", "2", "--oversubscribe", kProgram};
  for (const std::string& a : tune({"--mpi"})) arguments.push_back(a);
  const Outcome o = picograd.finish(picograd.start(arguments));
  INFO(o.err);
  REQUIRE(o.status == 0);
  CHECK(contains(o.out, "winners of 2 processes merged into " + picograd.database()));
  picograd.program = kProgram;
  CHECK(winners(picograd, picograd.database()).size() >= 2);
}

TEST_CASE("shards: the array script of Slurm tunes its share, and leaves the merge to a job behind it") {
  CommandLine picograd;
  const std::string folder = picograd.folder / "shared";
  fs::create_directory(folder);
  fs::create_directory(picograd.folder / "bin");
  // The scheduler's part: it notes what it is asked for.
  write_file(picograd.folder / "bin/sbatch", "#!/bin/sh\necho \"$@\" >> " + folder + "/asked\n");
  fs::permissions(picograd.folder / "bin/sbatch", fs::perms::owner_all);
  picograd.program = PICOGRAD_SOURCE_DIR "/bench/tune.slurm";
  picograd.environment["PATH"] = (picograd.folder / "bin") + ":" + picograd.environment["PATH"];
  picograd.environment.insert({{"PICOGRAD", kProgram},
                               {"SLURM_ARRAY_JOB_ID", "7"},
                               {"SLURM_ARRAY_TASK_COUNT", "2"},
                               {"SLURM_ARRAY_TASK_MIN", "1"}});
  for (const char* task : {"1", "2"}) {
    picograd.environment["SLURM_ARRAY_TASK_ID"] = task;
    std::vector<std::string> arguments = tune({});
    arguments.insert(arguments.begin(), folder);
    const Outcome o = picograd.run(arguments);
    INFO(o.err);
    REQUIRE(o.status == 0);
  }
  const std::string asked = file_text(folder + "/asked");
  CHECK(std::count(asked.begin(), asked.end(), '\n') == 1);
  CHECK(contains(asked, "afterany:7"));
  CHECK(contains(asked, "db merge"));
  picograd.program = kProgram;
  const std::set<std::string> a = winners(picograd, folder + "/shard-1.db"), b = winners(picograd, folder + "/shard-2.db");
  CHECK(!a.empty());
  CHECK(!b.empty());
  for (const std::string& w : a) CHECK(!b.contains(w));
}

TEST_CASE("shards: without a launcher --mpi says what to do") {
  CommandLine picograd;
  check_error(picograd.run(tune({"--mpi"})), 1, {"--mpi", "mpirun -n N"});
}
