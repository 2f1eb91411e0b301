/* Fourier, cosine and sine transforms: the definition in f64, identities, both engines, every CPU level, strided batches. */
#include "support.h"

#include "nigh/fft.h"
#include "nigh/random.h"
#include "tensor/fft_own.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

static double *random_numbers(uint64_t seed, int64_t n)
{
    double *x = malloc((size_t)(n ? n : 1) * sizeof *x);
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_rng_fill_normal(&rng, n, x);
    return x;
}

/* Runs a plan with f64 data, rounded to f32 and back where the plan wants it. */
static void run(nigh_context *ctx, const nigh_fft_spec *spec, int threads, int64_t in, const double *x, int64_t out, double *y)
{
    nigh_fft *fft;
    assert_ok(ctx, nigh_fft_new(ctx, spec, threads, &fft));
    void *work = nigh_alloc(ctx, nigh_fft_workspace(fft) + 64);
    if (spec->dtype == NIGH_F64) {
        nigh_fft_run(fft, x, y, work);
    } else {
        float *a = malloc((size_t)in * 4 + 64), *b = malloc((size_t)out * 4 + 64);
        for (int64_t i = 0; i < in; i++) a[i] = (float)x[i];
        for (int64_t i = 0; i < out; i++) b[i] = (float)y[i];
        nigh_fft_run(fft, a, b, work);
        for (int64_t i = 0; i < out; i++) y[i] = b[i];
        free(a), free(b);
    }
    nigh_free(ctx, work);
    nigh_fft_free(fft);
}

static void near_all(int64_t n, const double *a, const double *b, double relative)
{
    double scale = 1e-300, worst = 0;
    for (int64_t i = 0; i < n; i++) scale = fmax(scale, fabs(b[i]));
    for (int64_t i = 0; i < n; i++) worst = fmax(worst, fabs(a[i] - b[i]) / scale);
    if (!(worst <= relative)) fail_msg("off by %g of the largest; %g is allowed", worst, relative);
}

static double tolerance(nigh_dtype dtype)
{
    return dtype == NIGH_F32 ? 2e-6 : 2e-14;
}

static int engines(nigh_fft_engine *list)
{
    list[0] = NIGH_FFT_OWN;
#ifdef NIGH_HAVE_FFTW
    list[1] = NIGH_FFT_FFTW;
    return 2;
#else
    return 1;
#endif
}

static void definition(int64_t n, bool inverse, const double complex *x, double complex *y)
{
    for (int64_t k = 0; k < n; k++) {
        y[k] = 0;
        for (int64_t j = 0; j < n; j++) y[k] += x[j] * cexp((inverse ? 2 : -2) * pi * I * (double)(j * k % n) / (double)n);
        if (inverse) y[k] /= (double)n;
    }
}

static const int64_t sizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 15, 16, 17, 25, 30, 32, 45, 60, 61, 64, 97, 100, 128};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void test_complex(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_fft_engine list[2];
    for (int e = 0, count = engines(list); e < count; e++)
        for (int s = 0; s < SIZES; s++)
            for (int variant = 0; variant < 4; variant++) {
                int64_t n = sizes[s], columns = s % 3 == 0 ? 1 : s % 3 == 1 ? 16 : 21;
                nigh_fft_spec spec = nigh_fft_channels_last(NIGH_FFT_COMPLEX, variant & 1 ? NIGH_F32 : NIGH_F64, variant & 2, 2, 1, &n, columns);
                spec.engine = list[e];
                double *x = random_numbers(5, 4 * n * columns), *y = calloc((size_t)(4 * n * columns), 8), *z = calloc((size_t)(4 * n * columns), 8);
                double complex line[128], right[128];
                for (int64_t b = 0; b < 2; b++)
                    for (int64_t c = 0; c < columns; c++) {
                        for (int64_t j = 0; j < n; j++) line[j] = x[2 * ((b * n + j) * columns + c)] + I * x[2 * ((b * n + j) * columns + c) + 1];
                        definition(n, variant & 2, line, right);
                        for (int64_t j = 0; j < n; j++) memcpy(z + 2 * ((b * n + j) * columns + c), right + j, 16);
                    }
                run(ctx, &spec, 1, 4 * n * columns, x, 4 * n * columns, y);
                near_all(4 * n * columns, y, z, tolerance(spec.dtype));
                /* in place, rows as lines */
                spec.dim[0] = (nigh_fft_dim){n, 1, 1};
                spec.batch[0] = (nigh_fft_dim){2 * columns, n, n};
                spec.batch_dims = 1;
                run(ctx, &spec, 1, 4 * n * columns, x, 4 * n * columns, z);
                spec.in_place = true;
                if (spec.dtype == NIGH_F64) {
                    memcpy(y, x, (size_t)(4 * n * columns) * 8);
                    run(ctx, &spec, 1, 4 * n * columns, y, 4 * n * columns, y);
                    near_all(4 * n * columns, y, z, 1e-14);
                }
                free(x), free(y), free(z);
            }
    test_context_free(ctx);
}

/* Real transforms of 1 to 3 dimensions against the complex ones, back again, and Parseval's identity. */
static void test_real(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_fft_engine list[2];
    int64_t shapes[][3] = {{7, 1, 1}, {8, 1, 1}, {1, 1, 1}, {2, 3, 1}, {6, 10, 1}, {5, 7, 1}, {4, 6, 9}, {3, 5, 8}, {16, 16, 1}};
    for (int e = 0, count = engines(list); e < count; e++)
        for (int s = 0; s < 9; s++)
            for (int variant = 0; variant < 4; variant++) {
                int dims = shapes[s][2] > 1 ? 3 : shapes[s][1] > 1 ? 2 : 1;
                int64_t *n = shapes[s], points = n[0] * n[1] * n[2], channels = variant & 2 ? 35 : 1, last = n[dims - 1], half = last / 2 + 1;
                int64_t total = 2 * points * channels, halves = total / last * half;
                nigh_dtype dtype = variant & 1 ? NIGH_F32 : NIGH_F64;
                double *x = random_numbers(7, total), *wide = calloc((size_t)total, 16), *full = calloc((size_t)total, 16);
                double *y = calloc((size_t)halves, 16), *want = calloc((size_t)halves, 16), *back = calloc((size_t)total, 8), power = 0, energy = 0;
                for (int64_t i = 0; i < total; i++) wide[2 * i] = x[i], power += x[i] * x[i];
                nigh_fft_spec spec = nigh_fft_channels_last(NIGH_FFT_COMPLEX, NIGH_F64, false, 2, dims, n, channels);
                spec.engine = NIGH_FFT_OWN;
                run(ctx, &spec, 1, 2 * total, wide, 2 * total, full);
                for (int64_t i = 0; i < 2 * total; i++) energy += full[i] * full[i];
                assert_near(energy / (double)points, power, 0, 1e-12);
                for (int64_t r = 0; r < total / last / channels; r++)
                    for (int64_t k = 0; k < half; k++)
                        memcpy(want + 2 * (r * half + k) * channels, full + 2 * (r * last + k) * channels, (size_t)channels * 16);
                spec = nigh_fft_channels_last(NIGH_FFT_REAL, dtype, false, 2, dims, n, channels);
                spec.engine = list[e];
                run(ctx, &spec, 2, total, x, 2 * halves, y);
                near_all(2 * halves, y, want, tolerance(dtype));
                spec = nigh_fft_channels_last(NIGH_FFT_REAL, dtype, true, 2, dims, n, channels);
                spec.engine = list[e];
                run(ctx, &spec, 2, 2 * halves, y, total, back);
                near_all(total, back, x, tolerance(dtype));
                free(x), free(wide), free(full), free(y), free(want), free(back);
            }
    test_context_free(ctx);
}

static double cosine_sine(nigh_fft_kind kind, int64_t n, int64_t k, const double *x)
{
    double sum = 0, sign = k & 1 ? -1 : 1, a = (double)n;
    for (int64_t j = 0; j < n; j++) {
        double p = (double)j, q = (double)k;
        switch (kind) {
        case NIGH_FFT_DCT1: sum += x[j] * (j == 0 ? 1 : j == n - 1 ? sign : 2 * cos(pi * p * q / (a - 1))); break;
        case NIGH_FFT_DCT2: sum += 2 * x[j] * cos(pi * q * (2 * p + 1) / (2 * a)); break;
        case NIGH_FFT_DCT3: sum += x[j] * (j ? 2 * cos(pi * p * (2 * q + 1) / (2 * a)) : 1); break;
        case NIGH_FFT_DST1: sum += 2 * x[j] * sin(pi * (p + 1) * (q + 1) / (a + 1)); break;
        case NIGH_FFT_DST2: sum += 2 * x[j] * sin(pi * (q + 1) * (2 * p + 1) / (2 * a)); break;
        default: sum += x[j] * (j < n - 1 ? 2 * sin(pi * (p + 1) * (2 * q + 1) / (2 * a)) : sign); break;
        }
    }
    return sum;
}

static void test_cosine_and_sine(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_fft_engine list[2];
    for (int e = 0, count = engines(list); e < count; e++)
        for (nigh_fft_kind kind = NIGH_FFT_DCT1; kind <= NIGH_FFT_DST3; kind++)
            for (int s = 1; s < SIZES; s += 2)
                for (int variant = 0; variant < 2; variant++) {
                    int64_t n = sizes[s], columns = s % 4 == 1 ? 1 : 19;
                    double *x = random_numbers(9, n * columns), *y = calloc((size_t)(n * columns), 8), *z = calloc((size_t)(n * columns), 8);
                    nigh_fft_spec spec = nigh_fft_channels_last(kind, variant ? NIGH_F32 : NIGH_F64, false, 1, 1, &n, columns);
                    spec.engine = list[e];
                    run(ctx, &spec, 1, n * columns, x, n * columns, y);
                    for (int64_t c = 0; c < columns; c++) {
                        double line[128];
                        for (int64_t j = 0; j < n; j++) line[j] = x[j * columns + c];
                        for (int64_t k = 0; k < n; k++) z[k * columns + c] = cosine_sine(kind, n, k, line);
                    }
                    near_all(n * columns, y, z, 2 * tolerance(spec.dtype));
                    spec.inverse = true;
                    run(ctx, &spec, 1, n * columns, y, n * columns, z);
                    near_all(n * columns, z, x, 2 * tolerance(spec.dtype));
                    free(x), free(y), free(z);
                }
    test_context_free(ctx);
}

/* Orthogonal: lengths stay, the inverse is the transpose, and the first row of DCT-II is 1/sqrt(n). */
static void test_orthogonal(void **state)
{
    nigh_context *ctx = test_context_new();
    for (nigh_fft_kind kind = NIGH_FFT_DCT1; kind <= NIGH_FFT_DST3; kind++) {
        int64_t n[2] = {6, 9};
        double *x = random_numbers(1, 54), *z = random_numbers(2, 54), y[54], w[54], length = 0, other = 0, left = 0, right = 0;
        nigh_fft_spec spec = nigh_fft_channels_last(kind, NIGH_F64, false, 1, 2, n, 1);
        spec.norm = NIGH_FFT_ORTHO;
        run(ctx, &spec, 1, 54, x, 54, y);
        spec.inverse = true;
        run(ctx, &spec, 1, 54, z, 54, w);
        for (int i = 0; i < 54; i++) length += x[i] * x[i], other += y[i] * y[i], left += y[i] * z[i], right += x[i] * w[i];
        assert_near(other, length, 0, 1e-13);
        assert_near(left, right, 1e-13, 0);
        run(ctx, &spec, 1, 54, y, 54, w);
        near_all(54, w, x, 1e-14);
        free(x), free(z);
    }
    double ones[8] = {1, 1, 1, 1, 1, 1, 1, 1}, y[8];
    int64_t n = 8;
    nigh_fft_spec spec = nigh_fft_channels_last(NIGH_FFT_DCT2, NIGH_F64, false, 1, 1, &n, 1);
    spec.norm = NIGH_FFT_ORTHO;
    run(ctx, &spec, 1, 8, ones, 8, y);
    assert_near(y[0], sqrt(8), 1e-15, 0);
    test_context_free(ctx);
}

/* Every CPU level of the own engine, long and with a chirp; an impulse becomes a wave; both engines agree. */
static void test_levels(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t lengths[] = {4096, 1009, 3000, 50021};
    for (int i = 0; i < 4; i++)
        for (int level = 0; level <= (int)nigh_cpu(); level++)
            for (int dtype = 0; dtype < 2; dtype++) {
                int64_t n = lengths[i], columns = n > 9000 ? 1 : 18, at = 5, total = 2 * n * columns;
                nigh_fft_spec spec = nigh_fft_channels_last(NIGH_FFT_COMPLEX, dtype ? NIGH_F32 : NIGH_F64, false, 1, 1, &n, columns);
                fft_own *own;
                assert_ok(ctx, fft_own_new(ctx, &spec, (nigh_cpu_level)level, 2, 1, &own));
                void *work = nigh_alloc(ctx, fft_own_workspace(own));
                double worst = 0;
                void *x = calloc((size_t)total, 8), *y = calloc((size_t)total, 8);
                for (int64_t c = 0; c < columns; c++) {
                    if (dtype) ((float *)x)[2 * (at * columns + c)] = 1 + (float)c;
                    else ((double *)x)[2 * (at * columns + c)] = 1 + (double)c;
                }
                fft_own_run(own, x, y, work);
                for (int64_t k = 0; k < n; k++)
                    for (int64_t c = 0; c < columns; c++) {
                        int64_t j = 2 * (k * columns + c);
                        double angle = -2 * pi * (double)(k * at % n) / (double)n, re = dtype ? ((float *)y)[j] : ((double *)y)[j];
                        double im = dtype ? ((float *)y)[j + 1] : ((double *)y)[j + 1];
                        worst = fmax(worst, hypot(re / (1 + (double)c) - cos(angle), im / (1 + (double)c) - sin(angle)));
                    }
                assert_true(worst < (dtype ? 5e-6 : 2e-14));
                free(x), free(y);
                nigh_free(ctx, work);
                fft_own_free(own);
            }
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_fft *fft = NULL;
    int64_t n = 8;
    nigh_fft_spec good = nigh_fft_channels_last(NIGH_FFT_REAL, NIGH_F32, false, 3, 1, &n, 2), bad = good;
    bad.dims = 4;
    assert_fails(ctx, nigh_fft_new(ctx, &bad, 1, &fft), NIGH_INVALID, "dims is 4");
    bad = good, bad.dim[0].n = 0;
    assert_fails(ctx, nigh_fft_new(ctx, &bad, 1, &fft), NIGH_INVALID, "dim[0].n is 0");
    bad = good, bad.batch[1].in = 0;
    assert_fails(ctx, nigh_fft_new(ctx, &bad, 1, &fft), NIGH_INVALID, "batch[1] has strides 0");
    bad = good, bad.in_place = true;
    assert_fails(ctx, nigh_fft_new(ctx, &bad, 1, &fft), NIGH_INVALID, "in_place");
    bad = good, bad.dtype = NIGH_BF16;
    assert_fails(ctx, nigh_fft_new(ctx, &bad, 1, &fft), NIGH_UNSUPPORTED, "bf16");
    bad = good, bad.kind = NIGH_FFT_DCT1, bad.dim[0].n = 1;
    assert_fails(ctx, nigh_fft_new(ctx, &bad, 1, &fft), NIGH_INVALID, "DCT-I");
    assert_fails(ctx, nigh_fft_new(ctx, &good, 0, &fft), NIGH_INVALID, "threads is 0");
    assert_null(fft);
    bad = good, bad.batch[0].n = 0;
    assert_ok(ctx, nigh_fft_new(ctx, &bad, 1, &fft));
    nigh_fft_run(fft, NULL, NULL, NULL);
    nigh_fft_free(fft);
    nigh_fft_free(NULL);
    test_context_free(ctx);
    for (int kind = 0; kind < 8; kind++)
        for (long fail = 1;; fail++) {
            test_allocator allocator = {.fail_at = fail};
            nigh_context *failing = test_context_failing(&allocator);
            if (!failing) continue;
            n = 7;
            nigh_fft_spec spec = nigh_fft_channels_last((nigh_fft_kind)kind, NIGH_F32, true, 3, 1, &n, 2);
            spec.engine = NIGH_FFT_OWN;
            nigh_status status = nigh_fft_new(failing, &spec, 1, &fft);
            if (!status) nigh_fft_free(fft);
            nigh_context_free(failing);
            assert_int_equal(allocator.live, 0);
            if (!status) break;
            assert_int_equal(status, NIGH_MEMORY);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complex),    cmocka_unit_test(test_real),   cmocka_unit_test(test_cosine_and_sine),
        cmocka_unit_test(test_orthogonal), cmocka_unit_test(test_levels), cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
