// OpenVINO through its C interface, so that no Python stands between us and the fastest peer. Loaded at run time from
// the wheel of the bench environment; the few declarations are those of openvino/c/openvino.h.
//
//   openvino_worker LIBOPENVINO_C ONNX INPUTS C H W f32|bf16    one network; answers the commands of serve.hpp
#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "serve.hpp"

namespace {

struct Shape {
  std::int64_t rank;
  std::int64_t* dims;
};
constexpr int kFloat32 = 4;

class Library {
 public:
  explicit Library(const char* path) : handle_(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw std::runtime_error(dlerror());
  }

  void* find(const char* name) const {
    void* symbol = dlsym(handle_, name);
    if (symbol == nullptr) throw std::runtime_error(dlerror());
    return symbol;
  }

  static void check(const char* name, int status) {
    if (status != 0) throw std::runtime_error(std::string(name) + " failed with " + std::to_string(status));
  }

 private:
  void* handle_;
};

void run(int argc, char** argv) {
  if (argc != 8) throw std::runtime_error("arguments: LIBOPENVINO_C ONNX INPUTS C H W f32|bf16");
  // Handles live as long as the process.
  const Library library(argv[1]);
  const auto get = [&]<typename F>(F*& function, const char* name) {
    function = reinterpret_cast<F*>(library.find(name));
  };
  int (*core_create)(void**);
  int (*compile)(const void*, const char*, const char*, std::size_t, void**, ...);
  int (*create_request)(const void*, void**);
  int (*outputs_size)(const void*, std::size_t*);
  int (*tensor_from_host)(int, Shape, void*, void**);
  int (*set_input)(void*, const void*);
  int (*infer)(void*);
  int (*get_output)(const void*, std::size_t, void**);
  int (*tensor_data)(const void*, void**);
  int (*tensor_size)(const void*, std::size_t*);
  get(core_create, "ov_core_create");
  get(compile, "ov_core_compile_model_from_file");
  get(create_request, "ov_compiled_model_create_infer_request");
  get(outputs_size, "ov_compiled_model_outputs_size");
  get(tensor_from_host, "ov_tensor_create_from_host_ptr");
  get(set_input, "ov_infer_request_set_input_tensor");
  get(infer, "ov_infer_request_infer");
  get(get_output, "ov_infer_request_get_output_tensor_by_index");
  get(tensor_data, "ov_tensor_data");
  get(tensor_size, "ov_tensor_get_size");

  void* core = nullptr;
  void* compiled = nullptr;
  void* request = nullptr;
  Library::check("ov_core_create", core_create(&core));
  // Left alone, it runs bf16 on CPUs that have it.
  Library::check("ov_core_compile_model_from_file",
                 compile(core, argv[2], "CPU", 8, &compiled, "INFERENCE_NUM_THREADS", "1", "NUM_STREAMS", "1",
                         "PERFORMANCE_HINT", "LATENCY", "INFERENCE_PRECISION_HINT", argv[7]));
  Library::check("ov_compiled_model_create_infer_request", create_request(compiled, &request));

  std::vector<float> pool = liveness::bench::read_raw<float>(argv[3]);
  std::int64_t dims[] = {1, std::stoi(argv[4]), std::stoi(argv[5]), std::stoi(argv[6])};
  const auto size = static_cast<std::size_t>(dims[1] * dims[2] * dims[3]);
  std::vector<void*> inputs(pool.size() / size);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    Library::check("ov_tensor_create_from_host_ptr",
                   tensor_from_host(kFloat32, {4, dims}, pool.data() + i * size, &inputs[i]));

  const auto call = [&](int i) {
    Library::check("ov_infer_request_set_input_tensor",
                   set_input(request, inputs[static_cast<std::size_t>(i) % inputs.size()]));
    Library::check("ov_infer_request_infer", infer(request));
  };
  call(0);
  liveness::bench::serve({{{"engine", "openvino"}}, call, [&] {
                            std::vector<float> all;
                            std::size_t outputs = 0;
                            Library::check("ov_compiled_model_outputs_size", outputs_size(compiled, &outputs));
                            for (std::size_t i = 0; i < inputs.size(); ++i) {
                              call(static_cast<int>(i));
                              for (std::size_t o = 0; o < outputs; ++o) {
                                void* tensor = nullptr;
                                void* data = nullptr;
                                std::size_t count = 0;
                                Library::check("ov_infer_request_get_output_tensor_by_index",
                                               get_output(request, o, &tensor));
                                Library::check("ov_tensor_data", tensor_data(tensor, &data));
                                Library::check("ov_tensor_get_size", tensor_size(tensor, &count));
                                const auto* values = static_cast<const float*>(data);
                                all.insert(all.end(), values, values + count);
                              }
                            }
                            return all;
                          }});
}

}  // namespace

int main(int argc, char** argv) {
  return liveness::bench::answer([&] { run(argc, argv); });
}
