/*
 * How often the test rows of a file were read, over all runs. One JSON file per problem in the state folder, locked
 * while it is read and written. The same request asks the same question and learns nothing new: it keeps its number.
 */
#include "core/file.h"
#include "core/json.h"
#include "plan/run.h"

#include <stdio.h>
#include <string.h>

static nigh_status ledger_load(nigh_context *ctx, const char *path, json_t **reads)
{
    char *text = NULL;
    size_t size;
    FILE *there = fopen(path, "rb");
    *reads = NULL;
    if (!there) {
        *reads = json_array();
        return *reads ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for the ledger");
    }
    fclose(there);
    nigh_status status = nigh_file_read(ctx, path, 1 << 24, &text, &size);
    if (status) return status;
    json_error_t error;
    json_t *ledger = json_loadb(text, size, 0, &error);
    nigh_free(ctx, text);
    *reads = json_incref(json_object_get(ledger, "reads"));
    json_decref(ledger);
    bool right = json_is_array(*reads);
    for (size_t i = 0; i < json_array_size(*reads); i++) right = right && json_is_string(json_array_get(*reads, i));
    if (right) return NIGH_OK;
    json_decref(*reads);
    *reads = NULL;
    /* A count that cannot be read must not start anew by itself: the bound would not hold. */
    return nigh_fail(ctx, NIGH_FORMAT, "%s is no ledger; it counts how often test rows were read. Remove it only if they never were", path);
}

static nigh_status ledger_store(nigh_context *ctx, const char *path, const char *identity, json_t *reads)
{
    json_t *ledger = json_pack("{s:s,s:O}", "identity", identity, "reads", reads);
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = ledger ? nj_dump(ctx, ledger, NJ_INDENTED, &text) : nigh_fail(ctx, NIGH_MEMORY, "out of memory for the ledger");
    if (!status) status = nigh_file_write(ctx, path, text.data, text.size);
    nigh_buffer_free(&text);
    json_decref(ledger);
    return status;
}

static nigh_status count_read(nigh_context *ctx, const char *path, const char *identity, const char *request_hash, int64_t *k)
{
    json_t *reads;
    nigh_status status = ledger_load(ctx, path, &reads);
    if (status) return status;
    size_t count = json_array_size(reads), i = 0;
    for (; i < count; i++) {
        const char *known = json_string_value(json_array_get(reads, i));
        if (known && strcmp(known, request_hash) == 0) break;
    }
    *k = (int64_t)i + 1;
    if (i == count) {
        if (json_array_append_new(reads, json_string(request_hash))) status = nigh_fail(ctx, NIGH_MEMORY, "out of memory for the ledger");
        if (!status) status = ledger_store(ctx, path, identity, reads);
    }
    json_decref(reads);
    return status;
}

nigh_status ledger_read(nigh_context *ctx, const char *state, const char *identity, const char *request_hash, int64_t *k)
{
    char *folder = NULL;
    *k = 1;
    if (!*identity || *identity == '.' || strchr(identity, '/'))
        return nigh_fail(ctx, NIGH_INVALID, "the problem's identity is '%s'; a hash, which can name a file, is needed to count reads", identity);
    nigh_status status = plan_state_folder(ctx, state, &folder);
    if (status || !folder) return status;
    nigh_lock *lock = NULL;
    char *path = nigh_format(ctx, "%s/ledger", folder), *lock_path = NULL, *file = NULL;
    status = path ? nigh_folder_make(ctx, path) : NIGH_MEMORY;
    if (!status) {
        file = nigh_format(ctx, "%s/%s.json", path, identity);
        lock_path = nigh_format(ctx, "%s/%s.lock", path, identity);
        status = file && lock_path ? nigh_lock_take(ctx, lock_path, 30, &lock) : NIGH_MEMORY;
    }
    if (!status) status = count_read(ctx, file, identity, request_hash, k);
    nigh_lock_release(lock);
    nigh_free(ctx, lock_path);
    nigh_free(ctx, file);
    nigh_free(ctx, path);
    nigh_free(ctx, folder);
    return status;
}
