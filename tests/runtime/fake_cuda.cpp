#include "tests/runtime/fake_cuda.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>

using namespace pg::cu;

namespace {

struct FakeFunction {
  std::string name;
  size_t arguments = 0;
};
struct FakeModule {
  std::string image;
  std::map<std::string, std::unique_ptr<FakeFunction>> functions;
};
struct FakeEvent {
  double ms = 0;
};
struct FakeNode {
  FakeLaunch launch;
};
struct FakeGraph {
  std::vector<std::unique_ptr<FakeNode>> nodes;
};
struct FakeExec {
  std::map<const void*, FakeLaunch> launches;
  std::vector<const void*> order;
};

struct Work {
  std::function<void()> run;
  const void* event = nullptr;  // that it records
};

struct Driver {
  std::recursive_mutex mutex;
  FakeCuda fake;
  std::map<const void*, std::string> live;  // handle → kind
  std::map<DevicePointer, size_t> blocks;
  std::map<char*, size_t> pinned;
  std::deque<Work> queue;
  Result sticky = Result::Success;
  bool broken = false;  // the hardware is: resets do not help
  double clock = 0;
  uintptr_t next_context = 1;
  uintptr_t context = 0;
  size_t pinned_bytes = 0;
  std::vector<std::shared_ptr<void>> owned;
};
Driver* d = new Driver;
thread_local uintptr_t current = 0;

template <class T>
T* make(const char* kind) {
  auto owned = std::make_shared<T>();
  d->owned.push_back(owned);
  d->live[owned.get()] = kind;
  ++d->fake.objects;
  return owned.get();
}
void misuse(const std::string& what) { d->fake.misuse.push_back(what); }
bool check(const void* handle, const char* kind, const char* symbol) {
  const auto it = d->live.find(handle);
  if (it != d->live.end() && it->second == kind) return true;
  misuse(std::string(symbol) + ": not a live " + kind);
  return false;
}
void drop(const void* handle) {
  d->live.erase(handle);
  --d->fake.objects;
}

void run_one() {
  const Work w = std::move(d->queue.front());
  d->queue.pop_front();
  if (d->sticky == Result::Success) w.run();
}
void run_all() {
  while (!d->queue.empty()) run_one();
}
void run_to(const void* event) {
  size_t n = 0;
  for (size_t i = 0; i < d->queue.size(); ++i)
    if (d->queue[i].event == event) n = i + 1;
  while (n-- > 0) run_one();
}
bool is_pinned(const void* p) {
  auto it = d->pinned.upper_bound(static_cast<char*>(const_cast<void*>(p)));
  return it != d->pinned.begin() && static_cast<const char*>(p) < std::prev(it)->first + std::prev(it)->second;
}
bool is_device(DevicePointer p, size_t bytes) {
  auto it = d->blocks.upper_bound(p);
  return it != d->blocks.begin() && p + bytes <= std::prev(it)->first + std::prev(it)->second;
}
void* host(DevicePointer p) { return reinterpret_cast<void*>(p); }

void enqueue_kernel(const FakeLaunch& launch) {
  d->queue.push_back({[launch] {
    d->fake.launches.push_back(launch);
    d->clock += d->fake.kernel_ms;
    if (d->fake.kernel_error != Result::Success) {
      d->sticky = d->fake.kernel_error;
      d->broken = !d->fake.reset_works;
    } else if (d->fake.kernel) {
      d->fake.kernel(launch);
    }
  }});
}
FakeLaunch launch_of(const FakeFunction& f, unsigned grid, unsigned block, unsigned shared, void** params) {
  FakeLaunch l{f.name, grid, block, shared, {}, false};
  for (size_t i = 0; i < f.arguments; ++i) {
    uint64_t value;
    std::memcpy(&value, params[i], 8);
    l.arguments.push_back(value);
  }
  return l;
}
FakeLaunch launch_of(const KernelNodeParams& p) {
  check(p.function, "function", "a node's params");
  FakeLaunch l = launch_of(*reinterpret_cast<FakeFunction*>(p.function), p.grid_x, p.block_x, p.shared_bytes, p.params);
  l.in_graph = true;
  return l;
}

/// Counts the call; whether it may go on.
Result enter(const char* symbol, bool needs_context = true) {
  ++d->fake.calls[symbol];
  if (d->sticky != Result::Success && needs_context) return d->sticky;
  if (needs_context && (current == 0 || current != d->context)) {
    misuse(std::string(symbol) + ": no live context is current");
    return Result::InvalidContext;
  }
  return Result::Success;
}

}  // namespace

#define ENTER(needs_context)                              \
  const std::lock_guard lock(d->mutex);                   \
  if (const Result entered = enter(__func__, needs_context); entered != Result::Success) return entered
#define LIVE(handle, kind) \
  if (!check(handle, kind, __func__)) return Result::InvalidHandle

extern "C" {

FakeCuda* fake_cuda() { return &d->fake; }
void fake_cuda_reset() {
  for (const auto& [p, size] : d->blocks) std::free(host(p));
  for (const auto& [p, size] : d->pinned) std::free(p);
  delete d;
  d = new Driver;
  current = 0;
}

Result cuInit(unsigned) {
  ENTER(false);
  return d->fake.init != Result::Success ? d->fake.init : d->fake.devices == 0 ? Result::NoDevice : Result::Success;
}
Result cuDriverGetVersion(int* version) {
  ENTER(false);
  *version = d->fake.driver_version;
  return Result::Success;
}
Result cuGetErrorName(Result r, const char** name) {
  *name = r == Result::IllegalAddress  ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : r == Result::OutOfMemory   ? "CUDA_ERROR_OUT_OF_MEMORY"
          : r == Result::InvalidImage  ? "CUDA_ERROR_INVALID_IMAGE"
          : r == Result::InvalidValue  ? "CUDA_ERROR_INVALID_VALUE"
          : r == Result::EccUncorrectable ? "CUDA_ERROR_ECC_UNCORRECTABLE"
                                       : "CUDA_ERROR_OTHER";
  return Result::Success;
}
Result cuGetErrorString(Result r, const char** words) {
  *words = r == Result::IllegalAddress ? "an illegal memory access was encountered" : "words of the driver";
  return Result::Success;
}
Result cuDeviceGetCount(int* count) {
  ENTER(false);
  *count = d->fake.devices;
  return Result::Success;
}
Result cuDeviceGet(DeviceId* id, int ordinal) {
  ENTER(false);
  if (ordinal >= d->fake.devices) return Result::InvalidDevice;
  *id = ordinal;
  return Result::Success;
}
Result cuDeviceGetName(char* name, int length, DeviceId) {
  ENTER(false);
  std::strncpy(name, "Fake GPU", static_cast<size_t>(length));
  return Result::Success;
}
Result cuDeviceTotalMem_v2(size_t* bytes, DeviceId) {
  ENTER(false);
  *bytes = d->fake.memory;
  return Result::Success;
}
Result cuDeviceGetAttribute(int* value, DeviceAttribute a, DeviceId) {
  ENTER(false);
  using A = DeviceAttribute;
  const std::map<A, int> values = {{A::MaxThreadsPerBlock, 1024},
                                   {A::WarpSize, 32},
                                   {A::ClockRate, 1980000},
                                   {A::MultiprocessorCount, 132},
                                   {A::MemoryClockRate, 2619000},
                                   {A::GlobalMemoryBusWidth, 5120},
                                   {A::L2CacheSize, 50 << 20},
                                   {A::MaxThreadsPerMultiprocessor, 2048},
                                   {A::ComputeCapabilityMajor, d->fake.major},
                                   {A::ComputeCapabilityMinor, d->fake.minor},
                                   {A::MaxSharedMemoryPerMultiprocessor, 233472},
                                   {A::MaxRegistersPerMultiprocessor, 65536},
                                   {A::MaxSharedMemoryPerBlockOptin, 232448}};
  const auto it = values.find(a);
  if (it == values.end()) return Result::InvalidValue;
  *value = it->second;
  return Result::Success;
}

Result cuDevicePrimaryCtxRetain(Context* context, DeviceId) {
  ENTER(false);
  if (d->fake.retain != Result::Success) return d->fake.retain;
  if (d->context == 0) d->context = d->next_context++;
  if (d->broken) d->sticky = Result::EccUncorrectable;
  ++d->fake.contexts;
  *context = reinterpret_cast<Context>(d->context);
  return Result::Success;
}
Result cuDevicePrimaryCtxRelease_v2(DeviceId) {
  ENTER(false);
  if (--d->fake.contexts < 0) misuse("the primary context was released too often");
  return Result::Success;
}
Result cuDevicePrimaryCtxReset_v2(DeviceId) {
  ENTER(false);
  ++d->fake.resets;
  for (const auto& [p, size] : d->blocks) std::free(host(p));
  for (const auto& [p, size] : d->pinned) std::free(p);
  d->blocks.clear();
  d->pinned.clear();
  d->pinned_bytes = d->fake.allocated = d->fake.objects = 0;
  d->live.clear();
  d->queue.clear();
  d->sticky = Result::Success;
  d->context = 0;
  return Result::Success;
}
Result cuCtxSetCurrent(Context context) {
  ENTER(false);
  if (d->sticky != Result::Success) return d->sticky;
  const auto c = reinterpret_cast<uintptr_t>(context);
  if (c && c != d->context) misuse("a dead context was made current");
  current = c;
  return Result::Success;
}

Result cuMemAlloc_v2(DevicePointer* p, size_t bytes) {
  ENTER(true);
  if (bytes > d->fake.memory || d->fake.allocated > d->fake.memory - bytes) return Result::OutOfMemory;
  void* memory = std::malloc(bytes);
  *p = reinterpret_cast<uintptr_t>(memory);
  d->blocks[*p] = bytes;
  d->fake.allocated += bytes;
  return Result::Success;
}
Result cuMemFree_v2(DevicePointer p) {
  ENTER(true);
  run_all();  // as the driver: it waits
  const auto it = d->blocks.find(p);
  if (it == d->blocks.end()) return misuse("cuMemFree_v2: not a live block"), Result::InvalidValue;
  d->fake.allocated -= it->second;
  d->blocks.erase(it);
  std::free(host(p));
  return Result::Success;
}
Result cuMemGetInfo_v2(size_t* free, size_t* total) {
  ENTER(true);
  *total = d->fake.memory;
  *free = d->fake.memory - d->fake.allocated;
  return Result::Success;
}
Result cuMemHostAlloc(void** p, size_t bytes, unsigned) {
  ENTER(true);
  if (d->pinned_bytes + bytes > d->fake.pinned) return Result::OutOfMemory;
  *p = std::malloc(bytes);
  d->pinned[static_cast<char*>(*p)] = bytes;
  d->pinned_bytes += bytes;
  ++d->fake.objects;
  return Result::Success;
}
Result cuMemFreeHost(void* p) {
  ENTER(true);
  const auto it = d->pinned.find(static_cast<char*>(p));
  if (it == d->pinned.end()) return misuse("cuMemFreeHost: not a live buffer"), Result::InvalidValue;
  d->pinned_bytes -= it->second;
  d->pinned.erase(it);
  std::free(p);
  --d->fake.objects;
  return Result::Success;
}
Result cuMemcpyHtoDAsync_v2(DevicePointer to, const void* from, size_t bytes, Stream stream) {
  ENTER(true);
  LIVE(stream, "stream");
  if (!is_device(to, bytes)) return Result::InvalidValue;
  if (is_pinned(from)) {
    d->queue.push_back({[=] { std::memcpy(host(to), from, bytes); }});
  } else {  // the driver takes a copy at once
    const std::string copy(static_cast<const char*>(from), bytes);
    d->queue.push_back({[=] { std::memcpy(host(to), copy.data(), bytes); }});
  }
  return Result::Success;
}
Result cuMemcpyDtoHAsync_v2(void* to, DevicePointer from, size_t bytes, Stream stream) {
  ENTER(true);
  LIVE(stream, "stream");
  if (!is_device(from, bytes)) return Result::InvalidValue;
  d->queue.push_back({[=] { std::memcpy(to, host(from), bytes); }});
  return Result::Success;
}
Result cuMemsetD8Async(DevicePointer p, unsigned char value, size_t bytes, Stream) {
  ENTER(true);
  if (!is_device(p, bytes)) return Result::InvalidValue;
  d->queue.push_back({[=] { std::memset(host(p), value, bytes); }});
  return Result::Success;
}

// An image is "fake", then a line "NAME ARGUMENTS" per kernel; or a real cubin, of whose arguments nothing is known.
Result cuModuleLoadData(Module* module, const void* image) {
  ENTER(true);
  if (d->fake.load != Result::Success) return d->fake.load;
  const char* text = static_cast<const char*>(image);
  const bool elf = std::memcmp(text, "\x7f" "ELF", 4) == 0;
  if (!elf && std::strncmp(text, "fake\n", 5) != 0) return Result::InvalidImage;
  auto* m = make<FakeModule>("module");
  m->image = elf ? "" : text + 5;
  if (elf) m->functions["*"] = std::make_unique<FakeFunction>();
  std::istringstream lines(m->image);
  std::string name;
  size_t arguments;
  while (lines >> name >> arguments) m->functions[name] = std::make_unique<FakeFunction>(FakeFunction{name, arguments});
  *module = reinterpret_cast<Module>(m);
  return Result::Success;
}
Result cuModuleUnload(Module module) {
  ENTER(true);
  LIVE(module, "module");
  for (const auto& [name, f] : reinterpret_cast<FakeModule*>(module)->functions) d->live.erase(f.get());
  drop(module);
  return Result::Success;
}
Result cuModuleGetFunction(Function* function, Module module, const char* name) {
  ENTER(true);
  LIVE(module, "module");
  auto& functions = reinterpret_cast<FakeModule*>(module)->functions;
  if (functions.contains("*")) functions[name] = std::make_unique<FakeFunction>(FakeFunction{name, 0});
  const auto it = functions.find(name);
  if (it == functions.end()) return Result::NotFound;
  d->live[it->second.get()] = "function";
  *function = reinterpret_cast<Function>(it->second.get());
  return Result::Success;
}
Result cuFuncGetAttribute(int* value, FunctionAttribute a, Function function) {
  ENTER(true);
  LIVE(function, "function");
  *value = a == FunctionAttribute::MaxThreadsPerBlock ? d->fake.most_threads
           : a == FunctionAttribute::NumRegs          ? d->fake.registers
           : a == FunctionAttribute::SharedSizeBytes  ? d->fake.static_shared
                                                      : 0;
  return Result::Success;
}
Result cuFuncSetAttribute(Function function, FunctionAttribute a, int value) {
  ENTER(true);
  LIVE(function, "function");
  if (a != FunctionAttribute::MaxDynamicSharedSizeBytes) return Result::InvalidValue;
  d->fake.function_attributes[reinterpret_cast<FakeFunction*>(function)->name] = value;
  return Result::Success;
}
Result cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Function function, int threads, size_t) {
  ENTER(true);
  LIVE(function, "function");
  *blocks = 2048 / threads;
  return Result::Success;
}
Result cuLaunchKernel(Function function, unsigned grid, unsigned, unsigned, unsigned block, unsigned, unsigned, unsigned shared,
                      Stream stream, void** params, void**) {
  ENTER(true);
  LIVE(function, "function");
  LIVE(stream, "stream");
  if (d->fake.launch != Result::Success) return d->fake.launch;
  const auto& f = *reinterpret_cast<FakeFunction*>(function);
  const auto allowed = d->fake.function_attributes.find(f.name);
  if (shared > (allowed == d->fake.function_attributes.end() ? 48 << 10 : allowed->second)) return Result::InvalidValue;
  enqueue_kernel(launch_of(f, grid, block, shared, params));
  return Result::Success;
}

Result cuStreamCreate(Stream* stream, unsigned) {
  ENTER(true);
  *stream = reinterpret_cast<Stream>(make<int>("stream"));
  return Result::Success;
}
Result cuStreamDestroy_v2(Stream stream) {
  ENTER(true);
  LIVE(stream, "stream");
  drop(stream);
  return Result::Success;
}
Result cuStreamSynchronize(Stream stream) {
  ENTER(true);
  if (stream) LIVE(stream, "stream");
  run_all();
  return d->sticky;
}
Result cuEventCreate(Event* event, unsigned) {
  ENTER(true);
  *event = reinterpret_cast<Event>(make<FakeEvent>("event"));
  return Result::Success;
}
Result cuEventDestroy_v2(Event event) {
  ENTER(true);
  LIVE(event, "event");
  drop(event);
  return Result::Success;
}
Result cuEventRecord(Event event, Stream stream) {
  ENTER(true);
  LIVE(event, "event");
  LIVE(stream, "stream");
  d->queue.push_back({[event] { reinterpret_cast<FakeEvent*>(event)->ms = d->clock; }, event});
  return Result::Success;
}
Result cuEventSynchronize(Event event) {
  ENTER(true);
  LIVE(event, "event");
  run_to(event);
  return d->sticky;
}
Result cuEventElapsedTime(float* ms, Event start, Event end) {
  ENTER(true);
  LIVE(start, "event");
  LIVE(end, "event");
  *ms = static_cast<float>(reinterpret_cast<FakeEvent*>(end)->ms - reinterpret_cast<FakeEvent*>(start)->ms);
  return Result::Success;
}

Result cuGraphCreate(Graph* graph, unsigned) {
  ENTER(true);
  *graph = reinterpret_cast<Graph>(make<FakeGraph>("graph"));
  return Result::Success;
}
Result cuGraphDestroy(Graph graph) {
  ENTER(true);
  LIVE(graph, "graph");
  drop(graph);
  return Result::Success;
}
Result cuGraphAddKernelNode(GraphNode* node, Graph graph, const GraphNode* after, size_t how_many, const KernelNodeParams* p) {
  ENTER(true);
  LIVE(graph, "graph");
  auto& nodes = reinterpret_cast<FakeGraph*>(graph)->nodes;
  const void* last = nodes.empty() ? nullptr : nodes.back().get();
  if (how_many != (last ? 1 : 0) || (last && reinterpret_cast<const void*>(after[0]) != last))
    misuse("cuGraphAddKernelNode: the graph is no chain");
  nodes.push_back(std::make_unique<FakeNode>(FakeNode{launch_of(*p)}));
  *node = reinterpret_cast<GraphNode>(nodes.back().get());
  return Result::Success;
}
Result cuGraphInstantiateWithFlags(GraphExec* exec, Graph graph, unsigned long long) {
  ENTER(true);
  LIVE(graph, "graph");
  auto* e = make<FakeExec>("exec");
  for (const auto& n : reinterpret_cast<FakeGraph*>(graph)->nodes) {
    e->launches[n.get()] = n->launch;
    e->order.push_back(n.get());
  }
  *exec = reinterpret_cast<GraphExec>(e);
  return Result::Success;
}
Result cuGraphExecDestroy(GraphExec exec) {
  ENTER(true);
  LIVE(exec, "exec");
  drop(exec);
  return Result::Success;
}
Result cuGraphExecKernelNodeSetParams(GraphExec exec, GraphNode node, const KernelNodeParams* p) {
  ENTER(true);
  LIVE(exec, "exec");
  auto& launches = reinterpret_cast<FakeExec*>(exec)->launches;
  const auto it = launches.find(node);
  if (it == launches.end()) return misuse("cuGraphExecKernelNodeSetParams: not a node of this graph"), Result::InvalidValue;
  it->second = launch_of(*p);
  return Result::Success;
}
Result cuGraphLaunch(GraphExec exec, Stream stream) {
  ENTER(true);
  LIVE(exec, "exec");
  LIVE(stream, "stream");
  const auto& e = *reinterpret_cast<FakeExec*>(exec);
  for (const void* node : e.order) enqueue_kernel(e.launches.at(node));
  return Result::Success;
}

}  // extern "C"
