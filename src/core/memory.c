/* Memory through the context: aligned blocks that know their size, arenas, buffers. Declared in nigh/core.h. */
#include "core/context.h"

#include <stdio.h>
#include <string.h>

enum { ALIGNMENT = 64 };

/* Stands right before every block. `offset` leads back to what the allocator gave. */
typedef struct block_head {
    size_t bytes;
    size_t offset;
} block_head;

static block_head *head_of(void *block) { return (block_head *)block - 1; }

static void *out_of_memory(nigh_context *ctx, size_t bytes)
{
    nigh_fail(ctx, NIGH_MEMORY, "out of memory: %zu bytes more were needed, %zu are held", bytes, ctx->held);
    return NULL;
}

void *nigh_alloc(nigh_context *ctx, size_t bytes)
{
    size_t total = bytes + sizeof(block_head) + ALIGNMENT;
    if (total < bytes) return out_of_memory(ctx, bytes);
    char *raw = ctx->allocator.resize(ctx->allocator.user, NULL, 0, total);
    if (!raw) return out_of_memory(ctx, bytes);
    uintptr_t start = ((uintptr_t)raw + sizeof(block_head) + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    void *block = (void *)start;
    *head_of(block) = (block_head){bytes, (size_t)(start - (uintptr_t)raw)};
    ctx->held += bytes;
    if (ctx->held > ctx->peak) ctx->peak = ctx->held;
    return block;
}

void *nigh_alloc_zero(nigh_context *ctx, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return out_of_memory(ctx, SIZE_MAX);
    void *block = nigh_alloc(ctx, bytes);
    if (block) memset(block, 0, bytes);
    return block;
}

void *nigh_resize(nigh_context *ctx, void *block, size_t bytes)
{
    if (!block) return nigh_alloc(ctx, bytes);
    void *moved = nigh_alloc(ctx, bytes);
    if (!moved) return NULL;
    size_t old = head_of(block)->bytes;
    memcpy(moved, block, old < bytes ? old : bytes);
    nigh_free(ctx, block);
    return moved;
}

void nigh_free(nigh_context *ctx, void *block)
{
    if (!block) return;
    block_head head = *head_of(block);
    ctx->held -= head.bytes;
    ctx->allocator.resize(ctx->allocator.user, (char *)block - head.offset,
                          head.bytes + sizeof(block_head) + ALIGNMENT, 0);
}

char *nigh_strdup(nigh_context *ctx, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = nigh_alloc(ctx, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

char *nigh_format(nigh_context *ctx, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = size < 0 ? NULL : nigh_alloc(ctx, (size_t)size + 1);
    if (!text) return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    return text;
}

size_t nigh_memory_now(const nigh_context *ctx) { return ctx->held; }
size_t nigh_memory_peak(const nigh_context *ctx) { return ctx->peak; }

/* ---- arenas: a list of chunks, the newest first ---- */

typedef struct chunk {
    struct chunk *next;
    size_t room, used;
    char pad[64 - sizeof(void *) - 2 * sizeof(size_t)];
} chunk;

struct nigh_arena {
    nigh_context *ctx;
    chunk *chunks;
};

enum { CHUNK_BYTES = 1 << 16 };

nigh_status nigh_arena_new(nigh_context *ctx, nigh_arena **out)
{
    nigh_arena *arena = nigh_alloc_zero(ctx, 1, sizeof *arena);
    if (!arena) return NIGH_MEMORY;
    arena->ctx = ctx;
    *out = arena;
    return NIGH_OK;
}

void nigh_arena_free(nigh_arena *arena)
{
    if (!arena) return;
    for (chunk *next, *c = arena->chunks; c; c = next) {
        next = c->next;
        nigh_free(arena->ctx, c);
    }
    nigh_free(arena->ctx, arena);
}

void nigh_arena_reset(nigh_arena *arena)
{
    /* Keep the largest chunk: a loop that resets settles on one that holds everything. */
    chunk *keep = NULL;
    for (chunk *next, *c = arena->chunks; c; c = next) {
        next = c->next;
        if (!keep || c->room > keep->room) {
            nigh_free(arena->ctx, keep);
            keep = c;
        } else {
            nigh_free(arena->ctx, c);
        }
    }
    if (keep) keep->next = NULL, keep->used = 0;
    arena->chunks = keep;
}

void *nigh_arena_alloc(nigh_arena *arena, size_t bytes)
{
    size_t need = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (need < bytes) return out_of_memory(arena->ctx, bytes);
    chunk *c = arena->chunks;
    if (!c || c->room - c->used < need) {
        size_t grown = c ? 2 * c->room : CHUNK_BYTES;
        size_t room = need > grown ? need : grown;
        if (room > (size_t)1 << 26 && room > need) room = need > (size_t)1 << 26 ? need : (size_t)1 << 26;
        if (room > SIZE_MAX - sizeof *c) return out_of_memory(arena->ctx, bytes);
        c = nigh_alloc(arena->ctx, sizeof *c + room);
        if (!c) return NULL;
        *c = (chunk){.next = arena->chunks, .room = room};
        arena->chunks = c;
    }
    char *block = (char *)(c + 1) + c->used;
    c->used += need;
    return block;
}

void *nigh_arena_alloc_zero(nigh_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return out_of_memory(arena->ctx, SIZE_MAX);
    void *block = nigh_arena_alloc(arena, bytes);
    if (block) memset(block, 0, bytes);
    return block;
}

char *nigh_arena_strdup(nigh_arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = nigh_arena_alloc(arena, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

char *nigh_arena_format(nigh_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = size < 0 ? NULL : nigh_arena_alloc(arena, (size_t)size + 1);
    if (!text) return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    return text;
}

/* ---- buffers ---- */

static nigh_status buffer_reserve(nigh_buffer *buffer, size_t more)
{
    size_t need = buffer->size + more + 1;
    if (need <= buffer->room) return NIGH_OK;
    size_t room = need > 2 * buffer->room ? need : 2 * buffer->room;
    char *data = nigh_resize(buffer->ctx, buffer->data, room < 256 ? 256 : room);
    if (!data) return NIGH_MEMORY;
    buffer->data = data;
    buffer->room = room < 256 ? 256 : room;
    return NIGH_OK;
}

nigh_status nigh_buffer_add(nigh_buffer *buffer, const void *bytes, size_t size)
{
    if (buffer_reserve(buffer, size)) return NIGH_MEMORY;
    if (size) memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    buffer->data[buffer->size] = 0;
    return NIGH_OK;
}

nigh_status nigh_buffer_print(nigh_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) return nigh_fail(buffer->ctx, NIGH_INTERNAL, "bad format '%s'", format);
    if (buffer_reserve(buffer, (size_t)size)) return NIGH_MEMORY;
    va_start(arguments, format);
    vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)size;
    return NIGH_OK;
}

void nigh_buffer_free(nigh_buffer *buffer)
{
    if (buffer->ctx) nigh_free(buffer->ctx, buffer->data);
    buffer->data = NULL;
    buffer->size = buffer->room = 0;
}
