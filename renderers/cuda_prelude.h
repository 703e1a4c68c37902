#pragma once
// The types and small functions that a kernel in CUDA C stands on, each written once and only when used.
#include <string>
#include <unordered_set>

#include "uops/uop.h"

namespace pg {

class CudaPrelude {
 public:
  /// A scalar's name; the 16-bit floats are their bits.
  static std::string type(DType);
  /// A struct of lanes, which is moved by one instruction.
  std::string vector(DType);
  /// Names of functions on scalars of type t.
  std::string function(Op, DType t);
  std::string convert(DType from, DType to);  // to and from the 16-bit floats, by way of f32
  std::string copy_async(int bytes);          // (to, from) or (to, from, bytes to read: the rest is 0)
  std::string copy_commit();                  // ()
  std::string copy_wait(int64_t groups);      // ()

  const std::string& ptx() const { return ptx_; }
  const std::string& functions() const { return functions_; }

 private:
  bool first_use(const std::string& name) { return written_.insert(name).second; }
  void define(const std::string& head, const std::string& body) { functions_ += "INLINE " + head + " {\n" + body + "}\n"; }

  std::unordered_set<std::string> written_;
  std::string ptx_, functions_ = "#define INLINE static __device__ __forceinline__\n";
};

}  // namespace pg
