/* Attention over pages: against a plain f64 form, and the same bits however tokens come: passes, drafts, forks, batches, threads, CPU levels, streams. */
#include "attend_world.h"
#include "nigh/random.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1100 };

static int32_t text[MOST];
static const int64_t windows[3] = {0, 70, 600};

static void make_text(uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 1);
    for (int i = 0; i < MOST; i++) text[i] = (int32_t)nigh_rng_below(&rng, 1000);
}

static cache_shape shape_of(int layers, int heads, int kv_heads, int head_size, nigh_kv_type type)
{
    return (cache_shape){.layers = layers, .heads = heads, .kv_heads = kv_heads, .head_size = head_size, .window = windows, .type = type};
}

static double *exact_row(const attend_world *w)
{
    return malloc((size_t)attend_world_row(w) * sizeof(double));
}

static float *rows_of(const attend_world *w, int64_t n) { return malloc((size_t)(n * attend_world_row(w)) * sizeof(float)); }

static int sequence_new(attend_world *w)
{
    int s = -1;
    assert_int_equal(pages_sequence(w->pages, &s), NIGH_OK);
    return s;
}

/* Largest difference of a row from the plain form. */
static double error_of(const attend_world *w, const float *row, int64_t length, int64_t sinks, int64_t window)
{
    double *exact = exact_row(w), most = 0;
    attend_world_exact(w, text, length, sinks, window, exact);
    for (int64_t i = 0; i < attend_world_row(w); i++) {
        assert_false(isnan(row[i]));
        most = fmax(most, fabs(row[i] - exact[i]));
    }
    free(exact);
    return most;
}

static bool same(const attend_world *w, const float *a, const float *b, int64_t rows) { return memcmp(a, b, (size_t)(rows * attend_world_row(w)) * sizeof(float)) == 0; }

static void test_exact(void **state)
{
    (void)state;
    static const int shapes[][3] = {{9, 3, 64}, {4, 1, 256}, {3, 3, 80}, {20, 1, 96}, {2, 1, 8}, {7, 1, 72}, {14, 2, 128}};
    nigh_context *ctx = test_context_new();
    make_text(1);
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int type = NIGH_KV_F16; type <= NIGH_KV_Q8; type++) {
            cache_shape shape = shape_of(3, shapes[k][0], shapes[k][1], shapes[k][2], (nigh_kv_type)type);
            attend_world w = attend_world_new(ctx, &shape);
            if (k % 2) w.cap = 2;
            if (k == 2) w.scale *= 8; /* sharp: weights far from even */
            int s = sequence_new(&w);
            float *out = rows_of(&w, 700);
            attend_world_read(&w, s, text, 600, 300, out);
            static const int64_t lengths[] = {1, 17, 64, 65, 71, 512, 513, 600};
            for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
                double error = error_of(&w, out + (lengths[i] - 1) * attend_world_row(&w), lengths[i], 0, 0);
                assert_true(error <= (k == 2 ? 2e-5 : 4e-6)); /* sharp weights carry the rounding of scores */
            }
            free(out);
            attend_world_free(&w);
        }
    test_context_free(ctx);
}

/* However the tokens are cut into passes, on any number of threads. */
static void test_passes(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    make_text(2);
    for (int type = NIGH_KV_F16; type <= NIGH_KV_Q8; type++) {
        cache_shape shape = shape_of(3, 2, 1, 8, (nigh_kv_type)type);
        attend_world w = attend_world_new(ctx, &shape);
        float *one = rows_of(&w, MOST), *out = rows_of(&w, MOST);
        attend_world_read(&w, sequence_new(&w), text, MOST, 1, one);
        static const int64_t cuts[] = {7, 64, 65, 512, MOST};
        for (size_t k = 0; k < sizeof cuts / sizeof *cuts; k++) {
            w.threads = 1 + (int)k % 3;
            int s = sequence_new(&w);
            attend_world_read(&w, s, text, MOST, cuts[k], out);
            assert_true(same(&w, one, out, MOST));
            pages_drop(w.pages, s);
        }
        for (w.threads = 1; w.threads <= 3; w.threads++) { /* one row at a time in chunks shared out */
            int s = sequence_new(&w);
            attend_world_read(&w, s, text, 1050, 400, NULL);
            attend_world_read(&w, s, text + 1050, 10, 1, out);
            assert_true(same(&w, one + 1050 * attend_world_row(&w), out, 10));
            pages_drop(w.pages, s);
        }
        free(one);
        free(out);
        attend_world_free(&w);
    }
    test_context_free(ctx);
}

/* T = 1 .. 64 rows as chains, kept and as drafts, from places around borders of pages and chunks. */
static void test_chains(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    make_text(3);
    cache_shape shape = shape_of(2, 4, 2, 16, NIGH_KV_F16);
    attend_world w = attend_world_new(ctx, &shape);
    float *one = rows_of(&w, 700), *out = rows_of(&w, 64);
    nigh_lm_row rows[64];
    static const int64_t starts[] = {500, 1, 50, 64, 127, 512, 600};
    int all = sequence_new(&w);
    attend_world_read(&w, all, text, 700, 1, one);
    for (size_t k = 0; k < sizeof starts / sizeof *starts; k++)
        for (int T = 1; T <= 64; T += k ? 7 : 1) {
            int s;
            int32_t path[64];
            w.threads = 1 + T % 3;
            assert_int_equal(pages_fork(w.pages, all, starts[k], &s), NIGH_OK);
            for (int i = 0; i < T; i++) rows[i] = (nigh_lm_row){text[starts[k] + i], s, i - 1, false}, path[i] = i;
            attend_world_pass(&w, rows, T, true, out);
            assert_true(same(&w, one + starts[k] * attend_world_row(&w), out, T));
            assert_int_equal(pages_length(w.pages, s), starts[k]);
            assert_int_equal(cache_accept(w.pages, s, path, T / 2), NIGH_OK);
            for (int i = T / 2; i < T; i++) rows[i].parent = i == T / 2 ? -1 : i - T / 2 - 1;
            attend_world_pass(&w, rows + T / 2, T - T / 2, false, out);
            assert_true(same(&w, one + (starts[k] + T / 2) * attend_world_row(&w), out, T - T / 2));
            assert_int_equal(pages_length(w.pages, s), starts[k] + T);
            pages_drop(w.pages, s);
        }
    free(one);
    free(out);
    attend_world_free(&w);
    test_context_free(ctx);
}

/* One token of `path` after the other behind a fork of `from`, the last one's row. */
static void one_by_one(attend_world *w, int from, int64_t length, const int32_t *path, int64_t count, float *row)
{
    int s, threads = w->threads;
    float *out = rows_of(w, count);
    w->threads = 1;
    assert_int_equal(pages_fork(w->pages, from, length, &s), NIGH_OK);
    attend_world_read(w, s, path, count, 1, out);
    memcpy(row, out + (count - 1) * attend_world_row(w), (size_t)attend_world_row(w) * sizeof *row);
    pages_drop(w->pages, s);
    w->threads = threads;
    free(out);
}

/* Random trees of several sequences in one pass, beside every path decoded alone. */
static void random_tree(attend_world *w, const int *sequences, int n, nigh_rng *rng)
{
    int rows_n = 1 + (int)nigh_rng_below(rng, 64), last[4] = {-1, -1, -1, -1};
    nigh_lm_row rows[64];
    int32_t path[64];
    float *out = rows_of(w, rows_n), *row = rows_of(w, 1);
    for (int t = 0; t < rows_n; t++) {
        int k = (int)nigh_rng_below(rng, (uint64_t)n), parent = -1;
        if (last[k] >= 0 && nigh_rng_below(rng, 8)) {
            parent = nigh_rng_below(rng, 2) ? last[k] : (int)nigh_rng_below(rng, (uint64_t)t);
            while (rows[parent].sequence != sequences[k]) parent = (parent + 1) % t;
        }
        rows[t] = (nigh_lm_row){(int32_t)nigh_rng_below(rng, 1000), sequences[k], parent, false};
        last[k] = t;
    }
    attend_world_pass(w, rows, rows_n, true, out);
    for (int t = 0; t < rows_n; t++) {
        int depth = 0;
        for (int a = t; a >= 0; a = rows[a].parent) depth++;
        for (int a = t, i = depth; a >= 0; a = rows[a].parent) path[--i] = rows[a].token;
        one_by_one(w, rows[t].sequence, pages_length(w->pages, rows[t].sequence), path, depth, row);
        assert_true(same(w, row, out + t * attend_world_row(w), 1));
    }
    free(row);
    free(out);
}

static void test_trees(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    make_text(4);
    nigh_rng rng = nigh_rng_new(8, 8);
    for (int type = NIGH_KV_F16; type <= NIGH_KV_Q8; type++)
        for (int streams = 0; streams <= 2; streams++) {
            cache_shape shape = shape_of(2, 6, 2, 16, (nigh_kv_type)type);
            attend_world w = attend_world_new(ctx, &shape);
            for (int round = 0; round < 5; round++) {
                int s[3];
                int64_t length = (int64_t)nigh_rng_below(&rng, round % 2 ? 20 : 600);
                s[0] = sequence_new(&w);
                w.threads = 1 + round % 3;
                w.limit = streams == 1 ? 30 : 0;
                if (streams) assert_int_equal(pages_stream(w.pages, s[0], 10, 5 + (int64_t)nigh_rng_below(&rng, 100), w.limit), NIGH_OK);
                if (length) attend_world_read(&w, s[0], text, length, 200, NULL);
                for (int i = 1; i < 3; i++) { /* shared prefixes, another end */
                    int64_t back = length < 60 ? length : 60;
                    assert_int_equal(pages_fork(w.pages, s[0], length - (int64_t)nigh_rng_below(&rng, (uint64_t)back + 1), &s[i]), NIGH_OK);
                    attend_world_read(&w, s[i], text + 700 + 10 * i, (int64_t)nigh_rng_below(&rng, 90) + 1, 30, NULL);
                }
                random_tree(&w, s, 3, &rng);
                for (int i = 0; i < 3; i++) pages_drop(w.pages, s[i]);
            }
            assert_int_equal(cache_pages_bytes(w.pages), 0);
            attend_world_free(&w);
        }
    test_context_free(ctx);
}

/* Passes of random rows of several forked sequences that grow, beside each alone. */
static void test_batches(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    make_text(5);
    nigh_rng rng = nigh_rng_new(9, 9);
    enum { N = 4, LONG = 700 };
    cache_shape shape = shape_of(3, 6, 2, 24, NIGH_KV_F16);
    attend_world w = attend_world_new(ctx, &shape);
    int32_t words[N][LONG];
    int s[N];
    float *alone[N], *out = rows_of(&w, 600);
    s[0] = sequence_new(&w);
    attend_world_read(&w, s[0], text, 100, 100, NULL);
    for (int i = 0; i < N; i++) {
        int64_t shared = i ? 40 + 20 * i : 100;
        memcpy(words[i], text, sizeof words[i]);
        for (int64_t j = shared; j < LONG; j++) words[i][j] = (int32_t)nigh_rng_below(&rng, 1000);
        if (i) assert_int_equal(pages_fork(w.pages, s[0], shared, &s[i]), NIGH_OK);
        alone[i] = rows_of(&w, LONG);
        int single = sequence_new(&w);
        attend_world_read(&w, single, words[i], LONG, 1, alone[i]);
        pages_drop(w.pages, single);
    }
    for (int round = 0; round < 120; round++) {
        nigh_lm_row rows[600];
        int64_t count = 0, length[N], at[N], place[600];
        int last[N] = {-1, -1, -1, -1};
        for (int i = 0; i < N; i++) at[i] = length[i] = pages_length(w.pages, s[i]);
        int64_t wanted = 1 + (int64_t)nigh_rng_below(&rng, round % 10 ? 12 : 150);
        for (; count < wanted; count++) {
            int i = (int)nigh_rng_below(&rng, N);
            if (at[i] == LONG) break;
            rows[count] = (nigh_lm_row){words[i][at[i]], s[i], last[i], false};
            last[i] = (int)count;
            place[count] = at[i]++;
        }
        if (!count) break;
        w.threads = 1 + round % 3;
        attend_world_pass(&w, rows, count, false, out);
        for (int64_t t = 0; t < count; t++)
            for (int i = 0; i < N; i++)
                if (rows[t].sequence == s[i]) assert_true(same(&w, alone[i] + place[t] * attend_world_row(&w), out + t * attend_world_row(&w), 1));
    }
    for (int i = 0; i < N; i++) free(alone[i]);
    free(out);
    attend_world_free(&w);
    test_context_free(ctx);
}

/* Streams: the plain form; equal to no stream up to the window; any passes. */
static void test_streams(void **state)
{
    (void)state;
    static const int64_t kinds[][4] = {{0, 64, 0, 300}, {4, 100, 40, 300}, {16, 65, 0, 300}, {100, 33, 33, 400}, {600, 100, 50, MOST}, {600, 100, 0, 900}, {4, 600, 600, 900}};
    nigh_context *ctx = test_context_new();
    make_text(6);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        int64_t sinks = kinds[k][0], window = kinds[k][1], n = kinds[k][3];
        cache_shape shape = shape_of(2, 6, 2, 24, k % 3 == 1 ? NIGH_KV_Q8 : NIGH_KV_F16);
        attend_world w = attend_world_new(ctx, &shape);
        float *one = rows_of(&w, n), *out = rows_of(&w, n);
        int s = sequence_new(&w), plain = sequence_new(&w);
        w.limit = kinds[k][2];
        assert_int_equal(pages_stream(w.pages, s, sinks, window, w.limit), NIGH_OK);
        attend_world_read(&w, s, text, n, 1, one);
        for (int64_t length = 1; length <= n; length += length < window + 80 ? 29 : 197)
            assert_true(error_of(&w, one + (length - 1) * attend_world_row(&w), length, sinks, window) <= 4e-6);
        attend_world_read(&w, plain, text, n, 64, out);
        assert_true(same(&w, one, out, window));
        for (int64_t cut = 3; cut <= n; cut = cut * 9 + 1) {
            int other = sequence_new(&w);
            w.threads = 1 + (int)cut % 3;
            assert_int_equal(pages_stream(w.pages, other, sinks, window, w.limit), NIGH_OK);
            attend_world_read(&w, other, text, n, cut, out);
            assert_true(same(&w, one, out, n));
            pages_drop(w.pages, other);
        }
        free(one);
        free(out);
        attend_world_free(&w);
    }
    test_context_free(ctx);
}

/* All CPU levels that this machine has. */
static void test_levels(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    make_text(7);
    static const int sizes[] = {8, 64, 80, 136};
    for (int type = NIGH_KV_F16; type <= NIGH_KV_Q8; type++)
        for (int k = 0; k < 4; k++) {
            float *first = NULL;
            for (int level = NIGH_CPU_SCALAR; level <= (int)nigh_cpu(); level++) {
                cache_shape shape = shape_of(2, 4, 2, sizes[k], (nigh_kv_type)type);
                attend_world w = attend_world_new(ctx, &shape);
                w.pages->kernels = attend_kernels_at((nigh_cpu_level)level);
                if (k == 1) w.cap = 3;
                float *out = rows_of(&w, 150);
                attend_world_read(&w, sequence_new(&w), text, 150, 40, out);
                if (first) assert_true(same(&w, first, out, 150));
                free(first);
                first = out;
                attend_world_free(&w);
            }
            free(first);
        }
    test_context_free(ctx);
}

static void test_weights(void **state)
{
    (void)state;
    for (int level = NIGH_CPU_SCALAR; level <= (int)nigh_cpu(); level++) {
        const attend_kernels *k = attend_kernels_at((nigh_cpu_level)level);
        float row[512], maximum, sum;
        double worst = 0;
        for (int part = 0; part < 200; part++) {
            for (int i = 0; i < 512; i++) row[i] = -(float)(part * 512 + i) * (87.f / 102400);
            float top[512];
            memcpy(top, row, sizeof top);
            top[0] = 0;
            k->weights(top, 0, 512, 0, NULL, &maximum, &sum);
            assert_true(maximum == 0);
            for (int i = 1; i < 512; i++) worst = fmax(worst, fabs(top[i] / exp(row[i]) - 1));
        }
        assert_true(worst < 1e-7);
        float few[512] = {[5] = 1, [6] = -200, [7] = 1};
        k->weights(few, 5, 8, 0, NULL, &maximum, &sum);
        assert_true(few[4] == 0 && few[5] == 1 && few[6] == 0 && few[7] == 1 && few[8] == 0 && sum == 2 && maximum == 1);
    }
}

/* Half floats: all of them come back, and rounding is the nearest. */
static void test_half(void **state)
{
    (void)state;
    nigh_rng rng = nigh_rng_new(3, 3);
    for (int level = NIGH_CPU_SCALAR; level <= (int)nigh_cpu(); level++) {
        const attend_kernels *k = attend_kernels_at((nigh_cpu_level)level);
        for (uint32_t h = 0; h < 65536; h++) {
            uint16_t x = (uint16_t)h, back;
            float f, g;
            k->from_half(&x, 1, &f);
            if (!isfinite(f) || f == 0) continue;
            k->to_half(&f, 1, &back);
            assert_int_equal(back, x);
            g = nextafterf(f, (float)nigh_rng_normal(&rng));
            k->to_half(&g, 1, &back);
            assert_int_equal(back, x);
        }
        const float wild[] = {1e30f, -1e30f, INFINITY, -70000.f, 65519.f, 1e-9f, 0x1.ffcp-15f, 1.f + 0x1p-11f, 1.f + 0x3p-11f, 0x1p-25f, 0x1.8p-24f};
        const uint16_t right[] = {0x7bff, 0xfbff, 0x7bff, 0xfbff, 0x7bff, 0, 0x03ff + 1, 0x3c00, 0x3c02, 0, 2};
        uint16_t out[11];
        k->to_half(wild, 11, out);
        for (int i = 0; i < 11; i++) assert_int_equal(out[i], right[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),   cmocka_unit_test(test_passes), cmocka_unit_test(test_chains),  cmocka_unit_test(test_trees), cmocka_unit_test(test_batches),
        cmocka_unit_test(test_streams), cmocka_unit_test(test_levels), cmocka_unit_test(test_weights), cmocka_unit_test(test_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
