// oneDNN: a primitive for each problem. Convolutions in the plain layout, and in the one that the library chooses; what it
// costs to reorder into that one is not timed.
#include <omp.h>

#include <dnnl.hpp>
#include <unordered_map>

#include "peer.h"

#if DNNL_VERSION_MAJOR != 2
#error "written for the C++ interface of oneDNN 2"
#endif

namespace peer {

namespace {

using namespace dnnl;
using Tag = memory::format_tag;

engine& cpu() {
  static engine e(engine::kind::cpu, 0);
  return e;
}
memory::desc described(const memory::dims& dims, Tag tag) { return {dims, memory::data_type::f32, tag}; }
memory wrapped(const memory::desc& d, const float* data) { return {d, cpu(), const_cast<float*>(data)}; }

class Primitive final : public Problem {
 public:
  Primitive(primitive p, std::unordered_map<int, memory> arguments)
      : primitive_(std::move(p)), arguments_(std::move(arguments)) {}
  void run() override {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }
  void finish() override {
    if (!asked_) return;
    reorder(arguments_.at(DNNL_ARG_DST), asked_).execute(stream_, arguments_.at(DNNL_ARG_DST), asked_);
    stream_.wait();
  }
  /// The result is wanted elsewhere, in another layout.
  void deliver_to(memory asked) { asked_ = std::move(asked); }

 private:
  primitive primitive_;
  std::unordered_map<int, memory> arguments_;
  stream stream_{cpu()};
  memory asked_;
};
using Made = std::unique_ptr<Primitive>;

Made product(long m, long n, long k, bool ta, bool tb, const float* a, const float* b, float* c) {
  const memory::desc x = described({m, k}, ta ? Tag::ba : Tag::ab), w = described({k, n}, tb ? Tag::ba : Tag::ab),
                     y = described({m, n}, Tag::ab);
  return std::make_unique<Primitive>(
      matmul(matmul::primitive_desc(matmul::desc(x, w, y), cpu())),
      std::unordered_map<int, memory>{
          {DNNL_ARG_SRC, wrapped(x, a)}, {DNNL_ARG_WEIGHTS, wrapped(w, b)}, {DNNL_ARG_DST, wrapped(y, c)}});
}

/// The operand in the layout that the primitive wants.
memory in_layout(memory given, const memory::desc& wanted) {
  if (given.get_desc() == wanted) return given;
  memory there(wanted, cpu());
  stream s(cpu());
  reorder(given, there).execute(s, given, there);
  s.wait();
  return there;
}

Made convolution(const std::string& variant, Dims d, Inputs in, float* out) {
  const long n = d[0], c = d[1], h = d[2], w = d[3], o = d[4], kh = d[5], kw = d[6], stride = d[7], dilation = d[12],
             groups = d[13];
  const bool blocked = d[14];
  const long rows = (h + d[8] + d[9] - dilation * (kh - 1) - 1) / stride + 1;
  const long columns = (w + d[10] + d[11] - dilation * (kw - 1) - 1) / stride + 1;
  const memory::dims x{n, c, h, w}, y{n, o, rows, columns};
  const memory::dims filter =
      groups == 1 ? memory::dims{o, c, kh, kw} : memory::dims{groups, o / groups, c / groups, kh, kw};
  const Tag image = blocked ? Tag::nChw16c : Tag::nchw;
  const Tag weights = groups > 1 ? Tag::goihw : blocked ? Tag::OIhw16i16o : Tag::oihw;
  const bool plain = variant == "plain";
  const convolution_forward::primitive_desc p(
      convolution_forward::desc(prop_kind::forward_inference, algorithm::convolution_direct,
                                described(x, plain ? image : Tag::any), described(filter, plain ? weights : Tag::any),
                                described(y, plain ? image : Tag::any), {stride, stride}, {dilation - 1, dilation - 1},
                                {d[8], d[10]}, {d[9], d[11]}),
      cpu());
  const memory asked = wrapped(described(y, image), out);
  const memory result = asked.get_desc() == p.dst_desc() ? asked : memory(p.dst_desc(), cpu());
  auto made = std::make_unique<Primitive>(
      convolution_forward(p),
      std::unordered_map<int, memory>{
          {DNNL_ARG_SRC, in_layout(wrapped(described(x, image), in[0]), p.src_desc())},
          {DNNL_ARG_WEIGHTS, in_layout(wrapped(described(filter, weights), in[1]), p.weights_desc())},
          {DNNL_ARG_DST, result}});
  if (result != asked) made->deliver_to(asked);
  return made;
}

Made rows(const std::string& kind, Dims d, Inputs in, float* out) {
  const memory::desc x = described({d[0], d[1]}, Tag::ab);
  std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, wrapped(x, in[0])}, {DNNL_ARG_DST, wrapped(x, out)}};
  if (kind == "softmax") {
    const softmax_forward::primitive_desc p(softmax_forward::desc(prop_kind::forward_inference, x, 1), cpu());
    return std::make_unique<Primitive>(softmax_forward(p), arguments);
  }
  const memory::desc column = described({d[1]}, Tag::a);
  arguments.emplace(DNNL_ARG_SCALE, wrapped(column, in[1]));
  arguments.emplace(DNNL_ARG_SHIFT, wrapped(column, in[2]));
  const layer_normalization_forward::primitive_desc p(
      layer_normalization_forward::desc(prop_kind::forward_inference, x, kEpsilon,
                                        normalization_flags::use_scale | normalization_flags::use_shift),
      cpu());
  return std::make_unique<Primitive>(layer_normalization_forward(p), arguments);
}

Made streams(const std::string& kind, long n, Inputs in, float* out) {
  const memory::desc x = described({n}, Tag::a), y = described({kind == "sum" ? 1 : n}, Tag::a);
  const std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, wrapped(x, in[0])}, {DNNL_ARG_DST, wrapped(y, out)}};
  if (kind == "sum")
    return std::make_unique<Primitive>(
        reduction(reduction::primitive_desc(reduction::desc(algorithm::reduction_sum, x, y, 0, 0), cpu())), arguments);
  const eltwise_forward::primitive_desc p(
      eltwise_forward::desc(prop_kind::forward_inference, algorithm::eltwise_gelu_erf, x, 0, 0), cpu());
  return std::make_unique<Primitive>(eltwise_forward(p), arguments);
}

}  // namespace

std::string version(int threads) {
  omp_set_num_threads(threads);
  const dnnl_version_t* v = dnnl_version();
  return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}
std::vector<std::string> variants(const std::string& kind, Dims d) {
  if (kind == "conv2d" && d[14]) return {""};
  if (kind == "conv2d" || kind == "conv1d") return {"plain", "blocked"};
  for (const char* known : {"gemm", "gemv", "softmax", "layernorm", "gelu", "sum"})
    if (kind == known) return {""};
  return {};
}
std::unique_ptr<Problem> prepare(const std::string& kind, const std::string& variant, Dims d, Inputs in, float* result) {
  if (kind == "gemm") return product(d[0], d[1], d[2], d[3], d[4], in[0], in[1], result);
  if (kind == "gemv") return product(1, d[0], d[1], false, d[2], in[1], in[0], result);
  if (kind == "conv2d" || kind == "conv1d") return convolution(variant, d, in, result);
  if (kind == "gelu" || kind == "sum") return streams(kind, d[0], in, result);
  return rows(kind, d, in, result);
}

}  // namespace peer

PICOGRAD_PEER
