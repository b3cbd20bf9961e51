// What networks say of faces before it becomes a score: for training scripts that distil.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "liveness/ensemble.hpp"
#include "record.hpp"

namespace liveness::cli {

class Logits {
 public:
  // `box_convention`: of the boxes in the results. Throws UsageError where the file cannot be written.
  Logits(std::vector<Model> members, std::string box_convention, const std::string& file);

  // A JSON line, ended, for each scored face of a record that has a result. Any number of threads may call it.
  [[nodiscard]] std::string lines(const Record& record, const ImageView& image) const;
  void write(const std::string& text) { out_ << text; }
  // False where something could not be written.
  [[nodiscard]] bool finish();

 private:
  std::vector<Model> members_;
  std::string box_convention_;
  std::ofstream out_;
};

}  // namespace liveness::cli
