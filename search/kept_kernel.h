#pragma once
// Kernels that this very program built before: a run that replays them lowers, renders and compiles nothing.
#include <optional>

#include "search/build.h"

namespace pg {

/// From the device's artifact cache, a kernel with its opts or a Together with those of each of its kernels: what `build`
/// would give, with a Source that has no text and no linear, and a LaunchInfo without the Memories that only renderers ask
/// about. Nullopt: it was not kept, or by another build of the program.
std::optional<Built> kept_kernel(const UOp& launch, std::span<const Opts>, Device&);
/// Best effort, as ArtifactCache::put is.
void keep_kernel(const UOp& launch, std::span<const Opts>, Device&, const Source&, const Artifact&);

}  // namespace pg
