/* matmul: identities, then all types and CPU levels on random shapes and strides beside plain loops in long double, then bad input. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/matmul_kernel.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* ---- operands of any type as numbers ---- */

typedef struct operand {
    nigh_dtype dtype;
    int64_t size[MATMUL_BATCH_DIMS + 2], stride[MATMUL_BATCH_DIMS + 2]; /* batch, row, column */
    int64_t count, first; /* elements of the buffer; where the element with all indices 0 lies */
    char *data;           /* exactly `count` elements: a sanitizer sees every step outside */
} operand;

static bool is_complex(nigh_dtype t) { return t == NIGH_C64 || t == NIGH_C128; }
static double epsilon_of(nigh_dtype t) { return t == NIGH_F64 || t == NIGH_C128 ? DBL_EPSILON : FLT_EPSILON; }

static double get(const operand *x, int64_t at, int part)
{
    const char *p = x->data + at * (int64_t)nigh_dtype_size(x->dtype);
    switch (x->dtype) {
    case NIGH_F32: return part ? 0 : *(const float *)p;
    case NIGH_F64: return part ? 0 : *(const double *)p;
    case NIGH_C64: return ((const float *)p)[part];
    case NIGH_C128: return ((const double *)p)[part];
    default: {
        nigh_array array = {{x->dtype, 1, {x->count}}, x->data};
        return part ? 0 : nigh_array_get(&array, at);
    }
    }
}

static void set(operand *x, int64_t at, double re, double im)
{
    char *p = x->data + at * (int64_t)nigh_dtype_size(x->dtype);
    switch (x->dtype) {
    case NIGH_F32: *(float *)p = (float)re; break;
    case NIGH_F64: *(double *)p = re; break;
    case NIGH_C64: ((float *)p)[0] = (float)re, ((float *)p)[1] = (float)im; break;
    case NIGH_C128: ((double *)p)[0] = re, ((double *)p)[1] = im; break;
    default: {
        nigh_array array = {{x->dtype, 1, {x->count}}, x->data};
        nigh_array_set(&array, at, re);
    }
    }
}

static int64_t position(const operand *x, int dims, const int64_t *index)
{
    int64_t at = x->first;
    for (int d = 0; d < dims; d++) at += index[d] * x->stride[d];
    return at;
}

/* style 0: C order; 1: the matrix transposed; 2: any order of the dimensions with gaps; 3: the same, some strides negative. */
static void lay_out(nigh_rng *rng, operand *x, int dims, int style)
{
    int order[MATMUL_BATCH_DIMS + 2];
    for (int d = 0; d < dims; d++) order[d] = d;
    if (style == 1) order[dims - 1] = dims - 2, order[dims - 2] = dims - 1;
    for (int d = dims - 1; d > 0 && style >= 2; d--) {
        int other = (int)nigh_rng_below(rng, (uint64_t)d + 1), keep = order[d];
        order[d] = order[other], order[other] = keep;
    }
    int64_t reach = style >= 2 ? 1 + (int64_t)nigh_rng_below(rng, 3) : 1;
    x->count = 1, x->first = 0;
    for (int i = dims - 1; i >= 0; i--) {
        int d = order[i];
        if (x->stride[d] == 0 && x->size[d] < 0) { /* broadcast */
            x->size[d] = -x->size[d];
            continue;
        }
        x->stride[d] = reach;
        int64_t span = (x->size[d] ? x->size[d] - 1 : 0) * reach;
        x->count += span;
        if (style == 3 && nigh_rng_below(rng, 2)) x->stride[d] = -reach, x->first += span;
        reach = x->count + (style >= 2 ? (int64_t)nigh_rng_below(rng, 4) : 0);
    }
    x->data = malloc((size_t)x->count * nigh_dtype_size(x->dtype));
    for (int64_t i = 0; i < x->count; i++) set(x, i, NAN, NAN); /* what is between must not matter */
}

/* Normal numbers for all elements. */
static void fill(nigh_rng *rng, operand *x, int dims)
{
    int64_t index[MATMUL_BATCH_DIMS + 2] = {0};
    for (int d = 0; d < dims; d++)
        if (x->size[d] == 0) return;
    for (;;) {
        set(x, position(x, dims, index), nigh_rng_normal(rng), nigh_rng_normal(rng));
        int d = dims - 1;
        for (; d >= 0 && ++index[d] == x->size[d]; d--) index[d] = 0;
        if (d < 0) return;
    }
}

/* ---- the reference ---- */

typedef struct problem {
    matmul_spec spec;
    operand a, b, c, before, bias;
    int dims;
    double (*want)[2][2]; /* of every element in order: real and imaginary part, value and bound of the error; NULL until it is needed */
} problem;

static int64_t place_in_c(const problem *q, const int64_t *batch, int64_t i, int64_t j)
{
    int64_t at = q->c.first + i * q->spec.c_row + j * q->spec.c_column;
    for (int d = 0; d < q->spec.batch_dims; d++) at += batch[d] * q->spec.c_batch[d];
    return at;
}

static void reference(const problem *q, const int64_t *batch, int64_t i, int64_t j, double out[2][2])
{
    const matmul_spec *s = &q->spec;
    int64_t at[3] = {q->a.first + i * s->a_row, q->b.first + j * s->b_column, place_in_c(q, batch, i, j)};
    for (int d = 0; d < s->batch_dims; d++) at[0] += batch[d] * s->a_batch[d], at[1] += batch[d] * s->b_batch[d];
    long double sum[2] = {0, 0}, size = 0;
    for (int64_t l = 0; l < s->k; l++) {
        double u = get(&q->a, at[0] + l * s->a_column, 0), v = get(&q->a, at[0] + l * s->a_column, 1) * (s->conjugate_a ? -1 : 1);
        double w = get(&q->b, at[1] + l * s->b_row, 0), z = get(&q->b, at[1] + l * s->b_row, 1) * (s->conjugate_b ? -1 : 1);
        sum[0] += (long double)u * w - (long double)v * z, sum[1] += (long double)u * z + (long double)v * w;
        size += (fabsl(u) + fabsl(v)) * (fabsl(w) + fabsl(z));
    }
    size *= fabs(s->alpha);
    for (int part = 0; part <= is_complex(s->dtype); part++) {
        long double want = s->alpha * sum[part], all = size;
        if (s->beta != 0) want += s->beta * get(&q->before, at[2], part), all += fabsl(s->beta * get(&q->before, at[2], part));
        if (s->bias) want += get(&q->bias, j, part), all += fabs(get(&q->bias, j, part));
        out[part][0] = (double)want, out[part][1] = (double)((s->k + 3) * epsilon_of(s->dtype) * all) + 1e-300;
    }
}

static void check_element(const problem *q, const int64_t *batch, int64_t i, int64_t j, double want[2][2])
{
    const matmul_spec *s = &q->spec;
    for (int part = 0; part <= is_complex(s->dtype); part++) {
        double got = get(&q->c, place_in_c(q, batch, i, j), part);
        if (!(fabs(got - want[part][0]) <= want[part][1]))
            fail_msg("%s m %ld n %ld k %ld batch dims %d: element %ld, %ld part %d is %.17g, not %.17g (bound %g)", nigh_dtype_name(s->dtype), (long)s->m,
                     (long)s->n, (long)s->k, s->batch_dims, (long)i, (long)j, part, got, want[part][0], want[part][1]);
    }
}

/* Every element of C, and that nothing between them was touched. */
static void check_all(problem *q)
{
    const matmul_spec *s = &q->spec;
    int64_t batch[MATMUL_BATCH_DIMS] = {0}, items = 1, written = 0, nans = 0, nans_before = 0;
    for (int d = 0; d < s->batch_dims; d++) items *= s->batch[d];
    bool first = !q->want;
    if (first) q->want = malloc((size_t)(items * s->m * s->n) * sizeof *q->want + 1);
    for (int64_t item = 0; item < items; item++) {
        int64_t rest = item;
        for (int d = s->batch_dims - 1; d >= 0; d--) batch[d] = rest % s->batch[d], rest /= s->batch[d];
        for (int64_t i = 0; i < s->m; i++)
            for (int64_t j = 0; j < s->n; j++, written++) {
                if (first) reference(q, batch, i, j, q->want[written]);
                check_element(q, batch, i, j, q->want[written]);
            }
    }
    for (int64_t i = 0; i < q->c.count; i++) nans += isnan(get(&q->c, i, 0)), nans_before += isnan(get(&q->before, i, 0));
    if (s->beta != 0 || !written)
        assert_int_equal(nans, nans_before);
    else
        assert_int_equal(nans, q->c.count - written);
}

static void make(nigh_rng *rng, problem *q, const int style[3])
{
    matmul_spec *s = &q->spec;
    q->dims = s->batch_dims + 2;
    operand *all[3] = {&q->a, &q->b, &q->c};
    const int64_t rows[3] = {s->m, s->k, s->m}, columns[3] = {s->k, s->n, s->n};
    for (int o = 0; o < 3; o++) {
        operand *x = all[o];
        *x = (operand){.dtype = o == 1 ? s->b_dtype : s->dtype};
        for (int d = 0; d < s->batch_dims; d++) x->size[d] = o < 2 && style[o] != 0 && nigh_rng_below(rng, 3) == 0 ? -s->batch[d] : s->batch[d];
        x->size[q->dims - 2] = rows[o], x->size[q->dims - 1] = columns[o];
        lay_out(rng, x, q->dims, style[o]);
        if (o < 2 || s->beta != 0) fill(rng, x, q->dims);
        int64_t *row = o == 0 ? &s->a_row : o == 1 ? &s->b_row : &s->c_row, *column = o == 0 ? &s->a_column : o == 1 ? &s->b_column : &s->c_column;
        *row = x->stride[q->dims - 2], *column = x->stride[q->dims - 1];
        memcpy(o == 0 ? s->a_batch : o == 1 ? s->b_batch : s->c_batch, x->stride, sizeof s->a_batch);
    }
    q->bias = (operand){.dtype = s->dtype, .size = {s->n}, .stride = {1}};
    lay_out(rng, &q->bias, 1, 0);
    fill(rng, &q->bias, 1);
    q->before = q->c;
    q->before.data = malloc((size_t)q->c.count * nigh_dtype_size(s->dtype));
    memcpy(q->before.data, q->c.data, (size_t)q->c.count * nigh_dtype_size(s->dtype));
}

static void run(nigh_context *ctx, problem *q, nigh_cpu_level level, int threads, bool check)
{
    matmul *product;
    size_t element = nigh_dtype_size(q->spec.dtype);
    assert_ok(ctx, matmul_new_at(ctx, level, &q->spec, threads, &product));
    void *workspace = nigh_alloc(ctx, matmul_workspace(product) + 1);
    memcpy(q->c.data, q->before.data, (size_t)q->c.count * element);
    matmul_run(product, q->a.data + q->a.first * (int64_t)element, q->b.data + q->b.first * (int64_t)nigh_dtype_size(q->spec.b_dtype),
               q->spec.bias ? q->bias.data : NULL, q->c.data + q->c.first * (int64_t)element, workspace);
    if (check) check_all(q);
    nigh_free(ctx, workspace);
    matmul_free(product);
}

static void drop(problem *q) { free(q->a.data), free(q->b.data), free(q->c.data), free(q->before.data), free(q->bias.data), free(q->want); }

/* ---- tests ---- */

static matmul_spec dense(nigh_dtype type, int64_t m, int64_t n, int64_t k)
{
    return (matmul_spec){.dtype = type, .b_dtype = type, .m = m, .n = n, .k = k, .a_row = k, .a_column = 1, .b_row = n, .b_column = 1,
                         .c_row = n, .c_column = 1, .alpha = 1};
}

static void test_identity(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 45 };
    static float a[N * N], one[N * N], c[N * N];
    nigh_rng rng = nigh_rng_new(1, 0);
    nigh_rng_fill_normal_f32(&rng, N * N, a);
    for (int i = 0; i < N; i++) one[i * N + i] = 1;
    for (int level = NIGH_CPU_SCALAR; level <= (int)nigh_cpu(); level++)
        for (int side = 0; side < 2; side++) {
            matmul *product;
            matmul_spec spec = dense(NIGH_F32, N, N, N);
            if (side) spec.a_row = 1, spec.a_column = N; /* A^T I = A^T */
            assert_ok(ctx, matmul_new_at(ctx, (nigh_cpu_level)level, &spec, 1, &product));
            void *workspace = nigh_alloc(ctx, matmul_workspace(product) + 1);
            matmul_run(product, a, one, NULL, c, workspace);
            for (int i = 0; i < N; i++)
                for (int j = 0; j < N; j++) assert_true(c[i * N + j] == (side ? a[j * N + i] : a[i * N + j]));
            assert_string_equal(matmul_path(product), level ? "own" : "scalar");
            nigh_free(ctx, workspace);
            matmul_free(product);
        }
    test_context_free(ctx);
}

/* Where oneDNN computes: both orders of each operand, stacks of matrices and one for all, bias, sums in place, two runs of one product at once. */
static void test_large(void **state)
{
    enum { B = 3, M = 77, N = 61, K = 301 };
    nigh_context *ctx = test_context_new();
    static float a[B * M * K], b[B * K * N], c[2][B * M * N], bias[N];
    nigh_rng rng = nigh_rng_new(3, 0);
    nigh_rng_fill_normal_f32(&rng, N, bias);
    nigh_rng_fill_normal_f32(&rng, B * M * K, a);
    nigh_rng_fill_normal_f32(&rng, B * K * N, b);
    for (int turn = 0; turn < 64; turn++) {
        matmul *product;
        matmul_spec spec = dense(NIGH_F32, M, N, K);
        spec.bias = turn & 16, spec.beta = turn & 8 ? 1 : 0;
        spec.batch_dims = 1, spec.batch[0] = B, spec.a_batch[0] = turn & 32 ? 0 : M * K, spec.b_batch[0] = turn & 4 ? 0 : K * N, spec.c_batch[0] = M * N;
        if (turn & 1) spec.a_row = 1, spec.a_column = M;
        if (turn & 2) spec.b_row = 1, spec.b_column = K;
        assert_ok(ctx, matmul_new(ctx, &spec, 1 + turn % 3, &product));
        if (nigh_cpu() != NIGH_CPU_SCALAR && !(turn & 32)) assert_string_equal(matmul_path(product), "onednn");
        size_t bytes = matmul_workspace(product) + 64;
        char *workspace = nigh_alloc(ctx, 2 * bytes / 64 * 64 + 128);
        for (int i = 0; i < B * M * N; i++) c[0][i] = c[1][i] = 0.5f;
#pragma omp parallel for num_threads(2)
        for (int w = 0; w < 2; w++) matmul_run(product, a, b, spec.bias ? bias : NULL, c[w], workspace + (size_t)w * (bytes / 64 * 64 + 64));
        assert_memory_equal(c[0], c[1], sizeof c[0]);
        for (int p = 0; p < B; p++)
            for (int i = 0; i < M; i += 5)
                for (int j = 0; j < N; j++) {
                    double sum = (spec.bias ? bias[j] : 0) + 0.5 * spec.beta, size = fabs(sum);
                    for (int l = 0; l < K; l++) {
                        double term = (double)a[p * spec.a_batch[0] + i * spec.a_row + l * spec.a_column] * b[p * spec.b_batch[0] + l * spec.b_row + j * spec.b_column];
                        sum += term, size += fabs(term);
                    }
                    assert_true(fabs(c[0][(p * M + i) * N + j] - sum) <= (K + 3) * FLT_EPSILON / 2 * size);
                }
        nigh_free(ctx, workspace);
        matmul_free(product);
    }
    test_context_free(ctx);
}

static int64_t random_size(nigh_rng *rng)
{
    static const int64_t most[] = {4, 20, 40, 70};
    return 1 + (int64_t)nigh_rng_below(rng, (uint64_t)most[nigh_rng_below(rng, 4)]);
}

static void test_random(void **state)
{
    static const nigh_dtype types[6][2] = {{NIGH_F32, NIGH_F32}, {NIGH_F64, NIGH_F64}, {NIGH_C64, NIGH_C64},
                                           {NIGH_C128, NIGH_C128}, {NIGH_F32, NIGH_BF16}, {NIGH_F32, NIGH_F16}};
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(2, 0);
    for (int round = 0; round < 600; round++) {
        const nigh_dtype *type = types[round % 6];
        matmul_spec s = {.dtype = type[0], .b_dtype = type[1], .alpha = 1};
        s.batch_dims = (int)nigh_rng_below(&rng, MATMUL_BATCH_DIMS + 1);
        for (int d = 0; d < s.batch_dims; d++) s.batch[d] = 1 + (int64_t)nigh_rng_below(&rng, s.batch_dims > 2 ? 2 : 3);
        s.m = random_size(&rng), s.n = random_size(&rng), s.k = random_size(&rng);
        switch (nigh_rng_below(&rng, 12)) {
        case 0: s.n = 1 + (int64_t)nigh_rng_below(&rng, 4); break;
        case 1: s.m = 1; break;
        case 2: s.k = 0; break;
        case 3: s.k = 500 + (int64_t)nigh_rng_below(&rng, 500), s.m %= 20, s.n = s.n % 40 + 1; break;
        case 4: s.n = 0; break;
        case 5: s.n = 1; break;
        default: break;
        }
        if (nigh_rng_below(&rng, 2)) s.alpha = -1.5;
        if (nigh_rng_below(&rng, 3) == 0) s.beta = nigh_rng_below(&rng, 2) ? 1 : 0.25;
        s.bias = nigh_rng_below(&rng, 3) == 0;
        if (is_complex(s.dtype)) s.conjugate_a = nigh_rng_below(&rng, 2), s.conjugate_b = nigh_rng_below(&rng, 2);
        int style[3] = {(int)nigh_rng_below(&rng, 4), (int)nigh_rng_below(&rng, 4), (int)nigh_rng_below(&rng, 4)};
        for (int o = 0; o < 3; o++)
            if (nigh_rng_below(&rng, 3) == 0) style[o] = 0;
        problem q = {.spec = s};
        make(&rng, &q, style);
        for (int level = NIGH_CPU_SCALAR; level <= (int)nigh_cpu(); level++) run(ctx, &q, (nigh_cpu_level)level, 1 + round % 3, true);
        drop(&q);
    }
    test_context_free(ctx);
}

/* Every number of rows and columns of a tile, in both orientations of A. */
static void test_tails(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(3, 0);
    static const nigh_dtype types[4] = {NIGH_F32, NIGH_F64, NIGH_C64, NIGH_C128};
    for (int type = 0; type < 4; type++)
        for (int m = 1; m <= 15; m++)
            for (int n = 1; n <= 33; n += type ? 1 + n / 8 : 1)
                for (int side = 0; side < 2; side++) {
                    problem q = {.spec = dense(types[type], m, n, 5)};
                    make(&rng, &q, (int[3]){side, 0, 0});
                    for (int level = NIGH_CPU_AVX2; level <= (int)nigh_cpu(); level++) run(ctx, &q, (nigh_cpu_level)level, 1, true);
                    drop(&q);
                }
    test_context_free(ctx);
}

static void run_twice(nigh_context *ctx, problem *q, int threads)
{
    size_t bytes = (size_t)q->c.count * nigh_dtype_size(q->spec.dtype);
    run(ctx, q, nigh_cpu(), threads, true);
    char *first = malloc(bytes);
    memcpy(first, q->c.data, bytes);
    run(ctx, q, nigh_cpu(), threads, false);
    assert_memory_equal(first, q->c.data, bytes);
    free(first);
}

/* Large enough for every cut (m, n, k, batch), several blocks and shared packing; the same bits again. */
static void test_parts(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(4, 0);
    static const int64_t shapes[][4] = {{1, 350, 40, 210}, {1, 30, 700, 33}, {1, 20, 24, 3000}, {7, 24, 70, 64}, {1, 33, 40, 1500}, {3, 40, 720, 400}, {1, 400, 24, 48}};
    static const nigh_dtype types[4] = {NIGH_F32, NIGH_F64, NIGH_C64, NIGH_C128};
    for (int shape = 0; shape < 7; shape++)
        for (int type = 0; type < 4; type++) {
            if (shape == 5 && type) continue; /* several blocks of n: once is enough */
            problem q = {.spec = {.dtype = types[type], .b_dtype = types[type], .batch_dims = 1, .batch = {shapes[shape][0]}, .m = shapes[shape][1],
                                  .n = shapes[shape][2], .k = shapes[shape][3], .alpha = 0.5, .beta = type % 2 ? 2 : 0, .bias = true}};
            make(&rng, &q, (int[3]){shape % 2, type % 2, shape == 4 ? 2 : 0});
            run_twice(ctx, &q, 2 + shape % 3);
            drop(&q);
        }
    test_context_free(ctx);
}

/* Two threads run one object at once, each with its own workspace. */
static void test_reentrant(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { M = 120, N = 75, K = 300 };
    matmul_spec spec = dense(NIGH_F32, M, N, K);
    spec.b_row = 1, spec.b_column = K;
    float *a = nigh_alloc(ctx, M * K * sizeof *a), *b = nigh_alloc(ctx, K * N * sizeof *b), *c[2];
    nigh_rng rng = nigh_rng_new(5, 0);
    nigh_rng_fill_normal_f32(&rng, M * K, a);
    nigh_rng_fill_normal_f32(&rng, K * N, b);
    matmul *product;
    assert_ok(ctx, matmul_new(ctx, &spec, 2, &product));
    size_t bytes = (matmul_workspace(product) + 63) / 64 * 64;
    char *workspace = nigh_alloc(ctx, 2 * bytes + 64);
    for (int i = 0; i < 2; i++) c[i] = nigh_alloc(ctx, M * N * sizeof *c[i]);
    for (int round = 0; round < 5; round++) {
#pragma omp parallel for num_threads(2) schedule(static, 1)
        for (int i = 0; i < 2; i++) matmul_run(product, a, b, NULL, c[i], workspace + (size_t)i * bytes);
        assert_memory_equal(c[0], c[1], M * N * sizeof *c[0]);
    }
    matmul_run(product, a, b, NULL, c[1], workspace);
    assert_memory_equal(c[0], c[1], M * N * sizeof *c[0]);
    for (int i = 0; i < 2; i++) nigh_free(ctx, c[i]);
    nigh_free(ctx, workspace), nigh_free(ctx, b), nigh_free(ctx, a);
    matmul_free(product);
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    matmul *product = (matmul *)ctx;
    matmul_spec s = dense(NIGH_F32, 3, 4, 5);
    assert_fails(ctx, matmul_new(ctx, &s, 0, &product), NIGH_INVALID, "threads is 0");
    s.m = -1;
    assert_fails(ctx, matmul_new(ctx, &s, 1, &product), NIGH_INVALID, "m is -1");
    s = dense(NIGH_F32, (int64_t)1 << 40, (int64_t)1 << 40, 1);
    assert_fails(ctx, matmul_new(ctx, &s, 1, &product), NIGH_INVALID, "more than 2^63");
    s = dense(NIGH_I32, 3, 4, 5);
    assert_fails(ctx, matmul_new(ctx, &s, 1, &product), NIGH_UNSUPPORTED, "dtype is i32");
    s = dense(NIGH_F64, 3, 4, 5), s.b_dtype = NIGH_BF16;
    assert_fails(ctx, matmul_new(ctx, &s, 1, &product), NIGH_UNSUPPORTED, "b_dtype is bf16 with dtype f64");
    s = dense(NIGH_F32, 3, 4, 5), s.c_row = 3;
    assert_fails(ctx, matmul_new(ctx, &s, 1, &product), NIGH_INVALID, "C [3, 4] overlaps itself");
    s = dense(NIGH_F32, 3, 4, 5), s.batch_dims = 1, s.batch[0] = 2;
    assert_fails(ctx, matmul_new(ctx, &s, 1, &product), NIGH_INVALID, "stride 0");
    s.batch_dims = 5;
    assert_fails(ctx, matmul_new(ctx, &s, 1, &product), NIGH_INVALID, "batch_dims is 5");
    assert_ptr_equal(product, ctx);
    matmul_free(NULL);
    test_context_free(ctx);
    test_allocator allocator = {.fail_at = 2};
    ctx = test_context_failing(&allocator);
    if (ctx) {
        s = dense(NIGH_F32, 3, 4, 5);
        assert_int_equal(matmul_new(ctx, &s, 1, &product), NIGH_MEMORY);
        nigh_context_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_identity), cmocka_unit_test(test_tails),     cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_large), cmocka_unit_test(test_parts),    cmocka_unit_test(test_reentrant), cmocka_unit_test(test_bad_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
