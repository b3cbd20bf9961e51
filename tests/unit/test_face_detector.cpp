// The face detector that the project ships: models/face_detector.safetensors. How good it is, models/face_detector.md
// says; here, that it is what it claims to be and finds faces that nobody has.
#include <catch2/catch.hpp>
#include <filesystem>

#include "liveness/detector.hpp"
#include "made_up_face.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

const std::filesystem::path kFile = std::filesystem::path(LIVENESS_SOURCE_DIR) / "models" / "face_detector.safetensors";

}  // namespace

TEST_CASE("the shipped detector keeps its promises of size and cost", "[detector]") {
  CHECK(std::filesystem::file_size(kFile) < 100000);
  const Model model = Model::load(kFile);
  REQUIRE(!model.goldens().empty());
  CHECK_NOTHROW(model.verify());
  CHECK(model.info().macs <= 20000000);
  CHECK(model.info().parameters <= 30000);
  const Contract& c = model.contract();
  CHECK(c.task == Task::kDetector);
  CHECK(c.input.color == ColorOrder::kGray);
  CHECK(c.detector->box == "yunet");  // what PAD packages map from
}

TEST_CASE("the shipped detector finds drawn faces in a frame and in a tracker's window", "[detector]") {
  const Model model = Model::load(kFile);
  const FaceDetector whole(model);
  const FaceDetector window(model.resized({128, 128}));
  for (const Person& person : {first_person(), second_person()}) {
    const Sprite sprite(person);
    for (int i = 0; i < 6; ++i) {
      const Pose at{200 + 20.0F * static_cast<float>(i), 180 + 10.0F * static_cast<float>(i),
                    90 + 20.0F * static_cast<float>(i)};
      CAPTURE(person.beard, at.size);
      Stage stage;
      stage.paint(sprite, at);
      const ImageView frame = stage.shoot();
      const std::vector<Face> faces = whole.detect(frame);
      REQUIRE(faces.size() == 1);
      // A face size is about the height from eyebrows to chin: the box is of that order, around the middle.
      const Rect near{at.x - 0.5F * at.size, at.y - 0.55F * at.size, at.size, 1.2F * at.size};
      CHECK(iou(faces[0].box, near) > 0.4F);
      REQUIRE(faces[0].has_landmarks);
      CHECK(faces[0].landmarks[0].x < faces[0].landmarks[1].x);  // the person's right eye is on the left
      CHECK(faces[0].landmarks[1].y < faces[0].landmarks[4].y);
      std::vector<Face> local;
      const float half = 0.8F * faces[0].box.height;
      const float cx = faces[0].box.x + faces[0].box.width / 2;
      const float cy = faces[0].box.y + faces[0].box.height / 2;
      window.detect(frame, {cx - half, cy - half, 2 * half, 2 * half}, local);
      REQUIRE(local.size() == 1);
      CHECK(iou(local[0].box, faces[0].box) > 0.5F);
    }
  }
}

TEST_CASE("the shipped detector sees no face where there is none", "[detector]") {
  const FaceDetector detector(Model::load(kFile));
  for (const unsigned room : {1U, 2U, 3U, 4U}) {
    Stage stage(640, 480, room);
    CHECK(detector.detect(stage.shoot()).empty());
  }
  const std::vector<std::uint8_t> black(320 * 240, 0);
  const std::vector<std::uint8_t> white(320 * 240, 255);
  CHECK(detector.detect(make_image(black.data(), 320, 240, PixelFormat::kGray)).empty());
  CHECK(detector.detect(make_image(white.data(), 320, 240, PixelFormat::kGray)).empty());
}
