/*
 * Stands between a process and the files below one directory (LD_PRELOAD). Keeps an ordered record of every change and
 * every synchronisation, from which a power cut can be played; kills the process at a chosen operation; lets chosen
 * operations fail; and makes the directory look as if it lay on a full disk.
 *
 *   LAUREL_DISK_ROOT   directory watched, absolute
 *   LAUREL_DISK_LOG    file the record is appended to; no record where unset
 *   LAUREL_DISK_CUT    number of the operation before which the process is killed (SIGKILL)
 *   LAUREL_DISK_FAIL   first,count,errno,kinds: these operations fail; kinds is any of w (write), s (sync), r (read),
 *                      h (half of the write is done, then it fails), o (only operations of these kinds are counted)
 *   LAUREL_DISK_HITS   file that gets one byte for every operation that was made to fail, or found no room
 *   LAUREL_DISK_SPACE  bytes the files below the root may grow by
 *   LAUREL_DISK_FULL   from this write on the files have no room to grow in but what others give free
 *   LAUREL_DISK_SLOW   microseconds that each synchronisation takes, as on a disk or card that needs so long
 *   LAUREL_DISK_LIES   set: synchronisations of files succeed and keep nothing, as on a disk that lies about them
 *
 * Real synchronisation is left out: what a power cut leaves is decided from the record. The shared memory file of SQLite
 * (-shm) is passed through, because nothing of it has to survive.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MOST_FDS 4096

enum { IS_NOTHING = 0, IS_FILE, IS_DIRECTORY };

struct header {
  uint8_t kind;
  uint8_t unused[3];
  uint32_t path_bytes;
  uint32_t data_bytes;
  uint32_t unused_too;
  uint64_t inode;
  uint64_t offset;
};

static struct {
  uint8_t what;
  uint64_t device;
  uint64_t inode;
  char *path;
} files[MOST_FDS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char root[1024];
static size_t root_bytes;
static int log_fd = -1;
static int hits_fd = -1;
static long operations, writes, meant, cut_at, full_from, fail_first, fail_count;
static int fail_errno;
static char fail_kinds[8];
static int limited;
static int lies;
static int64_t space;
static long slow_us;

static int (*real_open)(const char *, int, ...);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_pread)(int, void *, size_t, off64_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_ftruncate)(int, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_mkdir)(const char *, mode_t);
static int (*real_statfs)(const char *, struct statfs *);

static void begin(void) {
  real_open = dlsym(RTLD_NEXT, "open64");
  real_read = dlsym(RTLD_NEXT, "read");
  real_pread = dlsym(RTLD_NEXT, "pread64");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_rename = dlsym(RTLD_NEXT, "rename");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  real_mkdir = dlsym(RTLD_NEXT, "mkdir");
  real_statfs = dlsym(RTLD_NEXT, "statfs");
  const char *value = getenv("LAUREL_DISK_ROOT");
  if (value == NULL || strlen(value) >= sizeof root - 2) return;
  strcpy(root, value);
  root_bytes = strlen(root);
  if ((value = getenv("LAUREL_DISK_LOG")) != NULL) log_fd = real_open(value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if ((value = getenv("LAUREL_DISK_CUT")) != NULL) cut_at = atol(value);
  if ((value = getenv("LAUREL_DISK_FAIL")) != NULL) sscanf(value, "%ld,%ld,%d,%7s", &fail_first, &fail_count, &fail_errno, fail_kinds);
  if ((value = getenv("LAUREL_DISK_HITS")) != NULL) hits_fd = real_open(value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if ((value = getenv("LAUREL_DISK_FULL")) != NULL) full_from = atol(value);
  lies = getenv("LAUREL_DISK_LIES") != NULL;
  if ((value = getenv("LAUREL_DISK_SLOW")) != NULL) slow_us = atol(value);
  if ((value = getenv("LAUREL_DISK_SPACE")) != NULL) {
    limited = 1;
    space = atoll(value);
  }
}

/* Below the root, or the root itself, and not SQLite's shared memory. */
static int watched(const char *path) {
  pthread_once(&once, begin);
  if (root_bytes == 0 || path == NULL || strncmp(path, root, root_bytes) != 0) return 0;
  if (path[root_bytes] != '/' && path[root_bytes] != 0) return 0;
  size_t bytes = strlen(path);
  return bytes < 4 || strcmp(path + bytes - 4, "-shm") != 0;
}

/* Closing is not watched, libuv does it by the bare system call: the number may belong to a socket by now. */
static int what_is(int fd) {
  pthread_once(&once, begin);
  if (fd < 0 || fd >= MOST_FDS || files[fd].what == IS_NOTHING) return IS_NOTHING;
  struct stat64 state;
  int saved = errno;
  if (fstat64(fd, &state) != 0 || state.st_dev != files[fd].device || state.st_ino != files[fd].inode) files[fd].what = IS_NOTHING;
  errno = saved;
  return files[fd].what;
}

static const char *below(const char *path) { return path[root_bytes] == '/' ? path + root_bytes + 1 : path + root_bytes; }

static void record(char kind, const char *path, uint64_t inode, uint64_t offset, const void *data, size_t data_bytes) {
  if (log_fd < 0) return;
  struct header header = {.kind = (uint8_t)kind, .path_bytes = path == NULL ? 0 : (uint32_t)strlen(path), .data_bytes = (uint32_t)data_bytes, .inode = inode, .offset = offset};
  struct iovec parts[3] = {{&header, sizeof header}, {(void *)path, header.path_bytes}, {(void *)data, data_bytes}};
  if (writev(log_fd, parts, 3) < 0) abort();
}

/* For the campaign to know that its fault struck. */
static void hit(char kind) {
  if (hits_fd >= 0 && real_write(hits_fd, &kind, 1) != 1) abort();
}

/* Counts an operation, kills at the chosen one. Called with the lock held. Returns 1 where it has to fail. */
static int due(char kind) {
  operations += 1;
  if (operations == cut_at) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  if (kind == 'w') {
    writes += 1;
    if (writes == full_from) {
      limited = 1;
      space = 0;
    }
  }
  if (fail_count == 0 || strchr(fail_kinds, kind) == NULL) return 0;
  meant += 1;
  long at = strchr(fail_kinds, 'o') != NULL ? meant : operations;
  if (at < fail_first || at >= fail_first + fail_count) return 0;
  hit(kind);
  return 1;
}

static int64_t size_of(int fd) {
  struct stat64 state;
  return fstat64(fd, &state) == 0 ? state.st_size : 0;
}

/* Takes room for a file that grows to `end`. Returns 0 where the disk is full. */
static int take_room(int fd, int64_t end) {
  int64_t growth = end - size_of(fd);
  if (!limited || growth <= 0) return 1;
  if (growth > space) {
    hit('n');
    return 0;
  }
  space -= growth;
  return 1;
}

/* Room that is given back once the file at `path` is gone or emptied. */
static int64_t room_of(const char *path) {
  struct stat64 state;
  return stat64(path, &state) == 0 && S_ISREG(state.st_mode) && state.st_nlink == 1 ? state.st_size : 0;
}

static int opened(int fd, const char *path, int created, int emptied) {
  struct stat64 state;
  if (fd < 0 || fd >= MOST_FDS || fstat64(fd, &state) != 0) return fd;
  free(files[fd].path);
  files[fd].path = strdup(path);
  files[fd].device = state.st_dev;
  files[fd].inode = state.st_ino;
  files[fd].what = S_ISDIR(state.st_mode) ? IS_DIRECTORY : IS_FILE;
  if (created) record('c', below(path), state.st_ino, 0, NULL, 0);
  else if (emptied) record('t', NULL, state.st_ino, 0, NULL, 0);
  return fd;
}

static int open_watched(const char *path, int flags, mode_t mode) {
  pthread_mutex_lock(&lock);
  int exists = access(path, F_OK) == 0;
  int creates = (flags & O_CREAT) != 0 && !exists;
  int empties = (flags & O_TRUNC) != 0 && exists;
  int fd = -1;
  if (creates && due('w')) errno = fail_errno;
  else {
    int64_t room = empties ? room_of(path) : 0;
    fd = opened(real_open(path, flags, mode), path, creates, empties);
    /* Not where it was refused, as O_EXCL is where the file is there already. */
    if (fd >= 0) space += room;
  }
  int saved = errno;
  pthread_mutex_unlock(&lock);
  errno = saved;
  return fd;
}

int open64(const char *path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  if (watched(path)) return open_watched(path, flags, mode);
  return real_open(path, flags, mode);
}

int open(const char *path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  return open64(path, flags, mode);
}

static ssize_t read_watched(int fd, void *data, size_t bytes, off64_t offset, int at) {
  pthread_mutex_lock(&lock);
  int fails = fail_count > 0 && strchr(fail_kinds, 'r') != NULL && due('r');
  pthread_mutex_unlock(&lock);
  if (fails) {
    errno = fail_errno;
    return -1;
  }
  return at ? real_pread(fd, data, bytes, offset) : real_read(fd, data, bytes);
}

ssize_t read(int fd, void *data, size_t bytes) { return what_is(fd) == IS_FILE ? read_watched(fd, data, bytes, 0, 0) : real_read(fd, data, bytes); }
ssize_t pread64(int fd, void *data, size_t bytes, off64_t offset) { return what_is(fd) == IS_FILE ? read_watched(fd, data, bytes, offset, 1) : real_pread(fd, data, bytes, offset); }
ssize_t pread(int fd, void *data, size_t bytes, off_t offset) { return pread64(fd, data, bytes, offset); }

/* A write at a place; one without goes to where the file stands. */
static ssize_t write_watched(int fd, const void *data, size_t bytes, off64_t offset, int at) {
  pthread_mutex_lock(&lock);
  int64_t start = at ? offset : (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? size_of(fd) : lseek64(fd, 0, SEEK_CUR);
  ssize_t done = -1;
  int error = 0;
  int fails = due('w');
  size_t most = bytes;
  if (fails && strchr(fail_kinds, 'h') != NULL && bytes > 1) most = bytes / 2;
  else if (fails) error = fail_errno;
  if (error == 0 && !take_room(fd, start + (int64_t)most)) error = ENOSPC;
  if (error == 0) {
    done = at ? real_pwrite(fd, data, most, offset) : real_write(fd, data, most);
    error = errno;
    if (done > 0) record('w', NULL, files[fd].inode, (uint64_t)start, data, (size_t)done);
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

ssize_t write(int fd, const void *data, size_t bytes) { return what_is(fd) == IS_FILE ? write_watched(fd, data, bytes, 0, 0) : real_write(fd, data, bytes); }
ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t offset) { return what_is(fd) == IS_FILE ? write_watched(fd, data, bytes, offset, 1) : real_pwrite(fd, data, bytes, offset); }
ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) { return pwrite64(fd, data, bytes, offset); }

/* Node may hand over several pieces; they go as single writes, so that each is counted. */
static ssize_t write_pieces(int fd, const struct iovec *pieces, int count, off64_t offset, int at) {
  ssize_t total = 0;
  for (int index = 0; index < count; index += 1) {
    ssize_t done = write_watched(fd, pieces[index].iov_base, pieces[index].iov_len, offset + total, at);
    if (done < 0) return total > 0 ? total : -1;
    total += done;
    if ((size_t)done < pieces[index].iov_len) break;
  }
  return total;
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
  static ssize_t (*real)(int, const struct iovec *, int);
  if (real == NULL) real = dlsym(RTLD_NEXT, "writev");
  return what_is(fd) == IS_FILE ? write_pieces(fd, pieces, count, 0, 0) : real(fd, pieces, count);
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset) {
  static ssize_t (*real)(int, const struct iovec *, int, off64_t);
  if (real == NULL) real = dlsym(RTLD_NEXT, "pwritev64");
  return what_is(fd) == IS_FILE ? write_pieces(fd, pieces, count, offset, 1) : real(fd, pieces, count, offset);
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) { return pwritev64(fd, pieces, count, offset); }

int ftruncate64(int fd, off64_t bytes) {
  if (what_is(fd) != IS_FILE) return real_ftruncate(fd, bytes);
  pthread_mutex_lock(&lock);
  int64_t before = size_of(fd);
  int result = -1;
  int error = due('w') ? fail_errno : take_room(fd, bytes) ? 0 : ENOSPC;
  if (error == 0) {
    result = real_ftruncate(fd, bytes);
    error = errno;
    if (result == 0) {
      if (limited && bytes < before) space += before - bytes;
      record('t', NULL, files[fd].inode, (uint64_t)bytes, NULL, 0);
    }
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}
int ftruncate(int fd, off_t bytes) { return ftruncate64(fd, bytes); }

static int sync_watched(int fd) {
  struct timespec pause = {slow_us / 1000000, slow_us % 1000000 * 1000};
  if (slow_us > 0) nanosleep(&pause, NULL);
  pthread_mutex_lock(&lock);
  int fails = due('s');
  if (fails && files[fd].what == IS_FILE) record('f', NULL, files[fd].inode, 0, NULL, 0);
  if (!fails) {
    if (files[fd].what == IS_DIRECTORY) record('d', below(files[fd].path), 0, 0, NULL, 0);
    else if (!lies) record('s', NULL, files[fd].inode, 0, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  if (!fails) return 0;
  errno = fail_errno;
  return -1;
}

int fsync(int fd) { return what_is(fd) == IS_NOTHING ? real_fsync(fd) : sync_watched(fd); }
int fdatasync(int fd) { return what_is(fd) == IS_NOTHING ? real_fdatasync(fd) : sync_watched(fd); }

int rename(const char *from, const char *to) {
  if (!watched(from) || !watched(to)) return real_rename(from, to);
  pthread_mutex_lock(&lock);
  int result = -1;
  int error = due('w') ? fail_errno : 0;
  if (error == 0) {
    int64_t room = strcmp(from, to) == 0 ? 0 : room_of(to);
    result = real_rename(from, to);
    error = errno;
    if (result == 0) {
      space += room;
      record('r', below(from), 0, 0, below(to), strlen(below(to)));
    }
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int unlink(const char *path) {
  if (!watched(path)) return real_unlink(path);
  pthread_mutex_lock(&lock);
  due('u');
  int64_t room = room_of(path);
  int result = real_unlink(path);
  int error = errno;
  if (result == 0) {
    space += room;
    record('u', below(path), 0, 0, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int remove(const char *path) {
  static int (*real)(const char *);
  struct stat64 state;
  if (real == NULL) real = dlsym(RTLD_NEXT, "remove");
  if (watched(path) && lstat64(path, &state) == 0 && !S_ISDIR(state.st_mode)) return unlink(path);
  return real(path);
}

int unlinkat(int directory, const char *path, int flags) {
  static int (*real)(int, const char *, int);
  if (real == NULL) real = dlsym(RTLD_NEXT, "unlinkat");
  if (flags == 0 && path[0] == '/' && watched(path)) return unlink(path);
  return real(directory, path, flags);
}

int mkdir(const char *path, mode_t mode) {
  if (!watched(path)) return real_mkdir(path, mode);
  pthread_mutex_lock(&lock);
  int result = -1;
  int error = 0;
  if (access(path, F_OK) == 0) error = EEXIST;
  else if (due('w')) error = fail_errno;
  else {
    result = real_mkdir(path, mode);
    error = errno;
    if (result == 0) record('m', below(path), 0, 0, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int statfs(const char *path, struct statfs *found) {
  int known = watched(path);
  int result = real_statfs(path, found);
  if (result != 0 || !known || !limited) return result;
  pthread_mutex_lock(&lock);
  found->f_bavail = found->f_bfree = (uint64_t)(space < 0 ? 0 : space) / (uint64_t)found->f_bsize;
  pthread_mutex_unlock(&lock);
  return 0;
}
int statfs64(const char *path, struct statfs64 *found) { return statfs(path, (struct statfs *)found); }
