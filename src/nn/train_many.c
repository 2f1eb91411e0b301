/* Independent jobs side by side, each with a context of one thread. Declared in nigh/train.h. */
#include <pthread.h>
#include <stdatomic.h>

#include "core/context.h"
#include "nigh/train.h"

/* The caller's allocator, one thread at a time. */
typedef struct shared_memory {
    nigh_allocator allocator;
    pthread_mutex_t lock;
} shared_memory;

static void *shared_resize(void *user, void *old, size_t old_bytes, size_t new_bytes)
{
    shared_memory *m = user;
    pthread_mutex_lock(&m->lock);
    void *block = m->allocator.resize(m->allocator.user, old, old_bytes, new_bytes);
    pthread_mutex_unlock(&m->lock);
    return block;
}

typedef struct many {
    nigh_context *ctx;
    shared_memory memory;
    nigh_job_fn *job;
    void *user;
    atomic_int stop;
    pthread_mutex_t lock; /* of the first failure */
    int64_t failed;
    nigh_status status;
} many;

static void note_failure(many *m, int64_t i, nigh_status status, const char *message)
{
    atomic_store(&m->stop, 1);
    pthread_mutex_lock(&m->lock);
    if (m->failed < 0 || i < m->failed) {
        m->failed = i;
        m->status = status;
        nigh_fail(m->ctx, status, "job %lld: %s", (long long)i, message);
    }
    pthread_mutex_unlock(&m->lock);
}

static void run_job(many *m, int64_t i)
{
    nigh_context *child = NULL;
    if (atomic_load(&m->stop) || atomic_load(&m->ctx->cancelled)) return;
    nigh_status status = nigh_context_new_with(&(nigh_allocator){shared_resize, &m->memory}, &child);
    if (!status) {
        nigh_context_set_threads(child, 1);
        nigh_context_set_seed(child, m->ctx->seed);
        child->above = m->ctx;
        status = m->job(m->user, child, i);
    }
    if (status) note_failure(m, i, status, child ? nigh_message(child) : "out of memory");
    nigh_context_free(child);
}

nigh_status nigh_train_many(nigh_context *ctx, int64_t n, nigh_job_fn *job, void *user)
{
    if (n < 0) return nigh_fail(ctx, NIGH_INVALID, "%lld jobs; 0 or more is allowed", (long long)n);
    many m = {.ctx = ctx, .memory = {.allocator = ctx->allocator}, .job = job, .user = user, .failed = -1};
    pthread_mutex_init(&m.memory.lock, NULL);
    pthread_mutex_init(&m.lock, NULL);
    int threads = nigh_context_threads(ctx);
    if (threads <= 1)
        for (int64_t i = 0; i < n; i++) run_job(&m, i);
    else {
        /* Jobs may differ in length, and none sees the others: the order does not show. */
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
        for (int64_t i = 0; i < n; i++) run_job(&m, i);
    }
    pthread_mutex_destroy(&m.memory.lock);
    pthread_mutex_destroy(&m.lock);
    return m.failed >= 0 ? m.status : nigh_poll(ctx);
}
