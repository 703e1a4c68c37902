#include "runtime/cuda_program.h"

#include <algorithm>
#include <limits>

#include "renderers/cuda.h"

namespace pg {

namespace {
constexpr int64_t kMostBlocks = std::numeric_limits<int>::max();  // of gridDim.x

uint64_t argument(const void* p) { return reinterpret_cast<uintptr_t>(p); }
}  // namespace

std::vector<void*> CudaCall::argument_addresses() {
  std::vector<void*> all;
  all.reserve(arguments.size());
  for (uint64_t& a : arguments) all.push_back(&a);
  return all;
}

CudaProgram::CudaProgram(std::shared_ptr<CudaGpu> gpu, const Artifact& artifact, const LaunchInfo& launch)
    : gpu_(std::move(gpu)), name_(artifact.name), binary_(unpack_cuda_binary(artifact.bytes)), launch_(launch) {
  load(*gpu_->life());
}

CudaProgram::~CudaProgram() { free_workspaces(); }

void CudaProgram::free_workspaces() noexcept {
  for (void* w : workspaces_) gpu_->memory().free(w);
  workspaces_.clear();
  workspace_bytes_ = 0;
}

void CudaProgram::load(CudaLife& life) {
  if (module_ && module_->context() == life.context) return;
  functions_.clear();
  module_.emplace(life.context, binary_, gpu_->facts().architecture());
  for (size_t phase = 0; phase < std::max<size_t>(1, launch_.phases.size()); ++phase) {
    functions_.push_back(module_->function(cuda_kernel(name_, phase)));
    functions_.back().allow(launch_.threads, launch_.shared_bytes, gpu_->facts().shared_block_bytes);
  }
  free_workspaces();  // lost with the life before
}

std::vector<void*> CudaProgram::workspaces(CudaLife& life, std::span<const int64_t> variables) {
  constexpr int64_t kAlign = 256;
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
  for (const UOp& w : launch_.workspaces) {
    int64_t n = w.dtype().element_bytes();
    for (const UOp& extent : w.src()) n *= evaluate(extent, launch_.variables, variables);
    offsets.push_back(bytes);
    bytes += (n + kAlign - 1) / kAlign * kAlign;
  }
  if (bytes > workspace_bytes_) {
    const int64_t size = std::max(bytes, 2 * workspace_bytes_);  // all that are outgrown are together no larger
    workspaces_.reserve(workspaces_.size() + 1);
    workspaces_.push_back(gpu_->memory().allocate(*life.context, static_cast<size_t>(size)));
    workspace_bytes_ = size;
  }
  std::vector<void*> all;
  for (int64_t offset : offsets) all.push_back(static_cast<char*>(workspaces_.back()) + offset);
  return all;
}

std::vector<CudaCall> CudaProgram::calls(CudaLife& life, std::span<void* const> buffers, std::span<const int64_t> variables,
                                         int64_t items) {
  if (buffers.size() != launch_.params.size() || variables.size() != launch_.variables.size())
    throw InternalError(name_ + ": launched with " + std::to_string(buffers.size()) + " buffers and " +
                        std::to_string(variables.size()) + " variables instead of " + std::to_string(launch_.params.size()) +
                        " and " + std::to_string(launch_.variables.size()));
  load(life);
  if (items <= 0) return {};
  std::vector<uint64_t> arguments;
  arguments.reserve(buffers.size() + launch_.workspaces.size() + variables.size());
  for (void* b : buffers) {
    gpu_->check_alive(b, name_);
    arguments.push_back(argument(b));
  }
  for (void* w : workspaces(life, variables)) arguments.push_back(argument(w));
  for (int64_t v : variables) arguments.push_back(static_cast<uint64_t>(v));

  std::vector<CudaCall> all;
  for (size_t phase = 0; phase < functions_.size() && items > 0; ++phase) {
    // One phase has all items; its size need not be known.
    const int64_t size =
        functions_.size() == 1 ? items : std::min(items, evaluate(launch_.phases[phase], launch_.variables, variables));
    items -= size;
    if (size <= 0) continue;
    if (size > kMostBlocks)
      throw UserError(gpu_->name() + ": kernel " + name_ + " would have " + std::to_string(size) + " blocks, the most is " +
                      std::to_string(kMostBlocks) + ": use a schedule with larger tiles");
    all.push_back({&functions_[phase], static_cast<unsigned>(size), static_cast<unsigned>(launch_.threads),
                   static_cast<unsigned>(launch_.shared_bytes), arguments});
  }
  return all;
}

void CudaProgram::enqueue(std::span<void* const> buffers, std::span<const int64_t> variables, int64_t items) {
  const auto life = gpu_->life();
  for (CudaCall& c : calls(*life, buffers, variables, items)) {
    life->context->launched(c.function->name());
    life->context->check(
        life->context->driver()->launch_kernel(c.function->get(), c.blocks, 1, 1, c.threads, 1, 1, c.shared_bytes,
                                               life->stream.get(), c.argument_addresses().data(), nullptr),
        "launching kernel " + c.function->name() + " with " + std::to_string(c.blocks) + " blocks of " +
            std::to_string(c.threads) + " threads and " + std::to_string(c.shared_bytes) + " bytes of shared memory");
  }
}

void CudaProgram::launch(std::span<void* const> buffers, std::span<const int64_t> variables, int64_t items) {
  enqueue(buffers, variables, items);
  gpu_->life()->stream.synchronize();
}

int CudaProgram::blocks_per_sm() {
  const auto life = gpu_->life();
  load(*life);
  return functions_[0].blocks_per_sm(launch_.threads, launch_.shared_bytes);
}

}  // namespace pg
