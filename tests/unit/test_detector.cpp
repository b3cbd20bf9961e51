// Decoding, suppression and options on networks made by hand; YuNet itself is in tests/golden.
#include "liveness/detector.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "refusal.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

// An SSD net of 32 x 32 with one stride of 16 and two anchors a cell: a face where red is bright, its centre moved by
// half an anchor to the right, twice as wide and as high as the anchor; the second anchor's logit is lower by one.
Model tiny_ssd(bool softmax) {
  Package p;
  Graph& g = p.graph;
  using Ints = std::vector<std::int64_t>;
  const int image = add_value(g, "image", {1, 3, 32, 32});
  g.inputs = {image};
  const int cells = add_node(g, Op::kAveragePool, "cells", {operand(image)}, {1, 3, 2, 2},
                             {{"kernel", Ints{16, 16}}, {"strides", Ints{16, 16}}});
  const auto head = [&](const std::string& name, std::vector<float> weight, std::vector<float> bias,
                        std::int64_t columns) {
    const auto n = static_cast<std::int64_t>(bias.size());
    const Operand w = add_tensor(g, name + "_weight", {n, 3, 1, 1}, std::move(weight));
    const Operand b = add_tensor(g, name + "_bias", {n}, std::move(bias));
    int v = add_node(g, Op::kConv, name + "_conv", {operand(cells), w, b}, {1, n, 2, 2});
    v = add_node(g, Op::kTranspose, name + "_points", {operand(v)}, {1, 2, 2, n}, {{"perm", Ints{0, 2, 3, 1}}});
    v = add_node(g, Op::kReshape, name, {operand(v)}, {1, 4 * n / columns, columns},
                 {{"shape", Ints{1, 4 * n / columns, columns}}});
    g.outputs.push_back(v);
  };
  if (softmax)
    head("cls", {0, 0, 0, 0, 0, 4.0F / 255, 0, 0, 0, 0, 0, 4.0F / 255}, {0, -2, 0, -3}, 2);
  else
    head("cls", {0, 0, 0, 0, 0, 0.9F / 255, 0, 0, 0, 0, 0, 0.8F / 255}, {0, 0, 0, 0}, 2);
  const float twice = std::log(2.0F) / 0.2F;
  head("bbox", std::vector<float>(24, 0.0F), {5, 0, twice, twice, 5, 0, twice, twice}, 4);
  head("kps", std::vector<float>(60, 0.0F), {-2, -2, 2, -2, 0, 0, -1, 2, 1, 2, -2, -2, 2, -2, 0, 0, -1, 2, 1, 2}, 10);

  Contract& c = p.contract;
  c.name = "tiny_ssd";
  c.version = "1";
  c.task = Task::kDetector;
  c.input = {32, 32, ColorOrder::kBgr, 0, 255, {0, 0, 0}, {1, 1, 1}};
  c.detector.emplace();
  c.detector->decode = DetectorContract::Decode::kSsd;
  c.detector->strides = {16};
  c.detector->anchor_sizes = {{4, 8}};
  c.detector->softmax_scores = softmax;
  c.detector->outputs = {{"cls", {"cls"}}, {"bbox", {"bbox"}}, {"kps", {"kps"}}};
  c.licence = "Apache-2.0";
  c.provenance = "made by hand for tests";
  return tiny_model(p);
}

// A grid net of 32 x 32, grey, one stride of 8: a face where the cell is bright (logit 4 at white), 1.5 cells wide and
// `height` high, its centre at the middle of the cell; landmark i lies i / 8 of a cell to the right of the cell's
// corner.
Model tiny_grid(bool average, float height = 2) {
  Package p;
  Graph& g = p.graph;
  using Ints = std::vector<std::int64_t>;
  const int image = add_value(g, "image", {1, 1, 32, 32});
  g.inputs = {image};
  const int cells = add_node(g, Op::kAveragePool, "cells", {operand(image)}, {1, 1, 4, 4},
                             {{"kernel", Ints{8, 8}}, {"strides", Ints{8, 8}}});
  std::vector<float> weight(15, 0.0F);
  weight[0] = 8.0F / 255;
  std::vector<float> bias{-4, 0.5F, 0.5F, std::log(1.5F), std::log(height)};
  for (int i = 0; i < 5; ++i) bias.insert(bias.end(), {static_cast<float>(i) / 8, 0.25F});
  const Operand w = add_tensor(g, "weight", {15, 1, 1, 1}, std::move(weight));
  const Operand b = add_tensor(g, "bias", {15}, std::move(bias));
  g.outputs = {add_node(g, Op::kConv, "map", {operand(cells), w, b}, {1, 15, 4, 4})};

  Contract& c = p.contract;
  c.name = "tiny_grid";
  c.version = "1";
  c.task = Task::kDetector;
  c.input = {32, 32, ColorOrder::kGray, 0, 255, {0}, {1}};
  c.detector.emplace();
  c.detector->decode = DetectorContract::Decode::kGrid;
  c.detector->strides = {8};
  c.detector->outputs = {{"map", {"map"}}};
  c.detector->nms_average = average;
  c.licence = "Apache-2.0";
  c.provenance = "made by hand for tests";
  return tiny_model(p);
}

// Cells of 8 x 8 in a grey frame of 32 x 32: (1, 2) white and (1, 3) a little darker.
std::vector<std::uint8_t> grey_cells() {
  std::vector<std::uint8_t> grey(32 * 32, 0);
  for (int y = 16; y < 32; ++y)
    for (int x = 8; x < 16; ++x) grey[static_cast<std::size_t>(y * 32 + x)] = y < 24 ? 255 : 223;
  return grey;
}

// Four bright cells of 16 x 16 in a frame of 32 x 32, or one.
std::vector<std::uint8_t> red_cells(bool all) {
  std::vector<std::uint8_t> bgr(32 * 32 * 3, 0);
  for (int y = 0; y < 32; ++y)
    for (int x = 0; x < 32; ++x)
      if (all || (x < 16 && y >= 16)) bgr[static_cast<std::size_t>(y * 32 + x) * 3 + 2] = 255;
  return bgr;
}

}  // namespace

TEST_CASE("YuNet's decoding puts box and landmarks where the cell says", "[detector]") {
  Scene scene;
  scene.face(1, 2, 100);
  const FaceDetector detector(tiny_detector());
  const std::vector<Face> faces = detector.detect(scene.view());
  REQUIRE(faces.size() == 1);
  const Face& f = faces[0];
  // A cell of 8 pixels is 80 of the frame; the box is the cell.
  CHECK(f.box.x == Approx(80).margin(0.1));
  CHECK(f.box.y == Approx(160).margin(0.1));
  CHECK(f.box.width == Approx(80).epsilon(1e-3));
  CHECK(f.box.height == Approx(80).epsilon(1e-3));
  CHECK(f.score > 0.99F);
  CHECK(f.has_landmarks);
  CHECK(f.landmarks[0].x == Approx(80 + 24).margin(0.1));
  CHECK(f.landmarks[4].y == Approx(160 + 60).margin(0.1));
}

TEST_CASE("boxes of a letterboxed frame come back to its pixels", "[detector]") {
  // 320 x 160: the lower half of the input is empty.
  Scene scene;
  scene.face(3, 1, 100);
  ImageView wide = scene.view();
  wide.height = 160;
  const std::vector<Face> faces = FaceDetector(tiny_detector()).detect(wide);
  REQUIRE(faces.size() == 1);
  CHECK(faces[0].box.x == Approx(240).margin(0.1));
  CHECK(faces[0].box.y == Approx(80).margin(0.1));
}

TEST_CASE("overlapping boxes are suppressed, best first", "[detector]") {
  Scene scene;
  scene.face(1, 1, 100, 255);  // twice the cell: overlaps a neighbour of the same size by 1 / 3
  scene.face(2, 1, 100, 255);
  FaceDetector::Options o;
  o.nms_iou = 0.4F;
  CHECK(FaceDetector(tiny_detector(), o).detect(scene.view()).size() == 2);
  o.nms_iou = 0.3F;
  CHECK(FaceDetector(tiny_detector(), o).detect(scene.view()).size() == 1);
}

TEST_CASE("options bound what is returned", "[detector]") {
  Scene scene;
  for (int x = 0; x < 4; ++x) scene.face(x, x, 100);
  FaceDetector::Options o;
  CHECK(FaceDetector(tiny_detector(), o).detect(scene.view()).size() == 4);
  o.max_faces = 3;
  CHECK(FaceDetector(tiny_detector(), o).detect(scene.view()).size() == 3);
  o = {};
  o.min_face = 85;
  CHECK(FaceDetector(tiny_detector(), o).detect(scene.view()).empty());
  o = {};
  o.score_threshold = 0;
  o.nms_iou = 1;
  CHECK(FaceDetector(tiny_detector(), o).detect(scene.view()).size() == 16);
  CHECK(FaceDetector(tiny_detector()).detect(Scene().view()).empty());
}

TEST_CASE("a vector of faces is reused", "[detector]") {
  Scene scene;
  scene.face(0, 0, 100);
  const FaceDetector detector(tiny_detector());
  std::vector<Face> faces(9);
  detector.detect(scene.view(), faces);
  CHECK(faces.size() == 1);
  const Face* where = faces.data();
  detector.detect(scene.view(), faces);
  CHECK(faces.data() == where);
}

TEST_CASE("SSD anchors are decoded with their variances", "[detector]") {
  const std::vector<std::uint8_t> one = red_cells(false);
  const ImageView image = make_image(one.data(), 32, 32, PixelFormat::kBgr);
  for (const bool softmax : {true, false}) {
    FaceDetector::Options o;
    o.score_threshold = 0.6F;
    o.nms_iou = 1;
    const std::vector<Face> faces = FaceDetector(tiny_ssd(softmax), o).detect(image);
    CAPTURE(softmax);
    REQUIRE(faces.size() == 2);
    // The first anchor of the lower left cell: 4 pixels at (8, 24), moved by 5 * 0.1 * 4, twice as large.
    CHECK(faces[0].score == Approx(softmax ? 1 / (1 + std::exp(-2.0)) : 0.9).epsilon(1e-3));
    CHECK(faces[0].box.x == Approx(8 + 2 - 4).margin(0.01));
    CHECK(faces[0].box.y == Approx(24 - 4).margin(0.01));
    CHECK(faces[0].box.width == Approx(8).epsilon(1e-3));
    CHECK(faces[0].landmarks[1].x == Approx(8 + 2 * 0.1 * 4).margin(0.01));
    CHECK(faces[1].box.width == Approx(16).epsilon(1e-3));
    CHECK(faces[1].score == Approx(softmax ? 1 / (1 + std::exp(-1.0)) : 0.8).epsilon(1e-3));
  }
  const std::vector<std::uint8_t> all = red_cells(true);
  FaceDetector::Options o;
  o.score_threshold = 0.85F;  // only the first anchors
  CHECK(FaceDetector(tiny_ssd(true), o).detect(make_image(all.data(), 32, 32, PixelFormat::kBgr)).size() == 4);
}

TEST_CASE("a map of fifteen channels is decoded", "[detector]") {
  const std::vector<std::uint8_t> grey = grey_cells();
  const ImageView image = make_image(grey.data(), 32, 32, PixelFormat::kGray);
  FaceDetector::Options o;
  o.nms_iou = 1;
  const std::vector<Face> faces = FaceDetector(tiny_grid(false), o).detect(image);
  REQUIRE(faces.size() == 2);
  CHECK(faces[0].score == Approx(1 / (1 + std::exp(-4.0))).epsilon(1e-3));
  CHECK(faces[1].score == Approx(1 / (1 + std::exp(-(223 * 8.0 / 255 - 4)))).epsilon(1e-3));
  // Cell (1, 2) has its centre at (12, 20).
  CHECK(faces[0].box.x == Approx(12 - 6).margin(0.01));
  CHECK(faces[0].box.y == Approx(20 - 8).margin(0.01));
  CHECK(faces[0].box.width == Approx(12).epsilon(1e-3));
  CHECK(faces[0].box.height == Approx(16).epsilon(1e-3));
  REQUIRE(faces[0].has_landmarks);
  CHECK(faces[0].landmarks[4].x == Approx(8 + 4).margin(0.01));
  CHECK(faces[0].landmarks[4].y == Approx(16 + 2).margin(0.01));
  CHECK(faces[1].box.y == Approx(28 - 8).margin(0.01));
  o.score_threshold = 0.97F;
  CHECK(FaceDetector(tiny_grid(false), o).detect(image).size() == 1);
}

TEST_CASE("the luma of an NV12 frame goes to a grey network as it is, scaled to full range", "[detector]") {
  std::vector<std::uint8_t> nv12(32 * 32 + 32 * 16, 128);
  const std::vector<std::uint8_t> grey = grey_cells();
  for (std::size_t i = 0; i < grey.size(); ++i) nv12[i] = static_cast<std::uint8_t>(16 + grey[i] * 219 / 255);
  const ImageView image = make_image(nv12.data(), 32, 32, PixelFormat::kNv12);
  const std::vector<Face> faces = FaceDetector(tiny_grid(false)).detect(image);
  REQUIRE(!faces.empty());
  CHECK(faces[0].score == Approx(1 / (1 + std::exp(-4.0))).epsilon(2e-3));
}

TEST_CASE("boxes on one face are averaged where the contract says so", "[detector]") {
  const std::vector<std::uint8_t> grey = grey_cells();
  const ImageView image = make_image(grey.data(), 32, 32, PixelFormat::kGray);
  // Four cells high, the two boxes overlap by 24 / 40.
  const std::vector<Face> plain = FaceDetector(tiny_grid(false, 4)).detect(image);
  const std::vector<Face> mean = FaceDetector(tiny_grid(true, 4)).detect(image);
  REQUIRE(plain.size() == 1);
  REQUIRE(mean.size() == 1);
  CHECK(mean[0].score == plain[0].score);
  const double best = std::pow(1 / (1 + std::exp(-4.0)), 4);
  const double other = std::pow(1 / (1 + std::exp(-(223 * 8.0 / 255 - 4))), 4);
  const double moved = 8 * other / (best + other);
  CHECK(plain[0].box.y == Approx(20 - 16).margin(0.01));
  CHECK(mean[0].box.y == Approx(20 - 16 + moved).margin(0.02));
  CHECK(mean[0].box.height == Approx(32).epsilon(1e-3));
  CHECK(mean[0].landmarks[0].y == Approx(18 + moved).margin(0.02));
  // Two cells high they overlap by 8 / 24: suppressed, but no part of the mean.
  const std::vector<Face> apart = FaceDetector(tiny_grid(true)).detect(image);
  REQUIRE(apart.size() == 1);
  CHECK(apart[0].box.y == Approx(20 - 8).margin(0.01));
}

TEST_CASE("what is no detector, no option or no picture is refused", "[detector]") {
  CHECK_THAT(refusal(Status::kInvalidArgument, [] { const FaceDetector refused(tiny_pad()); }),
             Catch::Contains("tiny_pad"));
  const auto said = [](const FaceDetector::Options& o) {
    return refusal(Status::kInvalidArgument, [&] { const FaceDetector refused(tiny_detector(), o); });
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  FaceDetector::Options o;
  o.score_threshold = 1.5F;
  CHECK_THAT(said(o), Catch::Contains("score_threshold"));
  o.score_threshold = nan;
  CHECK_THAT(said(o), Catch::Contains("score_threshold"));
  o = {};
  o.nms_iou = 2;
  CHECK_THAT(said(o), Catch::Contains("nms_iou"));
  o = {};
  o.max_faces = 0;
  CHECK_THAT(said(o), Catch::Contains("max_faces"));
  o = {};
  o.min_face = nan;
  CHECK_THAT(said(o), Catch::Contains("min_face"));
  const FaceDetector detector(tiny_detector());
  CHECK_THAT(refusal(Status::kInvalidArgument, [&] { static_cast<void>(detector.detect(ImageView{})); }),
             Catch::Contains("image"));
}

TEST_CASE("boxes are mapped to the convention of the training data", "[detector]") {
  CropContract crop;
  crop.box = "retinaface";
  // The published map from YuNet's boxes: a square of 0.85 h, its centre 0.067 h lower.
  crop.from["yunet"] = {{0, 0.85F}, {0, 0.85F}, {0, 0.067F}};
  const Rect box{100, 50, 80, 100};
  const Rect same = map_box(box, "retinaface", crop);
  CHECK(same.x == 100);
  CHECK(same.height == 100);
  const Rect mapped = map_box(box, "yunet", crop);
  CHECK(mapped.width == Approx(85));
  CHECK(mapped.height == Approx(85));
  CHECK(mapped.x == Approx(140 - 42.5));
  CHECK(mapped.y == Approx(100 + 6.7 - 42.5));
  CHECK_THAT(refusal(Status::kUnsupported, [&] { static_cast<void>(map_box(box, "mtcnn", crop)); }),
             Catch::Contains("mtcnn") && Catch::Contains("retinaface"));
}
