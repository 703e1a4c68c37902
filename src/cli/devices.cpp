#include "src/cli/devices.h"

#include <ostream>

#include "runtime/device.h"

namespace pg {

void print_devices(std::ostream& out) {
  for (const DeviceReport& d : device_reports()) {
    out << d.name << std::string(d.name.size() < 8 ? 8 - d.name.size() : 1, ' ') << (d.found ? "found    " : "missing  ")
        << d.what << "\n";
    for (const std::string& more : {d.remedy, d.note})
      if (!more.empty()) out << "                 " << more << "\n";
  }
}

}  // namespace pg
