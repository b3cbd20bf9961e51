#include "liveness/tracker.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "liveness/error.hpp"
#include "liveness/roi.hpp"
#include "vision/resample.hpp"

namespace liveness {
namespace {

// Boxes that overlap more than this cannot be told apart by place: their tracks cross.
constexpr float kCrossing = 0.1F;
// After a crossing a face must be this much more like itself than like the others.
constexpr float kCrossingMargin = 0.1F;
// Two finds that overlap more than this are one face, seen through two windows.
constexpr float kSameFind = 0.4F;
// A find less like its track than this is looked at once more where the track was seen, unless its box is elsewhere;
// it must be at least so like it there.
constexpr float kSteady = 0.85F;
constexpr float kSamePlace = 0.6F;
// Part of the way by which the place where a track is looked at follows the detected box in one frame.
constexpr float kPull = 0.1F;

void check(const char* name, double value, double low, double high) {
  if (value >= low && value <= high) return;
  throw Error(Status::kInvalidArgument, std::string(name) + ": " + std::to_string(value) + " is not in " +
                                            std::to_string(low) + " to " + std::to_string(high));
}

void check_options(const FaceTracker::Options& o) {
  check("tracking.method", static_cast<int>(o.method), 0, kTrackMethodCount - 1);
  check("tracking.detect_every", o.detect_every, 1, 300);
  check("tracking.window", o.window, 8, 1024);
  check("tracking.window_scale", o.window_scale, 1.2, 8);
  check("tracking.quality_floor", o.quality_floor, 0, 1);
  check("tracking.confirm_within", o.confirm_within, 0, 30);
  check("tracking.birth", o.birth, 1, 30);
  check("tracking.death", o.death, 1, 300);
  check("tracking.max_faces", o.max_faces, 1, 32);
  check("tracking.min_face", o.min_face, 0, 65536);
  check("tracking.match_iou", o.match_iou, 0, 1);
  check("tracking.same_face", o.same_face, -1, 1);
  check("tracking.same_scene", o.same_scene, -1, 1);
  check("tracking.max_gap", o.max_gap, 0, 1e9);
  check("tracking.noise.measurement", o.noise.measurement, 1e-4, 1);
  check("tracking.noise.acceleration", o.noise.acceleration, 0, 1e4);
}

bool follows(TrackMethod method) {
  return method == TrackMethod::kFlow || method == TrackMethod::kCsrt || method == TrackMethod::kKcf;
}

Point centre(const Rect& r) {
  return {r.x + r.width / 2, r.y + r.height / 2};
}

// The frame on a grid of 2 x 2 samples a cell: enough to tell a cut, and whether anything changed at all.
struct FrameLook {
  Patch patch{};
  std::uint64_t hash = 0;
};

FrameLook look(const ImageView& image) {
  constexpr int kSamples = 2 * kPatchSide;
  const int bytes = bytes_per_pixel(image.format);
  const int grey = bytes == 1 ? 0 : 1;  // green stands for grey
  FrameLook found;
  std::array<std::uint16_t, std::tuple_size_v<Patch>> sums{};
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (int j = 0; j < kSamples; ++j) {
    const int y = static_cast<int>((2LL * j + 1) * image.height / (2 * kSamples));
    const std::uint8_t* row = image.data + image.stride * y;
    for (int i = 0; i < kSamples; ++i) {
      const std::uint8_t* p = row + ((2LL * i + 1) * image.width / (2 * kSamples)) * bytes;
      std::uint64_t value = p[grey];
      sums[static_cast<std::size_t>((j / 2) * kPatchSide + i / 2)] =
          static_cast<std::uint16_t>(sums[static_cast<std::size_t>((j / 2) * kPatchSide + i / 2)] + value);
      if (bytes > 1) value |= static_cast<std::uint64_t>(p[0]) << 8 | static_cast<std::uint64_t>(p[2]) << 16;
      hash = (hash ^ value) * 1099511628211ULL;
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i) found.patch[i] = static_cast<std::uint8_t>(sums[i] / 4);
  found.hash = hash;
  return found;
}

}  // namespace

class FaceTracker::Impl {
 public:
  Impl(Model detector, const Options& given)
      : options(checked(detector, given)),
        kernels_(vision::roi_kernels(default_isa())),
        search_(detector, search_options()) {
    if (follows(options.method) && !options.follower) {
      throw Error(Status::kUnsupported, "tracking.method: \"" + std::string(to_string(options.method)) +
                                            "\" follows boxes with OpenCV: give tracking.follower, for instance "
                                            "opencv_follower(method) of liveness/opencv_trackers.hpp");
    }
    if (options.method != TrackMethod::kNone) {
      FaceDetector::Options local = search_options();
      local.max_faces = 8;
      window_.emplace(detector.resized({options.window, options.window}), local);
    }
  }

  const Update& update(const ImageView& image, double seconds) {
    check_image(image);
    check_time(seconds);
    report_ = {};
    ended_.clear();

    const FrameLook now = look(image);
    report_.scene = now.patch;
    const double passed = started_ ? seconds - last_ : 0;
    if (started_) {
      report_.resized = image.width != size_.width || image.height != size_.height || image.format != format_;
      report_.gap = passed > options.max_gap;
      report_.frozen = !report_.resized && now.hash == look_.hash && now.patch == look_.patch;
      // Different light is no cut, so the levels must differ and the picture too.
      report_.cut = !report_.resized && likeness(now.patch, look_.patch) < options.same_scene &&
                    difference(now.patch, look_.patch) > kCutLevels;
    }
    started_ = true;
    last_ = seconds;
    size_ = {image.width, image.height};
    format_ = image.format;
    look_ = now;
    if (report_.resized || report_.gap || report_.cut) end_all();

    for (Slot& s : slots_) {
      const Rect before = s.motion.box();
      s.motion.predict(passed);
      s.expected = s.motion.box();
      s.carried = carried(s.seen, before, s.expected);
    }
    find(image);
    associate(image, seconds);
    cross(seconds);
    publish();
    return report_;
  }

  void reset() {
    ended_.clear();
    end_all();
    ended_.clear();
    published_.clear();
    report_ = {};
    since_search_ = 0;
    started_ = false;
  }

  void check_time(double seconds) const {
    if (!std::isfinite(seconds)) throw Error(Status::kInvalidArgument, "seconds: not a finite time");
    if (started_ && seconds < last_) {
      throw Error(Status::kInvalidArgument, "seconds: " + std::to_string(seconds) + " is before the last frame's " +
                                                std::to_string(last_) + ": time runs backwards");
    }
  }

  [[nodiscard]] const Model& detector() const noexcept { return search_.model(); }

  Options options;

 private:
  static constexpr float kCutLevels = 12;

  // What is kept of one face.
  struct Slot {
    Track track;
    FaceMotion motion;
    Rect expected;           // where it should be in this frame
    Rect seen;               // where track.patch was taken,
    Rect carried;            // and where that should be in this frame
    int hits = 1;            // detections in a row
    bool reported = false;   // born: it has an id
    bool confirmed = false;  // the detector found it in this frame
    std::unique_ptr<BoxFollower> follower;
    bool replaced = false;  // its find was another face
    bool crossing = false;
    int parted = 0;               // frames since it touches no other again
    Patch apart{};                // what it looked like when it last touched no other
    std::vector<Patch> rivals{};  // the same of those that it crosses
  };

  // A face that the detector found in this frame.
  struct Find {
    Face face;
    Patch patch{};
    bool whole = false;  // by a search of the whole frame
  };

  // How a find compares with the track that it is paired with.
  struct Meeting {
    float like = 0;
    Patch patch{};  // what the track looks like now,
    Rect seen;      // and where that was taken
  };

  static Options checked(const Model& detector, Options o) {
    const auto& contract = detector.contract().detector;
    const TrackingContract own = contract && contract->tracking ? *contract->tracking : TrackingContract();
    if (o.window < 0) o.window = own.window;
    if (o.window_scale < 0) o.window_scale = own.window_scale;
    check_options(o);
    return o;
  }

  // `r`, fixed to a box that went from `from` to `to`.
  [[nodiscard]] static Rect carried(const Rect& r, const Rect& from, const Rect& to) {
    const float x = to.width / from.width;
    const float y = to.height / from.height;
    return {to.x + (r.x - from.x) * x, to.y + (r.y - from.y) * y, r.width * x, r.height * y};
  }

  [[nodiscard]] static Rect between(const Rect& a, const Rect& b, float part) {
    return {a.x + part * (b.x - a.x), a.y + part * (b.y - a.y), a.width + part * (b.width - a.width),
            a.height + part * (b.height - a.height)};
  }

  [[nodiscard]] FaceDetector::Options search_options() const {
    FaceDetector::Options o = options.detection;
    o.max_faces = std::max(options.max_faces, 4);
    o.min_face = options.min_face;
    return o;
  }

  void end(const Slot& s) {
    if (s.reported) ended_.push_back(s.track.id);
  }
  void end_all() {
    for (const Slot& s : slots_) end(s);
    slots_.clear();
  }

  [[nodiscard]] Patch patch_of(const ImageView& image, const Rect& box) const {
    vision::Resample job;
    const auto whole = [](float v) { return static_cast<int>(std::lround(std::clamp(v, -65536.0F, 65536.0F))); };
    job.region = {whole(box.x), whole(box.y), std::max(whole(box.width), 1), std::max(whole(box.height), 1)};
    job.out = {kPatchSide, kPatchSide};
    job.border = BorderRule::kReplicate;
    job.filter = ResizeFilter::kArea;
    job.color = ColorOrder::kGray;
    std::array<float, std::tuple_size_v<Patch>> levels;
    vision::resample(kernels_, image, job,
                     {levels.data(), kPatchSide, static_cast<std::ptrdiff_t>(std::tuple_size_v<Patch>)});
    Patch patch;
    for (std::size_t i = 0; i < patch.size(); ++i) patch[i] = static_cast<std::uint8_t>(levels[i]);
    return patch;
  }

  // The square around a box, slid into the frame so that as little as can be of it is outside.
  [[nodiscard]] Rect window_around(const Rect& box) const {
    const float side = options.window_scale * std::max(box.width, box.height);
    const auto slide = [side](float middle, int limit) {
      const float room = static_cast<float>(limit) - side;
      return room > 0 ? std::clamp(middle - side / 2, 0.0F, room) : room / 2;
    };
    const Point c = centre(box);
    return {slide(c.x, size_.width), slide(c.y, size_.height), side, side};
  }

  void add_finds(const ImageView& image, bool whole) {
    for (const Face& face : faces_) {
      const auto same = std::find_if(finds_.begin(), finds_.end(),
                                     [&](const Find& f) { return iou(f.face.box, face.box) > kSameFind; });
      if (same == finds_.end()) {
        finds_.push_back({face, patch_of(image, face.box), whole});
      } else if (!whole && face.score > same->face.score) {
        *same = {face, patch_of(image, face.box), false};
      }
    }
  }

  void look_through_window(const ImageView& image, const Rect& around) {
    window_->detect(image, window_around(around), faces_);
    add_finds(image, false);
  }

  void search(const ImageView& image) {
    search_.detect(image, faces_);
    add_finds(image, true);
    report_.searched = true;
    since_search_ = 0;
  }

  // Fills finds_: through windows where faces are expected, in the whole frame where that is due or one was missed.
  void find(const ImageView& image) {
    finds_.clear();
    ++since_search_;
    if (options.method == TrackMethod::kNone) return search(image);
    for (Slot& s : slots_) {
      if (s.follower == nullptr) {
        look_through_window(image, s.expected);
        continue;
      }
      const BoxFollower::Step step = s.follower->follow(image);
      const bool lost = !(step.quality >= options.quality_floor) || !is_finite(step.box) || step.box.width < 1 ||
                        step.box.height < 1 || !inside(step.box);
      followed_.push_back({&s, lost ? std::optional<BoxFollower::Step>() : step});
      if (!lost) s.expected = step.box;
      // A doubtful box is detected again, and so is one that will be too old to be scored.
      if (lost || !s.reported || s.track.unconfirmed + 1 >= std::max(options.confirm_within, 1))
        look_through_window(image, s.expected);
    }
    if (slots_.empty() || since_search_ >= options.detect_every) search(image);
  }

  [[nodiscard]] bool inside(const Rect& box) const {
    const Rect frame{0, 0, static_cast<float>(size_.width), static_cast<float>(size_.height)};
    return area(intersect(box, frame)) > 0;
  }

  // Least for the find that a track most likely is; infinite where it cannot be.
  [[nodiscard]] double cost(const Slot& s, const Find& f) const {
    const Rect& e = s.expected;
    const Rect& b = f.face.box;
    const float overlap = iou(e, b);
    const float size = (e.width + e.height) / 2;
    const float ratio = (b.width + b.height) / 2 / size;
    const Point from = centre(e);
    const Point to = centre(b);
    const float way = std::hypot(to.x - from.x, to.y - from.y) / size;
    // A sudden turn of a small face leaves the expected box; a find nearby of its size is still a candidate.
    if (overlap < options.match_iou && !(way < 1 && ratio > 0.6F && ratio < 1.7F)) return HUGE_VAL;
    return 1.0 - static_cast<double>(overlap) + 0.5 * static_cast<double>(way) +
           (1.0 - static_cast<double>(likeness(s.track.patch, f.patch)));
  }

  std::vector<int> match() const {
    std::vector<double> costs(slots_.size() * finds_.size());
    for (std::size_t i = 0; i < slots_.size(); ++i)
      for (std::size_t j = 0; j < finds_.size(); ++j) costs[i * finds_.size() + j] = cost(slots_[i], finds_[j]);
    return assign(costs, slots_.size(), finds_.size());
  }

  // A detected box trembles, and on fine patterns (a screen's moire) that alone makes another small picture of the same
  // face. So where the find is not much like the track, the place where the track was seen is looked at too, as it is
  // and carried on by its motion: another face is different there as well.
  [[nodiscard]] Meeting meet(const Slot& s, const Find& f, const ImageView& image) const {
    Meeting m{likeness(s.track.patch, f.patch), f.patch, f.face.box};
    if (s.crossing) {
      m.like = std::max(m.like, likeness(s.apart, f.patch));
    } else if (s.track.unconfirmed == 0) {
      for (const Rect& place : {s.seen, s.carried}) {
        if (m.like >= kSteady || iou(place, f.face.box) < kSamePlace) continue;
        const Patch there = patch_of(image, place);
        if (const float like = likeness(s.track.patch, there); like > m.like && like >= kSteady)
          m = {like, there, between(place, f.face.box, kPull)};
      }
    }
    return m;
  }

  [[nodiscard]] static float agreement(const Meeting& m, const Find& f) {
    return std::clamp(std::min(f.face.score, m.like), 0.0F, 1.0F);
  }

  void associate(const ImageView& image, double seconds) {
    std::vector<int> find_of = match();
    if (!report_.searched) {
      // A face that was missed or is doubtful is searched for in the same frame.
      bool doubtful = false;
      for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (find_of[i] >= 0) {
          const Find& f = finds_[static_cast<std::size_t>(find_of[i])];
          doubtful = doubtful || agreement(meet(slots_[i], f, image), f) < options.quality_floor;
        } else {
          doubtful = doubtful || followed(slots_[i]) == nullptr;
        }
      }
      if (doubtful) {
        search(image);
        find_of = match();
      }
    }
    std::vector<bool> taken(finds_.size(), false);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      Slot& s = slots_[i];
      s.confirmed = false;
      ++s.track.age;
      const int j = find_of[i];
      if (j < 0) {
        miss(s, image);
        continue;
      }
      const Find& f = finds_[static_cast<std::size_t>(j)];
      // After frames without it, a face must be more like itself than from one frame to the next; one that crosses
      // another is known again when they have parted.
      const bool back = s.track.unconfirmed > 0 && s.follower == nullptr && !s.crossing;
      const Meeting met = meet(s, f, image);
      if (met.like < (back ? (1 + options.same_face) / 2 : options.same_face)) {
        if (s.crossing) {  // half hidden by the other
          miss(s, image);
        } else {  // another face: the find is born anew
          taken[static_cast<std::size_t>(j)] = false;
          s.replaced = true;
        }
        continue;
      }
      s.track.quality = agreement(met, f);
      s.motion.correct(f.face);
      s.track.face = s.motion.face();
      s.track.face.score = f.face.score;
      s.track.detected = f.face;
      s.track.patch = met.patch;
      s.seen = met.seen;
      s.track.unconfirmed = 0;
      s.confirmed = true;
      ++s.hits;
      if (s.follower != nullptr) s.follower->start(image, f.face.box);
      if (!s.reported && s.hits >= options.birth) be_born(s);
    }
    followed_.clear();
    remove_dead();
    give_birth(image, seconds, taken);
  }

  // The follower's box of this frame; null where there is none.
  [[nodiscard]] const BoxFollower::Step* followed(const Slot& s) const {
    for (const auto& [slot, step] : followed_)
      if (slot == &s && step) return &*step;
    return nullptr;
  }

  void miss(Slot& s, const ImageView& image) {
    s.hits = 0;
    ++s.track.unconfirmed;
    s.track.quality = 0;
    if (const BoxFollower::Step* step = followed(s)) {
      // Landmarks go where the box takes them.
      const Rect from = s.motion.box();
      Face face = s.motion.face();
      face.box = step->box;
      for (Point& p : face.landmarks)
        p = {face.box.x + (p.x - from.x) * face.box.width / from.width,
             face.box.y + (p.y - from.y) * face.box.height / from.height};
      s.motion.correct(face);
      const Patch seen = patch_of(image, step->box);
      s.track.quality = std::clamp(std::min(step->quality, likeness(s.track.patch, seen)), 0.0F, 1.0F);
      // A doubtful picture must not become what the next one is compared with.
      if (s.track.quality >= options.quality_floor) {
        s.track.patch = seen;
        s.seen = step->box;
      }
    }
    const float score = s.track.face.score;
    s.track.face = s.motion.face();
    s.track.face.score = score;
  }

  // Tracks whose find was another face, that were not seen for too long, or that have left the picture.
  void remove_dead() {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      Slot& s = slots_[i];
      const bool unborn = !s.reported && !s.confirmed;
      // Behind another face it may stay longer: it must prove who it is when they have parted.
      const int patience = s.crossing ? 3 * options.death : options.death;
      const bool lost = s.track.unconfirmed > patience || (!s.confirmed && !inside(s.track.face.box));
      if (s.replaced || unborn || lost) {
        end(s);
        continue;
      }
      if (kept != i) slots_[kept] = std::move(s);
      ++kept;
    }
    slots_.resize(kept);
  }

  void be_born(Slot& s) {
    s.reported = true;
    s.track.id = next_id_++;
  }

  void give_birth(const ImageView& image, double seconds, const std::vector<bool>& taken) {
    if (!report_.searched) return;  // a window may show a neighbour cut off
    for (std::size_t j = 0; j < finds_.size(); ++j) {
      const Find& f = finds_[j];
      if (taken[j] || slots_.size() >= static_cast<std::size_t>(options.max_faces)) continue;
      const bool covered = std::any_of(slots_.begin(), slots_.end(), [&](const Slot& s) {
        return s.confirmed && iou(s.track.face.box, f.face.box) > kSameFind;
      });
      if (covered) continue;
      Slot s;
      s.motion.start(f.face, options.noise);
      s.track.face = s.track.detected = f.face;
      s.track.quality = f.face.score;
      s.track.since = seconds;
      s.track.patch = s.apart = f.patch;
      s.seen = f.face.box;
      s.confirmed = true;
      if (options.follower && follows(options.method)) {
        s.follower = options.follower();
        if (s.follower != nullptr) s.follower->start(image, f.face.box);
      }
      if (options.birth <= 1) be_born(s);
      slots_.push_back(std::move(s));
    }
  }

  // Faces that overlap are not scored, and must afterwards be more like themselves than like those they crossed.
  void cross(double seconds) {
    std::array<bool, 32> touched{};
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      for (std::size_t j = 0; j < slots_.size(); ++j) {
        if (i == j || iou(slots_[i].track.face.box, slots_[j].track.face.box) <= kCrossing) continue;
        touched[i] = true;
        if (!slots_[i].crossing && slots_[i].rivals.size() < 4) slots_[i].rivals.push_back(slots_[j].apart);
      }
    }
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      Slot& s = slots_[i];
      if (touched[i]) {
        s.crossing = true;
      } else if (s.confirmed) {
        if (s.crossing && !known_again(s)) {
          if (++s.parted <= options.death) continue;  // hair of the other may still hang in
          end(s);
          if (s.reported) be_born(s);
          s.track.age = 0;
          s.track.since = seconds;
        }
        s.parted = 0;
        s.crossing = false;
        s.rivals.clear();
        s.apart = s.track.patch;
      }
    }
  }

  [[nodiscard]] bool known_again(const Slot& s) const {
    const float self = likeness(s.track.patch, s.apart);
    return self >= (1 + options.same_face) / 2 &&
           std::all_of(s.rivals.begin(), s.rivals.end(),
                       [&](const Patch& rival) { return self >= likeness(s.track.patch, rival) + kCrossingMargin; });
  }

  void publish() {
    published_.clear();
    for (Slot& s : slots_) {
      if (!s.reported) continue;
      const bool fresh = s.confirmed || (s.follower != nullptr && s.track.unconfirmed <= options.confirm_within);
      s.track.scorable = fresh && !s.crossing && s.track.quality >= options.quality_floor;
      published_.push_back(s.track);
    }
    std::stable_sort(published_.begin(), published_.end(),
                     [](const Track& a, const Track& b) { return area(a.face.box) > area(b.face.box); });
    report_.tracks = published_;
    report_.ended = ended_;
  }

  const vision::RoiKernels& kernels_;
  FaceDetector search_;                 // of the whole frame
  std::optional<FaceDetector> window_;  // the same network at the size of the window
  std::vector<Slot> slots_;
  std::vector<Face> faces_;
  std::vector<Find> finds_;
  std::vector<std::pair<const Slot*, std::optional<BoxFollower::Step>>> followed_;
  std::vector<Track> published_;
  std::vector<std::uint64_t> ended_;
  Update report_;
  std::uint64_t next_id_ = 1;
  int since_search_ = 0;
  bool started_ = false;
  double last_ = 0;
  Size size_;
  PixelFormat format_ = PixelFormat::kBgr;
  FrameLook look_;
};

FaceTracker::FaceTracker(Model detector, const Options& options)
    : impl_(std::make_unique<Impl>(std::move(detector), options)) {}
FaceTracker::~FaceTracker() = default;
FaceTracker::FaceTracker(FaceTracker&&) noexcept = default;
FaceTracker& FaceTracker::operator=(FaceTracker&&) noexcept = default;

const FaceTracker::Update& FaceTracker::update(const ImageView& image, double seconds) {
  return impl_->update(image, seconds);
}
void FaceTracker::reset() {
  impl_->reset();
}
void FaceTracker::set_detect_every(int frames) {
  check("tracking.detect_every", frames, 1, 300);
  impl_->options.detect_every = frames;
}
const FaceTracker::Options& FaceTracker::options() const noexcept {
  return impl_->options;
}
const Model& FaceTracker::detector() const noexcept {
  return impl_->detector();
}

}  // namespace liveness
