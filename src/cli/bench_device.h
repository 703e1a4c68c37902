#pragma once
// What a benchmark has to know of a device: how time is taken, what the machine could do at most, whom to compare with.
#include <memory>
#include <nlohmann/json.hpp>

#include "src/cli/interleave.h"
#include "src/cli/kernel_peers.h"
#include "src/cli/operands.h"

namespace pg {

using Json = nlohmann::ordered_json;

class BenchDevice {
 public:
  virtual ~BenchDevice() = default;
  virtual Stopwatch& stopwatch() = 0;
  /// Sets of buffers that take turns, where one set has so many bytes.
  virtual size_t sets(size_t bytes) const = 0;
  /// Empties the caches; UserError where they cannot be.
  virtual void sweep() = 0;
  /// Contestants that show what the machine can do, on a kernel's buffers.
  virtual std::vector<Contestant> ceilings(const Operands&) = 0;
  /// Rows and shares of them: `all` is our kernel, then the ceilings.
  virtual void report(Json& line, const Work&, std::span<const Contestant> all) const = 0;
  /// What the compiler says of our kernel, into its row.
  virtual void describe(Json& /*row*/, const Artifact&) const {}
  /// As kernel_peers says.
  virtual std::vector<std::unique_ptr<KernelPeer>> peers(const std::string& name, const BenchKernel&,
                                                         const std::vector<OperandSet>&, std::string& why) = 0;
};
/// For the device: a CPU, a GPU of NVIDIA; another one has no ceilings.
std::unique_ptr<BenchDevice> bench_device(Device&);

/// {"median_ms", "gflops", "gbs", "spread"}; what is 0 is left out.
Json row_json(const Contestant&, double flops, double bytes);
Json share_json(const Share&);

}  // namespace pg
