/* What the tests of src/io share. */
#ifndef NIGH_TEST_IO_SUPPORT_H
#define NIGH_TEST_IO_SUPPORT_H
#include "nigh/io.h"
#include "support.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIXTURE(name) NIGH_SOURCE_DIR "/test/io/data/" name

/* Element i of the fixtures: i - 3, wrapped to the type; true for every third. */
static inline void assert_ramp(const nigh_array *array, int64_t count)
{
    nigh_array want = {array->shape, NULL};
    nigh_context *ctx = test_context_new();
    assert_int_equal(nigh_shape_count(&array->shape), count);
    assert_ok(ctx, nigh_array_new(ctx, &array->shape, &want));
    for (int64_t i = 0; i < count; i++) {
        int64_t v = i - 3;
        switch (array->shape.dtype) {
        case NIGH_U64: ((uint64_t *)want.data)[i] = (uint64_t)v; break;
        case NIGH_U32: ((uint32_t *)want.data)[i] = (uint32_t)v; break;
        case NIGH_U16: ((uint16_t *)want.data)[i] = (uint16_t)v; break;
        case NIGH_U8: ((uint8_t *)want.data)[i] = (uint8_t)v; break;
        case NIGH_BOOL: ((uint8_t *)want.data)[i] = i % 3 == 0; break;
        case NIGH_C64: ((float *)want.data)[2 * i] = (float)v, ((float *)want.data)[2 * i + 1] = (float)i; break;
        case NIGH_C128: ((double *)want.data)[2 * i] = (double)v, ((double *)want.data)[2 * i + 1] = (double)i; break;
        default: nigh_array_set(&want, i, (double)v);
        }
    }
    assert_memory_equal(array->data, want.data, (size_t)count * nigh_dtype_size(array->shape.dtype));
    nigh_array_free(ctx, &want);
    test_context_free(ctx);
}

static inline void assert_same_array(const nigh_array *a, const nigh_array *b)
{
    assert_memory_equal(&a->shape, &b->shape, sizeof a->shape);
    size_t bytes = (size_t)nigh_shape_count(&a->shape) * nigh_dtype_size(a->shape.dtype);
    if (bytes) assert_memory_equal(a->data, b->data, bytes);
}

/* A file's bytes; free() them. */
static inline char *slurp(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static inline int files_in(const char *path)
{
    DIR *folder = opendir(path);
    int count = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

/* Runs `work` with allocation k failing, for k = 1, 2, ... until it succeeds; each failure must be NIGH_MEMORY and leave
 * nothing behind. */
static inline void fail_every_allocation(nigh_status (*work)(nigh_context *, void *), void *user)
{
    for (long k = 2;; k++) { /* 1 is the context itself */
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        assert_non_null(ctx);
        nigh_status status = work(ctx, user);
        assert_int_equal(nigh_memory_now(ctx), 0);
        if (status != NIGH_OK && status != NIGH_MEMORY) fail_msg("allocation %ld: %s: %s", k, nigh_status_text(status), nigh_message(ctx));
        bool done = status == NIGH_OK;
        if (done && allocator.count >= k) fail_msg("allocation %ld failed and nobody noticed", k);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (done) {
            assert_true(k > 2);
            return;
        }
        assert_true(k < 10000);
    }
}
#endif
