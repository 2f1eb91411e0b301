/* Anderson acceleration of fixed points; see nigh/krylov.h. */
#include "tensor/krylov.h"

#include <math.h>
#include <string.h>

typedef struct anderson {
    krylov k;
    int64_t memory, held, next; /* slots used; the one that is written next */
    void *x, *g, *f, *g_before, *f_before, *best_x, *best_g;
    void *df, *dg, *q; /* [memory, n]: differences and their orthogonal form */
    double r[50 * 50], c[50];
} anderson;

static void *row(const anderson *s, void *block, int64_t i) { return krylov_row(s->k.dtype, block, s->k.n, i); }

/*
 * c with least |f - sum c_i df_i|, newest difference first by modified Gram-Schmidt; an older one that adds nothing new gets no
 * share. slot[i] is where the i-th newest lies. The number taken.
 */
static int64_t mix(anderson *s, int64_t *slot)
{
    krylov *k = &s->k;
    nigh_dtype t = k->dtype;
    int64_t used = 0;
    double drop = t == NIGH_F32 ? 1e-4 : 1e-10;
    for (int64_t age = 0; age < s->held; age++) {
        int64_t from = (s->next - 1 - age + 2 * s->memory) % s->memory;
        void *q = row(s, s->q, used);
        double *r = s->r + used * 50;
        memset(r, 0, 50 * sizeof *r);
        krylov_copy(t, k->n, row(s, s->df, from), q);
        double before = krylov_norm(t, k->threads, k->n, q);
        krylov_orthogonalise(k, used, s->q, q, r);
        r[used] = krylov_norm(t, k->threads, k->n, q);
        if (!(r[used] > drop * before)) continue;
        krylov_axpby(t, k->threads, k->n, 1 / r[used], q, 0, q);
        slot[used++] = from;
    }
    for (int64_t i = used - 1; i >= 0; i--) {
        double sum = krylov_dot(t, k->threads, k->n, row(s, s->q, i), s->f);
        for (int64_t j = i + 1; j < used; j++) sum -= s->r[j * 50 + i] * s->c[j];
        s->c[i] = sum / s->r[i * 50 + i];
    }
    return used;
}

static void remember(anderson *s)
{
    krylov *k = &s->k;
    void *df = row(s, s->df, s->next), *dg = row(s, s->dg, s->next);
    krylov_copy(k->dtype, k->n, s->f, df), krylov_axpby(k->dtype, k->threads, k->n, -1, s->f_before, 1, df);
    krylov_copy(k->dtype, k->n, s->g, dg), krylov_axpby(k->dtype, k->threads, k->n, -1, s->g_before, 1, dg);
    s->next = (s->next + 1) % s->memory;
    if (s->held < s->memory) s->held++;
}

static nigh_status anderson_run(anderson *s, const nigh_operator *g, double growth)
{
    krylov *k = &s->k;
    nigh_dtype t = k->dtype;
    int64_t n = k->n, slot[50];
    double best = INFINITY;
    bool fresh = true; /* no difference to the point before is wanted */
    for (;;) {
        nigh_status status = krylov_apply(k, g, false, s->x, s->g);
        if (status) return status;
        krylov_copy(t, n, s->g, s->f);
        krylov_axpby(t, k->threads, n, -1, s->x, 1, s->f);
        double residual = krylov_norm(t, k->threads, n, s->f), size = krylov_norm(t, k->threads, n, s->x);
        bool away = residual > growth * best && s->held > 0;
        if (residual < best) {
            best = residual;
            krylov_copy(t, n, s->x, s->best_x), krylov_copy(t, n, s->g, s->best_g);
        }
        if (krylov_note(k, residual, size + 1)) break;
        k->report.iterations++;
        if (away) {
            s->held = 0, fresh = true;
            krylov_copy(t, n, s->best_g, s->x);
            continue;
        }
        if (!fresh && s->memory > 0) remember(s);
        krylov_copy(t, n, s->g, s->g_before), krylov_copy(t, n, s->f, s->f_before);
        fresh = false;
        krylov_copy(t, n, s->g, s->x);
        for (int64_t i = 0, used = mix(s, slot); i < used; i++) krylov_axpby(t, k->threads, n, -s->c[i], row(s, s->dg, slot[i]), 1, s->x);
    }
    k->report.residual = best;
    return NIGH_OK;
}

nigh_status nigh_anderson(nigh_context *ctx, const nigh_operator *g, int64_t memory, double growth, void *x, const nigh_krylov_options *options,
                          nigh_krylov_report *report)
{
    krylov k;
    nigh_status status = krylov_begin(&k, ctx, g, true, options);
    if (!status) status = krylov_check_vector(&k, "the start", k.n, x);
    if (!status && (memory < 0 || memory > 50 || !(growth > 1)))
        status = nigh_fail(ctx, NIGH_INVALID, "memory %lld and growth %g for a fixed point of length %lld; 0 to 50 and more than 1 are allowed", (long long)memory, growth,
                           (long long)k.n);
    if (status) return status;
    anderson *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    void *block = krylov_vectors(&k, 7 + 3 * memory);
    status = s && block ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        s->k = k, s->memory = memory;
        void **const vectors[] = {&s->x, &s->g, &s->f, &s->g_before, &s->f_before, &s->best_x, &s->best_g};
        for (int i = 0; i < 7; i++) *vectors[i] = krylov_row(k.dtype, block, k.n, i);
        s->df = row(s, block, 7), s->dg = row(s, block, 7 + memory), s->q = row(s, block, 7 + 2 * memory);
        krylov_copy(k.dtype, k.n, x, s->x);
        status = anderson_run(s, g, growth);
    }
    if (!status) krylov_copy(k.dtype, k.n, s->best_x, x), krylov_end(&s->k, report);
    nigh_free(ctx, block);
    nigh_free(ctx, s);
    return status;
}
