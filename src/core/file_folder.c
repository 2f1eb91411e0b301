/* Locks, the user's folders, private temporary folders. Declared in core/file.h. */
#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- locks ---- */

struct nigh_lock {
    nigh_context *ctx;
    int fd;
};

static nigh_status lock_wait(nigh_context *ctx, int fd, const char *path, double seconds)
{
    double end = nigh_clock() + seconds;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK) return nigh_file_fail(ctx, "lock", path, errno);
        if (nigh_clock() >= end)
            return nigh_fail(ctx, NIGH_RESOURCE, "'%s' is locked by another process (waited %g s)", path, seconds);
        if (nigh_poll(ctx)) return NIGH_INTERRUPTED;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return NIGH_OK;
}

nigh_status nigh_lock_take(nigh_context *ctx, const char *path, double seconds, nigh_lock **out)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return nigh_file_fail(ctx, "lock", path, errno);
    nigh_status status = lock_wait(ctx, fd, path, seconds);
    nigh_lock *lock = status ? NULL : nigh_alloc(ctx, sizeof *lock);
    if (!lock) {
        close(fd);
        return status ? status : NIGH_MEMORY;
    }
    *lock = (nigh_lock){ctx, fd};
    *out = lock;
    return NIGH_OK;
}

void nigh_lock_release(nigh_lock *lock)
{
    if (!lock) return;
    close(lock->fd);
    nigh_free(lock->ctx, lock);
}

/* ---- the user's folders ---- */

nigh_status nigh_folder_make(nigh_context *ctx, const char *path)
{
    char *part = nigh_strdup(ctx, path);
    if (!part) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    for (char *p = part; !status && *p; p++) { /* every prefix that ends before a slash or at the end */
        if (p[1] != '/' && p[1]) continue;
        char kept = p[1];
        p[1] = 0;
        struct stat info;
        if (mkdir(part, 0700) < 0) {
            int error = errno;
            if (stat(part, &info) < 0)
                status = nigh_file_fail(ctx, "make folder", part, error);
            else if (!S_ISDIR(info.st_mode))
                status = nigh_file_fail(ctx, "make folder", part, ENOTDIR);
        }
        p[1] = kept;
    }
    nigh_free(ctx, part);
    return status;
}

nigh_status nigh_folder_user(nigh_context *ctx, nigh_place place, const char *below, char **path)
{
    static const char *const variable[] = {"XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"};
    static const char *const usual[] = {"/.cache", "/.local/share", "/.local/state"};
    const char *base = getenv(variable[place]), *home = "";
    char room[4096];
    struct passwd entry, *found = NULL;
    if (!base || base[0] != '/') {
        base = usual[place];
        home = getenv("HOME");
        if (!home || home[0] != '/') {
            if (getpwuid_r(getuid(), &entry, room, sizeof room, &found) != 0 || !found)
                return nigh_fail(ctx, NIGH_IO, "HOME is not set and user %ld has no home folder; set %s to an absolute path",
                                 (long)getuid(), variable[place]);
            home = found->pw_dir;
        }
    }
    char *full = nigh_format(ctx, "%s%s/nigh%s%s", home, base, below ? "/" : "", below ? below : "");
    if (!full) return NIGH_MEMORY;
    nigh_status status = nigh_folder_make(ctx, full);
    if (status)
        nigh_free(ctx, full);
    else
        *path = full;
    return status;
}

/* ---- removing a tree ---- */

/* Folders deeper than this are moved up to the top before they are emptied, so that no depth can run us out of descriptors. */
enum { DEPTH_MAX = 32 };

typedef struct removal {
    int top;
    unsigned long moved;
    bool stuck; /* a pass will not do better than the one before */
} removal;

static void empty_folder(removal *job, int fd, int depth);

static void remove_entry(removal *job, int parent, const char *name, int depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return;
    if (errno != EISDIR && errno != EPERM) return;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0) return;
    if (depth >= DEPTH_MAX) {
        char up[64];
        snprintf(up, sizeof up, "nigh-moved-%lu", job->moved++);
        if (renameat(parent, name, job->top, up) < 0) job->stuck = true;
        return;
    }
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, 0) == 0)
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    empty_folder(job, fd, depth + 1);
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0) job->stuck = true;
}

/* Takes fd over. */
static void empty_folder(removal *job, int fd, int depth)
{
    struct stat info;
    if (fstat(fd, &info) == 0 && (info.st_mode & 0700) != 0700 && fchmod(fd, 0700) < 0) job->stuck = true;
    DIR *folder = fdopendir(fd);
    if (!folder) {
        close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_entry(job, dirfd(folder), entry->d_name, depth);
    closedir(folder);
}

bool nigh_tree_remove(const char *path)
{
    removal job = {.top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (job.top < 0) return errno == ENOENT;
    unsigned long before;
    do { /* what was moved to the top may have been missed by the pass that moved it */
        before = job.moved;
        int again = openat(job.top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (again < 0) break;
        empty_folder(&job, again, 0);
    } while (job.moved != before && !job.stuck);
    close(job.top);
    return rmdir(path) == 0;
}

/* ---- private temporary folders ---- */

static const char *temporary_base(void)
{
    const char *base = getenv("TMPDIR");
    return base && base[0] == '/' ? base : "/tmp";
}

/* Removes nigh-XXXXXX folders that no living process holds. Young ones may be between mkdtemp and flock. */
static void sweep(const char *base)
{
    enum { YOUNG_SECONDS = 3600 };
    DIR *folder = opendir(base);
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strncmp(entry->d_name, "nigh-", 5) != 0 || strlen(entry->d_name) != 11) continue;
        int fd = openat(dirfd(folder), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) continue;
        struct stat info;
        char path[4096];
        if (fstat(fd, &info) == 0 && info.st_uid == geteuid() && (info.st_mode & 077) == 0 &&
            time(NULL) - info.st_mtime > YOUNG_SECONDS && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
            snprintf(path, sizeof path, "%s/%s", base, entry->d_name) < (int)sizeof path)
            nigh_tree_remove(path);
        close(fd);
    }
    closedir(folder);
}

nigh_status nigh_folder_temp(nigh_context *ctx, nigh_folder *out)
{
    static int swept;
    const char *base = temporary_base();
    if (!__atomic_exchange_n(&swept, 1, __ATOMIC_RELAXED)) sweep(base);
    char *path = nigh_format(ctx, "%s/nigh-XXXXXX", base);
    if (!path) return NIGH_MEMORY;
    if (!mkdtemp(path)) {
        nigh_status status = nigh_file_fail(ctx, "make a private folder in", base, errno);
        nigh_free(ctx, path);
        return status;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) flock(fd, LOCK_SH | LOCK_NB);
    *out = (nigh_folder){path, fd};
    return NIGH_OK;
}

void nigh_folder_remove(nigh_context *ctx, nigh_folder *folder)
{
    if (!folder->path) return;
    if (!nigh_tree_remove(folder->path)) nigh_log(ctx, NIGH_LOG_WARNING, "the private folder '%s' could not be removed", folder->path);
    if (folder->fd >= 0) close(folder->fd);
    nigh_free(ctx, folder->path);
    *folder = (nigh_folder){NULL, -1};
}
