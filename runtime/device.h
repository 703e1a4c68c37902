#pragma once
// Devices: allocate, copy, compile, load, launch. A device knows nothing of schedules.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "renderers/render.h"
#include "uops/target.h"

namespace pg {

class ArtifactCache;

/// A compiled kernel that can be stored, sent to the runner and loaded again: CPU: a shared object; REF: the Linear's text;
/// CUDA: a CudaBinary.
struct Artifact {
  std::string name;  // symbol
  std::string bytes;
  double compile_ms = 0;  // 0 when it came from the artifact cache
};

/// What identifies the hardware / the compiler in the database. `id` is a content hash of the JSON.
struct DeviceInfo {
  std::string id, json;  // {"cpu": "AMD EPYC 9B45", "isa": "...", "cores": 2, "l1": .., "l2": .., "l3": ..}
};
struct ToolchainInfo {
  std::string id, json;  // {"compiler": "clang 19.1.7", "flags": "-O2 ...", "codegen": 1}
};

/// A loaded kernel. Launching is thread-safe only from one thread at a time per device.
class Program {
 public:
  virtual ~Program() = default;
  /// buffers by Param slot order of LaunchInfo.params, variables by LaunchInfo.variables; `items` = LaunchInfo.items
  /// evaluated. Runs items [0, items) over the device's cores and returns when done. `threads` 0: the device's default.
  virtual void launch(std::span<void* const> buffers, std::span<const int64_t> variables, int64_t items) = 0;
  /// The same, but a GPU need not be done when it returns: work is done in the order in which it was enqueued, copies
  /// included, and Device::synchronize waits for all of it. What goes wrong on the way is thrown by what waits.
  virtual void enqueue(std::span<void* const> buffers, std::span<const int64_t> variables, int64_t items) {
    launch(buffers, variables, items);
  }
};

/// A launch of a program, with what it is given.
struct Launch {
  std::shared_ptr<Program> program;
  std::vector<void*> buffers;
  std::vector<int64_t> variables = {};
  int64_t items = 1;
  friend bool operator==(const Launch&, const Launch&) = default;
};

/// Launches that are made again and again, with arguments that may change from one time to the next.
class LaunchSequence {
 public:
  virtual ~LaunchSequence() = default;
  /// Enqueues them in their order, as Program::enqueue does. A GPU keeps what it made of the programs and their order, and
  /// is told only which arguments are others than the last time.
  virtual void replay(std::span<const Launch>) = 0;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual const std::string& name() const = 0;  // "CPU", "REF", "CUDA:0"
  virtual const Target& target() const = 0;
  virtual DeviceInfo info() const = 0;
  virtual ToolchainInfo toolchain() const = 0;
  /// Whether its kernels read the host's memory where it lies. If not, an address of device memory is nothing to the host.
  virtual bool shares_host_memory() const { return false; }
  /// Device memory, 64-byte aligned (on a GPU 256), uninitialised. Throws UserError with the size when there is not enough.
  virtual void* allocate(size_t bytes) = 0;
  virtual void free(void*, size_t bytes) noexcept = 0;
  /// Whether the device itself keeps freed memory for the next who asks: then nobody else does.
  virtual bool pools() const { return false; }
  virtual void copy_in(void* device, const void* host, size_t bytes) = 0;
  virtual void copy_out(void* host, const void* device, size_t bytes) = 0;
  /// Renders for this device's compiler.
  virtual Source render(const UOp& linear) const = 0;
  /// Compiles, or takes the artifact from the artifact cache. Throws UserError when no compiler is found (naming the
  /// package), InternalError with the compiler's words when generated source does not compile.
  virtual Artifact compile(const Source&) = 0;
  /// The same for many at once, faster where the compiler takes several kernels together. May be called from several
  /// threads, as compile may. Throws what compile throws for the first that does not compile.
  virtual std::vector<Artifact> compile_all(std::span<const Source>);
  virtual std::shared_ptr<Program> load(const Artifact&, const LaunchInfo&) = 0;
  /// Where its compiled kernels are kept from run to run; null: they are not.
  virtual ArtifactCache* artifacts() { return nullptr; }
  /// For launches of this device's programs; it must not outlive the device. Null where nothing is gained over enqueueing
  /// one after the other.
  virtual std::unique_ptr<LaunchSequence> sequence() { return nullptr; }
  /// Returns when all that was enqueued is done.
  virtual void synchronize() {}
};

/// The device of this name ("CPU", "REF", "CUDA" or "CUDA:0", "CUDA:1"), made on first use with config()'s threads and ISA.
/// UserError on an unknown name, and where there is no such GPU.
Device& device(std::string_view name);
/// config().device.
Device& default_device();

/// One line of `picograd devices`.
struct DeviceReport {
  std::string name;
  bool found = false;
  std::string what;    // hardware and toolchain, or why it cannot be used
  std::string remedy;  // what to do, empty when found
  std::string note;    // what else could be had; may be empty
};
std::vector<DeviceReport> device_reports();

/// Evaluates an index expression of Variables. `variables` and `values` run in parallel.
int64_t evaluate(const UOp& expression, std::span<const UOp> variables, std::span<const int64_t> values);

}  // namespace pg
