#pragma once
#include "uops/target.h"

namespace pg::test {

/// Limits that random schedules of small kernels meet.
inline Target small_gpu() {
  Target t;
  t.isa = "sm_90a", t.vector_bytes = 16;
  t.gpu = true, t.sm = 90, t.sms = 4;
  t.shared_block_bytes = 64 << 10, t.shared_sm_bytes = 100 << 10, t.max_threads = 128;
  return t;
}

}  // namespace pg::test
