/* elementwise: every operator at every CPU level against long double references, special values, cuts of the array, results on top of inputs. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/elementwise.h"

#include <complex.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef long double real;

static real sigmoid_of(real x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
static real phi_of(real x) { return expl(-x * x / 2) / sqrtl(2 * acosl(-1)); }
static real below_of(real x) { return erfcl(-x / sqrtl(2)) / 2; }

static real reference(elementwise_id id, const real *a, const double *p)
{
    real x = a[0];
    switch (id) {
    case ELEMENTWISE_COPY: return x;
    case ELEMENTWISE_NEG: return -x;
    case ELEMENTWISE_ABS: return fabsl(x);
    case ELEMENTWISE_SIGN: return x < 0 ? -1 : x > 0 ? 1 : x;
    case ELEMENTWISE_SQUARE: return x * x;
    case ELEMENTWISE_SQRT: return sqrtl(x);
    case ELEMENTWISE_RSQRT: return 1 / sqrtl(x);
    case ELEMENTWISE_RECIPROCAL: return 1 / x;
    case ELEMENTWISE_EXP: return expl(x);
    case ELEMENTWISE_EXPM1: return expm1l(x);
    case ELEMENTWISE_LOG: return logl(x);
    case ELEMENTWISE_LOG1P: return log1pl(x);
    case ELEMENTWISE_SIN: return sinl(x);
    case ELEMENTWISE_COS: return cosl(x);
    case ELEMENTWISE_TANH: return tanhl(x);
    case ELEMENTWISE_SIGMOID: return sigmoid_of(x);
    case ELEMENTWISE_SOFTPLUS: return (fmaxl(p[0] * x, 0) + log1pl(expl(-fabsl(p[0] * x))) + (isnan(x) ? x : 0)) / p[0];
    case ELEMENTWISE_SILU: return x < -12000 ? -0.0L : x * sigmoid_of(x);
    case ELEMENTWISE_SILU_SLOPE: return fabsl(x) > 11000 ? x > 0 : sigmoid_of(x) * (1 + x * sigmoid_of(-x));
    case ELEMENTWISE_GELU: return x < -140 ? -0.0L : x * below_of(x);
    case ELEMENTWISE_GELU_SLOPE: return fabsl(x) > 140 ? x > 0 : below_of(x) + x * phi_of(x);
    case ELEMENTWISE_ERF: return erfl(x);
    case ELEMENTWISE_RELU: return x > 0 || isnan(x) ? x : copysignl(0, x);
    case ELEMENTWISE_LEAKY: return x > 0 ? x : p[0] * x;
    case ELEMENTWISE_STEP: return x > 0 ? 1 : (real)p[0];
    case ELEMENTWISE_ROUND: return rintl(x);
    case ELEMENTWISE_FLOOR: return floorl(x);
    case ELEMENTWISE_AFFINE: return p[0] * x + p[1];
    case ELEMENTWISE_POW: return powl(x, p[0]);
    case ELEMENTWISE_CLAMP: return x < p[0] ? (real)p[0] : x > p[1] ? (real)p[1] : x;
    case ELEMENTWISE_INSIDE: return x >= p[0] && x <= p[1];
    case ELEMENTWISE_ADD: return x + a[1];
    case ELEMENTWISE_SUB: return x - a[1];
    case ELEMENTWISE_MUL: return x * a[1];
    case ELEMENTWISE_DIV: return x / a[1];
    case ELEMENTWISE_MIN: return isnan(x) || x < a[1] ? x : a[1];
    case ELEMENTWISE_MAX: return isnan(x) || x > a[1] ? x : a[1];
    case ELEMENTWISE_GREATER: return x > a[1];
    case ELEMENTWISE_GREATER_EQUAL: return x >= a[1];
    case ELEMENTWISE_EQUAL: return x == a[1];
    case ELEMENTWISE_WHERE: return x != 0 ? a[1] : a[2];
    case ELEMENTWISE_FMA: return x * a[1] + a[2];
    default: return NAN;
    }
}

/* Allowed error in ulp, f32 and f64; `natural`: a size below which the error counts as if the value had it (beside zeros inside the range). */
static void allowed(elementwise_id id, double *single, double *twice, double *natural)
{
    *natural = 0;
    *single = .502, *twice = .502;
    switch (id) {
    case ELEMENTWISE_RSQRT: *single = *twice = 1.5; break;
    case ELEMENTWISE_EXP: case ELEMENTWISE_LOG: case ELEMENTWISE_TANH: case ELEMENTWISE_ERF: *single = 1, *twice = id == ELEMENTWISE_TANH ? 2.6 : 1.5; break;
    case ELEMENTWISE_SIN: case ELEMENTWISE_COS: *single = 1, *twice = 1; break;
    case ELEMENTWISE_EXPM1: case ELEMENTWISE_LOG1P: *single = *twice = 1.8; break;
    case ELEMENTWISE_SIGMOID: *single = *twice = 2.2; break;
    case ELEMENTWISE_SOFTPLUS: *single = *twice = 2.5; break;
    case ELEMENTWISE_SILU: *single = *twice = 2.5; break;
    case ELEMENTWISE_SILU_SLOPE: *single = *twice = 4.6, *natural = .1; break;
    case ELEMENTWISE_GELU: *single = 3.3, *twice = 2000; break;
    case ELEMENTWISE_GELU_SLOPE: *single = 3, *twice = 2000, *natural = .1; break;
    case ELEMENTWISE_AFFINE: case ELEMENTWISE_FMA: *natural = 1; break;
    case ELEMENTWISE_POW: *single = .51, *twice = 1; break;
    default: break;
    }
}

static double worst[ELEMENTWISE_COUNT][2];

/* Of y beside the exact f, in ulp of the type; INFINITY for a wrong special value. */
static double error_of(real f, double y, bool single, double natural)
{
    int digits = single ? 24 : 53, least = single ? -126 : -1022;
    real most = single ? FLT_MAX : DBL_MAX;
    if (isnan(f)) return isnan(y) ? 0 : INFINITY;
    if (fabsl(f) > most && (isinf(y) || fabs(y) >= (double)most)) return (f > 0) == (y > 0) ? 0 : INFINITY;
    if (isinf(y) && (fabsl(f) < most * (1 - 0x1p-20L))) return INFINITY;
    if (isinf(y)) return 1;
    if (f == 0 && y == 0) return 0;
    real size = fmaxl(fabsl(f), natural);
    int exponent = size == 0 || ilogbl(size) < least ? least : ilogbl(size);
    return (double)(fabsl(y - f) / ldexpl(1, exponent - digits + 1));
}

enum { BLOCK = 1000 };
static const double special[] = {0, -0., 1, -1, INFINITY, -INFINITY, NAN, 0x1p-149, -0x1p-149, 0x1p-126, 0x1.fffffep127, -0x1.fffffep127, .5, 2, -2, 1.5,
                                 2.5, -.5, 88.7, 89, -87.5, -88.5, -100, -103.9, 104, 709.7, -708, -745, 746, 1e-8, -1e-8, 0x1p23, 0x1p24, 1e10, -1e10, -13.2, 14.6, -38,
                                 -.7518, -1.27846, 0x1p-24, -0x1p-24, 0x1.8p-1, 0x1.7fffffp0, 3e38, -3e-39, 16, -16};
enum { SPECIALS = sizeof special / sizeof special[0] };

static void fill(nigh_rng *rng, int kind, bool single, int n, double *x)
{
    for (int i = 0; i < n; i++) {
        double z = nigh_rng_normal(rng);
        switch (kind) {
        case 0: x[i] = z; break;
        case 1: x[i] = 10 * z; break;
        case 2: x[i] = ldexp(z, (int)nigh_rng_below(rng, single ? 250 : 2000) - (single ? 130 : 1000)); break;
        case 3: x[i] = 1 + ldexp(z, -(int)nigh_rng_below(rng, 30)); break;
        case 4: x[i] = ldexp(z, -(int)nigh_rng_below(rng, 40)); break;
        case 5: x[i] = (single ? 1 : 8) * 50 * z; break;
        default: x[i] = special[(i * 7 + (int)nigh_rng_below(rng, SPECIALS)) % SPECIALS];
        }
        if (single) x[i] = (float)x[i];
    }
}

static const double parameters[][2] = {{.5, 1.25}, {1, 2}, {2, -.5}, {-1, 1}, {.25, 3}, {3, 4}, {-2.5, .5}, {0, 1}};

static void check(elementwise_id id, bool single, int kind, uint64_t seed)
{
    static double x[3][BLOCK];
    static float f[3][BLOCK], yf[3][BLOCK];
    static double y[3][BLOCK];
    double p[2] = {parameters[seed % 8][0], parameters[seed % 8][1]}, limit[2], natural;
    if (id == ELEMENTWISE_SOFTPLUS) p[0] = seed % 2 ? 1 : .5;
    if (id == ELEMENTWISE_STEP || id == ELEMENTWISE_LEAKY) p[0] = .25;
    if (id == ELEMENTWISE_CLAMP) p[0] = -1, p[1] = 1.5;
    allowed(id, &limit[0], &limit[1], &natural);
    nigh_rng rng = nigh_rng_new(seed, (uint64_t)id);
    for (int k = 0; k < 3; k++) {
        fill(&rng, k == 0 || kind == 6 ? kind : kind % 3, single, BLOCK, x[k]);
        for (int i = 0; i < BLOCK; i++) f[k][i] = (float)x[k][i];
    }
    const void *in[3];
    for (int k = 0; k < 3; k++) in[k] = single ? (void *)f[k] : (void *)x[k];
    for (int level = 0; level <= (int)nigh_cpu(); level++) {
        elementwise_kernel *kernel = elementwise_at((nigh_cpu_level)level, single ? NIGH_F32 : NIGH_F64, id);
        assert_non_null(kernel);
        kernel(BLOCK - 3, in, p, single ? (void *)yf[level] : (void *)y[level]);
        for (int i = 0; i < BLOCK - 3; i++) {
            real a[3] = {x[0][i], x[1][i], x[2][i]}, exact = reference(id, a, p);
            double got = single ? yf[level][i] : y[level][i], error = error_of(exact, got, single, natural);
            double first = single ? yf[0][i] : y[0][i];
            if ((id == ELEMENTWISE_AFFINE || id == ELEMENTWISE_FMA) && isfinite(error)) { /* one rounding; long double has its own */
                real b = id == ELEMENTWISE_FMA ? a[1] : (real)p[0], c = id == ELEMENTWISE_FMA ? a[2] : (real)p[1];
                error = got == (single ? fmaf((float)x[0][i], (float)b, (float)c) : fma(x[0][i], (double)b, (double)c)) ? 0 : isnan(got) ? 0 : 9;
            }
            if (error > worst[id][!single]) worst[id][!single] = error;
            if (!(error <= limit[!single]))
                fail_msg("%s of %a %a %a with %g %g is %a, not %La: %g ulp, %s", elementwise_name(id), x[0][i], x[1][i], x[2][i], p[0], p[1], got, exact, error,
                         nigh_cpu_level_name((nigh_cpu_level)level));
            if (got != first && !isnan(got)) fail_msg("%s of %a (%a) differs at %s: %a, %a", elementwise_name(id), x[0][i], x[1][i], nigh_cpu_level_name((nigh_cpu_level)level), got, first);
            if (got == 0 && signbit(got) != signbit(first)) fail_msg("%s of %a: sign of zero at %s", elementwise_name(id), x[0][i], nigh_cpu_level_name((nigh_cpu_level)level));
        }
    }
}

static void test_reals(void **state)
{
    for (int id = 0; id < ELEMENTWISE_COUNT; id++)
        for (int single = 0; single < 2; single++)
            for (int kind = 0; kind < 7; kind++)
                for (uint64_t seed = 0; seed < 8; seed++) check((elementwise_id)id, single, kind, seed);
    if (getenv("NIGH_TEST_VERBOSE"))
        for (int id = 0; id < ELEMENTWISE_COUNT; id++) print_message("%-14s %.3f ulp f32  %.3f ulp f64\n", elementwise_name((elementwise_id)id), worst[id][0], worst[id][1]);
}

/* Every length and offset gives the bits of the whole; results may lie on the first input. */
static void test_cuts(void **state)
{
    enum { N = 200 };
    static const nigh_dtype types[] = {NIGH_F32, NIGH_F64, NIGH_C64, NIGH_C128, NIGH_I32, NIGH_I64};
    for (int t = 0; t < 6; t++)
        for (int id = 0; id < ELEMENTWISE_COUNT; id++)
            for (int level = 0; level <= (int)nigh_cpu(); level++) {
                elementwise_kernel *kernel = elementwise_at((nigh_cpu_level)level, types[t], (elementwise_id)id);
                if (!kernel) continue;
                size_t size = nigh_dtype_size(types[t]);
                static unsigned char in[3][16 * N], whole[16 * N], part[16 * N + 16];
                nigh_rng rng = nigh_rng_new(9, (uint64_t)id);
                for (int k = 0; k < 3; k++)
                    for (int i = 0; i < N * (int)size / 4; i++) {
                        double z = nigh_rng_normal(&rng);
                        if (t == 0 || t == 2) ((float *)in[k])[i] = (float)z;
                        else if (t == 1 || t == 3) { if (i < N * (int)size / 8) ((double *)in[k])[i] = z; }
                        else ((int32_t *)in[k])[i] = (int32_t)(z * 100);
                    }
                const double p[2] = {.5, 2};
                const void *from[3] = {in[0], in[1], in[2]};
                kernel(N, from, p, whole);
                for (int first = 0; first < 3; first++)
                    for (int n = 0; n < 70; n += n < 20 ? 1 : 7) {
                        const void *at[3] = {in[0] + (size_t)first * size, in[1] + (size_t)first * size, in[2] + (size_t)first * size};
                        memset(part, 0x55, sizeof part);
                        kernel(n, at, p, part);
                        assert_memory_equal(part, whole + (size_t)first * size, (size_t)n * size);
                        for (int i = 0; i < 16; i++) assert_int_equal(part[(size_t)n * size + (size_t)i], 0x55);
                        for (int place = 0; place < elementwise_inputs((elementwise_id)id); place++) {
                            const void *mixed[3] = {at[0], at[1], at[2]};
                            memcpy(part, at[place], (size_t)n * size);
                            mixed[place] = part;
                            kernel(n, mixed, p, part);
                            assert_memory_equal(part, whole + (size_t)first * size, (size_t)n * size);
                        }
                    }
            }
}

static void test_complex(void **state)
{
    enum { N = 37 };
    for (int level = 0; level <= (int)nigh_cpu(); level++)
        for (int id = 0; id < ELEMENTWISE_COUNT; id++)
            for (int single = 0; single < 2; single++) {
                elementwise_kernel *kernel = elementwise_at((nigh_cpu_level)level, single ? NIGH_C64 : NIGH_C128, (elementwise_id)id);
                bool has = id == ELEMENTWISE_COPY || id == ELEMENTWISE_NEG || id == ELEMENTWISE_AFFINE || id == ELEMENTWISE_SQUARE || id == ELEMENTWISE_RECIPROCAL ||
                           id == ELEMENTWISE_EXP || id == ELEMENTWISE_ADD || id == ELEMENTWISE_SUB || id == ELEMENTWISE_MUL || id == ELEMENTWISE_DIV || id == ELEMENTWISE_FMA;
                assert_int_equal(kernel != NULL, has);
                if (!has) continue;
                nigh_rng rng = nigh_rng_new(4, (uint64_t)id);
                double _Complex a[3][N], y[N];
                float _Complex f[3][N], yf[N];
                for (int k = 0; k < 3; k++)
                    for (int i = 0; i < N; i++) {
                        double re = nigh_rng_normal(&rng), im = nigh_rng_normal(&rng);
                        f[k][i] = (float _Complex)(re + im * I);
                        a[k][i] = single ? (double _Complex)f[k][i] : re + im * I;
                    }
                const void *in[3] = {single ? (void *)f[0] : a[0], single ? (void *)f[1] : a[1], single ? (void *)f[2] : a[2]};
                const double p[2] = {1.5, -.25};
                kernel(N, in, p, single ? (void *)yf : y);
                for (int i = 0; i < N; i++) {
                    double _Complex u = a[0][i], v = a[1][i], w = a[2][i], got = single ? (double _Complex)yf[i] : y[i], exact;
                    exact = id == ELEMENTWISE_COPY ? u : id == ELEMENTWISE_NEG ? -u : id == ELEMENTWISE_AFFINE ? 1.5 * u - .25 : id == ELEMENTWISE_SQUARE ? u * u
                          : id == ELEMENTWISE_RECIPROCAL ? 1 / u : id == ELEMENTWISE_EXP ? cexp(u) : id == ELEMENTWISE_ADD ? u + v : id == ELEMENTWISE_SUB ? u - v
                          : id == ELEMENTWISE_MUL ? u * v : id == ELEMENTWISE_DIV ? u / v : u * v + w;
                    double size = cabs(u) * cabs(v) + cabs(w) + cabs(exact);
                    if (!(cabs(got - exact) <= size * (single ? 3e-7 : 6e-16))) fail_msg("%s: %g %g for %g %g", elementwise_name((elementwise_id)id), creal(got), cimag(got), creal(exact), cimag(exact));
                }
            }
    const float huge[4] = {1e30f, 1e30f, 1e30f, -1e30f};
    float y[2];
    const void *in[2] = {huge, huge + 2};
    elementwise_find(NIGH_C64, ELEMENTWISE_DIV)(1, in, NULL, y);
    assert_true(fabsf(y[0]) < 1e-6f && fabsf(y[1] - 1) < 1e-6f);
}

static void test_whole(void **state)
{
    static const int64_t a[] = {0, 1, -1, INT64_MAX, INT64_MIN, 7, 1234567, INT32_MAX, INT32_MIN, 5, -5};
    enum { N = sizeof a / sizeof a[0] };
    for (int level = 0; level <= (int)nigh_cpu(); level++)
        for (int id = 0; id < ELEMENTWISE_COUNT; id++)
            for (int wide = 0; wide < 2; wide++) {
                elementwise_kernel *kernel = elementwise_at((nigh_cpu_level)level, wide ? NIGH_I64 : NIGH_I32, (elementwise_id)id);
                if (!kernel) continue;
                int64_t x[2][N * N], y[N * N];
                int32_t x4[2][N * N], y4[N * N];
                for (int i = 0; i < N * N; i++) {
                    x[0][i] = a[i / N], x[1][i] = a[i % N];
                    x4[0][i] = (int32_t)a[i / N], x4[1][i] = (int32_t)a[i % N];
                    if (!wide) x[0][i] = x4[0][i], x[1][i] = x4[1][i];
                }
                const void *in[2] = {wide ? (void *)x[0] : x4[0], wide ? (void *)x[1] : x4[1]};
                kernel(N * N, in, NULL, wide ? (void *)y : y4);
                for (int i = 0; i < N * N; i++) {
                    int64_t u = x[0][i], v = x[1][i];
                    uint64_t r = id == ELEMENTWISE_COPY ? (uint64_t)u : id == ELEMENTWISE_NEG ? -(uint64_t)u : id == ELEMENTWISE_ADD ? (uint64_t)u + (uint64_t)v
                               : id == ELEMENTWISE_SUB ? (uint64_t)u - (uint64_t)v : id == ELEMENTWISE_MUL ? (uint64_t)u * (uint64_t)v : id == ELEMENTWISE_MIN ? (uint64_t)(u < v ? u : v)
                               : id == ELEMENTWISE_MAX ? (uint64_t)(u > v ? u : v) : id == ELEMENTWISE_EQUAL ? (uint64_t)(u == v) : (uint64_t)(u > v);
                    if (wide) assert_true(y[i] == (int64_t)r);
                    else assert_true(y4[i] == (int32_t)(uint32_t)r);
                }
            }
}

static void test_names(void **state)
{
    assert_string_equal(elementwise_name(ELEMENTWISE_GELU_SLOPE), "gelu-slope");
    assert_string_equal(elementwise_name(ELEMENTWISE_FMA), "fma");
    assert_int_equal(elementwise_inputs(ELEMENTWISE_INSIDE), 1);
    assert_int_equal(elementwise_inputs(ELEMENTWISE_EQUAL), 2);
    assert_int_equal(elementwise_inputs(ELEMENTWISE_WHERE), 3);
    assert_null(elementwise_find(NIGH_BOOL, ELEMENTWISE_ADD));
    assert_null(elementwise_find(NIGH_I32, ELEMENTWISE_EXP));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reals), cmocka_unit_test(test_cuts), cmocka_unit_test(test_complex), cmocka_unit_test(test_whole),
                                       cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
