// Running networks over samples, and comparing what they say.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/engine.hpp"
#include "liveness/optimize.hpp"
#include "model/package.hpp"

namespace liveness {

// Outputs of one sample: one list a graph output.
using SampleOutputs = std::vector<std::vector<float>>;

// Hands on what each sample gives, in order; `limit` samples at most, spread over all of them.
void visit_samples(const Executable& executable, const Package& package, const Samples& samples, std::size_t limit,
                   const std::function<void(const SampleOutputs&)>& visit);
// The same, kept.
[[nodiscard]] std::vector<SampleOutputs> run_samples(const Executable& executable, const Package& package,
                                                     const Samples& samples, std::size_t limit);
// The pictures of the golden inputs, where there are no samples.
[[nodiscard]] Samples golden_samples(const Package& package);

// Root mean square of the difference over that of the first, over all outputs of all samples.
[[nodiscard]] double relative_error(const std::vector<SampleOutputs>& wanted, const std::vector<SampleOutputs>& found);

[[nodiscard]] ScoreDrift compare(const Package& package, const Samples& samples,
                                 const std::vector<SampleOutputs>& before, const std::vector<SampleOutputs>& after);

// The same of a detector, run as users run it: the faces that `before` finds in fp32 and `after` in `precision`.
// Returns how many faces `before` finds.
std::int64_t compare_faces(const Package& before, const Package& after, Precision precision, const Samples& samples,
                           ScoreDrift& drift);

// Median of single passes over the first sample.
[[nodiscard]] double milliseconds(const Executable& executable, const Package& package, const Samples& samples);

// Throws Error(kInvalidArgument) where the samples were made for another input.
void check_samples(const Samples& samples, const Contract& contract);

// Reads a package; messages name the file.
[[nodiscard]] Package open_package(const std::filesystem::path& path);
// Makes the golden outputs anew, checks that the package loads on this machine's best kernels, and writes it. Returns
// its size.
std::uint64_t save_package(Package& package, const std::filesystem::path& path);

}  // namespace liveness
