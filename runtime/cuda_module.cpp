#include "runtime/cuda_module.h"

#include <charconv>

#include "uops/error.h"

namespace pg {

namespace {
using cu::FunctionAttribute;
using cu::Result;

constexpr std::string_view kMagic = "picograd cubin 1\n";
constexpr int64_t kWithoutOptIn = 48 << 10;  // shared bytes that every kernel may have
}  // namespace

// magic, architecture, NVRTC's version and the log's length a line, log, cubin
std::string pack(const CudaBinary& b) {
  return std::string(kMagic) + b.architecture + "\n" + std::to_string(b.nvrtc) + "\n" + std::to_string(b.log.size()) + "\n" +
         b.log + b.cubin;
}

CudaBinary unpack_cuda_binary(const std::string& bytes) {
  const auto broken = [] { return InternalError("not a kernel for a GPU"); };
  if (!bytes.starts_with(kMagic)) throw broken();
  size_t at = kMagic.size();
  const auto line = [&] {
    const size_t end = bytes.find('\n', at);
    if (end == bytes.npos) throw broken();
    const std::string text = bytes.substr(at, end - at);
    at = end + 1;
    return text;
  };
  const auto number = [&] {
    const std::string text = line();
    size_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || end != text.data() + text.size()) throw broken();
    return n;
  };
  CudaBinary b;
  b.architecture = line();
  b.nvrtc = static_cast<int>(number());
  const size_t log = number();
  if (log > bytes.size() - at) throw broken();
  b.log = bytes.substr(at, log);
  b.cubin = bytes.substr(at + log);
  return b;
}

int CudaFunction::attribute(FunctionAttribute a) const {
  int value = 0;
  context_->check(context_->driver()->func_get_attribute(&value, a, function_), "asking about kernel " + name_);
  return value;
}

void CudaFunction::allow(int64_t threads, int64_t shared_bytes, int64_t most_shared) const {
  const std::string who = context_->name() + ": kernel " + name_;
  const int64_t most_threads = attribute(FunctionAttribute::MaxThreadsPerBlock);
  if (threads < 1 || threads > most_threads)
    throw UserError(who + " cannot run with blocks of " + std::to_string(threads) + " threads: with its " +
                    std::to_string(attribute(FunctionAttribute::NumRegs)) + " registers a thread the most is " +
                    std::to_string(most_threads) + ": use a schedule with smaller tiles");
  const int64_t all = attribute(FunctionAttribute::SharedSizeBytes) + shared_bytes;
  if (all > most_shared)
    throw UserError(who + " needs " + std::to_string(all) + " bytes of shared memory, a block on this GPU may have " +
                    std::to_string(most_shared) + ": use a schedule that stages less");
  if (all <= kWithoutOptIn) return;
  context_->check(context_->driver()->func_set_attribute(function_, FunctionAttribute::MaxDynamicSharedSizeBytes,
                                                         static_cast<int>(shared_bytes)),
                  "asking for " + std::to_string(shared_bytes) + " bytes of shared memory for kernel " + name_);
}

int CudaFunction::blocks_per_sm(int64_t threads, int64_t shared_bytes) const {
  int blocks = 0;
  context_->check(context_->driver()->occupancy_max_active_blocks(&blocks, function_, static_cast<int>(threads),
                                                                  static_cast<size_t>(shared_bytes)),
                  "asking for the occupancy of kernel " + name_);
  return blocks;
}

CudaModule::CudaModule(std::shared_ptr<CudaContext> context, const CudaBinary& binary, const std::string& architecture) {
  context->make_current();
  const CudaDriver& driver = context->driver();
  cu::Module m = nullptr;
  const Result r = driver->module_load_data(&m, binary.cubin.data());
  if (r == Result::Success) {
    handle_ = {std::move(context), m};
    return;
  }
  const std::string refused = context->name() + ": the driver refuses the kernel: " + driver.words(r);
  switch (r) {
    case Result::InvalidImage:
    case Result::NoBinaryForGpu:
    case Result::InvalidPtx:
    case Result::UnsupportedPtxVersion:
    case Result::CallRequiresNewerDriver:
      if (binary.architecture != architecture)
        throw InternalError(refused + ": it was compiled for " + binary.architecture + ", this GPU is " + architecture);
      if (binary.nvrtc > driver.version()) {
        const std::string theirs = cuda_version_text(binary.nvrtc), ours = cuda_version_text(driver.version());
        throw UserError(refused + ": the driver is too old: it knows CUDA " + ours + ", the kernel is NVRTC " + theirs +
                        "'s: update the NVIDIA driver, or set CUDA_HOME to a toolkit of CUDA " + ours + " or earlier");
      }
      throw InternalError(refused);
    default: context->check(r, "loading a kernel");
  }
}

CudaFunction CudaModule::function(const std::string& name) const {
  CudaContext& c = *context();
  cu::Function f = nullptr;
  const Result r = c.driver()->module_get_function(&f, handle_.get(), name.c_str());
  if (r == Result::NotFound) throw InternalError(c.name() + ": a loaded cubin has no kernel " + name);
  c.check(r, "looking for kernel " + name);
  return {context(), f, name};
}

}  // namespace pg
