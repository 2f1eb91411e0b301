/* Weighted tokens and particles: identities, expectations against enumeration, bad rules and sources. */
#include "support.h"

#include "generate/adaptive_rejection_sampling.h"
#include "nigh/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one token -------------------------------------------------------------------------------------------- */

typedef struct rule {
    const int *answer;
    int64_t asked;
    int32_t once[600]; /* how often each token was asked in this draw */
} rule;

static int answer_of(void *user, int32_t token)
{
    rule *r = user;
    r->asked++;
    r->once[token]++;
    return r->answer[token];
}

static void random_law(uint64_t seed, int n, double power, double *p)
{
    nigh_rng rng = nigh_rng_new(seed, 0);
    double sum = 0;
    for (int i = 0; i < n; i++) sum += p[i] = pow(nigh_rng_f64(&rng) + 1e-9, power);
    for (int i = 0; i < n; i++) p[i] /= sum;
}

/* Means of w 1(token = a) against p(a) ok(a), within 4.5 standard errors, for all tokens and their sum. */
static void proper(int n, const double *p, const int *ok, nigh_weight_estimator estimator, int64_t accepts, int draws)
{
    nigh_context *ctx = test_context_new();
    nigh_moments *each = calloc((size_t)n + 1, sizeof *each);
    double mass = 0;
    for (int i = 0; i < n; i++) mass += p[i] * ok[i];
    for (int k = 0; k < draws; k++) {
        rule r = {.answer = ok};
        nigh_weighted_token out;
        assert_ok(ctx, nigh_weighted_draw(ctx, p, n, answer_of, &r, estimator, accepts, 0, 5, (uint64_t)k, &out));
        assert_int_equal(out.calls, r.asked);
        for (int i = 0; i < n; i++) assert_true(r.once[i] <= 1);
        double w = exp(out.log_weight);
        assert_true(out.token >= 0 && out.token < n && p[out.token] > 0 && ok[out.token] == (w > 0) && w <= 1 + 1e-12);
        for (int i = 0; i < n; i++) nigh_moments_add(each + i, i == out.token ? w : 0);
        nigh_moments_add(each + n, w);
    }
    for (int i = 0; i <= n; i++) {
        double expect = i < n ? p[i] * ok[i] : mass, error = each[i].n && each[i].m2 > 0 ? nigh_moments_stderr(each + i) : 0;
        if (expect * draws > 20 || expect == 0) assert_near(each[i].mean, expect, 4.5 * error + 1e-12, 0);
    }
    free(each);
    test_context_free(ctx);
}

static void weights_are_proper(void **state)
{
    (void)state;
    double p[600];
    int ok[600];
    for (int round = 0; round < 6; round++) {
        int n = round < 3 ? 5 : round < 5 ? 40 : 600;
        random_law((uint64_t)round, n, round % 2 ? 1 : 8, p);
        nigh_rng rng = nigh_rng_new(7, (uint64_t)round);
        for (int i = 0; i < n; i++) ok[i] = nigh_rng_f64(&rng) < .4;
        ok[n / 2] = 1;
        int draws = n > 100 ? 1500 : 20000;
        proper(n, p, ok, NIGH_WEIGHT_RECURSIVE, 2, draws);
        proper(n, p, ok, NIGH_WEIGHT_GEOMETRIC, 2, draws);
        proper(n, p, ok, NIGH_WEIGHT_GEOMETRIC, 4, draws / 2);
        proper(n, p, ok, NIGH_WEIGHT_AUTO, 2, draws / 2);
    }
}

static void cases_without_chance(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_weighted_token out;
    const double one[] = {0, 1, 0}, two[] = {.25, .75, 0}, far[] = {1, 1e-12, 1e-300};
    const int all[] = {1, 1, 1}, none[] = {0, 0, 0}, last[] = {0, 0, 1};
    for (int e = NIGH_WEIGHT_RECURSIVE; e <= NIGH_WEIGHT_GEOMETRIC; e++)
        for (uint64_t k = 0; k < 50; k++) {
            rule r = {.answer = all};
            assert_ok(ctx, nigh_weighted_draw(ctx, one, 3, answer_of, &r, (nigh_weight_estimator)e, 2, 0, 1, k, &out));
            assert_int_equal(out.token, 1);
            assert_near(out.log_weight, 0, 0, 0);
            assert_int_equal(out.calls, 1);
            r = (rule){.answer = all};
            assert_ok(ctx, nigh_weighted_draw(ctx, two, 3, answer_of, &r, (nigh_weight_estimator)e, 2, 0, 1, k, &out));
            assert_near(out.log_weight, 0, 1e-15, 0);
            r = (rule){.answer = none};
            assert_ok(ctx, nigh_weighted_draw(ctx, two, 3, answer_of, &r, (nigh_weight_estimator)e, 2, 0, 1, k, &out));
            assert_true(out.log_weight == -INFINITY && (out.token == 0 || out.token == 1));
            assert_int_equal(out.calls, 2);
            r = (rule){.answer = none};
            assert_ok(ctx, nigh_weighted_draw(ctx, two, 3, answer_of, &r, (nigh_weight_estimator)e, 2, 1, 1, k, &out)); /* a cap of one rejection */
            assert_int_equal(out.calls, 1);
            r = (rule){.answer = last}; /* what is left may be tiny */
            assert_ok(ctx, nigh_weighted_draw(ctx, far, 3, answer_of, &r, (nigh_weight_estimator)e, 2, 0, 1, k, &out));
            assert_int_equal(out.token, 2);
            assert_true(out.log_weight > -INFINITY && out.log_weight < -600);
        }
    test_context_free(ctx);
}

static void bad_laws_and_rules_are_refused(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_weighted_token out = {.token = 42};
    const double good[] = {.5, .5}, nan[] = {.5, (double)NAN}, negative[] = {1.5, -.5}, half[] = {.25, .25};
    const int all[] = {1, 1}, maybe[] = {2, -1};
    rule r = {.answer = all}, bad = {.answer = maybe};
    assert_fails(ctx, nigh_weighted_draw(ctx, good, 2, answer_of, &r, NIGH_WEIGHT_AUTO, 1, 0, 0, 0, &out), NIGH_INVALID, "accepts is 1");
    assert_fails(ctx, nigh_weighted_draw(ctx, good, 2, answer_of, &r, NIGH_WEIGHT_AUTO, 2, -1, 0, 0, &out), NIGH_INVALID, "most_rejects is -1");
    assert_fails(ctx, nigh_weighted_draw(ctx, good, 2, answer_of, &r, (nigh_weight_estimator)7, 2, 0, 0, 0, &out), NIGH_INVALID, "estimator is 7");
    assert_fails(ctx, nigh_weighted_draw(ctx, good, 0, answer_of, &r, NIGH_WEIGHT_AUTO, 2, 0, 0, 0, &out), NIGH_INVALID, "count is 0");
    assert_fails(ctx, nigh_weighted_draw(ctx, nan, 2, answer_of, &r, NIGH_WEIGHT_AUTO, 2, 0, 0, 0, &out), NIGH_INVALID, "p[1] is nan");
    assert_fails(ctx, nigh_weighted_draw(ctx, negative, 2, answer_of, &r, NIGH_WEIGHT_AUTO, 2, 0, 0, 0, &out), NIGH_INVALID, "p[1] is -0.5");
    assert_fails(ctx, nigh_weighted_draw(ctx, half, 2, answer_of, &r, NIGH_WEIGHT_AUTO, 2, 0, 0, 0, &out), NIGH_INVALID, "sum to 0.5");
    for (int e = NIGH_WEIGHT_AUTO; e <= NIGH_WEIGHT_GEOMETRIC; e++)
        assert_fails(ctx, nigh_weighted_draw(ctx, good, 2, answer_of, &bad, (nigh_weight_estimator)e, 2, 0, 0, 0, &out), NIGH_INVALID, "0 and 1 are allowed");
    assert_int_equal(out.token, 42);
    assert_int_equal(r.asked, 0);
    test_context_free(ctx);
    for (long fail = 1; fail < 5; fail++) {
        test_allocator allocator = {.fail_at = fail};
        ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_status status = nigh_weighted_draw(ctx, good, 2, answer_of, &r, NIGH_WEIGHT_AUTO, 2, 0, 0, 0, &out);
        assert_true(status == NIGH_MEMORY || status == NIGH_OK);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

/* ---- particles on a chain of three symbols ---------------------------------------------------------------- */

enum { SYMBOLS = 3, END = 3, LENGTH = 5, SUM = 5, SLOTS = 64, STRINGS = 243 };

typedef struct chain {
    double next[SYMBOLS + 1][SYMBOLS + 1]; /* after a symbol (SYMBOLS: at the start); no end before LENGTH */
    double block[1], stop[SYMBOLS + 1];
    weighted_law law;
    int32_t text[SLOTS][LENGTH];
    int size[SLOTS], advanced, fail_at;
    bool impossible;
    nigh_context *ctx;
} chain;

static nigh_status chain_law(void *user, int slot, const weighted_law **law)
{
    chain *c = user;
    int size = c->size[slot];
    c->law = (weighted_law){.count = SYMBOLS + 1, .p = size == LENGTH ? c->stop : c->next[size ? c->text[slot][size - 1] : SYMBOLS], .block = c->block};
    weighted_law_make(&c->law);
    *law = &c->law;
    return NIGH_OK;
}

static int chain_ok(void *user, int slot, int32_t token)
{
    chain *c = user;
    int sum = 0, left = LENGTH - c->size[slot] - 1;
    for (int i = 0; i < c->size[slot]; i++) sum += c->text[slot][i];
    if (c->impossible) return 0;
    if (token == END) return c->size[slot] == LENGTH && sum == SUM;
    sum += token;
    return left >= 0 && sum <= SUM && sum + left * (SYMBOLS - 1) >= SUM;
}

static nigh_status chain_advance(void *user, int count, const int *slot, const int32_t *token)
{
    chain *c = user;
    if (++c->advanced == c->fail_at) return nigh_fail(c->ctx, NIGH_IO, "the source broke");
    for (int i = 0; i < count; i++) c->text[slot[i]][c->size[slot[i]]++] = token[i];
    return NIGH_OK;
}

static void chain_gather(void *user, const int *from)
{
    chain *c = user, old = *c;
    for (int i = 0; i < SLOTS; i++) {
        int k = from[i] < SLOTS && from[i] >= 0 ? from[i] : 0;
        memcpy(c->text[i], old.text[k], sizeof c->text[i]);
        c->size[i] = old.size[k];
    }
}

static void chain_new(nigh_context *ctx, chain *c)
{
    *c = (chain){.ctx = ctx};
    nigh_rng rng = nigh_rng_new(12, 0);
    const double alpha[SYMBOLS] = {.5, .5, .5};
    for (int i = 0; i <= SYMBOLS; i++) assert_ok(ctx, nigh_rng_dirichlet(ctx, &rng, SYMBOLS, alpha, c->next[i]));
    c->stop[END] = 1;
}

/* p of all strings that obey, and their sum. */
static double enumerate(const chain *c, double *p)
{
    double z = 0;
    for (int s = 0; s < STRINGS; s++) {
        int sum = 0, before = SYMBOLS;
        p[s] = 1;
        for (int i = 0, code = s; i < LENGTH; i++, code /= SYMBOLS) {
            p[s] *= c->next[before][code % SYMBOLS];
            before = code % SYMBOLS;
            sum += before;
        }
        if (sum != SUM) p[s] = 0;
        z += p[s];
    }
    return z;
}

static int code_of(const particle *p)
{
    int code = 0;
    for (int64_t i = p->count - 1; i >= 0; i--) code = code * SYMBOLS + p->token[i];
    return code;
}

static const particle_options plain = {.particles = SLOTS, .resample = .5, .most = LENGTH, .token = {.accepts = 2}, .seed = 4};

static void particles_give_the_conditional_law(void **state)
{
    (void)state;
    enum { RUNS = 300 };
    nigh_context *ctx = test_context_new();
    chain c;
    double p[STRINGS], got[STRINGS] = {0}, distance = 0;
    chain_new(ctx, &c);
    const particle_source source = {.user = &c, .end = END, .law = chain_law, .ok = chain_ok, .advance = chain_advance, .gather = chain_gather};
    double z = enumerate(&c, p);
    for (int kind = 0; kind < 3; kind++) {
        nigh_moments mean = {0};
        int64_t resampled = 0;
        memset(got, 0, sizeof got);
        for (int r = 0; r < RUNS; r++) {
            particle_options options = plain;
            particle_run run;
            options.seed = (uint64_t)r;
            options.token.estimator = (nigh_weight_estimator)kind;
            memset(c.size, 0, sizeof c.size);
            assert_ok(ctx, particles_run(ctx, &source, END + 1, &options, &run));
            double sum = 0;
            for (int i = 0; i < SLOTS; i++) sum += exp(run.at[i].log_weight);
            assert_near(run.log_z, log(sum / SLOTS), 1e-12, 1e-12);
            for (int i = 0; i < SLOTS; i++) {
                assert_true(run.at[i].log_weight == -INFINITY || (run.at[i].finished && p[code_of(run.at + i)] > 0));
                got[run.at[i].finished ? code_of(run.at + i) : 0] += exp(run.at[i].log_weight) / sum / RUNS;
            }
            assert_true(run.calls > 0 && run.passes <= LENGTH && run.drawn > 0);
            nigh_moments_add(&mean, exp(run.log_z));
            resampled += run.resampled;
            particle_run_free(&run);
        }
        assert_true(resampled > RUNS / 2);
        assert_near(mean.mean, z, 4.5 * nigh_moments_stderr(&mean), 0);
        distance = 0;
        for (int s = 0; s < STRINGS; s++) distance += fabs(got[s] - p[s] / z) / 2;
        assert_true(distance < .05);
    }
    test_context_free(ctx);
}

static void the_same_seed_gives_the_same_particles(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    chain c;
    chain_new(ctx, &c);
    const particle_source source = {.user = &c, .end = END, .law = chain_law, .ok = chain_ok, .advance = chain_advance, .gather = chain_gather};
    particle_run run[2];
    for (int k = 0; k < 2; k++) {
        memset(c.size, 0, sizeof c.size);
        assert_ok(ctx, particles_run(ctx, &source, END + 1, &plain, run + k));
    }
    assert_true(run[0].log_z == run[1].log_z && run[0].calls == run[1].calls);
    for (int i = 0; i < SLOTS; i++) assert_memory_equal(run[0].at[i].token, run[1].at[i].token, (size_t)run[0].at[i].count * sizeof(int32_t));
    for (int k = 0; k < 2; k++) particle_run_free(run + k);
    test_context_free(ctx);
}

static void ends_of_particles(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    chain c;
    chain_new(ctx, &c);
    const particle_source source = {.user = &c, .end = END, .law = chain_law, .ok = chain_ok, .advance = chain_advance, .gather = chain_gather};
    particle_options options = plain;
    particle_run run;
    options.most = 3; /* nothing ends there */
    assert_ok(ctx, particles_run(ctx, &source, END + 1, &options, &run));
    assert_true(run.log_z == -INFINITY);
    assert_int_equal(run.unfinished, SLOTS);
    particle_run_free(&run);
    chain_new(ctx, &c);
    c.impossible = true;
    assert_ok(ctx, particles_run(ctx, &source, END + 1, &plain, &run));
    assert_true(run.log_z == -INFINITY && run.drawn == 0 && run.unfinished == 0);
    assert_int_equal(run.calls, SLOTS * SYMBOLS);
    particle_run_free(&run);
    chain_new(ctx, &c);
    c.fail_at = 2;
    assert_fails(ctx, particles_run(ctx, &source, END + 1, &plain, &run), NIGH_IO, "the source broke");
    test_context_free(ctx);
    for (long fail = 1; fail < 14; fail++) {
        test_allocator allocator = {.fail_at = fail};
        ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        c.ctx = ctx, c.fail_at = 0, c.impossible = false;
        memset(c.size, 0, sizeof c.size);
        nigh_status status = particles_run(ctx, &source, END + 1, &plain, &run);
        assert_true(status == NIGH_MEMORY || status == NIGH_OK);
        if (!status) particle_run_free(&run);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_proper),
        cmocka_unit_test(cases_without_chance),
        cmocka_unit_test(bad_laws_and_rules_are_refused),
        cmocka_unit_test(particles_give_the_conditional_law),
        cmocka_unit_test(the_same_seed_gives_the_same_particles),
        cmocka_unit_test(ends_of_particles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
