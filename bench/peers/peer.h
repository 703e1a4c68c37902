#pragma once
// What a peer of `picograd bench kernel` is: a source file that is compiled on the machine where it is measured, if the
// library is there. It defines the three functions below; PICOGRAD_PEER gives them the C names that src/cli/kernel_peers.cpp
// looks up.
//
// kind        dims                                                             inputs
// gemm        m n k, A transposed, B transposed                                A B            C[m,n]
// gemv        n k, W is [n,k] (else [k,n])                                     W x            y[n]
// conv2d      n c h w o kh kw stride top bottom left right dilation groups,    X W            Y[n,o,..]
//             blocked: X, Y [n,c/16,h,w,16], W [o/16,c/16,kh,kw,c%16,o%16]
// conv1d      as conv2d with h = kh = 1
// softmax     rows columns                                                     X              Y
// layernorm   rows columns                                                     X weight bias  Y
// rmsnorm     rows columns                                                     X weight       Y
// groupnorm   channels pixels groups                                           X weight bias  Y
// gelu        n                                                                X              Y
// sum         n                                                                X              Y[1]
// attention   heads tokens d                                                   Q K V          O
// The norms' epsilon is 1e-5; attention scales by 1/sqrt(d).
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace peer {

using Dims = const long*;
using Inputs = const float* const*;  // live as long as the problem

/// A problem ready to run again and again.
class Problem {
 public:
  virtual ~Problem() = default;
  virtual void run() = 0;
  virtual void finish() {}  // untimed: puts the result into the layout that was asked for
};

/// Also sets how many threads the library uses.
std::string version(int threads);
/// The ways in which the library can do it ("" where there is only one); empty: not at all.
std::vector<std::string> variants(const std::string& kind, Dims);
std::unique_ptr<Problem> prepare(const std::string& kind, const std::string& variant, Dims, Inputs, float* result);

constexpr float kEpsilon = 1e-5f;

inline std::string& last_text() {
  static std::string text;
  return text;
}

}  // namespace peer

#define PICOGRAD_PEER                                                                                             \
  extern "C" {                                                                                                    \
  const char* picograd_peer_version(int threads) { return (peer::last_text() = peer::version(threads)).c_str(); } \
  const char* picograd_peer_variant(const char* kind, const long* dims, int number) {                             \
    const auto all = peer::variants(kind, dims);                                                                  \
    return number < static_cast<int>(all.size()) ? (peer::last_text() = all[number]).c_str() : nullptr;           \
  }                                                                                                               \
  void* picograd_peer_prepare(const char* kind, const char* variant, const long* dims, const float* const* in,    \
                              float* out) {                                                                       \
    try {                                                                                                         \
      return peer::prepare(kind, variant, dims, in, out).release();                                               \
    } catch (const std::exception& e) {                                                                           \
      peer::last_text() = e.what();                                                                               \
      return nullptr;                                                                                             \
    }                                                                                                             \
  }                                                                                                               \
  const char* picograd_peer_error() { return peer::last_text().c_str(); }                                         \
  void picograd_peer_run(void* problem) { static_cast<peer::Problem*>(problem)->run(); }                          \
  void picograd_peer_finish(void* problem) { static_cast<peer::Problem*>(problem)->finish(); }                    \
  void picograd_peer_release(void* problem) { delete static_cast<peer::Problem*>(problem); }                      \
  }
