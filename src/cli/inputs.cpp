#include "inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <span>

#include "orientation.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::array kStills = {".jpg",  ".jpeg", ".jpe", ".png", ".bmp", ".dib", ".tif", ".tiff",
                                ".webp", ".ppm",  ".pgm", ".pbm", ".pnm", ".sr",  ".ras", ".jp2"};
constexpr std::array kVideos = {".mp4", ".m4v", ".mov", ".avi", ".mkv",  ".webm",  ".mpg", ".mpeg",
                                ".wmv", ".flv", ".3gp", ".ts",  ".mjpg", ".mjpeg", ".gif"};
constexpr std::string_view kCameraPrefix = "camera:";

std::string extension(const fs::path& path) {
  std::string e = path.extension().string();
  std::transform(e.begin(), e.end(), e.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return e;
}

template <class List>
bool among(const std::string& e, const List& list) {
  return std::find(list.begin(), list.end(), e) != list.end();
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

using Bytes = std::span<const std::uint8_t>;

// Decoders fill the missing rest of a cut file with grey and say nothing, and grey has a score too.
bool jpeg_is_cut(Bytes b) {
  std::size_t i = 2;
  while (i + 4 <= b.size()) {
    if (b[i] != 0xFF) return false;  // not the structure that is known here: the decoder judges
    const std::uint8_t marker = b[i + 1];
    if (marker == 0xFF) {
      ++i;
      continue;
    }
    const std::size_t length = std::size_t{b[i + 2]} * 256 + b[i + 3];
    i += 2 + length;
    if (marker != 0xDA) continue;
    // Entropy-coded data: the end marker cannot occur in it.
    for (; i + 1 < b.size(); ++i)
      if (b[i] == 0xFF && b[i + 1] == 0xD9) return false;
    return true;
  }
  return true;
}

bool png_is_cut(Bytes b) {
  std::size_t i = 8;
  while (i + 12 <= b.size()) {
    const std::size_t length =
        (std::size_t{b[i]} << 24) | (std::size_t{b[i + 1]} << 16) | (std::size_t{b[i + 2]} << 8) | b[i + 3];
    if (std::memcmp(&b[i + 4], "IEND", 4) == 0) return false;
    i += 12 + length;
  }
  return true;
}

bool starts_with(Bytes b, std::initializer_list<std::uint8_t> magic) {
  return b.size() >= magic.size() && std::equal(magic.begin(), magic.end(), b.begin());
}

// People who know OpenCV give a camera as a bare number.
std::string no_such_file(const std::string& path) {
  const bool number = !path.empty() && path.find_first_not_of("0123456789") == std::string::npos;
  return number ? "no such file; camera " + path + " is camera:" + path : "no such file";
}

// Empty where all is well.
std::string read_still(const std::string& path, cv::Mat& image) {
  std::error_code failed;
  const auto status = fs::status(path, failed);
  if (!fs::exists(status)) return no_such_file(path);
  if (fs::is_directory(status)) return "is a folder";
  std::ifstream file(path, std::ios::binary);
  if (!file) return "cannot be opened";
  const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return "cannot be read";
  if (bytes.empty()) return "the file is empty";
  if ((starts_with(bytes, {0xFF, 0xD8}) && jpeg_is_cut(bytes)) ||
      (starts_with(bytes, {0x89, 'P', 'N', 'G'}) && png_is_cut(bytes)))
    return "the picture is cut short";
  try {
    image = cv::imdecode(bytes, cv::IMREAD_COLOR);
  } catch (const cv::Exception& e) {
    return "cannot be decoded: " + e.err;
  }
  return image.empty() ? "is not a picture of a kind that can be decoded" : "";
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

// One name for one file, however it is written.
std::string canonical(const std::string& path) {
  std::error_code failed;
  const fs::path all = fs::weakly_canonical(path, failed);
  return failed ? path : all.string();
}

std::string beside_list(const std::string& path, const std::string& list) {
  std::error_code ignored;
  if (list == "-" || fs::path(path).is_absolute() || fs::exists(path, ignored)) return path;
  const fs::path there = fs::path(list).parent_path() / path;
  return fs::exists(there, ignored) ? there.string() : path;
}

std::vector<std::pair<int, std::string>> numbered_lines(const std::string& file) {
  std::ifstream from_file;
  if (file != "-") {
    from_file.open(file);
    std::error_code ignored;
    if (!from_file || fs::is_directory(file, ignored)) throw UsageError(fmt::format("'{}': cannot be opened", file));
  }
  std::istream& in = file == "-" ? std::cin : from_file;
  std::vector<std::pair<int, std::string>> lines;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    std::string text = trimmed(line);
    if (!text.empty() && text[0] != '#') lines.emplace_back(number, std::move(text));
  }
  return lines;
}

}  // namespace

InputKind kind_of(const std::string& input) {
  if (input.starts_with(kCameraPrefix)) return InputKind::kCamera;
  return among(extension(input), kVideos) ? InputKind::kVideo : InputKind::kStill;
}

void Frame::decode() {
  if (!error.empty() || !image.empty()) return;
  const auto start = std::chrono::steady_clock::now();
  error = read_still(input, image);
  read_ms = milliseconds_since(start);
}

struct Source::Video {
  cv::VideoCapture capture;
  std::int64_t promised = 0;  // frames that the file says it has; 0 where it does not say
  std::int64_t read = 0;
  std::int64_t given = 0;
  double fps = 0;
  int turned = 0;  // degrees clockwise to upright
};

Source::Source(std::vector<std::string> inputs, const SourceOptions& options)
    : inputs_(std::move(inputs)), options_(options) {}
Source::~Source() = default;

double Source::progress() const {
  if (inputs_.empty()) return 1;
  double done = static_cast<double>(at_);
  if (video_) {
    if (video_->promised <= 0) return inputs_.size() == 1 ? -1 : done / static_cast<double>(inputs_.size());
    std::int64_t all = video_->promised;
    if (options_.frames > 0) all = std::min(all, options_.frames * options_.every);
    done += std::min(1.0, static_cast<double>(video_->read) / static_cast<double>(all));
  }
  return done / static_cast<double>(inputs_.size());
}

void Source::open_video(const std::string& input, InputKind kind, Frame& frame) {
  auto video = std::make_unique<Video>();
  try {
    if (kind == InputKind::kCamera) {
      int number = -1;
      const auto digits = std::string_view(input).substr(kCameraPrefix.size());
      const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (end.ec != std::errc() || end.ptr != digits.data() + digits.size() || number < 0) {
        frame.error = "expected camera:N with a number";
        return;
      }
      if (!video->capture.open(number)) frame.error = "no such camera, or it is in use";
    } else {
      std::error_code ignored;
      if (!fs::exists(input, ignored))
        frame.error = no_such_file(input);
      else if (fs::is_directory(input, ignored))
        frame.error = "is a folder";
      else if (fs::file_size(input, ignored) == 0)
        frame.error = "the file is empty";
      else if (!video->capture.open(input, cv::CAP_FFMPEG) && !video->capture.open(input, cv::CAP_ANY))
        frame.error = "is not a video that can be decoded, or it is cut short";
      // OpenCV 4.6 turns some of FFmpeg 5's videos the wrong way; where the file itself says how it was held, it is
      // left out of this.
      if (const auto degrees = frame.error.empty() ? orientation_of(input) : std::nullopt) {
        video->capture.set(cv::CAP_PROP_ORIENTATION_AUTO, 0);
        video->turned = *degrees;
      }
      const double count = frame.error.empty() ? video->capture.get(cv::CAP_PROP_FRAME_COUNT) : 0;
      if (count > 0 && count < 1e9) video->promised = std::llround(count);
    }
    if (frame.error.empty()) {
      const double fps = video->capture.get(cv::CAP_PROP_FPS);
      video->fps = fps > 0 && fps < 1000 ? fps : 0;
      video_ = std::move(video);
    }
  } catch (const cv::Exception& e) {
    frame.error = "cannot be opened: " + e.err;
  }
}

bool Source::next_of_video(Frame& frame) {
  Video& v = *video_;
  if (options_.frames > 0 && v.given == options_.frames) return false;
  const auto start = std::chrono::steady_clock::now();
  cv::Mat image;
  double seconds = v.fps > 0 ? static_cast<double>(v.read) / v.fps : 0;
  try {
    while (v.read % options_.every != 0 && v.capture.grab()) ++v.read;
    if (v.read % options_.every == 0) v.capture.read(image);
    // The container's own time where it has one: phones record at a varying rate.
    if (const double at = v.capture.get(cv::CAP_PROP_POS_MSEC) / 1000; at > 0) seconds = at;
  } catch (const cv::Exception& e) {
    frame.error = "cannot be decoded: " + e.err;
  }
  frame.index = v.read;
  frame.taken = v.given;
  frame.fps = v.fps / static_cast<double>(options_.every);
  frame.read_ms = milliseconds_since(start);
  if (!image.empty()) {
    // Decoders of raw or grey streams may hand out something else than BGR.
    if (image.type() == CV_8UC1)
      cv::cvtColor(image, frame.image, cv::COLOR_GRAY2BGR);
    else if (image.type() == CV_8UC3)
      frame.image = image;
    else
      frame.error = "frames are not 8-bit colour";
    turn(frame.image, v.turned);
    frame.seconds = seconds;
    ++v.read;
    ++v.given;
    return true;
  }
  // Containers without an index estimate their count from the length; a file that was cut lacks far more than the
  // estimate errs.
  if (frame.error.empty() && v.read < v.promised - std::max<std::int64_t>(2, v.promised / 50))
    frame.error = fmt::format("the video is cut short: {} of {} frames", v.read, v.promised);
  if (frame.error.empty() && v.read == 0) frame.error = "the video has no frame that can be decoded";
  return !frame.error.empty();
}

bool Source::next(Frame& frame) {
  while (at_ < inputs_.size()) {
    frame = Frame();
    frame.input = inputs_[at_];
    frame.kind = kind_of(frame.input);
    if (frame.kind == InputKind::kStill) {
      ++at_;
      return true;
    }
    if (!video_) {
      open_video(frame.input, frame.kind, frame);
      if (!video_) {
        ++at_;
        return true;
      }
    }
    const bool some = next_of_video(frame);
    if (!some || !frame.error.empty()) {
      video_.reset();
      ++at_;
    }
    if (some) return true;
  }
  return false;
}

Expanded expand(const std::vector<std::string>& given) {
  Expanded all;
  for (const auto& input : given) {
    std::error_code failed;
    if (!fs::is_directory(input, failed)) {
      all.inputs.push_back(input);
      continue;
    }
    std::vector<std::string> found;
    for (auto i = fs::recursive_directory_iterator(input, fs::directory_options::skip_permission_denied, failed);
         !failed && i != fs::recursive_directory_iterator(); i.increment(failed)) {
      const std::string e = extension(i->path());
      std::error_code ignored;
      if ((among(e, kStills) || among(e, kVideos)) && i->is_regular_file(ignored)) found.push_back(i->path().string());
    }
    std::sort(found.begin(), found.end());
    if (failed)
      all.errors.emplace_back(input, "the folder cannot be read: " + failed.message());
    else if (found.empty())
      all.errors.emplace_back(input, "the folder holds no picture and no video");
    all.inputs.insert(all.inputs.end(), found.begin(), found.end());
  }
  return all;
}

std::vector<std::string> read_list(const std::string& file) {
  std::vector<std::string> all;
  for (const auto& [number, line] : numbered_lines(file)) all.push_back(beside_list(line, file));
  if (all.empty()) throw UsageError(fmt::format("'{}': the list is empty", file));
  return all;
}

Boxes::Boxes(const std::string& file) {
  for (const auto& [number, line] : numbered_lines(file)) {
    // The numbers are taken from the right, so that a file name may hold commas.
    std::vector<std::string> cells;
    std::string rest = line;
    for (int i = 0; i < 5; ++i) {
      const auto comma = rest.rfind(',');
      if (comma == std::string::npos) break;
      cells.insert(cells.begin(), rest.substr(comma + 1));
      rest.resize(comma);
    }
    std::vector<float> numbers;
    for (const auto& given : cells) {
      const std::string cell = trimmed(given);
      float value = 0;
      const auto end = std::from_chars(cell.data(), cell.data() + cell.size(), value);
      const bool whole = end.ec == std::errc() && end.ptr == cell.data() + cell.size();
      // The leftmost of five may belong to the name.
      if (!whole && numbers.empty() && cells.size() == 5) {
        rest += "," + given;
        continue;
      }
      if (!whole) throw UsageError(fmt::format("{}:{}: '{}' is not a number", file, number, cell));
      numbers.push_back(value);
    }
    const bool framed = numbers.size() == 5;
    if (numbers.size() < 4 || rest.empty() || (framed && (numbers[0] < 0 || numbers[0] != std::floor(numbers[0]))))
      throw UsageError(
          fmt::format("{}:{}: expected input,x,y,width,height or input,frame,x,y,width,height", file, number));
    const auto frame = framed ? static_cast<std::int64_t>(numbers[0]) : 0;
    const std::size_t at = framed ? 1 : 0;
    const Rect box{numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]};
    if (!boxes_.try_emplace({canonical(beside_list(trimmed(rest), file)), frame}, box).second)
      throw UsageError(fmt::format("{}:{}: a second box for the same picture", file, number));
  }
}

std::optional<Rect> Boxes::find(const std::string& input, std::int64_t frame) const {
  const auto found = boxes_.find({canonical(input), frame});
  return found == boxes_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace liveness::cli
