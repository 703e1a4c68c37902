#pragma once
// Winners that come with picograd: exports in cache/pretuned/, one for each device that was tuned beforehand.
#include <string>

#include "cache/store.h"

namespace pg {

class Device;

/// An export whose schedules are schedules. UserError naming the file and the place where it is none (cache/exchange.h).
Contents read_export(const std::string& file);

/// "amd-epyc-9b45-0a1b2c3d4e5f.json": the name for people, the digits of its id for the exact device.
std::string pretuned_name(const std::string& id, const std::string& json);

/// Imports the device's file where there is one and the store wants it: once. Under another toolchain its winners are only
/// where a search starts from. A file that cannot be read is a warning.
void take_pretuned(Store&, const Device&);

}  // namespace pg
