// A camera that is unplugged and comes back, as `watch` reads it.
#include <catch2/catch.hpp>
#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "camera.hpp"
#include "liveness/opencv.hpp"
#include "liveness/verifier.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using cli::Camera;
using cli::CaptureDevice;
using cli::Notice;

namespace {

// Plugged in or not, as the test says; its face is green enough to be LIVE.
struct Plug {
  bool in = true;
  bool blank = false;  // frames without a size
  bool open = false;
  int opened = 0;
  double asked_fps = 0;
};

class FakeDevice final : public CaptureDevice {
 public:
  explicit FakeDevice(Plug& plug) : plug_(plug) { scene_.face(1, 1, 190); }
  bool open() override {
    plug_.open = plug_.in;
    plug_.opened += plug_.in ? 1 : 0;
    return plug_.in;
  }
  bool read(cv::Mat& image) override {
    if (!plug_.in || !plug_.open) return false;
    if (plug_.blank) {
      image = cv::Mat();
      return true;
    }
    for (std::size_t i = 1; i < scene_.pixels.size(); i += 3) scene_.pixels[i] ^= 1;  // no two frames are equal
    image = cv::Mat(test::Scene::kSide, test::Scene::kSide, CV_8UC3, scene_.pixels.data()).clone();
    return true;
  }
  void close() override { plug_.open = false; }
  void ask(Size, double fps) override { plug_.asked_fps = fps; }
  [[nodiscard]] double fps() const override { return 30; }

 private:
  Plug& plug_;
  test::Scene scene_;
};

}  // namespace

TEST_CASE("A camera that is unplugged and comes back: events, a new track, nothing stuck", "[camera]") {
  Plug plug;
  Governor::Options wish;
  wish.best.capture_fps = 15;
  Camera camera("camera:0", std::make_unique<FakeDevice>(plug), wish, std::chrono::milliseconds(0));
  REQUIRE(camera.open());
  CHECK(plug.asked_fps == 15);

  Verifier::Options options;
  options.tracking.method = TrackMethod::kNone;
  options.tracking.birth = 1;
  options.pace.score_every = 1;
  options.scoring.limits = {0, 0, 0, 1, 1, 180, 180};
  Verifier verifier({test::tiny_pad()}, test::tiny_detector(), options);

  std::vector<std::string> notices;
  std::vector<EventKind> events;
  std::uint64_t id = 0;
  Verdict verdict = Verdict::kNoFace;
  double time = 0;
  const auto run = [&](int frames) {
    cv::Mat image;
    for (int i = 0; i < frames; ++i) {
      time += 1.0 / 30;
      std::optional<Notice> notice;
      const bool got = camera.next(image, notice);
      if (notice) notices.emplace_back(notice->kind);
      if (!got) continue;
      const StreamUpdate update = verifier.push(view(image), time);
      for (const Event& e : update.events) events.push_back(e.kind);
      verdict = update.verdict;
      if (!update.tracks.empty()) id = update.tracks[0].id;
    }
  };

  run(30);
  CHECK(notices.empty());
  CHECK(verdict == Verdict::kLive);
  CHECK(id == 1);

  plug.in = false;
  run(60);  // two seconds
  REQUIRE(notices.size() == 5);
  CHECK(notices.front() == "bad_frame");
  CHECK(notices.back() == "camera_lost");  // told once, however long it takes
  CHECK_FALSE(plug.open);

  plug.in = true;
  events.clear();
  notices.clear();
  run(1);
  CHECK(notices == std::vector<std::string>{"camera_back"});
  CHECK(plug.opened == 2);
  CHECK(events == std::vector<EventKind>{EventKind::kGap, EventKind::kLost, EventKind::kNewTrack});
  CHECK(verdict == Verdict::kUncertain);  // what was LIVE before says nothing now
  CHECK(id == 2);
  run(30);
  CHECK(verdict == Verdict::kLive);

  // One frame without a size harms nothing.
  plug.blank = true;
  notices.clear();
  run(1);
  plug.blank = false;
  run(5);
  CHECK(notices == std::vector<std::string>{"bad_frame"});
  CHECK(id == 2);
}
