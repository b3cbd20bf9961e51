// Who can run networks here.
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "convert.hpp"
#include "guard.hpp"
#include "liveness.h"
#include "liveness/backends.hpp"

extern "C" {

liveness_status_t liveness_backends_describe(const char* plugin, char* text, size_t capacity, size_t* size) noexcept {
  using Json = nlohmann::json;
  return liveness::capi::guard([&] {
    Json all = Json::array();
    for (const liveness::BackendStatus& s : liveness::backends(plugin == nullptr ? "" : plugin)) {
      all.push_back({{"backend", std::string(to_string(s.backend))},
                     {"available", s.available},
                     {"version", s.version},
                     {"file", s.file},
                     {"devices", s.devices},
                     {"blas", s.blas},
                     {"graphs", s.graphs},
                     {"missing", s.missing}});
    }
    liveness::capi::write_text(all.dump(-1, ' ', false, Json::error_handler_t::replace), text, capacity, size);
  });
}

}  // extern "C"
