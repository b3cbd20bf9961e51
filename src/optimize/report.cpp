#include "model/json.hpp"
#include "optimize/measure.hpp"

namespace liveness {
namespace {

Json to_value(const std::optional<ErrorRates>& r) {
  if (!r) return nullptr;
  return {{"apcer", r->apcer}, {"bpcer", r->bpcer}, {"attacks", r->attacks}, {"bona_fide", r->bona_fide}};
}

Json to_value(const ScoreDrift& d) {
  return {
      {"samples", d.samples},      {"outputs", d.outputs}, {"mean_score", d.mean_score}, {"max_score", d.max_score},
      {"flips", d.flips},          {"boxes", d.boxes},     {"landmarks", d.landmarks},   {"before", to_value(d.before)},
      {"after", to_value(d.after)}};
}

}  // namespace

std::string to_json(const QuantizeReport& report) {
  Json layers = Json::array();
  for (const auto& l : report.layers)
    layers.push_back({{"name", l.name}, {"bytes", l.bytes}, {"error", l.error}, {"quantized", l.quantized}});
  Json qualifications = Json::array();
  for (const auto& q : report.qualifications)
    qualifications.push_back({{"precision", to_string(q.precision)},
                              {"passed", q.passed},
                              {"reason", q.reason},
                              {"milliseconds", q.milliseconds},
                              {"drift", to_value(q.drift)}});
  return dump_json({{"bytes_before", report.bytes_before},
                    {"bytes_after", report.bytes_after},
                    {"milliseconds_before", report.milliseconds_before},
                    {"stored", to_value(report.stored)},
                    {"layers", std::move(layers)},
                    {"qualifications", std::move(qualifications)}});
}

std::string to_json(const PruneReport& report) {
  Json widths = Json::array();
  for (const auto& w : report.widths) widths.push_back({{"name", w.name}, {"before", w.before}, {"after", w.after}});
  return dump_json({{"parameters_before", report.parameters_before},
                    {"parameters_after", report.parameters_after},
                    {"macs_before", report.macs_before},
                    {"macs_after", report.macs_after},
                    {"milliseconds_before", report.milliseconds_before},
                    {"milliseconds_after", report.milliseconds_after},
                    {"widths", std::move(widths)},
                    {"drift", report.drift ? to_value(*report.drift) : Json(nullptr)}});
}

}  // namespace liveness
