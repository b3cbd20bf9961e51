// Starts a program and says how long its first line took and how much memory it had at most. Small on purpose: a
// child's peak resident set begins with that of the process it was spawned from.
//
//   launch PROGRAM ARGUMENTS...   ->  {"first_ms": 1.2, "exit_ms": 1.3, "rss_kib": 4096, "status": 0, "line": "..."}
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

int main(int argc, char** argv) {
  int ends[2];
  if (argc < 2 || pipe(ends) != 0) {
    fprintf(stderr, "usage: launch PROGRAM ARGUMENTS...\n");
    return 2;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);

  const double start = now_ms();
  pid_t child = 0;
  const int failed = posix_spawnp(&child, argv[1], &actions, NULL, argv + 1, environ);
  if (failed != 0) {
    fprintf(stderr, "launch: %s: %s\n", argv[1], strerror(failed));
    return 2;
  }
  close(ends[1]);

  char line[512];
  size_t kept = 0;
  double first = -1;
  char chunk[4096];
  for (ssize_t n = 0; (n = read(ends[0], chunk, sizeof chunk)) > 0;) {
    if (first < 0) first = now_ms() - start;
    for (ssize_t i = 0; i < n && kept + 1 < sizeof line; ++i) {
      const char c = chunk[i];
      // Only what needs no escape in JSON is kept.
      line[kept++] = c == '\n' ? ' ' : (c < ' ' || c == '"' || c == '\\') ? '\'' : c;
    }
  }
  line[kept] = '\0';
  int status = 0;
  struct rusage usage;
  wait4(child, &status, 0, &usage);
  const double end = now_ms() - start;
  printf("{\"first_ms\": %.3f, \"exit_ms\": %.3f, \"rss_kib\": %ld, \"status\": %d, \"line\": \"%s\"}\n",
         first < 0 ? end : first, end, usage.ru_maxrss,
         WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), line);
  return 0;
}
