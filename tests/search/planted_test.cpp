// Planted faults through the whole search: whatever candidates do, the search goes on, none of the planted ones wins, and
// the database says of each what was wrong with it.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>

#include "search/build.h"
#include "search/schedule.h"
#include "tests/renderers/linear_runs.h"
#include "tests/search/tune_fixture.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {

namespace fs = std::filesystem;

// One thread's launch takes longer than a sample at the least (TimeOptions::sample_ms): one sample is one launch.
constexpr int64_t kM = 128, kN = 192, kK = 256;

struct Fault {
  const char *name, *before, *after;  // C around the call of the honest kernel
  std::set<std::string> statuses;
  const char* reason;  // a part of it
};
const Fault kFaults[] = {
    {"segfault", "*(volatile int *)16 = 1;", "", {"crash"}, "SIGSEGV"},
    {"endless loop", "for (volatile long i = 0;; ++i) {}", "", {"timeout"}, "no end after"},
    {"illegal instruction", "__builtin_trap();", "", {"crash"}, "SIGILL"},
    {"20 GB",
     "volatile char *p = malloc(20ul << 30); for (unsigned long i = 0; i < 20ul << 30; i += 4096) p[i] = 1;",
     "",
     {"crash"},
     "SIGSEGV"},
    {"wrong everywhere", "", "for (long i = 0; i < SIZE; ++i) out[i] = 1 + i;", {"wrong"}, "expected"},
    {"wrong at the tail", "", "out[SIZE - 1] = 1000;", {"wrong"}, "element 24575 is 1000"},
    {"hole", "", "out[4711] = before;", {"wrong"}, "element 4711 of 24576 is not written"},
    {"past the end", "", "out[SIZE] = 1;", {"wrong"}, "buffer 0: written 0 bytes past its end"},
    {"another result each time", "", "out[7] = launches;", {"wrong"}, "element 7 of 24576 differs between two runs"},
    {"wrong later", "", "if (launches > 4) out[7] = 1;", {"wrong"}, "after it was timed"},
    {"works twice, then rests", "if (launches > 2) return;", "", {"wrong"}, "after it was timed"},
    {"past the end later", "", "if (launches > 4) out[SIZE] = 1;", {"wrong"}, "buffer 0: written 0 bytes past its end"},
    {"crashes later", "if (launches > 4) __builtin_trap();", "", {"crash"}, "SIGILL"},
    // It leads by its screening's three samples and falls when it is timed in turns with the leader before.
    {"crashes as leader",
     "if (launches > 2 && launches < 6) return; if (launches > 6) __builtin_trap();",
     "",
     {"ok", "crash"},
     "SIGILL"},
    {"slow",
     "for (int r = 0; r < 1000; ++r) { HONEST; __asm__ volatile(\"\" ::: \"memory\"); }",
     "",
     {"slow", "timeout"},
     " ms"},
    {"does not compile", "this is no C;", "", {"compile_error"}, "error:"},
    {"exits", "exit(0);", "", {"crash"}, "the process ended with status"},
    {"aborts", "abort();", "", {"crash"}, "SIGABRT"},
};
// It leads by its samples, in turns with the leader before too, and falls in the final.
const Fault kLateFault = {"crashes in the final",
                          "if (launches > 2 && launches < 6) return; if (launches > 12) __builtin_trap();",
                          "",
                          {"ok", "slow", "crash"},
                          ""};

Source planted(Source s, const Fault& fault) {
  const std::string parameters = "(void *const *buffers, const long *variables, void *scratch, long begin, long end)";
  s.text = "#define " + s.name + " honest\n" + s.text + "\n#undef " + s.name +
           "\n#define HONEST honest(buffers, variables, scratch, begin, end)\n#define SIZE " + std::to_string(kM * kN) +
           "\nextern void *malloc(unsigned long); extern void exit(int); extern void abort(void);\nvoid " + s.name +
           parameters + " {\n  static long launches; launches += begin == 0;\n" +
           "  float *out = (float *)buffers[0]; const float before = out[4711]; (void)before;\n" + fault.before +
           "\n  HONEST;\n" + fault.after + "\n}\n";
  return s;
}

/// The CPU, but for what it makes of candidates: each new one gets the next fault in turn. The default comes by `compile`.
class PlantedCpu final : public HostMemoryDevice {
 public:
  PlantedCpu(CpuDevice& cpu, std::vector<const Fault*> faults) : cpu_(cpu), faults_(std::move(faults)) {}
  const std::string& name() const override { return cpu_.name(); }
  const Target& target() const override { return cpu_.target(); }
  DeviceInfo info() const override { return cpu_.info(); }
  ToolchainInfo toolchain() const override { return cpu_.toolchain(); }
  Source render(const UOp& linear) const override { return cpu_.render(linear); }
  Artifact compile(const Source& s) override { return cpu_.compile(s); }
  std::shared_ptr<Program> load(const Artifact& a, const LaunchInfo& l) override { return cpu_.load(a, l); }
  std::vector<Artifact> compile_all(std::span<const Source> sources) override {
    std::vector<Artifact> all;
    for (const Source& s : sources) {
      const Fault* fault = asked(s.text);
      all.push_back(cpu_.compile(fault ? planted(s, *fault) : s));
    }
    return all;
  }

  /// What was planted into this text; null: nothing.
  const Fault* fault(const std::string& text) const {
    const auto found = planted_.find(text);
    return found == planted_.end() ? nullptr : found->second;
  }
  std::map<std::string, int> compiled;  // how often each text was asked for

 private:
  const Fault* asked(const std::string& text) {
    std::lock_guard lock(mutex_);
    ++compiled[text];
    return planted_.emplace(text, faults_[planted_.size() % faults_.size()]).first->second;
  }

  CpuDevice& cpu_;
  std::vector<const Fault*> faults_;  // null: an honest one
  std::mutex mutex_;
  std::map<std::string, const Fault*> planted_;
};

/// Processes that are this one's children or were started as its runners.
std::vector<std::string> runners() {
  const std::string self = std::to_string(getpid());
  std::vector<std::string> found;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator("/proc", gone)) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != pid.npos) continue;
    std::ifstream stat(entry.path() / "stat"), command(entry.path() / "cmdline", std::ios::binary);
    std::string line, program, protocol, parent;
    std::getline(stat, line);
    std::getline(command, program, '\0') && std::getline(command, protocol, '\0') && std::getline(command, parent, '\0');
    const bool child = line.find(") ") != line.npos && line.substr(line.rfind(") ") + 4).starts_with(self + " ");
    if (child || (program.ends_with("picograd-runner") && parent == self)) found.push_back(line);
  }
  return found;
}
int64_t open_files() {
  const fs::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}
int64_t peak_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/// A folder for whatever makes temporary files, of which nothing may stay.
struct TemporaryFiles {
  TemporaryFolder folder;
  const std::string before = environment("TMPDIR");
  TemporaryFiles() { setenv("TMPDIR", folder.path().c_str(), 1); }
  ~TemporaryFiles() { before.empty() ? unsetenv("TMPDIR") : setenv("TMPDIR", before.c_str(), 1); }
  bool empty() const { return fs::is_empty(folder.path()); }
};

struct PlantedSearch : TuneFixture {
  TestCpu cpu;
  UOp kernel = gemm(kM, kN, kK);

  /// What was planted into a schedule's code.
  const Fault* fault_of(const PlantedCpu& device, const std::string& schedule) {
    return device.fault(render_kernel(kernel, parse_opts(schedule), *cpu.device).text);
  }
  std::vector<MeasurementRow> rows() { return TuneFixture::rows(kernel, *cpu.device); }
  std::set<std::string> quarantined() {
    std::set<std::string> all;
    for (const auto& [schedule, why] : store->quarantined(winner_key(kernel, {}, *cpu.device))) all.insert(schedule);
    return all;
  }
  /// The second run met none of them, and their code under other opts neither.
  void check_left_alone(const PlantedCpu& device, const std::set<std::string>& refused) {
    const std::vector<MeasurementRow> all = rows();
    for (const MeasurementRow& row : all)
      if (row.run != all[0].run) CHECK(!refused.contains(row.schedule));
    for (const std::string& schedule : refused) {
      const std::string code = render_kernel(kernel, parse_opts(schedule), *cpu.device).text;
      if (!device.fault(code)->statuses.contains("compile_error")) CHECK(!device.compiled.contains(code));
    }
  }
  /// The winner is stored, has nothing planted, and computes what it should without the device in between.
  void check_winner(const PlantedCpu& device, const TuneResult& r) {
    const auto winner = store->winner(winner_key(kernel, {}, *cpu.device));
    REQUIRE(winner);
    CHECK(winner->schedule == text(r.opts));
    CHECK(winner->median_ms > 0);
    CHECK(fault_of(device, winner->schedule) == nullptr);
    CHECK(!quarantined().contains(winner->schedule));
    CHECK(store->check().empty());
    std::vector<float> a(kM * kK), b(kK * kN), out(kM * kN, NAN);
    for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 13) - 6;
    for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 7) - 3;
    const Built built = build(kernel, r.opts, *cpu.device);
    void* const buffers[] = {out.data(), a.data(), b.data()};
    built.program->launch(buffers, {}, evaluate(built.source.launch.items, {}, {}));
    size_t wrong = 0;
    for (int64_t m = 0; m < kM; ++m)
      for (int64_t n = 0; n < kN; ++n) {
        float sum = 0;  // of whole numbers: exact in any order
        for (int64_t k = 0; k < kK; ++k) sum += a[m * kK + k] * b[k * kN + n];
        wrong += out[m * kN + n] != sum;
      }
    CHECK(wrong == 0);
  }
};

}  // namespace

TEST_CASE_FIXTURE(PlantedSearch, "planted: no faulty candidate wins, each is told by what it did, none is tried again") {
  std::vector<const Fault*> turns;
  for (const Fault& f : kFaults) turns.push_back(&f);
  turns.insert(turns.begin(), {nullptr, nullptr});
  const TemporaryFiles temporary;
  PlantedCpu device(*cpu.device, turns);
  device.compile(render_kernel(kernel, heuristic(kernel, device.target()), device));  // what stays open from now on is known
  const int64_t files = open_files(), memory = peak_kilobytes();
  REQUIRE(runners().empty());

  const TuneResult first = tuned(kernel, device, 30, 2);
  CHECK(runners().empty());
  CHECK(open_files() == files);
  CHECK(temporary.empty());
  CHECK(peak_kilobytes() - memory < 1024 * 1024);
  check_winner(device, first);

  const std::set<std::string> refused = quarantined();
  CHECK(refused.size() >= std::size(kFaults) / 2);
  device.compiled.clear();
  check_winner(device, tuned(kernel, device, 10, 2));
  CHECK(!device.compiled.empty());
  check_left_alone(device, refused);
  CHECK(runners().empty());
  CHECK(temporary.empty());

  std::map<const Fault*, int> found;
  for (const MeasurementRow& row : rows()) {
    const Fault* fault = fault_of(device, row.schedule);
    const std::string name = fault ? fault->name : "none";
    CAPTURE(name);
    CAPTURE(row.schedule);
    CAPTURE(row.status);
    CAPTURE(row.reason);
    if (!fault) {
      CHECK((row.status == "ok" || row.status == "slow"));
      found[fault] += row.status == "ok";
      continue;
    }
    // Any may be given up as slow where other programs keep the machine busy, before its fault shows.
    const bool slow = row.status == "slow", expected = fault->statuses.contains(row.status);
    CHECK((expected || slow));
    found[fault] += expected && row.status != "ok";
    if (slow) continue;
    CHECK(quarantined().contains(row.schedule));  // what was right at first too
    if (row.status == "ok") continue;
    CHECK(row.reason.find(fault->reason) != row.reason.npos);
    CHECK(!row.verified);
  }
  CHECK(found[nullptr] >= 4);
  for (const Fault& f : kFaults) CHECK_MESSAGE(found[&f] >= 1, f.name);
}

TEST_CASE_FIXTURE(PlantedSearch, "planted: what leads until the final and fails there neither wins nor comes back") {
  PlantedCpu device(*cpu.device, {&kLateFault, nullptr, nullptr, nullptr});
  check_winner(device, tuned(kernel, device, 4));
  std::set<std::string> measured, failed;
  for (const MeasurementRow& row : rows()) {
    if (!fault_of(device, row.schedule)) continue;
    CHECK(kLateFault.statuses.contains(row.status));
    (row.status == "crash" ? failed : measured).insert(row.schedule);
  }
  REQUIRE(!failed.empty());
  CHECK(quarantined() == failed);
  CHECK(std::includes(measured.begin(), measured.end(), failed.begin(), failed.end()));  // it ran before
  device.compiled.clear();
  check_winner(device, tuned(kernel, device, 4));
  check_left_alone(device, failed);
}
