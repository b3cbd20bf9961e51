#include "record.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace liveness::cli {
namespace {

Json box_json(const Rect& r) {
  return {number(r.x), number(r.y), number(r.width), number(r.height)};
}

Json names_json(ReasonMask m) {
  Json all = Json::array();
  for (const Reason r : reasons_in(m)) all.push_back(to_string(r));
  return all;
}

Json face_json(const FaceResult& f) {
  Json landmarks = nullptr;
  if (f.face.has_landmarks) {
    landmarks = Json::array();
    for (const Point& p : f.face.landmarks) landmarks.push_back({number(p.x), number(p.y)});
  }
  Json members = Json::array();
  for (const auto& m : f.members)
    members.push_back({{"model", m.model}, {"score", number(m.score)}, {"logit", number(m.logit)}});
  const Quality& q = f.quality;
  return {{"box", box_json(f.face.box)},
          {"landmarks", landmarks},
          {"detection", number(f.face.score)},
          {"verdict", to_string(f.verdict)},
          {"score", number(f.score)},
          {"logit", number(f.logit)},
          {"members", members},
          {"quality",
           {{"face_pixels", number(q.face_pixels)},
            {"sharpness", number(q.sharpness)},
            {"luminance", number(q.luminance)},
            {"overexposed", number(q.overexposed)},
            {"underexposed", number(q.underexposed)},
            {"outside", number(q.outside)},
            {"yaw", number(q.yaw)},
            {"pitch", number(q.pitch)},
            {"roll", number(q.roll)}}},
          {"views", f.views},
          {"spread", number(f.spread)},
          {"reasons", names_json(f.reasons)}};
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

double round_ms(double ms) {
  return std::round(ms * 1000) / 1000;
}

}  // namespace

Json number(float value) {
  if (!std::isfinite(value)) return nullptr;
  std::array<char, 64> text{};
  std::to_chars(text.data(), text.data() + text.size() - 1, value);
  double wide = 0;
  std::from_chars(text.data(), text.data() + text.size(), wide);
  return wide;
}

std::vector<Reason> reasons_in(ReasonMask m) {
  std::vector<Reason> all;
  for (int i = 0; i < kReasonCount; ++i)
    if (const auto r = static_cast<Reason>(ReasonMask{1} << i); has(m, r)) all.push_back(r);
  return all;
}

std::string reason_names(ReasonMask m, const char* separator) {
  std::string all;
  for (const Reason r : reasons_in(m)) all += (all.empty() ? "" : separator) + std::string(to_string(r));
  return all;
}

std::string line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string name_of(const Record& r) {
  return r.moving ? fmt::format("{}#{}", r.input, r.frame) : r.input;
}

std::string to_json_line(const Record& r) {
  Json j = {{"input", r.input}, {"frame", r.frame}, {"width", r.width}, {"height", r.height}};
  if (r.result) {
    const Result& s = *r.result;
    j["verdict"] = to_string(s.verdict);
    j["score"] = s.verdict == Verdict::kNoFace ? Json(nullptr) : number(s.score);
    j["logit"] = s.verdict == Verdict::kNoFace ? Json(nullptr) : number(s.logit);
    j["threshold"] = number(s.threshold);
    j["reasons"] = names_json(s.reasons);
    j["faces"] = Json::array();
    for (const auto& f : s.faces) j["faces"].push_back(face_json(f));
    j["model"] = s.model;
    j["time_ms"] = {{"read", round_ms(r.read_ms)},
                    {"detect", round_ms(s.time.detect)},
                    {"roi", round_ms(s.time.roi)},
                    {"infer", round_ms(s.time.infer)},
                    {"total", round_ms(s.time.total)}};
    j["from_cache"] = s.from_cache;
    j["error"] = nullptr;
  } else {
    for (const char* key : {"verdict", "score", "logit", "threshold"}) j[key] = nullptr;
    j["reasons"] = Json::array();
    j["faces"] = Json::array();
    j["model"] = nullptr;
    j["time_ms"] = Json::object();
    j["from_cache"] = false;
    j["error"] = r.error;
  }
  return line(j) + "\n";
}

std::string csv_header() {
  return "input,frame,face,verdict,score,logit,threshold,x,y,width,height,detection,reasons,model,total_ms,error\n";
}

std::string to_csv(const Record& r) {
  if (!r.result) return fmt::format("{},{},,,,,,,,,,,,,,{}\n", csv_cell(r.input), r.frame, csv_cell(r.error));
  const Result& s = *r.result;
  if (s.faces.empty())
    return fmt::format("{},{},,{},,,{},,,,,,,{},{:.3f},\n", csv_cell(r.input), r.frame, to_string(s.verdict),
                       s.threshold, csv_cell(s.model), s.time.total);
  std::string lines;
  for (std::size_t i = 0; i < s.faces.size(); ++i) {
    const FaceResult& f = s.faces[i];
    const Rect& b = f.face.box;
    lines += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{:.3f},\n", csv_cell(r.input), r.frame, i,
                         to_string(f.verdict), f.score, f.logit, f.threshold, b.x, b.y, b.width, b.height, f.face.score,
                         reason_names(f.reasons, " "), csv_cell(s.model), s.time.total);
  }
  return lines;
}

std::string to_text(const std::string& name, const Result& result) {
  if (result.faces.empty()) return fmt::format("{:<10}         {}\n", to_string(result.verdict), name);
  std::string text;
  for (const FaceResult& f : result.faces) {
    const Rect& b = f.face.box;
    text += fmt::format("{:<10} {:6.3f}  {}  (face {:.0f} x {:.0f} at {:.0f}, {:.0f})\n", to_string(f.verdict), f.score,
                        name, b.width, b.height, b.x, b.y);
    for (const Reason reason : reasons_in(f.reasons)) text += fmt::format("{:19}- {}\n", "", sentence(reason));
  }
  return text;
}

}  // namespace liveness::cli
