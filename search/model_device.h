#pragma once
// CUDA-MODEL: a GPU for tests on machines without one. Kernels are rendered and judged as for the real one, run in the
// interpreter of thread blocks, and take the time that a model says. `picograd devices` does not know it.
#include <functional>

#include "runtime/host_memory.h"

namespace pg {

class ModelDevice final : public HostMemoryDevice {
 public:
  /// What tests plant.
  struct Plants {
    std::function<UOp(const UOp& linear)> linear;   // another program in the place of this one; null: as it is
    std::function<std::string(const Source&)> log;  // what the compiler says; empty: as it is
    bool nvrtc = false;                             // let NVRTC compile for the log, where there is one
  };
  static constexpr const char* kName = "CUDA-MODEL";

  ModelDevice();
  explicit ModelDevice(Plants);
  const std::string& name() const override { return name_; }
  const Target& target() const override { return target_; }
  DeviceInfo info() const override;
  ToolchainInfo toolchain() const override;
  Source render(const UOp& linear) const override;
  Artifact compile(const Source&) override;
  std::shared_ptr<Program> load(const Artifact&, const LaunchInfo&) override;

 private:
  const std::string name_ = kName;
  Target target_;
  Plants plants_;
};

/// The time that a program of a ModelDevice takes by its model, in milliseconds; null: it is another device's.
const double* model_ms(const Program&);

/// A device of the registry, or CUDA-MODEL.
Device& run_device(const std::string& name);

}  // namespace pg
