/*
 * liveness.h - face presentation attack detection from C.
 *
 * Is the face in this picture a living person (bona fide), or a print, a screen, a mask held up to the camera (attack)?
 * This header is the manual. A complete program:
 *
 *   #include <liveness.h>
 *   #include <stdio.h>
 *
 *   static uint8_t frame[480 * 640 * 3];  // one picture: rows of blue, green, red bytes
 *
 *   int main(int argc, char** argv) {  // program PAD_PACKAGE DETECTOR_PACKAGE < frame.bgr
 *     liveness_model_t *pad = NULL, *detector = NULL;
 *     liveness_predictor_t* predictor = NULL;
 *     liveness_result_t* result = NULL;
 *     liveness_predictor_options_t options;
 *     liveness_image_t image;
 *     liveness_summary_t summary;
 *     if (argc < 3 || fread(frame, 1, sizeof frame, stdin) != sizeof frame) return 2;
 *     liveness_predictor_options_init(&options, sizeof options);
 *     liveness_image_init(&image, sizeof image, frame, 640, 480, LIVENESS_PIXEL_FORMAT_BGR);
 *     liveness_summary_init(&summary, sizeof summary);
 *     liveness_status_t status = liveness_model_load(argv[1], NULL, &pad);
 *     if (!status) status = liveness_model_load(argv[2], NULL, &detector);
 *     options.detector = detector;
 *     if (!status) status = liveness_predictor_create(&pad, 1, &options, &predictor);
 *     if (!status) status = liveness_result_create(&result);
 *     if (!status) status = liveness_predictor_predict(predictor, &image, NULL, result);
 *     if (!status) status = liveness_result_summary(result, &summary);
 *     if (status) fprintf(stderr, "%s\n", liveness_last_error());
 *     else printf("%s %.3f\n", liveness_verdict_name(summary.verdict), summary.score);
 *     liveness_result_destroy(result), liveness_predictor_destroy(predictor);
 *     liveness_model_destroy(detector), liveness_model_destroy(pad);
 *     return status ? 1 : 0;
 *   }
 *
 *   cc program.c $(pkg-config --cflags --libs liveness-c)
 *
 * Rules that hold for every function, unless it says otherwise:
 *
 * - Errors. A function that can fail returns a liveness_status_t, LIVENESS_STATUS_OK (0) on success. On failure nothing
 *   that was passed in has been written to, nothing needs freeing, and liveness_last_error() has a sentence that names
 *   the thing at fault. Besides the statuses listed, every function may return OUT_OF_MEMORY and INTERNAL. No function
 *   ends the process, prints, or lets a C++ exception out.
 * - NULL. A pointer must not be NULL where that is not allowed in words; if it is, the function returns
 *   INVALID_ARGUMENT and says which. The destroy and init functions take NULL and then do nothing.
 * - Memory. The library hands out handles only; each kind has one destroy function. Everything else is the caller's,
 *   and no pointer to it is kept after a call returns. Text is fetched by "ask the size, then fill": with text NULL and
 *   capacity 0 only *size is set, to the bytes needed with the zero byte at the end; otherwise the text is written, and
 *   *size (here `size` may be NULL) is what it took; BUFFER_TOO_SMALL where it does not fit.
 * - Lifetimes. Handles share what they need: a model may be destroyed right after a predictor was created from it.
 * - Structs. Those that may grow begin with `struct_size`, the size that the caller was compiled with. The init
 * function takes it, stores it and fills in the defaults, real values all, so that zero can be asked for. A struct from
 * an older header is shorter: fields that it lacks have their defaults. One from a newer header is accepted where the
 *   part that this library does not know is all zero. Anything else is ABI_MISMATCH, which every function that takes
 *   such a struct may return. liveness_point_t and liveness_rect_t never change.
 * - Threads. Functions that take a const handle may be called on one handle by any number of threads at once. Those
 * that take a handle that is not const need it to themselves, and so does destroying it. Profilers, caches and pools
 * are the exception: all their functions but destroy may be called at any time.
 * - Text is UTF-8 and ends with a zero byte.
 * - Enumerations are int32_t with names, so that they have one size everywhere. A value outside of one is
 *   INVALID_ARGUMENT. Values are never renumbered; new ones may come.
 */
#ifndef LIVENESS_H_
#define LIVENESS_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LIVENESS_API __attribute__((visibility("default")))
#define LIVENESS_CHECKED __attribute__((visibility("default"), warn_unused_result))
#else
#define LIVENESS_API
#define LIVENESS_CHECKED
#endif

#ifdef __cplusplus
#define LIVENESS_NOEXCEPT noexcept
extern "C" {
#else
#define LIVENESS_NOEXCEPT
#endif

/* ---- version ---- */

/* Version of this header. */
#define LIVENESS_VERSION_MAJOR 0
#define LIVENESS_VERSION_MINOR 1
#define LIVENESS_VERSION_PATCH 0

/* Raised when a compiled program would no longer work with a newer library; the number in the name libliveness_c.so.1.
 */
#define LIVENESS_ABI_VERSION 1

/* Version of the library that was linked, "major.minor.patch". Static text. Cannot fail. */
LIVENESS_API const char* liveness_version(void) LIVENESS_NOEXCEPT;

/* The library's LIVENESS_ABI_VERSION; for those who load it with dlopen. Cannot fail. */
LIVENESS_API int32_t liveness_abi_version(void) LIVENESS_NOEXCEPT;

/* ---- errors ---- */

/* 0: ok. 1-99: the call is wrong. 100-199: the environment (files, memory, machine). 200-254: happened at run time.
 * 255: a defect of the library, please report it. Treat an unknown number by its block. */
typedef int32_t liveness_status_t;
enum {
  LIVENESS_STATUS_OK = 0,
  LIVENESS_STATUS_INVALID_ARGUMENT = 1, /* NULL, out of range, NaN, does not fit: the message names the argument */
  LIVENESS_STATUS_INVALID_STATE = 2, /* e.g. no face was given and the predictor has no detector; the result is empty */
  LIVENESS_STATUS_UNSUPPORTED = 3,   /* well-formed, but this library cannot do it */
  LIVENESS_STATUS_BUFFER_TOO_SMALL = 4, /* text buffer; the message has the size that is needed */
  LIVENESS_STATUS_ABI_MISMATCH = 5,     /* a struct_size that cannot be: was the init function called? */
  LIVENESS_STATUS_OUT_OF_MEMORY = 100,
  LIVENESS_STATUS_IO = 101,
  LIVENESS_STATUS_NOT_FOUND = 102,
  LIVENESS_STATUS_MODEL_INVALID =
      103, /* the file is damaged or does not check out: the message names field, node or tensor */
  LIVENESS_STATUS_CONFIG_INVALID = 104, /* contract or configuration: the message names file and line */
  LIVENESS_STATUS_DEVICE_UNAVAILABLE = 105,
  LIVENESS_STATUS_CANCELLED = 200,
  LIVENESS_STATUS_INTERNAL = 255
};

/* Name of a status, e.g. "invalid argument"; "unknown status" for other numbers. Static text. Cannot fail. */
LIVENESS_API const char* liveness_status_name(liveness_status_t status) LIVENESS_NOEXCEPT;

/* What went wrong in the calling thread's most recent call that failed; "" before the first. The text stays valid and
 * unchanged until the same thread calls a function that fails. Cut at 1023 bytes. Cannot fail. */
LIVENESS_API const char* liveness_last_error(void) LIVENESS_NOEXCEPT;

/* ---- pictures ---- */

/* Position in pixels: x to the right, y down, the centre of the top left pixel is (0, 0). */
typedef struct liveness_point_t {
  float x;
  float y;
} liveness_point_t;

/* Box in pixels: [x, x + width) by [y, y + height). May lie partly outside the frame. */
typedef struct liveness_rect_t {
  float x;
  float y;
  float width;
  float height;
} liveness_rect_t;

/* Layout of a picture, 8 bits a channel. */
typedef int32_t liveness_pixel_format_t;
enum {
  LIVENESS_PIXEL_FORMAT_BGR = 0,  /* 3 bytes a pixel, OpenCV's order */
  LIVENESS_PIXEL_FORMAT_RGB = 1,  /* 3 bytes a pixel */
  LIVENESS_PIXEL_FORMAT_BGRA = 2, /* 4 bytes a pixel, alpha ignored */
  LIVENESS_PIXEL_FORMAT_RGBA = 3, /* 4 bytes a pixel, alpha ignored */
  LIVENESS_PIXEL_FORMAT_GRAY = 4, /* 1 byte a pixel */
  LIVENESS_PIXEL_FORMAT_NV12 = 5, /* a plane of luma, then one of half the size of U, V pairs (BT.601, video range) */
  LIVENESS_PIXEL_FORMAT_NV21 = 6  /* as NV12 with V before U */
};

/* A picture that the caller owns. It is read in place and only during the call. */
typedef struct liveness_image_t {
  uint32_t struct_size;
  liveness_pixel_format_t format;
  const uint8_t* data;   /* first byte of the top row (of luma for NV12 and NV21) */
  int32_t width;         /* pixels, 1 to 65536 */
  int32_t height;        /* pixels, 1 to 65536 */
  int64_t stride;        /* bytes from one row to the next; at least the bytes of one row */
  const uint8_t* chroma; /* NV12, NV21: the chroma plane; NULL: it follows the luma rows, at data + stride * height */
  int64_t chroma_stride; /* bytes; 0: the same as `stride` */
} liveness_image_t;

/* A tightly packed picture; set `stride`, `chroma` and `chroma_stride` afterwards for others. `size`:
 * sizeof(liveness_image_t). Nothing is checked here, all is where the picture is used. Cannot fail. */
LIVENESS_API void liveness_image_init(liveness_image_t* image, size_t size, const uint8_t* data, int32_t width,
                                      int32_t height, liveness_pixel_format_t format) LIVENESS_NOEXCEPT;

/* ---- models ---- */

/* A network with its contract (how to feed it, how to read it). Immutable. Owned by whoever loaded it. */
typedef struct liveness_model_t liveness_model_t;

/* Instruction set of the engine. AUTO: the best of this machine, or what the environment variable LIVENESS_ISA
 * (portable, avx2, avx512, amx) names. */
typedef int32_t liveness_isa_t;
enum {
  LIVENESS_ISA_AUTO = 0,
  LIVENESS_ISA_PORTABLE = 1,
  LIVENESS_ISA_AVX2 = 2,
  LIVENESS_ISA_AVX512 = 3,
  LIVENESS_ISA_AMX = 4
};

/* What the dense convolutions are computed in. AUTO: the fastest that the package is qualified for and that the machine
 * gains from, otherwise FP32. FP16: devices that have it. */
typedef int32_t liveness_precision_t;
enum {
  LIVENESS_PRECISION_AUTO = 0,
  LIVENESS_PRECISION_FP32 = 1,
  LIVENESS_PRECISION_BF16 = 2,
  LIVENESS_PRECISION_INT8 = 3,
  LIVENESS_PRECISION_FP16 = 4
};

/* Who runs the network. AUTO: NATIVE, unless the device asks for another. TORCH: LibTorch, through a plugin. */
typedef int32_t liveness_backend_t;
enum { LIVENESS_BACKEND_AUTO = 0, LIVENESS_BACKEND_NATIVE = 1, LIVENESS_BACKEND_TORCH = 2 };

/* What a network is for. */
typedef int32_t liveness_task_t;
enum {
  LIVENESS_TASK_PAD = 0,      /* presentation attack detection */
  LIVENESS_TASK_DETECTOR = 1, /* face detector */
  LIVENESS_TASK_OTHER = 2     /* runs through liveness_model_run() only */
};

typedef struct liveness_model_options_t {
  uint32_t struct_size;
  liveness_isa_t isa; /* default LIVENESS_ISA_AUTO */
  int32_t verify;     /* default 1: score the package's golden inputs after loading, fail where they miss. 0: do not */
  int32_t reserved;   /* 0 */
  const char* contract; /* path of an ONNX file's contract; default NULL: FILE.yaml, FILE.yml or FILE.json beside it */
  liveness_precision_t precision; /* default LIVENESS_PRECISION_AUTO */
  liveness_backend_t backend;     /* default LIVENESS_BACKEND_AUTO */
  const char* device; /* default "cpu"; "cuda" (the first) and "cuda:1" need LIVENESS_BACKEND_TORCH; NULL: "cpu" */
  const char* plugin; /* TORCH: its file; default NULL: beside this library, then the folders of LIVENESS_PLUGIN_PATH */
  int32_t allow_code; /* TORCH: 1 allows a user's TorchScript or AOTInductor file, which is a program; default 0 */
  int32_t reserved2;  /* 0 */
} liveness_model_options_t;

/* Defaults. `size`: sizeof(liveness_model_options_t). Cannot fail. */
LIVENESS_API void liveness_model_options_init(liveness_model_options_t* options, size_t size) LIVENESS_NOEXCEPT;

/* Reads a package (.safetensors), an ONNX file that has a contract beside it, or, where allow_code is set, a
 * TorchScript
 * (.pt) or AOTInductor (.pt2) file that has one. `options` may be NULL: defaults.
 * INVALID_ARGUMENT, NOT_FOUND (the file, the plugin), IO, MODEL_INVALID (damaged, or golden inputs miss), UNSUPPORTED
 * (an operator of the network; an instruction set, precision or device that there is not), CONFIG_INVALID (the
 * contract). */
LIVENESS_CHECKED liveness_status_t liveness_model_load(const char* path, const liveness_model_options_t* options,
                                                       liveness_model_t** model) LIVENESS_NOEXCEPT;

/* The same from the bytes of a package, which are not needed after the call. */
LIVENESS_CHECKED liveness_status_t liveness_model_load_memory(const void* package, size_t size,
                                                              const liveness_model_options_t* options,
                                                              liveness_model_t** model) LIVENESS_NOEXCEPT;

/* The same for a network that is compiled into the library: by its contract's name, or "pad" and "detector", the first
 * one for that task. NOT_FOUND where there is none such, and as liveness_model_load_memory(). */
LIVENESS_CHECKED liveness_status_t liveness_model_builtin(const char* name, const liveness_model_options_t* options,
                                                          liveness_model_t** model) LIVENESS_NOEXCEPT;

/* What is compiled into the library, without loading it, as a JSON list: [{"name", "task" ("pad", "detector" or
 * "other"), "licence", "bytes"}]; "[]" where nothing is. BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_builtin_models(char* text, size_t capacity, size_t* size) LIVENESS_NOEXCEPT;

/* `model` may be NULL. Predictors, detectors and ROI processors made from it go on working. */
LIVENESS_API void liveness_model_destroy(liveness_model_t* model) LIVENESS_NOEXCEPT;

/* Figures about a model. */
typedef struct liveness_model_info_t {
  uint32_t struct_size;
  liveness_task_t task;
  int32_t width;                  /* of the input, pixels */
  int32_t height;                 /* of the input, pixels */
  int32_t channels;               /* of the input, 1 or 3 */
  liveness_isa_t isa;             /* what the engine's plan was made for, never AUTO */
  uint32_t output_count;          /* graph outputs */
  uint32_t node_count;            /* graph nodes */
  int64_t macs;                   /* multiply-accumulates of one pass */
  int64_t parameters;             /* weights and biases */
  int64_t weight_bytes;           /* of the packed weights in memory */
  int64_t workspace_bytes;        /* scratch of one running pass */
  liveness_backend_t backend;     /* who runs it, never AUTO */
  liveness_precision_t precision; /* what it runs in, never AUTO */
  char device[16];                /* "cpu", "cuda:0", ... */
  int32_t fell_back; /* 1: something else than asked for was chosen; "fallback" of liveness_model_describe() says why */
  int32_t reserved;
} liveness_model_info_t;

/* Makes an empty struct to be filled. `size`: sizeof(liveness_model_info_t). Cannot fail. */
LIVENESS_API void liveness_model_info_init(liveness_model_info_t* info, size_t size) LIVENESS_NOEXCEPT;

/* `info` must have been made by its init function. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_model_info(const liveness_model_t* model,
                                                       liveness_model_info_t* info) LIVENESS_NOEXCEPT;

/* All that is known of a model as one JSON document: {"contract": {...}, "identity", "isa", "backend", "precision",
 * "device", "fallback", "macs", "parameters", "weight_bytes", "workspace_bytes", "inputs": [{"name", "shape"}],
 * "outputs": [{"name", "shape"}], "nodes": [{"name", "type", "shape", "macs", "parameters"}]}. INVALID_ARGUMENT,
 * BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_model_describe(const liveness_model_t* model, char* text, size_t capacity,
                                                           size_t* size) LIVENESS_NOEXCEPT;

/* Scores the golden inputs of the package. *worst (may be NULL): the largest difference from their known outputs,
 * relative to the larger of 1 and the largest known output; 0 where the package has no golden inputs. INVALID_ARGUMENT,
 * MODEL_INVALID where a tolerance is missed. */
LIVENESS_CHECKED liveness_status_t liveness_model_verify(const liveness_model_t* model, float* worst) LIVENESS_NOEXCEPT;

/* Values of one image in output `index` (below liveness_model_info_t.output_count). INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_model_output_size(const liveness_model_t* model, uint32_t index,
                                                              size_t* values) LIVENESS_NOEXCEPT;

/* The raw pass, without crop and verdict.
 *
 * - input: batch x channels x height x width values as the network takes them; input_count: how many there are in all.
 * - outputs: one buffer a graph output, in the order of liveness_model_describe(); buffer i takes batch x
 *   liveness_model_output_size(i) values and is output_counts[i] long. output_count: length of both arrays.
 * - threads: images worked on side by side, at least 1; the result depends neither on it nor on the batch size.
 *
 * INVALID_ARGUMENT where a size is wrong. */
LIVENESS_CHECKED liveness_status_t liveness_model_run(const liveness_model_t* model, const float* input,
                                                      size_t input_count, float* const* outputs,
                                                      const size_t* output_counts, size_t output_count, int32_t batch,
                                                      int32_t threads) LIVENESS_NOEXCEPT;

/* The same from pixels: batch x height x width x channels bytes in the network's own size and colour order, which
 * become values as the contract's "input" says; on an accelerator that is done there. pixel_count: how many bytes in
 * all. */
LIVENESS_CHECKED liveness_status_t liveness_model_run_pixels(const liveness_model_t* model, const uint8_t* pixels,
                                                             size_t pixel_count, float* const* outputs,
                                                             const size_t* output_counts, size_t output_count,
                                                             int32_t batch, int32_t threads) LIVENESS_NOEXCEPT;

/* Who can run networks here, as one JSON array: the native engine, then LibTorch: {"backend", "available", "version",
 * "file" (the plugin), "devices": ["cpu", "cuda:0", ...], "blas" (the file that LibTorch's fp32 matrix products are
 * bound to), "graphs" (passes on an accelerator are recorded), "missing" (why it is not available, and how to get it)}.
 * Loads the plugin, where there is one: `plugin`, or where liveness_model_load() looks for it if NULL.
 * INVALID_ARGUMENT, BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_backends_describe(const char* plugin, char* text, size_t capacity,
                                                              size_t* size) LIVENESS_NOEXCEPT;

/* Reads an ONNX file and its contract (JSON; YAML where the library was built with it), makes `goldens` (0 to 64)
 * golden inputs, and writes a package. The file appears whole or not at all. INVALID_ARGUMENT, NOT_FOUND, IO,
 * MODEL_INVALID, UNSUPPORTED, CONFIG_INVALID. */
LIVENESS_CHECKED liveness_status_t liveness_convert(const char* onnx, const char* contract, const char* package,
                                                    int32_t goldens) LIVENESS_NOEXCEPT;

/* ---- smaller packages, and the way back to ONNX ---- */

/* What a picture shows, where somebody knows it. */
typedef int32_t liveness_label_t;
enum { LIVENESS_LABEL_UNKNOWN = 0, LIVENESS_LABEL_BONA_FIDE = 1, LIVENESS_LABEL_ATTACK = 2 };

/* Crops to measure a network on. To be filled by one thread; the functions that take it const only read it. */
typedef struct liveness_samples_t liveness_samples_t;

/* For networks with this model's input and crop. */
LIVENESS_CHECKED liveness_status_t liveness_samples_create(const liveness_model_t* model,
                                                           liveness_samples_t** samples) LIVENESS_NOEXCEPT;
LIVENESS_API void liveness_samples_destroy(liveness_samples_t* samples) LIVENESS_NOEXCEPT;

/* Adds the face in a picture; the crop is copied. `face` NULL: the picture is a crop in the network's own size, or, for
 * a detector, any picture. `box_convention`: whose box that is; NULL: "yunet". INVALID_ARGUMENT, UNSUPPORTED (no map
 * from boxes of that convention). */
LIVENESS_CHECKED liveness_status_t liveness_samples_add(liveness_samples_t* samples, const liveness_image_t* image,
                                                        const liveness_rect_t* face, const char* box_convention,
                                                        liveness_label_t label) LIVENESS_NOEXCEPT;

/* What was done and what it did to the scores: JSON. docs/optimize.md has the keys. */
typedef struct liveness_report_t liveness_report_t;
LIVENESS_API void liveness_report_destroy(liveness_report_t* report) LIVENESS_NOEXCEPT;
/* Text by "ask the size, then fill". INVALID_ARGUMENT, BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_report_json(const liveness_report_t* report, char* text, size_t capacity,
                                                        size_t* size) LIVENESS_NOEXCEPT;

/* How a package keeps its weights: fp16 halves them, int8 quarters them (layers with few weights stay half floats). */
typedef int32_t liveness_storage_t;
enum { LIVENESS_STORAGE_FP32 = 0, LIVENESS_STORAGE_FP16 = 1, LIVENESS_STORAGE_INT8 = 2 };

typedef struct liveness_quantize_options_t {
  uint32_t struct_size;
  liveness_storage_t storage; /* default LIVENESS_STORAGE_INT8 */
  int32_t qualify_bf16;       /* default 0; 1: measure bf16 and let the package claim it where it passes the gate */
  int32_t qualify_int8;       /* default 1: the same for int8 */
  double max_acer;            /* gate: growth of (APCER + BPCER) / 2, as a share; default 0.005; needs labels */
  double max_flips;           /* gate: share of samples whose verdict or faces change; default 0.01 */
  double max_score;           /* gate: mean change of scores, of a detector also of boxes; default 0.02 */
  double sensitive;           /* share of the layers that may be left in fp32 to pass the gate; default 0.25 */
  const liveness_samples_t*
      samples;             /* for the gate; default NULL: nothing can be qualified. Used during the call only */
  const char* const* keep; /* names of layers that stay fp32 in any case; default NULL */
  uint32_t keep_count;     /* length of `keep`; default 0 */
  uint32_t reserved;       /* 0 */
} liveness_quantize_options_t;

/* Defaults. `size`: sizeof(liveness_quantize_options_t). Cannot fail. */
LIVENESS_API void liveness_quantize_options_init(liveness_quantize_options_t* options, size_t size) LIVENESS_NOEXCEPT;

/* Package to package: rounds the weights, and lets the package claim the precisions that pass the gate and no others.
 * The file `out` appears whole or not at all. `options` may be NULL: defaults. `report` may be NULL; otherwise *report
 * is the caller's to destroy. INVALID_ARGUMENT, NOT_FOUND, IO, MODEL_INVALID, UNSUPPORTED. */
LIVENESS_CHECKED liveness_status_t liveness_quantize(const char* package, const char* out,
                                                     const liveness_quantize_options_t* options,
                                                     liveness_report_t** report) LIVENESS_NOEXCEPT;

typedef struct liveness_prune_options_t {
  uint32_t struct_size;
  int32_t per_layer; /* default 0: the least important channels go first; 1: every width shrinks by the same share */
  double ratio;      /* share of the multiply-accumulates to take out, above 0 and below 1; default 0.3 */
  int32_t multiple;  /* widths stay multiples of it, or as they were; default 16 */
  int32_t reserved;  /* 0 */
  const char* gradients; /* safetensors file with a gradient for each weight, for importance; default NULL: L2 norm */
  const liveness_samples_t* samples; /* for the drift; default NULL. Used during the call only */
} liveness_prune_options_t;

/* Defaults. `size`: sizeof(liveness_prune_options_t). Cannot fail. */
LIVENESS_API void liveness_prune_options_init(liveness_prune_options_t* options, size_t size) LIVENESS_NOEXCEPT;

/* Package to package without the least important channels. Everything else as liveness_quantize; UNSUPPORTED also where
 * so much cannot be taken out. */
LIVENESS_CHECKED liveness_status_t liveness_prune(const char* package, const char* out,
                                                  const liveness_prune_options_t* options,
                                                  liveness_report_t** report) LIVENESS_NOEXCEPT;

typedef struct liveness_export_options_t {
  uint32_t struct_size;
  int32_t opset;     /* 11 to 17; default 13 */
  int32_t quantized; /* default 0; 1: weights that the package keeps as int8 stay so, behind DequantizeLinear */
  int32_t reserved;  /* 0 */
  const liveness_samples_t* activations; /* quantized: activations become unsigned 8 bits over the ranges seen in these
                                            samples; default NULL: they stay float. Used during the call only */
} liveness_export_options_t;

/* Defaults. `size`: sizeof(liveness_export_options_t). Cannot fail. */
LIVENESS_API void liveness_export_options_init(liveness_export_options_t* options, size_t size) LIVENESS_NOEXCEPT;

/* Writes a package as an ONNX file with a free batch axis. `options` may be NULL: defaults. INVALID_ARGUMENT,
 * NOT_FOUND, IO, MODEL_INVALID, UNSUPPORTED. */
LIVENESS_CHECKED liveness_status_t liveness_export_onnx(const char* package, const char* onnx,
                                                        const liveness_export_options_t* options) LIVENESS_NOEXCEPT;

/* ---- faces ---- */

/* A face in a frame. */
typedef struct liveness_face_t {
  uint32_t struct_size;
  int32_t has_landmarks;         /* 1: `landmarks` is set, else 0 */
  liveness_rect_t box;           /* pixels of the frame */
  liveness_point_t landmarks[5]; /* right eye, left eye, nose tip, right, left corner of the mouth: the person's own */
  float score;                   /* the detector's confidence, 0 to 1 */
} liveness_face_t;

/* An empty box without landmarks, score 1: set `box`. `size`: sizeof(liveness_face_t). Cannot fail.
 */
LIVENESS_API void liveness_face_init(liveness_face_t* face, size_t size) LIVENESS_NOEXCEPT;

/* Finds faces. Immutable. */
typedef struct liveness_detector_t liveness_detector_t;

typedef struct liveness_detector_options_t {
  uint32_t struct_size;
  float score_threshold; /* 0 to 1; default -1: the package's own */
  float nms_iou;         /* 0 to 1; default -1: the package's own */
  int32_t max_faces;     /* at least 1; default 16: the best by score are kept */
  float min_face;        /* default 0; pixels of the frame, shorter side: smaller faces are dropped */
} liveness_detector_options_t;

/* Defaults. `size`: sizeof(liveness_detector_options_t). Cannot fail. */
LIVENESS_API void liveness_detector_options_init(liveness_detector_options_t* options, size_t size) LIVENESS_NOEXCEPT;

/* `options` may be NULL: defaults. INVALID_ARGUMENT (no detector package, an option out of range). */
LIVENESS_CHECKED liveness_status_t liveness_detector_create(const liveness_model_t* model,
                                                            const liveness_detector_options_t* options,
                                                            liveness_detector_t** detector) LIVENESS_NOEXCEPT;

/* `detector` may be NULL. */
LIVENESS_API void liveness_detector_destroy(liveness_detector_t* detector) LIVENESS_NOEXCEPT;

/* Writes the faces, best score first, to faces[0], faces[1], ...: `capacity` pointers to structs made by
 * liveness_face_init(). *count: how many were written; faces beyond `capacity` are dropped (max_faces bounds them).
 * `faces` may be NULL if capacity is 0. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_detector_detect(const liveness_detector_t* detector,
                                                            const liveness_image_t* image,
                                                            liveness_face_t* const* faces, size_t capacity,
                                                            size_t* count) LIVENESS_NOEXCEPT;

/* ---- verdicts ---- */

/* Zero is never live: memory that nobody wrote denies. */
typedef int32_t liveness_verdict_t;
enum {
  LIVENESS_VERDICT_UNCERTAIN = 0, /* scored, but the evidence does not carry a decision: the reasons say why */
  LIVENESS_VERDICT_LIVE = 1,      /* bona fide presentation */
  LIVENESS_VERDICT_SPOOF = 2,     /* presentation attack */
  LIVENESS_VERDICT_NO_FACE = 3    /* no face was found, nothing was scored */
};

/* "LIVE", "SPOOF", "UNCERTAIN", "NO_FACE"; "UNCERTAIN" for other numbers. Static text. Cannot fail. */
LIVENESS_API const char* liveness_verdict_name(liveness_verdict_t verdict) LIVENESS_NOEXCEPT;

/* What speaks against trusting a score; a set of these bits. */
typedef uint32_t liveness_reasons_t;
enum {
  LIVENESS_REASON_TOO_SMALL = 1,
  LIVENESS_REASON_BLURRED = 2,
  LIVENESS_REASON_DARK = 4,
  LIVENESS_REASON_SATURATED = 8,
  LIVENESS_REASON_AT_BORDER = 16,
  LIVENESS_REASON_TURNED_AWAY = 32,
  LIVENESS_REASON_MODELS_DISAGREE = 64,
  LIVENESS_REASON_SEVERAL_FACES = 128,
  LIVENESS_REASON_UNSTABLE_CROP = 256,
  LIVENESS_REASON_FLAT_MOTION = 512, /* streams only: from here on */
  LIVENESS_REASON_FROZEN = 1024,
  LIVENESS_REASON_FLICKER = 2048
};

/* Name of one bit, e.g. "too_small"; NULL for anything that is not exactly one known bit. Static text. Cannot fail. */
LIVENESS_API const char* liveness_reason_name(liveness_reasons_t reason) LIVENESS_NOEXCEPT;

/* One bit as a sentence for the person in front of the camera; NULL for anything that is not exactly one known bit.
 * Static text. Cannot fail. */
LIVENESS_API const char* liveness_reason_sentence(liveness_reasons_t reason) LIVENESS_NOEXCEPT;

/* ---- profiler ---- */

/* Measures where the time goes: give it to predictors by their options; one may serve several. */
typedef struct liveness_profiler_t liveness_profiler_t;

/* INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_profiler_create(liveness_profiler_t** profiler) LIVENESS_NOEXCEPT;

/* `profiler` may be NULL. Predictors that were given it go on working. */
LIVENESS_API void liveness_profiler_destroy(liveness_profiler_t* profiler) LIVENESS_NOEXCEPT;

/* One figure. Keys are the counters "frames", "faces", "no_face", "errors", "cache_hits", "cache_misses", "skipped",
 * and STAGE.FIGURE with a stage of read, detect, roi, infer, quality, decide, total and a figure of count, total_ms,
 * mean_ms, p50_ms, p90_ms, p99_ms, max_ms: for instance "infer.p99_ms". 0 where nothing was recorded. More keys may
 * come. INVALID_ARGUMENT, NOT_FOUND (no such key). */
LIVENESS_CHECKED liveness_status_t liveness_profiler_get(const liveness_profiler_t* profiler, const char* key,
                                                         double* value) LIVENESS_NOEXCEPT;

/* All figures as JSON: {"counters": {...}, "stages": {"infer": {"count", "mean_ms", ...}}}, stages without a record
 * left out. While other threads predict, the size may grow between asking and filling.
 * INVALID_ARGUMENT, BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_profiler_json(const liveness_profiler_t* profiler, char* text,
                                                          size_t capacity, size_t* size) LIVENESS_NOEXCEPT;

/* Forgets everything. What other threads record meanwhile may be kept or lost. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_profiler_reset(liveness_profiler_t* profiler) LIVENESS_NOEXCEPT;

/* ---- resources ---- */

/* Reads what the process costs the machine: /proc, thermal sensors, and NVML where it is installed. */
typedef struct liveness_monitor_t liveness_monitor_t;

/* One look at the machine. */
typedef struct liveness_usage_t {
  uint32_t struct_size;
  uint32_t reserved;      /* 0 */
  double seconds;         /* the time that process_cpu and machine_cpu are means over */
  double process_cpu;     /* cores that this process kept busy: 0.25 is a quarter of one */
  double machine_cpu;     /* share of all cores that were busy, 0 to 1 */
  int64_t resident_bytes; /* memory of this process */
  double gpu_use;         /* of the busiest device, 0 to 1; -1: not known */
  int64_t gpu_bytes;      /* memory in use on all devices, by anybody; -1: not known */
  double temperature;     /* degrees Celsius, the hottest of processor and GPUs; -273 or below: not known */
} liveness_usage_t;

/* Makes an empty struct to be filled. `size`: sizeof(liveness_usage_t). Cannot fail. */
LIVENESS_API void liveness_usage_init(liveness_usage_t* usage, size_t size) LIVENESS_NOEXCEPT;

/* INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_monitor_create(liveness_monitor_t** monitor) LIVENESS_NOEXCEPT;

/* `monitor` may be NULL. */
LIVENESS_API void liveness_monitor_destroy(liveness_monitor_t* monitor) LIVENESS_NOEXCEPT;

/* Means since the last call, at first since the monitor was made; leave at least a tenth of a second between two calls.
 * INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_monitor_sample(liveness_monitor_t* monitor,
                                                           liveness_usage_t* usage) LIVENESS_NOEXCEPT;

/* Holds a CPU and a memory budget by choosing how much work a stream does; whoever runs the stream does as it says. It
 * reads no clock: all times are the caller's, in seconds of one clock that runs evenly. */
typedef struct liveness_governor_t liveness_governor_t;

typedef struct liveness_governor_options_t {
  uint32_t struct_size;
  int32_t detect_every;   /* default 1: where there is plenty, look for new faces in every so-manieth frame */
  double cpu;             /* budget in cores, 0.25 is a quarter of one; default 0: none */
  int64_t memory_bytes;   /* budget of resident memory; default 0: none */
  double min_fps;         /* default 8: frames a second below which each frame is made cheaper */
  double period;          /* default 0.5: seconds between two decisions */
  double patience;        /* default 6: seconds before a better level is tried again */
  double fps;             /* that the source gives; default 0: unknown */
  int32_t score_every;    /* default 1: where there is plenty, score every so-manieth frame */
  int32_t capture_width;  /* of the camera, default 0: leave it as it is */
  int32_t capture_height; /* of the camera, default 0: leave it as it is */
  int32_t reserved;       /* 0 */
} liveness_governor_options_t;

/* Defaults. `size`: sizeof(liveness_governor_options_t). Cannot fail. */
LIVENESS_API void liveness_governor_options_init(liveness_governor_options_t* options, size_t size) LIVENESS_NOEXCEPT;

/* What the governor chose. */
typedef struct liveness_workload_t {
  uint32_t struct_size;
  int32_t level;          /* 0: as the options say; each next one is cheaper a frame */
  double fps;             /* frames a second to work on (liveness_governor_admit does it); 0: every frame */
  double capture_fps;     /* to ask the camera for; 0: as it is */
  int32_t detect_every;   /* look for new faces in every so-manieth frame worked on */
  int32_t score_every;    /* score every so-manieth frame worked on */
  int32_t capture_width;  /* to ask the camera for; 0: as it is */
  int32_t capture_height; /* to ask the camera for; 0: as it is */
  float scale;            /* of the frame's sides, before anything else is done with it */
  int32_t changed;        /* 1: differs from the choice before in more than the rate of frames */
  int32_t trim;           /* 1: memory is over its budget, caches should give back what they can */
  int32_t reserved;       /* 0 */
} liveness_workload_t;

/* Makes an empty struct to be filled. `size`: sizeof(liveness_workload_t). Cannot fail. */
LIVENESS_API void liveness_workload_init(liveness_workload_t* workload, size_t size) LIVENESS_NOEXCEPT;

/* `options` may be NULL: no budget. INVALID_ARGUMENT (names the option). */
LIVENESS_CHECKED liveness_status_t liveness_governor_create(const liveness_governor_options_t* options,
                                                            liveness_governor_t** governor) LIVENESS_NOEXCEPT;

/* `governor` may be NULL. */
LIVENESS_API void liveness_governor_destroy(liveness_governor_t* governor) LIVENESS_NOEXCEPT;

/* *admitted: 1 where the frame that was taken at `seconds` should be worked on, else 0. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_governor_admit(liveness_governor_t* governor, double seconds,
                                                           int32_t* admitted) LIVENESS_NOEXCEPT;

/* Takes a measurement that was made at `seconds` and tells what to do now. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_governor_update(liveness_governor_t* governor,
                                                            const liveness_usage_t* usage, double seconds,
                                                            liveness_workload_t* workload) LIVENESS_NOEXCEPT;

/* Why the last choice was made, for people. INVALID_ARGUMENT, BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_governor_why(const liveness_governor_t* governor, char* text,
                                                         size_t capacity, size_t* size) LIVENESS_NOEXCEPT;

/* ---- caches, pools, views ---- */

/* Keeps results of pictures that were seen before: give it to predictors by their options; one may serve several. The
 * key is a 128-bit hash of every pixel that anybody reads, of the box where it is given, of the models and of every
 * option that changes a result. Errors are not kept. */
typedef struct liveness_cache_t liveness_cache_t;

/* bytes: at least 1; results are kept while they fit, the least recently used goes first. time_to_live_ms: older
 * results are not used any more; 0: they do not age. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_cache_create(uint64_t bytes, int64_t time_to_live_ms,
                                                         liveness_cache_t** cache) LIVENESS_NOEXCEPT;

/* `cache` may be NULL. Predictors that were given it go on using it. */
LIVENESS_API void liveness_cache_destroy(liveness_cache_t* cache) LIVENESS_NOEXCEPT;

/* One figure: "hits", "misses", "evictions" (results that made room for others, or were too old), "entries" and "bytes"
 * that are there now. More keys may come. INVALID_ARGUMENT, NOT_FOUND (no such key). */
LIVENESS_CHECKED liveness_status_t liveness_cache_get(const liveness_cache_t* cache, const char* key,
                                                      double* value) LIVENESS_NOEXCEPT;

/* Keeps no more than so many bytes of what is there now; 0: nothing. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_cache_shrink(liveness_cache_t* cache, uint64_t bytes) LIVENESS_NOEXCEPT;

/* Threads that batches are worked on: give it to predictors by their options; one may serve several. */
typedef struct liveness_pool_t liveness_pool_t;

/* threads: pictures at a time, 1 to 1024, the one on the calling thread included. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_pool_create(int32_t threads, liveness_pool_t** pool) LIVENESS_NOEXCEPT;

/* `pool` may be NULL. Predictors that were given it go on using it; the threads end with the last of them. */
LIVENESS_API void liveness_pool_destroy(liveness_pool_t* pool) LIVENESS_NOEXCEPT;

/* Ends the batches that run on it early: pictures that were not begun become CANCELLED. Later batches are not affected.
 * INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_pool_cancel(liveness_pool_t* pool) LIVENESS_NOEXCEPT;

/* Other views of a face that are scored too (test-time augmentation). The log-odds of each model are averaged over the
 * views; where one view is LIVE and another not, the face has LIVENESS_REASON_UNSTABLE_CROP. A view costs a pass a
 * model. */
typedef struct liveness_augmentation_t {
  uint32_t struct_size;
  int32_t crops;    /* 0 to 26; default 0: boxes scaled by up to +-10 % and shifted by up to +-5 % */
  int32_t flip;     /* 1: mirrored left to right; default 0 */
  float brightness; /* 0 to 0.9: two views whose grey levels are multiplied by 1 - this and 1 + this; default 0: none */
  float settled; /* default 3; from the third view on, no more are scored when the mean of the log-odds is more than so
                    many standard errors away from both bounds, or a reason makes the face UNCERTAIN anyway. 0: all
                    views are scored */
} liveness_augmentation_t;

/* Defaults. `size`: sizeof(liveness_augmentation_t). Cannot fail. */
LIVENESS_API void liveness_augmentation_init(liveness_augmentation_t* augmentation, size_t size) LIVENESS_NOEXCEPT;

/* ---- evaluation ---- */

/* Exact two-sided confidence interval of a share (Clopper and Pearson): `errors` among `count` independent samples.
 * 0 of 20 gives 0 to 0.168 at confidence 0.95. {0, 1} for a count of 0. INVALID_ARGUMENT (errors above count,
 * confidence not between 0 and 1). */
LIVENESS_CHECKED liveness_status_t liveness_clopper_pearson(int64_t errors, int64_t count, double confidence,
                                                            double* low, double* high) LIVENESS_NOEXCEPT;

/* What was held before the camera, and what a system said of it. Arrays of `count` entries. */
typedef struct liveness_presentations_t {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  size_t count;
  const double* scores;        /* on any scale; larger: more likely bona fide; NaN: no response */
  const char* const* species;  /* attack species such as "print"; an entry that is NULL or "": bona fide */
  const char* const* subjects; /* whose face; may be NULL, and so may entries */
  const char* const* clips;    /* which recording; may be NULL, and so may entries */
} liveness_presentations_t;

/* An empty list. `size`: sizeof(liveness_presentations_t). Cannot fail. */
LIVENESS_API void liveness_presentations_init(liveness_presentations_t* presentations, size_t size) LIVENESS_NOEXCEPT;

/* What counts as one presentation: every score, or the mean of the scores of a clip or subject (of one species). */
typedef int32_t liveness_unit_t;
enum { LIVENESS_UNIT_PICTURE = 0, LIVENESS_UNIT_CLIP = 1, LIVENESS_UNIT_SUBJECT = 2 };

typedef struct liveness_evaluation_options_t {
  uint32_t struct_size;
  liveness_unit_t unit;        /* default LIVENESS_UNIT_PICTURE */
  double live;                 /* bona fide at or above it; default NaN: the threshold of equal error */
  double spoof;                /* attack below it, no response between; default NaN: the same as `live` */
  double confidence;           /* of the intervals; default 0.95 */
  const double* apcer_targets; /* for BPCER at APCER, 0 to 1 each; default NULL: 0.01, 0.05, 0.07, 0.10 */
  size_t apcer_target_count;   /* default 0 */
} liveness_evaluation_options_t;

/* Defaults. `size`: sizeof(liveness_evaluation_options_t). Cannot fail. */
LIVENESS_API void liveness_evaluation_options_init(liveness_evaluation_options_t* options,
                                                   size_t size) LIVENESS_NOEXCEPT;

/* The figures of ISO/IEC 30107-3 as JSON: {"bona_fide", "attacks", "confidence", "auc", "eer", "eer_threshold",
 * "at_apcer": [{"target", "threshold", "apcer", "bpcer", "shown"}], "live", "spoof", "threshold_from_eer",
 * "species": [{"species", "apcer", "apnrr", "auc", "eer"}], "worst_species", "apcer", "far", "bpcer", "apnrr", "bpnrr",
 * "acer", "hter"}; a rate is {"errors", "total", "rate", "low", "high"}, what is not known null. `options` may be NULL:
 * defaults. INVALID_ARGUMENT, BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_evaluate(const liveness_presentations_t* presentations,
                                                     const liveness_evaluation_options_t* options, char* text,
                                                     size_t capacity, size_t* size) LIVENESS_NOEXCEPT;

typedef struct liveness_comparison_options_t {
  uint32_t struct_size;
  int32_t rounds;     /* of the bootstrap, 1 to 1000000; default 2000 */
  double threshold_a; /* bona fide at or above it; default 0 */
  double threshold_b; /* default 0 */
  double confidence;  /* default 0.95 */
  uint64_t seed;      /* default 1 */
} liveness_comparison_options_t;

/* Defaults. `size`: sizeof(liveness_comparison_options_t). Cannot fail. */
LIVENESS_API void liveness_comparison_options_init(liveness_comparison_options_t* options,
                                                   size_t size) LIVENESS_NOEXCEPT;

/* Two systems on the same presentations in the same order, as JSON: {"presentations", "only_a_right", "only_b_right",
 * "mcnemar", "paired", "clusters", "auc_a", "auc_b", "difference", "low", "high"}: the exact McNemar test, and B's AUC
 * minus A's with the interval of a paired bootstrap over clips. `options` may be NULL: defaults. INVALID_ARGUMENT
 * (lists that do not fit), BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_compare(const liveness_presentations_t* a,
                                                    const liveness_presentations_t* b,
                                                    const liveness_comparison_options_t* options, char* text,
                                                    size_t capacity, size_t* size) LIVENESS_NOEXCEPT;

/* ---- calibration ---- */

/* How the scores of several models become one. */
typedef int32_t liveness_fusion_t;
enum {
  LIVENESS_FUSION_MEAN = 0,          /* mean of P(live) */
  LIVENESS_FUSION_WEIGHTED = 1,      /* weighted mean of P(live) */
  LIVENESS_FUSION_LOG_ODDS_MEAN = 2, /* mean of the log-odds */
  LIVENESS_FUSION_MAJORITY = 3,      /* share of models at or above their own threshold */
  LIVENESS_FUSION_MINIMUM = 4        /* the most suspicious model decides */
};

/* Scores and thresholds fitted to one's own camera, for certain models. Immutable. */
typedef struct liveness_calibration_t liveness_calibration_t;

/* A file that `liveness calibrate` or liveness_calibration_save() wrote. NOT_FOUND, IO, CONFIG_INVALID
 * (file:line:column), UNSUPPORTED (YAML, and the library was built without it: JSON works). */
LIVENESS_CHECKED liveness_status_t liveness_calibration_load(const char* path,
                                                             liveness_calibration_t** calibration) LIVENESS_NOEXCEPT;

/* `calibration` may be NULL. Predictors that were given it go on working. */
LIVENESS_API void liveness_calibration_destroy(liveness_calibration_t* calibration) LIVENESS_NOEXCEPT;

/* Writes a file, YAML or (by its name) JSON; it appears whole or not at all. INVALID_ARGUMENT, IO. */
LIVENESS_CHECKED liveness_status_t liveness_calibration_save(const liveness_calibration_t* calibration,
                                                             const char* path) LIVENESS_NOEXCEPT;

/* The file's text, YAML. INVALID_ARGUMENT, BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_calibration_describe(const liveness_calibration_t* calibration, char* text,
                                                                 size_t capacity, size_t* size) LIVENESS_NOEXCEPT;

/* *calibrated: the calibrated log-odds of log-odds of P(live), within +-30. INVALID_ARGUMENT (NaN). */
LIVENESS_CHECKED liveness_status_t liveness_calibration_apply(const liveness_calibration_t* calibration, float logit,
                                                              float* calibrated) LIVENESS_NOEXCEPT;

/* How log-odds become calibrated ones. AUTO: the method with the smallest held-out loss. */
typedef int32_t liveness_calibration_method_t;
enum {
  LIVENESS_CALIBRATION_AUTO = -1,
  LIVENESS_CALIBRATION_NONE = 0,
  LIVENESS_CALIBRATION_TEMPERATURE = 1,
  LIVENESS_CALIBRATION_PLATT = 2,
  LIVENESS_CALIBRATION_BETA = 3
};

/* Which error a threshold profile is to hold. */
typedef int32_t liveness_target_t;
enum {
  LIVENESS_TARGET_EQUAL = 0, /* APCER of the worst species = BPCER */
  LIVENESS_TARGET_APCER = 1, /* APCER of the worst species at most the rate */
  LIVENESS_TARGET_BPCER = 2  /* BPCER at most the rate */
};

typedef struct liveness_error_target_t {
  uint32_t struct_size;
  liveness_target_t kind;
  const char* profile; /* its name; "balanced" must be among them */
  double rate;         /* above 0, below 1; not used for EQUAL */
} liveness_error_target_t;

/* Profile "balanced", EQUAL. `size`: sizeof(liveness_error_target_t). Cannot fail. */
LIVENESS_API void liveness_error_target_init(liveness_error_target_t* target, size_t size) LIVENESS_NOEXCEPT;

typedef struct liveness_calibration_options_t {
  uint32_t struct_size;
  liveness_calibration_method_t method; /* default LIVENESS_CALIBRATION_AUTO */
  liveness_fusion_t fusion;             /* of the models; default MEAN */
  int32_t folds;                        /* of the cross-validation, 2 to 100; default 5 */
  const float* weights;                 /* fusion WEIGHTED: one a model; default NULL */
  uint64_t seed;                        /* of the folds; default 1 */
  double confidence;                    /* of what is said about too few samples; default 0.95 */
  /* default NULL: strict (APCER 1 %), balanced (EQUAL), lenient (BPCER 1 %) */
  const liveness_error_target_t* const* targets;
  size_t target_count; /* default 0 */
} liveness_calibration_options_t;

/* Defaults. `size`: sizeof(liveness_calibration_options_t). Cannot fail. */
LIVENESS_API void liveness_calibration_options_init(liveness_calibration_options_t* options,
                                                    size_t size) LIVENESS_NOEXCEPT;

/* Fits a calibration to presentations whose scores are uncalibrated log-odds that a predictor with these `models` (in
 * this order) gave: liveness_summary_t.logit, NaN where it gave no score. `options` may be NULL: defaults.
 * INVALID_ARGUMENT, INVALID_STATE (no bona fide presentation has a score). */
LIVENESS_CHECKED liveness_status_t liveness_calibration_fit(const liveness_presentations_t* presentations,
                                                            liveness_model_t* const* models, size_t count,
                                                            const liveness_calibration_options_t* options,
                                                            liveness_calibration_t** calibration) LIVENESS_NOEXCEPT;

/* ---- predictor ---- */

/* One PAD network or several, with or without a detector. Immutable. */
typedef struct liveness_predictor_t liveness_predictor_t;

/* Bounds beyond which a quality value of liveness_face_result_t becomes a reason. */
typedef struct liveness_quality_limits_t {
  uint32_t struct_size;
  float min_face_pixels; /* default 48; below: TOO_SMALL */
  float min_sharpness;   /* default 15; below: BLURRED */
  float min_luminance;   /* default 40; below: DARK */
  float max_overexposed; /* default 0.25; above: SATURATED */
  float max_outside;     /* default 0.35; above: AT_BORDER */
  float max_yaw;         /* default 40; beyond, to either side: TURNED_AWAY */
  float max_pitch;       /* default 35; beyond, up or down: TURNED_AWAY */
} liveness_quality_limits_t;

/* Defaults. `size`: sizeof(liveness_quality_limits_t). Cannot fail. */
LIVENESS_API void liveness_quality_limits_init(liveness_quality_limits_t* limits, size_t size) LIVENESS_NOEXCEPT;

typedef struct liveness_predictor_options_t {
  uint32_t struct_size;
  liveness_fusion_t fusion;                     /* of several models; default MEAN */
  const liveness_model_t* detector;             /* default NULL: every call must give the face */
  const liveness_detector_options_t* detection; /* default NULL: the detector's defaults */
  const char* box_convention;                   /* default "yunet": of the boxes that the caller gives */
  const char* profile; /* default "balanced": threshold profile of the package (strict, balanced, lenient) */
  const liveness_quality_limits_t* limits; /* default NULL: the limits' defaults */
  const float* weights;                    /* fusion WEIGHTED: one a model, none negative, sum above 0; default NULL */
  liveness_profiler_t* profiler;           /* default NULL: no measuring */
  float threshold;            /* 0 to 1: LIVE at or above it, SPOOF below; default -1: the profile decides */
  float disagreement;         /* default 0.6: difference of the models' P(live) from which they disagree */
  liveness_reasons_t abstain; /* turn LIVE or SPOOF into UNCERTAIN; default: all but AT_BORDER and SEVERAL_FACES */
  int32_t all_faces;          /* default 0: only the largest face is scored; 1: all of them */
  int32_t stability_crops; /* default 0; stands for an `augmentation` with so many crops, and is 0 where one is given */
  int32_t reserved;        /* 0 */
  const liveness_augmentation_t* augmentation; /* default NULL: the face as it is */
  liveness_cache_t* cache;                     /* default NULL: every picture is scored */
  liveness_pool_t* pool; /* for batches; default NULL: threads of the predictor's own, kept between calls */
  const liveness_calibration_t* calibration; /* default NULL: none; made for these models, else INVALID_ARGUMENT */
} liveness_predictor_options_t;

/* Defaults. `size`: sizeof(liveness_predictor_options_t). Cannot fail. */
LIVENESS_API void liveness_predictor_options_init(liveness_predictor_options_t* options, size_t size) LIVENESS_NOEXCEPT;

/* `models`: `count` PAD models, at least one; they share one detection and one pass over the pixels. NULL with a count
 * of 0: the PAD model that is compiled into the library, with its detector where `options` has none (NOT_FOUND where
 * there is none such). `options` may be NULL: defaults. INVALID_ARGUMENT (no PAD model, an option out of range),
 * UNSUPPORTED (a box convention that a model cannot take). */
LIVENESS_CHECKED liveness_status_t liveness_predictor_create(liveness_model_t* const* models, size_t count,
                                                             const liveness_predictor_options_t* options,
                                                             liveness_predictor_t** predictor) LIVENESS_NOEXCEPT;

/* `predictor` may be NULL. */
LIVENESS_API void liveness_predictor_destroy(liveness_predictor_t* predictor) LIVENESS_NOEXCEPT;

/* The outcome of one prediction, filled by predict calls and read by the functions below. Belongs to the caller and may
 * be filled again and again; one thread at a time may fill it. */
typedef struct liveness_result_t liveness_result_t;

/* An empty result. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_result_create(liveness_result_t** result) LIVENESS_NOEXCEPT;

/* `result` may be NULL. */
LIVENESS_API void liveness_result_destroy(liveness_result_t* result) LIVENESS_NOEXCEPT;

/* Scores one picture. `face` may be NULL: then the detector finds it. A picture without a face is no error: its verdict
 * is NO_FACE. INVALID_ARGUMENT (the picture or the box: says which field), INVALID_STATE (no face given, no detector),
 * UNSUPPORTED (the box convention), MODEL_INVALID (a network gave NaN or infinity). */
LIVENESS_CHECKED liveness_status_t liveness_predictor_predict(const liveness_predictor_t* predictor,
                                                              const liveness_image_t* image,
                                                              const liveness_face_t* face,
                                                              liveness_result_t* result) LIVENESS_NOEXCEPT;

/* Scores `count` pictures, at most `threads` at a time (0: as many as the pool has, 1 without a pool); equal to single
 * calls. `boxes`: one a picture, or NULL: then the detector finds the faces. results[i] gets picture i's outcome; where
 * a picture failed (or was not begun before liveness_pool_cancel(): CANCELLED), reading results[i] returns its status
 * and message, and the others are not touched by that. The results must be distinct. `images` and `results` may be NULL
 * if count is 0. INVALID_ARGUMENT (a NULL, threads), INVALID_STATE (no boxes, no detector). */
LIVENESS_CHECKED liveness_status_t liveness_predictor_predict_batch(
    const liveness_predictor_t* predictor, const liveness_image_t* const* images, const liveness_rect_t* boxes,
    size_t count, int32_t threads, liveness_result_t* const* results) LIVENESS_NOEXCEPT;

/* The verdict on a picture: that of the deciding face, the largest one. */
typedef struct liveness_summary_t {
  uint32_t struct_size;
  liveness_verdict_t verdict;
  float score;     /* P(live), 0 to 1; 0 where there is no face */
  float logit;     /* log-odds of the score, within +-30 */
  float threshold; /* the score that LIVE takes */
  liveness_reasons_t reasons;
  uint32_t face_count; /* scored faces; the deciding one is 0 */
  int32_t from_cache;  /* 1: was scored before, `total_ms` is the time of looking it up; else 0 */
  double detect_ms;    /* wall time, milliseconds */
  double roi_ms;
  double infer_ms;
  double total_ms;
} liveness_summary_t;

/* Makes an empty struct to be filled, verdict UNCERTAIN. `size`: sizeof(liveness_summary_t). Cannot fail. */
LIVENESS_API void liveness_summary_init(liveness_summary_t* summary, size_t size) LIVENESS_NOEXCEPT;

/* INVALID_ARGUMENT, INVALID_STATE (nothing was predicted into it yet), or the status of the picture that failed in a
 * batch. */
LIVENESS_CHECKED liveness_status_t liveness_result_summary(const liveness_result_t* result,
                                                           liveness_summary_t* summary) LIVENESS_NOEXCEPT;

/* What is known of one face. */
typedef struct liveness_face_result_t {
  uint32_t struct_size;
  liveness_verdict_t verdict;
  float score;     /* P(live), 0 to 1, fused over the models */
  float logit;     /* log-odds of the score, within +-30 */
  float threshold; /* the score that LIVE takes */
  liveness_reasons_t reasons;
  uint32_t member_count; /* models that scored it */
  int32_t has_landmarks;
  liveness_rect_t box; /* in the detector's convention, or the caller's */
  liveness_point_t landmarks[5];
  float detection;    /* the detector's confidence, 0 to 1 */
  float face_pixels;  /* shorter side of the box, pixels */
  float sharpness;    /* variance of the Laplacian of the face scaled to 64 x 64 grey levels */
  float luminance;    /* mean grey level of the face, 0 to 255 */
  float overexposed;  /* share of pixels at 250 and above, 0 to 1 */
  float underexposed; /* share of pixels at 5 and below, 0 to 1 */
  float outside;      /* largest share of a model's crop outside the frame, 0 to 1 */
  float yaw;          /* degrees, positive to the person's left; 0 without landmarks */
  float pitch;        /* degrees, positive up */
  float roll;         /* degrees in the image plane, positive clockwise as seen in the picture */
  float spread;       /* standard deviation of the views' log-odds; 0 for one view */
  uint32_t views;     /* pictures of the face that were scored: 1, and those of the augmentation */
} liveness_face_result_t;

/* Makes an empty struct to be filled, verdict UNCERTAIN. `size`: sizeof(liveness_face_result_t). Cannot fail. */
LIVENESS_API void liveness_face_result_init(liveness_face_result_t* face, size_t size) LIVENESS_NOEXCEPT;

/* Face `index` (below face_count). As liveness_result_summary(). */
LIVENESS_CHECKED liveness_status_t liveness_result_face(const liveness_result_t* result, uint32_t index,
                                                        liveness_face_result_t* face) LIVENESS_NOEXCEPT;

/* What model `member` (index in the array given to liveness_predictor_create) said of face `index`: *score is P(live),
 * *logit its log-odds. Either may be NULL. As liveness_result_summary(). */
LIVENESS_CHECKED liveness_status_t liveness_result_member(const liveness_result_t* result, uint32_t index,
                                                          uint32_t member, float* score,
                                                          float* logit) LIVENESS_NOEXCEPT;

/* The names of the models that scored, joined by '+'. As liveness_result_summary(), and BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_result_model(const liveness_result_t* result, char* text, size_t capacity,
                                                         size_t* size) LIVENESS_NOEXCEPT;

/* ---- configuration ---- */

/* Values of everything that can be set, from defaults, one file, the environment and the program; docs/configuration.md
 * lists the keys, "section.name". */
typedef struct liveness_config_t liveness_config_t;

/* Defaults. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_config_create(liveness_config_t** config) LIVENESS_NOEXCEPT;

/* Defaults, then a file (.yaml, .yml, .json), then the environment (LIVENESS_SECTION_NAME). INVALID_ARGUMENT,
 * NOT_FOUND, IO, CONFIG_INVALID (FILE:LINE:COLUMN: KEY: what is wrong, with the nearest known key), UNSUPPORTED (YAML
 * in a library that was built without it). */
LIVENESS_CHECKED liveness_status_t liveness_config_load(const char* path, liveness_config_t** config) LIVENESS_NOEXCEPT;

/* `config` may be NULL. */
LIVENESS_API void liveness_config_destroy(liveness_config_t* config) LIVENESS_NOEXCEPT;

/* Sets one key, over file and environment; lists are separated by commas. INVALID_ARGUMENT, CONFIG_INVALID. */
LIVENESS_CHECKED liveness_status_t liveness_config_set(liveness_config_t* config, const char* key,
                                                       const char* value) LIVENESS_NOEXCEPT;

/* The value of a key as JSON: "30", "\"strict\"", "[\"dark\"]". INVALID_ARGUMENT, NOT_FOUND (no such key),
 * BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_config_get(const liveness_config_t* config, const char* key, char* text,
                                                       size_t capacity, size_t* size) LIVENESS_NOEXCEPT;

/* Where the value came from: "default", "FILE:LINE:COLUMN", the name of a variable, "flag". As liveness_config_get().
 */
LIVENESS_CHECKED liveness_status_t liveness_config_where(const liveness_config_t* config, const char* key, char* text,
                                                         size_t capacity, size_t* size) LIVENESS_NOEXCEPT;

/* The effective values as YAML that liveness_config_load() reads, each with where it came from. INVALID_ARGUMENT,
 * BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_config_yaml(const liveness_config_t* config, char* text, size_t capacity,
                                                        size_t* size) LIVENESS_NOEXCEPT;

/* Reads the file again; one that does not check out changes nothing. *changed and *waiting (either may be NULL): how
 * many keys hold a new value from now on, and how many would need a new start and keep their old one. As
 * liveness_config_load(), and INVALID_STATE where there was no file. */
LIVENESS_CHECKED liveness_status_t liveness_config_reload(liveness_config_t* config, uint32_t* changed,
                                                          uint32_t* waiting) LIVENESS_NOEXCEPT;

/* Loads the models that the configuration names and makes a predictor of them; in place of a PAD network or a detector
 * that it does not name it takes the one inside the library. `profiler` may be NULL: no measuring. As
 * liveness_model_load() and liveness_predictor_create(), and CONFIG_INVALID where no PAD network is named or inside. */
LIVENESS_CHECKED liveness_status_t liveness_config_predictor(const liveness_config_t* config,
                                                             liveness_profiler_t* profiler,
                                                             liveness_predictor_t** predictor) LIVENESS_NOEXCEPT;

/* A governor with the budgets of the section `resources`. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_config_governor(const liveness_config_t* config,
                                                            liveness_governor_t** governor) LIVENESS_NOEXCEPT;

/* ---- streams: tracker ---- */

/* Finds faces in a stream, follows them and gives each an id. One stream: not const, one thread at a time. */
typedef struct liveness_tracker_t liveness_tracker_t;

/* How a face is followed between searches of the whole frame. */
typedef int32_t liveness_track_method_t;
enum {
  LIVENESS_TRACK_METHOD_REDETECT = 0, /* the detector looks again in a small window around the predicted place */
  LIVENESS_TRACK_METHOD_NONE = 1      /* the whole frame is searched every time */
};

typedef struct liveness_tracker_options_t {
  uint32_t struct_size;
  liveness_track_method_t method;
  int32_t
      detect_every;    /* default 30; 1 to 300: at most so many frames from one search of the whole frame to the next */
  int32_t window;      /* default -1: the detector's own (its contract's detector.tracking, or 96); 8 to 1024: side of
                          the window's picture, pixels; a multiple of the detector's strides */
  float window_scale;  /* default -1: the detector's own, or 2; 1.2 to 8: side of the window, times the longer side of
                          the face */
  float quality_floor; /* default 0.7; 0 to 1: below, a box is doubtful and the whole frame is searched */
  int32_t confirm_within;   /* default 3; 0 to 30: frames since its last detection after which a box is never scored */
  int32_t birth;            /* default 2; 1 to 30: detections in a row that make a track */
  int32_t death;            /* default 10; 1 to 300: frames without the face that end it */
  int32_t max_faces;        /* default 4; 1 to 32: the largest are followed */
  float min_face;           /* default 0: pixels of the shorter side; smaller faces are not followed */
  float match_iou;          /* default 0.2; 0 to 1: least overlap of a face with its predicted box */
  float same_face;          /* default 0.7; -1 to 1: least likeness of one face from frame to frame */
  float same_scene;         /* default 0.4; -1 to 1: likeness of two frames below which there was a cut */
  float max_gap;            /* default 1: seconds without a frame after which every track ends */
  float noise_measurement;  /* default 0.015: deviation of a measured coordinate, in face sizes; more smooths more */
  float noise_acceleration; /* default 4: deviation of the acceleration, in face sizes a second squared */
  int32_t reserved;         /* 0 */
  const liveness_detector_options_t* detection; /* default NULL: the detector's defaults */
} liveness_tracker_options_t;

/* Defaults. `size`: sizeof(liveness_tracker_options_t). Cannot fail. */
LIVENESS_API void liveness_tracker_options_init(liveness_tracker_options_t* options, size_t size) LIVENESS_NOEXCEPT;

/* How far the decision on a track has come. */
typedef int32_t liveness_track_state_t;
enum {
  LIVENESS_TRACK_STATE_SEARCHING = 0,  /* nothing was scored yet */
  LIVENESS_TRACK_STATE_COLLECTING = 1, /* scores are collected */
  LIVENESS_TRACK_STATE_DECIDED = 2     /* LIVE, SPOOF, or UNCERTAIN since the time ran out; may change */
};

/* One face of a stream. Ids count from 1 and are never used again: what belongs to an id belongs to one appearance. */
typedef struct liveness_track_t {
  uint32_t struct_size;
  liveness_track_state_t state; /* from here to `scores`: of a verifier's tracks; 0 in a tracker's */
  liveness_verdict_t verdict;
  float score;      /* P(live) of the mean log-odds that the decision rests on, 0 to 1; 0 where nothing was scored */
  float confidence; /* 0 to 1: the way from no evidence to the bound of the decision */
  float threshold;  /* the score that LIVE takes now */
  liveness_reasons_t reasons;
  int32_t scored;        /* 1: a network looked at it in this frame */
  int32_t scores;        /* how often since the track began or was reopened */
  float quality;         /* 0 to 1: how sure the tracker is; 0 where the face was not found in this frame */
  int32_t found;         /* 1: the detector has it in this frame */
  int32_t has_landmarks; /* as in liveness_face_t */
  liveness_rect_t box;   /* filtered */
  liveness_point_t landmarks[5];
  double evidence; /* natural logarithm of the likelihood ratio of bona fide against attack */
  double since;    /* seconds: when the track began */
  double decided;  /* seconds: when the verdict was reached; 0 where it was not */
  uint64_t id;
} liveness_track_t;

/* Makes an empty struct to be filled, verdict UNCERTAIN. `size`: sizeof(liveness_track_t). Cannot fail. */
LIVENESS_API void liveness_track_init(liveness_track_t* track, size_t size) LIVENESS_NOEXCEPT;

/* `options` may be NULL: defaults. INVALID_ARGUMENT (no detector, an option out of range), UNSUPPORTED (the network
 * cannot be planned for the window). */
LIVENESS_CHECKED liveness_status_t liveness_tracker_create(const liveness_model_t* detector,
                                                           const liveness_tracker_options_t* options,
                                                           liveness_tracker_t** tracker) LIVENESS_NOEXCEPT;

/* `tracker` may be NULL. */
LIVENESS_API void liveness_tracker_destroy(liveness_tracker_t* tracker) LIVENESS_NOEXCEPT;

/* The next frame and its time in seconds, not before the last one's. Writes at most `capacity` tracks, the largest
 * first, and how many in *count. INVALID_ARGUMENT (the picture, the time; the tracker is then unchanged). */
LIVENESS_CHECKED liveness_status_t liveness_tracker_update(liveness_tracker_t* tracker, const liveness_image_t* image,
                                                           double seconds, liveness_track_t* const* tracks,
                                                           size_t capacity, size_t* count) LIVENESS_NOEXCEPT;

/* ---- streams: verifier ---- */

/* A stream in, decisions out: tracker, models and a sequential test. Models are shared: any number of verifiers may use
 * one. */
typedef struct liveness_verifier_t liveness_verifier_t;

/* What may be changed while a stream runs, to save time. */
typedef struct liveness_pace_t {
  uint32_t struct_size;
  int32_t detect_every; /* default 30; 1 to 300 */
  int32_t score_every;  /* default 3; 1 to 300: a track is scored in every so many frames */
  int32_t skip;         /* default 0; 0 to 30: frames left out after each one that is looked at */
} liveness_pace_t;

/* Defaults. `size`: sizeof(liveness_pace_t). Cannot fail. */
LIVENESS_API void liveness_pace_init(liveness_pace_t* pace, size_t size) LIVENESS_NOEXCEPT;

typedef struct liveness_verifier_options_t {
  uint32_t struct_size;
  int32_t all_faces; /* default 0: only the largest face is scored and decided; 1: all of them */
  int32_t
      early_exit; /* default 0; 1: a decided track is scored again only every rescore_every frames or if it changes */
  int32_t rescore_every; /* default 30; 1 to 3000 */
  float changed_face;    /* default 0.75; -1 to 1: likeness to the face that was scored or decided on below which it is
                            scored at once, and its verdict reopened */
  int32_t queue;         /* default 2; 1 to 64: frames that wait in asynchronous mode */
  float apcer;           /* default -1: of the profile; else the share of attacks that may be called LIVE, 0 to 0.5 */
  float bpcer;           /* default -1: of the profile; else the share of bona fide that may be called SPOOF */
  float gain;            /* default 1: evidence of one unit of log-odds */
  float max_step;        /* default 4: most evidence of one score */
  float correlation_seconds; /* default 0.25: time in which the correlation of two scores falls to 1/e */
  float shared;              /* default 0.1; 0 to 1: part of the scores' variance that a presentation does not change */
  int32_t min_frames;        /* default 5: scores that LIVE takes at least */
  float min_seconds;         /* default 0.5: time that LIVE takes at least */
  float max_seconds;         /* default 8: time with a face after which an open test is UNCERTAIN */
  int32_t smoothing_window;  /* default 5; 1 to 15 scores; 1: no smoothing */
  float smoothing_spike;     /* default 3: log-odds above the median of the window from which a score is cut back */
  float smoothing_spread;    /* default 2: deviation of the log-odds at which a score counts half */
  int32_t adaptive;          /* default 0; 1: the threshold may rise with cause; never in the profile "strict" */
  float adaptive_max_raise;  /* default 1.5; 0 to 10 log-odds */
  int32_t cues;              /* default 0; 1: motion that speaks against a face is a reason and denies LIVE */
  int32_t reserved;          /* 0 */
  const liveness_predictor_options_t* scoring; /* default NULL: defaults. Its detector, detection and box_convention are
                                                  not used. */
  const liveness_tracker_options_t* tracking;  /* default NULL: defaults. Its detect_every is not used. */
  const liveness_pace_t* pace;                 /* default NULL: defaults */
  float adaptive_per_step;  /* default 0.5; 0 to 10: raise in log-odds for every halving of light, sharpness or size */
  float adaptive_luminance; /* default 90: references below which that begins: grey level of the face, */
  float adaptive_sharpness; /* default 60: sharpness as in liveness_quality_t, */
  float adaptive_face_pixels; /* default 96: shorter side of the face */
  float adaptive_deviations;  /* default 3; 0 to 10: so many below the mean of the stream's bona fide scores */
  int32_t adaptive_memory;    /* default 200; 10 to 100000: scores that it learns from */
  float adaptive_max_speed;   /* default 0.5; greater than 0: log-odds a second */
  float cues_least_turn;      /* default 0.12; 0.01 to 1: change of shape of eyes and mouth that counts as a turn */
  float cues_flat;  /* default 0.03; 0 to 1: nose off the plane, in eye distances, up to which the motion is flat */
  float cues_still; /* default 0.6; 0 to 255: mean difference in grey levels up to which nothing lives in a face */
  float cues_least_move; /* default 0.1; 0 to 100: way, in face sizes, before a face can be frozen */
  float cues_flicker;    /* default 2; 0 to 255: mean size of alternating swings, grey levels */
  int32_t cues_frames;   /* default 24; 8 to 64: over which swings and stillness are watched */
  int32_t reserved2;     /* 0 */
} liveness_verifier_options_t;

/* Defaults. `size`: sizeof(liveness_verifier_options_t). Cannot fail. */
LIVENESS_API void liveness_verifier_options_init(liveness_verifier_options_t* options, size_t size) LIVENESS_NOEXCEPT;

/* `models`: `count` PAD models, at least one. `options` may be NULL: defaults. INVALID_ARGUMENT (no PAD model, no
 * detector, an option out of range), UNSUPPORTED (box convention; window). */
LIVENESS_CHECKED liveness_status_t liveness_verifier_create(liveness_model_t* const* models, size_t count,
                                                            const liveness_model_t* detector,
                                                            const liveness_verifier_options_t* options,
                                                            liveness_verifier_t** verifier) LIVENESS_NOEXCEPT;

/* What decides on one stream, with the models of liveness_config_predictor(); `profiler` may be NULL. As that and
 * liveness_verifier_create(), and CONFIG_INVALID where no detector is named or inside, UNSUPPORTED where
 * `pipeline.tracker` is flow, csrt or kcf: C programs have no followers. */
LIVENESS_CHECKED liveness_status_t liveness_config_verifier(const liveness_config_t* config,
                                                            liveness_profiler_t* profiler,
                                                            liveness_verifier_t** verifier) LIVENESS_NOEXCEPT;

/* `verifier` may be NULL. Ends the asynchronous mode; not to be called from its callback. */
LIVENESS_API void liveness_verifier_destroy(liveness_verifier_t* verifier) LIVENESS_NOEXCEPT;

/* The state of a stream after one frame, filled by push and read by the functions below. Belongs to the caller. */
typedef struct liveness_update_t liveness_update_t;

/* An empty update. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_update_create(liveness_update_t** update) LIVENESS_NOEXCEPT;

/* `update` may be NULL. Not for the updates that a callback gets. */
LIVENESS_API void liveness_update_destroy(liveness_update_t* update) LIVENESS_NOEXCEPT;

/* The next frame and its time in seconds, not before the last one's; frames may be missing or late. INVALID_ARGUMENT
 * (the picture, the time; nothing has changed then), INVALID_STATE (asynchronous mode), MODEL_INVALID. */
LIVENESS_CHECKED liveness_status_t liveness_verifier_push(liveness_verifier_t* verifier, const liveness_image_t* image,
                                                          double seconds, liveness_update_t* update) LIVENESS_NOEXCEPT;

typedef struct liveness_update_summary_t {
  uint32_t struct_size;
  liveness_verdict_t verdict; /* of the deciding track, the largest; NO_FACE where there is none */
  uint32_t track_count;       /* the deciding one is 0 */
  uint32_t event_count;
  int32_t skipped;  /* 1: the pace left this frame out */
  int32_t reserved; /* 0 */
  uint64_t frame;   /* counts the frames given, from 0 */
  double seconds;
  double detect_ms; /* wall time, milliseconds: the tracker's, */
  double roi_ms;
  double infer_ms;
  double total_ms;
} liveness_update_summary_t;

/* Makes an empty struct to be filled. `size`: sizeof(liveness_update_summary_t). Cannot fail. */
LIVENESS_API void liveness_update_summary_init(liveness_update_summary_t* summary, size_t size) LIVENESS_NOEXCEPT;

/* INVALID_ARGUMENT, INVALID_STATE (nothing was pushed into it yet). */
LIVENESS_CHECKED liveness_status_t liveness_update_summary(const liveness_update_t* update,
                                                           liveness_update_summary_t* summary) LIVENESS_NOEXCEPT;

/* Track `index` (below track_count). As liveness_update_summary(). */
LIVENESS_CHECKED liveness_status_t liveness_update_track(const liveness_update_t* update, uint32_t index,
                                                         liveness_track_t* track) LIVENESS_NOEXCEPT;

/* What happened to a stream or to a track. */
typedef int32_t liveness_event_kind_t;
enum {
  LIVENESS_EVENT_NEW_TRACK = 0, /* a face appeared */
  LIVENESS_EVENT_DECIDED = 1,   /* a track has its first verdict; UNCERTAIN: the time ran out */
  LIVENESS_EVENT_CHANGED = 2,   /* a verdict was revoked or has changed */
  LIVENESS_EVENT_LOST = 3,      /* a track ended */
  LIVENESS_EVENT_CUT = 4,       /* scene cut: every track ended */
  LIVENESS_EVENT_GAP = 5,       /* no frame for too long: every track ended */
  LIVENESS_EVENT_FORMAT = 6,    /* size or pixel format of the frames changed: every track ended */
  LIVENESS_EVENT_FROZEN = 7,    /* the stream repeats one picture */
  LIVENESS_EVENT_RESUMED = 8,   /* it moves again */
  LIVENESS_EVENT_ERROR = 9,     /* asynchronous mode: a frame was refused; the text says why */
  LIVENESS_EVENT_THRESHOLD = 10 /* the adaptive threshold moved; the text says why */
};

typedef struct liveness_event_t {
  uint32_t struct_size;
  liveness_event_kind_t kind;
  liveness_verdict_t verdict;  /* of the track, after the event */
  liveness_verdict_t previous; /* before it */
  uint64_t track;              /* 0 where it concerns the stream */
  double seconds;
} liveness_event_t;

/* Makes an empty struct to be filled. `size`: sizeof(liveness_event_t). Cannot fail. */
LIVENESS_API void liveness_event_init(liveness_event_t* event, size_t size) LIVENESS_NOEXCEPT;

/* Name of a kind, e.g. "new_track"; "unknown" for other numbers. Static text. Cannot fail. */
LIVENESS_API const char* liveness_event_name(liveness_event_kind_t kind) LIVENESS_NOEXCEPT;

/* Event `index` (below event_count), in their order. As liveness_update_summary(). */
LIVENESS_CHECKED liveness_status_t liveness_update_event(const liveness_update_t* update, uint32_t index,
                                                         liveness_event_t* event) LIVENESS_NOEXCEPT;

/* Its text for people, which may be empty. As liveness_update_summary(), and BUFFER_TOO_SMALL. */
LIVENESS_CHECKED liveness_status_t liveness_update_event_text(const liveness_update_t* update, uint32_t index,
                                                              char* text, size_t capacity,
                                                              size_t* size) LIVENESS_NOEXCEPT;

/* Gets every update of the asynchronous mode, on the verifier's own thread. `update` is valid during the call only. It
 * may call anything but start, stop and destroy of its verifier. */
typedef void (*liveness_update_callback_t)(void* context, const liveness_update_t* update);

/* Asynchronous mode: from here on submit takes frames and a thread of the verifier looks at them. INVALID_ARGUMENT,
 * INVALID_STATE (it is on already). */
LIVENESS_CHECKED liveness_status_t liveness_verifier_start(liveness_verifier_t* verifier,
                                                           liveness_update_callback_t callback,
                                                           void* context) LIVENESS_NOEXCEPT;

/* Copies the frame and returns at once; a full queue drops its oldest frame. From any thread, also while others call
 * this, dropped, pace and set_pace. INVALID_ARGUMENT (the picture; a time that runs backwards), INVALID_STATE (the
 * mode is off). */
LIVENESS_CHECKED liveness_status_t liveness_verifier_submit(liveness_verifier_t* verifier,
                                                            const liveness_image_t* image,
                                                            double seconds) LIVENESS_NOEXCEPT;

/* Drops what waits, waits for the frame in work, ends the mode; nothing happens where it is off. INVALID_STATE (called
 * from the callback). */
LIVENESS_CHECKED liveness_status_t liveness_verifier_stop(liveness_verifier_t* verifier) LIVENESS_NOEXCEPT;

/* *count: frames that the queue dropped since start. From any thread. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_verifier_dropped(const liveness_verifier_t* verifier,
                                                             uint64_t* count) LIVENESS_NOEXCEPT;

/* From any thread. INVALID_ARGUMENT. */
LIVENESS_CHECKED liveness_status_t liveness_verifier_pace(const liveness_verifier_t* verifier,
                                                          liveness_pace_t* pace) LIVENESS_NOEXCEPT;

/* From the next frame on; from any thread. INVALID_ARGUMENT (a value out of range). */
LIVENESS_CHECKED liveness_status_t liveness_verifier_set_pace(liveness_verifier_t* verifier,
                                                              const liveness_pace_t* pace) LIVENESS_NOEXCEPT;

/* Every track ends without an event, and the next frame may have any time (a clock that jumped ahead and came back
 * would have every frame refused otherwise); ids go on counting. INVALID_STATE (asynchronous mode). */
LIVENESS_CHECKED liveness_status_t liveness_verifier_reset(liveness_verifier_t* verifier) LIVENESS_NOEXCEPT;

/* ---- ROI ---- */

/* Cuts what models want to see out of a frame: crop, border rule, resize, colour order and value range in one pass.
 * Immutable. */
typedef struct liveness_roi_t liveness_roi_t;

/* One crop a model, of the same face. `models`: `count` PAD models, at least one. `box_convention`: of the boxes that
 * will be given, e.g. "yunet"; NULL: each model's own. INVALID_ARGUMENT, UNSUPPORTED (a box convention that a model
 * cannot take). */
LIVENESS_CHECKED liveness_status_t liveness_roi_create(liveness_model_t* const* models, size_t count,
                                                       const char* box_convention,
                                                       liveness_roi_t** roi) LIVENESS_NOEXCEPT;

/* `roi` may be NULL. */
LIVENESS_API void liveness_roi_destroy(liveness_roi_t* roi) LIVENESS_NOEXCEPT;

/* What was cut out for one model. */
typedef struct liveness_crop_t {
  uint32_t struct_size;
  float outside;          /* share of the wanted region that lies outside the frame, 0 to 1 */
  liveness_rect_t region; /* pixels of the frame; may reach outside where the model's border rule fills */
} liveness_crop_t;

/* Makes an empty struct to be filled. `size`: sizeof(liveness_crop_t). Cannot fail. */
LIVENESS_API void liveness_crop_init(liveness_crop_t* crop, size_t size) LIVENESS_NOEXCEPT;

/* Writes crop i to outputs[i]: channels x height x width values, ready for liveness_model_run(); output_counts[i] is
 * the length of the buffer. crops[i] (`crops` may be NULL) says what was cut. count: length of the arrays, the number
 * of models. INVALID_ARGUMENT (the picture, the box, a size). */
LIVENESS_CHECKED liveness_status_t liveness_roi_extract(const liveness_roi_t* roi, const liveness_image_t* image,
                                                        const liveness_rect_t* face, float* const* outputs,
                                                        const size_t* output_counts, liveness_crop_t* const* crops,
                                                        size_t count) LIVENESS_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* LIVENESS_H_ */
