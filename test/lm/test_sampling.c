/* nigh/sampling.h: laws against plain enumeration, draws by chi-square, ties, penalties along histories, masks, the same bits at every level. */
#include "support.h"

#include "lm/sampling_kernels.h"
#include "nigh/random.h"
#include "nigh/sampling.h"
#include "nigh/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void random_logits(uint64_t seed, int64_t n, double spread, float *x)
{
    nigh_rng rng = nigh_rng_new(seed, 1);
    for (int64_t i = 0; i < n; i++) x[i] = (float)(spread * nigh_rng_normal(&rng));
}

/* ---- a plain reference ------------------------------------------------------------------------------------ */

typedef struct plain_token {
    int32_t id;
    double x, p, key;
    bool in;
} plain_token;

static int by_x(const void *a, const void *b)
{
    const plain_token *s = a, *t = b;
    return s->x != t->x ? (s->x < t->x) - (s->x > t->x) : (s->id > t->id) - (s->id < t->id);
}

static int by_key(const void *a, const void *b)
{
    const plain_token *s = a, *t = b;
    return s->key != t->key ? (s->key > t->key) - (s->key < t->key) : by_x(a, b);
}

static void renormalise(int n, plain_token *t)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += t[i].p = t[i].in ? t[i].p : 0;
    for (int i = 0; i < n; i++) t[i].p /= sum;
}

/* Keeps the first tokens, in the order at hand, up to `mass`. */
static void keep_mass(int n, plain_token *t, double mass)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        t[i].in = t[i].in && sum < mass;
        sum += t[i].p;
    }
}

static void plain_law(const nigh_sampling *set, int n, const float *logits, const int32_t *history, int64_t position, const uint64_t *allowed, double *law)
{
    plain_token *t = calloc((size_t)n, sizeof *t);
    for (int i = 0; i < n; i++) t[i] = (plain_token){.id = i, .x = logits[i], .in = true};
    for (int64_t i = 0; i < set->biases; i++) t[set->bias[i].token].x += set->bias[i].add;
    for (int i = 0; i < n; i++) {
        int64_t times = 0;
        for (int64_t k = 0; history && k < position; k++) times += history[k] == i && (!set->penalty_window || k >= position - set->penalty_window);
        if (times) t[i].x = t[i].x > 0 ? t[i].x / set->repeat_penalty : t[i].x * set->repeat_penalty;
        if (times) t[i].x -= set->presence_penalty + (double)times * set->frequency_penalty;
        if (allowed && !(allowed[i / 64] >> i % 64 & 1)) t[i].x = -INFINITY;
    }
    qsort(t, (size_t)n, sizeof *t, by_x);
    double temperature = set->temperature > 0 ? set->temperature : 1, most = 0;
    for (int i = 0; i < n; i++) t[i].p = exp((t[i].x - t[0].x) / temperature);
    for (int i = 0; i < n; i++) t[i].in = set->temperature > 0 ? !set->top_k || i < set->top_k : i == 0;
    renormalise(n, t);
    if (set->typical < 1) {
        double entropy = 0;
        for (int i = 0; i < n; i++) entropy -= t[i].p > 0 ? t[i].p * log(t[i].p) : 0;
        for (int i = 0; i < n; i++) t[i].key = t[i].p > 0 ? fabs(-log(t[i].p) - entropy) : INFINITY;
        qsort(t, (size_t)n, sizeof *t, by_key);
        keep_mass(n, t, set->typical);
        renormalise(n, t);
        qsort(t, (size_t)n, sizeof *t, by_x);
    }
    if (set->top_p < 1) keep_mass(n, t, set->top_p), renormalise(n, t);
    for (int i = 0; i < n; i++) most = fmax(most, t[i].p);
    for (int i = 0; i < n; i++) t[i].in = t[i].in && t[i].p >= set->min_p * most;
    renormalise(n, t);
    for (int i = 0; i < n; i++) law[t[i].id] = t[i].p;
    free(t);
}

static void compare(const nigh_sampling *set, int n, const float *logits, const int32_t *history, int64_t position, const uint64_t *allowed)
{
    nigh_context *ctx = test_context_new();
    nigh_sampler *s;
    double *got = malloc((size_t)n * sizeof *got), *want = malloc((size_t)n * sizeof *want);
    plain_law(set, n, logits, history, position, allowed, want);
    assert_ok(ctx, nigh_sampler_new(ctx, set, n, &s));
    assert_ok(ctx, nigh_sampler_law(s, logits, history, position, allowed, got));
    for (int i = 0; i < n; i++) assert_near(got[i], want[i], 1e-12, 3e-6);
    nigh_sampler_free(s);
    free(got);
    free(want);
    test_context_free(ctx);
}

/* ---- laws ------------------------------------------------------------------------------------------------- */

static void laws_are_those_of_the_steps(void **state)
{
    (void)state;
    float x[1500];
    static const int sizes[] = {1, 7, 16, 40, 255, 257, 700, 1500};
    for (int k = 0; k < 8; k++) {
        int n = sizes[k];
        random_logits((uint64_t)k, n, 2, x);
        for (int round = 0; round < 24; round++) {
            nigh_sampling set = nigh_sampling_default();
            static const double temperature[] = {0, .3, 1, 1.7}, top_p[] = {1, .9, .37, 1e-9}, min_p[] = {0, .05, .9}, typical[] = {1, .8, .2};
            static const int64_t top_k[] = {0, 1, 5, 900};
            set.temperature = temperature[round % 4];
            set.top_p = top_p[round / 2 % 4];
            set.min_p = min_p[round % 3];
            set.typical = typical[round / 3 % 3];
            set.top_k = top_k[round / 5 % 4];
            compare(&set, n, x, NULL, 3, NULL);
        }
    }
}

static void ties_go_to_the_lowest_ids(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    float x[600];
    double p[600];
    for (int i = 0; i < 600; i++) x[i] = i % 3 == 1 ? 2 : i % 3 == 0 ? -0.f : -1;
    nigh_sampling set = nigh_sampling_default();
    nigh_sampler *s;
    int32_t token;
    assert_ok(ctx, nigh_sampler_new(ctx, &set, 600, &s));
    assert_ok(ctx, nigh_sampler_pick(s, x, NULL, 0, NULL, 0, &token, NULL));
    assert_int_equal(token, 1);
    nigh_sampler_free(s);
    set.temperature = 1, set.top_k = 4;
    assert_ok(ctx, nigh_sampler_new(ctx, &set, 600, &s));
    assert_ok(ctx, nigh_sampler_law(s, x, NULL, 0, NULL, p));
    for (int i = 0; i < 600; i++) assert_near(p[i], i == 1 || i == 4 || i == 7 || i == 10 ? .25 : 0, 0, 0);
    nigh_sampler_free(s);
    compare(&set, 600, x, NULL, 0, NULL);
    set.top_k = 0, set.top_p = .1;
    compare(&set, 600, x, NULL, 0, NULL);
    set.top_p = 1, set.typical = .1;
    compare(&set, 600, x, NULL, 0, NULL);
    test_context_free(ctx);
}

static void penalties_biases_and_masks(void **state)
{
    (void)state;
    enum { N = 300 };
    float x[N];
    int32_t history[40];
    uint64_t allowed[5];
    nigh_rng rng = nigh_rng_new(5, 0);
    random_logits(9, N, 2, x);
    for (int i = 0; i < 40; i++) history[i] = (int32_t)nigh_rng_below(&rng, 20);
    for (int i = 0; i < 5; i++) allowed[i] = nigh_rng_u64(&rng);
    nigh_logit_bias bias[] = {{3, 4}, {7, -INFINITY}, {250, -1.5f}, {3, 1}};
    nigh_sampling set = nigh_sampling_default();
    set.temperature = .8, set.repeat_penalty = 1.3, set.presence_penalty = .25, set.frequency_penalty = .5;
    for (int64_t position = 0; position <= 40; position += 8)
        for (set.penalty_window = 0; set.penalty_window < 50; set.penalty_window += 16) {
            set.bias = NULL, set.biases = 0;
            compare(&set, N, x, history, position, NULL);
            compare(&set, N, x, history, position, allowed);
            set.bias = bias, set.biases = 4;
            compare(&set, N, x, history, position, allowed);
        }
    set.temperature = 0;
    compare(&set, N, x, history, 40, allowed);
    set.temperature = 1, set.top_k = 30, set.typical = .7, set.top_p = .9, set.min_p = .02;
    compare(&set, N, x, history, 40, allowed);
    memset(allowed, 0, sizeof allowed);
    allowed[4] = 1 << 10; /* token 266 alone */
    compare(&set, N, x, history, 40, allowed);
}

/* ---- draws ------------------------------------------------------------------------------------------------ */

static void chi_square(const nigh_sampling *set, int n, const float *x)
{
    enum { DRAWS = 20000 };
    nigh_context *ctx = test_context_new();
    nigh_sampler *s;
    double *p = malloc((size_t)n * sizeof *p), *counts = calloc((size_t)n, sizeof *counts), cell[2] = {0, 0}, expect[2] = {0, 0};
    assert_ok(ctx, nigh_sampler_new(ctx, set, n, &s));
    assert_ok(ctx, nigh_sampler_law(s, x, NULL, 0, NULL, p));
    for (int i = 0; i < DRAWS; i++) {
        int32_t token;
        assert_ok(ctx, nigh_sampler_pick(s, x, NULL, i, NULL, 7, &token, NULL));
        assert_true(p[token] > 0);
        counts[token]++;
    }
    int cells = 0; /* rare ones together */
    for (int i = 0; i < n; i++) {
        if (p[i] * DRAWS < 10) cell[0] += counts[i], expect[0] += p[i] * DRAWS;
        else counts[cells] = counts[i], p[cells++] = p[i] * DRAWS;
    }
    if (expect[0] > 5) counts[cells] = cell[0], p[cells++] = expect[0];
    nigh_test test;
    assert_ok(ctx, nigh_chi_square_fit(ctx, cells, counts, p, 0, &test));
    assert_true(test.p > 1e-4);
    nigh_sampler_free(s);
    free(p);
    free(counts);
    test_context_free(ctx);
}

static void draws_follow_the_law(void **state)
{
    (void)state;
    float x[700];
    random_logits(3, 700, 2, x);
    nigh_sampling set = nigh_sampling_default();
    set.temperature = 1, set.seed = 11;
    chi_square(&set, 700, x);
    set.top_k = 20;
    chi_square(&set, 700, x);
    set.top_k = 0, set.top_p = .8;
    chi_square(&set, 700, x);
    set.top_p = 1, set.min_p = .1;
    chi_square(&set, 700, x);
    set.min_p = 0, set.typical = .5;
    chi_square(&set, 700, x);
}

static void a_draw_depends_on_seed_stream_and_position_alone(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    float x[90];
    int32_t forward[50], token, differs = 0;
    random_logits(4, 90, 1, x);
    nigh_sampling set = nigh_sampling_default();
    set.temperature = 1, set.seed = 99;
    nigh_sampler *s;
    assert_ok(ctx, nigh_sampler_new(ctx, &set, 90, &s));
    for (int i = 0; i < 50; i++) assert_ok(ctx, nigh_sampler_pick(s, x, NULL, i, NULL, 5, forward + i, NULL));
    for (int i = 49; i >= 0; i--) {
        assert_ok(ctx, nigh_sampler_pick(s, x, NULL, i, NULL, 5, &token, NULL));
        assert_int_equal(token, forward[i]);
        assert_ok(ctx, nigh_sampler_pick(s, x, NULL, i, NULL, 6, &token, NULL));
        differs += token != forward[i];
    }
    assert_true(differs > 30);
    nigh_sampler_free(s);
    test_context_free(ctx);
}

static void log_p_is_of_the_plain_softmax(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    float x[500];
    random_logits(8, 500, 3, x);
    double most = x[0], sum = 0;
    for (int i = 0; i < 500; i++) most = fmax(most, x[i]);
    for (int i = 0; i < 500; i++) sum += exp(x[i] - most);
    nigh_logit_bias bias = {17, 30};
    for (int round = 0; round < 4; round++) {
        nigh_sampling set = nigh_sampling_default();
        set.temperature = round == 0 ? 0 : round == 1 ? 1 : .5;
        set.top_k = round == 2 ? 3 : 0;
        if (round == 3) set.bias = &bias, set.biases = 1;
        nigh_sampler *s;
        assert_ok(ctx, nigh_sampler_new(ctx, &set, 500, &s));
        for (int i = 0; i < 20; i++) {
            int32_t token;
            double log_p;
            assert_ok(ctx, nigh_sampler_pick(s, x, NULL, i, NULL, 0, &token, &log_p));
            assert_near(log_p, x[token] - most - log(sum), 2e-6, 1e-6);
            if (round == 3) assert_int_equal(token, 17);
        }
        nigh_sampler_free(s);
    }
    test_context_free(ctx);
}

/* ---- kernels ---------------------------------------------------------------------------------------------- */

static void levels_give_the_same_bits(void **state)
{
    (void)state;
    enum { N = 1000, BLOCKS = 4 };
    float x[N], w[3][N], most[3][BLOCKS];
    double sum[3][BLOCKS], turn[3][BLOCKS];
    for (int n = 1; n <= N; n += n < 40 ? 1 : 47) {
        random_logits((uint64_t)n, n, 20, x);
        if (n > 3) x[n / 2] = -INFINITY;
        memset(w, 0, sizeof w);
        for (int level = 0; level <= (int)nigh_cpu(); level++) {
            const sampling_kernels *k = sampling_kernels_at((nigh_cpu_level)level);
            assert_true(k->scan(n, x, most[level]));
            float max = -INFINITY;
            for (int64_t b = 0; b < sampling_blocks(n); b++) max = fmaxf(max, most[level][b]);
            k->weigh(n, x, max, .77f, 1e-9f, w[level], sum[level], turn[level]);
            assert_memory_equal(w[0], w[level], sizeof w[0]);
            assert_memory_equal(most[0], most[level], sizeof(float) * (size_t)sampling_blocks(n));
            assert_memory_equal(sum[0], sum[level], sizeof(double) * (size_t)sampling_blocks(n));
            assert_memory_equal(turn[0], turn[level], sizeof(double) * (size_t)sampling_blocks(n));
        }
        for (int i = 0; i < n; i += 1 + n / 10) {
            float held = x[i];
            x[i] = NAN;
            for (int level = 0; level <= (int)nigh_cpu(); level++) assert_false(sampling_kernels_at((nigh_cpu_level)level)->scan(n, x, most[level]));
            x[i] = held;
        }
    }
}

/* What every compiler and level must give: a hash of laws and draws. */
static void the_same_bits_everywhere(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    float x[3000];
    double p[3000];
    uint64_t hash = 14695981039346656037u;
    nigh_rng rng = nigh_rng_new(77, 0);
    for (int i = 0; i < 3000; i++) x[i] = 12 * nigh_rng_f32(&rng) * nigh_rng_f32(&rng);
    for (int round = 0; round < 6; round++) {
        nigh_sampling set = nigh_sampling_default();
        nigh_sampler *s;
        set.temperature = .85, set.seed = 5;
        if (round == 1) set.top_k = 40;
        if (round == 2) set.top_p = .9;
        if (round == 3) set.typical = .5;
        if (round == 4) set.min_p = .2;
        if (round == 5) set.top_k = 900, set.typical = .9, set.top_p = .8, set.min_p = .05;
        assert_ok(ctx, nigh_sampler_new(ctx, &set, 3000, &s));
        assert_ok(ctx, nigh_sampler_law(s, x, NULL, 0, NULL, p));
        for (size_t i = 0; i < sizeof p; i++) hash = (hash ^ ((const unsigned char *)p)[i]) * 1099511628211u;
        for (int i = 0; i < 100; i++) {
            int32_t token;
            assert_ok(ctx, nigh_sampler_pick(s, x, NULL, i, NULL, 1, &token, NULL));
            hash = (hash ^ (uint64_t)token) * 1099511628211u;
        }
        nigh_sampler_free(s);
    }
    assert_int_equal(hash, 0x4f78507408f6b9a6u);
    test_context_free(ctx);
}

static void a_large_vocabulary(void **state)
{
    (void)state;
    enum { N = 262144 };
    nigh_context *ctx = test_context_new();
    float *x = malloc(N * sizeof *x);
    double *p = malloc(N * sizeof *p);
    random_logits(1, N, 3, x);
    for (int round = 0; round < 5; round++) {
        nigh_sampling set = nigh_sampling_default();
        set.temperature = .9;
        if (round == 1) set.top_k = 40;
        if (round == 2) set.top_p = .95;
        if (round == 3) set.typical = .9;
        if (round == 4) set.top_k = 5000, set.top_p = .9, set.min_p = .01;
        compare(&set, N, x, NULL, 0, NULL);
    }
    for (int i = 0; i < N; i++) x[i] = 1; /* all equal */
    nigh_sampling set = nigh_sampling_default();
    set.temperature = 1, set.top_p = .5;
    nigh_sampler *s;
    assert_ok(ctx, nigh_sampler_new(ctx, &set, N, &s));
    assert_ok(ctx, nigh_sampler_law(s, x, NULL, 0, NULL, p));
    assert_near(p[N / 2 - 1], 2. / N, 0, 1e-9);
    assert_true(p[N / 2] == 0);
    nigh_sampler_free(s);
    free(x);
    free(p);
    test_context_free(ctx);
}

/* ---- bad input -------------------------------------------------------------------------------------------- */

static void bad_logits_are_refused(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_sampler *s;
    float x[70];
    int32_t token = 42, history[2] = {1, 70};
    uint64_t none[2] = {0, ~(uint64_t)63};
    nigh_sampling set = nigh_sampling_default();
    set.presence_penalty = 1;
    for (int draw = 0; draw < 2; draw++) {
        set.temperature = draw;
        random_logits(2, 70, 1, x);
        assert_ok(ctx, nigh_sampler_new(ctx, &set, 70, &s));
        x[69] = NAN;
        assert_fails(ctx, nigh_sampler_pick(s, x, NULL, 0, NULL, 0, &token, NULL), NIGH_INVALID, "logit 69 is NaN");
        none[0] = 1;
        assert_fails(ctx, nigh_sampler_pick(s, x, NULL, 0, none, 0, &token, NULL), NIGH_INVALID, "logit 69 is NaN");
        none[0] = 0;
        x[69] = INFINITY;
        assert_fails(ctx, nigh_sampler_pick(s, x, NULL, 0, NULL, 0, &token, NULL), NIGH_INVALID, "logit 69 is inf");
        x[69] = 0;
        assert_fails(ctx, nigh_sampler_pick(s, x, NULL, 0, none, 0, &token, NULL), NIGH_INVALID, "no token is left");
        assert_fails(ctx, nigh_sampler_pick(s, x, history, 2, NULL, 0, &token, NULL), NIGH_INVALID, "history[1] is 70");
        assert_fails(ctx, nigh_sampler_pick(s, x, NULL, 2, NULL, 0, &token, NULL), NIGH_INVALID, "history");
        for (int i = 0; i < 70; i++) x[i] = -INFINITY;
        assert_fails(ctx, nigh_sampler_pick(s, x, NULL, 0, NULL, 0, &token, NULL), NIGH_INVALID, "no token is left");
        assert_int_equal(token, 42);
        nigh_sampler_free(s);
    }
    test_context_free(ctx);
}

static void settings_are_checked(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_sampler *s = NULL;
    nigh_logit_bias far = {10, 0}, endless = {1, INFINITY};
    const nigh_sampling good = nigh_sampling_default();
#define REFUSES(part, ...)                                                                       \
    do {                                                                                         \
        nigh_sampling set = good;                                                                \
        __VA_ARGS__;                                                                             \
        assert_fails(ctx, nigh_sampler_new(ctx, &set, 10, &s), NIGH_INVALID, part);              \
    } while (0)
    REFUSES("temperature is -1", set.temperature = -1);
    REFUSES("temperature is nan", set.temperature = (double)NAN);
    REFUSES("top_k is -1", set.top_k = -1);
    REFUSES("top_p is 0", set.top_p = 0);
    REFUSES("top_p is 1.5", set.top_p = 1.5);
    REFUSES("min_p is 1", set.min_p = 1);
    REFUSES("typical is 0", set.typical = 0);
    REFUSES("repeat_penalty is 0", set.repeat_penalty = 0);
    REFUSES("presence_penalty is inf", set.presence_penalty = (double)INFINITY);
    REFUSES("frequency_penalty is nan", set.frequency_penalty = (double)NAN);
    REFUSES("penalty_window is -3", set.penalty_window = -3);
    REFUSES("token 10", set.bias = &far; set.biases = 1);
    REFUSES("token 1 is inf", set.bias = &endless; set.biases = 1);
    assert_fails(ctx, nigh_sampler_new(ctx, &good, 0, &s), NIGH_INVALID, "vocabulary is 0");
    assert_null(s);
    test_context_free(ctx);
    nigh_sampling set = good;
    far.token = 3;
    set.temperature = 1, set.top_k = 3, set.presence_penalty = 1, set.bias = &far, set.biases = 1;
    for (long fail = 1; fail < 14; fail++) {
        test_allocator allocator = {.fail_at = fail};
        ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_status status = nigh_sampler_new(ctx, &set, 10, &s);
        assert_true(status == NIGH_MEMORY || status == NIGH_OK);
        if (!status) nigh_sampler_free(s);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(laws_are_those_of_the_steps),
        cmocka_unit_test(ties_go_to_the_lowest_ids),
        cmocka_unit_test(penalties_biases_and_masks),
        cmocka_unit_test(draws_follow_the_law),
        cmocka_unit_test(a_draw_depends_on_seed_stream_and_position_alone),
        cmocka_unit_test(log_p_is_of_the_plain_softmax),
        cmocka_unit_test(levels_give_the_same_bits),
        cmocka_unit_test(the_same_bits_everywhere),
        cmocka_unit_test(a_large_vocabulary),
        cmocka_unit_test(bad_logits_are_refused),
        cmocka_unit_test(settings_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
