#include "eval_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "score_file.hpp"

namespace liveness::cli {
namespace {

// Inverse of the normal distribution, by Acklam's rational approximation (error below 1.2e-9): for axes.
double probit(double p) {
  constexpr std::array a = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                            1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr std::array b = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                            6.680131188771972e+01, -1.328068155288572e+01};
  constexpr std::array c = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                            -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  constexpr std::array d = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00};
  if (p > 0.5) return -probit(1 - p);
  if (p < 0.02425) {
    const double q = std::sqrt(-2 * std::log(p));
    return (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
           ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
  }
  const double q = p - 0.5;
  const double r = q * q;
  return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
         (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

std::string figure(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:.4f}", value);
}

// A threshold as its reader would set it.
std::string threshold_text(double threshold, bool log_odds) {
  return log_odds ? fmt::format("P(live) {:.4f}", 1 / (1 + std::exp(-threshold)))
                  : fmt::format("score {:.4g}", threshold);
}

std::string escaped(const std::string& text) {
  std::string all;
  for (const char c : text) switch (c) {
      case '<': all += "&lt;"; break;
      case '>': all += "&gt;"; break;
      case '&': all += "&amp;"; break;
      case '"': all += "&quot;"; break;
      default: all += c;
    }
  return all;
}

std::string plural(EvaluationUnit unit) {
  return std::string(to_string(unit)) + "s";
}

// Told apart by those who see colours differently too (Okabe and Ito).
constexpr std::array kColors = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d00", "#7f7f7f"};
const char* color(std::size_t i) {
  return kColors[std::min(i, kColors.size() - 1)];
}

struct Frame {
  static constexpr double kWidth = 560, kHeight = 400, kLeft = 60, kTop = 16, kRight = 16, kBottom = 48;
  double x0, x1, y0, y1;  // ranges of the axes
  [[nodiscard]] double x(double v) const { return kLeft + (v - x0) / (x1 - x0) * (kWidth - kLeft - kRight); }
  [[nodiscard]] double y(double v) const {
    return kHeight - kBottom - (v - y0) / (y1 - y0) * (kHeight - kTop - kBottom);
  }
};

std::string open_svg(const std::string& label) {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", Frame::kWidth, Frame::kHeight,
                     escaped(label));
}

std::string tick(const Frame& f, bool across, double at, const std::string& text) {
  if (across)
    return fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/><text x=\"{0:.1f}\" y=\"{3}\" "
        "text-anchor=\"middle\">{4}</text>\n",
        f.x(at), Frame::kTop, Frame::kHeight - Frame::kBottom, Frame::kHeight - Frame::kBottom + 16, text);
  return fmt::format(
      "<line class=\"grid\" x1=\"{1}\" x2=\"{2}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\"/><text x=\"{3}\" y=\"{4:.1f}\" "
      "text-anchor=\"end\">{5}</text>\n",
      f.y(at), Frame::kLeft, Frame::kWidth - Frame::kRight, Frame::kLeft - 6, f.y(at) + 4, text);
}

std::string axis_titles(const std::string& across, const std::string& up) {
  return fmt::format(
      "<text class=\"title\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text><text class=\"title\" x=\"14\" y=\"{}\" "
      "text-anchor=\"middle\" transform=\"rotate(-90 14 {})\">{}</text>\n",
      (Frame::kLeft + Frame::kWidth) / 2, Frame::kHeight - 10, escaped(across), Frame::kHeight / 2, Frame::kHeight / 2,
      escaped(up));
}

std::string legend(const std::vector<std::string>& names) {
  std::string all = "<p class=\"legend\">";
  for (std::size_t i = 0; i < names.size(); ++i)
    all += fmt::format("<span><i style=\"background:{}\"></i>{}</span> ", color(i), escaped(names[i]));
  return all + "</p>\n";
}

std::string det_plot(const UnitReport& unit) {
  constexpr std::array ticks = {0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95, 0.99};
  const double low = probit(0.0005);
  const double high = probit(0.995);
  const Frame f{low, high, low, high};
  const auto at = [&](double rate) { return rate <= 0.0005 ? low : rate >= 0.995 ? high : probit(rate); };
  std::string svg = open_svg("DET curve");
  for (const double t : ticks) {
    const std::string text = fmt::format("{:g}", t * 100);
    svg += tick(f, true, probit(t), text) + tick(f, false, probit(t), text);
  }
  std::vector<std::string> names = {"worst species"};
  std::vector<std::vector<DetPoint>> curves = {Evaluation(unit.presentations).det(400)};
  for (const auto& species : unit.report.species) {
    if (unit.report.species.size() < 2) break;
    std::vector<Presentation> part;
    for (const auto& p : unit.presentations)
      if (p.bona_fide() || p.species == species.species) part.push_back(p);
    names.push_back(species.species);
    curves.push_back(Evaluation(part).det(400));
  }
  for (std::size_t i = curves.size(); i-- > 0;) {
    std::string path;
    for (const DetPoint& p : curves[i])
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", f.x(at(p.apcer)), f.y(at(p.bpcer)));
    svg += fmt::format("<path d=\"{}\" stroke=\"{}\" class=\"{}\"/>\n", path, color(i), i == 0 ? "main" : "curve");
  }
  return svg + axis_titles("APCER, %", "BPCER, %") + "</svg>\n" + legend(names);
}

std::string score_plot(const UnitReport& unit) {
  constexpr int kBins = 50;
  const Evaluation e(unit.presentations);
  double low = HUGE_VAL;
  double high = -HUGE_VAL;
  for (const auto* list : {&e.bona_fide(), &e.attacks()})
    if (!list->empty()) {
      low = std::min(low, list->front());
      high = std::max(high, list->back());
    }
  if (!(low <= high)) return "<p>No scores.</p>\n";
  if (high - low < 1e-9) {
    low -= 0.5;
    high += 0.5;
  }
  std::vector<std::string> names = {"bona fide"};
  std::vector<std::vector<double>> shares;
  const auto bins = [&](const std::vector<double>& list) {
    std::vector<double> n(kBins, 0);
    for (const double s : list)
      n[static_cast<std::size_t>(std::clamp(static_cast<int>((s - low) / (high - low) * kBins), 0, kBins - 1))] +=
          1 / static_cast<double>(list.size());
    return n;
  };
  shares.push_back(bins(e.bona_fide()));
  for (const auto& species : unit.report.species) {
    names.push_back(species.species);
    shares.push_back(bins(e.attacks(species.species)));
  }
  double top = 0;
  for (const auto& s : shares) top = std::max(top, *std::max_element(s.begin(), s.end()));
  const Frame f{low, high, 0, std::max(top, 0.01)};
  std::string svg = open_svg("Distribution of scores");
  for (int i = 0; i <= 5; ++i) {
    const double x = low + (high - low) * i / 5;
    svg +=
        tick(f, true, x, fmt::format("{:.3g}", x)) + tick(f, false, f.y1 * i / 5, fmt::format("{:.3g}", f.y1 * i * 20));
  }
  for (std::size_t i = 0; i < shares.size(); ++i) {
    std::string path = fmt::format("M{:.1f} {:.1f}", f.x(low), f.y(0));
    for (int b = 0; b < kBins; ++b) {
      const double y = f.y(shares[i][static_cast<std::size_t>(b)]);
      path += fmt::format("L{:.1f} {:.1f}L{:.1f} {:.1f}", f.x(low + (high - low) * b / kBins), y,
                          f.x(low + (high - low) * (b + 1) / kBins), y);
    }
    path += fmt::format("L{:.1f} {:.1f}", f.x(high), f.y(0));
    svg += fmt::format("<path d=\"{0}\" stroke=\"{1}\" fill=\"{1}\" class=\"area\"/>\n", path, color(i));
  }
  for (const double t : {unit.report.live, unit.report.spoof})
    if (t >= low && t <= high)
      svg += fmt::format("<line class=\"threshold\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>\n", f.x(t),
                         Frame::kTop, Frame::kHeight - Frame::kBottom);
  return svg + axis_titles("score (threshold dashed)", "share of the presentations, %") + "</svg>\n" + legend(names);
}

std::string unit_table(const UnitReport& unit, bool log_odds) {
  const EvaluationReport& r = unit.report;
  std::string html = "<table><tr><th>species</th><th>APCER</th><th>APNRR</th><th>AUC</th><th>EER</th></tr>\n";
  for (const auto& s : r.species)
    html += fmt::format("<tr{}><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        s.species == r.worst_species ? " class=\"worst\"" : "", escaped(s.species), rate_text(s.apcer),
                        rate_text(s.apnrr), figure(s.auc), percent(s.eer));
  html += fmt::format(
      "<tr><td>all attacks</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr></table>\n"
      "<table><tr><th></th><th></th></tr><tr><td>APCER, worst "
      "species</td><td>{}</td></tr><tr><td>BPCER</td><td>{}</td></tr>"
      "<tr><td>BPNRR</td><td>{}</td></tr><tr><td>ACER</td><td>{}</td></tr><tr><td>HTER</td><td>{}</td></tr>\n",
      rate_text(r.far), rate_text(r.apnrr), figure(r.auc), percent(r.eer.rate), rate_text(r.apcer), rate_text(r.bpcer),
      rate_text(r.bpnrr), percent(r.acer), percent(r.hter));
  for (const auto& p : r.at_apcer)
    html +=
        fmt::format("<tr><td>BPCER at APCER {}{}</td><td>{}, {}</td></tr>\n", percent(p.target),
                    p.shown ? "" : " (not shown by so few)", rate_text(p.bpcer), threshold_text(p.threshold, log_odds));
  return html + "</table>\n";
}

std::string drift_line(const Drift& d) {
  const char* said = d.drifted ? "DRIFTED" : d.count < static_cast<std::int64_t>(kLeastForDrift) ? "too few" : "same";
  return fmt::format("{:<12} {:<8} median {:.4g} then, {:.4g} now; distance {:.3f}, chance {:.2g}, {} values", d.name,
                     said, d.median_then, d.median_now, d.distance, d.chance, d.count);
}

}  // namespace

std::string percent(double share) {
  return std::isnan(share) ? "-" : fmt::format("{:.1f} %", share * 100);
}

std::string rate_text(const Rate& r) {
  if (std::isnan(r.value)) return "-";
  return fmt::format("{:.1f} % [{:.1f} - {:.1f} %] {} of {}", r.value * 100, r.interval.low * 100,
                     r.interval.high * 100, r.errors, r.total);
}

std::string to_text(const EvalDocument& document) {
  std::string text = fmt::format("{}, {}\n", document.origin, document.threshold);
  for (const UnitReport& unit : document.units) {
    const EvaluationReport& r = unit.report;
    text += fmt::format("\nper {}: {} bona fide, {} attacks; intervals {:g} %, exact, two-sided\n",
                        to_string(unit.unit), r.bona_fide, r.attacks, r.confidence * 100);
    for (const auto& s : r.species)
      text += fmt::format("  APCER {:<16} {:<36} APNRR {:<8} AUC {:<7} EER {}\n", s.species, rate_text(s.apcer),
                          percent(s.apnrr.value), figure(s.auc), percent(s.eer));
    if (r.species.size() > 1)
      text += fmt::format("  APCER {:<16} {}\n", "worst: " + r.worst_species, rate_text(r.apcer));
    if (r.bona_fide > 0)
      text += fmt::format("  BPCER {:<16} {:<36} BPNRR {}\n", "", rate_text(r.bpcer), percent(r.bpnrr.value));
    if (r.bona_fide > 0 && r.attacks > 0)
      text += fmt::format("  AUC {}  EER {}  ACER {}  HTER {}\n", figure(r.auc), percent(r.eer.rate), percent(r.acer),
                          percent(r.hter));
    for (const auto& p : r.at_apcer)
      text += fmt::format("  BPCER at APCER <= {:<6} {:<36} from {}{}\n", percent(p.target), rate_text(p.bpcer),
                          threshold_text(p.threshold, document.log_odds),
                          p.shown ? "" : fmt::format("  (too few {} to show it)", plural(unit.unit)));
  }
  if (!document.sets.sets.empty()) {
    text += "\nHTER across sets: the equal-error threshold of the set of the row, on the set of the column\n";
    text += fmt::format("  {:<16}", "");
    for (const auto& name : document.sets.sets) text += fmt::format(" {:>12}", name);
    text += '\n';
    for (std::size_t i = 0; i < document.sets.sets.size(); ++i) {
      text += fmt::format("  {:<16}", document.sets.sets[i]);
      for (const double v : document.sets.hter[i]) text += fmt::format(" {:>12}", percent(v));
      text += '\n';
    }
  }
  if (!document.drift.empty()) {
    text += "\nagainst the calibration's bona fide presentations\n";
    for (const Drift& d : document.drift) text += "  " + drift_line(d) + "\n";
  }
  if (!document.failures.empty())
    text += fmt::format("\n{} could not be scored and count nowhere\n", document.failures.size());
  return text;
}

std::string to_csv(const EvalDocument& document) {
  std::string csv = "unit,figure,species,errors,total,value,low,high\n";
  for (const UnitReport& unit : document.units) {
    const EvaluationReport& r = unit.report;
    const auto rate = [&](const std::string& name, const std::string& species, const Rate& v) {
      csv += fmt::format("{},{},{},{},{},", to_string(unit.unit), name, csv_cell(species), v.errors, v.total);
      csv += std::isnan(v.value) ? ",,\n" : fmt::format("{},{},{}\n", v.value, v.interval.low, v.interval.high);
    };
    const auto number = [&](const std::string& name, const std::string& species, double v) {
      if (!std::isnan(v)) csv += fmt::format("{},{},{},,,{},,\n", to_string(unit.unit), name, csv_cell(species), v);
    };
    for (const auto& s : r.species) {
      rate("apcer", s.species, s.apcer);
      rate("apnrr", s.species, s.apnrr);
      number("auc", s.species, s.auc);
      number("eer", s.species, s.eer);
    }
    rate("apcer_worst", r.worst_species, r.apcer);
    rate("far", "", r.far);
    rate("bpcer", "", r.bpcer);
    rate("apnrr", "", r.apnrr);
    rate("bpnrr", "", r.bpnrr);
    for (const auto& p : r.at_apcer) rate(fmt::format("bpcer_at_apcer_{:g}", p.target), "", p.bpcer);
    number("auc", "", r.auc);
    number("eer", "", r.eer.rate);
    number("eer_threshold", "", r.eer.threshold);
    number("acer", "", r.acer);
    number("hter", "", r.hter);
    number("live", "", r.live);
    number("spoof", "", r.spoof);
  }
  return csv;
}

std::string to_html(const EvalDocument& document) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>liveness eval: {}</title>\n<style>\n"
      ":root{{color-scheme:light dark;--fg:#1a1a1a;--bg:#fff;--soft:#8884;--mark:#d55e0022}}\n"
      "@media(prefers-color-scheme:dark){{:root{{--fg:#e6e6e6;--bg:#16181c}}}}\n"
      "body{{font:15px/1.45 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:1220px;margin:2em "
      "auto;padding:0 1em}}\n"
      "table{{border-collapse:collapse;margin:1em 0}}td,th{{text-align:left;padding:.25em .8em;border-bottom:1px solid "
      "var(--soft)}}.worst{{background:var(--mark)}}\n"
      ".plots{{display:flex;flex-wrap:wrap;gap:1em}}.plots>div{{flex:1 1 480px}}svg{{width:100%;height:auto}}svg "
      "text{{font-size:11px;fill:var(--fg)}}svg .title{{font-size:13px}}\n"
      ".grid{{stroke:var(--soft)}}.main,.curve{{fill:none;stroke-width:1.5}}.main{{stroke-width:2.5}}"
      ".area{{fill-opacity:.15;stroke-width:1.5}}.threshold{{stroke:var(--fg);stroke-dasharray:5 4}}\n"
      ".legend span{{margin-right:1em;white-space:nowrap}}.legend "
      "i{{display:inline-block;width:.8em;height:.8em;margin-right:.35em}}\n"
      "</style></head><body>\n<h1>{}</h1>\n<p>{}. Rates after ISO/IEC 30107-3: APCER and BPCER count presentations "
      "with a response, APNRR and BPNRR all of them. Intervals are exact and two-sided and hold for independent "
      "presentations: frames of one clip are not, so that the clips' or subjects' intervals are the honest ones.</p>\n",
      escaped(document.origin), escaped(document.origin), escaped(document.threshold));
  for (const UnitReport& unit : document.units) {
    const EvaluationReport& r = unit.report;
    html += fmt::format("<h2>Per {}</h2>\n<p>{} bona fide, {} attacks; intervals {:g} %.</p>\n", to_string(unit.unit),
                        r.bona_fide, r.attacks, r.confidence * 100);
    html += unit_table(unit, document.log_odds);
    html += "<div class=\"plots\"><div>" + score_plot(unit) + "</div>";
    if (!std::isnan(r.auc)) html += "<div>" + det_plot(unit) + "</div>";
    html += "</div>\n";
  }
  if (!document.sets.sets.empty()) {
    html += "<h2>HTER across sets</h2>\n<p>Threshold: equal error of the set of the row.</p>\n<table><tr><th></th>";
    for (const auto& name : document.sets.sets) html += fmt::format("<th>{}</th>", escaped(name));
    html += "</tr>\n";
    for (std::size_t i = 0; i < document.sets.sets.size(); ++i) {
      html += fmt::format("<tr><th>{}</th>", escaped(document.sets.sets[i]));
      for (const double v : document.sets.hter[i]) html += fmt::format("<td>{}</td>", percent(v));
      html += "</tr>\n";
    }
    html += "</table>\n";
  }
  if (!document.drift.empty()) {
    html += "<h2>Against the calibration</h2>\n<pre>";
    for (const Drift& d : document.drift) html += escaped(drift_line(d)) + "\n";
    html += "</pre>\n";
  }
  if (!document.failures.empty()) {
    html += fmt::format("<h2>Not scored: {}</h2>\n<ul>\n", document.failures.size());
    for (const auto& f : document.failures) html += "<li>" + escaped(f) + "</li>\n";
    html += "</ul>\n";
  }
  return html + "</body></html>\n";
}

}  // namespace liveness::cli
