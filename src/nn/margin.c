/* Passes over rows; see margin.h. Threads own runs of blocks, and their sums are added in order. */
#include "nn/margin.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "tensor/dense.h"

enum { BLOCK_BYTES = 32768, OWN_COLUMNS = 64, WIDE_ROWS = 256 }; /* the own Gram kernel up to so many columns, then BLAS on more rows at once */

struct margin_pass {
    nigh_context *ctx;
    nigh_rows rows;
    const margin_kernels *kernels;
    int threads;
    int64_t block, passes;
    unsigned most;
    const margin_residual *residual;
    size_t each; /* numbers of a thread: m, slopes, curvatures [block], g, border [d + 1], residual's, h [d + 1, d + 1], scaled [block, d] */
    double *room;
};

typedef struct share {
    double *m, *slope, *curvature, *g, *border, *expr, *h, *scaled;
} share;

const margin_kernels *margin_kernels_at(nigh_cpu_level level)
{
#if defined(__x86_64__)
    if (level == NIGH_CPU_AVX512) return &margin_avx512;
    if (level == NIGH_CPU_AVX2) return &margin_avx2;
#endif
    (void)level;
    return &margin_scalar;
}

static size_t padded(int64_t count) { return ((size_t)count + 7) / 8 * 8; }

static bool own(const margin_pass *p) { return p->rows.d <= OWN_COLUMNS; }

static size_t residual_room(const margin_pass *p) { return p->residual ? 2 * padded(p->block) + padded((int64_t)p->residual->workspace / 8 + 1) : 0; }

static share share_of(const margin_pass *p, int thread)
{
    share s;
    int64_t d = p->rows.d;
    s.m = p->room + (size_t)thread * p->each;
    s.slope = s.m + padded(p->block);
    s.curvature = s.slope + padded(p->block);
    s.g = s.curvature + padded(p->block);
    s.border = s.g + padded(d + 1);
    s.expr = s.border + padded(d + 1);
    s.h = s.expr + residual_room(p);
    s.scaled = s.h + padded((d + 1) * (d + 1));
    return s;
}

nigh_status margin_new(nigh_context *ctx, const nigh_rows *rows, const margin_residual *residual, unsigned most, margin_pass **out)
{
    margin_pass *p = nigh_alloc_zero(ctx, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    int64_t d = rows->d, block = BLOCK_BYTES / 8 / d;
    *p = (margin_pass){.ctx = ctx, .rows = *rows, .kernels = margin_kernels_at(nigh_cpu()), .most = most, .residual = residual};
    p->block = block > 512 ? 512 : block < 32 ? 32 : block / 8 * 8;
    if (!own(p) && (most & MARGIN_HESSIAN)) p->block = WIDE_ROWS;
    double many = (double)rows->n * (double)d / 100000;
    p->threads = nigh_context_threads(ctx);
    if (many < p->threads) p->threads = many < 1 ? 1 : (int)many;
    p->each = 3 * padded(p->block) + 2 * padded(d + 1) + residual_room(p);
    if (most & MARGIN_HESSIAN) p->each += padded((d + 1) * (d + 1)) + (own(p) ? 0 : padded(p->block * d));
    p->room = nigh_alloc(ctx, (size_t)p->threads * p->each * sizeof(double));
    if (!p->room) return nigh_free(ctx, p), NIGH_MEMORY;
    *out = p;
    return NIGH_OK;
}

void margin_free(margin_pass *p)
{
    if (!p) return;
    nigh_free(p->ctx, p->room);
    nigh_free(p->ctx, p);
}

int64_t margin_passes(const margin_pass *p) { return p->passes; }

/* Rows scaled by the roots of their curvatures: h += their Gram matrix. */
static void wide_gram(int64_t rows, int64_t d, const double *x, const double *c, double *scaled, double *h)
{
    for (int64_t i = 0; i < rows; i++) {
        double root = sqrt(c[i]);
        for (int64_t k = 0; k < d; k++) scaled[i * d + k] = root * x[i * d + k];
    }
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)d, (int)rows, 1, scaled, (int)d, 1, h, (int)d + 1);
}

/* The rows of one thread; returns their weighted loss. */
static double run_share(const margin_pass *p, int thread, const margin_curve *curve, const double *model, unsigned what, double *value)
{
    const nigh_rows *r = &p->rows;
    int64_t d = r->d, blocks = (r->n + p->block - 1) / p->block, from = blocks * thread / p->threads, to = blocks * (thread + 1) / p->threads;
    share s = share_of(p, thread);
    bool bend = what & MARGIN_HESSIAN, slope = what & (MARGIN_GRADIENT | MARGIN_HESSIAN);
    double sum = 0;
    memset(s.g, 0, (size_t)(d + 1) * sizeof *s.g);
    memset(s.border, 0, (size_t)(d + 1) * sizeof *s.g);
    if (bend) memset(s.h, 0, (size_t)((d + 1) * (d + 1)) * sizeof *s.h);
    for (int64_t b = from; b < to; b++) {
        int64_t i = b * p->block, rows = r->n - i < p->block ? r->n - i : p->block;
        const double *x = r->x + i * d, *y = r->y ? r->y + i : NULL, *weight = r->weight ? r->weight + i : NULL;
        p->kernels->margins(rows, d, x, model, model[d], s.m);
        double *values = value ? value + i : NULL, *slopes = slope ? s.slope : NULL, *bends = bend ? s.curvature : NULL;
        if (p->residual)
            sum += margin_residual_curve(p->residual, rows, s.m, y, weight, values, slopes, s.expr, s.expr + 2 * padded(p->block));
        else
            sum += p->kernels->curve(curve, rows, s.m, y, weight, values, slopes, bends);
        if (slope) p->kernels->border(rows, d, x, s.slope, bends, s.g, s.border);
        if (bend && own(p)) p->kernels->gram(rows, d, x, s.curvature, d + 1, s.h);
        else if (bend) wide_gram(rows, d, x, s.curvature, s.scaled, s.h);
    }
    return sum;
}

static void gather(const margin_pass *p, unsigned what, double *g, double *h)
{
    int64_t d = p->rows.d, m = d + 1;
    for (int t = 0; t < p->threads; t++) {
        share s = share_of(p, t);
        for (int64_t k = 0; k < m && g; k++) g[k] = (t ? g[k] : 0) + s.g[k];
        if (!(what & MARGIN_HESSIAN)) continue;
        for (int64_t j = 0; j < d; j++)
            for (int64_t k = j; k < d; k++) h[j * m + k] = (t ? h[j * m + k] : 0) + s.h[j * m + k];
        for (int64_t k = 0; k < m; k++) h[k * m + d] = (t ? h[k * m + d] : 0) + s.border[k];
    }
    for (int64_t j = 0; j < m && (what & MARGIN_HESSIAN); j++)
        for (int64_t k = 0; k < j; k++) h[j * m + k] = h[k * m + j];
}

double margin_run(margin_pass *p, const margin_curve *curve, const double *model, unsigned what, double *value, double *g, double *h)
{
    double sum[1024], cost = 0;
    int before = dense_enter(p->ctx, 0);
    if (p->threads == 1) sum[0] = run_share(p, 0, curve, model, what, value);
    else {
#pragma omp parallel for schedule(static) num_threads(p->threads)
        for (int t = 0; t < p->threads; t++) sum[t] = run_share(p, t, curve, model, what, value);
    }
    dense_leave(before);
    p->passes++;
    if (what) gather(p, what, g, h);
    for (int t = 0; t < p->threads; t++) cost += sum[t];
    return cost;
}

void margin_all(margin_pass *p, const double *model, double *m)
{
    int64_t n = p->rows.n, d = p->rows.d;
    p->passes++;
    if (p->threads == 1) {
        p->kernels->margins(n, d, p->rows.x, model, model[d], m);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int t = 0; t < p->threads; t++) {
        int64_t from = n * t / p->threads, to = n * (t + 1) / p->threads;
        p->kernels->margins(to - from, d, p->rows.x + from * d, model, model[d], m + from);
    }
}
