#pragma once
// A GPU as the search's analysis sees one.
#include "uops/target.h"

namespace pg::test {

inline Target gpu_target(int sms = 132) {
  Target t;
  t.isa = "sm_90a", t.vector_bytes = 16, t.registers = 255, t.cores = sms;
  t.gpu = true, t.sm = 90, t.sms = sms, t.l2_bytes = 50 << 20;
  t.shared_block_bytes = 227 << 10, t.shared_sm_bytes = 228 << 10;
  return t;
}

}  // namespace pg::test
