/* Loads libliveness_c, uses it, unloads it, twice. What an ABI is: no header of ours is needed.
 *   consume_dlopen LIBRARY PAD_PACKAGE */
#define _POSIX_C_SOURCE 200112L
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef int (*load_t)(const char*, const void*, void**);
typedef void (*destroy_t)(void*);
typedef int (*number_t)(void);
typedef const char* (*text_t)(void);

static int use(const char* library, const char* package) {
  void* lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  void* model = NULL;
  load_t load;
  destroy_t destroy;
  number_t abi_version;
  text_t last_error;
  if (lib == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  *(void**)&load = dlsym(lib, "liveness_model_load");
  *(void**)&destroy = dlsym(lib, "liveness_model_destroy");
  *(void**)&abi_version = dlsym(lib, "liveness_abi_version");
  *(void**)&last_error = dlsym(lib, "liveness_last_error");
  if (!load || !destroy || !abi_version || !last_error) return 1;
  if (abi_version() != 1) return 1;
  if (load(package, NULL, &model) != 0 || model == NULL) {
    fprintf(stderr, "%s\n", last_error());
    return 1;
  }
  destroy(model);
  model = NULL;
  if (load("/nowhere/model.safetensors", NULL, &model) != 102 || strstr(last_error(), "/nowhere") == NULL) return 1;
  /* What is not the C ABI does not come out. */
  if (dlsym(lib, "_ZN8liveness5Model4loadERKNSt10filesystem7__cxx114pathE") != NULL) return 1;
  return dlclose(lib);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return use(argv[1], argv[2]) || use(argv[1], argv[2]);
}
