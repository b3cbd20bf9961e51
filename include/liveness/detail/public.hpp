// Visibility of the shared library: everything is hidden but what the public headers declare.
#pragma once

#if defined(__GNUC__)
#define LIVENESS_PUBLIC __attribute__((visibility("default")))
#else
#define LIVENESS_PUBLIC
#endif
