#pragma once
// The pinned thread pool: workers spin briefly, then block; small jobs run inline.
#include <cstdint>
#include <functional>

namespace pg {

class ThreadPool {
 public:
  /// `threads` in all, the caller included; each worker pinned to a core of its own where the affinity mask allows.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  int threads() const;
  /// Splits [0, n) into one contiguous run per thread and returns when all are done. An exception of a worker is rethrown.
  void run(int64_t n, const std::function<void(int64_t begin, int64_t end)>& work);

 private:
  struct Impl;
  Impl* impl_;
};

}  // namespace pg
