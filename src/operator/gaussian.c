/*
 * Gaussian random fields; declared in nigh/pde.h. Coefficients are drawn in shells max(k, l) = 0, 1, 2, ... so that a coarser grid takes the first of those of a finer one.
 */
#include "nigh/fft.h"
#include "nigh/pde.h"

#include <math.h>
#include <string.h>

enum { ALIGN = 64, MOST_POINTS = 1 << 14 };

struct nigh_gaussian_field {
    nigh_context *ctx;
    nigh_gaussian spec;
    int64_t n, inner, half;  /* points, those that are transformed, coefficients of the last dimension of a circle */
    int64_t count;           /* normal numbers a field */
    double *size;            /* of each, in the order in which they are drawn */
    nigh_fft *fft;
};

static size_t aligned(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

/* Standard deviation of the coefficient of the eigenfunction with these numbers of waves. */
static double deviation(const nigh_gaussian *s, double k, double l)
{
    double wave = s->grid == NIGH_GRID_PERIODIC ? 2 * M_PI : M_PI;
    return sqrt(s->scale * pow(wave * wave * (k * k + l * l) + s->shift, -s->power));
}

/* ---- the order of drawing ------------------------------------------------------------------------------ */

/* What is done with a coefficient: number k of dimension 0 and l of the last; signed on circles. */
typedef void visit_fn(void *user, int64_t k, int64_t l);

/* Cosines from 0, sines from 1: shells of the quadrant; of one dimension the numbers themselves. */
static void visit_quadrant(int dims, int64_t first, int64_t end, visit_fn *visit, void *user)
{
    for (int64_t m = first; m < end; m++) {
        if (dims == 1) visit(user, 0, m);
        for (int64_t l = first; l <= m && dims == 2; l++) visit(user, m, l);
        for (int64_t k = first; k < m && dims == 2; k++) visit(user, k, m);
    }
}

/* Half of the plane, the other one are conjugates: l > 0, or l = 0 and k >= 0. */
static void visit_circles(int dims, int64_t n, visit_fn *visit, void *user)
{
    visit(user, 0, 0);
    for (int64_t m = 1; 2 * m < n; m++) {
        if (dims == 2) visit(user, m, 0);
        for (int64_t l = 1; l < m && dims == 2; l++) visit(user, -m, l), visit(user, m, l);
        for (int64_t k = -m; k <= m && dims == 2; k++) visit(user, k, m);
        if (dims == 1) visit(user, 0, m);
    }
}

static void visit_all(const nigh_gaussian_field *f, visit_fn *visit, void *user)
{
    if (f->spec.grid == NIGH_GRID_PERIODIC) visit_circles(f->spec.dims, f->n, visit, user);
    else if (f->spec.grid == NIGH_GRID_CELL) visit_quadrant(f->spec.dims, 0, f->n, visit, user);
    else visit_quadrant(f->spec.dims, 1, f->n - 1, visit, user);
}

static void measure(void *user, int64_t k, int64_t l)
{
    nigh_gaussian_field *f = user;
    if (f->size) f->size[f->count] = deviation(&f->spec, (double)k, (double)l);
    f->count++;
}

/* ---- the field ----------------------------------------------------------------------------------------- */

static nigh_status check(nigh_context *ctx, const nigh_gaussian *s, int64_t n)
{
    if (s->dims < 1 || s->dims > 2) return nigh_fail(ctx, NIGH_INVALID, "a Gaussian field of %d dimensions; 1 or 2 are allowed", s->dims);
    if (s->grid < NIGH_GRID_CELL || s->grid > NIGH_GRID_PERIODIC) return nigh_fail(ctx, NIGH_INVALID, "a Gaussian field needs a grid of cells, nodes or a periodic one");
    if (!(s->scale > 0) || !(s->shift > 0) || !(2 * s->power > s->dims) || !isfinite(s->scale) || !isfinite(s->shift) || !isfinite(s->power))
        return nigh_fail(ctx, NIGH_INVALID, "covariance %g (-Laplace + %g)^-%g; scale and shift must be positive and the power above %g", s->scale, s->shift, s->power, 0.5 * s->dims);
    int64_t least = s->grid == NIGH_GRID_NODE ? 3 : 1;
    if (n < least || n > MOST_POINTS) return nigh_fail(ctx, NIGH_INVALID, "a Gaussian field on %lld points; %lld to %d are allowed", (long long)n, (long long)least, MOST_POINTS);
    return NIGH_OK;
}

static nigh_status make_transform(nigh_context *ctx, nigh_gaussian_field *f)
{
    static const nigh_fft_kind kinds[] = {[NIGH_GRID_CELL] = NIGH_FFT_DCT3, [NIGH_GRID_NODE] = NIGH_FFT_DST1, [NIGH_GRID_PERIODIC] = NIGH_FFT_REAL};
    int64_t n[2] = {f->inner, f->inner};
    nigh_fft_spec spec = nigh_fft_channels_last(kinds[f->spec.grid], NIGH_F64, f->spec.grid == NIGH_GRID_PERIODIC, 1, f->spec.dims, n, 1);
    spec.norm = NIGH_FFT_RAW, spec.engine = NIGH_FFT_OWN; /* whose bits do not depend on where `out` begins */
    return nigh_fft_new(ctx, &spec, 1, &f->fft);
}

nigh_status nigh_gaussian_field_new(nigh_context *ctx, const nigh_gaussian *spec, int64_t n, nigh_gaussian_field **out)
{
    nigh_status status = check(ctx, spec, n);
    if (status) return status;
    nigh_gaussian_field *f = nigh_alloc_zero(ctx, 1, sizeof *f);
    if (!f) return NIGH_MEMORY;
    *f = (nigh_gaussian_field){.ctx = ctx, .spec = *spec, .n = n, .inner = spec->grid == NIGH_GRID_NODE ? n - 2 : n, .half = n / 2 + 1};
    visit_all(f, measure, f);
    f->size = nigh_alloc(ctx, (size_t)f->count * sizeof *f->size);
    if (!f->size) {
        nigh_free(ctx, f);
        return NIGH_MEMORY;
    }
    f->count = 0;
    visit_all(f, measure, f);
    status = make_transform(ctx, f);
    if (status) nigh_gaussian_field_free(f);
    else *out = f;
    return status;
}

void nigh_gaussian_field_free(nigh_gaussian_field *f)
{
    if (!f) return;
    nigh_fft_free(f->fft);
    nigh_free(f->ctx, f->size);
    nigh_free(f->ctx, f);
}

static int64_t square(const nigh_gaussian_field *f, int64_t n) { return f->spec.dims == 2 ? n * n : n; }

/* Numbers of the array of coefficients. */
static int64_t spectrum_count(const nigh_gaussian_field *f)
{
    if (f->spec.grid != NIGH_GRID_PERIODIC) return square(f, f->inner);
    return 2 * f->half * (f->spec.dims == 2 ? f->n : 1);
}

size_t nigh_gaussian_field_workspace(const nigh_gaussian_field *f)
{
    return aligned((size_t)spectrum_count(f) * sizeof(double)) + aligned((size_t)square(f, f->inner) * sizeof(double)) + aligned(nigh_fft_workspace(f->fft));
}

typedef struct drawing {
    const nigh_gaussian_field *field;
    nigh_rng *rng;
    int64_t at;
    double *spectrum;
} drawing;

/* Of a circle: c exp(2 pi i k x) and its conjugate, which the real transform adds where l > 0. */
static void draw_circle(void *user, int64_t k, int64_t l)
{
    drawing *d = user;
    const nigh_gaussian_field *f = d->field;
    double size = f->size[d->at++], *c = d->spectrum + 2 * ((k < 0 ? k + f->n : k) * (f->spec.dims == 2 ? f->half : 0) + l);
    if (k == 0 && l == 0) {
        c[0] = size * nigh_rng_normal(d->rng);
        return;
    }
    double a = nigh_rng_normal(d->rng), b = nigh_rng_normal(d->rng);
    c[0] = size * a * M_SQRT1_2, c[1] = -size * b * M_SQRT1_2;
    if (l == 0) {
        double *conjugate = d->spectrum + 2 * (f->n - k) * f->half;
        conjugate[0] = c[0], conjugate[1] = -c[1];
    }
}

/* Transforms double what is not the constant; orthonormal functions have a factor sqrt(2) there. */
static void draw_quadrant(void *user, int64_t k, int64_t l)
{
    drawing *d = user;
    const nigh_gaussian_field *f = d->field;
    int64_t first = f->spec.grid == NIGH_GRID_NODE;
    double factor = (l ? M_SQRT1_2 : 1) * (k ? M_SQRT1_2 : 1);
    d->spectrum[(f->spec.dims == 2 ? (k - first) * f->inner : 0) + l - first] = factor * f->size[d->at++] * nigh_rng_normal(d->rng);
}

void nigh_gaussian_field_draw(const nigh_gaussian_field *f, nigh_rng *rng, double *out, void *workspace)
{
    double *spectrum = workspace, *inside = (double *)((char *)workspace + aligned((size_t)spectrum_count(f) * sizeof(double)));
    void *rest = (char *)inside + aligned((size_t)square(f, f->inner) * sizeof(double));
    memset(spectrum, 0, (size_t)spectrum_count(f) * sizeof *spectrum);
    drawing d = {f, rng, 0, spectrum};
    visit_all(f, f->spec.grid == NIGH_GRID_PERIODIC ? draw_circle : draw_quadrant, &d);
    if (f->inner == f->n) {
        nigh_fft_run(f->fft, spectrum, out, rest);
        return;
    }
    nigh_fft_run(f->fft, spectrum, inside, rest);
    memset(out, 0, (size_t)square(f, f->n) * sizeof *out);
    int64_t rows = f->spec.dims == 2 ? f->inner : 1;
    for (int64_t i = 0; i < rows; i++) memcpy(out + (f->spec.dims == 2 ? (i + 1) * f->n : 0) + 1, inside + i * f->inner, (size_t)f->inner * sizeof *out);
}

/* Sums of the first and the integral over the rest. */
double nigh_gaussian_variance(const nigh_gaussian *s)
{
    enum { LINE = 20000, PLANE = 400 };
    bool circle = s->grid == NIGH_GRID_PERIODIC;
    double wave = circle ? 2 * M_PI : M_PI, sum = 0, p = s->power;
    int64_t first = s->grid == NIGH_GRID_NODE, most = s->dims == 2 ? PLANE : LINE;
    for (int64_t k = s->dims == 2 ? first : 0; k <= (s->dims == 2 ? most : 0); k++)
        for (int64_t l = first; l <= most; l++) {
            double d = deviation(s, (double)k, (double)l);
            sum += d * d * (circle ? (l ? 2 : 1) * (k ? 2 : 1) : 1);
        }
    double edge = (double)most + 0.5;
    if (s->dims == 1) return sum + s->scale * pow(wave, -2 * p) * pow(edge, 1 - 2 * p) / (2 * p - 1) * (circle ? 2 : 1);
    double outside = 0; /* of the square's quadrant: over the angle, the radius from its edge on */
    for (int i = 0; i < 64; i++) outside += M_PI / 2 / 64 * pow(edge / fmax(cos((i + 0.5) * M_PI / 128), sin((i + 0.5) * M_PI / 128)), 2 - 2 * p) / (2 * p - 2);
    return sum + s->scale * pow(wave, -2 * p) * outside * (circle ? 4 : 1);
}
