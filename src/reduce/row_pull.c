/* See row_pull.h. */
#include "reduce/row_pull.h"
#include "reduce/loss.h"

#include "nigh/linear.h"

#include <math.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { SHARE = 256 };

nigh_status row_moments(nigh_context *ctx, const nigh_rows *rows, double *mean, double *inverse)
{
    nigh_linear_data data = {rows->n, rows->d, rows->x, rows->weight};
    nigh_status status = nigh_standardise(ctx, &data, mean, inverse, NULL);
    for (int64_t j = 0; j < rows->d && !status; j++) inverse[j] = 1 / inverse[j];
    return status;
}

/* Four sums keep pace with memory. */
static double length_of(int64_t d, const double *x, const double *mean, const double *inverse)
{
    double part[4] = {1, 0, 0, 0};
    int64_t j = 0;
    for (; j + 4 <= d; j += 4)
        for (int k = 0; k < 4; k++) {
            double z = (x[j + k] - mean[j + k]) * inverse[j + k];
            part[k] += z * z;
        }
    for (; j < d; j++) {
        double z = (x[j] - mean[j]) * inverse[j];
        part[0] += z * z;
    }
    return sqrt(part[0] + part[1] + (part[2] + part[3]));
}

typedef struct pull {
    const nigh_loss *loss;
    const nigh_rows *rows;
    const double *model, *mean, *inverse;
    const margin_kernels *kernels;
    margin_curve curve;
} pull;

/* room: 3 SHARE numbers and the workspace of an expression. */
static void share_of(const pull *p, int64_t from, int64_t count, double *room, double *score)
{
    int64_t d = p->rows->d;
    const double *x = p->rows->x + from * d, *y = p->rows->y + from;
    p->kernels->margins(count, d, x, p->model, p->model[d], room);
    if (p->curve.kind == NIGH_LOSS_RESIDUAL) margin_residual_curve(&p->loss->residual, count, room, y, NULL, NULL, score + from, room + SHARE, room + 3 * SHARE);
    else p->kernels->curve(&p->curve, count, room, y, NULL, NULL, score + from, NULL);
    for (int64_t i = 0; i < count; i++) score[from + i] = fabs(score[from + i]) * length_of(d, x + i * d, p->mean, p->inverse);
}

nigh_status row_pulls(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const double *model, const double *mean, const double *inverse, double *score)
{
    const pull p = {loss, rows, model, mean, inverse, margin_kernels_at(nigh_cpu()), loss_curve(loss, 0)};
    int64_t n = rows->n, shares = (n + SHARE - 1) / SHARE;
    int threads = shares > 4 ? nigh_context_threads(ctx) : 1;
    size_t each = 3 * SHARE + (loss->residual.workspace / 64 + 1) * 8;
    double *room = nigh_alloc(ctx, (size_t)threads * each * sizeof *room);
    if (!room) return NIGH_MEMORY;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        int me = 0;
#ifdef _OPENMP
        me = omp_get_thread_num();
#endif
#pragma omp for schedule(static)
        for (int64_t k = 0; k < shares; k++) share_of(&p, k * SHARE, n - k * SHARE < SHARE ? n - k * SHARE : SHARE, room + (size_t)me * each, score);
    }
    nigh_free(ctx, room);
    return NIGH_OK;
}
