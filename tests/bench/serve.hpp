// The protocol of the benchmark's processes: one line of JSON when ready, then answers to commands on stdin, a line
// each.
//
//   run WARM N     N timed calls after WARM untimed ones -> {"ms": [...]}
//   outputs FILE   what the calls give, as raw float32, for the harness to compare -> {"ok": true}
//
// A process that cannot go on says {"error": "..."} and ends. The harness is run.py; peers.py speaks the same.
#pragma once

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace liveness::bench {

template <typename T>
std::vector<T> read_raw(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::vector<T> values(bytes.size() / sizeof(T));
  std::copy_n(bytes.data(), values.size() * sizeof(T), reinterpret_cast<char*>(values.data()));
  return values;
}

inline void write_raw(const std::string& path, std::span<const float> values) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  if (!out.flush()) throw std::runtime_error("cannot write " + path);
}

// What a served mode does: one call, and the values it is judged by.
struct Job {
  nlohmann::json hello;
  std::function<void(int)> call;  // with the number of the call, for those that take turns over inputs
  std::function<std::vector<float>()> outputs;
};

inline void serve(const Job& job) {
  std::cout << job.hello.dump() << std::endl;
  for (std::string command; std::cin >> command;) {
    if (command == "run") {
      int warm = 0;
      int runs = 0;
      std::cin >> warm >> runs;
      for (int i = 0; i < warm; ++i) job.call(i);
      std::vector<double> ms(static_cast<std::size_t>(runs));
      for (int i = 0; i < runs; ++i) {
        const auto start = std::chrono::steady_clock::now();
        job.call(i);
        ms[static_cast<std::size_t>(i)] =
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
      }
      std::cout << nlohmann::json{{"ms", ms}}.dump() << std::endl;
    } else if (command == "outputs") {
      std::string path;
      std::cin >> path;
      write_raw(path, job.outputs());
      std::cout << nlohmann::json{{"ok", true}}.dump() << std::endl;
    } else {
      throw std::runtime_error("unknown command " + command);
    }
  }
}

// main() of such a process.
inline int answer(const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const std::exception& e) {
    std::cout << nlohmann::json{{"error", e.what()}}.dump() << std::endl;
    return 1;
  }
}

}  // namespace liveness::bench
