// How good a detector is: the figures of ISO/IEC 30107-3 from lists of scores. Header only; usable for the scores of
// any system.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "liveness/detail/public.hpp"
#include "liveness/detail/statistics.hpp"
#include "liveness/error.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Something that was held before the camera, and what the system said of it.
struct Presentation {
  /// On any scale; larger: more likely bona fide. NaN: the system gave no response (no face, or it abstained).
  double score = std::numeric_limits<double>::quiet_NaN();
  std::string species;  ///< presentation attack instrument species ("print", "replay"); empty: bona fide
  std::string subject;  ///< whose face; may be empty
  std::string clip;     ///< which recording; may be empty

  [[nodiscard]] bool bona_fide() const noexcept { return species.empty(); }
  [[nodiscard]] bool responded() const noexcept { return !std::isnan(score); }
};

/// Two ends of a confidence interval, in 0..1 for rates.
struct Interval {
  double low = 0;
  double high = 1;
};

/// Exact two-sided interval of a proportion (Clopper and Pearson 1934): each tail has (1 - confidence) / 2. With no
/// error in n its upper end is 1 - ((1 - confidence) / 2)^(1/n): 0 of 20 gives 16.8 % at 95 %. (The one-sided bound,
/// 1 - (1 - confidence)^(1/n), would give 13.9 %: ask for confidence 2 c - 1 to get the one-sided bound of confidence
/// c.) Samples must be independent: the frames of one clip are not. {0, 1} for n = 0.
[[nodiscard]] inline Interval clopper_pearson(std::int64_t errors, std::int64_t n, double confidence = 0.95) noexcept {
  Interval all;
  if (n <= 0) return all;
  const double tail = (1 - confidence) / 2;
  const auto k = static_cast<double>(errors);
  const auto total = static_cast<double>(n);
  if (errors > 0) all.low = detail::incomplete_beta_inverse(k, total - k + 1, tail);
  // The upper tail as a lower one of the mirrored distribution: 1 - tail would lose digits.
  if (errors < n) all.high = 1 - detail::incomplete_beta_inverse(total - k, k + 1, tail);
  return all;
}

/// How many independent samples without an error it takes until the upper end of clopper_pearson() is at most `rate`
/// (greater than 0, below 1).
[[nodiscard]] inline std::int64_t samples_needed(double rate, double confidence = 0.95) noexcept {
  return static_cast<std::int64_t>(std::ceil(std::log((1 - confidence) / 2) / std::log1p(-rate) - 1e-9));
}

/// So many errors among so many.
struct Rate {
  std::int64_t errors = 0;
  std::int64_t total = 0;
  double value = std::numeric_limits<double>::quiet_NaN();  ///< NaN where total is 0
  Interval interval;                                        ///< clopper_pearson()
};

[[nodiscard]] inline Rate make_rate(std::int64_t errors, std::int64_t total, double confidence = 0.95) noexcept {
  Rate r{errors, total, std::numeric_limits<double>::quiet_NaN(), clopper_pearson(errors, total, confidence)};
  if (total > 0) r.value = static_cast<double>(errors) / static_cast<double>(total);
  return r;
}

/// What counts as one presentation.
enum class EvaluationUnit : std::uint8_t {
  kPicture,  ///< every score by itself
  kClip,     ///< all scores of one clip (of one species): their mean
  kSubject,  ///< all scores of one subject (of one species): their mean
};

/// "picture", "clip" or "subject".
[[nodiscard]] inline constexpr std::string_view to_string(EvaluationUnit unit) noexcept {
  switch (unit) {
    case EvaluationUnit::kPicture: return "picture";
    case EvaluationUnit::kClip: return "clip";
    case EvaluationUnit::kSubject: return "subject";
  }
  return "unknown";
}

/// One presentation a clip or subject, in the order of first occurrence: the mean of the scores that there are, NaN
/// where there is none. What has no clip (or subject) stays by itself.
[[nodiscard]] inline std::vector<Presentation> aggregate(std::span<const Presentation> all, EvaluationUnit unit) {
  if (unit == EvaluationUnit::kPicture) return {all.begin(), all.end()};
  struct Group {
    std::size_t at;
    double sum;
    std::int64_t n;
  };
  std::vector<Presentation> out;
  std::vector<Group> groups;
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  for (const Presentation& p : all) {
    const std::string& key = unit == EvaluationUnit::kClip ? p.clip : p.subject;
    std::size_t place = groups.size();
    if (!key.empty()) place = places.try_emplace({p.species, key}, groups.size()).first->second;
    if (place == groups.size()) {
      groups.push_back({out.size(), 0, 0});
      out.push_back(p);
    }
    Group& g = groups[place];
    if (p.responded()) {
      g.sum += p.score;
      ++g.n;
    }
    if (unit == EvaluationUnit::kSubject && out[g.at].clip != p.clip) out[g.at].clip.clear();
    if (unit == EvaluationUnit::kClip && out[g.at].subject != p.subject) out[g.at].subject.clear();
  }
  for (const Group& g : groups)
    out[g.at].score = g.n > 0 ? g.sum / static_cast<double>(g.n) : std::numeric_limits<double>::quiet_NaN();
  return out;
}

/// Area under the ROC curve: the chance that a bona fide score is above an attack's, ties counted half (Mann and
/// Whitney). NaN where either is empty. Scores must be no NaN.
[[nodiscard]] inline double auc(std::span<const double> bona_fide, std::span<const double> attacks) {
  if (bona_fide.empty() || attacks.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::vector<double> low(attacks.begin(), attacks.end());
  std::sort(low.begin(), low.end());
  double sum = 0;
  for (const double s : bona_fide) {
    const auto [first, last] = std::equal_range(low.begin(), low.end(), s);
    sum += static_cast<double>(first - low.begin()) + 0.5 * static_cast<double>(last - first);
  }
  return sum / static_cast<double>(bona_fide.size()) / static_cast<double>(low.size());
}

/// Exact McNemar test on pairs of decisions: the two-sided chance of a split at least as uneven as `only_a` to `only_b`
/// where both are equally likely. 1 where there is no such pair.
[[nodiscard]] inline double mcnemar(std::int64_t only_a, std::int64_t only_b) noexcept {
  const auto n = static_cast<double>(only_a + only_b);
  const auto k = static_cast<double>(std::min(only_a, only_b));
  if (only_a == only_b) return 1;
  return std::min(1.0, 2 * detail::incomplete_beta(n - k, k + 1, 0.5));
}

/// Error rates where one threshold divides (a score at or above it is called bona fide).
struct DetPoint {
  double threshold = 0;
  double apcer = 0;  ///< of the worst species
  double far = 0;    ///< of all attacks pooled
  double bpcer = 0;
};

/// Equal error rate: where the share of all attacks accepted equals the share of bona fide rejected, interpolated
/// linearly between the neighbouring points of the ROC curve.
struct EqualError {
  double rate = std::numeric_limits<double>::quiet_NaN();
  double threshold = std::numeric_limits<double>::quiet_NaN();  ///< of the nearer point
};

/// A threshold chosen so that the worst species' APCER does not exceed a target, and what it costs.
struct OperatingPoint {
  double target = 0;     ///< the APCER asked for, 0..1
  double threshold = 0;  ///< the lowest that keeps it on these samples
  Rate apcer;            ///< of the worst species there
  Rate bpcer;
  /// Whether the samples carry the target: the upper end of apcer.interval is at most `target`, for every species.
  bool shown = false;
};

/// Figures of one species against all bona fide presentations.
struct SpeciesFigures {
  std::string species;
  Rate apcer;  ///< at the given thresholds, among those that got a response
  Rate apnrr;  ///< no response, or between the thresholds: among all
  double auc = std::numeric_limits<double>::quiet_NaN();
  double eer = std::numeric_limits<double>::quiet_NaN();
};

struct EvaluationOptions {
  /// LIVE at or above `live`, SPOOF below `spoof`, no response between; without them the EER's threshold is used.
  std::optional<double> live;
  std::optional<double> spoof;  ///< default: the same as `live`
  std::vector<double> apcer_targets = {0.01, 0.05, 0.07, 0.10};
  double confidence = 0.95;
};

/// What the scores say. Rates are shares; APCER and BPCER count presentations with a response, the non-response rates
/// count all.
struct EvaluationReport {
  std::int64_t bona_fide = 0;  ///< presentations
  std::int64_t attacks = 0;
  double confidence = 0.95;
  double auc = std::numeric_limits<double>::quiet_NaN();
  EqualError eer;
  std::vector<OperatingPoint> at_apcer;  ///< one a target; empty without both kinds
  double live = std::numeric_limits<double>::quiet_NaN();
  double spoof = std::numeric_limits<double>::quiet_NaN();
  bool threshold_from_eer = false;      ///< nobody gave one: the rates below are those of the best case
  std::vector<SpeciesFigures> species;  ///< sorted by name
  std::string worst_species;            ///< with the highest APCER at the thresholds; empty without attacks
  Rate apcer;                           ///< of that species
  Rate far;                             ///< of all attacks pooled
  Rate bpcer;
  Rate apnrr;  ///< of all attacks pooled
  Rate bpnrr;
  double acer = std::numeric_limits<double>::quiet_NaN();  ///< (APCER of the worst species + BPCER) / 2
  double hter = std::numeric_limits<double>::quiet_NaN();  ///< (far + BPCER) / 2
};

/// Scores sorted once, for any number of questions. Presentations without a response count in the non-response rates
/// only. Immutable.
class Evaluation {
 public:
  explicit Evaluation(std::span<const Presentation> all) {
    for (const Presentation& p : all) {
      if (std::isinf(p.score)) throw Error(Status::kInvalidArgument, "score: infinite; NaN means no response");
      List& list = p.bona_fide() ? bona_fide_ : species_[p.species];
      ++list.total;
      if (!p.bona_fide()) ++attacks_.total;
      if (!p.responded()) continue;
      list.scores.push_back(p.score);
      if (!p.bona_fide()) attacks_.scores.push_back(p.score);
      cuts_.push_back(p.score);
    }
    std::sort(bona_fide_.scores.begin(), bona_fide_.scores.end());
    std::sort(attacks_.scores.begin(), attacks_.scores.end());
    for (auto& [name, list] : species_) std::sort(list.scores.begin(), list.scores.end());
    std::sort(cuts_.begin(), cuts_.end());
    cuts_.erase(std::unique(cuts_.begin(), cuts_.end()), cuts_.end());
  }

  [[nodiscard]] double auc() const { return liveness::auc(bona_fide_.scores, attacks_.scores); }
  [[nodiscard]] EqualError eer() const { return eer(attacks_); }

  /// The points of the DET curve, threshold rising: one below every score, one between neighbouring scores, one above
  /// all. At most `limit` of them, evenly chosen. Empty without both kinds.
  [[nodiscard]] std::vector<DetPoint> det(std::size_t limit = std::numeric_limits<std::size_t>::max()) const {
    std::vector<DetPoint> points;
    if (bona_fide_.scores.empty() || attacks_.scores.empty() || limit < 2) return points;
    const std::size_t n = cuts_.size() + 1;
    const std::size_t taken = std::min(n, limit);
    for (std::size_t i = 0; i < taken; ++i) points.push_back(point(taken == n ? i : i * (n - 1) / (taken - 1)));
    return points;
  }

  /// The lowest threshold at which no species' APCER is above `target` (0..1). Throws Error(kInvalidState) without
  /// responses of both kinds.
  [[nodiscard]] OperatingPoint at_apcer(double target, double confidence = 0.95) const {
    need_both();
    // APCER falls as the threshold rises.
    std::size_t low = 0;
    std::size_t high = cuts_.size();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (worst(threshold_of(middle)) <= target)
        high = middle;
      else
        low = middle + 1;
    }
    OperatingPoint p;
    p.target = target;
    p.threshold = threshold_of(low);
    p.bpcer = rejected(bona_fide_, p.threshold, confidence);
    p.shown = true;
    for (const auto& [name, list] : species_) {
      if (list.scores.empty()) continue;
      const Rate r = accepted(list, p.threshold, confidence);
      if (!(p.apcer.value >= r.value)) p.apcer = r;
      p.shown &= r.interval.high <= target;
    }
    return p;
  }

  /// The highest threshold at which BPCER is at most `target` (0..1); bona fide presentations are enough. Throws
  /// Error(kInvalidState) without any.
  [[nodiscard]] double threshold_at_bpcer(double target) const {
    const auto& scores = bona_fide_.scores;
    if (scores.empty()) throw Error(Status::kInvalidState, "no bona fide presentation has a score");
    const auto allowed = static_cast<std::size_t>(target * static_cast<double>(scores.size()) + 1e-9);
    if (allowed >= scores.size()) return std::nextafter(scores.back(), std::numeric_limits<double>::infinity());
    return scores[allowed];
  }

  /// Where the larger of APCER (of the worst species) and BPCER is smallest; in the middle of the gap between the
  /// scores there. Throws Error(kInvalidState) without responses of both kinds.
  [[nodiscard]] double threshold_at_equal() const {
    need_both();
    const auto allowed = [&](std::size_t cut) {
      const double t = threshold_of(cut);
      return worst(t) <= share_below(bona_fide_, t);
    };
    std::size_t low = 0;
    std::size_t high = cuts_.size();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (allowed(middle))
        high = middle;
      else
        low = middle + 1;
    }
    const auto larger = [&](std::size_t cut) {
      const double t = threshold_of(cut);
      return std::max(worst(t), share_below(bona_fide_, t));
    };
    return threshold_of(low > 0 && larger(low - 1) < larger(low) ? low - 1 : low);
  }

  /// Everything at once.
  [[nodiscard]] EvaluationReport report(const EvaluationOptions& options = {}) const {
    if (!(options.confidence > 0 && options.confidence < 1))
      throw Error(Status::kInvalidArgument, "confidence: expected more than 0 and less than 1");
    for (const double target : options.apcer_targets)
      if (!(target >= 0 && target <= 1)) throw Error(Status::kInvalidArgument, "apcer_targets: expected 0 to 1");
    EvaluationReport r;
    const double c = options.confidence;
    r.confidence = c;
    r.bona_fide = bona_fide_.total;
    r.attacks = attacks_.total;
    r.auc = auc();
    r.eer = eer();
    if (!bona_fide_.scores.empty() && !attacks_.scores.empty())
      for (const double target : options.apcer_targets) r.at_apcer.push_back(at_apcer(target, c));
    r.threshold_from_eer = !options.live;
    r.live = options.live.value_or(r.eer.threshold);
    r.spoof = options.spoof.value_or(r.live);
    if (r.spoof > r.live) throw Error(Status::kInvalidArgument, "spoof: is above live");
    const bool divided = !std::isnan(r.live);
    for (const auto& [name, list] : species_) {
      SpeciesFigures f;
      f.species = name;
      f.auc = liveness::auc(bona_fide_.scores, list.scores);
      f.eer = eer(list).rate;
      if (divided) {
        f.apcer = accepted(list, r.live, r.spoof, c);
        f.apnrr = silent(list, r.live, r.spoof, c);
        if (r.worst_species.empty() || f.apcer.value > r.apcer.value || std::isnan(r.apcer.value)) {
          r.worst_species = name;
          r.apcer = f.apcer;
        }
      }
      r.species.push_back(std::move(f));
    }
    if (divided) {
      r.far = accepted(attacks_, r.live, r.spoof, c);
      r.apnrr = silent(attacks_, r.live, r.spoof, c);
      r.bpcer = rejected(bona_fide_, r.live, r.spoof, c);
      r.bpnrr = silent(bona_fide_, r.live, r.spoof, c);
      r.acer = (r.apcer.value + r.bpcer.value) / 2;
      r.hter = (r.far.value + r.bpcer.value) / 2;
    }
    return r;
  }

  /// Scores that there are, sorted.
  [[nodiscard]] const std::vector<double>& bona_fide() const noexcept { return bona_fide_.scores; }
  [[nodiscard]] const std::vector<double>& attacks() const noexcept { return attacks_.scores; }
  [[nodiscard]] std::vector<std::string> species() const {
    std::vector<std::string> names;
    for (const auto& [name, list] : species_) names.push_back(name);
    return names;
  }
  /// Of one species; Error(kNotFound) where there is none.
  [[nodiscard]] const std::vector<double>& attacks(const std::string& species) const {
    const auto found = species_.find(species);
    if (found == species_.end()) throw Error(Status::kNotFound, "species '" + species + "': there is none");
    return found->second.scores;
  }

 private:
  struct List {
    std::vector<double> scores;  // sorted
    std::int64_t total = 0;      // with those that gave none
  };

  static std::int64_t below(const List& list, double threshold) {
    return std::lower_bound(list.scores.begin(), list.scores.end(), threshold) - list.scores.begin();
  }
  static std::int64_t size(const List& list) { return static_cast<std::int64_t>(list.scores.size()); }
  static double share_below(const List& list, double threshold) {
    return static_cast<double>(below(list, threshold)) / static_cast<double>(size(list));
  }
  static Rate accepted(const List& list, double live, double spoof, double confidence) {
    const std::int64_t errors = size(list) - below(list, live);
    return make_rate(errors, errors + below(list, spoof), confidence);
  }
  static Rate rejected(const List& list, double live, double spoof, double confidence) {
    const std::int64_t errors = below(list, spoof);
    return make_rate(errors, errors + size(list) - below(list, live), confidence);
  }
  static Rate accepted(const List& list, double threshold, double c) { return accepted(list, threshold, threshold, c); }
  static Rate rejected(const List& list, double threshold, double c) { return rejected(list, threshold, threshold, c); }
  static Rate silent(const List& list, double live, double spoof, double confidence) {
    const std::int64_t between = below(list, live) - below(list, spoof);
    return make_rate(list.total - size(list) + between, list.total, confidence);
  }

  void need_both() const {
    if (bona_fide_.scores.empty() || attacks_.scores.empty())
      throw Error(Status::kInvalidState, "scores of bona fide presentations and of attacks are needed, there are " +
                                             std::to_string(bona_fide_.scores.size()) + " and " +
                                             std::to_string(attacks_.scores.size()));
  }

  // Cut i accepts the scores from cuts_[i] on.
  [[nodiscard]] double threshold_of(std::size_t cut) const {
    if (cut == 0) return cuts_.front();
    if (cut == cuts_.size()) return std::nextafter(cuts_.back(), std::numeric_limits<double>::infinity());
    const double middle = cuts_[cut - 1] + (cuts_[cut] - cuts_[cut - 1]) / 2;
    return middle > cuts_[cut - 1] && middle < cuts_[cut] ? middle : cuts_[cut];
  }
  [[nodiscard]] double worst(double threshold) const {
    double most = 0;
    for (const auto& [name, list] : species_)
      if (!list.scores.empty()) most = std::max(most, 1 - share_below(list, threshold));
    return most;
  }
  [[nodiscard]] DetPoint point(std::size_t cut) const {
    const double t = threshold_of(cut);
    return {t, worst(t), 1 - share_below(attacks_, t), share_below(bona_fide_, t)};
  }

  [[nodiscard]] EqualError eer(const List& attacks) const {
    if (bona_fide_.scores.empty() || attacks.scores.empty()) return {};
    const auto far = [&](std::size_t cut) { return 1 - share_below(attacks, threshold_of(cut)); };
    const auto frr = [&](std::size_t cut) { return share_below(bona_fide_, threshold_of(cut)); };
    std::size_t low = 0;  // far(0) = 1 > frr(0) = 0
    std::size_t high = cuts_.size();
    while (high - low > 1) {
      const std::size_t middle = low + (high - low) / 2;
      (frr(middle) >= far(middle) ? high : low) = middle;
    }
    const double before = far(low) - frr(low);
    const double after = frr(high) - far(high);
    const double part = before / (before + after);
    return {frr(low) + part * (frr(high) - frr(low)), threshold_of(before < after ? low : high)};
  }

  List bona_fide_;
  List attacks_;  // of all species
  std::map<std::string, List> species_;
  std::vector<double> cuts_;  // distinct scores, sorted
};

struct ComparisonOptions {
  double threshold_a = 0;  ///< a score at or above it is called bona fide
  double threshold_b = 0;
  int rounds = 2000;  ///< of the bootstrap
  std::uint64_t seed = 1;
  double confidence = 0.95;
};

/// Two systems on the same presentations.
struct Comparison {
  std::int64_t presentations = 0;
  std::int64_t only_a_right = 0;  ///< no response is right for an attack, wrong for a bona fide presentation
  std::int64_t only_b_right = 0;
  double mcnemar = 1;         ///< two-sided p-value of the exact test
  std::int64_t paired = 0;    ///< with a response of both; the AUCs are of these
  std::int64_t clusters = 0;  ///< what the bootstrap draws: clips, else subjects, else presentations
  double auc_a = std::numeric_limits<double>::quiet_NaN();
  double auc_b = std::numeric_limits<double>::quiet_NaN();
  double difference = std::numeric_limits<double>::quiet_NaN();  ///< auc_b - auc_a
  Interval interval{-1, 1};                                      ///< percentiles of the bootstrap's differences
};

/// Paired comparison: the same presentations in the same order. The bootstrap draws whole clips (where they have no
/// name subjects, else single presentations), bona fide and attacks apart, since frames of one clip are no independent
/// samples. Throws Error(kInvalidArgument) where the lists do not fit.
[[nodiscard]] inline Comparison compare(std::span<const Presentation> a, std::span<const Presentation> b,
                                        const ComparisonOptions& options = {}) {
  if (a.size() != b.size())
    throw Error(Status::kInvalidArgument,
                "compare: " + std::to_string(a.size()) + " presentations against " + std::to_string(b.size()));
  if (options.rounds < 1 || options.rounds > 1000000)
    throw Error(Status::kInvalidArgument, "rounds: expected 1 to 1000000, got " + std::to_string(options.rounds));
  Comparison c;
  c.presentations = static_cast<std::int64_t>(a.size());
  // Places of the paired presentations, by cluster; first bona fide, then attacks.
  std::vector<std::vector<std::size_t>> clusters[2];
  std::map<std::pair<std::string, std::string>, std::size_t> known;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].species != b[i].species)
      throw Error(Status::kInvalidArgument, "compare: presentation " + std::to_string(i) + " is of species '" +
                                                a[i].species + "' in one list and '" + b[i].species + "' in the other");
    const bool right_a = a[i].bona_fide() == (a[i].score >= options.threshold_a);
    const bool right_b = b[i].bona_fide() == (b[i].score >= options.threshold_b);
    c.only_a_right += right_a && !right_b ? 1 : 0;
    c.only_b_right += right_b && !right_a ? 1 : 0;
    if (!a[i].responded() || !b[i].responded()) continue;
    ++c.paired;
    auto& of_kind = clusters[a[i].bona_fide() ? 0 : 1];
    const std::string key = !a[i].clip.empty() ? "c" + a[i].clip : !a[i].subject.empty() ? "s" + a[i].subject : "";
    std::size_t place = of_kind.size();
    if (!key.empty()) place = known.try_emplace({a[i].species, key}, of_kind.size()).first->second;
    if (place == of_kind.size()) of_kind.emplace_back();
    of_kind[place].push_back(i);
  }
  c.mcnemar = mcnemar(c.only_a_right, c.only_b_right);
  c.clusters = static_cast<std::int64_t>(clusters[0].size() + clusters[1].size());
  if (clusters[0].empty() || clusters[1].empty()) return c;

  // AUC with every presentation counted so often, from one sorted order.
  const auto weighted = [&](std::span<const Presentation> list, const std::vector<std::size_t>& order,
                            const std::vector<double>& weight) {
    double attacks = 0;
    double bona_fide = 0;
    double sum = 0;
    for (std::size_t i = 0; i < order.size();) {
      double tied_attacks = 0;
      double tied_bona_fide = 0;
      const double score = list[order[i]].score;
      for (; i < order.size() && list[order[i]].score == score; ++i)
        (list[order[i]].bona_fide() ? tied_bona_fide : tied_attacks) += weight[order[i]];
      sum += tied_bona_fide * (attacks + 0.5 * tied_attacks);
      attacks += tied_attacks;
      bona_fide += tied_bona_fide;
    }
    return sum / attacks / bona_fide;
  };
  std::vector<std::size_t> order_a;
  for (const auto& kind : clusters)
    for (const auto& cluster : kind) order_a.insert(order_a.end(), cluster.begin(), cluster.end());
  std::vector<std::size_t> order_b = order_a;
  std::sort(order_a.begin(), order_a.end(), [&](auto i, auto j) { return a[i].score < a[j].score; });
  std::sort(order_b.begin(), order_b.end(), [&](auto i, auto j) { return b[i].score < b[j].score; });
  std::vector<double> weight(a.size(), 1.0);
  c.auc_a = weighted(a, order_a, weight);
  c.auc_b = weighted(b, order_b, weight);
  c.difference = c.auc_b - c.auc_a;

  detail::Random random(options.seed);
  std::vector<double> differences;
  for (int round = 0; round < options.rounds; ++round) {
    std::fill(weight.begin(), weight.end(), 0.0);
    for (const auto& kind : clusters)
      for (std::size_t n = 0; n < kind.size(); ++n)
        for (const std::size_t i : kind[random.below(kind.size())]) weight[i] += 1;
    differences.push_back(weighted(b, order_b, weight) - weighted(a, order_a, weight));
  }
  std::sort(differences.begin(), differences.end());
  const double tail = (1 - options.confidence) / 2 * static_cast<double>(differences.size() - 1);
  const auto low = static_cast<std::size_t>(tail);
  c.interval = {differences[low], differences[differences.size() - 1 - low]};
  return c;
}

namespace detail {

inline void json_number(std::string& to, double value) {
  if (!std::isfinite(value)) {
    to += "null";
    return;
  }
  char text[32];
  to.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

inline void json_text(std::string& to, std::string_view text) {
  to += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') to += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      static constexpr char kHex[] = "0123456789abcdef";
      to += "\\u00";
      to += kHex[c >> 4];
      to += kHex[c & 15];
    } else {
      to += c;
    }
  }
  to += '"';
}

inline void json_rate(std::string& to, const Rate& r) {
  to += "{\"errors\": " + std::to_string(r.errors) + ", \"total\": " + std::to_string(r.total) + ", \"rate\": ";
  json_number(to, r.value);
  to += ", \"low\": ";
  json_number(to, r.interval.low);
  to += ", \"high\": ";
  json_number(to, r.interval.high);
  to += '}';
}

}  // namespace detail

/// A report as one line of JSON; what is not known is null.
[[nodiscard]] inline std::string to_json(const EvaluationReport& r) {
  std::string j = "{\"bona_fide\": " + std::to_string(r.bona_fide) + ", \"attacks\": " + std::to_string(r.attacks);
  const auto number = [&j](const char* key, double value) {
    j.append(", \"").append(key).append("\": ");
    detail::json_number(j, value);
  };
  const auto rate = [&j](const char* key, const Rate& value) {
    j.append(", \"").append(key).append("\": ");
    detail::json_rate(j, value);
  };
  number("confidence", r.confidence);
  number("auc", r.auc);
  number("eer", r.eer.rate);
  number("eer_threshold", r.eer.threshold);
  j += ", \"at_apcer\": [";
  for (std::size_t i = 0; i < r.at_apcer.size(); ++i) {
    const OperatingPoint& p = r.at_apcer[i];
    j += i > 0 ? ", {\"target\": " : "{\"target\": ";
    detail::json_number(j, p.target);
    number("threshold", p.threshold);
    rate("apcer", p.apcer);
    rate("bpcer", p.bpcer);
    j += p.shown ? ", \"shown\": true}" : ", \"shown\": false}";
  }
  j += ']';
  number("live", r.live);
  number("spoof", r.spoof);
  j += r.threshold_from_eer ? ", \"threshold_from_eer\": true" : ", \"threshold_from_eer\": false";
  j += ", \"species\": [";
  for (std::size_t i = 0; i < r.species.size(); ++i) {
    const SpeciesFigures& s = r.species[i];
    j += i > 0 ? ", {\"species\": " : "{\"species\": ";
    detail::json_text(j, s.species);
    rate("apcer", s.apcer);
    rate("apnrr", s.apnrr);
    number("auc", s.auc);
    number("eer", s.eer);
    j += '}';
  }
  j += "], \"worst_species\": ";
  detail::json_text(j, r.worst_species);
  rate("apcer", r.apcer);
  rate("far", r.far);
  rate("bpcer", r.bpcer);
  rate("apnrr", r.apnrr);
  rate("bpnrr", r.bpnrr);
  number("acer", r.acer);
  number("hter", r.hter);
  return j + '}';
}

/// A comparison as one line of JSON.
[[nodiscard]] inline std::string to_json(const Comparison& c) {
  std::string j = "{\"presentations\": " + std::to_string(c.presentations);
  const auto count = [&j](const char* key, std::int64_t value) {
    j.append(", \"").append(key).append("\": ").append(std::to_string(value));
  };
  const auto number = [&j](const char* key, double value) {
    j.append(", \"").append(key).append("\": ");
    detail::json_number(j, value);
  };
  count("only_a_right", c.only_a_right);
  count("only_b_right", c.only_b_right);
  number("mcnemar", c.mcnemar);
  count("paired", c.paired);
  count("clusters", c.clusters);
  number("auc_a", c.auc_a);
  number("auc_b", c.auc_b);
  number("difference", c.difference);
  number("low", c.interval.low);
  number("high", c.interval.high);
  return j + '}';
}

}  // namespace liveness
