/* See support.h. */
#include "support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

nigh_context *test_context_new(void)
{
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx) != NIGH_OK) fail_msg("no context");
    return ctx;
}

void test_context_free(nigh_context *ctx)
{
    size_t left = nigh_memory_now(ctx);
    nigh_context_free(ctx);
    if (left) fail_msg("%zu bytes were not freed", left);
}

static void *resize(void *user, void *old, size_t old_bytes, size_t new_bytes)
{
    test_allocator *allocator = user;
    (void)old_bytes;
    if (new_bytes == 0) {
        if (old) allocator->live--;
        free(old);
        return NULL;
    }
    allocator->count++;
    if (allocator->fail_at && allocator->count >= allocator->fail_at) return NULL;
    void *block = realloc(old, new_bytes);
    if (block && !old) allocator->live++;
    return block;
}

nigh_context *test_context_failing(test_allocator *allocator)
{
    nigh_context *ctx = NULL;
    nigh_allocator memory = {resize, allocator};
    if (nigh_context_new_with(&memory, &ctx) != NIGH_OK) return NULL;
    return ctx;
}

char *test_folder_new(void)
{
    char path[] = "/tmp/nigh-test-XXXXXX";
    char *made = mkdtemp(path);
    if (!made) fail_msg("no temporary folder");
    return strdup(made);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

void test_folder_remove(char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}
