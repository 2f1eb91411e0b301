/* Whole files, atomic files and journals. Declared in core/file.h; folders and locks are in file_folder.c. */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

nigh_status nigh_file_fail(nigh_context *ctx, const char *verb, const char *path, int error)
{
    char room[128];
    bool scarce = error == ENOSPC || error == EDQUOT || error == EFBIG || error == EMFILE || error == ENFILE;
    nigh_status status = error == ENOMEM ? NIGH_MEMORY : scarce ? NIGH_RESOURCE : NIGH_IO;
    return nigh_fail(ctx, status, "cannot %s '%s': %s", verb, path, strerror_r(error, room, sizeof room));
}

/* ---- reading ---- */

static nigh_status read_all(nigh_context *ctx, int fd, const char *path, size_t cap, size_t expected, nigh_buffer *buffer)
{
    size_t room = expected + 1 < 4096 ? 4096 : expected + 1;
    while (true) {
        if (buffer->room <= buffer->size + 1) { /* full; a file of the expected size is not, and the end is seen without growing */
            char *data = nigh_resize(ctx, buffer->data, buffer->size + room + 1);
            if (!data) return NIGH_MEMORY;
            buffer->data = data;
            buffer->room = buffer->size + room + 1;
        }
        ssize_t got = read(fd, buffer->data + buffer->size, buffer->room - buffer->size - 1);
        if (got < 0 && errno == EINTR) {
            if (nigh_poll(ctx)) return NIGH_INTERRUPTED;
            continue;
        }
        if (got < 0) return nigh_file_fail(ctx, "read", path, errno);
        if (got == 0) break;
        buffer->size += (size_t)got;
        if (buffer->size > cap)
            return nigh_fail(ctx, NIGH_RESOURCE, "'%s' has more than %zu bytes, the most that is read here", path, cap);
        room = buffer->size < 4096 ? 4096 : buffer->size;
    }
    buffer->data[buffer->size] = 0;
    return NIGH_OK;
}

nigh_status nigh_file_read(nigh_context *ctx, const char *path, size_t cap, char **data, size_t *size)
{
    bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return nigh_file_fail(ctx, "open", name, errno);
    nigh_buffer buffer = {.ctx = ctx};
    nigh_status status = NIGH_OK;
    struct stat info;
    if (fstat(fd, &info) < 0)
        status = nigh_file_fail(ctx, "read", name, errno);
    else if (S_ISDIR(info.st_mode))
        status = nigh_file_fail(ctx, "read", name, EISDIR);
    else if (S_ISREG(info.st_mode) && (uint64_t)info.st_size > cap)
        status = nigh_fail(ctx, NIGH_RESOURCE, "'%s' has %lld bytes; at most %zu are read here", name, (long long)info.st_size, cap);
    else
        status = read_all(ctx, fd, name, cap, S_ISREG(info.st_mode) ? (size_t)info.st_size : 0, &buffer);
    if (!standard) close(fd);
    if (status) {
        nigh_buffer_free(&buffer);
        return status;
    }
    *data = buffer.data;
    *size = buffer.size;
    return NIGH_OK;
}

/* ---- writing ---- */

enum { OUTPUT_ROOM = 1 << 16 };

struct nigh_output {
    nigh_context *ctx;
    int fd;
    char *path;      /* where the bytes end up, links resolved */
    char *temporary; /* NULL: written to directly */
    size_t held;
    char room[OUTPUT_ROOM];
};

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return errno;
        bytes += put;
        size -= (size_t)put;
    }
    return 0;
}

static nigh_status output_flush(nigh_output *output)
{
    int error = write_all(output->fd, output->room, output->held);
    output->held = 0;
    return error ? nigh_file_fail(output->ctx, "write", output->path, error) : NIGH_OK;
}

/* Opens a new file beside `path`; its name holds the process and a counter, so that no two writers meet. */
static int open_beside(nigh_context *ctx, const char *path, char **temporary)
{
    static unsigned counter;
    for (int attempt = 0; attempt < 100; attempt++) {
        unsigned number = __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
        char *name = nigh_format(ctx, "%s.%ld-%u.tmp", path, (long)getpid(), number);
        if (!name) return -ENOMEM;
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        int error = errno;
        if (fd >= 0) {
            *temporary = name;
            return fd;
        }
        nigh_free(ctx, name);
        if (error != EEXIST) return -error;
    }
    return -EEXIST;
}

static nigh_status output_open_at(nigh_output *output)
{
    nigh_context *ctx = output->ctx;
    struct stat info;
    bool there = stat(output->path, &info) == 0;
    if (there && S_ISDIR(info.st_mode)) return nigh_file_fail(ctx, "write", output->path, EISDIR);
    if (there && !S_ISREG(info.st_mode)) {
        output->fd = open(output->path, O_WRONLY | O_CLOEXEC);
        return output->fd < 0 ? nigh_file_fail(ctx, "write", output->path, errno) : NIGH_OK;
    }
    if (there && access(output->path, W_OK) < 0) return nigh_file_fail(ctx, "write", output->path, errno);
    output->fd = open_beside(ctx, output->path, &output->temporary);
    if (output->fd < 0) return nigh_file_fail(ctx, "write", output->path, -output->fd);
    if (there && fchmod(output->fd, info.st_mode & 07777) < 0) return nigh_file_fail(ctx, "write", output->path, errno);
    return NIGH_OK;
}

nigh_status nigh_output_open(nigh_context *ctx, const char *path, nigh_output **out)
{
    nigh_output *output = nigh_alloc(ctx, sizeof *output);
    if (!output) return NIGH_MEMORY;
    output->ctx = ctx;
    output->fd = -1;
    output->temporary = NULL;
    output->held = 0;
    char *resolved = realpath(path, NULL);
    output->path = nigh_strdup(ctx, resolved ? resolved : path);
    free(resolved);
    nigh_status status = output->path ? output_open_at(output) : NIGH_MEMORY;
    if (status)
        nigh_output_abandon(output);
    else
        *out = output;
    return status;
}

nigh_status nigh_output_add(nigh_output *output, const void *bytes, size_t size)
{
    if (size > OUTPUT_ROOM - output->held) {
        nigh_status status = output_flush(output);
        if (status) return status;
    }
    if (size > OUTPUT_ROOM) {
        int error = write_all(output->fd, bytes, size);
        return error ? nigh_file_fail(output->ctx, "write", output->path, error) : NIGH_OK;
    }
    if (size) memcpy(output->room + output->held, bytes, size);
    output->held += size;
    return NIGH_OK;
}

/* The rename itself must survive a power cut too; a folder that cannot be synced is no failure. */
static void sync_folder_of(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) + 1 : 0;
    if (length >= (int)sizeof folder) return;
    snprintf(folder, sizeof folder, "%.*s", length ? length : 1, length ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    if (fsync(fd) < 0) errno = 0;
    close(fd);
}

nigh_status nigh_output_commit(nigh_output *output)
{
    nigh_context *ctx = output->ctx;
    nigh_status status = output_flush(output);
    if (!status && output->temporary && fsync(output->fd) < 0) status = nigh_file_fail(ctx, "write", output->path, errno);
    int closed = close(output->fd);
    output->fd = -1;
    if (!status && closed < 0) status = nigh_file_fail(ctx, "write", output->path, errno);
    if (!status && output->temporary) {
        if (rename(output->temporary, output->path) < 0) {
            status = nigh_file_fail(ctx, "write", output->path, errno);
        } else {
            nigh_free(ctx, output->temporary);
            output->temporary = NULL;
            sync_folder_of(output->path);
        }
    }
    nigh_output_abandon(output);
    return status;
}

void nigh_output_abandon(nigh_output *output)
{
    if (!output) return;
    if (output->fd >= 0) close(output->fd);
    if (output->temporary) unlink(output->temporary);
    nigh_free(output->ctx, output->temporary);
    nigh_free(output->ctx, output->path);
    nigh_free(output->ctx, output);
}

nigh_status nigh_file_write(nigh_context *ctx, const char *path, const void *bytes, size_t size)
{
    nigh_output *output = NULL;
    nigh_status status = nigh_output_open(ctx, path, &output);
    if (status) return status;
    status = nigh_output_add(output, bytes, size);
    if (!status) return nigh_output_commit(output);
    nigh_output_abandon(output);
    return status;
}

nigh_status nigh_file_put(nigh_context *ctx, const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return nigh_file_fail(ctx, "write", path, errno);
    int error = write_all(fd, bytes, size);
    if (close(fd) < 0 && !error) error = errno;
    if (!error) return NIGH_OK;
    unlink(path);
    return nigh_file_fail(ctx, "write", path, error);
}

/* ---- journals: "nigh-jnl", then per record u32 length, u32 CRC-32 of length and bytes (little endian), the bytes ---- */

enum { JOURNAL_HEAD = 8, JOURNAL_RECORD_MAX = 64 << 20 };
static const char journal_magic[JOURNAL_HEAD + 1] = "nigh-jnl";

struct nigh_journal {
    nigh_context *ctx;
    int fd;
    char *path;
    off_t end;
};

static void put_u32(unsigned char *p, uint32_t x)
{
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(x >> 8 * i);
}

static uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t record_crc(const unsigned char *length, const void *bytes, size_t size)
{
    uLong crc = crc32(crc32(0, NULL, 0), length, 4);
    return (uint32_t)(size ? crc32(crc, bytes, (uInt)size) : crc);
}

static ssize_t read_at(int fd, void *bytes, size_t size, off_t at)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(fd, (char *)bytes + done, size - done, at + (off_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* Walks over the good records; journal->end is where the first bad one (or nothing) stands. */
static nigh_status journal_replay(nigh_journal *journal, off_t file_end, nigh_journal_fn *each, void *user)
{
    nigh_status status = NIGH_OK;
    char *bytes = NULL;
    while (!status) {
        unsigned char head[8];
        ssize_t got = read_at(journal->fd, head, sizeof head, journal->end);
        if (got < 0) return nigh_file_fail(journal->ctx, "read", journal->path, errno);
        uint32_t size = got == sizeof head ? get_u32(head) : UINT32_MAX;
        if (size > JOURNAL_RECORD_MAX || (off_t)size > file_end - journal->end - (off_t)sizeof head) break;
        bytes = nigh_alloc(journal->ctx, size ? size : 1);
        if (!bytes) return NIGH_MEMORY;
        got = read_at(journal->fd, bytes, size, journal->end + (off_t)sizeof head);
        bool good = got == (ssize_t)size && record_crc(head, bytes, size) == get_u32(head + 4);
        if (good && each) status = each(user, bytes, size);
        nigh_free(journal->ctx, bytes);
        if (!good) break;
        journal->end += (off_t)sizeof head + (off_t)size;
    }
    return status;
}

static nigh_status journal_begin(nigh_journal *journal, nigh_journal_fn *each, void *user)
{
    nigh_context *ctx = journal->ctx;
    if (flock(journal->fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? nigh_fail(ctx, NIGH_RESOURCE, "'%s' is in use by another nigh", journal->path)
                                    : nigh_file_fail(ctx, "lock", journal->path, errno);
    struct stat info;
    if (fstat(journal->fd, &info) < 0) return nigh_file_fail(ctx, "read", journal->path, errno);
    char magic[JOURNAL_HEAD];
    ssize_t got = read_at(journal->fd, magic, sizeof magic, 0);
    if (got < 0) return nigh_file_fail(ctx, "read", journal->path, errno);
    if (memcmp(magic, journal_magic, (size_t)got) != 0)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s' is no journal of nigh; it was left as it is", journal->path);
    if (got < JOURNAL_HEAD) { /* new, or killed while it was made */
        if (pwrite(journal->fd, journal_magic, JOURNAL_HEAD, 0) != JOURNAL_HEAD || fsync(journal->fd) < 0)
            return nigh_file_fail(ctx, "write", journal->path, errno ? errno : ENOSPC);
        sync_folder_of(journal->path);
    }
    journal->end = JOURNAL_HEAD;
    nigh_status status = journal_replay(journal, info.st_size, each, user);
    if (status) return status;
    if (journal->end < info.st_size) {
        nigh_log(ctx, NIGH_LOG_WARNING, "'%s': the last %lld bytes are damaged and were cut off", journal->path,
                 (long long)(info.st_size - journal->end));
        if (ftruncate(journal->fd, journal->end) < 0) return nigh_file_fail(ctx, "repair", journal->path, errno);
    }
    return NIGH_OK;
}

nigh_status nigh_journal_open(nigh_context *ctx, const char *path, nigh_journal_fn *each, void *user, nigh_journal **out)
{
    nigh_journal *journal = nigh_alloc_zero(ctx, 1, sizeof *journal);
    if (!journal) return NIGH_MEMORY;
    nigh_status status;
    journal->ctx = ctx;
    journal->fd = -1;
    journal->path = nigh_strdup(ctx, path);
    if (!journal->path) {
        status = NIGH_MEMORY;
        goto done;
    }
    journal->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    status = journal->fd < 0 ? nigh_file_fail(ctx, "open", path, errno) : journal_begin(journal, each, user);
done:
    if (status)
        nigh_journal_close(journal);
    else
        *out = journal;
    return status;
}

nigh_status nigh_journal_add(nigh_journal *journal, const void *bytes, size_t size)
{
    nigh_context *ctx = journal->ctx;
    if (size > JOURNAL_RECORD_MAX)
        return nigh_fail(ctx, NIGH_INVALID, "a journal record has %zu bytes; at most %d are allowed", size, JOURNAL_RECORD_MAX);
    char *record = nigh_alloc(ctx, size + 8);
    if (!record) return NIGH_MEMORY;
    unsigned char *head = (unsigned char *)record;
    put_u32(head, (uint32_t)size);
    put_u32(head + 4, record_crc(head, bytes, size));
    if (size) memcpy(record + 8, bytes, size);
    int error = lseek(journal->fd, journal->end, SEEK_SET) < 0 ? errno : write_all(journal->fd, record, size + 8);
    if (!error && fdatasync(journal->fd) < 0) error = errno;
    nigh_free(ctx, record);
    if (!error) {
        journal->end += (off_t)size + 8;
        return NIGH_OK;
    }
    nigh_status status = nigh_file_fail(ctx, "write", journal->path, error);
    if (ftruncate(journal->fd, journal->end) < 0) nigh_log(ctx, NIGH_LOG_WARNING, "'%s' ends in half a record", journal->path);
    return status;
}

void nigh_journal_close(nigh_journal *journal)
{
    if (!journal) return;
    if (journal->fd >= 0) close(journal->fd);
    nigh_free(journal->ctx, journal->path);
    nigh_free(journal->ctx, journal);
}
