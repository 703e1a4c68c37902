// Modules, and what runs in the order of a stream.
#include "tests/runtime/fake_cuda_state.h"

using namespace fake;

namespace fake {
static void run_one() {
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
}  // namespace fake

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
  std::vector<Work> captured;  // instead of nodes
};
struct FakeExec {
  std::map<const void*, FakeLaunch> launches;
  std::vector<const void*> order;
  std::vector<Work> captured;
};

/// What kernels of these names do where no test says what kernels do.
void run_by_name(const FakeLaunch& l) {
  if (l.kernel == "faults") d->sticky = Result::IllegalAddress;
  if (l.kernel != "doubles" && l.kernel != "doubles_fast" && l.kernel != "overruns") return;
  auto* out = static_cast<float*>(host(l.arguments[0]));
  const auto* in = static_cast<const float*>(host(l.arguments[1]));
  const size_t n = size_t{l.grid} * l.block;
  for (size_t i = 0; i < n; ++i) out[i] = 2 * in[i];
  if (l.kernel == "overruns") out[n] = 1;
}

void enqueue_kernel(const FakeLaunch& launch) {
  push({[launch] {
    d->fake.launches.push_back(launch);
    d->clock += launch.kernel == "doubles_fast" ? d->fake.kernel_ms / 10 : d->fake.kernel_ms;
    if (d->fake.kernel_error != Result::Success) {
      d->sticky = d->fake.kernel_error;
      d->broken = !d->fake.reset_works;
    } else if (d->fake.kernel) {
      d->fake.kernel(launch);
    } else {
      run_by_name(launch);
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

}  // namespace

extern "C" {

// An image is "fake", then a line "NAME ARGUMENTS" per kernel; or a real cubin, of whose arguments nothing is known.
Result cuModuleLoadData(Module* module, const void* image) {
  ENTER(true);
  if (d->fake.load != Result::Success) return d->fake.load;
  const char* text = static_cast<const char*>(image);
  const bool elf = std::memcmp(text,
                               "\x7f"
                               "ELF",
                               4) == 0;
  if (!elf && std::strncmp(text, "fake\n", 5) != 0) return Result::InvalidImage;
  auto* m = make<FakeModule>("module");
  m->image = elf ? "" : text + 5;
  if (elf) m->functions["*"] = std::make_unique<FakeFunction>();
  // No streams of the library: this one has a copy of its own, which shares its locales with none or all of the others'.
  for (size_t at = 0; at < m->image.size();) {
    const size_t blank = m->image.find(' ', at), end = m->image.find('\n', at);
    const std::string name = m->image.substr(at, blank - at);
    m->functions[name] = std::make_unique<FakeFunction>(FakeFunction{name, std::strtoul(&m->image[blank], nullptr, 10)});
    at = end + 1;
  }
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
Result cuLaunchKernel(Function function, unsigned grid, unsigned, unsigned, unsigned block, unsigned, unsigned,
                      unsigned shared, Stream stream, void** params, void**) {
  ENTER(true);
  LIVE(function, "function");
  LIVE(stream, "stream");
  if (d->fake.launch != Result::Success) return d->fake.launch;
  const auto& f = *reinterpret_cast<FakeFunction*>(function);
  const auto allowed = d->fake.function_attributes.find(f.name);
  const int most = allowed == d->fake.function_attributes.end() ? 48 << 10 : allowed->second;
  if (static_cast<int>(shared) > most) return Result::InvalidValue;
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
  if (d->recorded) misuse("cuStreamSynchronize: the stream is captured");
  run_all();
  return d->sticky;
}
Result cuStreamBeginCapture_v2(Stream stream, unsigned) {
  ENTER(true);
  LIVE(stream, "stream");
  if (d->recorded) return misuse("cuStreamBeginCapture_v2: it is captured already"), Result::InvalidValue;
  d->recorded = new std::vector<Work>;
  return Result::Success;
}
Result cuStreamEndCapture(Stream stream, Graph* graph) {
  ENTER(true);
  LIVE(stream, "stream");
  if (!d->recorded) return misuse("cuStreamEndCapture: nothing is captured"), Result::InvalidValue;
  const std::unique_ptr<std::vector<Work>> recorded(std::exchange(d->recorded, nullptr));
  auto* g = make<FakeGraph>("graph");
  g->captured = std::move(*recorded);
  *graph = reinterpret_cast<Graph>(g);
  return Result::Success;
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
  push({[event] { reinterpret_cast<FakeEvent*>(event)->ms = d->clock; }, event});
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
Result cuGraphAddKernelNode(GraphNode* node, Graph graph, const GraphNode* after, size_t how_many,
                            const KernelNodeParams* p) {
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
  e->captured = reinterpret_cast<FakeGraph*>(graph)->captured;
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
  for (const Work& w : e.captured) push(w);
  return Result::Success;
}

}  // extern "C"
