// Whether two results say the same: equal in everything but the times and whether they come from a cache.
#pragma once

#include "liveness/predictor.hpp"

namespace liveness::test {

inline bool same(const FaceResult& a, const FaceResult& b) {
  if (a.members.size() != b.members.size()) return false;
  for (std::size_t i = 0; i < a.members.size(); ++i)
    if (a.members[i].model != b.members[i].model || a.members[i].score != b.members[i].score ||
        a.members[i].logit != b.members[i].logit)
      return false;
  const Rect& p = a.face.box;
  const Rect& q = b.face.box;
  const auto values = [](const Quality& v) {
    return std::array{v.face_pixels, v.sharpness, v.luminance, v.overexposed, v.underexposed,
                      v.outside,     v.yaw,       v.pitch,     v.roll};
  };
  return a.verdict == b.verdict && a.score == b.score && a.logit == b.logit && a.threshold == b.threshold &&
         a.reasons == b.reasons && a.views == b.views && a.spread == b.spread && p.x == q.x && p.y == q.y &&
         p.width == q.width && p.height == q.height && a.face.score == b.face.score &&
         a.face.has_landmarks == b.face.has_landmarks && values(a.quality) == values(b.quality);
}

inline bool same(const Result& a, const Result& b) {
  if (a.faces.size() != b.faces.size() || a.verdict != b.verdict || a.score != b.score || a.logit != b.logit ||
      a.threshold != b.threshold || a.reasons != b.reasons || a.model != b.model)
    return false;
  for (std::size_t i = 0; i < a.faces.size(); ++i)
    if (!same(a.faces[i], b.faces[i])) return false;
  return true;
}

}  // namespace liveness::test
