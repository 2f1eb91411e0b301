/* nigh_controlled_generate on small models with drawn weights: against enumeration, shared caches, bad rules and settings. */
#include "support.h"
#include "tiny_lm.h"

#include "nigh/controlled.h"
#include "nigh/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int32_t prompt[] = {'h', 'i', ' '};

typedef struct fixture {
    nigh_context *ctx;
    nigh_lm *lm;
    nigh_cache *cache;
} fixture;

static void open_model(fixture *f)
{
    tiny_lm tiny = tiny_lm_default("llama");
    tiny.sharpness = .2; /* laws without surprises: means of a few hundred runs are near what they estimate */
    f->ctx = test_context_new();
    assert_ok(f->ctx, nigh_context_set_threads(f->ctx, 1));
    f->lm = tiny_lm_load(f->ctx, &tiny);
    assert_ok(f->ctx, nigh_cache_new(f->ctx, f->lm, NULL, &f->cache));
}

static void close_model(fixture *f)
{
    nigh_cache_free(f->cache);
    nigh_lm_free(f->lm);
    test_context_free(f->ctx);
}

/* log of p(text and then an end), with `also` as an end too unless negative. */
static double exact(fixture *f, const char *text, double temperature, int32_t also)
{
    int s;
    float logits[TINY_VOCABULARY];
    double sum = 0;
    assert_ok(f->ctx, nigh_cache_sequence(f->cache, &s));
    assert_ok(f->ctx, nigh_lm_read(f->cache, s, prompt, 3, logits));
    for (size_t i = 0; i <= strlen(text); i++) {
        double total = 0, here = 0;
        for (int t = 0; t < TINY_VOCABULARY; t++) {
            double p = exp(logits[t] / temperature);
            total += p;
            bool end = t == 257 || t == also;
            here += text[i] ? (t == (unsigned char)text[i]) * p : end * p;
        }
        sum += log(here / total);
        int32_t next = (unsigned char)text[i];
        if (text[i]) assert_ok(f->ctx, nigh_lm_read(f->cache, s, &next, 1, logits));
    }
    nigh_cache_drop(f->cache, s);
    return sum;
}

/* One byte from 192 on. */
static int one_byte(void *user, const char *bytes, size_t size)
{
    (void)user;
    return size == 0 || (size == 1 && (unsigned char)bytes[0] >= 192);
}

static int one_byte_end(void *user, const char *bytes, size_t size)
{
    return size == 1 && one_byte(user, bytes, size);
}

/* Means over runs of the weights that fall to each group of strings, against enumeration. text: a list of `count` strings, `each` of them to a group. */
static void compare(fixture *f, nigh_constraint *rule, const nigh_controlled_options *given, int32_t also, int count, int each, char text[][4])
{
    enum { MOST = 8, RUNS = 50 };
    double p[MOST] = {0}, z = 0, temperature = given->temperature ? given->temperature : 1;
    nigh_moments mean = {0}, group[MOST] = {{0}};
    int groups = (count + each - 1) / each;
    assert_true(groups <= MOST);
    for (int i = 0; i < count; i++) p[i / each] += exp(exact(f, text[i], temperature, also));
    for (int g = 0; g < groups; g++) z += p[g];
    for (int r = 0; r < RUNS; r++) {
        nigh_controlled_options options = *given;
        nigh_controlled result;
        double here[MOST] = {0};
        options.seed = (uint64_t)r;
        assert_ok(f->ctx, nigh_controlled_generate(f->cache, rule, prompt, 3, &options, &result));
        assert_int_equal(result.count, options.particles);
        nigh_moments_add(&mean, exp(result.log_z));
        for (int i = 0; i < result.count; i++) {
            const nigh_particle *q = result.particles + i;
            int at = 0;
            if (i > 0 && q[-1].text.size && q->text.size) assert_true((unsigned char)q[-1].text.data[0] <= (unsigned char)q->text.data[0]);
            if (q->log_weight == -INFINITY) continue;
            assert_true(q->finished && q->text.size == (size_t)q->tokens.count);
            while (at < count && (strlen(text[at]) != q->text.size || memcmp(text[at], q->text.data, q->text.size))) at++;
            assert_true(at < count);
            here[at / each] += exp(q->log_weight) / result.count;
        }
        for (int g = 0; g < groups; g++) nigh_moments_add(group + g, here[g]);
        assert_true(result.calls >= result.tokens / 2 && result.passes >= 2 && result.passes <= 4);
        nigh_controlled_free(&result);
    }
    assert_near(mean.mean, z, 4.5 * nigh_moments_stderr(&mean), 0);
    for (int g = 0; g < groups; g++) assert_near(group[g].mean, p[g], 4.5 * nigh_moments_stderr(group + g), 0);
}

static void samples_are_of_the_models_law(void **state)
{
    (void)state;
    fixture f;
    nigh_constraint *rule;
    open_model(&f);
    const int32_t newline[] = {'\n'};
    char letters[6][4] = {"a", "aa", "ab", "b", "ba", "bb"}, bytes[64][4] = {{0}};
    for (int i = 0; i < 64; i++) bytes[i][0] = (char)(192 + i);
    nigh_controlled_options options = {.particles = 32};
    assert_ok(f.ctx, nigh_constraint_regex(f.ctx, "[ab]{1,2}", 0, &rule)); /* few tokens are left: the short list */
    compare(&f, rule, &options, -1, 6, 1, letters);
    options.ends = newline, options.ends_count = 1;
    compare(&f, rule, &options, '\n', 6, 1, letters);
    options.temperature = .7;
    compare(&f, rule, &options, '\n', 6, 1, letters);
    options.most = 2;
    compare(&f, rule, &options, '\n', 6, 1, letters);
    nigh_constraint_free(rule);
    options = (nigh_controlled_options){.particles = 64, .most = 1}; /* all tokens, in floats; and cold, in doubles */
    assert_ok(f.ctx, nigh_constraint_predicate(f.ctx, &(nigh_predicate){.prefix_ok = one_byte, .complete_ok = one_byte_end}, &rule));
    compare(&f, rule, &options, -1, 64, 8, bytes);
    options.ends = newline, options.ends_count = 1;
    compare(&f, rule, &options, '\n', 64, 8, bytes);
    options.temperature = .45;
    compare(&f, rule, &options, '\n', 64, 8, bytes);
    nigh_constraint_free(rule);
    close_model(&f);
}

static void the_same_for_any_threads_and_again(void **state)
{
    (void)state;
    double log_z[3];
    for (int k = 0; k < 3; k++) {
        fixture f;
        nigh_constraint *rule;
        nigh_controlled result;
        open_model(&f);
        assert_ok(f.ctx, nigh_context_set_threads(f.ctx, k < 2 ? 1 : 2));
        nigh_cache_free(f.cache);
        assert_ok(f.ctx, nigh_cache_new(f.ctx, f.lm, NULL, &f.cache));
        assert_ok(f.ctx, nigh_constraint_regex(f.ctx, "[a-f]{3}[0-9]{2,6}", 0, &rule));
        size_t before = nigh_cache_bytes(f.cache);
        assert_ok(f.ctx, nigh_controlled_generate(f.cache, rule, prompt, 3, &(nigh_controlled_options){.particles = 20, .seed = 3}, &result));
        assert_int_equal(nigh_cache_bytes(f.cache), before); /* all sequences are given back */
        log_z[k] = result.log_z;
        nigh_controlled_free(&result);
        nigh_constraint_free(rule);
        close_model(&f);
    }
    assert_true(log_z[0] == log_z[1] && log_z[0] == log_z[2]);
}

static int never(void *user, const char *bytes, size_t size)
{
    (void)user, (void)bytes;
    return size == 0;
}

static int never_ends(void *user, const char *bytes, size_t size)
{
    (void)user, (void)bytes, (void)size;
    return 0;
}

static int two(void *user, const char *bytes, size_t size)
{
    (void)user, (void)bytes;
    return size ? 2 : 1;
}

static void what_cannot_be_is_told(void **state)
{
    (void)state;
    fixture f;
    nigh_constraint *rule;
    nigh_controlled result = {.count = 42};
    open_model(&f);
    size_t before = nigh_cache_bytes(f.cache);
    assert_ok(f.ctx, nigh_constraint_predicate(f.ctx, &(nigh_predicate){.prefix_ok = never, .complete_ok = never_ends}, &rule));
    assert_fails(f.ctx, nigh_controlled_generate(f.cache, rule, prompt, 3, NULL, &result), NIGH_INVALID, "no string satisfies the rule, after 1285 calls"); /* 5 of 257 */
    nigh_constraint_free(rule);
    assert_ok(f.ctx, nigh_constraint_predicate(f.ctx, &(nigh_predicate){.prefix_ok = two, .complete_ok = never_ends}, &rule));
    nigh_status status = nigh_controlled_generate(f.cache, rule, prompt, 3, NULL, &result);
    assert_true(status != NIGH_OK);
    nigh_constraint_free(rule);
    assert_ok(f.ctx, nigh_constraint_regex(f.ctx, "[a-z]{30}", 0, &rule));
    assert_fails(f.ctx, nigh_controlled_generate(f.cache, rule, prompt, 3, &(nigh_controlled_options){.most = 7}, &result), NIGH_INVALID, "5 of 5 particles reached 7 tokens");
#define REFUSES(part, ...) \
    assert_fails(f.ctx, nigh_controlled_generate(f.cache, rule, prompt, 3, &(nigh_controlled_options){__VA_ARGS__}, &result), NIGH_INVALID, part)
    REFUSES("accepts is 1", .accepts = 1);
    REFUSES("particles is -1", .particles = -1);
    REFUSES("particles is 5000", .particles = 5000);
    REFUSES("resample is 1.5", .resample = 1.5);
    REFUSES("most is -1", .most = -1);
    REFUSES("most_rejects is -1", .most_rejects = -1);
    REFUSES("estimator is 9", .estimator = (nigh_weight_estimator)9);
    REFUSES("temperature is -1", .temperature = -1);
    REFUSES("ends_count is 1", .ends_count = 1);
    assert_fails(f.ctx, nigh_controlled_generate(f.cache, rule, prompt, 0, NULL, &result), NIGH_INVALID, "prompt has 0 tokens");
    assert_fails(f.ctx, nigh_controlled_generate(f.cache, rule, (const int32_t[]){700}, 1, NULL, &result), NIGH_INVALID, "700");
    assert_int_equal(result.count, 42);
    assert_int_equal(nigh_cache_bytes(f.cache), before);
    nigh_constraint_free(rule);
    close_model(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_of_the_models_law),
        cmocka_unit_test(the_same_for_any_threads_and_again),
        cmocka_unit_test(what_cannot_be_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
