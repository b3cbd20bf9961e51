#include "pipeline/calibration_fit.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

namespace liveness {
namespace {

constexpr double kLeastSlope = 1e-3;  // below it scores would collapse into one
using Vector = std::array<double, 3>;

// ln(1 + e^x) without overflow.
double softplus(double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

// Every method is a logistic regression; these are its features.
Vector features(CalibrationMethod method, double logit) {
  const double x = std::clamp(logit, -static_cast<double>(kMaxLogit), static_cast<double>(kMaxLogit));
  switch (method) {
    case CalibrationMethod::kTemperature: return {x, 0, 0};
    case CalibrationMethod::kPlatt: return {x, 1, 0};
    case CalibrationMethod::kBeta: return {-softplus(-x), softplus(x), 1};
    default: return {};
  }
}

std::size_t slopes(CalibrationMethod method) {
  return method == CalibrationMethod::kBeta ? 2 : 1;
}

double loss_at(double odds, double target) {
  return softplus(odds) - target * odds;
}

// Solves a x = b for the first n unknowns that are free; the others stay 0. `a` is symmetric and positive definite.
Vector solve(std::array<Vector, 3> a, Vector b, const std::array<bool, 3>& free, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    if (!free[i]) continue;
    for (std::size_t j = i + 1; j < n; ++j) {
      if (!free[j]) continue;
      const double factor = a[j][i] / a[i][i];
      for (std::size_t k = i; k < n; ++k) a[j][k] -= factor * a[i][k];
      b[j] -= factor * b[i];
    }
  }
  Vector x{};
  for (std::size_t i = n; i-- > 0;) {
    if (!free[i]) continue;
    double sum = b[i];
    for (std::size_t k = i + 1; k < n; ++k) sum -= a[i][k] * x[k];
    x[i] = sum / a[i][i];
  }
  return x;
}

std::string percent(double share) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), share * 100, std::chars_format::general, 3);
  return std::string(text.data(), end.ptr) + " %";
}

std::string describe(const ErrorTarget& target) {
  switch (target.kind) {
    case ErrorTarget::Kind::kEqual: return "APCER of the worst species = BPCER";
    case ErrorTarget::Kind::kApcer: return "APCER <= " + percent(target.rate);
    default: return "BPCER <= " + percent(target.rate);
  }
}

double threshold_for(const ErrorTarget& target, const Evaluation& evaluation) {
  switch (target.kind) {
    case ErrorTarget::Kind::kEqual: return evaluation.threshold_at_equal();
    case ErrorTarget::Kind::kApcer: return evaluation.at_apcer(target.rate).threshold;
    default: return evaluation.threshold_at_bpcer(target.rate);
  }
}

void check(const CalibrationOptions& options) {
  const auto refuse = [](const std::string& what) { throw Error(Status::kInvalidArgument, what); };
  if (options.method && static_cast<int>(*options.method) >= kCalibrationMethodCount)
    refuse("method: there is none such");
  if (options.folds < 2 || options.folds > 100)
    refuse("folds: expected 2 to 100, got " + std::to_string(options.folds));
  if (!(options.confidence > 0 && options.confidence < 1)) refuse("confidence: expected more than 0 and less than 1");
  if (!options.targets.contains("balanced")) refuse("targets: 'balanced' is missing");
  for (const auto& [name, target] : options.targets) {
    if (name.empty()) refuse("targets: a profile without a name");
    const bool rated = target.kind == ErrorTarget::Kind::kEqual || (target.rate > 0 && target.rate < 1);
    if (static_cast<int>(target.kind) > static_cast<int>(ErrorTarget::Kind::kBpcer) || !rated)
      refuse("targets." + name + ": expected a rate above 0 and below 1");
  }
}

// Presentations with a score, and which of them are held out together.
struct Data {
  std::vector<Presentation> all;
  std::vector<std::size_t> group;  // of presentation i
  std::size_t groups = 0;

  void number_groups(bool named) {
    std::map<std::string, std::size_t> known;
    group.clear();
    groups = 0;
    for (const Presentation& p : all) {
      const std::string key = !named ? "" : !p.subject.empty() ? "s" + p.subject : !p.clip.empty() ? "c" + p.clip : "";
      const std::size_t at = key.empty() ? groups : known.try_emplace(key, groups).first->second;
      groups = std::max(groups, at + 1);
      group.push_back(at);
    }
  }

  // Fold of each group, so that both kinds are spread evenly. Fewer than 2 folds: nothing can be held out.
  std::vector<std::size_t> deal(int wanted, std::uint64_t seed, std::size_t& folds) const {
    std::vector<std::array<bool, 2>> has(groups);
    for (std::size_t i = 0; i < all.size(); ++i) has[group[i]][all[i].bona_fide() ? 0 : 1] = true;
    std::vector<std::size_t> order(groups);
    std::iota(order.begin(), order.end(), std::size_t{0});
    detail::Random random(seed);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    std::array<std::size_t, 2> with{};
    std::size_t with_both = 0;
    for (const auto& h : has) {
      with[0] += h[0] ? 1 : 0;
      with[1] += h[1] ? 1 : 0;
      with_both += h[0] && h[1] ? 1 : 0;
    }
    folds = std::min({static_cast<std::size_t>(wanted), with[0], with[1]});
    std::vector<std::size_t> fold(groups, 0);
    if (folds < 2) return fold;
    std::size_t both = 0;
    std::array<std::size_t, 2> alone{with_both, with_both};  // go on where those with both kinds end
    for (const std::size_t g : order) fold[g] = (has[g][0] && has[g][1] ? both++ : alone[has[g][0] ? 0 : 1]++) % folds;
    return fold;
  }
};

// Both classes weigh the same. With `smooth`, targets keep away from 0 and 1 (Platt 1999), so that separable samples
// give finite parameters.
std::vector<FitSample> fit_samples(std::span<const Presentation> from, bool smooth) {
  double bona_fide = 0;
  for (const Presentation& p : from) bona_fide += p.bona_fide() ? 1 : 0;
  const double attacks = static_cast<double>(from.size()) - bona_fide;
  std::vector<FitSample> all;
  for (const Presentation& p : from) {
    if (p.bona_fide())
      all.push_back({p.score, smooth ? (bona_fide + 1) / (bona_fide + 2) : 1, 0.5 / bona_fide});
    else
      all.push_back({p.score, smooth ? 1 / (attacks + 2) : 0, 0.5 / attacks});
  }
  return all;
}

std::vector<Presentation> apply(CalibrationMethod method, std::span<const double> parameters,
                                std::span<const Presentation> to) {
  std::vector<Presentation> out(to.begin(), to.end());
  // Through float, as a predictor does it, so that a threshold at a score holds for that score.
  for (Presentation& p : out)
    p.score = static_cast<double>(static_cast<float>(calibrated(method, parameters, p.score)));
  return out;
}

}  // namespace

std::vector<double> fit_parameters(CalibrationMethod method, std::span<const FitSample> samples) {
  const std::size_t n = parameter_count(method);
  const auto objective = [&](const Vector& w) {
    double sum = 0;
    for (const FitSample& s : samples) {
      const Vector f = features(method, s.logit);
      sum += s.weight * loss_at(w[0] * f[0] + w[1] * f[1] + w[2] * f[2], s.target);
    }
    return sum;
  };
  if (n == 0) return {};
  Vector w{};
  for (std::size_t i = 0; i < slopes(method); ++i) w[i] = 1;
  double best = objective(w);
  // Newton's method; a slope at its bound that wants to go below it is held there.
  for (int round = 0; round < 100; ++round) {
    Vector gradient{};
    std::array<Vector, 3> hessian{};
    for (const FitSample& s : samples) {
      const Vector f = features(method, s.logit);
      const double p = 1 / (1 + std::exp(-(w[0] * f[0] + w[1] * f[1] + w[2] * f[2])));
      for (std::size_t i = 0; i < n; ++i) {
        gradient[i] += s.weight * (p - s.target) * f[i];
        for (std::size_t j = 0; j < n; ++j) hessian[i][j] += s.weight * p * (1 - p) * f[i] * f[j];
      }
    }
    std::array<bool, 3> free{};
    double steepest = 0;
    for (std::size_t i = 0; i < n; ++i) {
      free[i] = !(i < slopes(method) && w[i] <= kLeastSlope && gradient[i] > 0);
      if (free[i]) steepest = std::max(steepest, std::fabs(gradient[i]));
      hessian[i][i] += 1e-12 + 1e-9 * hessian[i][i];  // features may all but coincide
    }
    if (steepest < 1e-12) break;
    const Vector step = solve(hessian, gradient, free, n);
    double length = 1;
    bool better = false;
    for (int halving = 0; halving < 40 && !better; ++halving, length /= 2) {
      Vector next = w;
      for (std::size_t i = 0; i < n; ++i) {
        next[i] -= length * step[i];
        if (i < slopes(method)) next[i] = std::max(next[i], kLeastSlope);
      }
      const double value = objective(next);
      if (value < best) {
        w = next;
        best = value;
        better = true;
      }
    }
    if (!better) break;
  }
  if (method == CalibrationMethod::kTemperature) return {1 / w[0]};
  return {w.begin(), w.begin() + static_cast<std::ptrdiff_t>(n)};
}

double cross_entropy(CalibrationMethod method, std::span<const double> parameters, std::span<const FitSample> samples) {
  double sum = 0;
  for (const FitSample& s : samples) sum += s.weight * loss_at(calibrated(method, parameters, s.logit), s.target);
  return sum;
}

Calibration fit_calibration(std::span<const Presentation> presentations, const CalibrationOptions& options) {
  check(options);
  Data data;
  Calibration c;
  for (const Presentation& p : presentations) {
    if (std::isinf(p.score)) throw Error(Status::kInvalidArgument, "score: infinite; NaN means no response");
    if (!p.responded()) continue;
    data.all.push_back(p);
    ++(p.bona_fide() ? c.bona_fide : c.attacks[p.species]);
  }
  if (c.bona_fide == 0)
    throw Error(Status::kInvalidState, "no bona fide presentation has a score: nothing can be calibrated");
  data.number_groups(true);
  c.groups = static_cast<std::int64_t>(data.groups);
  const auto shortage = [&](const std::string& profile, const std::string& what, double rate, std::int64_t n) {
    const std::int64_t needed = samples_needed(rate, options.confidence);
    if (n >= needed) return;
    c.notes.push_back(profile + ": " + what + " <= " + percent(rate) + " cannot be shown with " + std::to_string(n) +
                      " presentations: even without an error the upper end of the exact two-sided " +
                      percent(options.confidence) + " interval is " +
                      percent(clopper_pearson(0, n, options.confidence).high) + "; it takes " + std::to_string(needed) +
                      ".");
  };
  const auto add_profile = [&](const std::string& name, const ErrorTarget& target, double threshold,
                               const std::string& more) {
    const float live = to_score(static_cast<float>(threshold));
    c.profiles[name] = {live, live, describe(target) + more};
  };

  if (c.attacks.empty()) {
    const Evaluation evaluation(data.all);
    for (const auto& [name, wanted] : options.targets) {
      ErrorTarget target = wanted;
      if (target.kind != ErrorTarget::Kind::kBpcer) {
        if (name != "balanced") {
          c.notes.push_back(name + ": " + describe(target) + " needs attacks; the profile is left out.");
          continue;
        }
        target = {ErrorTarget::Kind::kBpcer, 0.05};
      }
      add_profile(name, target, threshold_for(target, evaluation), ", a floor: no attack was shown");
      shortage(name, "BPCER", target.rate, c.bona_fide);
    }
    c.notes.push_back(
        "No attack was shown. The thresholds are floors taken from bona fide scores alone: they say how many bona fide "
        "presentations are turned away, and nothing about how many attacks pass.");
    return c;
  }

  std::size_t folds = 0;
  auto fold = data.deal(options.folds, options.seed, folds);
  if (folds < 2) {
    data.number_groups(false);
    fold = data.deal(options.folds, options.seed, folds);
    c.notes.push_back(
        "Bona fide presentations or attacks come from one subject or clip only: nothing is known of others, and what "
        "is "
        "called held out is too good.");
  }
  std::vector<std::vector<Presentation>> train(folds < 2 ? 0 : folds);
  std::vector<std::vector<std::size_t>> test(train.size());
  for (std::size_t i = 0; i < data.all.size(); ++i)
    for (std::size_t f = 0; f < train.size(); ++f) {
      if (fold[data.group[i]] == f)
        test[f].push_back(i);
      else
        train[f].push_back(data.all[i]);
    }

  // The method that explains best what it has not seen.
  const auto exact = fit_samples(data.all, false);
  double least = HUGE_VAL;
  for (int i = 0; i < kCalibrationMethodCount && !train.empty(); ++i) {
    const auto method = static_cast<CalibrationMethod>(i);
    double loss = 0;
    for (std::size_t f = 0; f < train.size(); ++f) {
      const auto parameters = fit_parameters(method, fit_samples(train[f], true));
      for (const std::size_t at : test[f]) loss += cross_entropy(method, parameters, std::span(&exact[at], 1));
    }
    c.losses[std::string(to_string(method))] = loss;
    if (loss < least - 1e-9) {  // of equals the one with fewer parameters
      least = loss;
      c.method = method;
    }
  }
  if (options.method) c.method = *options.method;
  if (train.empty())
    c.notes.push_back("There are too few presentations to hold any out: the method was not chosen by its merit.");
  c.parameters = fit_parameters(c.method, fit_samples(data.all, true));

  const Evaluation evaluation(apply(c.method, c.parameters, data.all));
  for (const auto& [name, target] : options.targets) {
    add_profile(name, target, threshold_for(target, evaluation), "");
    // Parameters and threshold from the other folds, errors from this one.
    std::map<std::string, Calibration::HeldOut> by_species;
    Calibration::HeldOut h;
    for (std::size_t f = 0; f < train.size(); ++f) {
      const auto parameters = fit_parameters(c.method, fit_samples(train[f], true));
      const double threshold = threshold_for(target, Evaluation(apply(c.method, parameters, train[f])));
      for (const std::size_t at : test[f]) {
        const Presentation& p = data.all[at];
        const bool live = apply(c.method, parameters, std::span(&p, 1)).front().score >= threshold;
        if (p.bona_fide()) {
          ++h.bpcer_total;
          h.bpcer_errors += live ? 0 : 1;
        } else {
          ++by_species[p.species].apcer_total;
          by_species[p.species].apcer_errors += live ? 1 : 0;
        }
      }
    }
    double worst = -1;
    for (const auto& [species, counts] : by_species) {
      const double share = static_cast<double>(counts.apcer_errors) / static_cast<double>(counts.apcer_total);
      if (share <= worst) continue;
      worst = share;
      h.species = species;
      h.apcer_errors = counts.apcer_errors;
      h.apcer_total = counts.apcer_total;
    }
    if (h.bpcer_total > 0) c.held_out[name] = h;
    if (target.kind == ErrorTarget::Kind::kApcer)
      for (const auto& [species, n] : c.attacks) shortage(name, "APCER of '" + species + "'", target.rate, n);
    if (target.kind == ErrorTarget::Kind::kBpcer) shortage(name, "BPCER", target.rate, c.bona_fide);
  }
  std::string shown;
  for (const auto& [species, n] : c.attacks) shown += (shown.empty() ? "" : ", ") + species;
  c.notes.push_back("Of attacks other than those shown (" + shown + ") nothing is known.");
  if (data.all.size() > static_cast<std::size_t>(c.groups))
    c.notes.push_back(std::to_string(data.all.size()) + " presentations come from " + std::to_string(c.groups) +
                      " subjects or clips: those of one are alike, so that intervals by presentation are too narrow.");
  return c;
}

}  // namespace liveness
