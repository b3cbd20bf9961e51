// Crops for those who run networks themselves.
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "convert.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "liveness.h"

using namespace liveness::capi;  // NOLINT(google-build-using-namespace): this file is that namespace's C face
using liveness::CropInfo;
using liveness::PlanarView;
using liveness::Rect;
using liveness::Status;

extern "C" {

liveness_status_t liveness_roi_create(liveness_model_t* const* models, size_t count, const char* box_convention,
                                      liveness_roi_t** roi) noexcept {
  return guard([&] {
    (void)deref(models, "models");
    (void)deref(roi, "roi");
    std::vector<liveness::RoiSpec> specs;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = item("models", i);
      const auto& contract = deref(models[i], name).model.contract();
      if (!contract.crop) fail(Status::kInvalidArgument, name + ": \"" + contract.name + "\" has no crop rule");
      // A convention that a crop cannot take is refused here and not at the first picture.
      if (box_convention != nullptr) (void)liveness::map_box({0, 0, 1, 1}, box_convention, *contract.crop);
      specs.push_back({contract.input, *contract.crop});
    }
    if (specs.empty()) fail(Status::kInvalidArgument, "count is 0: at least one model is needed");
    liveness_roi_t made{liveness::RoiProcessor(std::move(specs)), std::nullopt};
    if (box_convention != nullptr) made.convention = box_convention;
    *roi = new liveness_roi_t(std::move(made));
  });
}

void liveness_roi_destroy(liveness_roi_t* roi) noexcept {
  delete roi;
}

void liveness_crop_init(liveness_crop_t* crop, size_t size) noexcept {
  init(crop, size, liveness_crop_t{});
}

liveness_status_t liveness_roi_extract(const liveness_roi_t* roi, const liveness_image_t* image,
                                       const liveness_rect_t* face, float* const* outputs, const size_t* output_counts,
                                       liveness_crop_t* const* crops, size_t count) noexcept {
  return guard([&] {
    const auto& r = deref(roi, "roi");
    const auto view = from_c(image);
    const Rect box = from_c(deref(face, "face"));
    (void)deref(outputs, "outputs");
    (void)deref(output_counts, "output_counts");
    if (count != r.processor.size())
      fail(Status::kInvalidArgument, "count is " + std::to_string(count) + ", the ROI processor has " +
                                         std::to_string(r.processor.size()) + " crops");
    std::vector<Rect> boxes;
    std::vector<PlanarView> planes;
    liveness::check_image(view);
    for (std::size_t i = 0; i < count; ++i) {
      const auto& spec = r.processor.spec(i);
      const auto width = static_cast<std::size_t>(spec.input.width);
      const auto plane = width * static_cast<std::size_t>(spec.input.height);
      const auto values = plane * static_cast<std::size_t>(spec.input.channels());
      (void)deref(outputs[i], item("outputs", i));
      if (output_counts[i] != values)
        fail(Status::kInvalidArgument, item("output_counts", i) + " is " + std::to_string(output_counts[i]) +
                                           ", expected " + std::to_string(values));
      if (crops != nullptr) check_out(crops[i], item("crops", i));
      boxes.push_back(r.convention ? map_box(box, *r.convention, spec.crop) : box);
      check_box(boxes.back(), {view.width, view.height});
      planes.push_back({outputs[i], static_cast<std::ptrdiff_t>(width), static_cast<std::ptrdiff_t>(plane)});
    }
    for (std::size_t i = 0; i < count; ++i) {
      const CropInfo info = r.processor.extract(view, boxes[i], i, planes[i]);
      if (crops != nullptr) write(crops[i], to_c(info));
    }
  });
}

}  // extern "C"
