// _GNU_SOURCE stays out of the header: it changes types that Swift's Glibc module has already imported.
#define _GNU_SOURCE
#include "CUnderstudyLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const int understudy_O_DIRECT = O_DIRECT;
const int understudy_O_PATH = O_PATH;
const int understudy_O_TMPFILE = O_TMPFILE;
const int understudy_SPAWN_SETSID = POSIX_SPAWN_SETSID;

int understudy_open_confined(int dir, const char *path, int flags, unsigned mode) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags,
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

int understudy_open_same_mount(int dir, const char *path, int flags) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

int understudy_openat_parent(int dir) { return openat(dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC); }

int understudy_preallocate(int fd, int64_t length) { return fallocate(fd, 0, 0, length); }

int understudy_punch_hole(int fd, int64_t offset, int64_t length) {
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

int understudy_rename_new(int old_dir, const char *old_name, int new_dir, const char *new_name) {
    return renameat2(old_dir, old_name, new_dir, new_name, RENAME_NOREPLACE);
}

int understudy_locate_file(int dir, const char *name, struct understudy_file_place *place) {
    struct statx info;
    if (statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_SIZE, &info) != 0) return -1;
    place->device = makedev(info.stx_dev_major, info.stx_dev_minor);
    place->inode = info.stx_ino;
    place->size = (int64_t)info.stx_size;
    return 0;
}

int64_t understudy_write_through(int fd, const void *bytes, size_t count, int64_t offset) {
    struct iovec buffer = {.iov_base = (void *)bytes, .iov_len = count};
    return pwritev2(fd, &buffer, 1, offset, RWF_DSYNC);
}

int understudy_start_writeback(int fd, int64_t offset, int64_t length) {
    return sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE);
}

int understudy_syncfs(int fd) { return syncfs(fd); }

int understudy_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int understudy_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int understudy_pidfd_open(int process) { return (int)syscall(SYS_pidfd_open, process, 0); }

int understudy_close_from(void *actions, int first) {
#if __GLIBC_PREREQ(2, 34)
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
#else
    (void)actions, (void)first;
    return 0;
#endif
}

char **understudy_environment(void) { return environ; }

int understudy_notify_socket(void) {
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 1};
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

int64_t understudy_notify(int fd, const void *address, size_t length, const void *text, size_t size) {
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    // A path needs its NUL, too.
    if (length < 2 || length >= sizeof place.sun_path) {
        errno = EINVAL;
        return -1;
    }
    memcpy(place.sun_path, address, length);
    int is_name = place.sun_path[0] == '@';
    if (!is_name && place.sun_path[0] != '/') {
        errno = EAFNOSUPPORT;
        return -1;
    }
    if (is_name) place.sun_path[0] = 0;
    socklen_t used = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (is_name ? 0 : 1));
    return sendto(fd, text, size, MSG_NOSIGNAL, (struct sockaddr *)&place, used);
}

int64_t understudy_file_system_type(int fd) {
    struct statfs info;
    if (fstatfs(fd, &info) != 0) return -1;
    return (int64_t)(uint32_t)info.f_type;
}

int64_t understudy_available_bytes(int fd) {
    struct statvfs info;
    if (fstatvfs(fd, &info) != 0) return -1;
    if (info.f_blocks == 0) return INT64_MAX;
    return (int64_t)info.f_bavail * (int64_t)info.f_frsize;
}

void understudy_error_text(int number, char *buffer, size_t size) {
    const char *text = strerror_r(number, buffer, size);
    if (text != buffer) snprintf(buffer, size, "%s", text);
}

void understudy_name_this_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int understudy_try_join(pthread_t thread) { return pthread_tryjoin_np(thread, NULL); }

int understudy_condition_init(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int result = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return result;
}

int understudy_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t nanoseconds) {
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

int understudy_openat(int dir, const char *path, int flags, unsigned mode) {
    return openat(dir, path, flags, (mode_t)mode);
}

int understudy_set_status_flags(int fd, int flags) { return fcntl(fd, F_SETFL, flags); }

int understudy_locate_as(const char *path, unsigned user, unsigned group, struct understudy_file_place *place) {
    struct stat info;
    // Both return what was in force before, and change nothing where they may not.
    int group_before = setfsgid(group), user_before = setfsuid(user);
    int result = stat(path, &info), number = errno;
    setfsuid(user_before);
    setfsgid(group_before);
    errno = number;
    if (result != 0) return -1;
    place->device = info.st_dev;
    place->inode = info.st_ino;
    place->size = info.st_size;
    return 0;
}

int understudy_may_read_as(const char *path, unsigned user, unsigned group) {
    // As above. Nothing is read, and a pipe or device does not block.
    int group_before = setfsgid(group), user_before = setfsuid(user);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    setfsuid(user_before);
    setfsgid(group_before);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

int understudy_terminal_columns(int fd) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0) return -1;
    return size.ws_col;
}

static _Atomic unsigned understudy_counts[65];
static _Atomic int understudy_signal_descriptor = -1;

static void understudy_note_signal(int number) {
    int error = errno;
    if (number > 0 && number < 65) atomic_fetch_add(&understudy_counts[number], 1);
    int descriptor = atomic_load(&understudy_signal_descriptor);
    uint64_t one = 1;
    // A counter that is full (EAGAIN) is readable already.
    if (descriptor >= 0 && write(descriptor, &one, sizeof one) < 0) errno = error;
    errno = error;
}

int understudy_count_signal(int number) {
    struct sigaction action = {.sa_handler = understudy_note_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, NULL);
}

unsigned understudy_signals_counted(int number) {
    return number > 0 && number < 65 ? atomic_load(&understudy_counts[number]) : 0;
}

void understudy_tell_signals_to(int descriptor) { atomic_store(&understudy_signal_descriptor, descriptor); }

int understudy_processors(void) {
    cpu_set_t set;
    // More than 1024 processors do not fit into the set.
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}

int understudy_limit_memory_arenas(void) { return mallopt(M_ARENA_MAX, 1) == 1 ? 0 : -1; }

void understudy_return_free_memory(void) { malloc_trim(0); }

int understudy_has_address_space(size_t size) {
    void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return -1;
    return munmap(start, size);
}

int understudy_bytes_waiting(int socket) {
    int count = 0;
    return ioctl(socket, FIONREAD, &count) == 0 && count > 0 ? count : 0;
}

int64_t understudy_data_size(int statm) {
    char text[160];
    ssize_t length = pread(statm, text, sizeof text - 1, 0);
    if (length <= 0) return -1;
    text[length] = 0;
    char *field = text;
    for (int passed = 0; passed < 5; passed++) {
        field = strchr(field, ' ');
        if (!field) return -1;
        field++;
    }
    return (int64_t)strtoll(field, NULL, 10) * sysconf(_SC_PAGESIZE);
}

int understudy_set_aside(int place, int *set_aside, int *other_end) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) return -1;
    *set_aside = fcntl(place, F_DUPFD_CLOEXEC, 3);
    if (*set_aside < 0 || dup3(pair[0], place, O_CLOEXEC) < 0) {
        if (*set_aside >= 0) close(*set_aside);
        close(pair[0]);
        close(pair[1]);
        return -1;
    }
    close(pair[0]);
    *other_end = pair[1];
    return 0;
}

void understudy_fill(int end) {
    static const char bytes[4096];
    int size = 1;
    // The kernel makes it its least, a few kB.
    setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    while (send(end, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {}
}

void understudy_put_back(int place, int set_aside, int other_end, int is_its_place) {
    if (is_its_place) dup3(set_aside, place, O_CLOEXEC);
    close(set_aside);
    close(other_end);
}

static int replace_file(int dir, const char *temporary, const char *name, const char *bytes, size_t count, unsigned mode,
                        volatile int *stage) {
    *stage = understudy_REMOVING;
    if (unlinkat(dir, temporary, 0) != 0 && errno != ENOENT) return errno;
    *stage = understudy_CREATING;
    int file = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (file < 0) return errno;
    int failure = fchmod(file, mode) == 0 ? 0 : errno;
    if (!failure) *stage = understudy_WRITING;
    while (!failure && count > 0) {
        ssize_t written = write(file, bytes, count);
        if (written >= 0) {
            bytes += written;
            count -= (size_t)written;
        } else if (errno != EINTR) {
            failure = errno;
        }
    }
    if (close(file) != 0 && !failure) failure = errno;
    if (!failure) {
        *stage = understudy_LOOKING;
        struct stat info;
        if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
            if (!S_ISREG(info.st_mode)) failure = EEXIST;
        } else if (errno != ENOENT) {
            failure = errno;
        }
    }
    if (!failure) {
        *stage = understudy_RENAMING;
        if (renameat(dir, temporary, dir, name) != 0) failure = errno;
    }
    if (failure) unlinkat(dir, temporary, 0);
    return failure;
}

int understudy_replace_apart(int dir, const char *temporary, const char *name, const void *bytes, size_t count,
                             unsigned mode, int *reached) {
    volatile int stage = understudy_STARTING, failure = EINTR;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    // Memory is shared until the child ends, descriptors are not.
    pid_t child = vfork();
    if (child == 0) {
        // Nobody waits for these, should it never end.
        if (dir > 0) syscall(SYS_close_range, 0, dir - 1, 0);
        syscall(SYS_close_range, dir + 1, ~0u, 0);
        failure = replace_file(dir, temporary, name, bytes, count, mode, &stage);
        _exit(failure);
    }
    int start_failure = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child < 0) {
        *reached = understudy_STARTING;
        return start_failure;
    }
    int status = 0;
    pid_t waited;
    while ((waited = waitpid(child, &status, 0)) < 0 && errno == EINTR) {}
    *reached = stage;
    // Under a sanitizer, which makes vfork a fork, only the exit status tells.
    if (waited == child && WIFEXITED(status)) return WEXITSTATUS(status);
    return failure;
}
