#include "logits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "liveness/optimize.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace {

// Class outputs of one network for one face, by the names of the classes.
Json classes_of(const Model& model, const ImageView& image, const Rect& box, const std::string& convention) {
  const ScoreContract& score = *model.contract().score;
  Samples crop(model.contract());
  crop.add(image, box, convention);
  std::vector<std::vector<float>> outputs;
  for (const auto& o : model.info().outputs) outputs.emplace_back(o.elements());
  const std::vector<std::span<float>> spans(outputs.begin(), outputs.end());
  model.run(crop.values(0), spans);
  Json classes = Json::object();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (model.info().outputs[i].name != score.output) continue;
    for (std::size_t k = 0; k < score.classes.size(); ++k) classes[score.classes[k]] = number(outputs[i].at(k));
  }
  return classes;
}

}  // namespace

Logits::Logits(std::vector<Model> members, std::string box_convention, const std::string& file)
    : members_(std::move(members)), box_convention_(std::move(box_convention)), out_(file, std::ios::binary) {
  if (!out_) throw UsageError(fmt::format("--logits {}: cannot be written", file));
}

std::string Logits::lines(const Record& record, const ImageView& image) const {
  std::string text;
  const auto& faces = record.result->faces;
  for (std::size_t i = 0; i < faces.size(); ++i) {
    if (faces[i].members.empty()) continue;  // its crop leaves the picture
    const Rect& box = faces[i].face.box;
    Json members = Json::array();
    for (const auto& model : members_)
      members.push_back({{"model", model.contract().name},
                         {"softmax_inside", model.contract().score->softmax_inside},
                         {"classes", classes_of(model, image, box, box_convention_)}});
    text += line({{"input", record.input},
                  {"frame", record.frame},
                  {"face", i},
                  {"box", {number(box.x), number(box.y), number(box.width), number(box.height)}},
                  {"members", std::move(members)}}) +
            "\n";
  }
  return text;
}

bool Logits::finish() {
  out_.flush();
  return out_.good();
}

}  // namespace liveness::cli
