/*
 * A library for LD_PRELOAD. It stands between a process and the files of one folder, to record what is written and synced,
 * and to make the disk slow, full or broken. test/support/disk-shim.ts builds it and reads what it writes.
 *
 * DISK_SHIM_FOLDER   the folder, as realpath prints it
 * DISK_SHIM_CONTROL  a file of 64 bytes, mapped: `struct control` below
 * DISK_SHIM_TRACE    the file for the trace; without it nothing is recorded
 *
 * A write is recorded after it is done, and before the caller hears of it. A sync is recorded when it begins and when it has
 * succeeded or was made to fail, so the trace says which writes a sync has covered. Memory maps are not seen: SQLite only maps its -shm file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  volatile int32_t sync_delay_ms;
  volatile int32_t write_error; /* an errno for every write */
  volatile int32_t sync_error;  /* an errno for every sync */
  volatile int32_t hang;        /* not 0: syncs do not return */
  volatile int32_t syncs;       /* counted here: syncs that succeeded */
  volatile int32_t failed;      /* counted here: writes and syncs that were made to fail */
  volatile int32_t hanging;     /* counted here: syncs that hang now */
};

enum { OPEN = 1, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, UNLINK, RENAME, SYNC_FAILED };

struct __attribute__((packed)) head {
  uint32_t type;
  uint32_t length; /* of the data behind the head */
  uint64_t inode;
  uint64_t value; /* WRITE: offset; TRUNCATE: size; SYNC_*: number of the sync; OPEN: 1 if the file was created */
  uint64_t time;  /* ns, CLOCK_MONOTONIC */
};

#define DESCRIPTORS 65536

static char folder[PATH_MAX];
static size_t folder_length;
static struct control no_control;
static struct control *control = &no_control;
static int trace = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t sync_number;
/* The file of each descriptor; 0 when it is none of the folder's. */
static ino_t inodes[DESCRIPTORS];
static dev_t devices[DESCRIPTORS];

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
  const char *of = getenv("DISK_SHIM_FOLDER");
  if (of == NULL) return;
  const char *control_file = getenv("DISK_SHIM_CONTROL");
  if (control_file != NULL) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, control_file, O_RDWR | O_CLOEXEC, 0);
    void *map = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) control = map;
    syscall(SYS_close, fd);
  }
  const char *trace_file = getenv("DISK_SHIM_TRACE");
  if (trace_file != NULL) {
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    trace = (int)syscall(SYS_openat, AT_FDCWD, trace_file, flags, 0600);
  }
  folder_length = strlen(of);
  memcpy(folder, of, folder_length + 1);
}

/* Returns the name of a path below the folder ("" for the folder), or NULL. */
static const char *name_of(int at, const char *path) {
  static __thread char whole[PATH_MAX];
  if (folder_length == 0 || path == NULL) return NULL;
  if (path[0] != '/') {
    if (at != AT_FDCWD || getcwd(whole, sizeof whole) == NULL) return NULL;
    size_t length = strlen(whole);
    if (length + strlen(path) + 2 > sizeof whole) return NULL;
    sprintf(whole + length, "/%s", path);
    path = whole;
  }
  if (strncmp(path, folder, folder_length) != 0) return NULL;
  if (path[folder_length] == 0) return "";
  return path[folder_length] == '/' ? path + folder_length + 1 : NULL;
}

/* The lock is held. */
static void record(struct head head, const void *data) {
  struct timespec now;
  struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, head.length}};
  if (trace < 0) return;
  clock_gettime(CLOCK_MONOTONIC, &now);
  head.time = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  if (syscall(SYS_writev, trace, parts, 2) != (long)(sizeof head + head.length)) abort();
}

static void record_one(struct head head, const void *data) {
  int before = errno;
  pthread_mutex_lock(&lock);
  record(head, data);
  pthread_mutex_unlock(&lock);
  errno = before;
}

/* Whether the descriptor is a file of the folder. Compares inodes, because not every close is seen. */
static int is_ours(int fd, struct stat *is) {
  if (fd < 0 || fd >= DESCRIPTORS || inodes[fd] == 0) return 0;
  if (fstat(fd, is) == 0 && is->st_ino == inodes[fd] && is->st_dev == devices[fd]) return 1;
  inodes[fd] = 0;
  return 0;
}

static int opened(int fd, const char *name, int flags, int existed) {
  struct stat is;
  if (fd < 0 || fd >= DESCRIPTORS) return fd;
  inodes[fd] = 0;
  if (name == NULL || fstat(fd, &is) != 0) return fd;
  devices[fd] = is.st_dev;
  inodes[fd] = is.st_ino;
  struct head head = {.type = OPEN, .length = (uint32_t)strlen(name), .inode = is.st_ino, .value = !existed};
  record_one(head, name);
  if (existed && (flags & O_TRUNC)) record_one((struct head){.type = TRUNCATE, .inode = is.st_ino}, "");
  return fd;
}

static int open_at(int at, const char *path, int flags, mode_t mode) {
  const char *name = name_of(at, path);
  int existed = name == NULL || (flags & O_CREAT) == 0 || faccessat(at, path, F_OK, 0) == 0;
  if (!existed && control->write_error != 0) {
    __sync_fetch_and_add(&control->failed, 1);
    errno = control->write_error;
    return -1;
  }
  return opened(REAL(openat)(at, path, flags, mode), name, flags, existed);
}

static mode_t mode_of(int flags, va_list rest) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
}

#define OPEN_FUNCTION(name)                         \
  int name(const char *path, int flags, ...) {      \
    va_list rest;                                   \
    va_start(rest, flags);                          \
    mode_t mode = mode_of(flags, rest);             \
    va_end(rest);                                   \
    return open_at(AT_FDCWD, path, flags, mode);    \
  }
OPEN_FUNCTION(open)
OPEN_FUNCTION(open64)

#define OPENAT_FUNCTION(name)                          \
  int name(int at, const char *path, int flags, ...) { \
    va_list rest;                                      \
    va_start(rest, flags);                             \
    mode_t mode = mode_of(flags, rest);                \
    va_end(rest);                                      \
    return open_at(at, path, flags, mode);             \
  }
OPENAT_FUNCTION(openat)
OPENAT_FUNCTION(openat64)

/* Returns whether the write is to fail; errno is set then. */
static int refused(int32_t error) {
  if (error == 0) return 0;
  __sync_fetch_and_add(&control->failed, 1);
  errno = error;
  return 1;
}

static void wrote(const struct stat *is, off_t offset, const void *data, ssize_t count) {
  if (count <= 0) return;
  struct head head = {.type = WRITE, .length = (uint32_t)count, .inode = is->st_ino, .value = (uint64_t)offset};
  record_one(head, data);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t offset) {
  struct stat is;
  if (!is_ours(fd, &is)) return REAL(pwrite64)(fd, data, count, offset);
  if (refused(control->write_error)) return -1;
  ssize_t done = REAL(pwrite64)(fd, data, count, offset);
  wrote(&is, offset, data, done);
  return done;
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t offset) { return pwrite64(fd, data, count, offset); }

ssize_t write(int fd, const void *data, size_t count) {
  struct stat is;
  if (!is_ours(fd, &is)) return REAL(write)(fd, data, count);
  if (refused(control->write_error)) return -1;
  ssize_t done = REAL(write)(fd, data, count);
  if (done > 0) wrote(&is, lseek(fd, 0, SEEK_CUR) - done, data, done);
  return done;
}

/* The parts one after the other: what it returns is as of a write that was cut short. */
static ssize_t write_parts(int fd, const struct iovec *parts, int count, off_t offset) {
  ssize_t sum = 0;
  for (int i = 0; i < count; i++) {
    ssize_t done = offset < 0 ? write(fd, parts[i].iov_base, parts[i].iov_len)
                              : pwrite64(fd, parts[i].iov_base, parts[i].iov_len, offset + sum);
    if (done < 0) return sum > 0 ? sum : -1;
    sum += done;
    if ((size_t)done < parts[i].iov_len) break;
  }
  return sum;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  struct stat is;
  if (!is_ours(fd, &is)) return REAL(writev)(fd, parts, count);
  return write_parts(fd, parts, count, -1);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
  struct stat is;
  if (!is_ours(fd, &is)) return REAL(pwritev64)(fd, parts, count, offset);
  return write_parts(fd, parts, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  return pwritev64(fd, parts, count, offset);
}

int ftruncate64(int fd, off64_t size) {
  struct stat is;
  if (!is_ours(fd, &is)) return REAL(ftruncate64)(fd, size);
  if (refused(control->write_error)) return -1;
  int result = REAL(ftruncate64)(fd, size);
  struct head head = {.type = TRUNCATE, .inode = is.st_ino, .value = (uint64_t)size};
  if (result == 0) record_one(head, "");
  return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static void sleep_ms(int ms) {
  struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&time, NULL);
}

static int sync_file(int fd, int (*sync)(int)) {
  struct stat is;
  if (!is_ours(fd, &is)) return sync(fd);
  pthread_mutex_lock(&lock);
  struct head head = {.type = SYNC_BEGIN, .inode = is.st_ino, .value = ++sync_number};
  record(head, "");
  pthread_mutex_unlock(&lock);
  if (control->sync_delay_ms > 0) sleep_ms(control->sync_delay_ms);
  if (control->hang) {
    __sync_fetch_and_add(&control->hanging, 1);
    while (control->hang) sleep_ms(1);
    __sync_fetch_and_sub(&control->hanging, 1);
  }
  if (refused(control->sync_error)) {
    head.type = SYNC_FAILED;
    record_one(head, "");
    return -1;
  }
  int result = sync(fd);
  if (result != 0) return result;
  head.type = SYNC_END;
  record_one(head, "");
  __sync_fetch_and_add(&control->syncs, 1);
  return 0;
}

int fsync(int fd) { return sync_file(fd, REAL(fsync)); }
int fdatasync(int fd) { return sync_file(fd, REAL(fdatasync)); }

static void unlinked(const char *name) {
  if (name != NULL) record_one((struct head){.type = UNLINK, .length = (uint32_t)strlen(name)}, name);
}

int unlink(const char *path) {
  int result = REAL(unlink)(path);
  if (result == 0) unlinked(name_of(AT_FDCWD, path));
  return result;
}

int unlinkat(int at, const char *path, int flags) {
  int result = REAL(unlinkat)(at, path, flags);
  if (result == 0) unlinked(name_of(at, path));
  return result;
}

/* The two names, with a NUL between them. */
int rename(const char *from, const char *to) {
  int result = REAL(rename)(from, to);
  const char *name = name_of(AT_FDCWD, from);
  char both[2 * PATH_MAX];
  if (result != 0 || name == NULL) return result;
  size_t length = strlen(name);
  memcpy(both, name, length + 1);
  name = name_of(AT_FDCWD, to);
  if (name == NULL) {
    unlinked(both);
    return result;
  }
  memcpy(both + length + 1, name, strlen(name));
  struct head head = {.type = RENAME, .length = (uint32_t)(length + 1 + strlen(name))};
  record_one(head, both);
  return result;
}
