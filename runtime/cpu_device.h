#pragma once
// The CPU: C through Clang, items spread over a pinned thread pool.
#include <mutex>
#include <optional>

#include "runtime/artifact_cache.h"
#include "runtime/clang.h"
#include "runtime/config.h"
#include "runtime/cpu_info.h"
#include "runtime/host_memory.h"
#include "runtime/pool.h"

namespace pg {

class CpuDevice final : public HostMemoryDevice {
 public:
  explicit CpuDevice(const Config&);
  const std::string& name() const override { return name_; }
  const Target& target() const override { return target_; }
  DeviceInfo info() const override;
  ToolchainInfo toolchain() const override;
  Source render(const UOp& linear) const override { return render_c(linear); }
  Artifact compile(const Source&) override;
  std::vector<Artifact> compile_all(std::span<const Source>) override;
  std::shared_ptr<Program> load(const Artifact&, const LaunchInfo&) override;
  ArtifactCache* artifacts() override { return &cache(); }

  /// By which route kernels are compiled, or why by none.
  const FoundClang& compiler() const;
  const CpuInfo& cpu() const { return cpu_; }

 private:
  ArtifactCache& cache();
  std::string key(const Source&) const;
  const Clang& required_compiler() const;
  Artifact compile_now(const Source&, const std::string& key);
  void compile_together(std::span<const Source>, std::span<const std::string> keys, std::span<const size_t> which,
                        std::vector<Artifact>& out);
  /// Without a compiler: the one that filled the artifact cache, whose kernels still load.
  std::string compiler_version() const;

  const std::string name_ = "CPU";
  const CpuInfo cpu_;
  const Target target_;
  const Config config_;
  std::shared_ptr<ThreadPool> pool_;
  mutable std::mutex setup_;  // of the two below (no call_once: nothing may be thrown through it)
  mutable std::optional<FoundClang> compiler_;
  std::optional<ArtifactCache> cache_;
};

}  // namespace pg
