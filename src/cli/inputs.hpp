// Pictures, folders, videos and cameras as one row of frames.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <opencv2/core/mat.hpp>
#include <optional>
#include <string>
#include <vector>

#include "liveness/types.hpp"

namespace liveness::cli {

enum class InputKind : std::uint8_t { kStill, kVideo, kCamera };
[[nodiscard]] InputKind kind_of(const std::string& input);  // by its name alone

// One picture to score. A still is decoded by whoever takes it (decode), so that threads share that work; a frame of a
// video comes decoded. Where `error` is not empty there is no picture.
struct Frame {
  std::string input;
  InputKind kind = InputKind::kStill;
  std::int64_t index = 0;  // within its input
  std::int64_t taken = 0;  // frames of the same input before it that were handed out
  double fps = 0;          // handed out a second of the video; 0 where nobody knows
  cv::Mat image;           // 8-bit BGR
  double seconds = 0;      // of a video: when it is shown, from the start
  double read_ms = 0;
  std::string error;

  void decode();  // fills image or error
};

struct SourceOptions {
  std::int64_t every = 1;   // take each so-manieth frame of a video
  std::int64_t frames = 0;  // at most so many frames of each video; 0: all
};

// Walks over inputs. Every input gives at least one frame, if only one that says what is wrong.
class Source {
 public:
  Source(std::vector<std::string> inputs, const SourceOptions& options);
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  // False at the end.
  bool next(Frame& frame);
  // Share of the inputs that were handed out, 0..1; negative where nobody can know (a camera).
  [[nodiscard]] double progress() const;
  [[nodiscard]] std::size_t inputs() const { return inputs_.size(); }

 private:
  struct Video;
  bool next_of_video(Frame& frame);
  void open_video(const std::string& input, InputKind kind, Frame& frame);

  std::vector<std::string> inputs_;
  SourceOptions options_;
  std::size_t at_ = 0;
  std::unique_ptr<Video> video_;
};

// Folders become the pictures and videos in them (recursively, sorted); everything else stays. What cannot be expanded
// (an empty folder) goes to `errors` with its message, by input.
struct Expanded {
  std::vector<std::string> inputs;
  std::vector<std::pair<std::string, std::string>> errors;
};
[[nodiscard]] Expanded expand(const std::vector<std::string>& given);

// Lines of a text file ("-": standard input), without empty lines and those that start with '#'. A relative path that
// does not exist from here but does from the list's own folder means that. Throws UsageError.
[[nodiscard]] std::vector<std::string> read_list(const std::string& file);

// Face boxes by picture, from lines `input,x,y,width,height` or `input,frame,x,y,width,height`. Throws UsageError
// naming file and line.
class Boxes {
 public:
  explicit Boxes(const std::string& file);
  [[nodiscard]] std::optional<Rect> find(const std::string& input, std::int64_t frame) const;

 private:
  std::map<std::pair<std::string, std::int64_t>, Rect> boxes_;
};

}  // namespace liveness::cli
