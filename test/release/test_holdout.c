/* The reusable hold-out: what it must never give away, its budget, its noise, its bounds, bad input. */
#include "support.h"

#include "nigh/random.h"
#include "nigh/release.h"
#include "nigh/special.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static nigh_holdout *open_with(nigh_context *ctx, const nigh_holdout_options *o)
{
    nigh_holdout *h = NULL;
    assert_ok(ctx, nigh_holdout_new(ctx, o, &h));
    return h;
}

static void budget_is_exact(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (int kind = NIGH_HOLDOUT_THRESHOLDOUT; kind <= NIGH_HOLDOUT_SPARSE_VALIDATE; kind++) {
        nigh_holdout_options o = nigh_holdout_options_default(10000);
        o.kind = (nigh_holdout_kind)kind, o.budget = 3;
        nigh_holdout *h = open_with(ctx, &o);
        nigh_holdout_answer a;
        for (int i = 0; i < 3; i++) {
            assert_ok(ctx, nigh_holdout_ask(h, NULL, 0.5, 0.5, &a)); /* near: free */
            assert_false(a.consulted);
            assert_int_equal(a.budget_left, 3 - i);
            assert_ok(ctx, nigh_holdout_ask(h, "off", 0.9, 0.1, &a));
            assert_true(a.consulted);
            assert_int_equal(a.budget_left, 2 - i);
        }
        assert_int_equal(nigh_holdout_used(h), 3);
        assert_fails(ctx, nigh_holdout_ask(h, NULL, 0.9, 0.1, &a), NIGH_RESOURCE, "used up");
        assert_fails(ctx, nigh_holdout_ask(h, NULL, 0.5, 0.5, &a), NIGH_RESOURCE, "used up"); /* near ones, too */
        assert_int_equal(nigh_holdout_asked(h), 6);
        const char *name;
        assert_ok(ctx, nigh_holdout_answer_at(h, 3, &name, &a));
        assert_string_equal(name, "off");
        assert_int_equal(a.budget_left, 1);
        assert_fails(ctx, nigh_holdout_answer_at(h, 6, &name, &a), NIGH_INVALID, "0 to 5");
        nigh_holdout_free(h);
    }
    test_context_free(ctx);
}

/* While answers agree with the training set nothing of the hold-out shows: another hold-out gives the same bits. */
static void near_answers_do_not_show_the_holdout(void **state)
{
    (void)state;
    enum { N = 2000 };
    nigh_context *ctx = test_context_new();
    nigh_holdout_options o = nigh_holdout_options_default(N);
    o.threshold = 0.4, o.seed = 7; /* two samples of one law never differ by this much */
    nigh_holdout *one = open_with(ctx, &o), *two = open_with(ctx, &o);
    double *rows = nigh_alloc(ctx, 3 * N * sizeof *rows);
    for (int q = 0; q < 200; q++) {
        nigh_rng rng = nigh_rng_new(3, (uint64_t)q);
        double power = 0.2 + 0.02 * q, sum = 0;
        for (int i = 0; i < 3 * N; i++) rows[i] = pow(nigh_rng_f64(&rng), power);
        for (int i = 0; i < N; i++) sum += rows[i];
        nigh_holdout_answer a, b;
        assert_ok(ctx, nigh_holdout_ask_values(one, NULL, N, rows, rows + N, &a));
        assert_ok(ctx, nigh_holdout_ask_values(two, NULL, N, rows, rows + 2 * N, &b));
        assert_false(a.consulted || b.consulted);
        assert_memory_equal(&a, &b, sizeof a);
        assert_near(a.value, sum / N, 1e-12, 0);
    }
    nigh_free(ctx, rows);
    nigh_holdout_free(one);
    nigh_holdout_free(two);
    test_context_free(ctx);
}

static void without_noise_and_threshold_it_is_plain_reuse(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_holdout_options o = nigh_holdout_options_default(100), p = o;
    o.threshold = o.scale = 0;
    p.kind = NIGH_HOLDOUT_PLAIN;
    nigh_holdout *h = open_with(ctx, &o), *plain = open_with(ctx, &p);
    nigh_rng rng = nigh_rng_new(1, 0);
    for (int i = 0; i < 500; i++) {
        double t = nigh_rng_f64(&rng), s = i % 5 ? nigh_rng_f64(&rng) : t;
        nigh_holdout_answer a, b;
        assert_ok(ctx, nigh_holdout_ask(h, NULL, t, s, &a));
        assert_ok(ctx, nigh_holdout_ask(plain, NULL, t, s, &b));
        assert_true(a.value == s && b.value == s);
    }
    assert_true(nigh_holdout_tau_theorem(h) == 1);
    nigh_holdout_free(h);
    nigh_holdout_free(plain);
    test_context_free(ctx);
}

/* The noise of answer j depends on (seed, j) alone. */
static void noise_belongs_to_its_number(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_holdout_options o = nigh_holdout_options_default(10000);
    o.seed = 11;
    nigh_holdout *a = open_with(ctx, &o), *b = open_with(ctx, &o);
    nigh_holdout_answer x, y;
    for (int j = 0; j < 50; j++) {
        bool both = j % 7 == 3;
        assert_ok(ctx, nigh_holdout_ask(a, NULL, 0.9, 0.2, &x));
        assert_ok(ctx, nigh_holdout_ask(b, NULL, both ? 1 : 0.5, 0.5, &y));
        if (both) assert_near(x.value - 0.2, y.value - 0.5, 1e-15, 0);
    }
    o.seed = 12;
    nigh_holdout *c = open_with(ctx, &o);
    assert_ok(ctx, nigh_holdout_ask(c, NULL, 0.9, 0.2, &y));
    const char *name;
    assert_ok(ctx, nigh_holdout_answer_at(a, 0, &name, &x));
    assert_true(x.value != y.value);
    nigh_holdout_free(a);
    nigh_holdout_free(b);
    nigh_holdout_free(c);
    test_context_free(ctx);
}

/* P(X + Y > t), X ~ Lap(a), Y ~ Lap(b), a != b, t >= 0. */
static double tail_of_two(double a, double b, double t) { return (b * b * exp(-t / b) - a * a * exp(-t / a)) / (2 * (b * b - a * a)); }

static void noise_has_the_stated_scales(void **state)
{
    (void)state;
    enum { TRIES = 5000 };
    nigh_context *ctx = test_context_new();
    for (int noise = 0; noise < 2; noise++) {
        nigh_holdout_options o = nigh_holdout_options_default(10000);
        o.noise = (nigh_holdout_noise)noise;
        o.threshold = 0.04, o.scale = 0.01;
        double off = 0, size = 0;
        for (int i = 0; i < TRIES; i++) {
            o.seed = (uint64_t)i;
            nigh_holdout *h = open_with(ctx, &o);
            nigh_holdout_answer a;
            assert_ok(ctx, nigh_holdout_ask(h, NULL, 0.5, 0.52, &a));
            off += a.consulted;
            assert_ok(ctx, nigh_holdout_ask(h, NULL, 0, 1, &a));
            size += fabs(a.value - 1);
            nigh_holdout_free(h);
        }
        /* consulted when the noise is below 0.02 - 0.04 */
        double expected = noise ? tail_of_two(0.02, 0.04, 0.02) : 0.5 * exp(-0.02 / 0.01);
        assert_near(off / TRIES, expected, 4 * sqrt(expected / TRIES), 0);
        assert_near(size / TRIES, 0.01, 4 * 0.01 / sqrt(TRIES), 0); /* the mean of |Lap(b)| is b, its deviation b */
    }
    test_context_free(ctx);
}

static void gaussian_noise_is_tuned(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    int64_t n = 2000, m = 2000;
    double z = nigh_normal_tail_quantile(0.05 / (2.0 * (double)m));
    assert_near(nigh_holdout_sigma(n, m, 1, 0.05), sqrt(sqrt((double)m) / (4 * (double)n * z)), 0, 1e-6); /* where the derivative is 0 */
    assert_near(nigh_holdout_sigma(n, m, 16, 0.05), 16 * nigh_holdout_sigma(n, m, 1, 0.05), 0, 1e-6);
    nigh_holdout_options o = nigh_holdout_options_default(n);
    o.kind = NIGH_HOLDOUT_GAUSSIAN, o.queries = m;
    nigh_holdout *h = open_with(ctx, &o);
    double squares = 0, sigma = nigh_holdout_settings(h)->scale;
    nigh_holdout_answer a;
    for (int64_t i = 0; i < m; i++) {
        assert_ok(ctx, nigh_holdout_ask(h, NULL, NAN, 0.25, &a));
        squares += (a.value - 0.25) * (a.value - 0.25);
    }
    assert_near(squares / (double)m, sigma * sigma, 4 * sigma * sigma * sqrt(2.0 / (double)m), 0);
    assert_fails(ctx, nigh_holdout_ask(h, NULL, NAN, 0.25, &a), NIGH_RESOURCE, "all 2000 questions");
    nigh_holdout_free(h);
    test_context_free(ctx);
}

static void ladder_rises_by_steps(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_holdout_options o = nigh_holdout_options_default(5000);
    o.kind = NIGH_HOLDOUT_LADDER, o.queries = 300;
    nigh_holdout *h = open_with(ctx, &o);
    double step = nigh_holdout_settings(h)->step, best = -1;
    assert_true(step > 0 && step < 1);
    nigh_rng rng = nigh_rng_new(5, 0);
    for (int i = 0; i < 300; i++) {
        nigh_holdout_answer a;
        double score = nigh_rng_f64(&rng);
        assert_ok(ctx, nigh_holdout_ask(h, NULL, NAN, score, &a));
        assert_near(a.value / step, nearbyint(a.value / step), 1e-9, 0);
        if (i > 0 && score <= best + step) assert_true(a.value == best && !a.consulted);
        else assert_true(a.value > best && fabs(a.value - score) <= step / 2 + 1e-12);
        best = a.value;
    }
    nigh_holdout_free(h);
    test_context_free(ctx);
}

static void split_uses_each_row_once(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_holdout_options o = nigh_holdout_options_default(103);
    o.kind = NIGH_HOLDOUT_SPLIT, o.queries = 10;
    nigh_holdout *h = open_with(ctx, &o);
    double rows[103];
    nigh_holdout_answer a;
    for (int i = 0; i < 103; i++) rows[i] = i / 10 / 100.0;
    assert_fails(ctx, nigh_holdout_ask(h, NULL, NAN, 0.5, &a), NIGH_INVALID, "every row");
    for (int j = 0; j < 10; j++) {
        assert_ok(ctx, nigh_holdout_ask_values(h, NULL, 0, NULL, rows, &a));
        assert_near(a.value, j / 100.0, 1e-14, 0);
    }
    assert_fails(ctx, nigh_holdout_ask_values(h, NULL, 0, NULL, rows, &a), NIGH_RESOURCE, "all 10");
    assert_near(nigh_holdout_tau_theorem(h), sqrt(log(2 * 10 / 0.05) / (2.0 * 10)), 1e-12, 0);
    nigh_holdout_free(h);
    test_context_free(ctx);
}

static double theorem_of(nigh_context *ctx, nigh_holdout_noise noise, double scale, int64_t budget, int64_t queries)
{
    nigh_holdout_options o = nigh_holdout_options_default(10000);
    o.noise = noise, o.scale = scale, o.threshold = 0.04, o.budget = budget, o.queries = queries;
    nigh_holdout *h = open_with(ctx, &o);
    double tau = nigh_holdout_tau_theorem(h);
    nigh_holdout_free(h);
    return tau;
}

static void bounds_move_as_they_must(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    double last = 0;
    for (int64_t b = 1; b <= 4096; b *= 4) { /* more budget, weaker */
        double tau = theorem_of(ctx, NIGH_HOLDOUT_TEXTBOOK, 0.01, b, 1000);
        assert_true(tau >= last && tau <= 1);
        last = tau;
    }
    assert_true(last == 1);
    assert_true(theorem_of(ctx, NIGH_HOLDOUT_TEXTBOOK, 0.01, 1, 100000) > theorem_of(ctx, NIGH_HOLDOUT_TEXTBOOK, 0.01, 1, 100));
    /* one unit, composed by hand: eps = 2/(sigma n) = 0.02, alpha = T + 2 sigma ln(2/b) + 4 sigma ln(2m/b), b = beta c */
    double best = 1;
    for (double c = 1e-4; c < 1; c *= 1.001) {
        double b = 0.05 * c;
        best = fmin(best, 0.04 + 0.02 * log(2 / b) + 0.04 * log(2000 / b) + expm1(0.02) + c);
    }
    assert_near(theorem_of(ctx, NIGH_HOLDOUT_TEXTBOOK, 0.01, 1, 1000), best, 0, 0.01);
    nigh_holdout_options o = nigh_holdout_options_default(10000);
    o.kind = NIGH_HOLDOUT_PLAIN;
    nigh_holdout *h = open_with(ctx, &o);
    nigh_holdout_answer a;
    assert_ok(ctx, nigh_holdout_ask(h, NULL, NAN, 0.5, &a));
    assert_near(a.theorem, sqrt(log(40) / 20000), 1e-12, 0);
    assert_ok(ctx, nigh_holdout_ask(h, NULL, NAN, 0.5, &a));
    assert_true(a.theorem == 1);
    nigh_holdout_free(h);
    test_context_free(ctx);
}

static void values_outside_are_refused_or_clipped(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_holdout_options o = nigh_holdout_options_default(4);
    nigh_holdout_answer a;
    double good[4] = {0, 1, 0.5, 0.5}, high[4] = {0, 1, 1.5, 0.5}, nan[4] = {0, NAN, 0, 0};
    nigh_holdout *h = open_with(ctx, &o);
    assert_fails(ctx, nigh_holdout_ask_values(h, NULL, 4, good, high, &a), NIGH_INVALID, "hold-out value number 2 is 1.5; 0 to 1");
    assert_fails(ctx, nigh_holdout_ask_values(h, NULL, 4, high, good, &a), NIGH_INVALID, "clipping");
    assert_fails(ctx, nigh_holdout_ask_values(h, NULL, 4, nan, good, &a), NIGH_INVALID, "training value number 1 is nan");
    assert_fails(ctx, nigh_holdout_ask_values(h, NULL, 0, NULL, good, &a), NIGH_INVALID, "0 training rows");
    assert_fails(ctx, nigh_holdout_ask(h, NULL, 0.5, -0.1, &a), NIGH_INVALID, "hold-out mean is -0.1");
    assert_fails(ctx, nigh_holdout_ask(h, NULL, NAN, 0.5, &a), NIGH_INVALID, "training mean");
    assert_fails(ctx, nigh_holdout_ask(h, "\xff\xfe", 0.5, 0.5, &a), NIGH_INVALID, "UTF-8");
    assert_int_equal(nigh_holdout_asked(h), 0);
    nigh_holdout_free(h);
    o.clip = true;
    h = open_with(ctx, &o);
    assert_ok(ctx, nigh_holdout_ask_values(h, NULL, 4, high, high, &a));
    assert_int_equal(a.clipped, 2);
    assert_near(a.value, 0.625, 1e-15, 0);
    assert_fails(ctx, nigh_holdout_ask_values(h, NULL, 4, nan, good, &a), NIGH_INVALID, "nan");
    nigh_holdout_free(h);
    test_context_free(ctx);
}

static void options_are_checked(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_holdout *h = NULL;
    const nigh_holdout_options base = nigh_holdout_options_default(100);
    nigh_holdout_options o;
    struct {
        nigh_holdout_options options;
        const char *part;
    } bad[14];
    int count = 0;
    o = base, o.size = 3, bad[count].options = o, bad[count++].part = "size 3";
    o = base, o.n = 1, bad[count].options = o, bad[count++].part = "1 rows";
    o = base, o.low = 2, bad[count].options = o, bad[count++].part = "range is 2 to 1";
    o = base, o.high = INFINITY, bad[count].options = o, bad[count++].part = "range";
    o = base, o.sd = 0.6, bad[count].options = o, bad[count++].part = "sd is 0.6";
    o = base, o.threshold = -1, bad[count].options = o, bad[count++].part = "threshold is -1";
    o = base, o.scale = INFINITY, bad[count].options = o, bad[count++].part = "scale is inf";
    o = base, o.step = 0, bad[count].options = o, bad[count++].part = "step is 0";
    o = base, o.budget = -2, bad[count].options = o, bad[count++].part = "budget is -2";
    o = base, o.beta = 1, bad[count].options = o, bad[count++].part = "beta is 1";
    o = base, o.kind = NIGH_HOLDOUT_GAUSSIAN, bad[count].options = o, bad[count++].part = "gaussian must know";
    o = base, o.kind = NIGH_HOLDOUT_SPLIT, o.queries = 101, bad[count].options = o, bad[count++].part = "more parts";
    o = base, o.kind = (nigh_holdout_kind)9, bad[count].options = o, bad[count++].part = "number 9";
    o = base, o.noise = (nigh_holdout_noise)4, bad[count].options = o, bad[count++].part = "noise is number 4";
    for (int i = 0; i < count; i++) assert_fails(ctx, nigh_holdout_new(ctx, &bad[i].options, &h), NIGH_INVALID, bad[i].part);
    nigh_holdout_kind kind;
    assert_fails(ctx, nigh_holdout_kind_find(ctx, "treshold", &kind), NIGH_INVALID, "'treshold'");
    assert_null(h);
    test_context_free(ctx);
}

static void hear(void *user, nigh_log_level level, const char *text)
{
    if (level == NIGH_LOG_WARNING) snprintf(user, 400, "%s", text);
}

static void a_small_threshold_warns(void **state)
{
    (void)state;
    char heard[400] = "";
    nigh_context *ctx = test_context_new();
    nigh_context_set_log(ctx, hear, heard);
    nigh_holdout_options o = nigh_holdout_options_default(10000);
    o.threshold = 0.02; /* exactly 2/sqrt n */
    nigh_holdout_free(open_with(ctx, &o));
    assert_string_equal(heard, "");
    o.n = 2500;
    nigh_holdout_free(open_with(ctx, &o));
    assert_non_null(strstr(heard, "threshold 0.02 is below 0.04"));
    test_context_free(ctx);
}

/* All of an object's life, for the allocation that fails. */
static nigh_status life(nigh_context *ctx)
{
    nigh_holdout_options o = nigh_holdout_options_default(50);
    o.budget = 40;
    nigh_holdout *h = NULL;
    nigh_holdout_answer a;
    nigh_status status = nigh_holdout_new(ctx, &o, &h);
    for (int i = 0; i < 40 && !status; i++) {
        status = nigh_holdout_ask(h, i % 2 ? "named" : NULL, 0.1, 0.9, &a);
        assert_int_equal(nigh_holdout_asked(h), status ? i : i + 1);
    }
    nigh_holdout_free(h);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    nigh_status status = NIGH_MEMORY;
    for (long k = 2; status; k++) { /* 1 is the context itself */
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        assert_non_null(ctx);
        status = life(ctx);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        assert_int_equal(nigh_memory_now(ctx), 0);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_is_exact),
        cmocka_unit_test(near_answers_do_not_show_the_holdout),
        cmocka_unit_test(without_noise_and_threshold_it_is_plain_reuse),
        cmocka_unit_test(noise_belongs_to_its_number),
        cmocka_unit_test(noise_has_the_stated_scales),
        cmocka_unit_test(gaussian_noise_is_tuned),
        cmocka_unit_test(ladder_rises_by_steps),
        cmocka_unit_test(split_uses_each_row_once),
        cmocka_unit_test(bounds_move_as_they_must),
        cmocka_unit_test(values_outside_are_refused_or_clipped),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_small_threshold_warns),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
