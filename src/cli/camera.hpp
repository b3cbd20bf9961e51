// A camera that may be unplugged and come back.
#pragma once

#include <chrono>
#include <memory>
#include <opencv2/videoio.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "liveness/resources.hpp"
#include "liveness/types.hpp"

namespace liveness::cli {

// What a source says of itself beside its frames.
struct Notice {
  std::string_view kind;
  std::string text;
};

// What frames come from; a test has its own. None of these throws.
class CaptureDevice {
 public:
  virtual ~CaptureDevice() = default;
  virtual bool open() = 0;
  virtual bool read(cv::Mat& image) = 0;
  virtual void close() = 0;
  // A value that is 0 is left as it is.
  virtual void ask(Size size, double fps) = 0;
  [[nodiscard]] virtual double fps() const = 0;
};

// Camera `number` of OpenCV.
class OpencvDevice final : public CaptureDevice {
 public:
  explicit OpencvDevice(int number) : number_(number) {}
  bool open() override {
    return quietly([&] { return capture_.open(number_); });
  }
  bool read(cv::Mat& image) override {
    return quietly([&] { return capture_.read(image); });
  }
  void close() override { capture_.release(); }
  void ask(Size size, double fps) override {
    quietly([&] {
      if (size.width > 0) capture_.set(cv::CAP_PROP_FRAME_WIDTH, size.width);
      if (size.height > 0) capture_.set(cv::CAP_PROP_FRAME_HEIGHT, size.height);
      return fps <= 0 || capture_.set(cv::CAP_PROP_FPS, fps);
    });
  }
  [[nodiscard]] double fps() const override { return capture_.get(cv::CAP_PROP_FPS); }

 private:
  template <class Call>
  static bool quietly(const Call& call) {
    try {
      return call();
    } catch (const cv::Exception&) {
      return false;
    }
  }

  int number_;
  cv::VideoCapture capture_;
};

class Camera {
 public:
  // `retry`: how long it waits before it tries again to open a camera that is not there.
  Camera(std::string name, std::unique_ptr<CaptureDevice> device, const Governor::Options& wish,
         std::chrono::milliseconds retry = std::chrono::milliseconds(250))
      : name_(std::move(name)), device_(std::move(device)), wish_(wish.best), retry_(retry) {}

  // Whether it could be opened at all.
  bool open() {
    open_ = device_->open();
    if (open_) device_->ask(wish_.capture, wish_.capture_fps);
    return open_;
  }

  // False where there is no frame now; `notice` says what changed.
  bool next(cv::Mat& image, std::optional<Notice>& notice) {
    if (!open_ && !open()) {
      if (!lost_) notice = Notice{"camera_lost", name_ + " cannot be opened; trying on"};
      lost_ = true;
      std::this_thread::sleep_for(retry_);
      return false;
    }
    if (!device_->read(image) || image.empty()) {
      if (++failures_ < kPatience) {
        notice = Notice{"bad_frame", "the camera gave a frame without a size"};
      } else {
        device_->close();
        open_ = false;
        failures_ = 0;
      }
      return false;
    }
    failures_ = 0;
    if (lost_) notice = Notice{"camera_back", name_ + " gives frames again"};
    lost_ = false;
    return true;
  }

  void ask(const Workload& w) {
    if (w.capture.width == wish_.capture.width && w.capture_fps == wish_.capture_fps) return;
    wish_ = w;
    device_->ask(wish_.capture, wish_.capture_fps);
  }
  [[nodiscard]] double fps() const { return device_->fps(); }

 private:
  static constexpr int kPatience = 5;  // frames in a row without a size

  std::string name_;
  std::unique_ptr<CaptureDevice> device_;
  Workload wish_;
  std::chrono::milliseconds retry_;
  bool open_ = false;
  int failures_ = 0;
  bool lost_ = false;
};

}  // namespace liveness::cli
