#include "runtime/scratch.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "uops/error.h"

using namespace pg;

namespace {
/// The signal that a child dies of when it does this; 0: none.
int signal_of(auto&& act) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL);  // a sanitizer would report it
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    act();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
bool aligned(const void* p, size_t to) { return reinterpret_cast<uintptr_t>(p) % to == 0; }
}  // namespace

TEST_CASE("scratch: a page at least, large pages where it is large") {
  for (const int64_t bytes : {1, 100, 4096, 5000, 300'000}) {
    ScratchMemory m;
    CHECK(aligned(m.at_least(bytes), 4096));
  }
  for (const int64_t bytes : {512 << 10, 3 << 20}) {
    ScratchMemory m;
    CHECK(aligned(m.at_least(bytes), 2 << 20));
  }
}

TEST_CASE("scratch: all of it can be written, and it is the same until it must grow") {
  ScratchMemory m;
  auto* first = static_cast<char*>(m.at_least(10'000));
  std::memset(first, 1, 10'000);
  CHECK(m.at_least(500) == first);
  CHECK(m.at_least(10'000) == first);
  CHECK(first[9999] == 1);
  auto* larger = static_cast<char*>(m.at_least(5 << 20));
  std::memset(larger, 2, 5 << 20);
  CHECK(larger[(5 << 20) - 1] == 2);
  CHECK(m.at_least(5 << 20) == larger);
}

TEST_CASE("scratch: a write past the end faults") {
  for (const int64_t bytes : {4096, 40'960, 2 << 20}) {
    CAPTURE(bytes);
    ScratchMemory m;
    volatile char* at = static_cast<char*>(m.at_least(bytes));
    CHECK(signal_of([&] { at[bytes - 1] = 1; }) == 0);
    CHECK(signal_of([&] { at[bytes] = 1; }) == SIGSEGV);
    CHECK(signal_of([&] { at[bytes + 4095] = 1; }) == SIGSEGV);
  }
}

TEST_CASE("scratch: each thread has its own") {
  CHECK(thread_scratch(0) == nullptr);
  void* mine = thread_scratch(1000);
  CHECK(thread_scratch(500) == mine);
  void* other = nullptr;
  std::thread([&] { other = thread_scratch(1000); }).join();
  CHECK(other != mine);
}

TEST_CASE("scratch: more than there is says so") {
  ScratchMemory m;
  CHECK_THROWS_WITH_AS(m.at_least(int64_t{1} << 60), doctest::Contains("KB of a kernel's tiles"), UserError);
  std::memset(m.at_least(100), 0, 100);  // and can be used all the same
}
