/*
 * Writes src/tensor/vector_tables.inc, the numbers of nigh's vector functions:
 *
 *     vector_tables > src/tensor/vector_tables.inc
 *
 * Polynomials are best ones (Remez, in quadruple precision) in the measure |error| / |f|; their coefficients are rounded to f32 one after the
 * other, lowest first, and what remains is fitted again after each. Where a table holds f(a) beside a, the place a is chosen near the middle
 * of its piece so that f(a) is all but a number of the type: S. Gal and B. Bachelis, "An accurate elementary mathematical library for the IEEE
 * floating point standard". Worst errors in f64 arithmetic go to standard error, in ulp of f32.
 */
#include "core/expr.h"
#include "function/remez.h"
#include "nigh/core.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef nigh_f128 real;
typedef real function(real x);

static real exp_of(real x) { return expf128(x); }
static real log1p_of(real x) { return log1pf128(x); }
static real tanh_of(real x) { return tanhf128(x); }
static real erf_of(real x) { return erff128(x); }
static real sin_of(real x) { return sinf128(x); }
static real cos_of(real x) { return cosf128(x); }

static nigh_context *ctx;

static double ulp(double y) { return ldexp(1, fmax(ilogb(y), -126) - 23); }

/* f(a + v) = sum_k c[k] v^(first + k step) [+ v^one], its coefficients c[0 .. n - 1]; `fixed` of them are numbers already. */
typedef struct fit {
    function *f;
    real a, low, high;
    real constant[3]; /* of v^0, v^1, v^2, not rounded or known */
    int first, step, n, fixed;
    float c[8];
} fit;

static void residual(const void *user, real u, real *value, real *weight)
{
    const fit *p = user;
    real v = p->step == 2 ? sqrtf128(u) : u, tiny = 1e-3 * (p->high - p->low);
    if (v > -tiny && v < tiny) v = v < 0 ? -tiny : tiny;
    real f = p->f(p->a + v), rest = f, power = 1;
    for (int k = 0; k < 3; k++) rest -= p->constant[k] * powf128(v, k);
    power = powf128(v, p->first);
    for (int k = 0; k < p->fixed; k++, power *= p->step == 2 ? v * v : v) rest -= p->c[k] * power;
    *value = rest / power;
    *weight = fabsf128(power / f);
}

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, nigh_message(ctx));
    exit(2);
}

static void fit_all(fit *p)
{
    for (p->fixed = 0; p->fixed < p->n; p->fixed++) {
        real low = p->step == 2 ? p->low * p->low : p->low, high = p->step == 2 ? p->high * p->high : p->high;
        remez_problem problem = {.low = low, .high = high, .at = residual, .user = p, .smooth = true, .slack = 1e-3};
        remez_grid grid;
        real c[16], a[16], error;
        int degree = p->n - 1 - p->fixed;
        if (remez_grid_new(ctx, &problem, 60 + 12 * degree, &grid)) fail("grid");
        if (remez_polynomial(ctx, &grid, degree, c, &error, NULL)) fail("polynomial");
        remez_grid_free(ctx, &grid);
        remez_to_powers(c, degree, 2 / (high - low), -(high + low) / (high - low), a);
        p->c[p->fixed] = (float)a[0];
    }
}

/* Worst error in ulp of f32, of the numbers alone. */
static double fit_error(const fit *p)
{
    double worst = 0;
    for (int i = 0; i <= 2000; i++) {
        real v = p->low + (p->high - p->low) * i / 2000, sum = 0, power = powf128(v, p->first);
        if (v == 0 || p->a + v == 0) continue;
        for (int k = 0; k < 3; k++) sum += p->constant[k] * powf128(v, k);
        for (int k = 0; k < p->n; k++, power *= p->step == 2 ? v * v : v) sum += p->c[k] * power;
        real f = p->f(p->a + v);
        worst = fmax(worst, (double)fabsf128(sum - f) / ulp((double)f));
    }
    return worst;
}

static void print_row(const char *name, int n, const float *c)
{
    printf("    .%s = {", name);
    for (int k = 0; k < n; k++) printf("%s%s%af", k ? "," : "", k && k % 8 == 0 ? "\n        " : k ? " " : "", (double)c[k]);
    printf("},\n");
}

static void print_fit(const char *name, fit *p)
{
    fit_all(p);
    fprintf(stderr, "%-12s %.4f ulp\n", name, fit_error(p));
    print_row(name, p->n, p->c);
}

/* ---- log: 32 inverses of places in [3/4, 3/2), whose logarithms are multiples of 2^-17 ---- */

static void print_log(void)
{
    float inverse[32], value[32];
    double worst = 0, low = 0, high = 0;
    for (int i = 0; i < 32; i++) {
        double from = i < 16 ? 1 + i / 32. : .5 + i / 64., to = i < 16 ? from + 1 / 32. : from + 1 / 64.;
        bool beside_one = i < 2 || i >= 30; /* there r is x - 1, exactly */
        double best = 1, width = to - from, middle = (from + to) / 2;
        inverse[i] = 1, value[i] = 0;
        for (float r = (float)(1 / (middle + width / 8)); !beside_one && r < 1 / (middle - width / 8); r = nextafterf(r, 2)) {
            real f = -logf128(r), grid = floorf128(f * 131072 + .5) / 131072;
            double off = (double)fabsf128(f - grid);
            if (off < best) best = off, inverse[i] = r, value[i] = (float)grid;
        }
        if (!beside_one) worst = fmax(worst, best);
        low = fmin(low, from * inverse[i] - 1), high = fmax(high, to * inverse[i] - 1);
    }
    fprintf(stderr, "log          places off by %.2f x 2^-32, r in [%.5f, %.5f]\n", ldexp(worst, 32), low, high);
    print_row("log_inverse", 32, inverse);
    print_row("log_value", 32, value);
    fit p = {.f = log1p_of, .low = low, .high = high, .constant = {0, 1}, .first = 2, .step = 1, .n = 4};
    print_fit("log_p", &p);
    real ln2 = logf128(2), up = floorf128(ln2 * 131072) / 131072;
    float parts[2] = {(float)up, (float)(ln2 - up)};
    print_row("log_two", 2, parts);
}

/* ---- sin and cos on [-pi/4, pi/4] ---- */

/* x to `bits` bits. */
static float shortened(real x, int bits)
{
    real unit = exp2(ilogb((double)x) + 1 - bits);
    return (float)(floorf128(x / unit + .5) * unit);
}

static void print_circle(void)
{
    double end = 1.001 * M_PI / 4;
    fit s = {.f = sin_of, .low = 1e-4, .high = end, .constant = {0, 1}, .first = 3, .step = 2, .n = 3};
    print_fit("sin_p", &s);
    fit c = {.f = cos_of, .low = 1e-4, .high = end, .constant = {1}, .first = 2, .step = 2, .n = 4};
    print_fit("cos_p", &c);
    /* pi/2 for a multiple counted in 2^-22: products of the second number with multiples below 2^11 are exact. */
    real unit = PI_Q / 2;
    float parts[4];
    parts[0] = (float)unit, parts[1] = shortened(unit - parts[0], 13), parts[2] = (float)(unit - parts[0] - parts[1]), parts[3] = (float)(1 / unit);
    for (int k = 0; k < 3; k++) parts[k] = ldexpf(parts[k], 22);
    parts[3] = ldexpf(parts[3], -22);
    print_row("turn", 4, parts);
}

/* ---- tanh and erf: four pieces a binade, eight binades, chosen by five bits of |x| ---- */

/* A place near the middle of [from, to] where f is all but a number. */
static float place(function *f, double from, double to)
{
    float best = 0;
    double least = 2;
    for (int j = -2000; j <= 2000; j++) {
        float x = (float)((from + to) / 2 + (to - from) * j / 32000);
        real y = f(x);
        double off = (double)fabsf128(y - (float)y) / ulp((double)y);
        if (off < least) least = off, best = x;
    }
    return best;
}

static void print_pieces(const char *name, function *f, int lowest, int degree)
{
    float at[32], c[9][32];
    char row[32];
    double worst = 0;
    memset(c, 0, sizeof c);
    for (int i = 0; i < 32; i++) {
        double binade = ldexp(1, lowest + i / 4), from = binade * (1 + i % 4 / 4.), to = from + binade / 4;
        int slot = ((lowest + 127 + i / 4) & 7) * 4 + i % 4;
        fit p = {.f = f, .first = 1, .step = 1, .n = degree};
        if (i == 0) {
            fit odd = {.f = f, .low = 1e-4, .high = to, .constant = {0, 1}, .first = 1, .step = 2, .n = (degree + 1) / 2};
            fit_all(&odd);
            worst = fmax(worst, fit_error(&odd));
            for (int k = 0; k < odd.n; k++) c[1 + 2 * k][slot] = odd.c[k];
            at[slot] = 0;
            continue;
        }
        at[slot] = place(f, from, to);
        c[0][slot] = (float)f(at[slot]);
        if ((float)f(from) < 1) {
            p.a = at[slot], p.low = from - at[slot], p.high = to - at[slot], p.constant[0] = c[0][slot];
            fit_all(&p);
            double error = fit_error(&p);
            if (error > .05) fprintf(stderr, "  %g..%g: %.3f ulp\n", from, to, error);
            worst = fmax(worst, error);
            for (int k = 0; k < degree; k++) c[k + 1][slot] = p.c[k];
        }
    }
    fprintf(stderr, "%-12s %.4f ulp\n", name, worst);
    snprintf(row, sizeof row, "%s_at", name);
    print_row(row, 32, at);
    for (int k = 0; k <= degree; k++) {
        snprintf(row, sizeof row, "%s_c[%d]", name, k);
        print_row(row, 32, c[k]);
    }
}

/* ---- sin and cos with places k pi/16 ---- */

/* Times the number at place 1 it is all but a multiple of 2^-27: results there, down to half of it, lose nothing in the sum. */
static const float sine_scale = 0x1.98462ep-3f;
static float sine_fifth;

static real sine_without_fifth(real x) { return sinf128(x) - sine_fifth * powf128(x, 5); }
static real cosine_drop(real x) { return 1 - cosf128(x); }

/*
 * 1 - cos r = (q + a r^2) / scale with q = 1 - sin(r)/r = r^2 (p[0] + p[1] r^2): near 1/5 the scale makes the terms of r^4 agree.
 * Place 0 has -0, so that sin(-0) = -0.
 */
static void print_sine(void)
{
    double end = 1.01 * M_PI / 32;
    fit c = {.f = cosine_drop, .low = 1e-4, .high = end, .first = 2, .step = 2, .n = 2};
    fit_all(&c);
    sine_fifth = -(float)(sine_scale * c.c[1]);
    fit s = {.f = sine_without_fifth, .low = 1e-4, .high = end, .constant = {0, 1}, .first = 3, .step = 2, .n = 1};
    fit_all(&s);
    float p[3] = {-s.c[0], -sine_fifth, (float)(sine_scale * (real)c.c[0] + s.c[0])};
    print_row("sine_q", 3, p);
    real unit = PI_Q / 16;
    /* Multiples are counted in 2^-9. */
    float parts[4] = {ldexpf((float)unit, 9), ldexpf((float)(unit - (float)unit), 9), ldexpf((float)(1 / unit), -9), sine_scale};
    print_row("sine_turn", 4, parts);
    float at[64], rest[64], slope[64];
    for (int k = 0; k < 64; k++) {
        at[k] = k % 16 ? (float)(sinf128(k * unit) / sine_scale) : -0.f;
        rest[k] = k % 16 ? (float)(sinf128(k * unit) - (real)at[k] * sine_scale) : 0;
        slope[k] = k % 16 == 8 ? 0 : (float)cosf128(k * unit);
    }
    print_row("sin_at", 32, at), print_row("sin_rest", 32, rest), print_row("sin_slope", 32, slope);
    print_row("cos_at", 32, at + 8), print_row("cos_rest", 32, rest + 8), print_row("cos_slope", 32, slope + 8);
}

int main(void)
{
    if (nigh_context_new(&ctx)) return 3;
    printf("/* Written by bench/vector_tables.c; do not edit. */\nconst vector_tables vector_numbers = {\n");
    fit e = {.f = exp_of, .low = -.34665, .high = .34665, .constant = {1, 1}, .first = 2, .step = 1, .n = 5};
    print_fit("exp_p", &e);
    real log2e = 1 / logf128(2), ln2 = logf128(2);
    float parts[3] = {(float)log2e, (float)ln2, (float)(ln2 - (float)ln2)};
    print_row("exp_two", 3, parts);
    print_log();
    print_circle();
    print_sine();
    print_pieces("tanh", tanh_of, -4, 5);
    print_pieces("erf", erf_of, -5, 6);
    printf("};\n");
    nigh_context_free(ctx);
    return 0;
}
