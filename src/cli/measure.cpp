#include "measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "liveness/opencv.hpp"
#include "progress.hpp"
#include "record.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace fs = std::filesystem;
namespace {

// One picture or video to score; what its rows begin with.
struct Item {
  ScoreRow row;
};

// A folder's pictures and videos. Videos are clips; pictures in a folder below it are a clip by that folder's name.
void add_media(const std::string& path, const std::string& species, std::vector<Item>& items,
               std::vector<ScoreRow>& failed) {
  const Expanded all = expand({path});
  for (const auto& [input, message] : all.errors) {
    ScoreRow row;
    row.input = input;
    row.species = species;
    row.error = message;
    failed.push_back(std::move(row));
  }
  std::error_code ignored;
  const bool folder = fs::is_directory(path, ignored);
  for (const std::string& input : all.inputs) {
    Item item;
    item.row.input = input;
    item.row.species = species;
    const fs::path parent = fs::path(input).parent_path();
    if (kind_of(input) != InputKind::kStill)
      item.row.clip = input;
    else if (folder && !fs::equivalent(parent, path, ignored))
      item.row.clip = parent.string();
    items.push_back(std::move(item));
  }
}

// A folder with a folder a species, one of which is of bona fide presentations.
void add_species_folders(const std::string& path, std::vector<Item>& items, std::vector<ScoreRow>& failed) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (fs::directory_iterator i(path, error), end; !error && i != end; i.increment(error))
    if (i->is_directory(error)) folders.push_back(i->path());
  if (error) throw UsageError(fmt::format("'{}': cannot be read: {}", path, error.message()));
  std::sort(folders.begin(), folders.end());
  if (folders.empty())
    throw UsageError(fmt::format(
        "'{}': expected a folder a species in it, e.g. bona_fide, print, replay; or give --bona-fide and --attack",
        path));
  for (const auto& folder : folders) {
    const std::string name = folder.filename().string();
    add_media(folder.string(), is_bona_fide(name) ? "" : name, items, failed);
  }
}

std::string beside(const std::string& path, const std::string& list) {
  std::error_code ignored;
  if (list == "-" || path.empty() || fs::path(path).is_absolute() || fs::exists(path, ignored)) return path;
  const fs::path there = fs::path(list).parent_path() / path;
  return fs::exists(there, ignored) ? there.string() : path;
}

ScoreTable read_table(const std::string& file) {
  try {
    return read_scores(file);
  } catch (const ScoreFileError& e) {
    throw UsageError(e.what());
  }
}

// What the first line of our score files says, as JSON.
Json identity_of(const std::vector<Model>& members, const Ensemble::Options& o, const MeasureFlags& flags,
                 const std::optional<Calibration>& calibration, const Bounds& bounds) {
  Json models = Json::array();
  for (const Model& m : members) models.push_back({{"name", m.contract().name}, {"identity", m.info().identity}});
  Json weights = Json::array();
  for (const float w : o.weights) weights.push_back(number(w));
  return {{"models", models},
          {"fusion", std::string(to_string(o.fusion))},
          {"weights", weights},
          {"detector", o.detector ? o.detector->info().identity : ""},
          {"box_convention", o.box_convention},
          {"min_face", number(o.detection.min_face)},
          {"every", flags.source.every},
          {"frames", flags.source.frames},
          {"profile", o.profile},
          {"live", number(bounds.live)},
          {"spoof", number(bounds.spoof)},
          {"calibration", calibration ? calibration->to_yaml() : ""}};
}

void take_identity(const std::string& text, const std::string& origin, Measured& m) {
  const Json id = Json::parse(text, nullptr, false);
  const auto refuse = [&] { throw UsageError(fmt::format("{}:1: the first line is damaged", origin)); };
  try {
    for (const auto& entry : id.at("models"))
      m.models.push_back({entry.at("name").get<std::string>(), entry.at("identity").get<std::string>()});
    m.fusion = fusion_of(id.at("fusion").get<std::string>());
    for (const auto& w : id.at("weights")) m.weights.push_back(w.get<float>());
    m.bounds = Bounds{id.at("live").get<float>(), id.at("spoof").get<float>()};
    m.calibrated = !id.at("calibration").get<std::string>().empty();
    for (const auto& model : m.models) m.origin += (m.origin.empty() ? "" : "+") + model.name;
  } catch (const Json::exception&) {
    refuse();
  }
}

// The file that grows while pictures are scored. Every line is written whole and flushed, so that a run that was killed
// loses the picture that it was at.
class ScoreFile {
 public:
  ScoreFile(const std::string& path, const Json& identity) : path_(path) {
    std::error_code ignored;
    if (!fs::exists(path, ignored) || fs::file_size(path, ignored) == 0) {
      make_parent(path);
      out_.open(path, std::ios::binary | std::ios::trunc);
      write(score_file_header(line(identity)));
      return;
    }
    ScoreTable table = read_table(path);
    if (table.identity.empty())
      throw UsageError(fmt::format("--scores {}: is no score file of this program; it would be overwritten", path));
    const Json before = Json::parse(table.identity, nullptr, false);
    for (const auto& [key, value] : identity.items())
      if (!before.is_object() || !before.contains(key) || before[key] != value)
        throw UsageError(fmt::format("--scores {}: was made with another {} ({}, now {})", path, key,
                                     before.is_object() && before.contains(key) ? shortened(before[key]) : "nothing",
                                     shortened(value)));
    if (table.damaged_end) {
      fmt::print(stderr, "liveness: {}: the last line is damaged; it is cut off and scored again\n", path);
      fs::resize_file(path, table.whole_bytes);
    }
    for (ScoreRow& row : table.rows) done_.emplace(std::pair(row.input, row.frame), std::move(row));
    out_.open(path, std::ios::binary | std::ios::app);
    // A run that was killed at once has a first line and no second.
    if (table.rows.empty() && table.whole_bytes <= table.identity.size() + 32) {
      out_.close();
      out_.open(path, std::ios::binary | std::ios::trunc);
      write(score_file_header(line(identity)));
    }
  }

  // What is known of a picture from an earlier run; failures are tried again.
  [[nodiscard]] const ScoreRow* find(const std::string& input, std::int64_t frame) const {
    const auto found = done_.find({input, frame});
    return found == done_.end() || !found->second.error.empty() ? nullptr : &found->second;
  }
  [[nodiscard]] std::size_t known() const { return done_.size(); }
  void add(const ScoreRow& row) { write(score_file_line(row)); }

 private:
  static std::string shortened(const Json& value) {
    const std::string text = line(value);
    return text.size() > 60 ? text.substr(0, 57) + "..." : text;
  }
  void write(const std::string& text) {
    out_ << text << std::flush;
    if (!out_) throw UsageError(fmt::format("--scores {}: cannot be written", path_));
  }

  std::string path_;
  std::ofstream out_;
  std::map<std::pair<std::string, std::int64_t>, ScoreRow> done_;
};

Bounds bounds_of(const std::vector<Model>& members, const Ensemble::Options& o) {
  if (o.calibration) {
    const ThresholdProfile& p = o.calibration->profiles.at(o.profile);
    return {p.live, p.spoof};
  }
  std::vector<Bounds> own;
  for (const Model& m : members) {
    const ThresholdProfile& p = m.contract().score->profiles.at(o.profile);
    own.push_back({p.live, p.spoof});
  }
  return fuse_bounds(o.fusion, own, o.weights);
}

class Worker {
 public:
  Worker(const MeasureFlags& flags, std::vector<Item> items) : flags_(flags), items_(std::move(items)) {
    bool need_detector = false;
    std::set<std::string> seen;
    for (const Item& item : items_) {
      need_detector |= !item.row.box.has_value();
      if (!seen.insert(item.row.input).second) throw UsageError(fmt::format("'{}': is listed twice", item.row.input));
    }
    Chosen chosen = choose(flags.models, need_detector);
    options_.fusion = fusion_of(flags.fusion);
    options_.weights = flags.weights;
    options_.profile = flags.profile;
    options_.detection.min_face = flags.min_face;
    options_.box_convention = flags.box_convention;
    if (!flags.calibration.empty()) options_.calibration = Calibration::load(flags.calibration);
    if (need_detector) options_.detector = std::move(chosen.detector);
    ensemble_.emplace(std::move(chosen.members), options_);
  }

  void run(Measured& m) {
    for (const Model& model : ensemble_->members()) {
      m.models.push_back({model.contract().name, model.info().identity});
      m.origin += (m.origin.empty() ? "" : "+") + model.contract().name;
    }
    m.fusion = options_.fusion;
    m.weights = options_.weights;
    m.calibrated = options_.calibration.has_value();
    m.bounds = bounds_of(ensemble_->members(), options_);
    if (!flags_.scores.empty())
      file_.emplace(flags_.scores,
                    identity_of(ensemble_->members(), options_, flags_, options_.calibration, *m.bounds));

    std::vector<std::string> inputs;
    for (const Item& item : items_) inputs.push_back(item.row.input);
    Progress progress;
    const std::size_t chunk = flags_.threads == 1 ? 1 : static_cast<std::size_t>(flags_.threads) * 4;
    std::size_t done = 0;
    for (std::size_t at = 0; at < items_.size(); ++at) {
      Source source({inputs[at]}, flags_.source);
      std::vector<Work> works;
      for (bool more = true; more;) {
        Work work;
        work.row = items_[at].row;
        if (kind_of(inputs[at]) == InputKind::kStill) {
          // Stills of several items make one chunk; those that are known are not even opened.
          work.frame.input = inputs[at];
          more = at + 1 < items_.size() && kind_of(inputs[at + 1]) == InputKind::kStill && works.size() + 1 < chunk;
          works.push_back(std::move(work));
          if (more) ++at;
          continue;
        }
        more = source.next(work.frame);
        if (more) {
          work.row.frame = work.frame.index;
          works.push_back(std::move(work));
        }
        if (works.size() == chunk || !more) {
          finish(works, m);
          done += works.size();
          works.clear();
          progress.show(
              (static_cast<double>(at) + std::max(0.0, source.progress())) / static_cast<double>(items_.size()),
              static_cast<std::int64_t>(done));
        }
      }
      finish(works, m);
      done += works.size();
      progress.show(static_cast<double>(at + 1) / static_cast<double>(items_.size()), static_cast<std::int64_t>(done));
    }
    progress.clear();
    if (reused_ > 0) fmt::print(stderr, "liveness: {} pictures were scored already, in {}\n", reused_, flags_.scores);
  }

 private:
  struct Work {
    Frame frame;
    ScoreRow row;
    bool known = false;
  };

  void finish(std::vector<Work>& works, Measured& m) {
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
      for (std::size_t i = next++; i < works.size(); i = next++) score(works[i]);
    };
    std::vector<std::thread> helpers;
    for (std::size_t i = 1; i < std::min(works.size(), static_cast<std::size_t>(flags_.threads)); ++i)
      helpers.emplace_back(work);
    work();
    for (auto& h : helpers) h.join();
    for (Work& w : works) {
      if (file_ && !w.known) file_->add(w.row);
      reused_ += w.known ? 1 : 0;
      m.rows.push_back(std::move(w.row));
    }
  }

  void score(Work& work) const {
    ScoreRow& row = work.row;
    if (file_)
      if (const ScoreRow* before = file_->find(row.input, row.frame)) {
        const ScoreRow given = row;
        row = *before;
        // The list may have been mended since.
        row.species = given.species;
        row.subject = given.subject;
        row.clip = given.clip;
        row.set = given.set;
        work.known = true;
        return;
      }
    work.frame.decode();
    row.error = work.frame.error;
    if (!row.error.empty()) return;
    try {
      const ImageView image = view(work.frame.image);
      const Result r = row.box ? ensemble_->predict(image, *row.box) : ensemble_->predict(image);
      row.verdict = to_string(r.verdict);
      if (r.faces.empty()) return;
      const FaceResult& face = r.faces.front();
      row.face_pixels = static_cast<double>(face.quality.face_pixels);
      row.sharpness = static_cast<double>(face.quality.sharpness);
      row.luminance = static_cast<double>(face.quality.luminance);
      // Without a score, or abstained for what the reasons say: no response. What lies between two thresholds has one.
      if (!face.members.empty() && (r.reasons & options_.abstain) == 0) row.score = static_cast<double>(r.logit);
    } catch (const std::exception& e) {
      row.error = e.what();
    }
  }

  const MeasureFlags& flags_;
  std::vector<Item> items_;
  Ensemble::Options options_;
  std::optional<Ensemble> ensemble_;
  std::optional<ScoreFile> file_;
  std::size_t reused_ = 0;
};

}  // namespace

void MeasureFlags::add_to(CLI::App& app, bool plain) {
  app.add_option("inputs", inputs,
                 "lists (CSV with the columns input and species), score files, folders with a folder a species")
      ->type_name("LIST|SCORES|DIR");
  app.add_option("--bona-fide", bona_fide, "bona fide pictures, videos, folders of them; may be repeated")
      ->allow_extra_args(false)
      ->type_name("PATH");
  app.add_option("--attack", attacks, "attacks of one species; may be repeated")
      ->allow_extra_args(false)
      ->type_name("SPECIES=PATH");
  app.add_option("--scores", scores, "score file: written while pictures are scored, and gone on with when it exists")
      ->type_name("FILE.csv");
  models.add_to(app);
  app.add_option("--fusion", fusion, "how several networks' scores become one")
      ->check(CLI::IsMember(fusion_names()))
      ->capture_default_str();
  app.add_option("--weights", weights, "for --fusion weighted: one a network")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("W,W,...");
  if (!plain) {
    app.add_option("--profile", profile, "threshold profile of the networks, or of the calibration")
        ->capture_default_str();
    app.add_option("--calibration", calibration, "made by liveness calibrate for these networks")->type_name("FILE");
  }
  app.add_option("--box-convention", box_convention, "whose face boxes are in the list")->capture_default_str();
  app.add_option("--min-face", min_face, "smaller faces are not seen")->type_name("PIXELS");
  app.add_option("--threads", threads, "pictures worked on side by side")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--every", source.every, "of a video each so-manieth frame")
      ->check(CLI::Range(1, 1000000))
      ->type_name("N");
  app.add_option("--frames", source.frames, "at most so many frames of each video")
      ->check(CLI::Range(1, 1000000000))
      ->type_name("N");
}

Measured read_measured(const std::string& file) {
  MeasureFlags flags;
  flags.inputs = {file};
  ScoreTable table = read_table(file);
  if (!table.scored && table.identity.empty()) throw UsageError(fmt::format("'{}': has no scores", file));
  return measure(flags);
}

Measured measure(const MeasureFlags& flags) {
  Measured m;
  std::vector<Item> items;
  for (const std::string& input : flags.inputs) {
    std::error_code ignored;
    if (fs::is_directory(input, ignored)) {
      add_species_folders(input, items, m.rows);
      continue;
    }
    ScoreTable table = read_table(input);
    if (table.damaged_end) fmt::print(stderr, "liveness: {}: the last line is damaged and left out\n", input);
    if (!table.scored && table.identity.empty()) {
      for (ScoreRow& row : table.rows) {
        row.input = beside(row.input, input);
        if (row.clip.empty() && kind_of(row.input) == InputKind::kVideo) row.clip = row.input;
        items.push_back({std::move(row)});
      }
      continue;
    }
    if (!m.origin.empty())
      throw UsageError(fmt::format("'{}': a second score file; give one, or --compare two", input));
    if (!table.identity.empty())
      take_identity(table.identity, input, m);
    else
      m.origin = input;
    // A picture that failed was tried again by the next run: its last line counts.
    std::map<std::pair<std::string, std::int64_t>, std::size_t> last;
    for (std::size_t i = 0; !table.identity.empty() && i < table.rows.size(); ++i)
      last[{table.rows[i].input, table.rows[i].frame}] = i;
    for (std::size_t i = 0; i < table.rows.size(); ++i)
      if (last.empty() || last[{table.rows[i].input, table.rows[i].frame}] == i)
        m.rows.push_back(std::move(table.rows[i]));
  }
  for (const std::string& path : flags.bona_fide) add_media(path, "", items, m.rows);
  for (const std::string& given : flags.attacks) {
    const auto split = given.find('=');
    if (split == std::string::npos || split == 0 || split + 1 == given.size())
      throw UsageError(fmt::format("--attack {}: expected SPECIES=PATH", given));
    const std::string species = given.substr(0, split);
    if (is_bona_fide(species)) throw UsageError(fmt::format("--attack {}: that is the name of no attack", given));
    add_media(given.substr(split + 1), species, items, m.rows);
  }
  if (!items.empty() && !m.origin.empty())
    throw UsageError("scores and pictures in one call: their scales need not be the same");
  if (!items.empty()) Worker(flags, std::move(items)).run(m);
  for (const ScoreRow& row : m.rows) {
    if (row.error.empty()) continue;
    ++m.failed;
    fmt::print(stderr, "liveness: {}{}: {}\n", row.input, row.frame > 0 ? fmt::format("#{}", row.frame) : "",
               row.error);
  }
  return m;
}

std::vector<Presentation> presentations(const std::vector<ScoreRow>& rows) {
  std::vector<Presentation> all;
  for (const ScoreRow& row : rows)
    if (row.error.empty()) all.push_back(row.presentation());
  return all;
}

Fusion fusion_of(const std::string& name) {
  for (int i = 0; i < kFusionCount; ++i)
    if (name == to_string(static_cast<Fusion>(i))) return static_cast<Fusion>(i);
  throw UsageError("fusion: no such rule: " + name);
}

std::vector<std::string> fusion_names() {
  std::vector<std::string> all;
  for (int i = 0; i < kFusionCount; ++i) all.emplace_back(to_string(static_cast<Fusion>(i)));
  return all;
}

void make_parent(const std::string& file) {
  std::error_code failed;
  const fs::path path = file;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), failed);
  if (failed) throw UsageError(fmt::format("'{}': the folder cannot be made: {}", file, failed.message()));
}

void write_text(const std::string& file, const std::string& text) {
  if (file == "-") {
    fmt::print("{}", text);
    return;
  }
  make_parent(file);
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text << std::flush;
  if (!out) throw UsageError(fmt::format("'{}': cannot be written", file));
}

}  // namespace liveness::cli
