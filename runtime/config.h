#pragma once
#include <functional>
#include <string>
#include <vector>

namespace pg {

/// Every environment variable that picograd reads, read once (config.cpp is the only file that calls getenv).
struct Config {
  int beam = 0;                   // BEAM: width of the beam; 0: cached winner, else heuristic
  int debug = 0;                  // DEBUG: 1 devices, 2 a line per kernel, 3 opts, 4 source, 5 UOps, 6 rewrite trace
  int threads = 0;                // THREADS: cores a launch may use; 0: all
  std::string device = "CPU";     // DEVICE: CPU, REF, CUDA (the first GPU), CUDA:N
  std::string isa = "native";     // ISA: native, x86-64-v3, x86-64-v4
  std::string db;                 // PICOGRAD_DB: the schedule database; default $XDG_CACHE_HOME/picograd/picograd.db
  std::string cache_dir;          // PICOGRAD_CACHE: compiled artifacts; default beside the database
  std::string clang;              // PICOGRAD_CLANG: path of clang; default: clang-19, clang-18 .. clang-14, clang on PATH
  std::string compiler = "auto";  // PICOGRAD_COMPILER: auto, inprocess, spawn
  std::string cuda_home;          // CUDA_HOME, else CUDA_PATH: a CUDA toolkit, where NVRTC is looked for first
  double budget = 0;              // BUDGET: seconds of search in all; 0: no limit
  double rounding = 5;            // ROUNDING: how many times a plain sum's rounding error a plan may have; 1: no more
  std::string pretuned;           // PICOGRAD_PRETUNED: folder of winners that came with picograd; none: take none
  std::string xgboost;            // PICOGRAD_XGBOOST: libxgboost, or none; default: libxgboost.so.0 where the linker looks
  std::string runner;             // PICOGRAD_RUNNER: path of picograd-runner; default: beside the program or ../libexec
};
/// The configuration of this process. Throws UserError naming the variable when a value does not parse.
const Config& config();
/// Command-line options override the environment: called by the CLI before anything else reads it, and by tests.
void set_config(Config);
/// CPU, REF, CUDA, CUDA:N
bool is_device_name(const std::string&);
/// Looks a variable up; empty: not set.
using Environment = std::function<std::string(const char* name)>;
/// That of this process, for what is not ours: what a launcher of many processes says.
std::string environment(const char* name);
Config config_from(const Environment& lookup);
struct ConfigVariable {
  const char *name, *value, *meaning;  // value: the form of its value with the default
};
/// The table `picograd help` prints.
const std::vector<ConfigVariable>& config_variables();

}  // namespace pg
