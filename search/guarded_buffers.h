#pragma once
// In the runner: the buffers that a candidate is let loose on, each between two guard zones.
#include <optional>
#include <string>
#include <vector>

#include "runtime/device.h"
#include "search/protocol.h"

namespace pg {

class GuardedBuffers {
 public:
  GuardedBuffers(Device&, RunSetup, const SharedMemory&);
  ~GuardedBuffers();
  GuardedBuffers(const GuardedBuffers&) = delete;
  GuardedBuffers& operator=(const GuardedBuffers&) = delete;

  std::span<void* const> pointers() const { return pointers_; }
  /// The buffers again and again, until they take `bytes` together (a GPU's): for times that no cache flatters. Made once.
  const std::vector<std::vector<void*>>& rotated(size_t bytes);
  /// Outputs poisoned with one of two patterns, InOut buffers as they were at first.
  void prepare(int poison);
  /// "buffer 0: 12 bytes written past its end"; nullopt: all guards intact. Restores nothing: the runner is not to be
  /// trusted then.
  /// `written_only`: a GPU's inputs, which are long on their way to the host, are left out.
  std::optional<std::string> broken_guard(bool written_only = false) const;

  /// The written buffers' bytes.
  std::vector<std::string> outputs() const;
  /// Of the written buffers' bytes, as of the last `broken_guard`; for where a copy of them would take too much memory.
  uint64_t digest() const;
  /// The first element of an Output that kept its poison in both runs (`first`: outputs after poison 0; now: after poison
  /// 1).
  std::optional<std::string> unwritten(const std::vector<std::string>& first) const;
  /// The first element that two runs wrote differently.
  std::optional<std::string> different(const std::vector<std::string>& first) const;
  /// Copies the written buffers to the shared memory.
  void publish() const;

 private:
  struct Block {
    void* raw;       // as allocated
    size_t bytes;    // of raw
    std::byte* at;   // the buffer, or the host's copy of a GPU's: a page of guard before it, at least one after
    size_t guarded;  // bytes from `at` to the end of the guard behind it
  };
  void protect_shared(int protection) const;
  void upload(const Block&) const;
  void download(const Block&) const;
  template <class F>
  std::optional<std::string> find(const std::vector<std::string>& first, F&& bad) const;

  Device& device_;
  RunSetup setup_;
  const SharedMemory& memory_;
  std::vector<Block> blocks_;
  std::vector<void*> pointers_;
  const bool on_host_;
  std::vector<std::vector<std::byte>> copies_;  // the host's
  std::vector<std::vector<void*>> rotated_;
  std::vector<std::pair<void*, size_t>> more_;  // memory of those
};

}  // namespace pg
