#include "liveness/detector.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "liveness/error.hpp"
#include "liveness/roi.hpp"
#include "model/model_impl.hpp"
#include "vision/roi_tables.hpp"

namespace liveness {
namespace {

// The graph outputs of one stride; -1 where the network has none of that role.
struct Heads {
  int cls = -1;
  int obj = -1;
  int bbox = -1;
  int kps = -1;
  int map = -1;
};

// One stride's cells, row by row.
struct Grid {
  int columns = 0;
  int rows = 0;
  float stride = 1;
};

int output_index(const ModelInfo& info, const DetectorContract& d, const std::string& role, std::size_t stride) {
  const auto found = d.outputs.find(role);
  if (found == d.outputs.end()) return -1;
  const std::string& name = found->second[stride];
  for (std::size_t i = 0; i < info.outputs.size(); ++i) {
    if (info.outputs[i].name == name) return static_cast<int>(i);
  }
  throw Error(Status::kInternal, "detector.outputs." + role + ": the graph has no output \"" + name + "\"");
}

float unit(float v) {
  return std::clamp(v, 0.0F, 1.0F);
}

// A network that was fed a flat or hostile picture may answer anything; a box that no frame could hold is none.
bool plausible(const Face& face, const InputContract& input) {
  for (const Point& p : face.landmarks) {
    if (!std::isfinite(p.x) || !std::isfinite(p.y)) return false;
  }
  const float most = 8.0F * static_cast<float>(std::max(input.width, input.height));
  return is_finite(face.box) && face.box.width > 0 && face.box.height > 0 && face.box.width < most &&
         face.box.height < most;
}

// Best first; of equal scores the upper, then the left one, so that the order never depends on the sort.
bool better(const Face& a, const Face& b) {
  if (a.score != b.score) return a.score > b.score;
  if (a.box.y != b.box.y) return a.box.y < b.box.y;
  return a.box.x < b.box.x;
}

}  // namespace

class FaceDetector::Impl {
 public:
  Impl(Model detector, const Options& given) : model(std::move(detector)), options(given), roi(specs()) {
    const DetectorContract& d = contract();
    const auto check = [](const char* name, float value, float low, float high) {
      if (!(value >= low && value <= high)) {
        throw Error(Status::kInvalidArgument, std::string(name) + ": " + std::to_string(value) + " is not in " +
                                                  std::to_string(low) + " to " + std::to_string(high));
      }
    };
    if (!(options.score_threshold < 0)) check("score_threshold", options.score_threshold, 0, 1);
    if (!(options.nms_iou < 0)) check("nms_iou", options.nms_iou, 0, 1);
    check("min_face", options.min_face, 0, 65536);
    if (options.max_faces < 1) {
      throw Error(Status::kInvalidArgument, "max_faces: " + std::to_string(options.max_faces) + " is below 1");
    }
    threshold = options.score_threshold < 0 ? d.score_threshold : options.score_threshold;
    nms_iou = options.nms_iou < 0 ? d.nms_iou : options.nms_iou;
    const InputContract& in = model.contract().input;
    for (std::size_t i = 0; i < d.strides.size(); ++i) {
      const int stride = d.strides[i];
      grids.push_back(
          {(in.width + stride - 1) / stride, (in.height + stride - 1) / stride, static_cast<float>(stride)});
      const std::size_t name = d.decode == DetectorContract::Decode::kSsd ? 0 : i;
      heads.push_back({output_index(model.info(), d, "cls", name), output_index(model.info(), d, "obj", name),
                       output_index(model.info(), d, "bbox", name), output_index(model.info(), d, "kps", name),
                       output_index(model.info(), d, "map", name)});
    }
  }

  void detect(const ImageView& image, std::vector<Face>& faces) const {
    check_image(image);
    const Model::Impl::Lease workspace(model.impl());
    roi.letterbox(image, model.impl().executable->input(*workspace));
    // The letterboxed frame has whole pixels, so its two scales differ a little.
    const Size frame{image.width, image.height};
    const Size inside = vision::letterbox_size(frame, {model.contract().input.width, model.contract().input.height});
    find(image, *workspace,
         {0, 0, static_cast<float>(frame.width) / static_cast<float>(inside.width),
          static_cast<float>(frame.height) / static_cast<float>(inside.height)},
         faces);
  }

  void detect(const ImageView& image, const Rect& window, std::vector<Face>& faces) const {
    const Model::Impl::Lease workspace(model.impl());
    const Rect region = roi.extract(image, window, 1, model.impl().executable->input(*workspace)).region;
    const InputContract& in = model.contract().input;
    find(image, *workspace,
         {region.x, region.y, region.width / static_cast<float>(in.width),
          region.height / static_cast<float>(in.height)},
         faces);
  }

  [[nodiscard]] const DetectorContract& contract() const { return *model.contract().detector; }

  Model model;
  Options options;

 private:
  [[nodiscard]] std::vector<RoiSpec> specs() const {
    const Contract& c = model.contract();
    if (c.task != Task::kDetector || !c.detector) {
      throw Error(Status::kInvalidArgument,
                  "model \"" + c.name + "\" is not a face detector: its contract says another task");
    }
    CropContract window;
    window.border = BorderRule::kConstant;
    return {RoiSpec{c.input, CropContract{}}, RoiSpec{c.input, window}};
  }

  // From the network's input pixels to the frame's.
  struct Back {
    float x = 0;
    float y = 0;
    float scale_x = 1;
    float scale_y = 1;
  };

  // The faces of what lies in the workspace's input.
  void find(const ImageView& image, Workspace& workspace, const Back& back, std::vector<Face>& faces) const {
    faces.clear();
    const Executable& net = *model.impl().executable;
    net.run(workspace);
    switch (contract().decode) {
      case DetectorContract::Decode::kYunet: decode_yunet(net, workspace, faces); break;
      case DetectorContract::Decode::kSsd: decode_ssd(net, workspace, faces); break;
      case DetectorContract::Decode::kGrid: decode_grid(net, workspace, faces); break;
    }
    for (Face& face : faces) {
      face.box = {face.box.x * back.scale_x + back.x, face.box.y * back.scale_y + back.y, face.box.width * back.scale_x,
                  face.box.height * back.scale_y};
      for (Point& p : face.landmarks) p = {p.x * back.scale_x + back.x, p.y * back.scale_y + back.y};
    }
    // A box beside the picture comes from the part that was filled in, and nobody could score it.
    const Rect whole{0, 0, static_cast<float>(image.width), static_cast<float>(image.height)};
    std::erase_if(faces, [&](const Face& face) {
      return std::min(face.box.width, face.box.height) < options.min_face || area(intersect(face.box, whole)) <= 0;
    });
    keep_best(faces);
  }

  // YuNet (Wu et al. 2023, "YuNet: a tiny millisecond-level face detector"), as its authors decode it.
  void decode_yunet(const Executable& net, const Workspace& workspace, std::vector<Face>& faces) const {
    const float least = threshold * threshold;
    for (std::size_t s = 0; s < grids.size(); ++s) {
      const Grid& grid = grids[s];
      const auto part = [&](int index) { return net.output(workspace, static_cast<std::size_t>(index)); };
      const std::span<const float> cls = part(heads[s].cls);
      const std::span<const float> obj = part(heads[s].obj);
      const std::span<const float> bbox = part(heads[s].bbox);
      const std::span<const float> kps = heads[s].kps < 0 ? std::span<const float>() : part(heads[s].kps);
      for (int y = 0; y < grid.rows; ++y) {
        for (int x = 0; x < grid.columns; ++x) {
          const auto cell =
              static_cast<std::size_t>(y) * static_cast<std::size_t>(grid.columns) + static_cast<std::size_t>(x);
          const float squared = unit(cls[cell]) * unit(obj[cell]);
          if (!(squared >= least)) continue;
          Face face;
          face.score = std::sqrt(squared);
          const float* b = &bbox[cell * 4];
          const float width = std::exp(b[2]) * grid.stride;
          const float height = std::exp(b[3]) * grid.stride;
          face.box = {(static_cast<float>(x) + b[0]) * grid.stride - width / 2,
                      (static_cast<float>(y) + b[1]) * grid.stride - height / 2, width, height};
          face.has_landmarks = !kps.empty();
          for (std::size_t i = 0; face.has_landmarks && i < face.landmarks.size(); ++i) {
            const float* k = &kps[cell * 10 + 2 * i];
            face.landmarks[i] = {(k[0] + static_cast<float>(x)) * grid.stride,
                                 (k[1] + static_cast<float>(y)) * grid.stride};
          }
          if (plausible(face, model.contract().input)) faces.push_back(face);
        }
      }
    }
  }

  // Anchors as in SSD (Liu et al. 2016): square, centred on the cells, one for each size.
  void decode_ssd(const Executable& net, const Workspace& workspace, std::vector<Face>& faces) const {
    const DetectorContract& d = contract();
    const auto part = [&](int index) { return net.output(workspace, static_cast<std::size_t>(index)); };
    const std::span<const float> cls = part(heads[0].cls);
    const std::span<const float> bbox = part(heads[0].bbox);
    const std::span<const float> kps = heads[0].kps < 0 ? std::span<const float>() : part(heads[0].kps);
    const float least = least_logit();
    std::size_t anchor = 0;
    for (std::size_t s = 0; s < grids.size(); ++s) {
      const Grid& grid = grids[s];
      for (int y = 0; y < grid.rows; ++y) {
        for (int x = 0; x < grid.columns; ++x) {
          for (const float size : d.anchor_sizes[s]) {
            const std::size_t a = anchor++;
            const float background = cls[2 * a];
            const float found = cls[2 * a + 1];
            if (d.softmax_scores && found - background < least) continue;
            const float score = d.softmax_scores ? 1 / (1 + std::exp(background - found)) : found;
            if (!(score >= threshold)) continue;
            const float cx = (static_cast<float>(x) + 0.5F) * grid.stride;
            const float cy = (static_cast<float>(y) + 0.5F) * grid.stride;
            const float* b = &bbox[a * 4];
            Face face;
            face.score = unit(score);
            const float width = size * std::exp(b[2] * d.variances[1]);
            const float height = size * std::exp(b[3] * d.variances[1]);
            face.box = {cx + b[0] * d.variances[0] * size - width / 2, cy + b[1] * d.variances[0] * size - height / 2,
                        width, height};
            face.has_landmarks = !kps.empty();
            for (std::size_t i = 0; face.has_landmarks && i < face.landmarks.size(); ++i) {
              const float* k = &kps[a * 10 + 2 * i];
              face.landmarks[i] = {cx + k[0] * d.variances[0] * size, cy + k[1] * d.variances[0] * size};
            }
            if (plausible(face, model.contract().input)) faces.push_back(face);
          }
        }
      }
    }
  }

  // One map a stride, its 15 channels plane by plane.
  void decode_grid(const Executable& net, const Workspace& workspace, std::vector<Face>& faces) const {
    const float least = least_logit();
    for (std::size_t s = 0; s < grids.size(); ++s) {
      const Grid& grid = grids[s];
      const std::span<const float> map = net.output(workspace, static_cast<std::size_t>(heads[s].map));
      const std::size_t cells = map.size() / 15;
      for (std::size_t cell = 0; cell < cells; ++cell) {
        if (!(map[cell] >= least)) continue;
        Face face;
        face.score = 1 / (1 + std::exp(-map[cell]));
        if (!(face.score >= threshold)) continue;
        const std::size_t row = cell / static_cast<std::size_t>(grid.columns);
        const auto x = static_cast<float>(cell % static_cast<std::size_t>(grid.columns));
        const auto y = static_cast<float>(row);
        const auto at = [&](std::size_t channel) { return map[channel * cells + cell]; };
        const float width = std::exp(at(3)) * grid.stride;
        const float height = std::exp(at(4)) * grid.stride;
        face.box = {(x + at(1)) * grid.stride - width / 2, (y + at(2)) * grid.stride - height / 2, width, height};
        face.has_landmarks = true;
        for (std::size_t i = 0; i < face.landmarks.size(); ++i) {
          face.landmarks[i] = {(x + at(5 + 2 * i)) * grid.stride, (y + at(6 + 2 * i)) * grid.stride};
        }
        if (plausible(face, model.contract().input)) faces.push_back(face);
      }
    }
  }

  // Logits that are clearly too low cost no exp; the score itself decides near the threshold.
  [[nodiscard]] float least_logit() const { return std::log(threshold / (1 - std::min(threshold, 0.999F))) - 0.01F; }

  // Greedy non-maximum suppression in place, until there are max_faces.
  void keep_best(std::vector<Face>& faces) const {
    std::sort(faces.begin(), faces.end(), better);
    std::size_t kept = 0;
    for (; kept < faces.size() && kept < static_cast<std::size_t>(options.max_faces); ++kept) {
      const Face best = faces[kept];
      const auto rest = faces.begin() + static_cast<std::ptrdiff_t>(kept);
      if (contract().nms_average) average(std::span(rest, faces.end()), best, *rest);
      faces.erase(
          std::remove_if(rest + 1, faces.end(), [&](const Face& other) { return iou(best.box, other.box) > nms_iou; }),
          faces.end());
    }
    faces.resize(kept);
  }

  // The mean of all boxes that lie on the best one, weighted by score^4: neighbouring cells see the same face, and
  // their mean moves less from frame to frame than any of them.
  static void average(std::span<const Face> all, const Face& best, Face& mean) {
    float total = 0;
    Rect box{0, 0, 0, 0};
    std::array<Point, 5> points{};
    for (const Face& face : all) {
      if (iou(best.box, face.box) < 0.5F) continue;
      const float weight = std::max(face.score * face.score * face.score * face.score, 1e-12F);
      total += weight;
      box.x += weight * face.box.x;
      box.y += weight * face.box.y;
      box.width += weight * face.box.width;
      box.height += weight * face.box.height;
      for (std::size_t i = 0; i < points.size(); ++i) {
        points[i].x += weight * face.landmarks[i].x;
        points[i].y += weight * face.landmarks[i].y;
      }
    }
    mean.box = {box.x / total, box.y / total, box.width / total, box.height / total};
    for (std::size_t i = 0; i < points.size(); ++i) mean.landmarks[i] = {points[i].x / total, points[i].y / total};
  }

  RoiProcessor roi;
  float threshold = 0;
  float nms_iou = 0;
  std::vector<Grid> grids;
  std::vector<Heads> heads;
};

FaceDetector::FaceDetector(Model model, const Options& options)
    : impl_(std::make_unique<Impl>(std::move(model), options)) {}
FaceDetector::~FaceDetector() = default;
FaceDetector::FaceDetector(FaceDetector&&) noexcept = default;
FaceDetector& FaceDetector::operator=(FaceDetector&&) noexcept = default;

void FaceDetector::detect(const ImageView& image, std::vector<Face>& faces) const {
  impl_->detect(image, faces);
}

void FaceDetector::detect(const ImageView& image, const Rect& window, std::vector<Face>& faces) const {
  impl_->detect(image, window, faces);
}

std::vector<Face> FaceDetector::detect(const ImageView& image) const {
  std::vector<Face> faces;
  detect(image, faces);
  return faces;
}

const Model& FaceDetector::model() const noexcept {
  return impl_->model;
}
const FaceDetector::Options& FaceDetector::options() const noexcept {
  return impl_->options;
}

Rect map_box(const Rect& box, const std::string& convention, const CropContract& crop) {
  if (convention == crop.box) return box;
  const auto found = crop.from.find(convention);
  if (found == crop.from.end()) {
    throw Error(Status::kUnsupported, "the network was trained on \"" + crop.box +
                                          "\" boxes and its contract (crop.from) has no map from \"" + convention +
                                          "\" boxes");
  }
  const BoxMap& m = found->second;
  const float width = m.width[0] * box.width + m.width[1] * box.height;
  const float height = m.height[0] * box.width + m.height[1] * box.height;
  const float cx = box.x + box.width / 2 + m.shift[0] * box.width;
  const float cy = box.y + box.height / 2 + m.shift[1] * box.height;
  return {cx - width / 2, cy - height / 2, width, height};
}

}  // namespace liveness
