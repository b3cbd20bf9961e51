/* What the C tests share: checks that count, and a frame that the miniature networks understand. */
#ifndef LIVENESS_TESTS_CAPI_CHECK_H_
#define LIVENESS_TESTS_CAPI_CHECK_H_

#include <liveness.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;
static int checks = 0;

#define CHECK(condition)                                                            \
  do {                                                                              \
    ++checks;                                                                       \
    if (!(condition)) {                                                             \
      ++failures;                                                                   \
      fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
    }                                                                               \
  } while (0)

/* Everything after would make no sense. */
#define REQUIRE_OK(call)                                                                               \
  do {                                                                                                 \
    const liveness_status_t status_ = (call);                                                          \
    ++checks;                                                                                          \
    if (status_ != LIVENESS_STATUS_OK) {                                                               \
      fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call, liveness_status_name(status_), \
              liveness_last_error());                                                                  \
      exit(1);                                                                                         \
    }                                                                                                  \
  } while (0)

/* The call fails with this status, and its message holds this text. */
#define CHECK_FAILS(call, expected, text)                                                                    \
  do {                                                                                                       \
    const liveness_status_t status_ = (call);                                                                \
    ++checks;                                                                                                \
    if (status_ != (expected) || strstr(liveness_last_error(), (text)) == NULL) {                            \
      ++failures;                                                                                            \
      fprintf(stderr, "%s:%d: %s: got %s, \"%s\"; expected %s with \"%s\"\n", __FILE__, __LINE__, #call,     \
              liveness_status_name(status_), liveness_last_error(), liveness_status_name(expected), (text)); \
    }                                                                                                        \
  } while (0)

/* The test program's exit status. */
static int finish(void) {
  printf("%d checks, %d failures\n", checks, failures);
  return failures == 0 && checks > 0 ? 0 : 1;
}

#endif
