// ptxas's words, as NVRTC 13.0 and nvcc 12 gave them, become numbers.
#include "runtime/cuda_resources.h"

#include <doctest/doctest.h>

using namespace pg;

TEST_CASE("ptxas: registers, shared memory, stack and spills of each kernel") {
  const auto kernels = parse_resources(
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function 'add_phase1' for 'sm_80'\n"
      "ptxas info    : Function properties for add_phase1\n"
      "ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
      "ptxas info    : Used 8 registers, used 0 barriers, 360 bytes cmem[0]\n"
      "ptxas info    : Compile time = 1.853 ms\n"
      "ptxas info    : Compiling entry function 'spilled' for 'sm_90a'\n"
      "ptxas info    : Function properties for spilled\n"
      "ptxas         .     272 bytes stack frame, 752 bytes spill stores, 536 bytes spill loads\n"
      "ptxas info    : Used 32 registers, used 1 barriers, 272 bytes cumulative stack size, 400 bytes smem, 376 bytes "
      "cmem[0]\n");
  REQUIRE(kernels.size() == 2);
  CHECK(kernels[0].kernel == "add_phase1");
  CHECK(kernels[0].registers == 8);
  CHECK(kernels[0].shared_bytes == 0);
  CHECK(!kernels[0].spills());
  CHECK(kernels[1].kernel == "spilled");
  CHECK(kernels[1].registers == 32);
  CHECK(kernels[1].shared_bytes == 400);
  CHECK(kernels[1].stack_bytes == 272);
  CHECK(kernels[1].spill_stores == 752);
  CHECK(kernels[1].spill_loads == 536);
  CHECK(kernels[1].spills());
  CHECK(kernels[1].warnings.empty());
}

TEST_CASE("ptxas: the older form, with blanks and without barriers") {
  const auto kernels = parse_resources(
      "ptxas info    : Compiling entry function 'k' for 'sm_80'\r\n"
      "ptxas info    : Function properties for k\n"
      "    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads\n"
      "ptxas info    : Used 255 registers, 49152 bytes smem, 384 bytes cmem[0]");
  REQUIRE(kernels.size() == 1);
  CHECK(kernels[0].registers == 255);
  CHECK(kernels[0].shared_bytes == 49152);
  CHECK(kernels[0].stack_bytes == 16);
  CHECK(kernels[0].spill_stores == 12);
  CHECK(kernels[0].spill_loads == 8);
}

TEST_CASE("ptxas: advice with a number is kept once, at the kernel that it names") {
  const auto kernels = parse_resources(
      "ptxas info    : (C7519) warpgroup.arrive is injected in around line 66 by compiler to allow use of registers in GMMA "
      "in "
      "function 'serialised'\n"
      "ptxas info    : (C7519) warpgroup.arrive is injected in around line 78 by compiler to allow use of registers in GMMA "
      "in "
      "function 'serialised'\n"
      "ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized due to insufficient "
      "register resources for the wgmma pipeline in the function 'serialised'\n"
      "ptxas warning : Value of threads per SM for entry other is out of range. .minnctapersm will be ignored\n"
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function 'serialised' for 'sm_90a'\n"
      "ptxas info    : Used 30 registers, used 0 barriers\n"
      "ptxas info    : Compiling entry function 'other' for 'sm_90a'\n"
      "ptxas info    : Used 10 registers, used 0 barriers\n");
  REQUIRE(kernels.size() == 2);
  REQUIRE(kernels[0].warnings.size() == 3);
  CHECK(kernels[0].warnings[0].starts_with("C7519: warpgroup.arrive is injected in around line 66"));
  CHECK(
      kernels[0].warnings[1].starts_with("C7510: Potential Performance Loss: wgmma.mma_async instructions are serialized"));
  CHECK(kernels[0].warnings[2].starts_with("Value of threads per SM"));
  CHECK(kernels[1].warnings.size() == 1);  // said of nobody by name
  CHECK(kernels[1].registers == 10);
}

TEST_CASE("ptxas: no log, no kernels; strange lines are passed over") {
  CHECK(parse_resources("").empty());
  CHECK(parse_resources("\n\nUsed registers\nbytes stack frame\n").empty());
  const auto kernels =
      parse_resources("Compiling entry function 'k\nCompiling entry function 'k' for\nUsed x registers\n : (C");
  REQUIRE(kernels.size() == 1);
  CHECK(kernels[0].registers == 0);
}
