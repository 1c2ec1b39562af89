/* Preloaded (LD_PRELOAD) by faults.py: make the n-th system call of a kind below a folder fail, or
   log all calls. Child processes add to the same counts, in the file FAULTS_SHARED. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPEN, WRITE, FSYNC, RENAME, MKDIR, KINDS };
enum { SHORT = -1, KILL = -2 }; /* in place of an error number */

static struct shared { /* as `Shared` in faults.py */
    long kind, nth, error; /* make the n-th call of a kind fail with an error */
    long logs;             /* whether calls are logged */
    long count[KINDS];     /* calls so far */
    long flushing;         /* nanoseconds in fsync so far */
    char at[PATH_MAX];     /* the path of the call that failed */
} *shared;
static const char *folder;
static int journal = -1;

#define REAL(result, name, ...) static result (*real_##name)(__VA_ARGS__)
REAL(int, open, const char *, int, ...);
REAL(int, openat, int, const char *, int, ...);
REAL(ssize_t, write, int, const void *, size_t);
REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
REAL(ssize_t, writev, int, const struct iovec *, int);
REAL(int, fsync, int);
REAL(int, fdatasync, int);
REAL(int, ftruncate, int, off_t);
REAL(int, renameat, int, const char *, int, const char *);
REAL(int, mkdirat, int, const char *, mode_t);
REAL(int, unlinkat, int, const char *, int);
REAL(int, linkat, int, const char *, int, const char *, int);

__attribute__((constructor)) static void start(void) {
#define FIND(name) real_##name = dlsym(RTLD_NEXT, #name)
    FIND(open), FIND(openat), FIND(write), FIND(pwrite), FIND(writev), FIND(fsync), FIND(fdatasync);
    FIND(ftruncate), FIND(renameat), FIND(mkdirat), FIND(unlinkat), FIND(linkat);
    folder = getenv("FAULTS_FOLDER");
    int file = real_open(getenv("FAULTS_SHARED"), O_RDWR | O_CLOEXEC);
    void *at = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (!folder || at == MAP_FAILED) abort();
    shared = at;
}

/* Write the absolute path of a name, or of a descriptor, and return whether it counts. */
static int named(char *path, int at, const char *name) {
    char link[64] = "/proc/self/cwd";
    ssize_t size = 0;
    if (!shared) return 0; /* the library is still being loaded */
    if (!name || name[0] != '/') {
        if (at != AT_FDCWD) snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        if ((size = readlink(link, path, PATH_MAX - 1)) < 0) return 0;
        path[size] = 0;
    }
    if (name) snprintf(path + size, PATH_MAX - size, "%s%s", size ? "/" : "", name);
    size_t length = strlen(folder);
    int below = !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
    return below && !strstr(path, "/.git/");
}

/* Count a call; return 0, SHORT, or 1 with errno set; or end this process. */
static int fails(int kind, const char *path) {
    long number = __atomic_add_fetch(&shared->count[kind], 1, __ATOMIC_SEQ_CST);
    if (shared->kind != kind || shared->nth != number) return 0;
    snprintf(shared->at, sizeof shared->at, "%s", path);
    if (shared->error == KILL) kill(getpid(), SIGKILL);
    errno = shared->error;
    return shared->error == SHORT ? SHORT : 1;
}

/* Append a call that succeeded to the log: name, paths, offset and size in a line, then bytes. */
static void note(const char *call, const char *path, const char *to, long at, const void *data,
                 size_t size) {
    char head[2 * PATH_MAX + 99];
    int error = errno;
    if (!shared->logs) return;
    if (journal < 0) {
        int file = real_open(getenv("FAULTS_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        journal = fcntl(file, F_DUPFD_CLOEXEC, 900); /* above descriptors that children close */
        close(file);
    }
    const char *line = "%s\t%s\t%s\t%ld\t%zu\n";
    int length = snprintf(head, sizeof head, line, call, path, to, at, size);
    struct iovec parts[] = {{head, length}, {(void *)data, size}};
    if (real_writev(journal, parts, 2) < 0) abort();
    errno = error;
}

static int opened(int at, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    int counts = flags & (O_WRONLY | O_RDWR | O_CREAT) && named(path, at, name);
    if (counts && fails(OPEN, path)) return -1;
    int is_new = counts && flags & O_CREAT && faccessat(at, name, F_OK, 0);
    int file = real_openat(at, name, flags, mode);
    if (file >= 0 && counts && (is_new || flags & O_TRUNC)) note("truncate", path, "", 0, "", 0);
    return file;
}
#define MODE va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest)
int open(const char *name, int flags, ...) { MODE; return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE; return opened(AT_FDCWD, name, flags, mode); }
int openat(int at, const char *name, int flags, ...) { MODE; return opened(at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { MODE; return opened(at, name, flags, mode); }

static ssize_t written(int file, const void *data, size_t size, off_t at) {
    char path[PATH_MAX];
    int counts = named(path, file, NULL);
    int how = counts ? fails(WRITE, path) : 0;
    if (how > 0) return -1;
    if (how == SHORT && size > 1) size /= 2;
    ssize_t done = at < 0 ? real_write(file, data, size) : real_pwrite(file, data, size, at);
    if (done <= 0 || !counts) return done;
    note("write", path, "", at < 0 ? lseek(file, 0, SEEK_CUR) - done : at, data, done);
    return done;
}
ssize_t write(int file, const void *data, size_t size) { return written(file, data, size, -1); }
ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    return written(file, data, size, at);
}
ssize_t pwrite64(int file, const void *data, size_t size, off_t at) {
    return written(file, data, size, at);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    if (!named(path, file, NULL)) return real_writev(file, parts, count);
    return count ? written(file, parts[0].iov_base, parts[0].iov_len, -1) : 0; /* short: allowed */
}
/* Unsupported, so that callers fall back on write. */
static ssize_t refused(void) {
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile(int to, int from, off_t *at, size_t size) { return refused(); }
ssize_t sendfile64(int to, int from, off_t *at, size_t size) { return refused(); }
ssize_t copy_file_range(int from, off_t *at, int to, off_t *there, size_t size, unsigned flags) {
    return refused();
}

static int synced(int file, int (*real)(int)) {
    char path[PATH_MAX];
    int counts = named(path, file, NULL);
    if (counts && fails(FSYNC, path)) return -1;
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    int done = real(file);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    if (done || !counts) return done;
    long took = (ended.tv_sec - began.tv_sec) * 1000000000 + ended.tv_nsec - began.tv_nsec;
    __atomic_add_fetch(&shared->flushing, took, __ATOMIC_SEQ_CST);
    note("fsync", path, "", 0, "", 0);
    return done;
}
int fsync(int file) { return synced(file, real_fsync); }
int fdatasync(int file) { return synced(file, real_fdatasync); }
int ftruncate(int file, off_t size) {
    char path[PATH_MAX];
    int done = real_ftruncate(file, size);
    if (!done && named(path, file, NULL)) note("truncate", path, "", size, "", 0);
    return done;
}
int ftruncate64(int file, off_t size) { return ftruncate(file, size); }

int renameat(int at, const char *name, int there, const char *other) {
    char path[PATH_MAX], to[PATH_MAX];
    int counts = named(path, at, name) | named(to, there, other);
    if (counts && fails(RENAME, to)) return -1;
    int done = real_renameat(at, name, there, other);
    if (!done && counts) note("rename", path, to, 0, "", 0);
    return done;
}
int rename(const char *name, const char *other) {
    return renameat(AT_FDCWD, name, AT_FDCWD, other);
}

int mkdirat(int at, const char *name, mode_t mode) {
    char path[PATH_MAX];
    int counts = named(path, at, name);
    if (counts && fails(MKDIR, path)) return -1;
    int done = real_mkdirat(at, name, mode);
    if (!done && counts) note("mkdir", path, "", 0, "", 0);
    return done;
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int unlinkat(int at, const char *name, int flags) {
    char path[PATH_MAX];
    int done = real_unlinkat(at, name, flags);
    const char *call = flags & AT_REMOVEDIR ? "rmdir" : "unlink";
    if (!done && named(path, at, name)) note(call, path, "", 0, "", 0);
    return done;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
int linkat(int at, const char *name, int there, const char *other, int flags) {
    char path[PATH_MAX], to[PATH_MAX];
    int done = real_linkat(at, name, there, other, flags);
    if (!done && named(path, at, name) | named(to, there, other)) note("link", path, to, 0, "", 0);
    return done;
}
int link(const char *name, const char *other) {
    return linkat(AT_FDCWD, name, AT_FDCWD, other, 0);
}
