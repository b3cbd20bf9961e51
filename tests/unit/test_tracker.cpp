// The tracker on streams with known truth: made-up faces that YuNet and the detector inside the library find.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <random>
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

// The call fails with this status, and its message names the thing.
template <class Call>
void check_refusal(const Call& call, Status status, const std::string& name) {
  CHECK_THAT(test::refusal(status, call), Catch::Contains(name));
}

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

const Model& built_in() {
  static const Model model = Model::load(std::string(LIVENESS_SOURCE_DIR) + "/models/face_detector.safetensors");
  return model;
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

// A face moves in six ways, followed with the defaults; `least` is the share of its frames that are fit to be scored.
void check_six_motions(const Model& model, double least) {
  const Sprite face(test::first_person());
  const Rect known = known_box(model, face);

  enum class Kind { kPlain, kFast, kVeryFast, kDim, kCovered, kLeaving };
  const std::vector<std::pair<std::string, Kind>> kinds = {{"plain", Kind::kPlain},        {"fast", Kind::kFast},
                                                           {"very fast", Kind::kVeryFast}, {"dim", Kind::kDim},
                                                           {"covered", Kind::kCovered},    {"leaving", Kind::kLeaving}};
  for (const auto& [name, kind] : kinds) {
    CAPTURE(name);
    FaceTracker tracker(model);
    Stage stage;
    double sum = 0;
    int seen = 0;
    int searched = 0;
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
      const bool gone = covered || at.x > 640;
      stage.clear();
      stage.paint(face, at);
      if (covered) stage.cover(static_cast<int>(at.x) - 100, static_cast<int>(at.y) - 110, 200, 240, 90);
      if (kind == Kind::kDim) stage.light(0.15F);
      const auto& update = tracker.update(stage.shoot(2), i * kFrame);
      if (!gone && i > 0) ++present;
      searched += update.searched ? 1 : 0;
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
    INFO("mean IoU " << mean << ", scorable " << seen << " of " << present << ", off the face " << off << ", ids "
                     << ids.size() << ", searches of the whole frame " << searched);
    CHECK(mean >= 0.85);
    CHECK(off == 0);
    CHECK(claimed == 0);
    CHECK(seen >= least * present);
    CHECK(ids.size() == (kind == Kind::kCovered ? 2 : 1));  // one second behind a board ends a track
  }
}

void check_still_box(const Model& model) {
  const Sprite face(test::first_person());
  FaceTracker tracker(model);
  Stage stage;
  stage.paint(face, {320, 240, 150});
  double sum[4] = {};
  double squares[4] = {};
  int n = 0;
  for (int i = 0; i < 200; ++i) {
    const auto& update = tracker.update(stage.shoot(3), i * kFrame);
    if (i < 10) continue;
    REQUIRE(update.tracks.size() == 1);
    const Rect& b = update.tracks[0].face.box;
    const double values[4] = {b.x + b.width / 2, b.y + b.height / 2, b.width, b.height};
    for (int k = 0; k < 4; ++k) {
      sum[k] += values[k];
      squares[k] += values[k] * values[k];
    }
    ++n;
  }
  const double size = (sum[2] + sum[3]) / (2 * n);
  for (int k = 0; k < 4; ++k) {
    CAPTURE(k);
    const double mean = sum[k] / n;
    const double deviation = std::sqrt(std::max(squares[k] / n - mean * mean, 0.0));
    CHECK(deviation <= 0.01 * size);
  }
}

}  // namespace

TEST_CASE("Six motions: what is scored lies on the face", "[tracker]") {
  if (const Model* model = yunet(); model != nullptr) check_six_motions(*model, 0.9);
}

TEST_CASE("Six motions with the detector inside the library", "[tracker]") {
  check_six_motions(built_in(), 0.9);
}

TEST_CASE("The window is the one asked for, else the detector's own, else 96 pixels and 2 faces", "[tracker]") {
  const auto in_use = [](const Model& model, int window, float window_scale) {
    FaceTracker::Options options;
    options.window = window;
    options.window_scale = window_scale;
    const FaceTracker tracker(model, options);
    return std::pair(tracker.options().window, tracker.options().window_scale);
  };
  Package own = test::tiny_detector_package();
  own.contract.detector->tracking = {64, 1.5F};
  const Model with = test::tiny_model(own);
  CHECK(in_use(with, -1, -1) == std::pair(64, 1.5F));
  CHECK(in_use(with, 32, -1) == std::pair(32, 1.5F));
  CHECK(in_use(with, -1, 3) == std::pair(64, 3.0F));
  CHECK(in_use(test::tiny_detector(), -1, -1) == std::pair(96, 2.0F));
  CHECK(in_use(built_in(), -1, -1) == std::pair(144, 1.6F));
  CHECK(FaceTracker(with).options().window == 64);
}

TEST_CASE("A still face has a still box", "[tracker]") {
  if (const Model* model = yunet(); model != nullptr) check_still_box(*model);
}

TEST_CASE("A still face has a still box with the detector inside the library", "[tracker]") {
  check_still_box(built_in());
}

TEST_CASE("An id never passes from one face to another when they cross", "[tracker]") {
  const Model* model = yunet();
  if (model == nullptr) return;
  const Sprite faces[2] = {Sprite(test::first_person()), Sprite(test::second_person())};
  const Rect known[2] = {known_box(*model, faces[0]), known_box(*model, faces[1])};
  std::mt19937 random(7);
  const auto draw = [&](float low, float high) { return std::uniform_real_distribution<float>(low, high)(random); };
  int kept = 0;
  for (int run = 0; run < 100; ++run) {
    CAPTURE(run);
    FaceTracker tracker(*model);
    Stage stage;
    const float pace = draw(6, 16);
    const float height = draw(0, 40);
    const float sizes[2] = {draw(100, 140), draw(100, 140)};
    const int front = run % 2;
    std::map<std::uint64_t, int> owner;
    for (int i = 0; i < 60; ++i) {
      const float way = std::min(pace * static_cast<float>(i), 400.0F);
      const Pose at[2] = {{120 + way, 220, sizes[0]}, {520 - way, 220 + height, sizes[1]}};
      stage.clear();
      stage.paint(faces[1 - front], at[1 - front]);
      stage.paint(faces[front], at[front]);
      for (const Track& track : tracker.update(stage.shoot(), i * kFrame).tracks) {
        if (!track.scorable) continue;
        const float on[2] = {iou(track.face.box, box_at(known[0], at[0])),
                             iou(track.face.box, box_at(known[1], at[1]))};
        const int who = on[0] > on[1] ? 0 : 1;
        if (std::max(on[0], on[1]) < 0.5F || std::fabs(on[0] - on[1]) < 0.2F) continue;
        const auto known_as = owner.try_emplace(track.id, who).first;
        CHECK(known_as->second == who);
      }
    }
    CHECK(owner.size() >= 2);
    kept += std::count_if(owner.begin(), owner.end(), [&](const auto& o) { return o.second == front; }) == 1 ? 1 : 0;
  }
  // The one in front keeps its id; the one behind may be lost, and is then another track.
  INFO("the id of the face in front kept in " << kept << " of 100 runs");
  CHECK(kept >= 60);
}

TEST_CASE("Another face in the same place is another track", "[tracker]") {
  const Model* model = yunet();
  if (model == nullptr) return;
  const Sprite faces[2] = {Sprite(test::first_person()), Sprite(test::second_person())};
  FaceTracker tracker(*model);
  Stage stage;
  std::uint64_t before = 0;
  for (int i = 0; i < 20; ++i) {
    stage.clear();
    stage.paint(faces[i < 10 ? 0 : 1], {320, 240, 150});
    const auto& update = tracker.update(stage.shoot(), i * kFrame);
    if (i == 9) {
      REQUIRE(update.tracks.size() == 1);
      before = update.tracks[0].id;
    }
    if (i == 10) {
      CHECK(update.tracks.empty());
      REQUIRE(update.ended.size() == 1);
      CHECK(update.ended[0] == before);
    }
    if (i == 19) {
      REQUIRE(update.tracks.size() == 1);
      CHECK(update.tracks[0].id > before);
    }
  }
}

namespace {

// A face of the tiny detector with diagonal stripes, as a screen's moire lays over what it shows. The blue of the face
// says how large the detector takes it for.
void striped_face(test::Scene& scene, std::mt19937& random, float phase) {
  const int blue = std::uniform_int_distribution<int>(0, 50)(random);  // a box of 80 to 92 pixels
  std::uniform_int_distribution<int> noise(-4, 4);
  for (int y = 40; y < 200; ++y)
    for (int x = 40; x < 200; ++x) {
      const bool inside = x >= 80 && x < 160 && y >= 80 && y < 160;
      const float wave = std::sin(static_cast<float>(2 * x + y) * 0.14F + phase);
      std::uint8_t* p = &scene.pixels[static_cast<std::size_t>(y * test::Scene::kSide + x) * 3];
      p[0] = static_cast<std::uint8_t>(blue);
      p[1] = static_cast<std::uint8_t>(128 + static_cast<int>(60 * wave) + noise(random));
      p[2] = inside ? 230 : 150;
    }
}

// The green of a box as a small picture.
Patch small_picture(const test::Scene& scene, const Rect& box) {
  std::array<int, std::tuple_size_v<Patch>> sums{};
  std::array<int, std::tuple_size_v<Patch>> counts{};
  for (int j = 0; j < static_cast<int>(box.height); ++j)
    for (int i = 0; i < static_cast<int>(box.width); ++i) {
      const int x = std::clamp(static_cast<int>(box.x) + i, 0, test::Scene::kSide - 1);
      const int y = std::clamp(static_cast<int>(box.y) + j, 0, test::Scene::kSide - 1);
      const auto cell =
          static_cast<std::size_t>(static_cast<int>(kPatchSide * static_cast<float>(j) / box.height) * kPatchSide +
                                   static_cast<int>(kPatchSide * static_cast<float>(i) / box.width));
      sums[cell] += scene.pixels[static_cast<std::size_t>(y * test::Scene::kSide + x) * 3 + 1];
      ++counts[cell];
    }
  Patch patch{};
  for (std::size_t i = 0; i < patch.size(); ++i) patch[i] = static_cast<std::uint8_t>(sums[i] / std::max(counts[i], 1));
  return patch;
}

}  // namespace

TEST_CASE("A trembling box on a fine pattern is one face; another picture in its place is another", "[tracker]") {
  FaceTracker::Options options;
  options.method = TrackMethod::kNone;
  options.same_scene = -1;
  FaceTracker tracker(test::tiny_detector(), options);
  std::mt19937 random(5);
  test::Scene scene;
  float smallest = 1e6F;
  float largest = 0;
  int scorable = 0;
  float boxes_alike = 1;
  Patch last{};
  for (int i = 0; i < 300; ++i) {
    CAPTURE(i);
    striped_face(scene, random, 0);
    const auto& update = tracker.update(scene.view(), i * kFrame);
    REQUIRE(update.ended.empty());
    if (i == 0) continue;
    REQUIRE(update.tracks.size() == 1);
    const Track& track = update.tracks[0];
    CHECK(track.id == 1);
    scorable += track.scorable ? 1 : 0;
    smallest = std::min(smallest, track.detected.box.width);
    largest = std::max(largest, track.detected.box.width);
    const Patch now = small_picture(scene, track.detected.box);
    if (i > 1) boxes_alike = std::min(boxes_alike, likeness(last, now));
    last = now;
  }
  CHECK(scorable >= 290);
  CHECK(largest - smallest > 8);
  CHECK(boxes_alike < options.same_face);  // what the detected boxes hold would have ended the track

  // Each half a stripe further: for the detector the same face.
  std::uint64_t id = 1;
  for (int swap = 1; swap <= 20; ++swap) {
    CAPTURE(swap);
    bool seen = false;
    for (int i = 0; i < 6; ++i) {
      striped_face(scene, random, 3.14159F * static_cast<float>(swap));
      const auto& update = tracker.update(scene.view(), 10 + (6 * swap + i) * kFrame);
      seen = seen || std::find(update.ended.begin(), update.ended.end(), id) != update.ended.end();
      if (i == 2) CHECK(seen);
      if (i < 5) continue;
      REQUIRE(update.tracks.size() == 1);
      id = update.tracks[0].id;
    }
  }
}

TEST_CASE("Cuts, gaps, frozen frames and other sizes", "[tracker]") {
  const Model* model = yunet();
  if (model == nullptr) return;
  const Sprite face(test::first_person());
  FaceTracker tracker(*model);
  Stage room(640, 480, 1);
  Stage other(640, 480, 2);
  Stage small(320, 240, 1);
  room.paint(face, {320, 240, 150});
  other.paint(face, {200, 300, 150});
  small.paint(face, {160, 120, 75});
  double time = 0;
  const auto next = [&](Stage& stage) -> const FaceTracker::Update& {
    return tracker.update(stage.shoot(), time += kFrame);
  };

  next(room);
  CHECK(next(room).tracks.size() == 1);
  CHECK(next(room).tracks[0].id == 1);

  const FaceTracker::Update& cut = next(other);
  CHECK(cut.cut);
  REQUIRE(cut.ended.size() == 1);
  CHECK(cut.ended[0] == 1);
  CHECK(cut.tracks.empty());
  CHECK(next(other).tracks[0].id == 2);

  time += 1.5;
  const FaceTracker::Update& gap = next(other);
  CHECK(gap.gap);
  CHECK(gap.ended.size() == 1);
  CHECK(next(other).tracks[0].id == 3);

  const ImageView same = other.shoot();
  CHECK_FALSE(tracker.update(same, time += kFrame).frozen);
  CHECK(tracker.update(same, time += kFrame).frozen);
  CHECK(tracker.update(same, time += kFrame).tracks[0].id == 3);
  CHECK_FALSE(next(other).frozen);

  const FaceTracker::Update& resized = next(small);
  CHECK(resized.resized);
  CHECK(resized.ended.size() == 1);
  CHECK(next(small).tracks[0].id == 4);

  tracker.reset();
  next(small);
  CHECK(next(small).tracks[0].id == 5);

  // The light alone is no cut.
  small.light(0.5F);
  CHECK_FALSE(next(small).cut);
}

TEST_CASE("A lost face is searched for in the same frame", "[tracker]") {
  const Model* model = yunet();
  if (model == nullptr) return;
  const Sprite face(test::first_person());
  FaceTracker::Options options;
  options.detect_every = 300;
  FaceTracker tracker(*model, options);
  Stage stage;
  for (int i = 0; i < 12; ++i) {
    stage.clear();
    if (i != 8) stage.paint(face, {320, 240, 150});
    const auto& update = tracker.update(stage.shoot(), i * kFrame);
    CHECK(update.searched == (i == 0 || i == 8));
    if (i < 1) continue;
    REQUIRE(update.tracks.size() == 1);
    CHECK(update.tracks[0].id == 1);
    CHECK(update.tracks[0].scorable == (i != 8));
    CHECK(update.tracks[0].unconfirmed == (i == 8 ? 1 : 0));
  }
}

namespace {

// Stands still whatever happens, and says how sure it is.
class StubbornFollower final : public BoxFollower {
 public:
  explicit StubbornFollower(const float* quality) : quality_(quality) {}
  void start(const ImageView&, const Rect& box) override { box_ = box; }
  Step follow(const ImageView&) override { return {box_, *quality_}; }

 private:
  const float* quality_;
  Rect box_;
};

}  // namespace

TEST_CASE("What a follower claims is scored only where the detector has just confirmed it", "[tracker]") {
  const Model* model = yunet();
  if (model == nullptr) return;
  const Sprite face(test::first_person());
  const Rect known = known_box(*model, face);
  float quality = 1;
  FaceTracker::Options options;
  options.method = TrackMethod::kKcf;
  options.follower = [&] { return std::make_unique<StubbornFollower>(&quality); };
  FaceTracker tracker(*model, options);
  Stage stage;
  int scorable = 0;
  int most = 0;
  for (int i = 0; i < 60; ++i) {
    const Pose at{200 + 4 * static_cast<float>(i), 240, 150};
    stage.clear();
    stage.paint(face, at);
    quality = i < 30 ? 1.0F : 0.5F;  // below the floor: detected in every frame
    for (const Track& track : tracker.update(stage.shoot(), i * kFrame).tracks) {
      most = std::max(most, track.unconfirmed);
      if (i >= 30) CHECK(track.unconfirmed == 0);
      if (!track.scorable) continue;
      ++scorable;
      CHECK(iou(track.face.box, box_at(known, at)) > 0.7F);
    }
  }
  CHECK(scorable >= 50);
  CHECK(most >= 1);
  CHECK(most <= options.confirm_within);
}

TEST_CASE("Bad options and times are refused by name", "[tracker]") {
  const Model detector = test::tiny_detector();
  FaceTracker::Options none;
  none.method = TrackMethod::kNone;
  const auto refused = [&](auto change, const std::string& name, Status status = Status::kInvalidArgument) {
    FaceTracker::Options o = none;
    change(o);
    CAPTURE(name);
    check_refusal([&] { FaceTracker(detector, o); }, status, name);
  };
  refused([](auto& o) { o.detect_every = 0; }, "tracking.detect_every");
  refused([](auto& o) { o.window = 0; }, "tracking.window: 0");
  refused([](auto& o) { o.window_scale = 0; }, "tracking.window_scale: 0");
  refused([](auto& o) { o.window_scale = std::numeric_limits<float>::quiet_NaN(); }, "tracking.window_scale");
  refused([](auto& o) { o.quality_floor = 1.5F; }, "tracking.quality_floor");
  refused([](auto& o) { o.birth = 0; }, "tracking.birth");
  refused([](auto& o) { o.max_faces = 33; }, "tracking.max_faces");
  refused([](auto& o) { o.max_gap = -1; }, "tracking.max_gap");
  refused([](auto& o) { o.noise.measurement = 0; }, "tracking.noise.measurement");
  refused([](auto& o) { o.method = TrackMethod::kCsrt; }, "csrt", Status::kUnsupported);
  refused([](auto& o) { o.method = TrackMethod::kRedetect, o.window = 20; }, "20 x 20");

  FaceTracker tracker(detector, none);
  const test::Scene scene;
  tracker.update(scene.view(), 1);
  check_refusal([&] { tracker.update(scene.view(), 0.5); }, Status::kInvalidArgument, "runs backwards");
  check_refusal([&] { tracker.update(scene.view(), NAN); }, Status::kInvalidArgument, "seconds");
  check_refusal([&] { tracker.update({}, 2); }, Status::kInvalidArgument, "image");
  check_refusal([&] { tracker.set_detect_every(301); }, Status::kInvalidArgument, "detect_every");
  tracker.update(scene.view(), 1);  // the same time is no step back
}

TEST_CASE("A detector planned for another size finds the same faces; what cannot follow is refused", "[model]") {
  check_refusal([] { static_cast<void>(test::tiny_pad().resized({16, 16})); }, Status::kUnsupported, "tiny_pad");
  const Model tiny = test::tiny_detector();
  check_refusal([&] { static_cast<void>(tiny.resized({0, 8})); }, Status::kInvalidArgument, "0 x 8");
  check_refusal([&] { static_cast<void>(tiny.resized({12, 8})); }, Status::kInvalidArgument, "stride 8");
  const Model wide = tiny.resized({64, 16});
  CHECK(wide.contract().input.width == 64);
  CHECK(wide.info().inputs[0].shape == std::vector<std::int64_t>{3, 16, 64});
  CHECK(wide.resized({32, 32}).info().outputs[0].shape == tiny.info().outputs[0].shape);

  // A reshape that cuts rows into pieces does not say how wider rows would be cut.
  Package p = test::tiny_detector_package();
  Node& last = p.graph.nodes.back();
  const auto out = static_cast<std::size_t>(last.output);
  last.attributes = {{"shape", std::vector<std::int64_t>{1, 2, 8, 10}}};
  p.graph.values[out].shape = {1, 2, 8, 10};
  const Model odd = test::tiny_model(p);
  check_refusal([&] { static_cast<void>(odd.resized({64, 32})); }, Status::kUnsupported, "kps_8");

  const Model* model = yunet();
  if (model == nullptr) return;
  const Sprite face(test::first_person());
  Stage stage;
  stage.paint(face, {320, 240, 150});
  const ImageView image = stage.shoot();
  const Face whole = FaceDetector(*model).detect(image).at(0);
  const FaceDetector local(model->resized({96, 96}));
  std::vector<Face> found;
  local.detect(image, {170, 90, 300, 300}, found);
  REQUIRE(found.size() == 1);
  CHECK(iou(found[0].box, whole.box) > 0.85F);
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(std::hypot(found[0].landmarks[i].x - whole.landmarks[i].x, found[0].landmarks[i].y - whole.landmarks[i].y) <
          8);
  // A window that reaches outside the frame, and one beside it.
  local.detect(image, {-100, -100, 600, 600}, found);
  CHECK(found.size() == 1);
  check_refusal([&] { local.detect(image, {700, 0, 50, 50}, found); }, Status::kInvalidArgument, "box");
}
