#pragma once

#include "liveness/roi.hpp"

namespace liveness::test {

// The box itself, into an input of grey levels as they are.
inline RoiSpec make_spec(int width, int height, BorderRule border, ResizeFilter filter = ResizeFilter::kBilinear,
                         ColorOrder color = ColorOrder::kBgr) {
  RoiSpec s;
  s.input.width = width;
  s.input.height = height;
  s.input.color = color;
  s.input.mean.assign(static_cast<std::size_t>(s.input.channels()), 0.0F);
  s.input.std.assign(static_cast<std::size_t>(s.input.channels()), 1.0F);
  s.crop.border = border;
  s.crop.enlarge = s.crop.shrink = filter;
  return s;
}

}  // namespace liveness::test
