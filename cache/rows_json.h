#pragma once
// A store's rows as JSON: the one form of exports and of `picograd db .. --json`.
#include <nlohmann/json.hpp>

#include "cache/store.h"

namespace pg {

nlohmann::ordered_json row_json(const WinnerKey&);
nlohmann::ordered_json row_json(const KernelRow&);  // without its text
nlohmann::ordered_json row_json(const WinnerRow&);
nlohmann::ordered_json row_json(const MeasurementRow&);
nlohmann::ordered_json row_json(const PlanRow&);
/// Reasons quote compilers and candidates: any bytes.
std::string dumped(const nlohmann::ordered_json&, int indent = -1);

}  // namespace pg
