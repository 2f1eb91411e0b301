/*
 * Fields from one grid to another; declared in nigh/pde.h. Cells and nodes: a table of sources and weights for each point of the new grid, the same in every dimension. Circles:
 * Fourier coefficients.
 */
#include "nigh/fft.h"
#include "nigh/pde.h"
#include "operator/regrid.h"

#include <math.h>
#include <string.h>

enum { ALIGN = 64, MOST_POINTS = 1 << 20 };

struct nigh_regridder {
    nigh_context *ctx;
    nigh_regrid spec;
    const regrid_kernels *kernels;
    regrid_table table;
    int64_t kept;            /* circles: waves -kept .. kept */
    nigh_fft *forward, *back;
};

static size_t aligned(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }
static int64_t square(const nigh_regrid *s, int64_t n) { return s->dims == 2 ? n * n : n; }

/* ---- tables -------------------------------------------------------------------------------------------- */

static int64_t room_of(const nigh_regrid *s)
{
    int64_t cover = s->grid == NIGH_GRID_CELL && s->to < s->from ? s->from + 2 * s->to : 4 * s->to; /* every old cell once, and those that two share */
    return cover + 4;
}

/* Means over what each new cell covers. */
static void cover_cells(nigh_regridder *r)
{
    int64_t n = r->spec.from, m = r->spec.to, at = 0;
    for (int64_t i = 0; i < m; i++) {
        r->table.first[i] = at;
        for (int64_t j = i * n / m; j * m < (i + 1) * n; j++) { /* in units of 1 / (n m) */
            int64_t low = j * m > i * n ? j * m : i * n, high = (j + 1) * m < (i + 1) * n ? (j + 1) * m : (i + 1) * n;
            r->table.source[at] = j, r->table.weight[at++] = (double)(high - low) / (double)n;
        }
    }
    r->table.first[m] = at;
}

/* A source beyond the edge is one inside with this sign; of free edges there are none. */
static int64_t reflected(const nigh_regrid *s, int64_t j, double *sign)
{
    int64_t n = s->from, shift = s->grid == NIGH_GRID_CELL;
    while (j < 0 || j >= n) {
        j = j < 0 ? -j - shift : 2 * n - 2 - j + shift;
        if (s->edge == NIGH_EDGE_ZERO) *sign = -*sign;
        if (n == 1) j = 0;
    }
    return j;
}

/* Lagrange's polynomials through `points` neighbours. */
static void interpolate(nigh_regridder *r)
{
    const nigh_regrid *s = &r->spec;
    int64_t n = s->from, m = s->to, at = 0;
    int points = s->order + 1;
    if (s->edge == NIGH_EDGE_FREE && points > n) points = (int)n;
    for (int64_t i = 0; i < m; i++) {
        double x = s->grid == NIGH_GRID_CELL ? ((double)i + 0.5) * (double)n / (double)m - 0.5 : m > 1 ? (double)i * (double)(n - 1) / (double)(m - 1) : 0;
        int64_t low = points == 1 ? (int64_t)floor(x + 0.5) : (int64_t)floor(x) - (points - 2) / 2;
        if (s->edge == NIGH_EDGE_FREE) low = low < 0 ? 0 : low > n - points ? n - points : low;
        r->table.first[i] = at;
        for (int a = 0; a < points; a++) {
            double weight = 1;
            for (int b = 0; b < points; b++)
                if (b != a) weight *= (x - (double)(low + b)) / (double)(a - b);
            r->table.source[at] = reflected(s, low + a, &weight), r->table.weight[at++] = weight;
        }
    }
    r->table.first[m] = at;
    r->table.each = points;
}

/* ---- preparing ----------------------------------------------------------------------------------------- */

static nigh_status check(nigh_context *ctx, const nigh_regrid *s)
{
    int64_t least = s->grid == NIGH_GRID_NODE ? 2 : 1, small = s->from < s->to ? s->from : s->to, large = s->from < s->to ? s->to : s->from;
    if (s->dims < 1 || s->dims > 2) return nigh_fail(ctx, NIGH_INVALID, "a field of %d dimensions; 1 or 2 are allowed", s->dims);
    if (s->grid < NIGH_GRID_CELL || s->grid > NIGH_GRID_PERIODIC) return nigh_fail(ctx, NIGH_INVALID, "to another grid: of cells, nodes or a periodic one?");
    if (small < least || large > MOST_POINTS)
        return nigh_fail(ctx, NIGH_INVALID, "from %lld to %lld points; %lld to %d are allowed", (long long)s->from, (long long)s->to, (long long)least, MOST_POINTS);
    if (s->order != 0 && s->order != 1 && s->order != 3) return nigh_fail(ctx, NIGH_INVALID, "interpolation of order %d; 0, 1 or 3 is allowed", s->order);
    return NIGH_OK;
}

static nigh_status make_transforms(nigh_context *ctx, nigh_regridder *r)
{
    const nigh_regrid *s = &r->spec;
    int64_t from[2] = {s->from, s->from}, to[2] = {s->to, s->to}, small = s->from < s->to ? s->from : s->to;
    nigh_fft_spec forward = nigh_fft_channels_last(NIGH_FFT_REAL, NIGH_F64, false, 1, s->dims, from, 1);
    nigh_fft_spec back = nigh_fft_channels_last(NIGH_FFT_REAL, NIGH_F64, true, 1, s->dims, to, 1);
    back.norm = NIGH_FFT_RAW, back.destroy = true;
    forward.engine = back.engine = NIGH_FFT_OWN; /* whose bits do not depend on where callers' arrays begin */
    r->kept = (small - 1) / 2;
    nigh_status status = nigh_fft_new(ctx, &forward, 1, &r->forward);
    return status ? status : nigh_fft_new(ctx, &back, 1, &r->back);
}

static nigh_status make_table(nigh_context *ctx, nigh_regridder *r)
{
    int64_t room = room_of(&r->spec);
    r->table = (regrid_table){nigh_alloc(ctx, (size_t)(r->spec.to + 1) * sizeof(int64_t)), nigh_alloc(ctx, (size_t)room * sizeof(int64_t)), nigh_alloc(ctx, (size_t)room * sizeof(double)), 0};
    if (!r->table.first || !r->table.source || !r->table.weight) return NIGH_MEMORY;
    if (r->spec.grid == NIGH_GRID_CELL && r->spec.to < r->spec.from) cover_cells(r);
    else interpolate(r);
    return NIGH_OK;
}

nigh_status nigh_regridder_new(nigh_context *ctx, const nigh_regrid *spec, nigh_regridder **out)
{
    nigh_status status = check(ctx, spec);
    if (status) return status;
    nigh_regridder *r = nigh_alloc_zero(ctx, 1, sizeof *r);
    if (!r) return NIGH_MEMORY;
    r->ctx = ctx, r->spec = *spec;
    r->kernels = nigh_cpu() == NIGH_CPU_AVX512 ? &regrid_avx512 : nigh_cpu() == NIGH_CPU_AVX2 ? &regrid_avx2 : &regrid_scalar;
    if (spec->from != spec->to) status = spec->grid == NIGH_GRID_PERIODIC ? make_transforms(ctx, r) : make_table(ctx, r);
    if (status) nigh_regridder_free(r);
    else *out = r;
    return status;
}

void nigh_regridder_free(nigh_regridder *r)
{
    if (!r) return;
    nigh_fft_free(r->forward);
    nigh_fft_free(r->back);
    nigh_free(r->ctx, r->table.first);
    nigh_free(r->ctx, r->table.source);
    nigh_free(r->ctx, r->table.weight);
    nigh_free(r->ctx, r);
}

/* ---- running ------------------------------------------------------------------------------------------- */

static int64_t spectrum_count(const nigh_regrid *s, int64_t n) { return 2 * (n / 2 + 1) * (s->dims == 2 ? n : 1); }

size_t nigh_regridder_workspace(const nigh_regridder *r)
{
    const nigh_regrid *s = &r->spec;
    if (s->from == s->to) return 0;
    if (s->grid == NIGH_GRID_PERIODIC) {
        size_t one = nigh_fft_workspace(r->forward), two = nigh_fft_workspace(r->back);
        return aligned((size_t)spectrum_count(s, s->from) * sizeof(double)) + aligned((size_t)spectrum_count(s, s->to) * sizeof(double)) + aligned(one > two ? one : two);
    }
    return aligned((size_t)square(s, s->from) * sizeof(double)) + aligned((size_t)(s->from * s->to) * sizeof(double));
}

static void run_circles(const nigh_regridder *r, const double *in, double *out, void *workspace)
{
    const nigh_regrid *s = &r->spec;
    double *from = workspace, *to = (double *)((char *)workspace + aligned((size_t)spectrum_count(s, s->from) * sizeof(double)));
    void *rest = (char *)to + aligned((size_t)spectrum_count(s, s->to) * sizeof(double));
    int64_t from_row = 2 * (s->from / 2 + 1), to_row = 2 * (s->to / 2 + 1), count = spectrum_count(s, s->to);
    double factor = 1 / (double)square(s, s->from);
    nigh_fft_run(r->forward, in, from, rest);
    memset(to, 0, (size_t)count * sizeof *to);
    for (int64_t k = s->dims == 2 ? -r->kept : 0; k <= (s->dims == 2 ? r->kept : 0); k++) {
        const double *a = from + (k < 0 ? k + s->from : k) * from_row;
        double *b = to + (k < 0 ? k + s->to : k) * to_row;
        for (int64_t l = 0; l < 2 * (r->kept + 1); l++) b[l] = factor * a[l];
    }
    nigh_fft_run(r->back, to, out, rest);
}

/* The last dimension, whose points lie side by side, where there are fewer rows: first of all to a finer grid. */
static void run_tables(const nigh_regridder *r, const double *in, double *out, void *workspace)
{
    const nigh_regrid *s = &r->spec;
    const regrid_kernels *k = r->kernels;
    int64_t n = s->from, m = s->to;
    double *changed = workspace, *half = (double *)((char *)workspace + aligned((size_t)square(s, n) * sizeof(double)));
    nigh_regrid_mean mean = s->grid == NIGH_GRID_CELL && m < n ? s->mean : NIGH_MEAN_ARITHMETIC;
    if (mean == NIGH_MEAN_GEOMETRIC) k->log(square(s, n), in, changed);
    for (int64_t i = 0; mean == NIGH_MEAN_HARMONIC && i < square(s, n); i++) changed[i] = 1 / in[i];
    const double *x = mean == NIGH_MEAN_ARITHMETIC ? in : changed;
    if (s->dims == 1) k->last(&r->table, 1, n, m, x, out);
    else if (m < n) k->first(&r->table, m, n, x, half), k->last(&r->table, m, n, m, half, out);
    else k->last(&r->table, n, n, m, x, half), k->first(&r->table, m, m, half, out);
    for (int64_t i = 0; mean != NIGH_MEAN_ARITHMETIC && i < square(s, m); i++) out[i] = mean == NIGH_MEAN_HARMONIC ? 1 / out[i] : exp(out[i]);
}

void nigh_regridder_run(const nigh_regridder *r, const double *in, double *out, void *workspace)
{
    if (r->spec.from == r->spec.to) memcpy(out, in, (size_t)square(&r->spec, r->spec.from) * sizeof *out);
    else if (r->spec.grid == NIGH_GRID_PERIODIC) run_circles(r, in, out, workspace);
    else run_tables(r, in, out, workspace);
}
