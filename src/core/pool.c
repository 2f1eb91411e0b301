/* Many programs at once on one thread: a poll loop over the children. Declared in nigh/process.h. */
#include "core/process.h"

#include <math.h>
#include <string.h>

typedef enum seat_state { SEAT_FREE, SEAT_RUNS, SEAT_DONE } seat_state;

/* Item i sits in seat i % seats from its making until it was taken. */
typedef struct seat {
    seat_state state;
    child child;
    nigh_run run;
} seat;

typedef struct pool {
    nigh_context *ctx;
    int64_t count, made, taken; /* items */
    int workers, seats, running;
    seat *seat;
    struct pollfd *fds; /* CHILD_FDS for each seat */
    pid_t *keepers;
    tree_size *sizes;
    double next_look;
} pool;

static nigh_status with_index(const pool *p, nigh_status status, int64_t i)
{
    return status && p->count > 1 && status != NIGH_INTERRUPTED ? nigh_within(p->ctx, status, "run %lld", (long long)i) : status;
}

static nigh_status start_some(pool *p, nigh_process_make_fn *make, void *user, const nigh_limits *limits)
{
    while (p->running < p->workers && p->made < p->count && p->made - p->taken < p->seats) {
        nigh_task task = {0};
        nigh_status status = make(user, p->made, &task);
        if (status) return status;
        seat *s = &p->seat[p->made % p->seats];
        status = child_start(p->ctx, &task, limits, &s->child);
        if (status) return with_index(p, status, p->made);
        s->state = SEAT_RUNS;
        p->running++;
        p->made++;
    }
    return NIGH_OK;
}

/* Looks at /proc every 20 ms, less often where that takes long (at most a twentieth of the time). */
static void look(pool *p)
{
    double start = nigh_clock();
    if (start < p->next_look) return;
    int n = 0;
    for (int k = 0; k < p->seats; k++)
        if (p->seat[k].state == SEAT_RUNS) p->keepers[n++] = p->seat[k].child.keeper;
    if (process_measure(p->ctx, p->keepers, n, p->sizes)) {
        n = 0;
        for (int k = 0; k < p->seats; k++)
            if (p->seat[k].state == SEAT_RUNS) child_judge(&p->seat[k].child, p->sizes[n++]);
    }
    double end = nigh_clock();
    p->next_look = end + fmax(1e-3 * TICK_MS, 20 * (end - start));
}

static int wait_ms(const pool *p)
{
    double first = nigh_clock() + 1e-3 * TICK_MS, now = nigh_clock();
    for (int k = 0; k < p->seats; k++)
        if (p->seat[k].state == SEAT_RUNS) first = fmin(first, p->seat[k].child.deadline);
    return first <= now ? 0 : (int)ceil(1e3 * (first - now));
}

/* One turn: waits for news of any child, handles it. */
static nigh_status turn(pool *p)
{
    nfds_t used = 0;
    for (int k = 0; k < p->seats; k++)
        if (p->seat[k].state == SEAT_RUNS) child_want(&p->seat[k].child, p->fds + used), used += CHILD_FDS;
    if (poll(p->fds, used, wait_ms(p)) < 0) memset(p->fds, 0, used * sizeof *p->fds); /* EINTR: no news */
    used = 0;
    for (int k = 0; k < p->seats; k++) {
        seat *s = &p->seat[k];
        if (s->state != SEAT_RUNS) continue;
        nigh_status status = child_step(&s->child, p->fds + used);
        used += CHILD_FDS;
        if (status) return status;
        if (s->child.phase != CHILD_ENDED) continue;
        s->state = SEAT_FREE;
        p->running--;
        status = child_result(&s->child, &s->run);
        if (status) return with_index(p, status, p->taken + (k - p->taken % p->seats + p->seats) % p->seats);
        s->state = SEAT_DONE;
    }
    look(p);
    return nigh_poll(p->ctx);
}

static nigh_status take_some(pool *p, nigh_process_take_fn *take, void *user)
{
    while (p->taken < p->made) {
        seat *s = &p->seat[p->taken % p->seats];
        if (s->state != SEAT_DONE) break;
        s->state = SEAT_FREE;
        nigh_status status = take(user, p->taken++, &s->run);
        nigh_run_free(p->ctx, &s->run);
        if (status) return status;
    }
    return NIGH_OK;
}

static nigh_status pool_make(pool *p, nigh_context *ctx, int64_t count, int workers)
{
    if (workers < 0 || workers > 1024) return nigh_fail(ctx, NIGH_INVALID, "workers is %d; 1 to 1024 is allowed, 0 for all threads", workers);
    if (count < 0) return nigh_fail(ctx, NIGH_INVALID, "the number of runs is %lld; it cannot be negative", (long long)count);
    p->ctx = ctx;
    p->count = count;
    p->workers = workers ? workers : nigh_context_threads(ctx);
    if (p->workers > count) p->workers = count ? (int)count : 1;
    p->seats = 4 * p->workers;
    p->seat = nigh_alloc_zero(ctx, (size_t)p->seats, sizeof *p->seat);
    p->fds = nigh_alloc_zero(ctx, (size_t)p->seats, CHILD_FDS * sizeof *p->fds);
    p->keepers = nigh_alloc_zero(ctx, (size_t)p->seats, sizeof *p->keepers);
    p->sizes = nigh_alloc_zero(ctx, (size_t)p->seats, sizeof *p->sizes);
    p->next_look = nigh_clock() + 1e-3 * TICK_MS;
    return p->seat && p->fds && p->keepers && p->sizes ? NIGH_OK : NIGH_MEMORY;
}

static void pool_end(pool *p)
{
    for (int k = 0; p->seat && k < p->seats; k++) {
        if (p->seat[k].state == SEAT_RUNS) child_destroy(&p->seat[k].child);
        if (p->seat[k].state == SEAT_DONE) nigh_run_free(p->ctx, &p->seat[k].run);
    }
    nigh_free(p->ctx, p->seat);
    nigh_free(p->ctx, p->fds);
    nigh_free(p->ctx, p->keepers);
    nigh_free(p->ctx, p->sizes);
}

nigh_status nigh_process_map(nigh_context *ctx, int64_t count, nigh_process_make_fn *make, nigh_process_take_fn *take, void *user,
                             const nigh_limits *limits, int workers)
{
    pool p = {.ctx = ctx};
    nigh_limits full;
    nigh_status status = limits_fill(ctx, limits, &full);
    if (!status) status = pool_make(&p, ctx, count, workers);
    while (!status && p.taken < p.count) {
        status = start_some(&p, make, user, &full);
        if (!status) status = turn(&p);
        if (!status) status = take_some(&p, take, user);
    }
    pool_end(&p);
    return status;
}
