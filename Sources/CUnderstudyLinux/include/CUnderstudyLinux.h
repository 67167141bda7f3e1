// Thin shims for system calls and constants that the Glibc module lacks. Unless it says otherwise, each has
// the conventions of the call that it names: -1 and errno on failure.
#ifndef CUNDERSTUDY_LINUX_H
#define CUNDERSTUDY_LINUX_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "CUnderstudyCRC.h"

extern const int understudy_O_DIRECT;
extern const int understudy_O_PATH;
extern const int understudy_O_TMPFILE;
extern const int understudy_SPAWN_SETSID;

/// openat2(2) that resolves `path` beneath `dir` and follows no symbolic link at all.
int understudy_open_confined(int dir, const char *path, int flags, unsigned mode);

/// openat(2), whose variable arguments Swift cannot pass.
int understudy_openat(int dir, const char *path, int flags, unsigned mode);

/// Like understudy_open_confined, and stays on the same mount.
int understudy_open_same_mount(int dir, const char *path, int flags);

/// openat(2) of the directory above, as a place for names (O_PATH).
int understudy_openat_parent(int dir);

/// fallocate(2) from the start of the file, which gets the size `length`.
int understudy_preallocate(int fd, int64_t length);

/// fallocate(2) with FALLOC_FL_PUNCH_HOLE.
int understudy_punch_hole(int fd, int64_t offset, int64_t length);

/// renameat2(2) with RENAME_NOREPLACE: EEXIST if the new name is taken. EINVAL where a file system cannot do it.
int understudy_rename_new(int old_dir, const char *old_name, int new_dir, const char *new_name);

/// Which file it is, and how long.
struct understudy_file_place {
    uint64_t device;
    uint64_t inode;
    int64_t size;
};

/// statx(2) of what has this name in `dir`, a link not followed, and of nothing but this. A file whose times were asked for
/// gets new ones with its next write (Linux from 6.13), and each sync then has an inode to write beside the data.
int understudy_locate_file(int dir, const char *name, struct understudy_file_place *place);

/// stat(2) of what `path` leads to, with the rights on processes that `user` and `group` have: setfsuid(2) of this thread, for
/// the time of the call.
int understudy_locate_as(const char *path, unsigned user, unsigned group, struct understudy_file_place *place);

/// Whether `user` and `group` may open `path` for reading, tried in the same way.
int understudy_may_read_as(const char *path, unsigned user, unsigned group);

/// pwritev2(2) of one buffer, with RWF_DSYNC.
int64_t understudy_write_through(int fd, const void *bytes, size_t count, int64_t offset);

/// sync_file_range(2) with SYNC_FILE_RANGE_WRITE: starts write-back, guarantees nothing.
int understudy_start_writeback(int fd, int64_t offset, int64_t length);

/// fcntl(2) F_SETFL.
int understudy_set_status_flags(int fd, int flags);

int understudy_syncfs(int fd);

/// eventfd(2), not blocking, closed on exec.
int understudy_eventfd(void);

/// pipe2(2), both ends closed on exec.
int understudy_pipe(int ends[2]);

/// pidfd_open(2): readable when the process has ended.
int understudy_pidfd_open(int process);

/// posix_spawn_file_actions_addclosefrom_np(3): the child closes all descriptors from this one on. With a glibc before 2.34 it
/// has those that are not closed on exec. Returns an error number.
int understudy_close_from(void *actions, int first);

/// How far understudy_replace_apart came.
enum {
    understudy_STARTING,
    understudy_REMOVING,
    understudy_CREATING,
    understudy_WRITING,
    understudy_LOOKING,
    understudy_RENAMING,
};

/// Writes a file under a temporary name and renames it, in a child: vfork(2). A thread that waits for a file system which does not
/// answer may not be killable, and its process cannot end; the caller of this is. Nothing is synced.
///
/// Returns an error number, EEXIST if what has the name is no regular file; `reached` tells at which step.
int understudy_replace_apart(int dir, const char *temporary, const char *name, const void *bytes, size_t count,
                             unsigned mode, int *reached);

/// environ(7).
char **understudy_environment(void);

/// A socket for understudy_notify, which waits at most a second.
int understudy_notify_socket(void);

/// sendto(2) to a socket of AF_UNIX: a path, or a name behind '@'.
int64_t understudy_notify(int fd, const void *address, size_t length, const void *text, size_t size);

/// The number of columns of the terminal at `fd` (TIOCGWINSZ), or -1.
int understudy_terminal_columns(int fd);

/// The magic number of the file system that holds `fd` (fstatfs(2)).
int64_t understudy_file_system_type(int fd);

/// Bytes that an ordinary user may still write on the file system of `fd` (fstatvfs(3)); INT64_MAX where it does not
/// count them, as ramfs.
int64_t understudy_available_bytes(int fd);

/// strerror_r(3) into `buffer`, always with a NUL.
void understudy_error_text(int number, char *buffer, size_t size);

/// pthread_setname_np(3) for the calling thread: at most 15 characters are shown.
void understudy_name_this_thread(const char *name);

/// pthread_tryjoin_np(3). Returns an errno: EBUSY if the thread has not ended.
int understudy_try_join(pthread_t thread);

/// pthread_cond_init(3) on the monotonic clock. Returns an errno.
int understudy_condition_init(pthread_cond_t *condition);

/// pthread_cond_timedwait(3) for `nanoseconds` from now, without a limit if negative. Returns an errno:
/// ETIMEDOUT when the time ran out. The condition must come from understudy_condition_init.
int understudy_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t nanoseconds);

/// sigaction(2): from now on the signal is counted, and ends nothing. A program that is executed has it as it was before
/// (unless it was ignored).
int understudy_count_signal(int number);

/// How often it came since.
unsigned understudy_signals_counted(int number);

/// An eventfd that each of those signals makes readable; negative for none.
void understudy_tell_signals_to(int descriptor);

/// How many processors this process may use, at least one: sched_getaffinity(2).
int understudy_processors(void);

/// mallopt(3): all threads share one arena, where glibc otherwise reserves 64 MB of address space for each.
int understudy_limit_memory_arenas(void);

/// malloc_trim(3): gives whole pages of freed memory back to the system. Walks all that is free, with its locks held.
void understudy_return_free_memory(void);

/// 0 if so many more bytes may be mapped for data: mmap(2) and munmap(2). None of them is used.
int understudy_has_address_space(size_t size);

/// Bytes that wait to be read from a socket (FIONREAD); 0 where that is not told.
int understudy_bytes_waiting(int socket);

/// The size of this process's private data in bytes, mapped or not used yet; -1 where it cannot be told.
///
/// Source: proc_pid_statm(5), the sixth number; `statm` is the open file.
int64_t understudy_data_size(int statm);

/// Puts one end of a new socket pair in the place of the socket `place`.
///
/// Returns 0, the socket itself under a new number, and the other end of the pair; or -1, with nothing done.
int understudy_set_aside(int place, int *set_aside, int *other_end);

/// Writes to one end of such a pair until it takes nothing more: whoever has it finds that it cannot send now.
void understudy_fill(int end);

/// Puts the socket back, unless `place` is not its place any more, and closes what understudy_set_aside returned.
void understudy_put_back(int place, int set_aside, int other_end, int is_its_place);

#endif
