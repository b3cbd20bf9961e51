// The detector against OpenCV: its dnn module runs the same YuNet on the same input, the outputs are decoded as
// cv::FaceDetectorYN does from OpenCV 4.8 on (older ones know another form of the network only) and suppressed by its
// NMSBoxes.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <opencv2/dnn.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "liveness/detector.hpp"
#include "shared_models.hpp"

using namespace liveness;

namespace {

constexpr int kSide = 320;

std::vector<Face> reference(cv::dnn::Net& net, const cv::Mat& bgr, float threshold, float overlap) {
  net.setInput(cv::dnn::blobFromImage(bgr));
  std::vector<std::string> names;
  for (const char* role : {"cls_", "obj_", "bbox_", "kps_"})
    for (const char* stride : {"8", "16", "32"}) names.push_back(std::string(role) + stride);
  std::vector<cv::Mat> out;
  net.forward(out, names);
  std::vector<Face> faces;
  std::vector<cv::Rect2d> boxes;
  std::vector<float> scores;
  for (std::size_t s = 0; s < 3; ++s) {
    const int stride = 8 << s;
    const int columns = kSide / stride;
    const float *cls = out[s].ptr<float>(), *obj = out[3 + s].ptr<float>();
    const float *bbox = out[6 + s].ptr<float>(), *kps = out[9 + s].ptr<float>();
    for (int i = 0; i < columns * columns; ++i) {
      const auto r = static_cast<float>(i / columns), c = static_cast<float>(i % columns);
      const auto step = static_cast<float>(stride);
      Face f;
      f.score = std::sqrt(std::clamp(cls[i], 0.0F, 1.0F) * std::clamp(obj[i], 0.0F, 1.0F));
      if (f.score < threshold) continue;
      const float w = std::exp(bbox[4 * i + 2]) * step, h = std::exp(bbox[4 * i + 3]) * step;
      f.box = {(c + bbox[4 * i]) * step - w / 2, (r + bbox[4 * i + 1]) * step - h / 2, w, h};
      for (int n = 0; n < 5; ++n)
        f.landmarks[static_cast<std::size_t>(n)] = {(kps[10 * i + 2 * n] + c) * step,
                                                    (kps[10 * i + 2 * n + 1] + r) * step};
      faces.push_back(f);
      boxes.emplace_back(f.box.x, f.box.y, w, h);
      scores.push_back(f.score);
    }
  }
  std::vector<int> keep;
  cv::dnn::NMSBoxes(boxes, scores, threshold, overlap, keep);
  std::vector<Face> kept;
  for (const int k : keep) kept.push_back(faces[static_cast<std::size_t>(k)]);
  return kept;
}

// The public-domain portrait of scikit-image where a virtual environment beside the tree has it, else nothing.
cv::Mat portrait() {
  namespace fs = std::filesystem;
  std::error_code none;
  for (const auto& python : fs::directory_iterator(fs::path(LIVENESS_SOURCE_DIR) / "../.venv-bench/lib", none)) {
    const fs::path file = python.path() / "site-packages/skimage/data/astronaut.png";
    if (fs::exists(file)) return cv::imread(file.string());
  }
  return {};
}

}  // namespace

TEST_CASE("YuNet's faces are OpenCV's", "[detector][opencv]") {
  const std::string file = "yunet_s_320_320.onnx";
  if (!test::have_model(file)) return;
  const std::string path = (test::shared_models() / file).string();
  Model::Options load;
  load.contract = std::string(LIVENESS_SOURCE_DIR) + "/models/contracts/yunet_320.yaml";
  const Model model = Model::load(path, load);
  cv::dnn::Net net = cv::dnn::readNetFromONNX(path);

  struct Case {
    cv::Mat picture;
    float threshold;
    std::size_t least;
  };
  std::vector<Case> cases;
  // Blobs in which the network suspects something: most of the candidates that decoding and suppression see.
  cv::Mat noise(20, 20, CV_8UC3), blobs;
  cv::RNG(3).fill(noise, cv::RNG::UNIFORM, 0, 256);
  cv::resize(noise, blobs, {kSide, kSide}, 0, 0, cv::INTER_CUBIC);
  cases.push_back({blobs, 0.02F, 3});
  if (const cv::Mat face = portrait(); !face.empty()) {
    cv::Mat scaled;
    cv::resize(face, scaled, {kSide, kSide});
    cases.push_back({scaled, 0.6F, 1});
  } else {
    WARN("no portrait here: compared on a made-up picture only");
  }
  for (const Case& c : cases) {
    FaceDetector::Options options;
    options.score_threshold = c.threshold;
    options.max_faces = 1000;
    const std::vector<Face> got =
        FaceDetector(model, options).detect(make_image(c.picture.data, kSide, kSide, PixelFormat::kBgr));
    std::vector<Face> want = reference(net, c.picture, c.threshold, 0.3F);
    const Rect frame{0, 0, kSide, kSide};
    std::erase_if(want, [&](const Face& f) { return area(intersect(f.box, frame)) <= 0; });
    REQUIRE(want.size() >= c.least);
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      CHECK(got[i].score == Approx(want[i].score).margin(1e-3));
      CHECK(iou(got[i].box, want[i].box) > 0.99F);
      for (std::size_t k = 0; k < 5; ++k) {
        CHECK(got[i].landmarks[k].x == Approx(want[i].landmarks[k].x).margin(0.1));
        CHECK(got[i].landmarks[k].y == Approx(want[i].landmarks[k].y).margin(0.1));
      }
    }
  }
}
