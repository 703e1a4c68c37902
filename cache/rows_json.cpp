#include "cache/rows_json.h"

namespace pg {

using nlohmann::ordered_json;

ordered_json row_json(const WinnerKey& k) {
  return {{"kernel", k.kernel},   {"device", k.device},       {"toolchain", k.toolchain},
          {"threads", k.threads}, {"precision", k.precision}, {"bucket", k.bucket}};
}
ordered_json row_json(const KernelRow& k) {
  return {{"id", k.id},       {"name", k.name},  {"shape", k.shape}, {"template", k.template_hash},
          {"flops", k.flops}, {"bytes", k.bytes}};
}
ordered_json row_json(const WinnerRow& w) {
  ordered_json j = row_json(w.key);
  j.update({{"schedule", w.schedule},
            {"median_ms", w.median_ms},
            {"default_ms", w.default_ms},
            {"candidates", w.candidates},
            {"search_seconds", w.search_seconds},
            {"finished", w.finished},
            {"created", w.created}});
  return j;
}
ordered_json row_json(const MeasurementRow& m) {
  ordered_json j = row_json(m.key);
  j.update({{"schedule", m.schedule},
            {"bindings", m.bindings},
            {"median_ms", m.median_ms},
            {"spread", m.spread},
            {"samples", m.samples},
            {"status", m.status},
            {"reason", m.reason},
            {"verified", m.verified},
            {"run", m.run},
            {"created", m.created},
            {"origin", m.lineage.origin},
            {"round", m.lineage.round},
            {"parent", m.lineage.parent ? ordered_json(*m.lineage.parent) : ordered_json()}});
  return j;
}

ordered_json row_json(const PlanRow& p) {
  return {{"site", p.site},         {"device", p.device},     {"toolchain", p.toolchain},     {"threads", p.threads},
          {"precision", p.precision}, {"in_place", p.in_place}, {"in_place_ms", p.in_place_ms}, {"stored_ms", p.stored_ms},
          {"spread", p.spread},     {"created", p.created}};
}

std::string dumped(const ordered_json& j, int indent) {
  return j.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace pg
