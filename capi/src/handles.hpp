// What stands behind the opaque handles: one C++ object each.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "liveness.h"
#include "liveness/cache.hpp"
#include "liveness/calibration.hpp"
#include "liveness/config.hpp"
#include "liveness/detector.hpp"
#include "liveness/ensemble.hpp"
#include "liveness/model.hpp"
#include "liveness/predictor.hpp"
#include "liveness/profiler.hpp"
#include "liveness/resources.hpp"
#include "liveness/roi.hpp"
#include "liveness/tracker.hpp"
#include "liveness/verifier.hpp"
#include "liveness/worker_pool.hpp"

struct liveness_model_t {
  liveness::Model model;
};

struct liveness_detector_t {
  liveness::FaceDetector detector;
};

// Shared, so that it outlives the predictors that record into it.
struct liveness_profiler_t {
  std::shared_ptr<liveness::Profiler> profiler;
};

// Shared with the predictors that use them.
struct liveness_cache_t {
  std::shared_ptr<liveness::PredictionCache> cache;
};

struct liveness_pool_t {
  std::shared_ptr<liveness::WorkerPool> pool;
};

struct liveness_calibration_t {
  liveness::Calibration calibration;
};

struct liveness_predictor_t {
  std::shared_ptr<liveness::Profiler> profiler;  // declared first: destroyed after the predictor that uses it
  std::variant<liveness::Predictor, liveness::Ensemble> predictor;
};

struct liveness_result_t {
  std::optional<liveness::Result> result;
  liveness::Status status = liveness::Status::kInvalidState;  // why there is no result
  std::string error = "result: nothing was predicted into it yet";
};

struct liveness_config_t {
  liveness::Config config;
};

struct liveness_monitor_t {
  liveness::ResourceMonitor monitor;
};

struct liveness_governor_t {
  liveness::Governor governor;
};

struct liveness_tracker_t {
  liveness::FaceTracker tracker;
};

struct liveness_verifier_t {
  std::shared_ptr<liveness::Profiler> profiler;  // declared first: destroyed after the verifier that uses it
  liveness::Verifier verifier;
};

struct liveness_update_t {
  std::optional<liveness::StreamUpdate> update;
};

struct liveness_roi_t {
  liveness::RoiProcessor processor;
  std::optional<std::string> convention;  // of the boxes that come in; empty: each crop's own
};
