/* Conjugate gradients, MINRES, LSQR and flexible GMRES on callbacks; see nigh/krylov.h. */
#include "tensor/krylov.h"

#include <math.h>
#include <string.h>

static double eps_of(nigh_dtype dtype) { return dtype == NIGH_F32 ? 0x1p-23 : 0x1p-52; }

/* r = b - A x; the checks of both vectors. */
static nigh_status first_residual(krylov *k, const nigh_operator *a, const void *b, const void *x, void *r)
{
    nigh_status status = krylov_check_vector(k, "the right-hand side", a->rows, b);
    if (!status) status = krylov_check_vector(k, "the start", a->cols, x);
    if (!status) status = krylov_apply(k, a, false, x, r);
    if (!status) krylov_axpby(k->dtype, k->threads, a->rows, 1, b, -1, r);
    return status;
}

/* What the tolerance is relative to. */
static double scale_of(const krylov *k, int64_t n, const void *b, double residual)
{
    double size = krylov_norm(k->dtype, k->threads, n, b);
    return size > 0 ? size : residual;
}

static nigh_status cg_run(krylov *k, const nigh_operator *a, const nigh_operator *m, const void *b, void *const v[5])
{
    nigh_dtype t = k->dtype;
    int threads = k->threads;
    int64_t n = k->n;
    void *x = v[0], *r = v[1], *p = v[2], *q = v[3], *z = m ? v[4] : r;
    nigh_status status = first_residual(k, a, b, x, r);
    if (status) return status;
    double residual = krylov_norm(t, threads, n, r), scale = scale_of(k, n, b, residual), last = 0;
    while (!krylov_note(k, residual, scale)) {
        if (m && (status = krylov_apply(k, m, false, r, z))) return status;
        double rz = krylov_dot(t, threads, n, r, z);
        krylov_axpby(t, threads, n, 1, z, last > 0 ? rz / last : 0, p);
        if ((status = krylov_apply(k, a, false, p, q))) return status;
        double curvature = krylov_dot(t, threads, n, p, q);
        if (!(rz > 0) || !(curvature > 0)) {
            k->report.stop = NIGH_KRYLOV_INDEFINITE;
            return NIGH_OK;
        }
        krylov_axpby(t, threads, n, rz / curvature, p, 1, x);
        krylov_axpby(t, threads, n, -rz / curvature, q, 1, r);
        residual = krylov_norm(t, threads, n, r);
        last = rz;
        k->report.iterations++;
    }
    return NIGH_OK;
}

nigh_status nigh_cg(nigh_context *ctx, const nigh_operator *a, const nigh_operator *precondition, const void *b, void *x, const nigh_krylov_options *options,
                    nigh_krylov_report *report)
{
    krylov k;
    nigh_status status = krylov_begin(&k, ctx, a, true, options);
    if (!status) status = krylov_check_preconditioner(ctx, a, precondition);
    if (status) return status;
    void *block = krylov_vectors(&k, precondition ? 5 : 4), *v[5];
    if (!block) return NIGH_MEMORY;
    for (int i = 0; i < 5; i++) v[i] = i < 4 || precondition ? krylov_row(k.dtype, block, k.n, i) : NULL;
    krylov_copy(k.dtype, k.n, x, v[0]);
    status = cg_run(&k, a, precondition, b, v);
    if (!status) krylov_copy(k.dtype, k.n, v[0], x), krylov_end(&k, report);
    nigh_free(ctx, block);
    return status;
}

/* ---- MINRES ---- */

/* The letters are those of Paige and Saunders: (cs, sn) the last rotation, phibar the residual. */
static nigh_status minres_run(krylov *k, const nigh_operator *a, const void *b, void *v[8])
{
    nigh_dtype t = k->dtype;
    int threads = k->threads;
    int64_t n = k->n;
    void *x = v[0], *r1 = v[1], *r2 = v[2], *y = v[3], *now = v[4], *w = v[5], *w1 = v[6], *w2 = v[7];
    nigh_status status = first_residual(k, a, b, x, y);
    if (status) return status;
    double beta = krylov_norm(t, threads, n, y), scale = scale_of(k, n, b, beta), phibar = beta, oldb = 0, dbar = 0, epsln = 0, cs = -1, sn = 0, size = 0;
    krylov_copy(t, n, y, r2);
    while (!krylov_note(k, phibar, scale)) {
        krylov_axpby(t, threads, n, 1 / beta, y, 0, now);
        if ((status = krylov_apply(k, a, false, now, y))) return status;
        if (oldb > 0) krylov_axpby(t, threads, n, -beta / oldb, r1, 1, y);
        double alpha = krylov_dot(t, threads, n, now, y);
        krylov_axpby(t, threads, n, -alpha / beta, r2, 1, y);
        void *free = r1;
        r1 = r2, r2 = free;
        krylov_copy(t, n, y, r2);
        oldb = beta, beta = krylov_norm(t, threads, n, y);
        size = fmax(size, sqrt(alpha * alpha + beta * beta + (k->report.iterations ? oldb * oldb : 0)));
        double oldeps = epsln, delta = cs * dbar + sn * alpha, gbar = sn * dbar - cs * alpha;
        epsln = sn * beta, dbar = -cs * beta;
        double gamma = hypot(gbar, beta);
        if (gamma <= 10 * eps_of(t) * size) { /* A is singular and what is left of b lies outside its range */
            k->report.stop = NIGH_KRYLOV_STALLED;
            return NIGH_OK;
        }
        cs = gbar / gamma, sn = beta / gamma;
        free = w1, w1 = w2, w2 = w, w = free;
        krylov_copy(t, n, now, w);
        krylov_axpby(t, threads, n, -oldeps, w1, 1, w);
        krylov_axpby(t, threads, n, -delta / gamma, w2, 1 / gamma, w);
        krylov_axpby(t, threads, n, cs * phibar, w, 1, x);
        phibar *= sn;
        k->report.iterations++;
        if (beta <= eps_of(t) * size) {
            if (!krylov_note(k, phibar, scale) || k->report.stop == NIGH_KRYLOV_MOST) k->report.stop = NIGH_KRYLOV_EXHAUSTED;
            return NIGH_OK;
        }
    }
    return NIGH_OK;
}

nigh_status nigh_minres(nigh_context *ctx, const nigh_operator *a, const void *b, void *x, const nigh_krylov_options *options, nigh_krylov_report *report)
{
    krylov k;
    nigh_status status = krylov_begin(&k, ctx, a, true, options);
    if (status) return status;
    void *block = krylov_vectors(&k, 8), *v[8];
    if (!block) return NIGH_MEMORY;
    for (int i = 0; i < 8; i++) v[i] = krylov_row(k.dtype, block, k.n, i);
    krylov_copy(k.dtype, k.n, x, v[0]);
    status = minres_run(&k, a, b, v);
    if (!status) krylov_copy(k.dtype, k.n, v[0], x), krylov_end(&k, report);
    nigh_free(ctx, block);
    return status;
}

/* ---- LSQR ---- */

/* A vector of length 1; its length before. */
static double normalise(const krylov *k, int64_t n, void *x)
{
    double size = krylov_norm(k->dtype, k->threads, n, x);
    if (size > 0) krylov_axpby(k->dtype, k->threads, n, 1 / size, x, 0, x);
    return size;
}

static nigh_status lsqr_run(krylov *k, const nigh_operator *a, double damp, const void *b, void *const tall[2], void *const wide[4])
{
    nigh_dtype t = k->dtype;
    int threads = k->threads;
    int64_t m = a->rows, n = a->cols;
    void *u = tall[0], *au = tall[1], *x = wide[0], *v = wide[1], *w = wide[2], *av = wide[3];
    nigh_status status = first_residual(k, a, b, x, u);
    if (status) return status;
    double beta = normalise(k, m, u), alpha = 0;
    if (beta > 0) {
        if ((status = krylov_apply(k, a, true, u, v))) return status;
        alpha = normalise(k, n, v);
    }
    double phibar = beta, rhobar = alpha, residual = alpha * beta, scale = residual;
    krylov_copy(t, n, v, w);
    while (!krylov_note(k, residual, scale)) {
        if ((status = krylov_apply(k, a, false, v, au))) return status;
        krylov_axpby(t, threads, m, 1, au, -alpha, u);
        beta = normalise(k, m, u);
        if (beta > 0) {
            if ((status = krylov_apply(k, a, true, u, av))) return status;
            krylov_axpby(t, threads, n, 1, av, -beta, v);
            alpha = normalise(k, n, v);
        } else {
            alpha = 0;
        }
        double damped = hypot(rhobar, damp);
        phibar *= rhobar / damped;
        double rho = hypot(damped, beta), c = damped / rho, s = beta / rho, theta = s * alpha, phi = c * phibar;
        rhobar = -c * alpha;
        phibar = s * phibar;
        krylov_axpby(t, threads, n, phi / rho, w, 1, x);
        krylov_axpby(t, threads, n, 1, v, -theta / rho, w);
        residual = alpha * fabs(s * phi);
        k->report.iterations++;
    }
    return NIGH_OK;
}

nigh_status nigh_lsqr(nigh_context *ctx, const nigh_operator *a, double damp, const void *b, void *x, const nigh_krylov_options *options,
                      nigh_krylov_report *report)
{
    krylov k;
    nigh_status status = krylov_begin(&k, ctx, a, false, options);
    if (!status && (!a->transposed || !(damp >= 0)))
        status = nigh_fail(ctx, NIGH_INVALID, "LSQR of %lld x %lld with damp %g%s; damp >= 0 and an operator with `transposed` are allowed", (long long)a->rows,
                           (long long)a->cols, damp, a->transposed ? "" : " and no `transposed`");
    if (status) return status;
    size_t size = krylov_size(k.dtype);
    void *tall_block = nigh_alloc_zero(ctx, 2 * (size_t)a->rows, size), *block = krylov_vectors(&k, 4);
    status = tall_block && block ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        void *tall[2] = {tall_block, krylov_row(k.dtype, tall_block, a->rows, 1)}, *wide[4];
        for (int i = 0; i < 4; i++) wide[i] = krylov_row(k.dtype, block, k.n, i);
        krylov_copy(k.dtype, k.n, x, wide[0]);
        status = lsqr_run(&k, a, damp, b, tall, wide);
        if (!status) krylov_copy(k.dtype, k.n, wide[0], x), krylov_end(&k, report);
    }
    nigh_free(ctx, block);
    nigh_free(ctx, tall_block);
    return status;
}

/* ---- flexible GMRES ---- */

typedef struct gmres {
    krylov k;
    const nigh_operator *a, *m;
    int64_t memory;
    void *x, *r, *v, *z;       /* z: preconditioned vectors, v itself without one */
    double *h, *c, *s, *g, *y; /* h: column j at h + j (memory + 1) */
    double scale;
} gmres;

/* Column j of H becomes triangular by the rotations so far and one more. False when the column vanishes. */
static bool gmres_rotate(gmres *g, int64_t j)
{
    double *h = g->h + j * (g->memory + 1);
    for (int64_t i = 0; i < j; i++) {
        double up = g->c[i] * h[i] + g->s[i] * h[i + 1];
        h[i + 1] = g->c[i] * h[i + 1] - g->s[i] * h[i], h[i] = up;
    }
    double size = hypot(h[j], h[j + 1]);
    if (!(size > 0)) return false;
    g->c[j] = h[j] / size, g->s[j] = h[j + 1] / size;
    h[j] = size, h[j + 1] = 0;
    g->g[j + 1] = -g->s[j] * g->g[j], g->g[j] *= g->c[j];
    return true;
}

/* From the residual r of length beta; *done: the recurrence has met a reason to stop. */
static nigh_status gmres_cycle(gmres *g, double beta, bool *done)
{
    krylov *k = &g->k;
    nigh_dtype t = k->dtype;
    int64_t n = k->n, used = 0;
    bool stuck = false;
    krylov_axpby(t, k->threads, n, 1 / beta, g->r, 0, g->v);
    memset(g->h, 0, (size_t)(g->memory * (g->memory + 1)) * sizeof *g->h);
    g->g[0] = beta;
    for (int64_t j = 0; j < g->memory && !*done && !stuck; j++) {
        void *from = krylov_row(t, g->v, n, j), *z = krylov_row(t, g->z, n, j), *next = krylov_row(t, g->v, n, j + 1);
        nigh_status status = g->m ? krylov_apply(k, g->m, false, from, z) : NIGH_OK;
        if (!status) status = krylov_apply(k, g->a, false, z, next);
        if (status) return status;
        double before = krylov_norm(t, k->threads, n, next), *h = g->h + j * (g->memory + 1);
        krylov_orthogonalise(k, j + 1, g->v, next, h);
        h[j + 1] = krylov_norm(t, k->threads, n, next);
        if (h[j + 1] <= eps_of(t) * before) h[j + 1] = 0;
        stuck = h[j + 1] == 0;
        if (!stuck) krylov_axpby(t, k->threads, n, 1 / h[j + 1], next, 0, next);
        k->report.iterations++;
        if (!gmres_rotate(g, j)) break;
        used = j + 1;
        *done = krylov_note(k, fabs(g->g[j + 1]), g->scale);
    }
    for (int64_t i = used - 1; i >= 0; i--) {
        double sum = g->g[i];
        for (int64_t j = i + 1; j < used; j++) sum -= g->h[j * (g->memory + 1) + i] * g->y[j];
        g->y[i] = sum / g->h[i * (g->memory + 1) + i];
    }
    for (int64_t i = 0; i < used; i++) krylov_axpby(t, k->threads, n, g->y[i], krylov_row(t, g->z, n, i), 1, g->x);
    return NIGH_OK;
}

static nigh_status gmres_run(gmres *g, const void *b)
{
    krylov *k = &g->k;
    nigh_status status = first_residual(k, g->a, b, g->x, g->r);
    if (status) return status;
    double beta = krylov_norm(k->dtype, k->threads, k->n, g->r);
    g->scale = scale_of(k, k->n, b, beta);
    if (krylov_note(k, beta, g->scale)) return NIGH_OK;
    for (;;) {
        bool done = false;
        if ((status = gmres_cycle(g, beta, &done))) return status;
        if ((status = krylov_apply(k, g->a, false, g->x, g->r))) return status;
        krylov_axpby(k->dtype, k->threads, k->n, 1, b, -1, g->r);
        double before = beta;
        k->report.residual = beta = krylov_norm(k->dtype, k->threads, k->n, g->r);
        if (done && k->report.stop != NIGH_KRYLOV_MOST && beta <= fmax(k->options->tolerance * 1.01, 1000 * eps_of(k->dtype)) * g->scale) return NIGH_OK;
        if (k->report.iterations >= k->options->most) {
            k->report.stop = NIGH_KRYLOV_MOST;
            return NIGH_OK;
        }
        if (!(beta < before * 0.999999)) { /* the recurrence says less than is true, or a whole cycle gave nothing */
            k->report.stop = NIGH_KRYLOV_STALLED;
            return NIGH_OK;
        }
    }
}

nigh_status nigh_gmres(nigh_context *ctx, const nigh_operator *a, const nigh_operator *precondition, int64_t memory, const void *b, void *x,
                       const nigh_krylov_options *options, nigh_krylov_report *report)
{
    gmres g = {.a = a, .m = precondition};
    nigh_status status = krylov_begin(&g.k, ctx, a, true, options);
    if (!status) status = krylov_check_preconditioner(ctx, a, precondition);
    if (!status && (memory < 1 || memory > 1000))
        status = nigh_fail(ctx, NIGH_INVALID, "memory of %lld steps for %lld x %lld; 1 to 1000 are allowed", (long long)memory, (long long)a->rows, (long long)a->cols);
    if (status) return status;
    g.memory = memory;
    nigh_dtype t = g.k.dtype;
    int64_t n = g.k.n;
    void *block = krylov_vectors(&g.k, 3 + memory + (precondition ? memory : 0));
    g.h = nigh_alloc_zero(ctx, (size_t)(memory * (memory + 1) + 4 * (memory + 1)), sizeof *g.h);
    status = block && g.h ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        g.x = block, g.r = krylov_row(t, block, n, 1), g.v = krylov_row(t, block, n, 2);
        g.z = precondition ? krylov_row(t, block, n, 3 + memory) : g.v;
        g.c = g.h + memory * (memory + 1), g.s = g.c + memory + 1, g.g = g.s + memory + 1, g.y = g.g + memory + 1;
        krylov_copy(t, n, x, g.x);
        status = gmres_run(&g, b);
    }
    if (!status) krylov_copy(t, n, g.x, x), krylov_end(&g.k, report);
    nigh_free(ctx, g.h);
    nigh_free(ctx, block);
    return status;
}
