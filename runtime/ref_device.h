#pragma once
// REF: programs run in the reference interpreter. Slow, exact, and there on every machine.
#include "runtime/host_memory.h"
#include "uops/interpret.h"

namespace pg {

/// A program that the interpreter runs.
class RefProgram : public Program {
 public:
  RefProgram(UOp linear, LaunchInfo, const InterpretOptions& = {});
  void launch(std::span<void* const> buffers, std::span<const int64_t> variables, int64_t items) override;

 private:
  UOp linear_;
  LaunchInfo launch_;
  InterpretOptions options_;
};

class RefDevice final : public HostMemoryDevice {
 public:
  RefDevice();
  const std::string& name() const override { return name_; }
  const Target& target() const override { return target_; }
  DeviceInfo info() const override;
  ToolchainInfo toolchain() const override;
  Source render(const UOp& linear) const override;
  Artifact compile(const Source&) override;
  std::shared_ptr<Program> load(const Artifact&, const LaunchInfo&) override;

 private:
  const std::string name_ = "REF";
  Target target_;
};

}  // namespace pg
