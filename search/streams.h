#pragma once
// An axis walked at several places at once, far apart (docs/schedule.md, "streams").
#include "search/schedule.h"

namespace pg {

/// The name of the axis that numbers the streams of another one.
std::string streams_axis(const std::string& axis);

/// The kernel with an axis of N elements as two: `n_streams` of `count` and `n` of N / count; the element is n_streams · N /
/// count + n. Or why that is not allowed.
Expected<UOp> split_into_streams(const UOp& kernel, const Streams&);

/// The schedule with the register tile of an output axis spread over as many streams, or the other way round. Null where the
/// axis has none, is tiled in another way too, or that is not allowed.
std::optional<Schedule> streamed(const Schedule&, const std::string& axis);
std::optional<Schedule> unstreamed(const Schedule&);

/// What the heuristic takes: where a block of rows is read once and the rows are so short that they share pages, each
/// gets pages of its own; else the same schedule.
Schedule with_streams(const Schedule&);

}  // namespace pg
