/* Where the program nigh-hdf5 is: see nigh/io.h. NIGH_LIBEXEC_FOLDER is where it is installed. */
#include "io/hdf5_stream.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "nigh-hdf5"

/* The absolute FOLDER/below/nigh-hdf5 when it can be run, else NULL with *status NIGH_OK or NIGH_MEMORY. */
static char *try_folder(nigh_context *ctx, const char *folder, size_t length, const char *below, nigh_status *status)
{
    struct stat info;
    char *path = nigh_format(ctx, "%.*s%s/%s", (int)length, folder, below, PROGRAM);
    *status = path ? NIGH_OK : NIGH_MEMORY;
    if (!path) return NULL;
    if (path[0] == '/' && stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0) return path;
    nigh_free(ctx, path);
    return NULL;
}

/* Around the folder of a file of ours. */
static char *try_around(nigh_context *ctx, const char *file, nigh_status *status)
{
    static const char *const below[] = {"", "/..", "/../libexec/nigh", "/../../libexec/nigh"};
    const char *slash = strrchr(file, '/');
    char *path = NULL;
    *status = NIGH_OK;
    for (size_t i = 0; slash && i < sizeof below / sizeof *below && !path && !*status; i++)
        path = try_folder(ctx, file, (size_t)(slash - file), below[i], status);
    return path;
}

nigh_status hdf5_helper_find(nigh_context *ctx, char **path)
{
    static const char here = 0;
    Dl_info library;
    char executable[PATH_MAX];
    nigh_status status = NIGH_OK;
    const char *asked = secure_getenv("NIGH_LIBEXEC");
    char *found = asked && *asked ? try_folder(ctx, asked, strlen(asked), "", &status) : NULL;
    if (!found && !status && dladdr(&here, &library) && library.dli_fname) found = try_around(ctx, library.dli_fname, &status);
    if (!found && !status) {
        ssize_t size = readlink("/proc/self/exe", executable, sizeof executable - 1);
        executable[size > 0 ? size : 0] = 0;
        found = try_around(ctx, executable, &status);
    }
    if (!found && !status) found = try_folder(ctx, NIGH_LIBEXEC_FOLDER, strlen(NIGH_LIBEXEC_FOLDER), "", &status);
    if (status) return status;
    if (!found)
        return nigh_fail(ctx, NIGH_FAILED, "the program " PROGRAM ", which reads HDF5 files, is neither beside the library nor in %s; "
                         "NIGH_LIBEXEC names its folder", NIGH_LIBEXEC_FOLDER);
    *path = found;
    return NIGH_OK;
}
