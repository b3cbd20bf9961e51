// Which channels of a network belong together, and the network without some of them.
#pragma once

#include <string>
#include <vector>

#include "model/graph.hpp"

namespace liveness {

// A unit is a channel with all that can be taken out only together with it, wherever they occur: through residual sums,
// depthwise convolutions, gates, concatenations and reshapes. Units are numbered from 0.

// Units that make up one width of the network.
struct ChannelGroup {
  std::string name;        // of the first node that makes them
  std::vector<int> units;  // in the order of that node's output channels
};

// What one slice of a constant holds: of tensor `tensor`, along `axis`, entry i belongs to unit units[i] (-1: to none
// that can be taken out). `makes`: the slice makes the unit's values, otherwise it reads them.
struct ChannelSlice {
  int node = -1;
  int tensor = -1;
  std::size_t axis = 0;
  std::vector<int> units;
  bool makes = false;
};

// The channels of a checked graph. Those of the input and the outputs stay, and so do those whose coupling no rule here
// follows (grouped convolutions that are not depthwise, softmax or mean over channels, slices of channels).
class Channels {
 public:
  explicit Channels(const Graph& graph);

  [[nodiscard]] const std::vector<ChannelGroup>& groups() const noexcept { return groups_; }
  [[nodiscard]] std::size_t units() const noexcept { return unit_count_; }
  // Every constant that holds something of a unit that can be taken out.
  [[nodiscard]] const std::vector<ChannelSlice>& slices() const noexcept { return slices_; }

  // The graph without the units that `keep` (one entry a unit) does not name. At least one unit of every group stays.
  [[nodiscard]] Graph shrink(const std::vector<bool>& keep) const;

 private:
  friend class ChannelFinder;
  // The channels of a value: entry i along `axis` belongs to units[i]; -1 stays always.
  struct Line {
    std::size_t axis = 1;
    std::vector<int> units;
  };

  const Graph& graph_;  // outlives this
  std::vector<Line> lines_;
  std::vector<ChannelSlice> slices_;
  std::vector<ChannelGroup> groups_;
  std::size_t unit_count_ = 0;
};

}  // namespace liveness
