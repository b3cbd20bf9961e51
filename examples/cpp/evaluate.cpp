// Error rates (ISO/IEC 30107-3) of scores that any system gave: lines of "SPECIES SCORE" on standard input, with
// bona_fide for the species of bona fide presentations and - for a score where there was no response. Needs the headers
// alone.
//
//   cpp_evaluate [THRESHOLD] < scores.txt
#include <cmath>
#include <exception>
#include <iostream>
#include <liveness/evaluation.hpp>
#include <string>
#include <vector>

namespace {

void print(const char* name, const liveness::Rate& rate) {
  std::cout << name << ' ' << 100 * rate.value << " % (" << 100 * rate.interval.low << " - " << 100 * rate.interval.high
            << " %), " << rate.errors << " of " << rate.total << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<liveness::Presentation> presentations;
    std::string species;
    for (std::string score; std::cin >> species >> score;) {
      liveness::Presentation p;
      if (species != "bona_fide") p.species = species;
      if (score != "-") p.score = std::stod(score);
      presentations.push_back(p);
    }
    liveness::EvaluationOptions options;
    if (argc > 1) options.live = std::stod(argv[1]);
    const auto report = liveness::Evaluation(presentations).report(options);
    for (const auto& s : report.species) print(("APCER of " + s.species).c_str(), s.apcer);
    print("BPCER", report.bpcer);
    for (const auto& point : report.at_apcer) {
      std::cout << "at APCER <= " << 100 * point.target << " %: ";
      print("BPCER", point.bpcer);
    }
    std::cout << "AUC " << report.auc << ", EER " << 100 * report.eer.rate << " %\n";
    return 0;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 2;
  }
}
