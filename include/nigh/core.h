/*
 * nigh/core.h: what everything else stands on: status codes, the context, memory, arrays.
 *
 * Every call that can fail returns a nigh_status; 0 (NIGH_OK) is success. On failure the context keeps one
 * message (nigh_message) that names the argument, its value and what is allowed. Outputs come last and are
 * left untouched on failure unless a function says otherwise.
 *
 * nigh's own code never prints, exits or aborts.
 */
#ifndef NIGH_CORE_H
#define NIGH_CORE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) || !defined(__GNUC__)
#define NIGH_API
#define NIGH_PRINTF(a, b)
#else
#define NIGH_API __attribute__((visibility("default")))
#define NIGH_PRINTF(a, b) __attribute__((format(printf, a, b)))
#endif

#define NIGH_VERSION_MAJOR 0
#define NIGH_VERSION_MINOR 1
#define NIGH_VERSION_PATCH 0
#define NIGH_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ------------------------------------------------------------------------------------------- */

typedef enum nigh_status {
    NIGH_OK = 0,
    NIGH_UNMET,       /* the error asked for could not be met, a claim fell short             exit 1   */
    NIGH_INVALID,     /* an argument or setting is wrong                                      exit 2   */
    NIGH_FORMAT,      /* a file is not what it should be                                      exit 2   */
    NIGH_IO,          /* a file cannot be opened, read or written                             exit 2   */
    NIGH_UNSUPPORTED, /* known, but not for this problem, type or build                       exit 2   */
    NIGH_FAILED,      /* the user's own program or callback failed                            exit 2   */
    NIGH_MEMORY,      /* out of memory                                                        exit 3   */
    NIGH_RESOURCE,    /* out of another resource: disk, time, a stated cap, a process limit   exit 3   */
    NIGH_UNDECIDED,   /* neither yes nor no could be shown                                    exit 4   */
    NIGH_INTERRUPTED, /* cancelled by the user                                                exit 130 */
    NIGH_OUTSIDE,     /* done, but an input lies outside what the plan was made for (warning) exit 0   */
    NIGH_INTERNAL     /* a bug in nigh; please report it                                      exit 3   */
} nigh_status;

/* Static text such as "invalid argument"; never NULL. */
NIGH_API const char *nigh_status_text(nigh_status status);

/* "0.1.0" of the library that runs (NIGH_VERSION is that of the header). */
NIGH_API const char *nigh_version(void);

/* ---- context ------------------------------------------------------------------------------------------ */

/*
 * A context holds allocator, thread count, seed, cancel flag, callbacks and the last message. One per calling
 * thread: no function may use one context from two threads at once; nigh_context_cancel is the exception.
 */
typedef struct nigh_context nigh_context;

/* Where memory comes from. allocate(user, NULL, 0, n) allocates, (p, old, n) resizes, (p, old, 0) frees. */
typedef struct nigh_allocator {
    void *(*resize)(void *user, void *old, size_t old_bytes, size_t new_bytes);
    void *user;
} nigh_allocator;

typedef enum nigh_log_level { NIGH_LOG_ERROR, NIGH_LOG_WARNING, NIGH_LOG_NOTE, NIGH_LOG_DEBUG } nigh_log_level;

typedef void nigh_log_fn(void *user, nigh_log_level level, const char *text);

/* One call per step of long work. done and total are in the same unit (total 0: unknown). What stands behind a tab in `what` is a note on the step at hand ("loss 0.013"). */
typedef void nigh_progress_fn(void *user, const char *what, double done, double total);

/* A context with malloc, all online cores, seed 0. NIGH_MEMORY leaves *ctx NULL. */
NIGH_API nigh_status nigh_context_new(nigh_context **ctx);

/* The same with an allocator of the caller's, which must outlive the context. */
NIGH_API nigh_status nigh_context_new_with(const nigh_allocator *allocator, nigh_context **ctx);

/* Frees the context; NULL is fine. Objects made with it must be freed before. */
NIGH_API void nigh_context_free(nigh_context *ctx);

NIGH_API void nigh_context_set_seed(nigh_context *ctx, uint64_t seed);
NIGH_API uint64_t nigh_context_seed(const nigh_context *ctx);

/* 1 .. 1024; 0 means all online cores. NIGH_INVALID otherwise. */
NIGH_API nigh_status nigh_context_set_threads(nigh_context *ctx, int threads);
NIGH_API int nigh_context_threads(const nigh_context *ctx);

NIGH_API void nigh_context_set_log(nigh_context *ctx, nigh_log_fn *log, void *user);
NIGH_API void nigh_context_set_progress(nigh_context *ctx, nigh_progress_fn *progress, void *user);

/* Asks running work to stop soon. Safe from other threads and from signal handlers. */
NIGH_API void nigh_context_cancel(nigh_context *ctx);
NIGH_API void nigh_context_uncancel(nigh_context *ctx);

/* NIGH_OK, or NIGH_INTERRUPTED with its message once nigh_context_cancel was called. Cheap: poll it in loops. */
NIGH_API nigh_status nigh_poll(nigh_context *ctx);

/* The last message; "" when there is none. Valid until the next failing call with this context. */
NIGH_API const char *nigh_message(const nigh_context *ctx);

/* Sets the message and returns `status`: `return nigh_fail(ctx, NIGH_INVALID, "degree is %d; 1 to 40 is allowed", d);` */
NIGH_API nigh_status nigh_fail(nigh_context *ctx, nigh_status status, const char *format, ...) NIGH_PRINTF(3, 4);

/* Puts "prefix: " in front of the message that a callee left (where it happened); returns `status`. */
NIGH_API nigh_status nigh_within(nigh_context *ctx, nigh_status status, const char *format, ...) NIGH_PRINTF(3, 4);

NIGH_API void nigh_log(nigh_context *ctx, nigh_log_level level, const char *format, ...) NIGH_PRINTF(3, 4);
NIGH_API void nigh_progress(nigh_context *ctx, const char *what, double done, double total);

/* ---- memory ------------------------------------------------------------------------------------------- */

/*
 * All of nigh's own memory comes through these; what libraries behind nigh allocate does not. Blocks are 64-byte
 * aligned. On failure they set the message and return NULL / NIGH_MEMORY.
 */
NIGH_API void *nigh_alloc(nigh_context *ctx, size_t bytes);
NIGH_API void *nigh_alloc_zero(nigh_context *ctx, size_t count, size_t size); /* checks count * size for overflow */
NIGH_API void *nigh_resize(nigh_context *ctx, void *block, size_t bytes);     /* NULL on failure, block stays     */
NIGH_API void nigh_free(nigh_context *ctx, void *block);                      /* NULL is fine                     */
NIGH_API char *nigh_strdup(nigh_context *ctx, const char *text);
NIGH_API char *nigh_format(nigh_context *ctx, const char *format, ...) NIGH_PRINTF(2, 3);

/* Bytes now held through this context, and the most that were held at once. */
NIGH_API size_t nigh_memory_now(const nigh_context *ctx);
NIGH_API size_t nigh_memory_peak(const nigh_context *ctx);

/* An arena: blocks of one life. Freed all at once; nothing in it is freed alone. */
typedef struct nigh_arena nigh_arena;
NIGH_API nigh_status nigh_arena_new(nigh_context *ctx, nigh_arena **arena);
NIGH_API void nigh_arena_free(nigh_arena *arena);  /* NULL is fine */
NIGH_API void nigh_arena_reset(nigh_arena *arena); /* all blocks gone, memory kept for reuse */
NIGH_API void *nigh_arena_alloc(nigh_arena *arena, size_t bytes);                    /* 64-byte aligned; NULL: message set */
NIGH_API void *nigh_arena_alloc_zero(nigh_arena *arena, size_t count, size_t size);
NIGH_API char *nigh_arena_strdup(nigh_arena *arena, const char *text);
NIGH_API char *nigh_arena_format(nigh_arena *arena, const char *format, ...) NIGH_PRINTF(2, 3);

/* A growing byte buffer (also text: always followed by a 0 that is not counted). Zero-initialise with ctx set. */
typedef struct nigh_buffer {
    nigh_context *ctx;
    char *data;
    size_t size, room;
} nigh_buffer;
NIGH_API nigh_status nigh_buffer_add(nigh_buffer *buffer, const void *bytes, size_t size);
NIGH_API nigh_status nigh_buffer_print(nigh_buffer *buffer, const char *format, ...) NIGH_PRINTF(2, 3);
NIGH_API void nigh_buffer_free(nigh_buffer *buffer);

/* ---- arrays ------------------------------------------------------------------------------------------- */

typedef enum nigh_dtype {
    NIGH_F64, NIGH_F32, NIGH_F16, NIGH_BF16, NIGH_I64, NIGH_I32, NIGH_I16, NIGH_I8,
    NIGH_U64, NIGH_U32, NIGH_U16, NIGH_U8, NIGH_BOOL, NIGH_C64, NIGH_C128
} nigh_dtype;

NIGH_API size_t nigh_dtype_size(nigh_dtype dtype);      /* bytes of one element */
NIGH_API const char *nigh_dtype_name(nigh_dtype dtype); /* "f32" */

#define NIGH_MAX_DIMS 8

/* The shape of an array, or of one sample of a problem. 0 dimensions: a single number. */
typedef struct nigh_shape {
    nigh_dtype dtype;
    int ndim;
    int64_t dim[NIGH_MAX_DIMS];
} nigh_shape;

/* Product of the dimensions (1 when ndim = 0), or -1 when it overflows an int64 of bytes. */
NIGH_API int64_t nigh_shape_count(const nigh_shape *shape);

/* A dense array in C order. `data` belongs to whoever the function that gave it says. */
typedef struct nigh_array {
    nigh_shape shape;
    void *data;
} nigh_array;

/* Allocates data for shape, zeroed; free with nigh_array_free. NIGH_INVALID when the size overflows. */
NIGH_API nigh_status nigh_array_new(nigh_context *ctx, const nigh_shape *shape, nigh_array *out);
NIGH_API void nigh_array_free(nigh_context *ctx, nigh_array *array); /* data becomes NULL */

/* Element i as a double, and back (rounded to the dtype). Complex types: real part. No range check. */
NIGH_API double nigh_array_get(const nigh_array *array, int64_t i);
NIGH_API void nigh_array_set(nigh_array *array, int64_t i, double value);

/* All elements converted to doubles in `out` (count elements). NIGH_UNSUPPORTED for complex types. */
NIGH_API nigh_status nigh_array_to_f64(nigh_context *ctx, const nigh_array *array, double *out);

/* ---- content hash ------------------------------------------------------------------------------------- */

typedef struct nigh_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[64];
} nigh_sha256;
NIGH_API void nigh_sha256_init(nigh_sha256 *hash);
NIGH_API void nigh_sha256_add(nigh_sha256 *hash, const void *bytes, size_t size);
NIGH_API void nigh_sha256_text(nigh_sha256 *hash, const char *text);     /* with its length in front: no two lists collide */
NIGH_API void nigh_sha256_hex(nigh_sha256 *hash, char out[65]);          /* ends the hash */

/* ---- the machine -------------------------------------------------------------------------------------- */

typedef enum nigh_cpu_level { NIGH_CPU_SCALAR, NIGH_CPU_AVX2, NIGH_CPU_AVX512 } nigh_cpu_level;

/* What kernels are used: the best the CPU and the environment variable NIGH_CPU (scalar, avx2, avx512) allow. */
NIGH_API nigh_cpu_level nigh_cpu(void);
NIGH_API const char *nigh_cpu_level_name(nigh_cpu_level level);
NIGH_API const char *nigh_cpu_model(void); /* "Intel(R) Xeon(R) ..." */

/* Seconds of a clock that never goes back, and CPU seconds of this process (all threads). */
NIGH_API double nigh_clock(void);
NIGH_API double nigh_clock_cpu(void);

#ifdef __cplusplus
}
#endif
#endif
