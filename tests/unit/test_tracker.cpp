// The tracker on streams with known truth: made-up faces that YuNet finds.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "liveness/error.hpp"
#include "liveness/tracker.hpp"
#include "made_up_face.hpp"
#include "refusal.hpp"
#include "shared_models.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using test::Pose;
using test::Sprite;
using test::Stage;

namespace {

constexpr double kFrame = 1.0 / 30;

const Model* yunet() {
  const std::string file = "yunet_s_320_320.onnx";
  if (!test::have_model(file)) return nullptr;
  static const Model model = [&] {
    Model::Options load;
    load.contract = std::string(LIVENESS_SOURCE_DIR) + "/models/contracts/yunet_320.yaml";
    return Model::load(test::shared_models() / file, load);
  }();
  return &model;
}

// The box that the detector gives a face, in sizes of the face from its middle: the mean over places and sizes.
Rect known_box(const Model& model, const Sprite& face) {
  const FaceDetector detector(model);
  Stage stage;
  Rect sum{};
  int n = 0;
  for (int i = 0; i < 12; ++i) {
    const Pose at{200 + 20.3F * static_cast<float>(i), 180 + 9.7F * static_cast<float>(i),
                  120 + 8 * static_cast<float>(i)};
    stage.clear();
    stage.paint(face, at);
    for (const Face& f : detector.detect(stage.shoot())) {
      sum.x += (f.box.x - at.x) / at.size;
      sum.y += (f.box.y - at.y) / at.size;
      sum.width += f.box.width / at.size;
      sum.height += f.box.height / at.size;
      ++n;
    }
  }
  REQUIRE(n == 12);
  const auto m = static_cast<float>(n);
  return {sum.x / m, sum.y / m, sum.width / m, sum.height / m};
}

Rect box_at(const Rect& known, const Pose& at) {
  return {at.x + known.x * at.size, at.y + known.y * at.size, known.width * at.size, known.height * at.size};
}

}  // namespace

TEST_CASE("Six motions: what is scored lies on the face", "[tracker]") {
  const Model* model = yunet();
  if (model == nullptr) return;
  const Sprite face(test::first_person());
  const Rect known = known_box(*model, face);

  enum class Kind { kPlain, kFast, kVeryFast, kDim, kCovered, kLeaving };
  const std::vector<std::pair<std::string, Kind>> kinds = {
      {"plain", Kind::kPlain}, {"fast", Kind::kFast},       {"very fast", Kind::kVeryFast},
      {"dim", Kind::kDim},     {"covered", Kind::kCovered}, {"leaving", Kind::kLeaving}};
  for (const auto& [name, kind] : kinds) {
    CAPTURE(name);
    FaceTracker tracker(*model);
    Stage stage;
    double sum = 0;
    int seen = 0;
    int off = 0;
    int present = 0;
    int claimed = 0;
    std::set<std::uint64_t> ids;
    for (int i = 0; i < 150; ++i) {
      const auto t = static_cast<float>(i) / 30;
      Pose at{320, 240, 150};
      const float speed = kind == Kind::kFast ? 3.0F : kind == Kind::kVeryFast ? 6.0F : 1.0F;
      at.x += 150 * std::sin(speed * t);  // at most 5, 15, 30 pixels a frame
      at.y += 50 * std::sin(0.9F * speed * t + 0.5F);
      at.size *= 1 + 0.15F * std::sin(0.7F * t);
      at.turned = 0.12F * std::sin(0.8F * t);
      if (kind == Kind::kLeaving) at.x = 320 + 8 * static_cast<float>(std::max(i - 40, 0));
      const bool covered = kind == Kind::kCovered && i >= 60 && i < 90;
      const bool gone = covered || at.x > 560;
      stage.clear();
      stage.paint(face, at);
      if (covered) stage.cover(static_cast<int>(at.x) - 100, static_cast<int>(at.y) - 110, 200, 240, 90);
      if (kind == Kind::kDim) stage.light(0.15F);
      const auto& update = tracker.update(stage.shoot(2), i * kFrame);
      if (!gone && i > 1) ++present;
      for (const Track& track : update.tracks) {
        ids.insert(track.id);
        if (!track.scorable) continue;
        if (gone) {
          ++claimed;
          continue;
        }
        const float overlap = iou(track.face.box, box_at(known, at));
        sum += static_cast<double>(overlap);
        ++seen;
        off += overlap < 0.5F ? 1 : 0;
      }
    }
    const double mean = seen > 0 ? sum / seen : 0;
    WARN(name << ": mean IoU " << mean << ", scorable " << seen << " of " << present << ", off " << off << ", claimed "
              << claimed << ", ids " << ids.size());
    CHECK(mean >= 0.85);
    CHECK(off == 0);
    CHECK(seen >= present * 9 / 10);
  }
}
