// Everything but OpenCV interop. Costs more to compile than the single headers; a test keeps it complete.
#pragma once

#include "liveness/decision.hpp"
#include "liveness/detector.hpp"
#include "liveness/ensemble.hpp"
#include "liveness/error.hpp"
#include "liveness/evaluation.hpp"
#include "liveness/model.hpp"
#include "liveness/predictor.hpp"
#include "liveness/profiler.hpp"
#include "liveness/quality.hpp"
#include "liveness/resources.hpp"
#include "liveness/roi.hpp"
#include "liveness/types.hpp"
#include "liveness/version.hpp"
