// OpenCV's trackers, in a module of its own: the libraries behind them take longer to load than the rest of the program
// to run, and not every OpenCV has them.
#include "liveness/opencv_trackers.hpp"

// A new follower for `method` (a liveness::TrackMethod); it belongs to the caller.
extern "C" __attribute__((visibility("default"))) liveness::BoxFollower* liveness_followers_create(int method) {
  return liveness::opencv_follower(static_cast<liveness::TrackMethod>(method))().release();
}
