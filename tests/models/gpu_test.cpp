// A llama on a CUDA device: the real device on the fake driver, kernels in the interpreter.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/generate.h"
#include "models/gguf.h"
#include "models/llama.h"
#include "tests/graph/interpreted_gpu.h"
#include "tests/models/naive_llama.h"

namespace pg {
namespace {

using test::InterpretedGpu;
using tests::NaiveLlama;

TEST_CASE("llama on a GPU: a prompt in chunks and tokens behind it have the naive forward's logits") {
  InterpretedGpu& gpu = InterpretedGpu::get();
  LlamaConfig c = LlamaConfig::preset("tiny");
  c.chunk = 8;
  LlamaWeights w = LlamaWeights::random(c, 3, gpu);
  NaiveLlama naive(c, w);
  Llama llama(c, w, gpu);
  const std::vector<int32_t> ids = {5, 17, 2, 90, 44, 8, 8, 61, 30, 77, 1, 12};
  const auto check = [&](const std::vector<float>& got, const NaiveLlama::Vec& wanted) {
    REQUIRE(got.size() == wanted.size());
    for (size_t i = 0; i < got.size(); i++) REQUIRE(std::abs(got[i] - wanted[i]) < 1e-4);
    REQUIRE(gpu.errors() == "");
  };
  NaiveLlama::Vec wanted;
  for (size_t i = 0; i < 10; i++) wanted = naive.next(ids[i]);
  check(llama.prefill(std::span(ids).first(10)), wanted);
  for (const char* symbol : {"cuGraphLaunch", "cuLaunchKernel"}) gpu.calls(symbol);
  for (size_t i = 10; i < ids.size(); i++) check(llama.decode(ids[i]), naive.next(ids[i]));
  CHECK(gpu.calls("cuGraphLaunch") == 2);
  CHECK(gpu.calls("cuLaunchKernel") == 0);
}

TEST_CASE("llama on a GPU: packed weights give the CPU's logits") {
  InterpretedGpu& gpu = InterpretedGpu::get();
  LlamaConfig c = LlamaConfig::preset("tiny");
  c.chunk = 8, c.layers = 1;
  for (const Packing type : {Packing::Q8_0, Packing::Q4_0}) {
    Llama here(c, LlamaWeights::random(c, 3, default_device(), type)), there(c, LlamaWeights::random(c, 3, gpu, type), gpu);
    const std::vector<int32_t> ids = {5, 17, 2, 90, 44};
    const auto check = [&](const std::vector<float>& got, const std::vector<float>& wanted) {
      for (size_t i = 0; i < got.size(); i++) REQUIRE(std::abs(got[i] - wanted[i]) < 1e-4);
      REQUIRE(gpu.errors() == "");
    };
    check(there.prefill(ids), here.prefill(ids));
    check(there.decode(7), here.decode(7));
  }
}

TEST_CASE("llama on a GPU: picollama's weights are copied over, and its first logits are those of transformers") {
  InterpretedGpu& gpu = InterpretedGpu::get();
  const std::string folder = PICOGRAD_SOURCE_DIR "/models/data/";
  std::ifstream goldens(folder + "picollama_goldens.json");
  REQUIRE(goldens);
  const auto golden = nlohmann::json::parse(goldens)["first_step_logits"];
  const Gguf file = Gguf::open(folder + "picollama.gguf");
  const LlamaConfig config = LlamaConfig::from(file);
  Llama llama(config, LlamaWeights::from(file, config, gpu), gpu);
  const auto& logits = llama.prefill(Tokenizer::from(file).encode(golden["prompt"].get<std::string>()));
  REQUIRE(gpu.errors() == "");
  for (size_t i = 0; i < 16; i++) CHECK(std::abs(logits[i] - golden["first_16"][i].get<double>()) < 1e-3);
  CHECK(std::ranges::max_element(logits) - logits.begin() == golden["argmax"].get<int64_t>());
}

}  // namespace
}  // namespace pg
