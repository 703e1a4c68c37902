#include "runtime/ref_device.h"

#include "runtime/artifact_cache.h"
#include "uops/text.h"

namespace pg {

RefProgram::RefProgram(UOp linear, LaunchInfo launch, const InterpretOptions& options)
    : linear_(std::move(linear)), launch_(std::move(launch)), options_(options) {}

void RefProgram::launch(std::span<void* const> buffers, std::span<const int64_t> variables, int64_t items) {
  if (buffers.size() != launch_.params.size() || variables.size() != launch_.variables.size())
    throw InternalError(launch_.name + ": launched with the wrong number of buffers or variables");
  std::vector<HostBuffer> host;
  for (size_t i = 0; i < buffers.size(); ++i) {
    int64_t elements = 1;
    for (const UOp& extent : launch_.params[i].src()) elements *= evaluate(extent, launch_.variables, variables);
    host.push_back({buffers[i], elements});
  }
  with_context("running " + launch_.name, [&] { interpret(linear_, host, variables, options_, 0, items); });
}

RefDevice::RefDevice() {
  target_.isa = "ref";
  target_.cores = 1;
}

DeviceInfo RefDevice::info() const {
  const std::string json = R"({"cpu":"interpreter"})";
  return {ArtifactCache::key({json}), json};
}
ToolchainInfo RefDevice::toolchain() const {
  const std::string json = R"({"codegen":)" + std::to_string(kCodegenVersion) + R"(,"compiler":"interpreter"})";
  return {ArtifactCache::key({json}), json};
}

Source RefDevice::render(const UOp& linear) const {
  const LaunchInfo launch = launch_info(linear);
  return {launch.name, text(linear), linear, launch};
}
Artifact RefDevice::compile(const Source& source) { return {source.name, source.text, 0}; }

std::shared_ptr<Program> RefDevice::load(const Artifact& artifact, const LaunchInfo& launch) {
  return with_context("loading " + artifact.name,
                      [&] { return std::make_shared<RefProgram>(parse(artifact.bytes), launch); });
}

}  // namespace pg
