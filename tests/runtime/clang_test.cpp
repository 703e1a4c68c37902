// Both routes to Clang: what they make runs, what goes wrong is said, and the keys tell them apart.
#include "runtime/clang.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "runtime/clang_in_process.h"
#include "runtime/clang_process.h"
#include "runtime/cpu_device.h"
#include "runtime/process.h"
#include "runtime/shared_object.h"
#include "tests/renderers/sample_programs.h"

using namespace pg;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

const char* kTwice = "int twice(int x) { return 2 * x; }";

Config with(const std::string& compiler, const std::string& clang = "") {
  Config c;
  c.compiler = compiler;
  c.clang = clang;
  return c;
}
Config cached(const std::string& compiler, const std::string& cache, const std::string& isa = "native") {
  Config c = with(compiler);
  c.cache_dir = cache;
  c.isa = isa;
  c.threads = 1;
  return c;
}

/// The routes of this machine.
std::vector<std::shared_ptr<const Clang>> routes() {
  std::vector<std::shared_ptr<const Clang>> all;
  for (const char* name : {"inprocess", "spawn"}) {
    const FoundClang found = find_clang(with(name));
    if (found.clang)
      all.push_back(found.clang);
    else
      MESSAGE("skipped: " << found.missing);
  }
  return all;
}

const LoadedClangModule& none() {
  static const LoadedClangModule module{nullptr, "libpicograd-clang.so is not built"};
  return module;
}
size_t files_in(const std::string& directory) {
  size_t n = 0;
  for (const auto& f : std::filesystem::directory_iterator(directory)) n += f.path().filename().string().size() == 32;
  return n;
}

}  // namespace

TEST_CASE("either route makes shared objects that run") {
  for (const auto& clang : routes()) {
    CAPTURE(clang->version());
    CHECK(clang->version().starts_with("clang "));
    const SharedObject code(compile_shared_object(*clang, "x86-64-v3", kTwice));
    CHECK(reinterpret_cast<int (*)(int)>(code.symbol("twice"))(21) == 42);
    CHECK_THROWS_AS(code.symbol("thrice"), InternalError);
  }
}

TEST_CASE("either route says in Clang's words what is wrong with source and flags") {
  for (const auto& clang : routes()) {
    const auto compile = [&](const char* source, const std::string& flag = "-O2") { clang->compile(source, {flag}); };
    CHECK_THROWS_WITH_AS(compile("int f( { return undeclared; }"), doctest::Contains("refuses generated code"),
                         InternalError);
    CHECK_THROWS_WITH_AS(compile("int f() { return undeclared; }"), doctest::Contains("undeclared identifier 'undeclared'"),
                         InternalError);
    CHECK_THROWS_WITH_AS(compile("#include <stdio.h>\n#error here", "-nostdinc"), doctest::Contains("stdio.h"),
                         InternalError);
    CHECK_THROWS_WITH_AS(compile(kTwice, "-march=i-am-no-cpu"), doctest::Contains("i-am-no-cpu"), InternalError);
    CHECK_NOTHROW(compile(kTwice));
  }
}

TEST_CASE("flags mean the same by either route") {
  // Each shows in the code or is refused: an ISA's instructions, fma contraction, wrapping integers, the width of vectors.
  const auto object = [](const Clang& clang, const char* source, const std::string& isa) {
    return clang.compile(source, clang_flags(isa)).bytes;
  };
  const auto macros =
      "#if !defined(__AVX2__) || !defined(__FMA__)\n#error v3\n#endif\n"
      "#if defined(WIDE) != defined(__AVX512F__)\n#error v4\n#endif\n"
      "#ifndef __OPTIMIZE__\n#error O\n#endif\n#ifndef __PIC__\n#error PIC\n#endif\n";
  for (const auto& clang : routes()) {
    CHECK_NOTHROW(object(*clang, macros, "x86-64-v3"));
    CHECK_NOTHROW(object(*clang, (std::string("#define WIDE\n") + macros).c_str(), "x86-64-v4"));
    CHECK_THROWS_AS(object(*clang, macros, "x86-64-v4"), InternalError);
    // x*x - 1 with x = 1 + 2^-12: two roundings lose the 2^-24 that one would keep; and INT_MAX + 1 < INT_MAX.
    const SharedObject code(compile_shared_object(
        *clang, "x86-64-v3", "float square(float x) { return x * x - 1; }\nint wraps(int x) { return x + 1 < x; }"));
    CHECK(reinterpret_cast<float (*)(float)>(code.symbol("square"))(1 + 0x1p-12f) == 0x1p-11f);
    CHECK(reinterpret_cast<int (*)(int)>(code.symbol("wraps"))(INT32_MAX) == 1);
  }
}

// In a process of its own: doctest takes over the signals with every case that it begins.
TEST_CASE("a crash of Clang is an error of this one kernel") {
  if (kSanitized) {
    MESSAGE("skipped: what a crash leaves behind are leaks to a sanitizer");
    return;
  }
  const auto one =
      run_process({std::filesystem::read_symlink("/proc/self/exe").string(), "--no-skip", "--test-case=Clang crashes"});
  REQUIRE(one);
  CAPTURE(one->out);
  CHECK(one->status == 0);
}
TEST_CASE("Clang crashes" * doctest::skip()) {
  for (const auto& clang : routes()) {
    CHECK_THROWS_AS(clang->compile("#pragma clang __debug crash\n", {"-O2"}), InternalError);
    CHECK_THROWS_AS(clang->compile("#pragma clang __debug llvm_fatal_error\n", {"-O2"}), InternalError);
    CHECK_NOTHROW(clang->compile(kTwice, {"-O2"}));
  }
}

TEST_CASE("one Clang in process compiles for several threads at once, every time the same") {
  const LoadedClangModule& module = clang_module();
  if (!module.clang) {
    MESSAGE("skipped: " << module.missing);
    return;
  }
  const auto source = [](int i) { return "int f(int x) { return x + " + std::to_string(i) + "; }"; };
  std::vector<std::string> want;
  for (int i = 0; i < 4; ++i) want.push_back(module.clang->compile(source(i), clang_flags("x86-64-v3")).bytes);
  std::vector<std::string> wrong(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int n = 0; n < 6; ++n) {
        const int i = (n + t) % 4;
        // Flags that no thread has used before, too: each set is read once.
        if (module.clang->compile(source(i), clang_flags("x86-64-v3")).bytes != want[static_cast<size_t>(i)])
          wrong[t] = "differs";
        if (module.clang->compile(source(i), {"-O1", "-DN=" + std::to_string(n)}).bytes.empty()) wrong[t] = "empty";
      }
    });
  for (std::thread& t : threads) t.join();
  for (const std::string& w : wrong) CHECK(w == "");
}

TEST_CASE("which route: what was asked for, the library where it is, a named compiler before it") {
  const auto there = [](const FoundClang& found) { return found.clang && !found.clang->version().ends_with("s"); };
  const FoundClang spawned = choose_clang(with("auto"), none);
  CHECK(
      spawned.note ==
      "not in process: libpicograd-clang.so is not built; run ./picograd setup --full, which installs LLVM's libraries and "
      "builds it");
  CHECK(there(spawned) == (ClangProcess::find("") != nullptr));
  const FoundClang missing = choose_clang(with("inprocess"), none);
  CHECK(!missing.clang);
  CHECK(missing.missing ==
        "PICOGRAD_COMPILER=inprocess: libpicograd-clang.so is not built: run ./picograd setup --full, which installs LLVM's "
        "libraries and builds it, or set PICOGRAD_COMPILER=auto");
  CHECK(find_clang(with("spawn")).note == "not in process: PICOGRAD_COMPILER=spawn");
  const FoundClang named = find_clang(with("auto", "/nowhere/clang"));
  CHECK(!named.clang);
  CHECK(named.missing.starts_with("PICOGRAD_CLANG=/nowhere/clang is not a clang that runs"));
  CHECK(named.note == "not in process: PICOGRAD_CLANG names a compiler");
  if (clang_module().clang) {
    CHECK(find_clang(with("auto")).clang == clang_module().clang);
    CHECK(find_clang(with("inprocess", "/nowhere/clang")).clang == clang_module().clang);
    CHECK(find_clang(with("auto")).note == "");
  }
}

TEST_CASE("what is no module of ours is refused") {
  CHECK(load_clang_module("/nowhere/module.so").missing.starts_with("cannot load /nowhere/module.so"));
  CHECK(load_clang_module("libm.so.6").missing == "libm.so.6 was built for another picograd");
}

TEST_CASE("an artifact is found again by the same route and for the same instructions only") {
  const TemporaryDirectory t;
  const std::string cache = t.path() + "/artifacts";
  const UOp linear = matmul(4, 20, 5);
  size_t expected = 0;
  std::vector<std::string> toolchains;
  for (const char* route : {"inprocess", "spawn"})
    for (const char* isa : {"native", "x86-64-v3", "x86-64-v4"}) {
      CpuDevice device(cached(route, cache, isa));
      if (!device.compiler().clang) {
        MESSAGE("skipped: " << device.compiler().missing);
        break;
      }
      CAPTURE(route);
      CAPTURE(isa);
      CHECK(device.compile(device.render(linear)).compile_ms > 0);
      CHECK(files_in(cache) == ++expected);
      CHECK(device.compile(device.render(linear)).compile_ms == 0);
      CHECK(files_in(cache) == expected);
      CHECK(std::count(toolchains.begin(), toolchains.end(), device.toolchain().id) == 0);
      toolchains.push_back(device.toolchain().id);
    }
}
