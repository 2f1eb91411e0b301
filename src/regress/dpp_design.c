/*
 * Designs: batches of determinantal points, volume sampling, independent points; conditioned on the smallest eigenvalue of their Gram
 * matrix, and thinned. "Weighted least-squares approximation with determinantal point processes and generalized volume
 * sampling"; Haberstich, Nouy and Perrin, "Boosted optimal weighted least-squares" (conditioning, taking points away).
 */
#include "regress/dpp.h"

#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

static const char *const hows[] = {
    [NIGH_DESIGN_DPP] = "batches of a projection determinantal point process",
    [NIGH_DESIGN_VOLUME] = "volume sampling: one determinantal batch, the others from the optimal density",
    [NIGH_DESIGN_VOLUME_INPUT] = "volume sampling: one determinantal batch, the others from the inputs' own measure",
    [NIGH_DESIGN_IID] = "independent points from the optimal density",
};

static nigh_status check_options(nigh_context *ctx, const nigh_design_options *o, int64_t m)
{
    if ((int)o->kind < 0 || o->kind > NIGH_DESIGN_IID) return nigh_fail(ctx, NIGH_INVALID, "design kind %d; 0 to %d are allowed", (int)o->kind, NIGH_DESIGN_IID);
    if (o->n < m || o->n > (int64_t)1 << 22)
        return nigh_fail(ctx, NIGH_INVALID, "%lld points for %lld functions; %lld to %d are allowed", (long long)o->n, (long long)m, (long long)m, 1 << 22);
    if (o->kind == NIGH_DESIGN_DPP && o->n % m)
        return nigh_fail(ctx, NIGH_INVALID, "%lld points in batches of %lld functions; a multiple of %lld is needed (or take points away: thin)",
                         (long long)o->n, (long long)m, (long long)m);
    if (!(o->least >= 0 && o->least < 1))
        return nigh_fail(ctx, NIGH_INVALID, "the least eigenvalue asked for is %g; 0 (none) to below 1 is allowed", o->least);
    if (o->thin && o->least == 0) return nigh_fail(ctx, NIGH_INVALID, "a design is thinned down to a least eigenvalue, which is 0; above 0 is needed");
    if (o->draws < 0) return nigh_fail(ctx, NIGH_INVALID, "%d draws at most; 0 (100) or more is allowed", o->draws);
    return NIGH_OK;
}

/* Row i to the place of another one. */
static void swap_points(nigh_design *d, int64_t i, int64_t k)
{
    for (int64_t j = 0; j < d->m; j++) {
        double t = d->phi[i * d->m + j];
        d->phi[i * d->m + j] = d->phi[k * d->m + j], d->phi[k * d->m + j] = t;
    }
    for (int64_t j = 0; j < d->d && d->x; j++) {
        double t = d->x[i * d->d + j];
        d->x[i * d->d + j] = d->x[k * d->d + j], d->x[k * d->d + j] = t;
    }
    if (d->index) {
        int64_t t = d->index[i];
        d->index[i] = d->index[k], d->index[k] = t;
    }
    double t = d->weight[i];
    d->weight[i] = d->weight[k], d->weight[k] = t;
}

static void set_weights(nigh_design *d)
{
    for (int64_t i = 0; i < d->n; i++) {
        double size = 0;
        for (int64_t j = 0; j < d->m; j++) size += d->phi[i * d->m + j] * d->phi[i * d->m + j];
        d->weight[i] = d->kind == NIGH_DESIGN_VOLUME_INPUT ? 1 : (double)d->m / size;
    }
}

/* The permutation makes all places of a volume sample alike. */
static nigh_status draw_once(nigh_context *ctx, const dpp_source *from, nigh_rng *rng, nigh_design *d)
{
    nigh_status status = NIGH_OK;
    int64_t batches = d->kind == NIGH_DESIGN_DPP ? d->n / d->m : d->kind == NIGH_DESIGN_IID ? 0 : 1;
    for (int64_t b = 0; b < batches && !status; b++) status = dpp_batch(ctx, from, rng, d, b * d->m);
    for (int64_t i = batches * d->m; i < d->n && !status; i++) dpp_point(from, rng, d->kind == NIGH_DESIGN_VOLUME_INPUT, d, i);
    if (status) return status;
    set_weights(d);
    bool volume = d->kind == NIGH_DESIGN_VOLUME || d->kind == NIGH_DESIGN_VOLUME_INPUT;
    for (int64_t i = d->n - 1; i > 0 && volume; i--) swap_points(d, i, (int64_t)nigh_rng_below(rng, (uint64_t)i + 1));
    return NIGH_OK;
}

/* n G of the first n points. */
static nigh_status gram_of(nigh_context *ctx, const nigh_design *d, double *gram)
{
    double *scaled = nigh_alloc(ctx, (size_t)(d->n * d->m) * sizeof *scaled);
    if (!scaled) return NIGH_MEMORY;
    for (int64_t i = 0; i < d->n * d->m; i++) scaled[i] = sqrt(d->weight[i / d->m]) * d->phi[i];
    nigh_status status = linalg_gemm(ctx, true, false, d->m, d->m, d->n, 1, scaled, scaled, 0, gram);
    nigh_free(ctx, scaled);
    return status;
}

/* Smallest eigenvalue of gram / n; row 0 of `vectors` becomes its vector. */
static nigh_status least_of(nigh_context *ctx, int64_t m, int64_t n, const double *gram, double *vectors, double *values, double *least)
{
    for (int64_t i = 0; i < m * m; i++) vectors[i] = gram[i] / (double)n;
    nigh_status status = linalg_eigen(ctx, m, vectors, values);
    if (!status) *least = values[0] > 0 ? values[0] : 0;
    return status;
}

/*
 * Without point i, the Gram matrix n G keeps all eigenvalues above `floor` if and only if score_i = w phi^T (n G - floor I)^-1 phi < 1
 * (the determinant of a rank-one change). The point of the least score goes; inverse and scores follow by Sherman and
 * Morrison. How many went is told by d->n.
 */
static void take_away(nigh_design *d, double *inverse, double *gram, double *score, double *u)
{
    enum { AT_ONCE = 16 }; /* then the inverse is made afresh */
    int64_t m = d->m;
    for (int taken = 0; taken < AT_ONCE && d->n > m; taken++) {
        int64_t worst = 0;
        for (int64_t i = 1; i < d->n; i++)
            if (score[i] < score[worst]) worst = i;
        if (!(score[worst] < 1 - 1e-9)) return;
        const double *phi = d->phi + worst * m;
        double w = d->weight[worst], keep = 1 - score[worst];
        for (int64_t i = 0; i < m; i++) {
            u[i] = 0;
            for (int64_t j = 0; j < m; j++) u[i] += inverse[i * m + j] * phi[j];
        }
        for (int64_t k = 0; k < m * m; k++) inverse[k] += w * u[k / m] * u[k % m] / keep, gram[k] -= w * phi[k / m] * phi[k % m];
        for (int64_t i = 0; i < d->n; i++) {
            double part = 0;
            for (int64_t j = 0; j < m; j++) part += u[j] * d->phi[i * m + j];
            score[i] += d->weight[i] * w * part * part / keep;
        }
        swap_points(d, worst, --d->n);
        score[worst] = score[d->n];
    }
}

/* vectors and values are those of gram / n. */
static nigh_status thin_out(nigh_context *ctx, double least, nigh_design *d, double *gram, double *vectors, double *values)
{
    int64_t m = d->m, before = d->n + 1;
    double *inverse = nigh_alloc(ctx, (size_t)(2 * m * m) * sizeof *inverse), *scaled = inverse ? inverse + m * m : NULL;
    double *score = nigh_alloc(ctx, (size_t)(d->n + m) * sizeof *score), *u = score ? score + d->n : NULL;
    nigh_status status = inverse && score ? NIGH_OK : NIGH_MEMORY;
    while (!status && d->n > m && d->n < before) {
        double floor = least * (double)(before = d->n);
        if (!((double)d->n * values[0] > floor * (1 + 1e-9))) break;
        for (int64_t k = 0; k < m * m; k++) scaled[k] = vectors[k] / ((double)d->n * values[k / m] - floor);
        status = linalg_gemm(ctx, true, false, m, m, m, 1, vectors, scaled, 0, inverse);
        for (int64_t i = 0; i < d->n && !status; i++) {
            score[i] = 0;
            for (int64_t k = 0; k < m; k++) {
                double part = 0;
                for (int64_t j = 0; j < m; j++) part += vectors[k * m + j] * d->phi[i * m + j];
                score[i] += d->weight[i] * part * part / ((double)d->n * values[k] - floor);
            }
        }
        if (!status) take_away(d, inverse, gram, score, u);
        if (!status) status = least_of(ctx, m, d->n, gram, vectors, values, &d->least);
        if (!status) status = nigh_poll(ctx);
    }
    nigh_free(ctx, score);
    nigh_free(ctx, inverse);
    return status;
}

static nigh_status draw_all(nigh_context *ctx, const dpp_source *from, const nigh_design_options *o, nigh_rng *rng, nigh_design *d)
{
    size_t square = (size_t)(d->m * d->m) * sizeof(double);
    double *gram = nigh_alloc(ctx, square), *vectors = nigh_alloc(ctx, square), *values = nigh_alloc(ctx, (size_t)d->m * sizeof *values), best = 0;
    int most = o->least > 0 ? (o->draws ? o->draws : 100) : 1;
    nigh_status status = gram && vectors && values ? NIGH_OK : NIGH_MEMORY;
    for (bool enough = false; !enough && !status;) {
        if (d->draws == most) {
            status = nigh_fail(ctx, NIGH_UNMET, "none of %d designs of %lld points for %lld functions had the eigenvalue %g (the best %.3g); more points or a smaller one are needed",
                               most, (long long)d->n, (long long)d->m, o->least, best);
            break;
        }
        d->draws++;
        status = draw_once(ctx, from, rng, d);
        if (!status) status = gram_of(ctx, d, gram);
        if (!status) status = least_of(ctx, d->m, d->n, gram, vectors, values, &d->least);
        if (!status) status = nigh_poll(ctx);
        best = fmax(best, d->least);
        enough = d->least >= o->least;
    }
    if (!status && o->thin) status = thin_out(ctx, o->least, d, gram, vectors, values);
    nigh_free(ctx, values);
    nigh_free(ctx, vectors);
    nigh_free(ctx, gram);
    return status;
}

static nigh_status design_new(nigh_context *ctx, const dpp_source *from, const nigh_design_options *o, nigh_rng *rng, nigh_design **out)
{
    int64_t m = from->basis ? from->basis->m : from->candidates->m, dims = from->basis ? from->basis->dims : 0;
    nigh_status status = check_options(ctx, o, m);
    nigh_arena *arena = NULL;
    if (!status) status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    nigh_design *d = nigh_arena_alloc_zero(arena, 1, sizeof *d);
    if (d) {
        *d = (nigh_design){.kind = o->kind, .n = o->n, .m = m, .d = dims, .how = hows[o->kind], .arena = arena};
        d->phi = nigh_arena_alloc(arena, (size_t)(o->n * m) * sizeof *d->phi);
        d->weight = nigh_arena_alloc(arena, (size_t)o->n * sizeof *d->weight);
        if (dims) d->x = nigh_arena_alloc(arena, (size_t)(o->n * dims) * sizeof *d->x);
        if (!dims) d->index = nigh_arena_alloc(arena, (size_t)o->n * sizeof *d->index);
    }
    status = d && d->phi && d->weight && (d->x || d->index) ? draw_all(ctx, from, o, rng, d) : NIGH_MEMORY;
    if (status) {
        nigh_arena_free(arena);
        return status;
    }
    *out = d;
    return NIGH_OK;
}

nigh_status nigh_design_draw(nigh_context *ctx, const nigh_basis *basis, const nigh_design_options *options, nigh_rng *rng, nigh_design **design)
{
    return design_new(ctx, &(dpp_source){.basis = basis}, options, rng, design);
}

nigh_status nigh_design_choose(nigh_context *ctx, const nigh_candidates *candidates, const nigh_design_options *options, nigh_rng *rng,
                               nigh_design **design)
{
    return design_new(ctx, &(dpp_source){.candidates = candidates}, options, rng, design);
}

void nigh_design_free(nigh_design *design)
{
    if (design) nigh_arena_free(design->arena);
}
