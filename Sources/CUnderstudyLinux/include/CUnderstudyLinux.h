// Thin static inline shims for system calls and constants that the Glibc module lacks. Each has the
// conventions of the call that it names: -1 and errno on failure.
#ifndef CUNDERSTUDY_LINUX_H
#define CUNDERSTUDY_LINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

static const int understudy_O_DIRECT = O_DIRECT;
static const int understudy_O_PATH = O_PATH;
static const int understudy_EFD_FLAGS = EFD_CLOEXEC | EFD_NONBLOCK;
static const uint64_t understudy_RESOLVE_CONFINED = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

static inline int understudy_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

static inline int understudy_fallocate(int fd, int mode, int64_t offset, int64_t length) {
    return fallocate(fd, mode, offset, length);
}

static inline int understudy_sync_file_range_write(int fd, int64_t offset, int64_t length) {
    return sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE);
}

static inline int understudy_syncfs(int fd) { return syncfs(fd); }

static inline int understudy_eventfd(unsigned initial, int flags) { return eventfd(initial, flags); }

static inline int understudy_renameat2_noreplace(int from_dir, const char *from, int to_dir, const char *to) {
    return renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE);
}

/// The magic number of the file system that holds `fd` (fstatfs), or -1.
static inline int64_t understudy_file_system_type(int fd) {
    struct statfs info;
    if (fstatfs(fd, &info) != 0) return -1;
    return (int64_t)(uint32_t)info.f_type;
}

/// The number of columns of the terminal at `fd` (TIOCGWINSZ), or -1.
static inline int understudy_terminal_columns(int fd) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0) return -1;
    return size.ws_col;
}

/// Waits on a condition variable until `nanoseconds` have passed; returns ETIMEDOUT then.
/// The condition must have been made with understudy_condition_init.
static inline int understudy_condition_init(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int result = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return result;
}

static inline int understudy_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t nanoseconds) {
    if (nanoseconds < 0) return pthread_cond_wait(condition, mutex);
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += nanoseconds / 1000000000;
    deadline.tv_nsec += nanoseconds % 1000000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec += 1;
        deadline.tv_nsec -= 1000000000;
    }
    return pthread_cond_timedwait(condition, mutex, &deadline);
}

#endif
