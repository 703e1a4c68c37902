#include "src/cli/kernel_peers.h"

#include <map>

#include "runtime/artifact_cache.h"
#include "runtime/config.h"
#include "runtime/cpu_info.h"
#include "runtime/process.h"
#include "runtime/shared_object.h"
#include "src/cli/peers.h"
#include "uops/error.h"

namespace pg {

namespace {

const std::string kSources = PICOGRAD_SOURCE "/bench/peers/";

struct Shim {
  const char *name, *package;
  std::vector<std::string> flags;
};
const std::vector<Shim> kShims = {
    {"eigen", "libeigen3-dev", {"-I/usr/include/eigen3"}},
    {"onednn", "libdnnl-dev", {"-ldnnl"}},
};

std::string first_error(const std::string& words) {
  const size_t at = words.find("error");
  return at == words.npos ? words.substr(0, 200) : words.substr(at, words.find('\n', at) - at);
}

/// The bytes of the shared object, from the artifact cache or from g++; nullopt with `why` set when it cannot be made.
std::optional<std::string> compiled(const Shim& shim, std::string& why) {
  const auto source = read_file(kSources + shim.name + ".cpp"), header = read_file(kSources + "peer.h");
  if (!source || !header) {
    why = "no " + kSources + shim.name + ".cpp";
    return std::nullopt;
  }
  const auto version = run_process({"g++", "--version"});
  if (!version || version->status != 0) {
    why = "no g++ (apt-get install g++)";
    return std::nullopt;
  }
  std::vector<std::string> command = {"g++",     "-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fopenmp",
                                      "-shared", "-fPIC",      "-w",  "-I" + kSources};
  std::string flags;
  for (const std::string& f : shim.flags) flags += f + " ";
  ArtifactCache cache(config().cache_dir);
  const std::string key = ArtifactCache::key({*source, *header, flags, version->out, cpu_info().model});
  if (const auto known = cache.get(key)) return known->bytes;
  const TemporaryDirectory directory;
  command.insert(command.end(), {"-o", directory.path() + "/peer.so", kSources + shim.name + ".cpp"});
  command.insert(command.end(), shim.flags.begin(), shim.flags.end());
  const auto result = run_process(command);
  if (!result || result->status != 0) {
    why = std::string("it does not compile (apt-get install ") + shim.package +
          "?): " + (result ? first_error(result->err) : "");
    return std::nullopt;
  }
  auto bytes = read_file(directory.path() + "/peer.so");
  if (bytes) cache.put(key, {shim.name, *bytes, 0});
  return bytes;
}

/// Stays loaded: these libraries start threads of their own and do not survive dlclose.
const SharedObject* loaded(const Shim& shim, std::string& why) {
  static std::map<std::string, const SharedObject*> all;
  const SharedObject*& object = all[shim.name];
  if (object) return object;
  const auto bytes = compiled(shim, why);
  if (!bytes) return nullptr;
  try {
    return object = new SharedObject(*bytes);
  } catch (const InternalError& e) {
    why = e.what();
    return nullptr;
  }
}

template <class F>
F* function(const SharedObject& object, const char* name) {
  return reinterpret_cast<F*>(object.symbol(name));
}

class ShimPeer final : public KernelPeer {
 public:
  ShimPeer(const SharedObject& object, const BenchKernel& k, const std::string& variant, std::vector<const float*> inputs,
           float* result)
      : inputs_(std::move(inputs)),
        run_(function<void(void*)>(object, "picograd_peer_run")),
        finish_(function<void(void*)>(object, "picograd_peer_finish")),
        release_(function<void(void*)>(object, "picograd_peer_release")) {
    using Prepare = void*(const char*, const char*, const long*, const float* const*, float*);
    problem_ = function<Prepare>(object, "picograd_peer_prepare")(k.kind.c_str(), variant.c_str(), dims_of(k),
                                                                  inputs_.data(), result);
  }
  ~ShimPeer() override { release_(problem_); }
  static const long* dims_of(const BenchKernel& k) {
    static_assert(sizeof(long) == sizeof(int64_t));
    return reinterpret_cast<const long*>(k.dims.data());
  }
  bool ready() const { return problem_ != nullptr; }
  void run(size_t) override { run_(problem_); }
  void finish() override { finish_(problem_); }

 private:
  std::vector<const float*> inputs_;
  void (*run_)(void*);
  void (*finish_)(void*);
  void (*release_)(void*);
  void* problem_ = nullptr;
};

using Peers = std::vector<std::unique_ptr<KernelPeer>>;

Peers shim_peers(const Shim& shim, const BenchKernel& k, const std::vector<const float*>& inputs, float* result, int threads,
                 std::string& why) {
  const SharedObject* object = loaded(shim, why);
  if (!object) return {};
  const std::string version = function<const char*(int)>(*object, "picograd_peer_version")(threads);
  auto* const variant_of = function<const char*(const char*, const long*, int)>(*object, "picograd_peer_variant");
  Peers peers;
  for (int i = 0; const char* found = variant_of(k.kind.c_str(), ShimPeer::dims_of(k), i); ++i) {
    const std::string variant = found;
    auto peer = std::make_unique<ShimPeer>(*object, k, variant, inputs, result);
    if (!peer->ready()) {
      why = function<const char*()>(*object, "picograd_peer_error")();
      return {};
    }
    peer->name = shim.name + (variant.empty() ? "" : "_" + variant);
    peer->version = version;
    peers.push_back(std::move(peer));
  }
  if (peers.empty()) why = "it has no " + k.kind + (k.layout.empty() ? "" : " " + k.layout);
  return peers;
}

class BlasPeer final : public KernelPeer {
 public:
  BlasPeer(std::unique_ptr<Peer> blas, const BenchKernel& k, std::vector<const float*> inputs, float* result)
      : blas_(std::move(blas)), kernel_(k), inputs_(std::move(inputs)), result_(result) {
    name = blas_->name();
    version = blas_->version();
  }
  void run(size_t) override {
    const auto& d = kernel_.dims;
    if (kernel_.kind == "gemm")
      blas_->gemm({d[0], d[1], d[2], d[3] != 0, d[4] != 0}, inputs_[0], inputs_[1], result_);
    else
      blas_->gemv(d[0], d[1], d[2] != 0, inputs_[0], inputs_[1], result_);
  }

 private:
  std::unique_ptr<Peer> blas_;
  const BenchKernel& kernel_;
  std::vector<const float*> inputs_;
  float* result_;
};

}  // namespace

Peers kernel_peers(const std::string& name, const BenchKernel& k, const std::vector<void*>& buffers, float* result,
                   int threads, std::string& why) {
  std::vector<const float*> inputs;
  for (const size_t slot : k.inputs) inputs.push_back(static_cast<const float*>(buffers.at(slot)));
  for (const Shim& shim : kShims)
    if (name == shim.name) return shim_peers(shim, k, inputs, result, threads, why);
  if (name != "openblas") throw UserError("bench: no peer is named '" + name + "'; known are eigen, onednn, openblas, cublas");
  Peers peers;
  if (k.kind != "gemm" && k.kind != "gemv")
    why = "it has no " + k.kind;
  else if (auto blas = load_peer(name, threads, why))
    peers.push_back(std::make_unique<BlasPeer>(std::move(blas), k, std::move(inputs), result));
  return peers;
}

}  // namespace pg
