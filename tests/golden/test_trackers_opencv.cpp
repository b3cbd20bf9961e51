// OpenCV's trackers as followers: what is scored lies on the face, whatever they claim.
#include <catch2/catch.hpp>
#include <cmath>
#include <string>

#include "liveness/opencv_trackers.hpp"
#include "made_up_face.hpp"
#include "shared_models.hpp"

using namespace liveness;

TEST_CASE("Flow, CSRT and KCF are watched by the detector", "[tracker][opencv]") {
  const std::string file = "yunet_s_320_320.onnx";
  if (!test::have_model(file)) return;
  Model::Options load;
  load.contract = std::string(LIVENESS_SOURCE_DIR) + "/models/contracts/yunet_320.yaml";
  const Model yunet = Model::load(test::shared_models() / file, load);
  const test::Sprite face(test::first_person());
  for (const TrackMethod method : {TrackMethod::kFlow, TrackMethod::kCsrt, TrackMethod::kKcf}) {
    CAPTURE(std::string(to_string(method)));
    FaceTracker::Options options;
    options.method = method;
    options.follower = opencv_follower(method);
    FaceTracker tracker(yunet, options);
    const FaceDetector detector(yunet);
    test::Stage stage;
    int scorable = 0;
    int followed = 0;
    for (int i = 0; i < 60; ++i) {
      stage.clear();
      if (i < 50) stage.paint(face, {320 + 60 * std::sin(0.1F * static_cast<float>(i)), 240, 150});
      const ImageView image = stage.shoot();
      for (const Track& track : tracker.update(image, i / 30.0).tracks) {
        if (!track.scorable) continue;
        ++scorable;
        followed += track.unconfirmed > 0 ? 1 : 0;
        CHECK(track.unconfirmed <= options.confirm_within);
        REQUIRE(i < 50);  // nothing is there any more
        CHECK(iou(track.face.box, detector.detect(image).at(0).box) > 0.7F);
      }
    }
    CHECK(scorable >= 40);
    CHECK(followed >= 10);
  }
  CHECK_THROWS_AS(opencv_follower(TrackMethod::kNone), Error);
}
