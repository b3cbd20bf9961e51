// Where the time goes: per-stage timers and counters. Header only.
#pragma once
namespace liveness LIVENESS_PUBLIC {
class Profiler;
}
