/*
 * Least squares beside LAPACK (dgels, dgelsd, normal equations by dsyrk and dpotrf) and, for sparse rows, SuiteSparse (SPQR, and CHOLMOD on A^T A through nigh's own method).
 * Every round runs the planner's choice and each rival once, in turn; the figure is the median over rounds of nigh's time over that of the faster rival of the round.
 * The error asked is 10% over the least residual for one half of the table and 1e-10 for the other; planning counts.
 *
 *   squares_beside [--quick] [--only 512]
 */
#include "common.h"

#include "nigh/random.h"
#include "nigh/sketch.h"
#include "reduce/squares_peers.h"

#ifdef NIGH_HAVE_SPQR
#include <SuiteSparseQR_C.h>
#endif

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5, MOST = 8 };

typedef struct line {
    int rounds;
    double ours[ROUNDS], rival[MOST][ROUNDS], least; /* least: |A x* - b| of the rivals */
    double residual;
    bool met;
    nigh_squares_receipt receipt;
} line;

static double residual_of(const nigh_squares *p, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < p->n; i++) {
        double r = p->b[i];
        if (p->a)
            for (int64_t j = 0; j < p->d; j++) r -= p->a[i * p->d + j] * x[j];
        else
            for (int64_t e = p->sparse->start[i]; e < p->sparse->start[i + 1]; e++) r -= p->sparse->value[e] * x[p->sparse->column[e]];
        sum += r * r;
    }
    return sqrt(sum);
}

static nigh_status ours(nigh_context *ctx, const nigh_squares *p, double error, int round, double *x, line *l)
{
    double began = nigh_clock();
    nigh_status status = nigh_squares_solve(ctx, p, &(nigh_squares_options){.error = error, .seed = (uint64_t)round}, x, NULL, &l->receipt);
    l->ours[round] = nigh_clock() - began;
    l->residual = l->receipt.residual;
    l->met = l->receipt.met;
    return status;
}

static void show(const nigh_squares *p, double error, const line *l, int rivals, const char *const *names)
{
    double ratio[ROUNDS];
    printf("%8lld x %5lld  E %-7.2g %-9s", (long long)p->n, (long long)p->d, error, nigh_squares_method_name(l->receipt.chosen.method));
    if (l->receipt.chosen.rows) printf(" m %-6lld", (long long)l->receipt.chosen.rows);
    else printf("         ");
    double best = INFINITY;
    for (int r = 0; r < l->rounds; r++) {
        double fastest = INFINITY;
        for (int k = 0; k < rivals; k++) fastest = fmin(fastest, l->rival[k][r]);
        ratio[r] = l->ours[r] / fastest;
        best = fmin(best, l->ours[r]);
    }
    qsort(ratio, (size_t)l->rounds, sizeof *ratio, bench_by_value);
    printf(" %8.4f s", best);
    for (int k = 0; k < rivals; k++) {
        double least = INFINITY;
        for (int r = 0; r < l->rounds; r++) least = fmin(least, l->rival[k][r]);
        if (isfinite(least)) printf("  %s %.4f", names[k], least);
    }
    printf("  ratio %.2f  excess %+.1e%s\n", ratio[l->rounds / 2], l->least > 0 ? l->residual / l->least - 1 : 0, l->met ? "" : " NOT MET");
    fflush(stdout);
    char what[96];
    snprintf(what, sizeof what, "time over the faster rival, %s %lld x %lld, E %g", p->a ? "dense" : "sparse", (long long)p->n, (long long)p->d, error);
    bench_note(what, ratio[l->rounds / 2]);
}

static nigh_status dense(nigh_context *ctx, int64_t n, int64_t d, int rounds)
{
    static const char *const names[] = {"dgels", "dgelsd", "normal"};
    double *a = nigh_alloc(ctx, (size_t)(n * d + n + 2 * d) * sizeof *a), *b = a + n * d, *x = b + n, *exact = x + d;
    if (!a) return NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(11, (uint64_t)(n + d));
    nigh_rng_fill_normal(&rng, n * d + n, a);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) b[i] += a[i * d + j] * cos((double)j) / sqrt((double)d);
    nigh_squares p = {n, d, a, NULL, b, NULL};
    nigh_status status = NIGH_OK;
    line l[2] = {{.rounds = rounds}, {.rounds = rounds}};
    for (int r = 0; r < rounds && !status; r++) {
        double seconds[SQUARES_PEERS] = {INFINITY, INFINITY, INFINITY};
        for (int e = 0; e < 2 && !status; e++) status = ours(ctx, &p, e ? 1e-10 : 0.1, r, x, l + e);
        for (int k = 0; k < SQUARES_PEERS && !status; k++) {
            if (k == SQUARES_DGELSD && (double)n * (double)d * (double)d > 5e9) continue;
            if (k == SQUARES_DGELS && r > 0 && (double)n * (double)d * (double)d > 5e10) { /* minutes: once */
                seconds[k] = l[0].rival[k][0];
                continue;
            }
            status = squares_peer_solve(ctx, &p, (squares_peer)k, exact, seconds + k);
        }
        for (int e = 0; e < 2; e++)
            for (int k = 0; k < SQUARES_PEERS; k++) l[e].rival[k][r] = seconds[k];
        bench_progress(r + 1, rounds, "dense");
    }
    if (!status) l[0].least = l[1].least = residual_of(&p, exact);
    for (int e = 0; e < 2 && !status; e++) show(&p, e ? 1e-10 : 0.1, l + e, SQUARES_PEERS, names);
    nigh_free(ctx, a);
    return status;
}

/* ---- sparse ------------------------------------------------------------------------------------------------------- */

#ifdef NIGH_HAVE_SPQR
static nigh_status spqr(const nigh_squares *p, double *x, double *seconds)
{
    cholmod_common c;
    cholmod_l_start(&c);
    int64_t count = nigh_sparse_count(p->sparse);
    cholmod_triplet *t = cholmod_l_allocate_triplet((size_t)p->n, (size_t)p->d, (size_t)count, 0, CHOLMOD_REAL, &c);
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t e = p->sparse->start[i]; e < p->sparse->start[i + 1]; e++) {
            ((SuiteSparse_long *)t->i)[e] = i;
            ((SuiteSparse_long *)t->j)[e] = p->sparse->column[e];
            ((double *)t->x)[e] = p->sparse->value[e];
        }
    t->nnz = (size_t)count;
    cholmod_sparse *a = cholmod_l_triplet_to_sparse(t, (size_t)count, &c);
    cholmod_dense *b = cholmod_l_allocate_dense((size_t)p->n, 1, (size_t)p->n, CHOLMOD_REAL, &c);
    memcpy(b->x, p->b, (size_t)p->n * sizeof(double));
    double began = nigh_clock(); /* from its own format on */
    cholmod_dense *y = SuiteSparseQR_C_backslash(SPQR_ORDERING_DEFAULT, SPQR_DEFAULT_TOL, a, b, &c);
    *seconds = nigh_clock() - began;
    if (y) memcpy(x, y->x, (size_t)p->d * sizeof *x);
    bool done = y != NULL;
    cholmod_l_free_dense(&y, &c);
    cholmod_l_free_dense(&b, &c);
    cholmod_l_free_sparse(&a, &c);
    cholmod_l_free_triplet(&t, &c);
    cholmod_l_finish(&c);
    return done ? NIGH_OK : NIGH_MEMORY;
}
#endif

/* Rows of `fill` entries: anywhere, or (`band`) near a place that moves with the row, so that factors stay sparse. */
static nigh_status sparse(nigh_context *ctx, int64_t n, int64_t d, int64_t fill, bool band, int rounds)
{
    static const char *const names[] = {"spqr", "A^T A"};
    int64_t count = n * fill, *row = nigh_alloc(ctx, 2 * (size_t)count * sizeof *row), *column = row + count;
    double *value = nigh_alloc(ctx, (size_t)(count + n + 2 * d) * sizeof *value), *b = value + count, *x = b + n, *exact = x + d;
    nigh_sparse *a = NULL;
    nigh_rng rng = nigh_rng_new(12, (uint64_t)(n + d));
    nigh_status status = row && value ? NIGH_OK : NIGH_MEMORY;
    for (int64_t k = 0; k < count && !status; k++) {
        row[k] = k / fill;
        int64_t place = row[k] * (d - 20) / n;
        column[k] = band ? place + (int64_t)nigh_rng_below(&rng, 20) : (int64_t)nigh_rng_below(&rng, (uint64_t)d);
        value[k] = nigh_rng_normal(&rng);
    }
    if (!status) nigh_rng_fill_normal(&rng, n, b);
    if (!status) status = nigh_sparse_new(ctx, n, d, count, row, column, value, &a);
    nigh_squares p = {n, d, NULL, a, b, NULL};
    line l[2] = {{.rounds = rounds}, {.rounds = rounds}};
    for (int r = 0; r < rounds && !status; r++) {
        double seconds[2] = {INFINITY, INFINITY}, began;
        for (int e = 0; e < 2 && !status; e++) status = ours(ctx, &p, e ? 1e-10 : 0.1, r, x, l + e);
#ifdef NIGH_HAVE_SPQR
        if (!status) status = spqr(&p, exact, seconds);
#endif
        began = nigh_clock();
        if (!status) status = nigh_squares_solve(ctx, &p, &(nigh_squares_options){.method = NIGH_SQUARES_DIRECT, .error = 1e-10}, exact, NULL, NULL);
        seconds[1] = nigh_clock() - began;
        for (int e = 0; e < 2; e++) l[e].rival[0][r] = seconds[0], l[e].rival[1][r] = seconds[1];
        bench_progress(r + 1, rounds, "sparse");
    }
    if (!status) l[0].least = l[1].least = residual_of(&p, exact);
    for (int e = 0; e < 2 && !status; e++) show(&p, e ? 1e-10 : 0.1, l + e, 2, names);
    nigh_sparse_free(ctx, a);
    nigh_free(ctx, row);
    nigh_free(ctx, value);
    return status;
}

int main(int argc, char **argv)
{
    static const int64_t sizes[][2] = {{10000, 8}, {100000, 16}, {100000, 50}, {20000, 200}, {1000000, 20}, {262144, 64}, {131072, 128}, {262144, 256},
                                       {65536, 512}, {32768, 1024}, {524288, 512}};
    static const int64_t thin[][4] = {{20000, 200, 5, 0}, {100000, 500, 10, 0}, {200000, 2000, 4, 0}, {200000, 5000, 4, 1}, {500000, 20000, 4, 1}};
    bench_args args;
    int code = bench_start(argc, argv, "least squares beside LAPACK and SuiteSparse", &args);
    if (code >= 0) return code;
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 3;
    nigh_status status = NIGH_OK;
    char name[64];
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes && !status; k++) {
        snprintf(name, sizeof name, "dense %lld x %lld", (long long)sizes[k][0], (long long)sizes[k][1]);
        double work = (double)sizes[k][0] * (double)sizes[k][1] * (double)sizes[k][1];
        if ((args.only && !strstr(name, args.only)) || (args.quick && work > 5e9)) continue;
        status = dense(ctx, sizes[k][0], sizes[k][1], work > 5e10 ? 3 : ROUNDS);
    }
    for (size_t k = 0; k < sizeof thin / sizeof *thin && !status; k++) {
        snprintf(name, sizeof name, "sparse %lld x %lld", (long long)thin[k][0], (long long)thin[k][1]);
        if ((args.only && !strstr(name, args.only)) || (args.quick && k > 1)) continue;
        status = sparse(ctx, thin[k][0], thin[k][1], thin[k][2], thin[k][3] != 0, 3);
    }
    if (status) fprintf(stderr, "%s\n", nigh_message(ctx));
    nigh_context_free(ctx);
    return status ? 3 : bench_end(&args);
}
