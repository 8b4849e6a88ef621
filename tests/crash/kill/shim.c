/* Kills its own process with SIGKILL at the KILL_AT-th write point of the database.
 *
 * A write point is a call that changes or syncs a file whose name contains KILL_FILE: the odd ones
 * are just before the call, the even ones just after it. Counting starts once the file KILL_ARMED
 * exists. At exit, and after every point, the count so far stands in the file KILL_COUNT.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int armed(void) {
  const char *path = getenv("KILL_ARMED");
  return path != NULL && access(path, F_OK) == 0;
}

static int watched(int fd) {
  char link[64], path[4096];
  const char *name = getenv("KILL_FILE");
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (name == NULL || size <= 0) return 0;
  path[size] = 0;
  return strstr(path, name) != NULL;
}

static void note(long count) {
  const char *path = getenv("KILL_COUNT");
  if (path == NULL) return;
  FILE *file = fopen(path, "w");
  if (file == NULL) return;
  fprintf(file, "%ld\n", count);
  fclose(file);
}

static void point(int fd) {
  static long count;
  if (!watched(fd) || !armed()) return;
  long now = __sync_add_and_fetch(&count, 1);
  const char *at = getenv("KILL_AT");
  if (at != NULL && now == atol(at)) kill(getpid(), SIGKILL);
  if (at == NULL) note(now);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define AROUND(fd, call) \
  point(fd);             \
  __auto_type result = call; \
  point(fd);             \
  return result;

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { AROUND(fd, REAL(pwrite)(fd, data, size, at)) }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { AROUND(fd, REAL(pwrite64)(fd, data, size, at)) }
ssize_t write(int fd, const void *data, size_t size) { AROUND(fd, REAL(write)(fd, data, size)) }
int fsync(int fd) { AROUND(fd, REAL(fsync)(fd)) }
int fdatasync(int fd) { AROUND(fd, REAL(fdatasync)(fd)) }
int ftruncate(int fd, off_t size) { AROUND(fd, REAL(ftruncate)(fd, size)) }
int ftruncate64(int fd, off64_t size) { AROUND(fd, REAL(ftruncate64)(fd, size)) }
