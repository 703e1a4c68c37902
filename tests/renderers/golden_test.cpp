// Rendered texts, kept. A change of text is a change of meaning or speed and needs a new kCodegenVersion, so that no
// database answers for code that is no longer generated.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "renderers/cuda.h"
#include "tests/renderers/sample_programs.h"
#include "tests/renderers/thread_programs.h"
#include "uops/widen.h"

using namespace pg;

namespace {

const std::string kFolder = PICOGRAD_SOURCE_DIR "/tests/renderers/golden/";

std::string read(const std::string& path) {
  std::ostringstream s;
  s << std::ifstream(path).rdbuf();
  return s.str();
}

const Target kGpu{.isa = "sm_80", .gpu = true, .sm = 80};

const std::vector<std::pair<std::string, UOp>>& samples() {
  static const std::vector<std::pair<std::string, UOp>> all = {
      {"matmul.c", matmul(6, 77, 9)},
      {"prefix_sums.c", prefix_sums()},
      {"mixed.c", mixed()},
      {"elementary.c", elementary()},
      {"mixed.cu", mixed()},
      {"axpy.cu", axpy()},
      {"block_sums.cu", block_sums()},
      {"two_phases.cu", accesses_widened(two_phases(), kGpu)},
      {"ring_matmul.cu", accesses_widened(ring_matmul(32, 36, 20), kGpu)},
  };
  return all;
}
std::string rendered(const std::string& file, const UOp& linear) {
  return (file.ends_with(".cu") ? render_cuda(linear, kGpu) : render_c(linear)).text;
}

}  // namespace

TEST_CASE("golden texts are of this version") {
  CAPTURE(kFolder);
  const std::string kept = read(kFolder + "VERSION"), now = std::to_string(kCodegenVersion) + "\n";
  std::string changed;
  for (const auto& [file, linear] : samples()) {
    const std::string text = rendered(file, linear), before = read(kFolder + file);
    if (text == before) continue;
    changed += file + " ";
    std::ofstream(std::string(PICOGRAD_BINARY_DIR) + "/" + file) << text;
  }
  INFO("the texts of this build lie in " PICOGRAD_BINARY_DIR
       "; when they are meant, bump kCodegenVersion, copy them and write the version to VERSION");
  CHECK(changed == "");
  CHECK(kept == now);
}

TEST_CASE("rendering depends on nothing but the program") {
  for (const auto& [file, linear] : samples()) CHECK(rendered(file, linear) == rendered(file, linear));
}
