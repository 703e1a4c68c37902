#include "renderers/cuda_prelude.h"

#include <cctype>

#include "renderers/c_text.h"

namespace pg {

namespace {
// cp.async: PTX ISA 9.7.9.25.3. Beyond the bytes to read the destination gets zeros; with none to read the source is not
// touched. Only copies of 16 bytes can go past the L1, where a tile that is read once only is in the way.
const char* const kCopyAsync = R"(template <int bytes>
static __device__ __forceinline__ void pg_copy_async(void *to, const void *from, int read = bytes) {
  const unsigned at = (unsigned)__cvta_generic_to_shared(to);
  if (bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(read) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(at), "l"(from), "n"(bytes), "r"(read) : "memory");
}
)";
const char* const kCopyCommit = R"(static __device__ __forceinline__ void pg_copy_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
)";
const char* const kCopyWait = R"(template <int groups>
static __device__ __forceinline__ void pg_copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
}
)";
const char* const kFromHalf = R"(static __device__ __forceinline__ float pg_f16_to_f32(unsigned short x) {
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(x));
  return r;
}
)";
const char* const kToHalf = R"(static __device__ __forceinline__ unsigned short pg_f32_to_f16(float x) {
  unsigned short r;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(x));
  return r;
}
)";
}  // namespace

std::string CudaPrelude::type(DType t) {
  switch (t.scalar) {
    case Scalar::Bool: return "bool";
    case Scalar::Int8: return "signed char";
    case Scalar::UInt8: return "unsigned char";
    case Scalar::Int16: return "short";
    case Scalar::UInt16:
    case Scalar::Float16:
    case Scalar::BFloat16: return "unsigned short";
    case Scalar::Int32: return "int";
    case Scalar::UInt32: return "unsigned";
    case Scalar::Int64: return "long long";
    case Scalar::UInt64: return "unsigned long long";
    case Scalar::Float32: return "float";
    case Scalar::Void: break;
  }
  throw InternalError("rendering: a value of type void");
}

std::string CudaPrelude::vector(DType t) {
  const std::string name = pg::text(t);
  if (first_use(name))
    functions_ += "struct __align__(" + std::to_string(t.bytes()) + ") " + name + " {\n  " + type(t) + " l[" +
                  std::to_string(t.lanes) + "];\n};\n";
  return name;
}

std::string CudaPrelude::function(Op op, DType t) {
  if (op == Op::Sqrt) return "__fsqrt_rn";
  if (op == Op::Floor) return "floorf";
  if (op == Op::Fma) return "fmaf";
  std::string name = info(op).name;
  for (char& c : name) c = static_cast<char>(std::tolower(c));
  name += "_" + pg::text(t);
  if (!first_use(name)) return name;
  const std::string v = type(t);
  define(v + " " + name + "(" + v + " a, " + v + " b)", c_function_body(op, t, v));
  return name;
}

std::string CudaPrelude::convert(DType from, DType to) {
  if (from == dt::f16 || to == dt::f16) {
    const bool widens = from == dt::f16;
    const std::string name = widens ? "pg_f16_to_f32" : "pg_f32_to_f16";
    if (first_use(name)) ptx_ += widens ? kFromHalf : kToHalf;
    return name;
  }
  const std::string name = pg::text(from) + "_to_" + pg::text(to);
  if (!first_use(name)) return name;
  if (from == dt::bf16)
    define("float " + name + "(unsigned short x)", "  return __uint_as_float((unsigned)x << 16);\n");
  else  // to nearest, ties to even, NaNs stay NaNs
    define("unsigned short " + name + "(float x)",
           "  const unsigned u = __float_as_uint(x), near = (u + 0x7fff + (u >> 16 & 1)) >> 16;\n"
           "  return (unsigned short)(x != x ? u >> 16 | 0x40 : near);\n");
  return name;
}

std::string CudaPrelude::copy_async(int bytes) {
  if (first_use("pg_copy_async")) ptx_ += kCopyAsync;
  return "pg_copy_async<" + std::to_string(bytes) + ">";
}
std::string CudaPrelude::copy_commit() {
  if (first_use("pg_copy_commit")) ptx_ += kCopyCommit;
  return "pg_copy_commit";
}
std::string CudaPrelude::copy_wait(int64_t groups) {
  if (first_use("pg_copy_wait")) ptx_ += kCopyWait;
  return "pg_copy_wait<" + std::to_string(groups) + ">";
}

}  // namespace pg
