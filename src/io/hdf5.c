/* HDF5 files read by the program nigh-hdf5, kept within limits. Declared in nigh/io.h; writing is in hdf5_write.c. */
#include "io/hdf5_stream.h"
#include "io/stream.h"
#include "nigh/process.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#ifdef NIGH_HAVE_HDF5
enum { NAMES_MOST = 4096 };

typedef struct request {
    nigh_context *ctx;
    const char *source;
    const void *bytes; /* for standard input of the program, or NULL: it opens `path` */
    size_t size;
    const char *path;
    uint64_t file_size;
    nigh_hdf5_options options; /* defaults filled in */
} request;

static nigh_status fill_options(nigh_context *ctx, const nigh_hdf5_options *given, uint64_t file_size, nigh_hdf5_options *full)
{
    *full = given ? *given : (nigh_hdf5_options){0};
    if (!(full->seconds >= 0) || full->seconds > 1e9)
        return nigh_fail(ctx, NIGH_INVALID, "seconds is %g; 0 (default) to 1e9 is allowed", full->seconds);
    if (full->seconds == 0) full->seconds = 10 + 1e-7 * (double)file_size;
    if (full->max_bytes == 0) full->max_bytes = (uint64_t)4 << 30;
    if (full->max_bytes > (uint64_t)1 << 60)
        return nigh_fail(ctx, NIGH_INVALID, "max_bytes is %llu; 0 (4 GiB) to 2^60 is allowed", (unsigned long long)full->max_bytes);
    size_t count = 0;
    for (const char *const *name = full->names; name && *name; name++, count++)
        if (!**name || strlen(*name) > HDF5_NAME_MOST || !nigh_io_is_utf8(*name, strlen(*name)))
            return nigh_fail(ctx, NIGH_INVALID, "a wanted data set has the name '%s'; UTF-8 of 1 to %d bytes is allowed", NIGH_IO_EXCERPT(*name),
                             HDF5_NAME_MOST);
    if (count > NAMES_MOST) return nigh_fail(ctx, NIGH_INVALID, "%zu data sets are wanted by name; %d are allowed", count, NAMES_MOST);
    return NIGH_OK;
}

/* What the program left when it did not end by itself. */
static nigh_status explain_end(const request *q, const nigh_run *run)
{
    size_t length = 0;
    const char *last = hdf5_stream_last(run->out, run->out_size, &length);
    nigh_io_excerpt name = nigh_io_excerpt_of(last ? last : "", length);
    char where[80];
    snprintf(where, sizeof where, last ? "reading data set '%s'" : "opening the file", name.text);
    if (run->timed_out)
        return nigh_fail(q->ctx, NIGH_RESOURCE, "'%s': the HDF5 library was not done in %.3g s (%s); the file may be damaged", q->source,
                         q->options.seconds, where);
    if (run->too_large) return nigh_fail(q->ctx, NIGH_RESOURCE, "'%s': the HDF5 library took too much memory %s", q->source, where);
    if (run->output_cut)
        return nigh_fail(q->ctx, NIGH_RESOURCE, "'%s' holds more data than the cap of %llu bytes (%s)", q->source,
                         (unsigned long long)q->options.max_bytes, where);
    if (run->signal)
        return nigh_fail(q->ctx, NIGH_FORMAT, "'%s': HDF5 library crashed %s: %s", q->source, where, strsignal(run->signal));
    return nigh_fail(q->ctx, NIGH_FORMAT, "'%s': HDF5 library gave up %s (exit code %d)", q->source, where, run->exit_code);
}

static nigh_status run_program(const request *q, const char *program, const char **argv, nigh_bundle *out)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HDF5_USE_FILE_LOCKING=FALSE", NULL};
    char cap[32];
    size_t n = 0;
    snprintf(cap, sizeof cap, "%llu", (unsigned long long)q->options.max_bytes);
    argv[n++] = program;
    argv[n++] = q->bytes ? "-" : q->path;
    argv[n++] = cap;
    argv[n++] = q->options.skip ? "skip" : "all";
    for (const char *const *name = q->options.names; name && *name; name++) argv[n++] = *name;
    argv[n] = NULL;
    /* room for names and marks beside the data */
    nigh_limits limits = {.seconds = q->options.seconds, .processes = 4, .file_bytes = 1,
                          .memory_bytes = (int64_t)(((uint64_t)1 << 30) + (q->bytes ? 3 * (uint64_t)q->size : 0)),
                          .output_bytes = (int64_t)(q->options.max_bytes + q->options.max_bytes / 3 + ((uint64_t)64 << 20))};
    nigh_run run = {0};
    nigh_status status = nigh_process_run(q->ctx, argv, NULL, environment, q->bytes, q->size, &limits, &run);
    if (status) return nigh_within(q->ctx, status, "'%s'", q->source);
    if (run.signal || run.timed_out || run.too_many || run.too_large || run.output_cut || run.exit_code)
        status = explain_end(q, &run);
    else
        status = hdf5_stream_parse(q->ctx, run.out, run.out_size, q->source, q->options.max_bytes, q->options.names, out);
    nigh_run_free(q->ctx, &run);
    return status;
}

static nigh_status run_request(request *q, const nigh_hdf5_options *options, nigh_bundle *out)
{
    char *program = NULL;
    size_t count = 0;
    nigh_status status = fill_options(q->ctx, options, q->file_size, &q->options);
    if (status) return status;
    while (q->options.names && q->options.names[count]) count++;
    if (q->options.names && count == 0) return nigh_fail(q->ctx, NIGH_INVALID, "the list of wanted data sets is empty; NULL asks for all");
    const char **argv = nigh_alloc_zero(q->ctx, count + 5, sizeof *argv);
    if (!argv) return NIGH_MEMORY;
    status = hdf5_helper_find(q->ctx, &program);
    if (!status) status = run_program(q, program, argv, out);
    nigh_free(q->ctx, program);
    nigh_free(q->ctx, argv);
    return status;
}

/* Cheap, and spares the start of a program: the signature stands at 0, 512, 1024, 2048 ... */
static bool has_signature(const unsigned char *bytes, size_t size)
{
    for (size_t at = 0; at < size && size - at >= 8; at = at ? 2 * at : 512)
        if (memcmp(bytes + at, "\x89HDF\r\n\x1a\n", 8) == 0) return true;
    return false;
}

nigh_status nigh_hdf5_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, const nigh_hdf5_options *options,
                            nigh_bundle *out)
{
    if (!has_signature(bytes, size)) return nigh_fail(ctx, NIGH_FORMAT, "'%s' is no HDF5 file: its signature is missing", name);
    request q = {.ctx = ctx, .source = name, .bytes = bytes, .size = size, .file_size = size};
    return run_request(&q, options, out);
}

nigh_status nigh_hdf5_read(nigh_context *ctx, const char *path, const nigh_hdf5_options *options, nigh_bundle *out)
{
    struct stat info;
    if (strcmp(path, "-") != 0 && stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
        char *guarded = path[0] == '/' ? NULL : nigh_format(ctx, "./%s", path);
        if (path[0] != '/' && !guarded) return NIGH_MEMORY;
        request q = {.ctx = ctx, .source = path, .path = guarded ? guarded : path, .file_size = (uint64_t)info.st_size};
        nigh_status status = run_request(&q, options, out);
        nigh_free(ctx, guarded);
        return status;
    }
    nigh_buffer file = {.ctx = ctx};
    nigh_status status = nigh_io_read_all(ctx, path, &file);
    if (!status) status = nigh_hdf5_parse(ctx, file.data, file.size, nigh_io_source_name(path), options, out);
    nigh_buffer_free(&file);
    return status;
}
#else
static nigh_status missing(nigh_context *ctx, const char *file)
{
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "'%s': this build has no HDF5; install libhdf5-dev and build again", file);
}

nigh_status nigh_hdf5_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, const nigh_hdf5_options *options,
                            nigh_bundle *out)
{
    return missing(ctx, name);
}

nigh_status nigh_hdf5_read(nigh_context *ctx, const char *path, const nigh_hdf5_options *options, nigh_bundle *out)
{
    return missing(ctx, nigh_io_source_name(path));
}
#endif
