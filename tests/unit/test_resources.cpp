#include "liveness/resources.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "temporary_folder.hpp"

using namespace liveness;

namespace {

void write(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

// A camera, a machine and a governor between them, without a clock. A frame that is worked on costs `frame` core
// seconds, more for those with a detection or a score; `other` cores are busy with something else.
struct Simulation {
  Governor governor;
  double time = 0;
  double frame = 0.004;
  double detection = 0.006;
  double score = 0.003;
  double other = 0;
  double source_fps = 30;
  std::size_t resident = 50'000'000;
  std::mt19937 random{3};

  explicit Simulation(const Governor::Options& o) : governor(o) {}

  struct Outcome {
    double cpu = 0;
    double fps = 0;
    int level = 0;
    int changes = 0;
    int trims = 0;
    double worst_window = 0;   // the largest mean over 5 seconds
    double longest_pause = 0;  // seconds between two frames that were worked on
  };

  Outcome run(double seconds) {
    Outcome outcome;
    double busy = 0;
    double window = 0;
    double window_start = time;
    double window_busy = 0;
    std::int64_t admitted = 0;
    const double end = time + seconds;
    double sampled = time;
    double asked_fps = governor.decision().workload.capture_fps;
    std::uniform_real_distribution<double> noise(0.7, 1.3);
    double before = 0;
    double last = time;
    while (time < end) {
      const Workload w = governor.decision().workload;
      asked_fps = w.capture_fps > 0 ? std::min(w.capture_fps, source_fps) : source_fps;
      const double step = 1 / asked_fps;
      time += step;
      double cost = other * step;
      if (governor.admit(time)) {
        const double area = static_cast<double>(w.scale) * static_cast<double>(w.scale);
        cost += noise(random) * (frame * area + (count_ % w.detect_every == 0 ? detection : 0) +
                                 (count_ % w.score_every == 0 ? score : 0));
        ++count_;
        ++admitted;
        outcome.longest_pause = std::max(outcome.longest_pause, time - last);
        last = time;
      }
      busy += cost;
      window += cost;
      window_busy += cost;
      if (time - window_start >= 5) {
        outcome.worst_window = std::max(outcome.worst_window, window_busy / (time - window_start));
        window_start = time;
        window_busy = 0;
      }
      if (time - sampled >= 0.5) {
        ResourceUsage usage;
        usage.seconds = time - sampled;
        usage.process_cpu = window / usage.seconds;
        usage.resident_bytes = resident;
        sampled = time;
        window = 0;
        const auto& d = governor.update(usage, time);
        outcome.changes += d.level != before ? 1 : 0;
        before = d.level;
        outcome.trims += d.trim ? 1 : 0;
      }
    }
    outcome.cpu = busy / seconds;
    outcome.fps = static_cast<double>(admitted) / seconds;
    outcome.level = governor.decision().level;
    return outcome;
  }

 private:
  std::int64_t count_ = 0;
};

Governor::Options quarter() {
  Governor::Options o;
  o.cpu = 0.25;
  o.best.fps = 30;
  o.best.capture = {640, 480};
  o.best.capture_fps = 30;
  return o;
}

}  // namespace

TEST_CASE("a budget of a quarter of a core is held within 10 % over 60 s under load steps") {
  Simulation s(quarter());
  const auto step = GENERATE(
      as<std::function<void(Simulation&)>>(),  //
      [](Simulation& x) { x.frame = 0.016; },  // frames become four times as dear
      [](Simulation& x) { x.frame = 0.040; }, [](Simulation& x) { x.detection = 0.1; },
      [](Simulation& x) { x.other = 0.1; },  // another thread of the process wakes up
      [](Simulation& x) { x.source_fps = 60; }, [](Simulation& x) { x.score = 0.05; });
  s.run(20);
  step(s);
  const auto loaded = s.run(60);
  INFO("level " << loaded.level << ", " << loaded.fps << " frames a second, " << s.governor.decision().why);
  CHECK(loaded.cpu == Approx(0.25).epsilon(0.10));
  // And back: as soon as there is room, quality and rate return.
  s.frame = 0.002;
  s.detection = 0.002;
  s.score = 0.001;
  s.other = 0;
  s.source_fps = 30;
  s.run(120);
  const auto light = s.run(60);
  INFO("then level " << light.level << ", " << light.fps << " frames a second, " << s.governor.decision().why);
  CHECK(light.level == 0);
  CHECK(light.fps > 29);
  CHECK(light.cpu < 0.25);
}

TEST_CASE("the budget is held in every five seconds once the governor has settled, and levels do not swing") {
  Simulation s(quarter());
  s.frame = 0.03;
  s.run(30);
  const auto o = s.run(120);
  CHECK(o.worst_window < 0.25 * 1.2);
  CHECK(o.cpu == Approx(0.25).epsilon(0.10));
  CHECK(o.changes <= 8);
}

TEST_CASE("a step to dear frames leaves no pause in which a stream loses its faces") {
  Governor::Options o = quarter();
  o.best.fps = 60;
  Simulation s(o);
  s.source_fps = 60;
  s.other = 0.1;  // reading the video, frames that are left out too
  s.frame = 0.006;
  s.score = s.detection = 0;
  s.run(20);
  double busy = 0;
  for (const double frame : {0.1, 0.012, 0.006, 0.1, 0.006}) {
    s.frame = frame;
    const auto loaded = s.run(12);
    INFO(frame << " s a frame: " << loaded.fps << " a second, " << s.governor.decision().why);
    CHECK(loaded.longest_pause < 0.7);
    busy += 12 * loaded.cpu;
  }
  CHECK(busy / 60 < 0.25 * 1.1);
}

TEST_CASE("frames become cheaper before they become rare") {
  Simulation s(quarter());
  s.detection = 0.2;
  s.run(60);
  const auto o = s.run(60);
  CHECK(o.level > 0);
  CHECK(s.governor.decision().workload.detect_every > 1);
  CHECK(o.cpu == Approx(0.25).epsilon(0.10));
  CHECK(s.governor.decision().why.find("cores at") != std::string::npos);
}

TEST_CASE("without a budget every frame is taken, and a light stream is left alone") {
  Governor free{Governor::Options{}};
  for (int i = 0; i < 100; ++i) CHECK(free.admit(i * 0.01));
  Simulation s(quarter());
  s.frame = 0.001;
  s.detection = 0.001;
  s.score = 0.001;
  const auto o = s.run(30);
  CHECK(o.fps > 29);
  CHECK(o.level == 0);
  CHECK(o.changes == 0);
  CHECK(s.governor.decision().workload.fps == 0);
}

TEST_CASE(
    "the camera is asked for half its rate where most frames would be thrown away, and for all when they are wanted") {
  Simulation s(quarter());
  s.frame = 0.02;
  s.run(30);
  CHECK(s.governor.decision().workload.capture_fps == 15);
  s.frame = 0.001;
  s.detection = s.score = 0.001;
  s.run(60);
  CHECK(s.governor.decision().workload.capture_fps == 30);
}

TEST_CASE("memory over its budget asks for a trim, then for smaller pictures, and lets go when it fits") {
  auto o = quarter();
  o.cpu = 0;
  o.memory = 100'000'000;
  Simulation s(o);
  CHECK(s.run(10).trims == 0);
  s.resident = 120'000'000;
  const auto over = s.run(60);
  CHECK(over.trims > 50);
  CHECK(over.level == Governor::kLevels - 1);
  const Workload w = s.governor.decision().workload;
  CHECK(w.capture.width == 320);
  CHECK(w.scale == 0.5F);
  CHECK(s.governor.decision().why.find("memory is over its budget") != std::string::npos);
  s.resident = 95'000'000;  // fits, but so tightly that the next level would not
  const auto fits = s.run(60);
  CHECK(fits.trims == 0);
  CHECK(fits.level == Governor::kLevels - 1);
  s.resident = 60'000'000;
  CHECK(s.run(60).level == 0);
}

TEST_CASE("new budgets take hold in a running governor") {
  Simulation s(quarter());
  s.frame = 0.02;
  s.run(30);
  s.governor.set_budget(0.5, 0);
  s.run(30);
  CHECK(s.run(60).cpu == Approx(0.5).epsilon(0.10));
  s.governor.set_budget(0, 0);
  s.run(1);
  CHECK(s.run(10).fps > 29);
}

TEST_CASE("clocks that jump or stand still break nothing") {
  Governor g(quarter());
  ResourceUsage usage;
  usage.seconds = 0.5;
  usage.process_cpu = 1;
  double time = 100;
  for (int i = 0; i < 40; ++i) {
    for (int k = 0; k < 15; ++k) (void)g.admit(time += 1.0 / 30);
    g.update(usage, time);
  }
  const double rate = g.decision().workload.fps;
  CHECK(rate > 0);
  int taken = 0;
  for (const double t : {time - 1000, time - 1000, time + 1e9, time + 1e9}) taken += g.admit(t) ? 1 : 0;
  CHECK(taken <= 2);
  g.update(usage, time - 1000);
  g.update(usage, time - 999);
  usage.seconds = 0;
  usage.process_cpu = 0;
  g.update(usage, time);
  CHECK(std::isfinite(g.decision().workload.fps));
}

TEST_CASE("options out of range are refused by name") {
  const auto refused = [](auto&& change, const char* name) {
    Governor::Options o;
    change(o);
    CHECK_THROWS_WITH(Governor(o), Catch::Contains(name));
  };
  refused([](auto& o) { o.cpu = -1; }, "governor.cpu");
  refused([](auto& o) { o.cpu = std::nan(""); }, "governor.cpu");
  refused([](auto& o) { o.min_fps = 0; }, "governor.min_fps");
  refused([](auto& o) { o.period = 0; }, "governor.period");
  refused([](auto& o) { o.patience = 0.1; }, "governor.patience");
  refused([](auto& o) { o.best.scale = 0; }, "governor.best.scale");
  refused([](auto& o) { o.best.detect_every = 0; }, "governor.best.detect_every");
  Governor g(quarter());
  CHECK_THROWS_AS(g.set_budget(-1, 0), Error);
  CHECK(g.options().cpu == 0.25);
}

TEST_CASE("the monitor reads what /proc and /sys say") {
  const test::TemporaryFolder folder;
  const std::filesystem::path root = folder / "root";
  write(root / "proc/stat", "cpu  100 0 50 1000 100 0 0 0 0 0\ncpu0 1 2 3 4\n");
  write(root / "proc/self/statm", "9999 1234 5 6 0 7 0\n");
  write(root / "sys/class/thermal/thermal_zone0/temp", "41000\n");
  write(root / "sys/class/thermal/cooling_device0/temp", "99000\n");
  write(root / "sys/class/hwmon/hwmon0/name", "k10temp\n");
  write(root / "sys/class/hwmon/hwmon0/temp1_input", "52500\n");
  write(root / "sys/class/hwmon/hwmon1/name", "nvme\n");
  write(root / "sys/class/hwmon/hwmon1/temp1_input", "80000\n");
  ResourceMonitor monitor({root, ""});
  write(root / "proc/stat", "cpu  160 0 90 1050 150 0 0 0 0 0\ncpu0 1 2 3 4\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const ResourceUsage u = monitor.sample();
  CHECK(u.machine_cpu == Approx(0.5));
  CHECK(u.resident_bytes == std::size_t{1234} * 4096);
  CHECK(u.temperature.value() == Approx(52.5));
  CHECK_FALSE(u.gpu_use);
  CHECK_FALSE(u.gpu_bytes);
  CHECK(u.seconds > 0);
}

TEST_CASE("the monitor lives without any of it") {
  const test::TemporaryFolder folder;
  write(folder / "proc/stat", "no numbers here");
  ResourceMonitor monitor({folder / "", "libno_such_library.so.1"});
  const ResourceUsage u = monitor.sample();
  CHECK(u.machine_cpu == 0);
  CHECK(u.resident_bytes == 0);
  CHECK_FALSE(u.temperature);
}

TEST_CASE("the monitor sees a busy thread, and costs less than a thousandth of a core at two samples a second") {
  // CPU time of this process, not wall time: what else the machine does is no matter.
  const auto spent = [] {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  };
  ResourceMonitor monitor;
  volatile double sink = 0;
  const double begin = spent();
  while (spent() - begin < 0.2) sink = sink + 1;
  const ResourceUsage u = monitor.sample();
  CHECK(u.process_cpu * u.seconds == Approx(0.2).margin(0.02));
  CHECK(u.resident_bytes > 100'000);
  CHECK(u.machine_cpu > 0);
  constexpr int kSamples = 200;
  const double before = spent();
  for (int i = 0; i < kSamples; ++i) (void)monitor.sample();
  const double each = (spent() - before) / kSamples;  // 0.5 ms a sample is the bound
  WARN("one sample takes " << each * 1e6 << " us of CPU");
  CHECK(each < 0.5e-3);
}

TEST_CASE("GPU figures come through NVML where it is there") {
  const test::TemporaryFolder folder;
  ResourceMonitor monitor({folder / "", LIVENESS_FAKE_NVML});
  const ResourceUsage u = monitor.sample();
  CHECK(u.gpu_use.value() == Approx(0.7));
  CHECK(u.gpu_bytes.value() == 4000);
  CHECK(u.temperature.value() == Approx(61));
}

TEST_CASE("the cap on several caches is kept whatever they do") {
  MemoryManager manager(1000);
  std::vector<std::size_t> held = {0, 0, 0};
  std::vector<MemoryManager::Registration> registrations;
  for (auto& h : held)
    registrations.push_back(manager.add(
        "cache", [&h] { return h; }, [&h](std::size_t keep) { h = std::min(h, keep); }));
  std::mt19937 random(5);
  for (int i = 0; i < 10000; ++i) {
    held[random() % 3] += random() % 700;
    const std::size_t before = manager.used();
    const std::size_t freed = manager.trim();
    CHECK(manager.used() <= 1000);
    CHECK(before - freed == manager.used());
    CHECK((before <= 1000) == (freed == 0));
  }
  held = {600, 300, 0};
  manager.trim(0.5);
  CHECK(held[0] <= 334);
  CHECK(held[0] >= 300);
  CHECK(manager.used() <= 500);
  registrations.pop_back();
  registrations.erase(registrations.begin());
  CHECK(manager.used() == held[1]);
}

TEST_CASE("a holder that does not shrink is named, and nonsense refused") {
  MemoryManager manager(10);
  const auto stubborn = manager.add(
      "stubborn", [] { return std::size_t{11}; }, [](std::size_t) {});
  CHECK_THROWS_WITH(manager.trim(), Catch::Contains("'stubborn' keeps 11 bytes"));
  CHECK_THROWS_WITH(MemoryManager(0), Catch::Contains("cap is 0"));
  CHECK_THROWS_WITH(manager.trim(1.5), Catch::Contains("share is 1.5"));
  CHECK_THROWS_WITH(manager.add("x", nullptr, [](std::size_t) {}), Catch::Contains("both functions"));
}
