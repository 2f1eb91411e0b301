/*
 * The delta rule by its recurrence on transposed states [keys, values], values padded to whole vectors. Backward keeps a state every
 * sqrt(steps) steps and computes those between again, one stretch at a time.
 */
#include "tensor/scan.h"

#include <math.h>
#include <string.h>

struct scan_delta {
    nigh_context *ctx;
    const scan_kernels *kernels;
    scan_delta_spec spec;
    size_t size;
    int threads;
    int64_t width, stretch, stretches; /* padded values; steps of a stretch and how many there are */
};

nigh_status scan_delta_new(nigh_context *ctx, const scan_delta_spec *spec, int threads, scan_delta **out)
{
    static const char *const name[] = {"batch", "steps", "heads"}, *const names[] = {"keys", "values"};
    nigh_status status = scan_check(ctx, "delta rule", spec->dtype, 3, name, &spec->batch, (int64_t)1 << 40, threads);
    if (!status) status = scan_check(ctx, "delta rule", spec->dtype, 2, names, &spec->keys, 1024, threads);
    if (status) return status;
    scan_delta *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    s->ctx = ctx;
    s->spec = *spec;
    s->size = nigh_dtype_size(spec->dtype);
    s->kernels = scan_kernels_at(nigh_cpu(), spec->dtype);
    int64_t line = 64 / (int64_t)s->size, jobs = spec->batch * spec->heads;
    s->width = (spec->values + line - 1) / line * line;
    s->stretch = (int64_t)ceil(sqrt((double)spec->steps));
    if (s->stretch < 1) s->stretch = 1;
    s->stretches = (spec->steps + s->stretch - 1) / s->stretch;
    s->threads = jobs < threads ? (int)(jobs > 0 ? jobs : 1) : threads;
    if ((double)jobs * (double)spec->steps * (double)spec->keys * (double)s->width < 1 << 16) s->threads = 1;
    *out = s;
    return NIGH_OK;
}

void scan_delta_free(scan_delta *s)
{
    if (s) nigh_free(s->ctx, s);
}

/* Of one thread: checkpoints, states of a stretch (one more), the gradient, u of a stretch, four rows. */
static size_t thread_bytes(const scan_delta *s)
{
    int64_t state = s->spec.keys * s->width;
    return (size_t)((s->stretches + s->stretch + 2) * state + (s->stretch + 4) * s->width) * s->size;
}

size_t scan_delta_workspace(const scan_delta *s)
{
    return thread_bytes(s) * (size_t)s->threads;
}

typedef struct delta_arrays {
    const char *q, *k, *v, *beta, *d_o;
    char *o, *dq, *dk, *dv, *dbeta;
} delta_arrays;

static double number(const scan_delta *s, const char *p, int64_t at)
{
    return s->size == sizeof(float) ? (double)((const float *)p)[at] : ((const double *)p)[at];
}

/* One step forward of job (batch, head); v_row, o_row [width] are padded room. */
static void step(const scan_delta *s, const delta_arrays *x, int64_t job, int64_t t, char *m, char *u, char *v_row, char *o_row)
{
    const scan_delta_spec *p = &s->spec;
    int64_t at = (job / p->heads * p->steps + t) * p->heads + job % p->heads;
    memcpy(v_row, x->v + (size_t)(at * p->values) * s->size, (size_t)p->values * s->size);
    s->kernels->delta_step(p->keys, s->width, x->k + (size_t)(at * p->keys) * s->size, x->q + (size_t)(at * p->keys) * s->size,
                           number(s, x->beta, at), v_row, m, u, o_row);
    if (x->o) memcpy(x->o + (size_t)(at * p->values) * s->size, o_row, (size_t)p->values * s->size);
}

static void forward(const scan_delta *s, const delta_arrays *x, int64_t job, char *room)
{
    size_t state = (size_t)(s->spec.keys * s->width) * s->size, row = (size_t)s->width * s->size;
    memset(room, 0, state + 3 * row);
    for (int64_t t = 0; t < s->spec.steps; t++) step(s, x, job, t, room, room + state, room + state + row, room + state + 2 * row);
}

static void backward(const scan_delta *s, const delta_arrays *x, int64_t job, char *room)
{
    const scan_delta_spec *p = &s->spec;
    size_t state = (size_t)(p->keys * s->width) * s->size, row = (size_t)s->width * s->size;
    char *kept = room, *states = kept + (size_t)s->stretches * state, *dm = states + (size_t)(s->stretch + 1) * state;
    char *u = dm + state, *v_row = u + (size_t)s->stretch * row, *o_row = v_row + row, *g_row = o_row + row, *du = g_row + row;
    memset(states, 0, state);
    memset(dm, 0, state);
    memset(v_row, 0, 4 * row);
    for (int64_t t = 0; t < p->steps; t++) {
        if (t % s->stretch == 0) memcpy(kept + (size_t)(t / s->stretch) * state, states, state);
        if (t / s->stretch == s->stretches - 1) break;
        step(s, x, job, t, states, u, v_row, o_row);
    }
    for (int64_t part = s->stretches - 1; part >= 0; part--) {
        int64_t first = part * s->stretch, last = first + s->stretch < p->steps ? first + s->stretch : p->steps;
        memcpy(states, kept + (size_t)part * state, state);
        for (int64_t t = first; t < last; t++) {
            char *now = states + (size_t)(t - first + 1) * state;
            memcpy(now, now - state, state);
            step(s, x, job, t, now, u + (size_t)(t - first) * row, v_row, o_row);
        }
        for (int64_t t = last - 1; t >= first; t--) {
            int64_t at = (job / p->heads * p->steps + t) * p->heads + job % p->heads;
            size_t key = (size_t)(at * p->keys) * s->size, value = (size_t)(at * p->values) * s->size;
            const char *before = states + (size_t)(t - first) * state;
            double dbeta;
            memcpy(g_row, x->d_o + value, (size_t)p->values * s->size);
            s->kernels->delta_back(p->keys, s->width, x->k + key, x->q + key, number(s, x->beta, at), u + (size_t)(t - first) * row, before + state,
                                   before, g_row, dm, du, x->dq + key, x->dk + key, &dbeta);
            memcpy(x->dv + value, du, (size_t)p->values * s->size);
            if (s->size == sizeof(float)) ((float *)(void *)x->dbeta)[at] = (float)dbeta;
            else ((double *)(void *)x->dbeta)[at] = dbeta;
        }
    }
}

static void run_jobs(const scan_delta *s, const delta_arrays *x, char *workspace, void (*one)(const scan_delta *, const delta_arrays *, int64_t, char *))
{
    int64_t jobs = s->spec.batch * s->spec.heads;
    if (s->threads == 1) {
        for (int64_t job = 0; job < jobs; job++) one(s, x, job, workspace);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (int t = 0; t < s->threads; t++)
        for (int64_t job = jobs * t / s->threads; job < jobs * (t + 1) / s->threads; job++) one(s, x, job, workspace + (size_t)t * thread_bytes(s));
}

void scan_delta_run(const scan_delta *s, const void *q, const void *k, const void *v, const void *beta, void *o, void *workspace)
{
    delta_arrays x = {.q = q, .k = k, .v = v, .beta = beta, .o = o};
    run_jobs(s, &x, workspace, forward);
}

void scan_delta_back(const scan_delta *s, const void *q, const void *k, const void *v, const void *beta, const void *d_o, void *dq, void *dk,
                     void *dv, void *dbeta, void *workspace)
{
    delta_arrays x = {.q = q, .k = k, .v = v, .beta = beta, .d_o = d_o, .dq = dq, .dk = dk, .dv = dv, .dbeta = dbeta};
    run_jobs(s, &x, workspace, backward);
}
