#include "runtime/pool.h"

#include <immintrin.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace pg {

namespace {

// Long enough to bridge the gap between two kernels of a graph, short enough not to starve other processes.
constexpr auto kSpin = std::chrono::microseconds(40);

/// Waits until `done`; the caller blocks when this gives false.
template <class Done>
bool spin_until(Done done) {
  const auto stop = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
      _mm_pause();
    }
  } while (std::chrono::steady_clock::now() < stop);
  return done();
}

std::vector<int> allowed_cores() {
  cpu_set_t mask;
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0)
    for (int c = 0; c < CPU_SETSIZE; ++c)
      if (CPU_ISSET(c, &mask)) cores.push_back(c);
  return cores;
}

void pin(int core) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(core, &mask);
  sched_setaffinity(0, sizeof mask, &mask);  // without leave for it the kernel's choice is as good
}

/// Puts the calling thread on `core` without keeping it there: what it starts later must not inherit a mask of one core.
void move_to(int core) {
  cpu_set_t before;
  if (sched_getcpu() == core || sched_getaffinity(0, sizeof before, &before) != 0) return;
  pin(core);
  sched_setaffinity(0, sizeof before, &before);
}

}  // namespace

struct ThreadPool::Impl {
  explicit Impl(int threads) : cores(allowed_cores()), count(std::max(1, threads)) {
    pinned = static_cast<size_t>(count) <= cores.size();
    for (int i = 1; i < count; ++i) workers.emplace_back([this, i] { serve(i); });
  }
  ~Impl() {
    stopping = true;
    job.fetch_add(1, std::memory_order_release);
    job.notify_all();
    for (std::thread& w : workers) w.join();
  }

  void serve(int id) {
    if (pinned) pin(cores[id]);
    for (uint64_t seen = 0;;) {
      if (!spin_until([&] { return job.load(std::memory_order_acquire) != seen; }))
        job.wait(seen, std::memory_order_acquire);
      const uint64_t now = job.load(std::memory_order_acquire);
      if (now == seen) continue;
      seen = now;
      if (stopping) return;
      part(id);
      if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) left.notify_one();
    }
  }

  void part(int id) noexcept {
    const int64_t share = items / count, extra = items % count;
    const int64_t begin = id * share + std::min<int64_t>(id, extra), end = begin + share + (id < extra);
    try {
      if (begin < end) (*work)(begin, end);
    } catch (...) {
      std::lock_guard lock(error_mutex);
      if (!error) error = std::current_exception();
    }
  }

  void run(int64_t n, const std::function<void(int64_t, int64_t)>& f) {
    items = n;
    work = &f;
    left.store(count - 1, std::memory_order_relaxed);
    if (pinned) move_to(cores[0]);
    job.fetch_add(1, std::memory_order_release);
    job.notify_all();
    part(0);
    if (!spin_until([&] { return left.load(std::memory_order_acquire) == 0; }))
      for (int now; (now = left.load(std::memory_order_acquire)) != 0;) left.wait(now, std::memory_order_acquire);
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
  }

  const std::vector<int> cores;
  const int count;
  bool pinned = false;
  std::atomic<bool> running{false};
  // A job: written before `job` counts up, read after.
  int64_t items = 0;
  const std::function<void(int64_t, int64_t)>* work = nullptr;
  std::atomic<bool> stopping{false};
  alignas(64) std::atomic<uint64_t> job{0};
  alignas(64) std::atomic<int> left{0};
  std::mutex error_mutex;
  std::exception_ptr error;
  std::vector<std::thread> workers;  // last: they use all of the above
};

ThreadPool::ThreadPool(int threads) : impl_(new Impl(threads)) {}
ThreadPool::~ThreadPool() { delete impl_; }
int ThreadPool::threads() const { return impl_->count; }

void ThreadPool::run(int64_t n, const std::function<void(int64_t, int64_t)>& work) {
  if (n <= 0) return;
  // A job from inside a job, or from a second thread, runs where it is.
  if (n < 2 || impl_->count == 1 || impl_->running.exchange(true, std::memory_order_acquire)) return work(0, n);
  struct Done {
    std::atomic<bool>& running;
    ~Done() { running.store(false, std::memory_order_release); }
  } done{impl_->running};
  impl_->run(n, work);
}

}  // namespace pg
