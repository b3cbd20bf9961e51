#include <liveness/liveness.hpp>

float other_overlap(const liveness::Rect& a, const liveness::Rect& b) {
  return liveness::iou(a, b);
}
