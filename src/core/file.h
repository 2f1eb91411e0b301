/*
 * Files as all of nigh uses them: read whole with a cap, written atomically, journals, locks, private and XDG folders.
 * Errors name the path and say what the system said; a full disk is NIGH_RESOURCE, all else NIGH_IO.
 */
#ifndef NIGH_CORE_FILE_H
#define NIGH_CORE_FILE_H
#include "nigh/core.h"

/* Sets "cannot VERB 'PATH': TEXT OF ERRNO"; NIGH_RESOURCE for ENOSPC, EDQUOT, EFBIG, EMFILE, ENFILE,
 * NIGH_MEMORY for ENOMEM, else NIGH_IO. */
nigh_status nigh_file_fail(nigh_context *ctx, const char *verb, const char *path, int error);

/*
 * The bytes of a file (followed by a 0 that is not counted); "-" reads standard input. Free *data with nigh_free.
 * NIGH_IO: missing, a folder, unreadable; NIGH_RESOURCE: more than cap bytes (read no further).
 */
nigh_status nigh_file_read(nigh_context *ctx, const char *path, size_t cap, char **data, size_t *size);

/*
 * A file that appears whole or not at all: bytes go to a temporary file in the same folder, which is synced and renamed
 * over `path` by nigh_output_commit. Until then, and after any failure, the old file is as it was. A symbolic link is
 * followed; what is not a regular file (/dev/stdout, a pipe) is written to directly. The mode of an old file is kept.
 */
typedef struct nigh_output nigh_output;
nigh_status nigh_output_open(nigh_context *ctx, const char *path, nigh_output **output);
nigh_status nigh_output_add(nigh_output *output, const void *bytes, size_t size); /* buffered */
nigh_status nigh_output_commit(nigh_output *output); /* frees the output, also on failure */
void nigh_output_abandon(nigh_output *output);       /* removes the temporary file; NULL is fine */

/* All of it at once. */
nigh_status nigh_file_write(nigh_context *ctx, const char *path, const void *bytes, size_t size);

/* A new file (0600), neither synced nor renamed, for folders that are our own. Removed again on failure. */
nigh_status nigh_file_put(nigh_context *ctx, const char *path, const void *bytes, size_t size);

/*
 * An append-only journal: records of up to 64 MiB, each with length and CRC-32, synced before nigh_journal_add returns.
 * Opening calls `each` for the good records in order (its failure ends the opening), stops at the first bad one and cuts
 * the file there: what a killed run left half written is gone. The file is locked while open; a second opener gets
 * NIGH_RESOURCE. A file that is no journal gives NIGH_FORMAT and is left alone.
 */
typedef struct nigh_journal nigh_journal;
typedef nigh_status nigh_journal_fn(void *user, const void *bytes, size_t size);
nigh_status nigh_journal_open(nigh_context *ctx, const char *path, nigh_journal_fn *each, void *user, nigh_journal **journal);
nigh_status nigh_journal_add(nigh_journal *journal, const void *bytes, size_t size); /* on failure the record is taken back */
void nigh_journal_close(nigh_journal *journal); /* NULL is fine */

/*
 * An advisory lock (flock) on a file that is made when missing and never removed. Waits up to `seconds` (polling the
 * cancel flag); NIGH_RESOURCE when another process holds it still. The kernel frees it when the holder dies.
 */
typedef struct nigh_lock nigh_lock;
nigh_status nigh_lock_take(nigh_context *ctx, const char *path, double seconds, nigh_lock **lock);
void nigh_lock_release(nigh_lock *lock); /* NULL is fine */

/* The user's folders: $XDG_CACHE_HOME or ~/.cache and so on (relative values are ignored, as the XDG specification asks),
 * then "/nigh", then "/below" unless below is NULL. Made when missing (0700). Free *path with nigh_free. */
typedef enum nigh_place { NIGH_PLACE_CACHE, NIGH_PLACE_DATA, NIGH_PLACE_STATE } nigh_place;
nigh_status nigh_folder_user(nigh_context *ctx, nigh_place place, const char *below, char **path);

/* mkdir -p with mode 0700 for what is missing. */
nigh_status nigh_folder_make(nigh_context *ctx, const char *path);

/*
 * A private folder (0700) below $TMPDIR or /tmp, named nigh-XXXXXX, locked for as long as it is held, so that a later
 * run can tell what a killed one left: the first call of a process removes such folders of the same user that are
 * more than an hour old. nigh_folder_remove deletes the tree (any depth, links not followed, rights repaired), frees.
 */
typedef struct nigh_folder {
    char *path;
    int fd;
} nigh_folder;
nigh_status nigh_folder_temp(nigh_context *ctx, nigh_folder *folder);
void nigh_folder_remove(nigh_context *ctx, nigh_folder *folder); /* {NULL} is fine; logs a warning when something stays */

/* Removes a tree; false when something is left. Allocates nothing through a context. */
bool nigh_tree_remove(const char *path);
#endif
