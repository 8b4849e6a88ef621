/* Records what a process writes to the files whose name contains POWER_WATCH, in order, in the file
 * POWER_RECORD: each write with its data, each cut, sync and removal. While the file POWER_FAILING
 * exists, syncs of those files fail with EIO.
 *
 * A record is one line "op name offset size\n", then `size` bytes of data for a write. The real call
 * is made under the lock too, so that the order of records is the order of effects.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const char *base_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

static const char *watched_path(const char *path) {
  const char *watch = getenv("POWER_WATCH"), *base = base_of(path);
  return watch != NULL && strstr(base, watch) != NULL ? base : NULL;
}

static const char *watched(int fd, char *path, size_t room) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, room - 1);
  if (size <= 0) return NULL;
  path[size] = 0;
  return watched_path(path);
}

static void record(const char *op, const char *name, long long offset, const void *data, size_t size) {
  static int out = -1;
  const char *path = getenv("POWER_RECORD");
  if (path == NULL) return;
  if (out < 0) out = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  char head[512];
  int length = snprintf(head, sizeof head, "%s %s %lld %zu\n", op, name, offset, size);
  struct iovec parts[2] = {{head, (size_t)length}, {(void *)data, data == NULL ? 0 : size}};
  syscall(SYS_writev, out, parts, 2);
}

static int failing(void) {
  const char *path = getenv("POWER_FAILING");
  return path != NULL && access(path, F_OK) == 0;
}

static ssize_t written(int fd, const void *data, long long offset, ssize_t result) {
  char path[4096];
  const char *name = result > 0 ? watched(fd, path, sizeof path) : NULL;
  if (name != NULL) record("write", name, offset, data, (size_t)result);
  return result;
}

static int synced(int fd, int (*real)(int)) {
  char path[4096];
  const char *name = watched(fd, path, sizeof path);
  if (name == NULL) return real(fd);
  if (failing()) {
    errno = EIO;
    return -1;
  }
  int result = real(fd);
  if (result == 0) record("sync", name, 0, NULL, 0);
  return result;
}

static int cut(int fd, long long size, int result) {
  char path[4096];
  const char *name = result == 0 ? watched(fd, path, sizeof path) : NULL;
  if (name != NULL) record("cut", name, size, NULL, 0);
  return result;
}

static int removed(const char *path, int result) {
  const char *name = result == 0 ? watched_path(path) : NULL;
  if (name != NULL) record("remove", name, 0, NULL, 0);
  return result;
}

#define IN_TURN(type, call)      \
  pthread_mutex_lock(&turn);     \
  type result = call;            \
  int error = errno;             \
  pthread_mutex_unlock(&turn);   \
  errno = error;                 \
  return result;

static ssize_t write_where_it_stands(int fd, const void *data, size_t size) {
  ssize_t result = REAL(write)(fd, data, size);
  long long end = result > 0 ? (long long)lseek64(fd, 0, SEEK_CUR) : 0;
  return written(fd, data, end - result, result);
}

ssize_t write(int fd, const void *data, size_t size) { IN_TURN(ssize_t, write_where_it_stands(fd, data, size)) }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { IN_TURN(ssize_t, written(fd, data, at, REAL(pwrite)(fd, data, size, at))) }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { IN_TURN(ssize_t, written(fd, data, at, REAL(pwrite64)(fd, data, size, at))) }
int fsync(int fd) { IN_TURN(int, synced(fd, REAL(fsync))) }
int fdatasync(int fd) { IN_TURN(int, synced(fd, REAL(fdatasync))) }
int ftruncate(int fd, off_t size) { IN_TURN(int, cut(fd, size, REAL(ftruncate)(fd, size))) }
int ftruncate64(int fd, off64_t size) { IN_TURN(int, cut(fd, size, REAL(ftruncate64)(fd, size))) }
int unlink(const char *path) { IN_TURN(int, removed(path, REAL(unlink)(path))) }
