#pragma once
#include <span>
#include <string>

#include "uops/lower.h"
#include "uops/uop.h"

namespace pg {

/// What a device compiles.
struct Source {
  std::string name;  // the C symbol
  std::string text;  // whole translation unit, no includes
  UOp linear;
  LaunchInfo launch;
};

/// Linear → C for Clang (vector types by ext_vector_type, no libm calls, no headers). One function
///   void NAME(void *const *buffers, const long *variables, void *scratch, long begin, long end)
/// runs the grid items [begin, end) of one phase; buffers are LaunchInfo's params and then its workspaces, which never alias
/// (restrict); scratch is the thread's own. The text depends on nothing but the Linear.
Source render_c(const UOp& linear);

/// Several kernels in one translation unit, which compiles in half the time: kernel i is called symbols[i].
std::string render_c_unit(std::span<const UOp> linears, std::span<const std::string> symbols);

/// Bumped by hand whenever generated text changes meaning or speed: part of every database key.
/// tests/renderers/golden_test compares texts and fails when they change without a bump.
inline constexpr int kCodegenVersion = 8;

}  // namespace pg
