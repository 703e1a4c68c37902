#pragma once
// A database, or part of one, as one JSON file that people read and tools compare: sorted, a row a line (a kernel: a line
// for each line of its text), numbers that read back to the same bits.
//
//   {"format": "picograd schedules", "version": 3,
//    "devices": {ID: {..}}, "toolchains": {ID: {..}}, "kernels": [..], "winners": [..], "measurements": [..],
//    "plans": [..]}
#include <functional>
#include <string>

#include "cache/store.h"

namespace pg {

inline constexpr int kExchangeVersion = 3;

/// The rows of one device (empty: of all), and what they refer to. `winners_only`: without measurements.
Contents selected(Contents, const std::string& device, bool winners_only);

std::string exchange_text(const Contents&);

/// Throws UserError saying why a text is no schedule.
using ScheduleCheck = std::function<void(const std::string& opts)>;
/// The contents of such a text. UserError naming `file`, the place and what is wrong with it: no JSON, another format, a
/// newer version, a field that is missing, unknown or of another kind, a kernel whose id is not the hash of its text, a
/// schedule that is none, a reference to what the file lacks.
Contents parse_exchange(const std::string& text, const std::string& file, const ScheduleCheck&);
/// The same of a file; UserError when it cannot be read.
Contents read_exchange(const std::string& file, const ScheduleCheck&);

}  // namespace pg
