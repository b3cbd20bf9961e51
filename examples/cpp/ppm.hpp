// Reads the simplest picture format there is, so that the examples need no picture library.
#pragma once

#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

struct Picture {
  std::vector<std::uint8_t> pixels;
  int width = 0;
  int height = 0;
};

// Rows of red, green, blue bytes.
inline Picture read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  int most = 0;
  Picture p;
  file >> magic >> p.width >> p.height >> most;
  if (!file || magic != "P6" || most != 255 || p.width < 1 || p.width > 20000 || p.height < 1 || p.height > 20000)
    throw std::runtime_error(path + ": not a PPM file (P6, 8 bits)");
  file.get();
  p.pixels.resize(static_cast<std::size_t>(p.width) * static_cast<std::size_t>(p.height) * 3);
  file.read(reinterpret_cast<char*>(p.pixels.data()), static_cast<std::streamsize>(p.pixels.size()));
  if (!file) throw std::runtime_error(path + ": too short");
  return p;
}
