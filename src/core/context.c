/* The context: status, message, settings, callbacks, cancel flag. Declared in nigh/core.h. */
#include "core/context.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *nigh_status_text(nigh_status status)
{
    static const char *const text[] = {
        [NIGH_OK] = "done",
        [NIGH_UNMET] = "the error could not be met",
        [NIGH_INVALID] = "invalid argument",
        [NIGH_FORMAT] = "malformed file",
        [NIGH_IO] = "input or output failed",
        [NIGH_UNSUPPORTED] = "not supported",
        [NIGH_FAILED] = "the program failed",
        [NIGH_MEMORY] = "out of memory",
        [NIGH_RESOURCE] = "out of a resource",
        [NIGH_UNDECIDED] = "undecided",
        [NIGH_INTERRUPTED] = "interrupted",
        [NIGH_OUTSIDE] = "outside the range the plan was made for",
        [NIGH_INTERNAL] = "internal error",
    };
    if ((unsigned)status >= sizeof text / sizeof *text) return "unknown status";
    return text[status];
}

const char *nigh_version(void) { return NIGH_VERSION; }

static void *plain_resize(void *user, void *old, size_t old_bytes, size_t new_bytes)
{
    (void)user, (void)old_bytes;
    if (new_bytes == 0) {
        free(old);
        return NULL;
    }
    return realloc(old, new_bytes);
}

nigh_status nigh_context_new(nigh_context **ctx)
{
    return nigh_context_new_with(&(nigh_allocator){plain_resize, NULL}, ctx);
}

nigh_status nigh_context_new_with(const nigh_allocator *allocator, nigh_context **out)
{
    *out = NULL;
    nigh_context *ctx = allocator->resize(allocator->user, NULL, 0, sizeof *ctx);
    if (!ctx) return NIGH_MEMORY;
    memset(ctx, 0, sizeof *ctx);
    ctx->allocator = *allocator;
    nigh_context_set_threads(ctx, 0);
    *out = ctx;
    return NIGH_OK;
}

void nigh_context_free(nigh_context *ctx)
{
    if (!ctx) return;
    nigh_allocator allocator = ctx->allocator;
    allocator.resize(allocator.user, ctx, sizeof *ctx, 0);
}

void nigh_context_set_seed(nigh_context *ctx, uint64_t seed) { ctx->seed = seed; }
uint64_t nigh_context_seed(const nigh_context *ctx) { return ctx->seed; }

nigh_status nigh_context_set_threads(nigh_context *ctx, int threads)
{
    if (threads < 0 || threads > 1024)
        return nigh_fail(ctx, NIGH_INVALID, "threads is %d; 1 to 1024 is allowed, 0 for all cores", threads);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    ctx->threads = threads ? threads : online > 0 ? (int)online : 1;
    return NIGH_OK;
}

int nigh_context_threads(const nigh_context *ctx) { return ctx->threads; }

void nigh_context_set_log(nigh_context *ctx, nigh_log_fn *log, void *user)
{
    ctx->log = log;
    ctx->log_user = user;
}

void nigh_context_set_progress(nigh_context *ctx, nigh_progress_fn *progress, void *user)
{
    ctx->progress = progress;
    ctx->progress_user = user;
}

void nigh_context_cancel(nigh_context *ctx) { atomic_store(&ctx->cancelled, 1); }
void nigh_context_uncancel(nigh_context *ctx) { atomic_store(&ctx->cancelled, 0); }

nigh_status nigh_poll(nigh_context *ctx)
{
    if (!atomic_load_explicit(&ctx->cancelled, memory_order_relaxed) &&
        !(ctx->above && atomic_load_explicit(&ctx->above->cancelled, memory_order_relaxed)))
        return NIGH_OK;
    return nigh_fail(ctx, NIGH_INTERRUPTED, "interrupted");
}

const char *nigh_message(const nigh_context *ctx) { return ctx->message; }

nigh_status nigh_fail(nigh_context *ctx, nigh_status status, const char *format, ...)
{
    char text[sizeof ctx->message]; /* an argument may be the old message */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(ctx->message, text, sizeof text);
    return status;
}

nigh_status nigh_within(nigh_context *ctx, nigh_status status, const char *format, ...)
{
    char text[sizeof ctx->message];
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (used >= 0 && (size_t)used < sizeof text - 2)
        snprintf(text + used, sizeof text - (size_t)used, ": %.*s", (int)(sizeof text - (size_t)used - 3), ctx->message);
    memcpy(ctx->message, text, sizeof text);
    return status;
}

void nigh_log(nigh_context *ctx, nigh_log_level level, const char *format, ...)
{
    if (!ctx->log) return;
    char text[sizeof ctx->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ctx->log(ctx->log_user, level, text);
}

void nigh_progress(nigh_context *ctx, const char *what, double done, double total)
{
    if (ctx->progress) ctx->progress(ctx->progress_user, what, done, total);
}
