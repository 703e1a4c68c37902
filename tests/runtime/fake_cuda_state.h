#pragma once
// The inside of the fake driver.
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "tests/runtime/fake_cuda.h"

namespace fake {

using namespace pg::cu;

struct Work {
  std::function<void()> run;
  const void* event = nullptr;  // that it records
};

struct Block {
  size_t bytes;
  void* memory;  // the host's address too: who looks for leaks knows no other
};

struct Driver {
  std::recursive_mutex mutex;
  FakeCuda fake;
  std::map<const void*, std::string> live;  // handle → kind
  std::map<DevicePointer, Block> blocks;
  std::map<char*, size_t> pinned;
  std::deque<Work> queue;
  std::vector<Work>* recorded = nullptr;  // while a stream is captured, its work goes here instead
  Result sticky = Result::Success;
  bool broken = false;  // the hardware is: resets do not help
  double clock = 0;
  uintptr_t next_context = 1;
  uintptr_t context = 0;
  size_t pinned_bytes = 0;
  std::vector<std::shared_ptr<void>> owned;
};
extern Driver* d;
extern thread_local uintptr_t current;

template <class T>
T* make(const char* kind) {
  auto owned = std::make_shared<T>();
  d->owned.push_back(owned);
  d->live[owned.get()] = kind;
  ++d->fake.objects;
  return owned.get();
}
inline void misuse(const std::string& what) { d->fake.misuse.push_back(what); }
inline bool check(const void* handle, const char* kind, const char* symbol) {
  const auto it = d->live.find(handle);
  if (it != d->live.end() && it->second == kind) return true;
  misuse(std::string(symbol) + ": not a live " + kind);
  return false;
}
inline void drop(const void* handle) {
  d->live.erase(handle);
  --d->fake.objects;
}

/// Counts the call; whether it may go on.
inline Result enter(const char* symbol, bool needs_context = true) {
  ++d->fake.calls[symbol];
  if (d->sticky != Result::Success && needs_context) return d->sticky;
  if (d->fake.refuses == symbol) return Result::InvalidValue;
  if (needs_context && (current == 0 || current != d->context)) {
    misuse(std::string(symbol) + ": no live context is current");
    return Result::InvalidContext;
  }
  return Result::Success;
}

inline void* host(DevicePointer p) { return fake_host(p); }

/// Enqueues, or records where the stream is captured.
inline void push(Work w) {
  if (d->recorded)
    d->recorded->push_back(std::move(w));
  else
    d->queue.push_back(std::move(w));
}
void run_all();
void run_to(const void* event);

}  // namespace fake

#define ENTER(needs_context)            \
  const std::lock_guard lock(d->mutex); \
  if (const Result entered = enter(__func__, needs_context); entered != Result::Success) return entered
#define LIVE(handle, kind) \
  if (!check(handle, kind, __func__)) return Result::InvalidHandle
