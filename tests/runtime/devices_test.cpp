#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "runtime/clang_process.h"
#include "runtime/memory.h"
#include "runtime/ref_device.h"
#include "tests/renderers/sample_programs.h"
#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"

using namespace pg;
namespace fs = std::filesystem;

namespace {
Config config_with(const std::string& cache, const std::string& clang = "") {
  Config c;
  c.threads = 2;
  c.cache_dir = cache;
  c.clang = clang;
  return c;
}
std::string file_in(const std::string& dir) {
  for (const auto& f : fs::directory_iterator(dir))
    if (f.path().filename().string().size() == 32) return f.path().string();
  return "";
}
void check_runs(Device& device, const UOp& linear) {
  const Source s = device.render(linear);
  const auto program = device.load(device.compile(s), s.launch);
  Buffers expected = random_buffers(linear, 7), got = expected;
  run_reference(linear, expected);
  run_program(*program, linear, got);
  CHECK(difference(linear, expected, got) == "");
}
}  // namespace

TEST_CASE("REF runs what it is sent as text") {
  RefDevice ref;
  check_runs(ref, matmul(4, 20, 5));
  CHECK(ref.target().isa == "ref");
  const UOp linear = prefix_sums();
  const Source s = ref.render(linear);
  const auto program = ref.load(ref.compile(s), s.launch);
  Buffers expected = random_buffers(linear, 1), got = expected;
  run_reference(linear, expected, {9, 2});
  run_program(*program, linear, got, {9, 2});
  CHECK(difference(linear, expected, got) == "");
}

TEST_CASE("parts of a sum, computed by several threads, are merged when all are there") {
  // More items than threads, of several rows each; the last part is a short one.
  const UOp linear =
      lower(test::scheduled(test::gemm(8, 32, 1000), {"k grid", "m grid", "n", "k:96", "n:8 vec", "m:2 upcast"}), Target{});
  REQUIRE(launch_info(linear).phases.size() == 2);
  const int64_t m = 8, n = 32, k = 1000;
  std::vector<float> a(m * k), b(k * n), want(m * n), got(m * n);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 7) - 3;
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 5) - 2;
  for (int64_t x = 0; x < m * n; ++x)
    for (int64_t i = 0; i < k; ++i) want[x] += a[x / n * k + i] * b[i * n + x % n];  // whole numbers: exact in any order
  TestCpu two("native", 2), one("native", 1);
  RefDevice ref;
  for (Device* device : std::initializer_list<Device*>{two.device.get(), one.device.get(), &ref}) {
    CAPTURE(device->name());
    const Source s = device->render(linear);
    const auto program = device->load(device->compile(s), s.launch);
    for (int launches = 0; launches < (device == &ref ? 1 : 200); ++launches) {
      std::fill(got.begin(), got.end(), -1.0f);
      program->launch(std::vector<void*>{got.data(), a.data(), b.data()}, {}, *const_int(s.launch.items));
      REQUIRE(got == want);
    }
  }
}

TEST_CASE("a compiled kernel is found again; a tampered one is compiled again") {
  const TemporaryDirectory t;
  const std::string dir = t.path() + "/artifacts";
  const UOp linear = matmul(4, 20, 5);
  {
    CpuDevice cpu(config_with(dir));
    CHECK(cpu.compile(cpu.render(linear)).compile_ms > 0);
    CHECK(cpu.compile(cpu.render(linear)).compile_ms == 0);
  }
  CpuDevice again(config_with(dir));
  CHECK(again.compile(again.render(linear)).compile_ms == 0);
  {
    std::fstream f(file_in(dir), std::ios::in | std::ios::out | std::ios::binary);
    f.seekp(2000);
    f.put('\x5a').put('\x5b').put('\x5c');
  }
  CHECK(again.compile(again.render(linear)).compile_ms > 0);
  check_runs(again, linear);
}

TEST_CASE("without a compiler: cached kernels run, others say what to install") {
  const TemporaryDirectory t;
  const std::string dir = t.path() + "/artifacts";
  const UOp known = matmul(4, 20, 5), unknown = matmul(4, 20, 6);
  std::string toolchain;
  {
    CpuDevice cpu(config_with(dir));
    cpu.compile(cpu.render(known));
    toolchain = cpu.toolchain().id;
  }
  CpuDevice bare(config_with(dir, "/nowhere/clang"));
  CHECK(!bare.compiler().clang);
  CHECK(bare.toolchain().id == toolchain);
  check_runs(bare, known);
  CHECK_THROWS_WITH_AS(bare.compile(bare.render(unknown)), doctest::Contains("install clang-19"), UserError);
  CHECK_THROWS_WITH_AS(bare.compile(bare.render(unknown)), doctest::Contains("PICOGRAD_CLANG=/nowhere/clang"), UserError);
  CHECK(missing_clang("").find("no C compiler found: install clang-19 (apt-get install clang-19), or set PICOGRAD_CLANG") ==
        0);
}

TEST_CASE("a program that is no clang is none") {
  CHECK(!ClangProcess::find("/bin/true"));
  CHECK(!ClangProcess::find("/bin/false"));
}

TEST_CASE("generated code that does not compile shows the compiler's words") {
  const TemporaryDirectory t;
  CpuDevice cpu(config_with(t.path() + "/artifacts"));
  Source bad = cpu.render(matmul(4, 20, 5));
  bad.text = "int f( { return undeclared; }";
  CHECK_THROWS_WITH_AS(cpu.compile(bad), doctest::Contains("error:"), InternalError);
  CHECK_THROWS_WITH_AS(cpu.compile(bad), doctest::Contains("while compiling matmul"), InternalError);
}

TEST_CASE("compiling from several threads, loading and unloading many") {
  const TemporaryDirectory t;
  CpuDevice cpu(config_with(t.path() + "/artifacts"));
  const UOp a = matmul(2, 16, 3), b = matmul(2, 32, 4);
  const Source sa = cpu.render(a), sb = cpu.render(b);
  Artifact made[4];
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) workers.emplace_back([&, i] { made[i] = cpu.compile(i % 2 ? sb : sa); });
  for (auto& w : workers) w.join();
  // Descriptors and addresses are used again: each load must be the code that was asked for.
  for (int i = 0; i < 100; ++i) {
    const bool first = i % 3 == 0;
    const UOp& linear = first ? a : b;
    const auto program = cpu.load(made[first ? 0 : 1], (first ? sa : sb).launch);
    Buffers expected = random_buffers(linear, 7), got = expected;
    run_reference(linear, expected);
    run_program(*program, linear, got);
    REQUIRE(difference(linear, expected, got) == "");
  }
}

TEST_CASE("a launch with the wrong number of arguments is refused") {
  TestCpu cpu;
  const auto program = cpu.load(matmul(4, 20, 5));
  CHECK_THROWS_WITH_AS(program->launch({}, {}, 1), doctest::Contains("0 buffers and 0 variables instead of 3 and 0"),
                       InternalError);
}

TEST_CASE("loading what is no shared object says so") {
  TestCpu cpu;
  CHECK_THROWS_AS(cpu.device->load({"kernel", "not an ELF file", 0}, launch_info(matmul(4, 20, 5))), InternalError);
}

TEST_CASE("identities: the CPU's hold the machine, and are the same every time") {
  const TemporaryDirectory t;
  const Config c = config_with(t.path());
  CpuDevice one(c), two(c);
  CHECK(one.info().id == two.info().id);
  CHECK(one.toolchain().id == two.toolchain().id);
  CHECK(one.info().id.size() == 32);
  CHECK(one.info().json.find("\"l2\":") != std::string::npos);
  CHECK(one.toolchain().json.find("\"codegen\":" + std::to_string(kCodegenVersion)) != std::string::npos);
  Config v3 = c;
  v3.isa = "x86-64-v3";
  CpuDevice narrow(v3);
  CHECK(narrow.target().vector_bytes == 32);
  CHECK(narrow.info().id != one.info().id);
  CHECK(narrow.toolchain().id != one.toolchain().id);
}

TEST_CASE("reports name every device and a remedy for what is missing") {
  const auto reports = device_reports();
  REQUIRE(reports.size() >= 3);
  CHECK(reports[0].name == "CPU");
  CHECK(reports[1].found);
  CHECK(reports[2].name.starts_with("CUDA"));
  for (const auto& r : reports) {
    CHECK(!r.what.empty());
    CHECK(r.found == r.remedy.empty());
  }
}

TEST_CASE("a GPU that is not there is an error with its remedy, a name that is none an unknown device") {
  const auto reports = device_reports();
  if (reports[2].name == "CUDA")  // no GPU here
    CHECK_THROWS_WITH_AS(device("CUDA"), ("CUDA:0: " + reports[2].what + ": " + reports[2].remedy).c_str(), UserError);
  CHECK_THROWS_AS(device("CUDA:999"), UserError);
  CHECK_THROWS_WITH_AS(device("CUDA:x"), doctest::Contains("unknown device CUDA:x"), UserError);
}

TEST_CASE("unknown devices are refused") {
  CHECK_THROWS_WITH_AS(device("TPU"), "unknown device TPU: there are CPU, REF and CUDA:0, CUDA:1, ..", UserError);
}

TEST_CASE("memory: aligned, pooled by size, counted; borrowed memory keeps its owner") {
  RefDevice ref;
  const MemoryUse before = memory_use();
  void* first = nullptr;
  {
    Memory a(ref, 1000), b(ref, 5 << 20), nothing(ref, 0);
    first = a.data();
    CHECK(reinterpret_cast<uintptr_t>(a.data()) % 64 == 0);
    CHECK(reinterpret_cast<uintptr_t>(b.data()) % (2 << 20) == 0);
    CHECK(nothing.data() != nullptr);
    CHECK(memory_use().live >= before.live + 1000 + (5 << 20));
  }
  CHECK(memory_use().live == before.live);
  CHECK(memory_use().live + memory_use().pooled <= memory_use().peak);
  CHECK(Memory(ref, 990).data() == first);  // the same class
  auto owner = std::make_shared<int>(42);
  auto view = Memory::borrow(ref, owner.get(), sizeof(int), owner);
  CHECK(owner.use_count() == 2);
  view.reset();
  CHECK(owner.use_count() == 1);
  CHECK_THROWS_WITH_AS(Memory(ref, size_t{1} << 60), doctest::Contains("not enough memory for"), UserError);
}

TEST_CASE("expressions of Variables") {
  const UOp n = variable("n", 0, 100), m = variable("m", 0, 100);
  const UOp vars[] = {m, n};
  const int64_t values[] = {3, 17};
  CHECK(evaluate(ceildiv(n, 8) * m + iconst(1), vars, values) == 10);
  CHECK(evaluate(iconst(5), {}, {}) == 5);
}
