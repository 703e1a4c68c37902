#pragma once
#include <cstdint>
#include <string>

namespace pg {

/// What lowering, rendering and the heuristic need to know of the machine; everything that changes generated code.
struct Target {
  std::string isa = "native";  // value of -march for the C renderer: native, x86-64-v3, x86-64-v4; "ref" for the interpreter
  int vector_bytes = 64;       // widest SIMD register: 64 (AVX-512), 32 (AVX2), 16
  int registers = 32;          // SIMD registers of that width
  int cores = 1;               // cores used by a launch (THREADS)
  int64_t l1_bytes = 32 << 10, l2_bytes = 1 << 20, l3_bytes = 32 << 20;

  // GPU: blocks of threads on `sms` processors, each with registers and shared memory of its own
  bool gpu = false;
  int sm = 0;  // compute capability: 80, 89, 90, 100
  int sms = 0;
  int64_t shared_block_bytes = 0, shared_sm_bytes = 0;  // shared memory that one block / all blocks of a processor may have
  int64_t sm_registers = 65536, max_threads = 1024;     // 32-bit registers of a processor; threads of a block at most

  int lanes_f32() const { return vector_bytes / 4; }
  friend bool operator==(const Target&, const Target&) = default;
};

}  // namespace pg
