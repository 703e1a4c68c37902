#pragma once
// CUDA on the host: what a rendered kernel stands on, without a GPU. Included before the text of a CudaText, whose PTX is
// left out. The threads of a block are fibers that give way at barriers and exchanges; asynchronous copies land at once or
// at the last moment that is allowed; shared memory begins as NaNs. It is compiled with the kernels by the tests and uses
// nothing of picograd but the 16-bit floats.
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "uops/half.h"

#define __global__
#define __device__
#define __shared__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

struct ThreadIndex {
  unsigned x, y, z;
};
static ThreadIndex threadIdx, blockIdx;
alignas(128) unsigned char smem[227 << 10];

namespace shim {

constexpr int kWarp = 32;
constexpr size_t kStack = 256 << 10;

struct Copy {
  void* to;
  const void* from;
  int bytes, read;
};
struct Thread {
  ucontext_t context;
  std::vector<unsigned char> stack = std::vector<unsigned char>(kStack);
  bool is_done = false;
  int barriers = 0;
  std::vector<Copy> copies;              // since the last commit
  std::deque<std::vector<Copy>> groups;  // on their way
};
/// Where a number of threads wait for each other.
struct Meeting {
  int expected = 0, arrived = 0, generation = 0;
};
struct Warp {
  Meeting meeting;
  uint64_t given[kWarp];
  int mask = 0;
};

static ucontext_t scheduler;
static std::vector<Thread>* threads;
static std::vector<Warp> warps;
static Meeting block;
static int self;
static bool is_late, has_progress;
static std::string fault;
static std::function<void()> body;

inline void complain(const std::string& what) {
  if (fault.empty()) fault = "block " + std::to_string(blockIdx.x) + ", thread " + std::to_string(self) + ": " + what;
}
inline Thread& me() { return (*threads)[static_cast<size_t>(self)]; }
inline void give_way() { swapcontext(&me().context, &scheduler); }
inline void arrive(Meeting& m) {
  has_progress = true;
  if (m.arrived < m.expected) return;
  m.arrived = 0;
  ++m.generation;
}
inline void meet(Meeting& m) {
  const int generation = m.generation;
  ++m.arrived;
  arrive(m);
  while (m.generation == generation) give_way();
}
inline void run_thread() {
  body();
  me().is_done = true;
  --block.expected;  // who has returned is not waited for
  if (block.arrived > 0) arrive(block);
  has_progress = true;
  swapcontext(&me().context, &scheduler);
}

inline void land(const Copy& c) {
  std::memcpy(c.to, c.from, static_cast<size_t>(c.read));
  std::memset(static_cast<char*>(c.to) + c.read, 0, static_cast<size_t>(c.bytes - c.read));
}

inline void run_block(int count, unsigned seed) {
  static std::vector<Thread> all;
  all.resize(static_cast<size_t>(count));
  threads = &all;
  warps.assign(static_cast<size_t>((count + kWarp - 1) / kWarp), {});
  for (int t = 0; t < count; ++t) ++warps[static_cast<size_t>(t / kWarp)].meeting.expected;
  block = {count};
  std::memset(smem, 0xff, sizeof smem);
  for (Thread& t : all) {
    t.is_done = false, t.barriers = 0, t.copies.clear(), t.groups.clear();
    getcontext(&t.context);
    t.context.uc_stack = {t.stack.data(), 0, t.stack.size()};
    t.context.uc_stack.ss_sp = t.stack.data();
    t.context.uc_stack.ss_size = t.stack.size();
    t.context.uc_link = &scheduler;
    makecontext(&t.context, run_thread, 0);
  }
  std::vector<int> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (int left = count; left > 0 && fault.empty();) {
    has_progress = false;
    for (size_t i = order.size(); seed != 0 && i-- > 1;) {
      seed = seed * 1664525u + 1013904223u;
      std::swap(order[i], order[(seed >> 8) % (i + 1)]);
    }
    for (int t : order) {
      if (all[static_cast<size_t>(t)].is_done) continue;
      self = t;
      threadIdx = {static_cast<unsigned>(t), 0, 0};
      swapcontext(&scheduler, &all[static_cast<size_t>(t)].context);
      left -= all[static_cast<size_t>(t)].is_done;
    }
    if (!has_progress) complain("deadlock, " + std::to_string(left) + " threads wait");
  }
  // Threads that a phase does not have return before the first barrier.
  int most = 0;
  for (const Thread& t : all) most = std::max(most, t.barriers);
  for (const Thread& t : all)
    if (t.barriers != 0 && t.barriers != most) complain("threads have passed different numbers of barriers");
}

/// A kernel with its arguments taken from arrays.
using Kernel = std::function<void(void* const*, const long long*)>;
template <class... Parameters>
Kernel kernel(void (*f)(Parameters...)) {
  return [f](void* const* buffers, const long long* variables) {
    const auto next = [&](auto* of) {
      using P = std::remove_pointer_t<decltype(of)>;
      if constexpr (std::is_pointer_v<P>)
        return static_cast<P>(*buffers++);
      else
        return static_cast<P>(*variables++);
    };
    const std::tuple<Parameters...> arguments{next(static_cast<Parameters*>(nullptr))...};  // braces: in order
    std::apply(f, arguments);
  };
}

/// Runs all blocks; null when nothing was wrong.
inline const char* launch(const Kernel& k, void* const* buffers, const long long* variables, long long blocks, int count,
                          bool late, unsigned seed) {
  fault.clear();
  is_late = late;
  body = [&] { k(buffers, variables); };
  for (long long b = 0; b < blocks && fault.empty(); ++b) {
    blockIdx = {static_cast<unsigned>(b), 0, 0};
    run_block(count, seed == 0 ? 0 : seed + static_cast<unsigned>(b));
  }
  return fault.empty() ? nullptr : fault.c_str();
}

}  // namespace shim

static inline void __syncthreads() {
  ++shim::me().barriers;
  shim::meet(shim::block);
}
template <class T>
static T __shfl_xor_sync(unsigned, T x, int mask) {
  static_assert(sizeof(T) >= 4);
  shim::Warp& w = shim::warps[static_cast<size_t>(shim::self / shim::kWarp)];
  const int lane = shim::self % shim::kWarp;
  if (w.meeting.arrived > 0 && w.mask != mask) shim::complain("lanes of a warp exchange by different masks");
  w.mask = mask;
  std::memcpy(&w.given[lane], &x, sizeof x);
  if ((lane ^ mask) >= w.meeting.expected) shim::complain("an exchange with a lane that is not there");
  shim::meet(w.meeting);
  T y;
  std::memcpy(&y, &w.given[lane ^ mask], sizeof y);
  shim::meet(w.meeting);  // nobody gives anew before all have taken
  return y;
}

template <int bytes>
static void pg_copy_async(void* to, const void* from, int read = bytes) {
  const auto is_aligned = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % bytes == 0; };
  if (!is_aligned(to) || (read != 0 && !is_aligned(from))) shim::complain("an asynchronous copy at an odd place");
  const shim::Copy c{to, from, bytes, read};
  if (!shim::is_late) return shim::land(c);
  std::memset(to, 0xff, bytes);  // nobody may look
  shim::me().copies.push_back(c);
}
static inline void pg_copy_commit() {
  shim::me().groups.push_back(std::move(shim::me().copies));
  shim::me().copies.clear();
}
template <int groups>
static void pg_copy_wait() {
  for (auto& g = shim::me().groups; g.size() > groups; g.pop_front())
    for (const shim::Copy& c : g.front()) shim::land(c);
}
static inline float pg_f16_to_f32(unsigned short x) { return pg::from_f16(x); }
static inline unsigned short pg_f32_to_f16(float x) { return pg::to_f16(x); }
static inline float __fsqrt_rn(float x) { return std::sqrt(x); }
static inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
static inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
static inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
static inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
