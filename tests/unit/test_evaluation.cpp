#include "liveness/evaluation.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "evaluation_tables.hpp"
#include "refusal.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

Presentation make(double score, std::string species = "", std::string subject = "", std::string clip = "") {
  return {score, std::move(species), std::move(subject), std::move(clip)};
}

std::vector<Presentation> both(const std::vector<double>& bona_fide, const std::vector<double>& attacks) {
  std::vector<Presentation> all;
  for (const double s : bona_fide) all.push_back(make(s));
  for (const double s : attacks) all.push_back(make(s, "print"));
  return all;
}

}  // namespace

TEST_CASE("the incomplete beta function is SciPy's, and its inverse inverts it") {
  for (const Beta& t : kBeta) {
    CAPTURE(t.a, t.b, t.x);
    CHECK(detail::incomplete_beta(t.a, t.b, t.x) == Approx(t.value).epsilon(1e-10).margin(1e-14));
    for (const double p : {1e-9, 0.025, 0.5, 0.9}) {
      const double x = detail::incomplete_beta_inverse(t.a, t.b, p);
      CHECK(detail::incomplete_beta(t.a, t.b, x) == Approx(p).epsilon(1e-8));
    }
  }
}

TEST_CASE("exact intervals are SciPy's") {
  for (const Exact& t : kExact) {
    CAPTURE(t.errors, t.n, t.confidence);
    const Interval i = clopper_pearson(t.errors, t.n, t.confidence);
    CHECK(i.low == Approx(t.low).epsilon(1e-9).margin(1e-13));
    CHECK(i.high == Approx(t.high).epsilon(1e-9));
  }
}

TEST_CASE("exact intervals are those published by Newcombe (1998), table I, method 5") {
  struct Published {
    std::int64_t errors, n;
    double low, high;
  };
  for (const Published& t : {Published{81, 263, 0.2527, 0.3676}, Published{15, 148, 0.0578, 0.1617},
                             Published{0, 20, 0, 0.1684}, Published{1, 29, 0.0009, 0.1776}}) {
    const Interval i = clopper_pearson(t.errors, t.n);
    CHECK(i.low == Approx(t.low).margin(5e-5));
    CHECK(i.high == Approx(t.high).margin(5e-5));
  }
}

TEST_CASE("no error in n: the two-sided and the one-sided bound") {
  CHECK(clopper_pearson(0, 20).high == Approx(1 - std::pow(0.025, 1.0 / 20)).epsilon(1e-12));
  CHECK(clopper_pearson(0, 20).high == Approx(0.168433).margin(1e-6));
  CHECK(clopper_pearson(0, 20, 0.90).high == Approx(0.139108).margin(1e-6));  // one-sided 95 %
  for (const double rate : {0.01, 0.05, 0.168433, 0.3}) {
    const auto n = samples_needed(rate);
    CHECK(clopper_pearson(0, n).high <= rate + 1e-9);
    CHECK(clopper_pearson(0, n - 1).high > rate);
  }
  CHECK(samples_needed(0.01) == 368);
  CHECK(clopper_pearson(0, 0).high == 1);
}

TEST_CASE("McNemar's exact test and Kolmogorov's distribution are SciPy's") {
  for (const Mcnemar& t : kMcnemar) CHECK(mcnemar(t.b, t.c) == Approx(t.p).epsilon(1e-10));
  CHECK(mcnemar(0, 0) == 1);
  for (const Kolmogorov& t : kKolmogorov) CHECK(detail::kolmogorov_survival(t.x) == Approx(t.p).epsilon(1e-9));
}

TEST_CASE("AUC, EER and BPCER at APCER are scikit-learn's") {
  for (const Curve& t : kCurves) {
    const Evaluation e(both(*t.bona_fide, *t.attacks));
    CHECK(e.auc() == Approx(t.auc).epsilon(1e-12));
    CHECK(e.eer().rate == Approx(t.eer).epsilon(1e-9).margin(1e-12));
    const auto report = e.report();
    REQUIRE(report.at_apcer.size() == 4);
    const double want[] = {t.at1, t.at5, t.at7, t.at10};
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(report.at_apcer[i].bpcer.value == Approx(want[i]).epsilon(1e-12).margin(1e-12));
      CHECK(report.at_apcer[i].apcer.value <= report.at_apcer[i].target);
    }
  }
}

TEST_CASE("APCER is counted per species and its maximum decides, not the pool") {
  // At 0.5: print 1 of 4, mask 2 of 2; pooled 3 of 6.
  const std::vector<Presentation> all = {make(0.9),          make(0.8),          make(0.4),          make(0.7),
                                         make(0.1, "print"), make(0.2, "print"), make(0.3, "print"), make(0.6, "print"),
                                         make(0.6, "mask"),  make(0.95, "mask")};
  EvaluationOptions options;
  options.live = 0.5;
  const auto r = Evaluation(all).report(options);
  CHECK(r.worst_species == "mask");
  CHECK(r.apcer.value == 1);
  CHECK(r.apcer.total == 2);
  CHECK(r.far.value == 0.5);
  CHECK(r.bpcer.value == 0.25);
  CHECK(r.acer == Approx((1 + 0.25) / 2));
  CHECK(r.hter == Approx((0.5 + 0.25) / 2));
  REQUIRE(r.species.size() == 2);
  CHECK(r.species[0].species == "mask");
  CHECK(r.species[1].apcer.errors == 1);
  CHECK_FALSE(r.threshold_from_eer);
  // 10 % of no species: all masks must be kept out, which costs every bona fide one.
  CHECK(r.at_apcer.back().bpcer.value == 1);
  CHECK_FALSE(r.at_apcer.back().shown);
}

TEST_CASE("what gets no response is in the non-response rates alone") {
  const std::vector<Presentation> all = {make(2),
                                         make(0.5),
                                         make(-2),
                                         make(kNone),
                                         make(3, "print"),
                                         make(-3, "print"),
                                         make(kNone, "print"),
                                         make(0, "print"),
                                         make(kNone, "mask")};
  EvaluationOptions options;
  options.live = 1;
  options.spoof = -1;
  const auto r = Evaluation(all).report(options);
  CHECK((r.bona_fide == 4 && r.attacks == 5));
  CHECK((r.bpcer.errors == 1 && r.bpcer.total == 2));
  CHECK((r.bpnrr.errors == 2 && r.bpnrr.total == 4));
  CHECK((r.far.errors == 1 && r.far.total == 2));
  CHECK((r.apnrr.errors == 3 && r.apnrr.total == 5));
  CHECK(r.worst_species == "print");
  CHECK(std::isnan(r.species[0].apcer.value));
  CHECK(r.species[0].apnrr.value == 1);
  CHECK(r.at_apcer[0].apcer.total == 3);  // a species that never got a response has no APCER
}

TEST_CASE("clips and subjects count once, with the mean of what they scored") {
  const std::vector<Presentation> all = {make(1, "", "ann", "a1"),       make(3, "", "ann", "a1"),
                                         make(kNone, "", "ann", "a2"),   make(5, "", "bob", ""),
                                         make(-1, "print", "ann", "p1"), make(kNone, "print", "ann", "p1")};
  const auto clips = aggregate(all, EvaluationUnit::kClip);
  REQUIRE(clips.size() == 4);
  CHECK(clips[0].score == 2);
  CHECK_FALSE(clips[1].responded());
  CHECK(clips[2].score == 5);
  CHECK(clips[3].score == -1);
  const auto subjects = aggregate(all, EvaluationUnit::kSubject);
  REQUIRE(subjects.size() == 3);
  CHECK((subjects[0].score == 2 && subjects[0].clip.empty()));
  CHECK((subjects[2].species == "print" && subjects[2].score == -1));
  CHECK(aggregate(all, EvaluationUnit::kPicture).size() == 6);
}

TEST_CASE("one kind alone has what can be said of it, and a refusal for the rest") {
  const Evaluation only(both({1, 2, 3, 4}, {}));
  EvaluationOptions options;
  options.live = 2;
  const auto r = only.report(options);
  CHECK(r.bpcer.value == 0.25);
  CHECK(std::isnan(r.auc));
  CHECK(std::isnan(r.acer));
  CHECK(r.at_apcer.empty());
  CHECK(only.threshold_at_bpcer(0.25) == 2);
  CHECK(only.threshold_at_bpcer(0) == 1);
  CHECK(test::refusal(Status::kInvalidState, [&] { static_cast<void>(only.at_apcer(0.1)); }).find("4 and 0") !=
        std::string::npos);
  CHECK(std::isnan(only.report().live));
  CHECK(test::refusal(Status::kInvalidArgument, [&] {
          static_cast<void>(Evaluation(both({HUGE_VAL}, {})));
        }).find("infinite") != std::string::npos);
}

TEST_CASE("the equal threshold lies in the middle of the gap") {
  const Evaluation apart(both({4, 5, 6}, {-2, -1, 0}));
  CHECK(apart.threshold_at_equal() == 2);
  CHECK(apart.eer().rate == 0);
  CHECK(apart.det().front().bpcer == 0);
  CHECK(apart.det().back().bpcer == 1);
  CHECK(apart.det(3).size() == 3);
  const Evaluation mixed(both({0, 4, 5, 6}, {-2, -1, 1, -3}));
  const double t = mixed.threshold_at_equal();
  CHECK((t > 0 && t <= 1));  // one of four each
}

TEST_CASE("a comparison says which system is right more often, and repeats with its seed") {
  std::vector<Presentation> a;
  std::vector<Presentation> b;
  detail::Random random(3);
  for (int i = 0; i < 200; ++i) {
    const std::string species = i % 2 == 0 ? "" : "print";
    const double truth = i % 2 == 0 ? 1 : -1;
    const auto noise = [&](double size) { return (static_cast<double>(random.below(2001)) / 1000 - 1) * size; };
    a.push_back(make(truth + noise(3), species, "", "clip" + std::to_string(i / 4)));
    b.push_back(make(truth + noise(1.2), species, "", "clip" + std::to_string(i / 4)));
  }
  const auto c = compare(a, b);
  CHECK(c.only_b_right > c.only_a_right);
  CHECK(c.mcnemar < 0.001);
  CHECK(c.difference == Approx(Evaluation(b).auc() - Evaluation(a).auc()));
  CHECK((c.interval.low < c.difference && c.difference < c.interval.high && c.interval.low > 0));
  CHECK(c.clusters == 100);
  CHECK(compare(a, b).interval.low == c.interval.low);
  ComparisonOptions other;
  other.seed = 2;
  CHECK(compare(a, b, other).interval.low != c.interval.low);
  const auto same = compare(a, a);
  CHECK((same.mcnemar == 1 && same.interval.low == 0 && same.interval.high == 0));

  a[0].score = kNone;  // bona fide without a response: wrong, and not in the pairs of scores
  CHECK(compare(a, b).paired == 199);
  b[0].species = "mask";
  CHECK(test::refusal(Status::kInvalidArgument, [&] { static_cast<void>(compare(a, b)); }).find("presentation 0") !=
        std::string::npos);
  b.pop_back();
  CHECK(test::refusal(Status::kInvalidArgument, [&] {
          static_cast<void>(compare(a, b));
        }).find("200 presentations against 199") != std::string::npos);
}

TEST_CASE("reports are JSON that says null where nothing is known") {
  const auto j = nlohmann::json::parse(to_json(Evaluation(both({1, 2}, {0})).report()));
  CHECK(j["auc"] == 1);
  CHECK(j["threshold_from_eer"] == true);
  CHECK(j["species"][0]["species"] == "print");
  CHECK(j["at_apcer"].size() == 4);
  std::vector<Presentation> odd = {make(1)};
  odd.push_back(make(kNone, "a \"quoted\"\nspecies"));
  const auto k = nlohmann::json::parse(to_json(Evaluation(odd).report()));
  CHECK(k["auc"].is_null());
  CHECK(k["apcer"]["rate"].is_null());
  CHECK(k["species"][0]["species"] == "a \"quoted\"\nspecies");
  CHECK(nlohmann::json::parse(to_json(compare(odd, odd)))["auc_a"].is_null());
}
