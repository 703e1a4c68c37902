// The one file that reads the environment.
#include "runtime/config.h"

#include <charconv>
#include <cstdlib>
#include <functional>

#include "uops/error.h"

namespace pg {

namespace {

/// A variable of the environment, its field, and how its value reads.
struct Row {
  ConfigVariable shown;
  std::string (*set)(Config&, const std::string& value);  // what the value should have been; empty: set
};

template <class T, T Config::*field>
std::string number(Config& c, const std::string& value) {
  T x{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), x);
  if (error != std::errc() || end != value.data() + value.size() || !(x >= 0) || x > T(1e9)) return "a number, 0 or more";
  c.*field = x;
  return {};
}
template <std::string Config::*field>
std::string word(Config& c, const std::string& value) {
  c.*field = value;
  return {};
}
std::string device(Config& c, const std::string& value) {
  if (!is_device_name(value)) return "CPU, REF, CUDA or CUDA:N";
  c.device = value;
  return {};
}
std::string cuda_path(Config& c, const std::string& value) {
  if (c.cuda_home.empty()) c.cuda_home = value;
  return {};
}
std::string isa(Config& c, const std::string& value) {
  if (value != "native" && value != "x86-64-v3" && value != "x86-64-v4") return "native, x86-64-v3 or x86-64-v4";
  c.isa = value;
  return {};
}
std::string compiler(Config& c, const std::string& value) {
  if (value != "auto" && value != "inprocess" && value != "spawn") return "auto, inprocess or spawn";
  c.compiler = value;
  return {};
}

constexpr Row kRows[] = {
    {{"BEAM", "N (0)", "width of the beam search; 0: the cached winner, else the heuristic"}, number<int, &Config::beam>},
    {{"BUDGET", "SECONDS (0)", "seconds of search in all; 0: no limit"}, number<double, &Config::budget>},
    {{"CUDA_HOME", "DIR (/usr/local/cuda*, ..)", "a CUDA toolkit: where NVRTC is looked for first"},
     word<&Config::cuda_home>},
    {{"CUDA_PATH", "DIR", "the same, where CUDA_HOME is not set"}, cuda_path},
    {{"DEBUG", "0..6 (0)", "1 devices, 2 a line per kernel, 3 opts, 4 source, 5 UOps, 6 rewrite trace"},
     number<int, &Config::debug>},
    {{"DEVICE", "CPU|REF|CUDA[:N] (CPU)", "where kernels run; REF: the interpreter; CUDA: an NVIDIA GPU"}, device},
    {{"ISA", "native|x86-64-v3|x86-64-v4 (native)", "instruction set of generated code"}, isa},
    {{"ROUNDING", "X (5)",
      "how many times a plain sum's rounding error a convolution may have; 1: no Winograd, 1.5: F(2,3)"},
     number<double, &Config::rounding>},
    {{"THREADS", "N (0)", "cores a launch may use; 0: all"}, number<int, &Config::threads>},
    {{"PICOGRAD_CACHE", "DIR (beside the database)", "compiled kernels"}, word<&Config::cache_dir>},
    {{"PICOGRAD_CLANG", "PATH (clang-19 .. clang-14, clang)", "the compiler of the CPU device"}, word<&Config::clang>},
    {{"PICOGRAD_COMPILER", "auto|inprocess|spawn (auto)",
      "Clang as a library or as a child process; auto: the library where it is"},
     compiler},
    {{"PICOGRAD_DB", "FILE ($XDG_CACHE_HOME/picograd/picograd.db)", "the schedule database"}, word<&Config::db>},
    {{"PICOGRAD_PRETUNED", "DIR|none (beside the program)",
      "schedules that came with picograd, taken where a database has none of the device"},
     word<&Config::pretuned>},
    {{"PICOGRAD_RUNNER", "PATH (beside the program)", "picograd-runner, which times candidates"}, word<&Config::runner>},
    {{"PICOGRAD_XGBOOST", "FILE|none (libxgboost.so.0)", "XGBoost, which learns from measured candidates what to try next"},
     word<&Config::xgboost>},
};

/// The XDG specification: a relative path is to be ignored.
std::string cache_home(const Environment& lookup) {
  const std::string xdg = lookup("XDG_CACHE_HOME"), home = lookup("HOME");
  if (!xdg.empty() && xdg[0] == '/') return xdg;
  return home.empty() ? "/tmp" : home + "/.cache";
}

/// The artifacts lie beside the database unless told otherwise.
Config with_default_paths(Config c, const std::string& home) {
  if (c.db.empty()) c.db = home + "/picograd/picograd.db";
  if (c.cache_dir.empty()) {
    const size_t slash = c.db.rfind('/');
    c.cache_dir = (slash == c.db.npos ? "." : c.db.substr(0, slash)) + "/artifacts";
  }
  return c;
}

Config& chosen() {
  static Config c = config_from(environment);
  return c;
}

}  // namespace

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Config config_from(const Environment& lookup) {
  Config c;
  for (const Row& row : kRows) {
    const std::string value = lookup(row.shown.name);
    if (value.empty()) continue;
    const std::string meant = row.set(c, value);
    if (!meant.empty()) throw UserError(std::string(row.shown.name) + "=" + value + ": should be " + meant);
  }
  return with_default_paths(std::move(c), cache_home(lookup));
}

bool is_device_name(const std::string& s) {
  const bool numbered =
      s.starts_with("CUDA:") && s.size() > 5 && s.size() < 10 && s.find_first_not_of("0123456789", 5) == s.npos;
  return s == "CPU" || s == "REF" || s == "CUDA" || numbered;
}

const Config& config() { return chosen(); }
void set_config(Config c) { chosen() = with_default_paths(std::move(c), cache_home(environment)); }

const std::vector<ConfigVariable>& config_variables() {
  static const std::vector<ConfigVariable> all = [] {
    std::vector<ConfigVariable> v;
    for (const Row& row : kRows) v.push_back(row.shown);
    return v;
  }();
  return all;
}

}  // namespace pg
