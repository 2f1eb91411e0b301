/* convolution: three products against sums in f64 on random specs at every CPU level, adjoint identities, the same bits for any threads, bad input. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/convolution_kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct fields {
    convolution_spec spec;
    int64_t y[CONVOLUTION_DIMS + 2], x_count, w_count, y_count;
    double *x, *w, *dy, *bias; /* inputs, exact in f32 */
    double *out_y, *out_x, *out_w, *out_b; /* by the definition */
} fields;

static int64_t product(int n, const int64_t *size)
{
    int64_t p = 1;
    for (int i = 0; i < n; i++) p *= size[i];
    return p;
}

static double *numbers(nigh_rng *rng, int64_t n)
{
    double *x = malloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (double)(float)nigh_rng_normal(rng);
    return x;
}

/* Calls with every (y pixel, x pixel, tap) of the definition; adds to all three products. */
static void define_pixel(fields *f, int64_t n, const int64_t *o)
{
    const convolution_spec *s = &f->spec;
    int d = s->dims;
    int64_t taps = product(d, s->w), in = s->x[d + 1], out = s->w[d + 1], deep = s->w[d], wide = out / s->groups, yp = n, k[3];
    for (int i = 0; i < d; i++) yp = yp * f->y[1 + i] + o[i];
    for (int64_t t = 0; t < taps; t++) {
        int64_t rest = t, xp = n;
        for (int i = d - 1; i >= 0; i--) k[i] = rest % s->w[i], rest /= s->w[i];
        bool inside = true;
        for (int i = 0; i < d; i++) {
            int64_t at = halo_source(s->padding, s->x[1 + i], o[i] * s->stride[i] + k[i] * s->dilation[i] - s->low[i]);
            inside &= at >= 0;
            xp = xp * s->x[1 + i] + at;
        }
        for (int64_t c = 0; c < out && inside; c++)
            for (int64_t i = 0; i < deep; i++) {
                int64_t xi = xp * in + c / wide * deep + i, wi = (t * deep + i) * out + c, yi = yp * out + c;
                f->out_y[yi] += f->x[xi] * f->w[wi];
                f->out_x[xi] += f->dy[yi] * f->w[wi];
                f->out_w[wi] += f->dy[yi] * f->x[xi];
            }
    }
}

static void define(nigh_context *ctx, const convolution_spec *spec, uint64_t seed, fields *f)
{
        nigh_rng rng = nigh_rng_new(seed, 0);
    f->spec = *spec;
    int d = spec->dims;
    assert_ok(ctx, convolution_shape(ctx, spec, f->y));
    f->x_count = product(d + 2, spec->x), f->w_count = product(d + 2, spec->w), f->y_count = product(d + 2, f->y);
    f->x = numbers(&rng, f->x_count), f->w = numbers(&rng, f->w_count), f->dy = numbers(&rng, f->y_count);
    f->bias = numbers(&rng, spec->x[d + 1] + spec->w[d + 1]);
    f->out_x = calloc((size_t)f->x_count + 1, 8), f->out_w = calloc((size_t)f->w_count, 8), f->out_y = calloc((size_t)f->y_count + 1, 8);
    f->out_b = calloc((size_t)(spec->x[d + 1] + spec->w[d + 1]), 8);
    int64_t pixels = product(d, f->y + 1), o[3] = {0};
    for (int64_t n = 0; n < spec->x[0]; n++)
        for (int64_t p = 0; p < pixels; p++) {
            int64_t rest = p;
            for (int i = d - 1; i >= 0; i--) o[i] = rest % f->y[1 + i], rest /= f->y[1 + i];
            define_pixel(f, n, o);
        }
    int64_t channels = spec->transposed ? spec->x[d + 1] : spec->w[d + 1];
    if (!spec->bias) return;
    for (int64_t i = 0; i < f->y_count && !spec->transposed; i++) f->out_y[i] += f->bias[i % channels], f->out_b[i % channels] += f->dy[i];
    for (int64_t i = 0; i < f->x_count && spec->transposed; i++) f->out_x[i] += f->bias[i % channels], f->out_b[i % channels] += f->x[i];
}

static void fields_free(fields *f)
{
    free(f->x), free(f->w), free(f->dy), free(f->bias), free(f->out_x), free(f->out_y), free(f->out_w), free(f->out_b);
}

static void *typed(nigh_dtype dtype, int64_t n, const double *x)
{
    void *out = malloc((size_t)(n + 1) * nigh_dtype_size(dtype));
    for (int64_t i = 0; i < n; i++) {
        if (dtype == NIGH_F32)
            ((float *)out)[i] = (float)x[i];
        else
            ((double *)out)[i] = x[i];
    }
    return out;
}

static double at(nigh_dtype dtype, const void *x, int64_t i) { return dtype == NIGH_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]; }

static const char *const kinds[] = {"FORWARD", "DATA", "WEIGHT"};

static void compare(const fields *f, convolution_kind kind, int64_t n, const void *got, const double *want, double terms)
{
    const convolution_spec *s = &f->spec;
    double unit = s->dtype == NIGH_F32 ? 0x1p-24 : 0x1p-53, most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(at(s->dtype, got, i) - want[i]) <= 4 * unit * sqrt(terms + 4) * (most + 4)))
            fail_msg("%s %s dims %d x %lldx%lldx%lldx%lld w %lldx%lldx%lldx%lld groups %lld padding %s: [%lld] is %.9g, not %.9g", kinds[kind],
                     nigh_dtype_name(s->dtype), s->dims, (long long)s->x[0], (long long)s->x[1], (long long)s->x[2], (long long)s->x[3], (long long)s->w[0],
                     (long long)s->w[1], (long long)s->w[2], (long long)s->w[3], (long long)s->groups, halo_kind_name(s->padding), (long long)i,
                     at(s->dtype, got, i), want[i]);
}

/* The result of one product in fresh memory, and the gradient of the bias. */
static void *run(nigh_context *ctx, const fields *f, convolution_kind kind, int threads, int64_t *count, void **db)
{
    convolution_spec s = f->spec;
    convolution *c = NULL;
    s.kind = kind;
    s.bias = f->spec.bias && (kind == CONVOLUTION_WEIGHT || (kind == CONVOLUTION_DATA) == s.transposed);
    assert_ok(ctx, convolution_new(ctx, &s, threads, &c));
    void *a = kind == CONVOLUTION_DATA ? typed(s.dtype, f->y_count, f->dy) : typed(s.dtype, f->x_count, f->x);
    void *b = kind == CONVOLUTION_WEIGHT ? typed(s.dtype, f->y_count, f->dy) : typed(s.dtype, f->w_count, f->w);
    int64_t channels = s.transposed ? s.x[s.dims + 1] : s.w[s.dims + 1];
    void *bias = typed(s.dtype, channels, f->bias);
    *count = kind == CONVOLUTION_FORWARD ? f->y_count : kind == CONVOLUTION_DATA ? f->x_count : f->w_count;
    size_t bytes = (size_t)*count * nigh_dtype_size(s.dtype);
    char *out = malloc(bytes + 8);
    *db = malloc((size_t)channels * 8);
    memset(out, 0xff, bytes + 8), memset(*db, 0xff, (size_t)channels * 8);
    void *workspace = aligned_alloc(64, convolution_workspace(c) + 64);
    memset(workspace, 0xff, convolution_workspace(c) + 64);
    convolution_run(c, a, b, s.bias && kind != CONVOLUTION_WEIGHT ? bias : NULL, out, kind == CONVOLUTION_WEIGHT && s.bias ? *db : NULL, workspace);
    for (int i = 0; i < 8; i++) assert_int_equal((unsigned char)out[bytes + (size_t)i], 0xff);
    for (int i = 0; i < 64; i++) assert_int_equal(((unsigned char *)workspace)[convolution_workspace(c) + (size_t)i], 0xff);
    convolution_free(c);
    free(a), free(b), free(bias), free(workspace);
    return out;
}

static void check(nigh_context *ctx, const convolution_spec *spec, uint64_t seed)
{
    fields f;
    define(ctx, spec, seed, &f);
    int d = spec->dims;
    double taps = (double)product(d, spec->w), pixels = (double)product(d + 1, f.y);
    for (int kind = 0; kind < 3; kind++) {
        int64_t n;
        void *db, *again;
        void *got = run(ctx, &f, (convolution_kind)kind, 1, &n, &db);
        compare(&f, (convolution_kind)kind, n, got, kind == 0 ? f.out_y : kind == 1 ? f.out_x : f.out_w, kind == 2 ? pixels : taps * (double)spec->w[d + kind % 2]);
        if (kind == 2 && spec->bias)
            compare(&f, CONVOLUTION_WEIGHT, spec->transposed ? spec->x[d + 1] : spec->w[d + 1], db, f.out_b, spec->transposed ? (double)f.x_count : pixels);
        free(db);
        void *two = run(ctx, &f, (convolution_kind)kind, 2, &n, &again);
        assert_memory_equal(got, two, (size_t)n * nigh_dtype_size(spec->dtype));
        free(got), free(two), free(again);
    }
    fields_free(&f);
}

static int64_t pick(nigh_rng *rng, int64_t low, int64_t high) { return low + (int64_t)nigh_rng_below(rng, (uint64_t)(high - low + 1)); }

static convolution_spec random_spec(nigh_rng *rng)
{
    static const int64_t depths[] = {1, 2, 3, 4, 5, 8, 16, 17, 33}, widths[] = {1, 2, 3, 7, 8, 16, 31, 32, 40, 67};
    convolution_spec s = {.dtype = pick(rng, 0, 2) ? NIGH_F32 : NIGH_F64, .dims = (int)pick(rng, 1, 3)};
    s.padding = (halo_kind)pick(rng, 0, 2);
    s.groups = pick(rng, 0, 2) ? 1 : pick(rng, 2, 5);
    bool depthwise = pick(rng, 0, 3) == 0;
    int64_t deep = depthwise ? 1 : depths[pick(rng, 0, 8)], wide = depthwise ? 1 : widths[pick(rng, 0, 9)];
    if (depthwise) s.groups = pick(rng, 2, 70);
    s.x[0] = pick(rng, 0, 9) ? pick(rng, 1, 3) : 0;
    int64_t largest = s.dims == 1 ? 40 : s.dims == 2 ? 12 : 6;
    for (int i = 0; i < s.dims; i++) {
        s.w[i] = pick(rng, 1, s.dims == 3 ? 3 : 5), s.stride[i] = pick(rng, 1, 3), s.dilation[i] = pick(rng, 1, 2);
        int64_t reach = (s.w[i] - 1) * s.dilation[i] + 1;
        s.x[1 + i] = pick(rng, 1, largest);
        int64_t limit = s.padding == HALO_ZERO ? 4 : s.padding == HALO_CIRCULAR ? s.x[1 + i] : s.x[1 + i] - 1;
        s.low[i] = pick(rng, 0, limit < 4 ? limit : 4), s.high[i] = pick(rng, 0, limit < 4 ? limit : 4);
        if (s.x[1 + i] + s.low[i] + s.high[i] < reach) s.x[1 + i] = reach;
    }
    s.x[s.dims + 1] = deep * s.groups, s.w[s.dims] = deep, s.w[s.dims + 1] = wide * s.groups;
    s.bias = pick(rng, 0, 1), s.transposed = pick(rng, 0, 1);
    return s;
}

static void test_random(void **state)
{
    nigh_context *ctx = test_context_new();
        nigh_rng rng = nigh_rng_new(71, 0);
    for (uint64_t i = 0; i < 250; i++) {
        convolution_spec s = random_spec(&rng);
        check(ctx, &s, i);
    }
    test_context_free(ctx);
}

/* Shapes that networks use, large enough for two threads and for weights in their own order. */
static void test_usual(void **state)
{
    static const convolution_spec specs[] = {
        {.dims = 2, .x = {2, 16, 16, 32}, .w = {3, 3, 32, 40}, .low = {1, 1}, .high = {1, 1}, .padding = HALO_CIRCULAR},
        {.dims = 2, .x = {1, 8, 8, 64}, .w = {3, 3, 64, 96}, .low = {1, 1}, .high = {1, 1}},
        {.dims = 2, .x = {2, 32, 32, 1}, .w = {3, 3, 1, 32}, .low = {1, 1}, .high = {1, 1}},
        {.dims = 2, .x = {2, 16, 16, 3}, .w = {4, 4, 3, 48}, .stride = {4, 4}, .transposed = true},
        {.dims = 2, .x = {2, 16, 16, 16}, .w = {2, 2, 16, 32}, .stride = {2, 2}, .transposed = true},
        {.dims = 2, .x = {2, 16, 16, 16}, .w = {4, 4, 16, 32}, .stride = {2, 2}, .low = {1, 1}, .high = {1, 1}, .transposed = true},
        {.dims = 1, .x = {3, 50, 48}, .w = {4, 1, 48}, .low = {3}, .groups = 48},
        {.dims = 2, .x = {1, 20, 20, 36}, .w = {7, 7, 1, 36}, .low = {3, 3}, .high = {3, 3}, .groups = 36, .padding = HALO_REFLECT},
        {.dims = 2, .x = {2, 16, 16, 32}, .w = {3, 3, 32, 1}, .low = {1, 1}, .high = {1, 1}},
    };
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        for (int wide = 0; wide < 2; wide++) {
            convolution_spec s = specs[i];
            s.dtype = wide ? NIGH_F64 : NIGH_F32, s.bias = true;
            for (int d = 0; d < CONVOLUTION_DIMS; d++) s.dilation[d] = 1, s.stride[d] += s.stride[d] == 0;
            s.groups += s.groups == 0;
            check(ctx, &s, i);
        }
    test_context_free(ctx);
}

/* <y', x * w> = <x', x> = <w', w> in f64. */
static void test_adjoint(void **state)
{
    nigh_context *ctx = test_context_new();
        nigh_rng rng = nigh_rng_new(72, 0);
    for (uint64_t i = 0; i < 60; i++) {
        convolution_spec s = random_spec(&rng);
        s.dtype = NIGH_F64, s.bias = false;
        fields f;
        define(ctx, &s, i, &f);
        double sum[3] = {0}, size = 1;
        for (int kind = 0; kind < 3; kind++) {
            int64_t n;
            void *db;
            double *got = run(ctx, &f, (convolution_kind)kind, 1, &n, &db);
            const double *other = kind == 0 ? f.dy : kind == 1 ? f.x : f.w;
            for (int64_t j = 0; j < n; j++) sum[kind] += got[j] * other[j], size += fabs(got[j] * other[j]);
            free(got), free(db);
        }
        assert_near(sum[1], sum[0], 1e-14 * size, 0);
        assert_near(sum[2], sum[0], 1e-14 * size, 0);
        fields_free(&f);
    }
    test_context_free(ctx);
}

/* Every level's tile against the plain one. */
static void test_levels(void **state)
{
        nigh_rng rng = nigh_rng_new(73, 0);
    enum { TAPS = 3, DEPTH = 5, ROW = 32 };
    for (int level = NIGH_CPU_SCALAR; level <= (int)nigh_cpu(); level++) {
        const convolution_kernels *k = convolution_kernels_at((nigh_cpu_level)level, NIGH_F32);
        for (int channels = 1; channels <= 2 * k->lanes; channels++) {
            float x[TAPS][CONVOLUTION_ROWS][DEPTH], w[TAPS][DEPTH * ROW], y[CONVOLUTION_ROWS][ROW], dw[8 * ROW];
            convolution_tap tap[TAPS];
            void *to[CONVOLUTION_ROWS];
            const void *rows[CONVOLUTION_ROWS], *cols[CONVOLUTION_ROWS];
            for (int t = 0; t < TAPS; t++) {
                for (int i = 0; i < CONVOLUTION_ROWS * DEPTH; i++) (&x[t][0][0])[i] = (float)nigh_rng_normal(&rng);
                for (int i = 0; i < DEPTH * ROW; i++) w[t][i] = (float)nigh_rng_normal(&rng);
                tap[t].w = w[t], tap[t].depth = DEPTH;
                for (int m = 0; m < CONVOLUTION_ROWS; m++) tap[t].x[m] = x[t][m];
            }
            for (int m = 0; m < CONVOLUTION_ROWS; m++) to[m] = y[m], rows[m] = x[0][m], cols[m] = w[m % TAPS] + m;
            int vectors = channels > k->lanes ? 2 : 1, last = channels - (vectors - 1) * k->lanes;
            k->gather(vectors, last, TAPS, tap, 0, ROW, NULL, to, 0);
            for (int m = 0; m < k->rows; m++)
                for (int c = 0; c < channels; c++) {
                    double sum = 0;
                    for (int t = 0; t < TAPS; t++)
                        for (int i = 0; i < DEPTH; i++) sum += (double)x[t][m][i] * (double)w[t][i * ROW + c];
                    assert_near((double)y[m][c], sum, 1e-5, 1e-5);
                }
            memset(dw, 0, sizeof dw);
            k->outer(4, vectors, last, 8, rows, 1, cols, 0, dw, ROW);
            for (int i = 0; i < 4; i++)
                for (int c = 0; c < channels; c++) {
                    double sum = 0;
                    for (int p = 0; p < 8; p++) sum += (double)x[0][p][1 + i] * (double)((const float *)cols[p])[c];
                    assert_near((double)dw[i * ROW + c], sum, 1e-5, 1e-5);
                }
        }
    }
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    const convolution_spec good = {.dtype = NIGH_F32, .dims = 2, .x = {2, 8, 8, 3}, .w = {3, 3, 3, 16}, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    convolution *c = NULL;
    convolution_spec s = good;
    s.w[2] = 4;
    assert_fails(ctx, convolution_new(ctx, &s, 1, &c), NIGH_INVALID, "convolution: x is [2,8,8,3], w is [3,3,4,16]: groups is 1");
    s = good, s.stride[1] = 0;
    assert_fails(ctx, convolution_new(ctx, &s, 1, &c), NIGH_INVALID, "stride is 0");
    s = good, s.dilation[0] = -1;
    assert_fails(ctx, convolution_new(ctx, &s, 1, &c), NIGH_INVALID, "dilation is -1");
    s = good, s.dilation[0] = 4;
    assert_fails(ctx, convolution_new(ctx, &s, 1, &c), NIGH_INVALID, "size with padding is 8");
    s = good, s.padding = HALO_REFLECT, s.low[0] = 8;
    assert_fails(ctx, convolution_new(ctx, &s, 1, &c), NIGH_INVALID, "padding low is 8");
    s = good, s.padding = HALO_CIRCULAR, s.high[0] = 9;
    assert_fails(ctx, convolution_new(ctx, &s, 1, &c), NIGH_INVALID, "padding high is 9");
    s = good, s.x[2] = 0;
    assert_fails(ctx, convolution_new(ctx, &s, 1, &c), NIGH_INVALID, "a size of x is 0");
    s = good, s.dims = 4;
    assert_fails(ctx, convolution_new(ctx, &s, 1, &c), NIGH_INVALID, "dims is 4");
    s = good, s.dtype = NIGH_I32;
    assert_fails(ctx, convolution_new(ctx, &s, 1, &c), NIGH_UNSUPPORTED, "dtype is i32");
    s = good, s.x[0] = INT64_C(1) << 60;
    assert_fails(ctx, convolution_new(ctx, &s, 1, &c), NIGH_INVALID, "samples");
    assert_fails(ctx, convolution_new(ctx, &good, 0, &c), NIGH_INVALID, "threads is 0");
    assert_null(c);
    test_context_free(ctx);

    for (long fail = 1; fail < 40; fail++) {
        test_allocator allocator = {.fail_at = fail};
        ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_status status = convolution_new(ctx, &good, 1, &c);
        if (status == NIGH_OK) convolution_free(c), fail = 40;
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_usual),     cmocka_unit_test(test_adjoint),
        cmocka_unit_test(test_levels), cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
