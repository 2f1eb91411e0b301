/* The claims kit: verdicts, saboteurs, names, seeds, resume. The kit belongs to the command, so it is compiled in here. */
#include "support.h"

#include "../../claims/common.c"
#include "../../claims/common_print.c"

#include <jansson.h>
#include <unistd.h>

static int runs; /* how often the work of the fake claim below was done */

/* Every kind of bar; value 3 when sabotaged by "three". */
static nigh_status fake(claim_run *run)
{
    double parts[2] = {1.0 / 3, 0};
    nigh_status status = claim_progress(run, "fake", 0, 1);
    if (status) return status;
    if (!claim_recall(run, "part", 2, parts)) {
        runs++;
        parts[1] = claim_sabotaged(run, "three") ? 3 : run->quick ? 1 : 1.5;
        status = claim_keep(run, "part", 2, parts);
    }
    claim_bar(run, "at most two", parts[1], CLAIM_AT_MOST, 2, "a \"note\"");
    claim_bar(run, "at least one", parts[1], CLAIM_AT_LEAST, 1, NULL);
    claim_bar_within(run, "a third", parts[0], 0.33, 0.34, NULL);
    claim_bar_interval(run, "share", &(nigh_figure){.estimate = 0.1, .low = 0.05, .high = 0.2}, CLAIM_AT_MOST, 0.1, NULL);
    claim_note(run, "seed %llu", (unsigned long long)claim_seed(run));
    return status;
}

static nigh_status nan_bar(claim_run *run)
{
    claim_bar(run, "not a number", NAN, CLAIM_AT_MOST, 1, NULL);
    return NIGH_OK;
}

static nigh_status no_bar(claim_run *run)
{
    (void)run;
    return NIGH_OK;
}

static const char *const three[] = {"three", "nothing", NULL};
static const nigh_claim good = {"some-paper", "Some Paper", fake, three}, bad = {"other-paper", "Other", nan_bar, NULL},
                        empty = {"empty", "Empty", no_bar, NULL};
static const nigh_claim *const one[] = {&good, NULL}, *const both[] = {&good, &bad, NULL}, *const none[] = {&empty, NULL};

/* Runs and gives what was written; free it. */
static nigh_status run_into(nigh_context *ctx, const nigh_claim *const *claims, claims_options options, char **text)
{
    size_t size;
    options.out = open_memstream(text, &size);
    nigh_status status = claims_main(ctx, claims, &options);
    fclose(options.out);
    return status;
}

static void verdicts(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    char *text;
    assert_ok(ctx, run_into(ctx, one, (claims_options){.quick = true}, &text));
    assert_non_null(strstr(text, "4 of 4 bars hold"));
    assert_null(strstr(text, "FALLS SHORT"));
    free(text);
    assert_fails(ctx, run_into(ctx, both, (claims_options){0}, &text), NIGH_UNMET, "fell short");
    assert_non_null(strstr(text, "0 of 1 bars hold")); /* NAN */
    free(text);
    assert_fails(ctx, run_into(ctx, none, (claims_options){0}, &text), NIGH_INTERNAL, "no figure");
    free(text);
    assert_ok(ctx, run_into(ctx, both, (claims_options){.list = true}, &text));
    assert_non_null(strstr(text, "saboteur three (default)"));
    free(text);
    test_context_free(ctx);
}

static void sabotage_must_fall_short(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    char *text;
    assert_int_equal(run_into(ctx, one, (claims_options){.sabotage = true}, &text), NIGH_UNMET);
    assert_non_null(strstr(text, "the sabotaged form fell short"));
    free(text);
    assert_ok(ctx, run_into(ctx, one, (claims_options){.sabotage = true, .saboteur = "nothing"}, &text));
    assert_non_null(strstr(text, "UNNOTICED"));
    free(text);
    assert_fails(ctx, run_into(ctx, one, (claims_options){.sabotage = true, .saboteur = "thre"}, &text), NIGH_INVALID, "did you mean 'three'");
    free(text);
    assert_fails(ctx, run_into(ctx, both, (claims_options){.sabotage = true, .count = 1, .slugs = (const char *const[]){"other-paper"}}, &text),
                 NIGH_UNSUPPORTED, "no saboteur");
    free(text);
    test_context_free(ctx);
}

static void names_are_checked_before_anything_runs(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    const char *const slugs[] = {"some-paper", "other-papr"};
    char *text;
    runs = 0;
    assert_fails(ctx, run_into(ctx, both, (claims_options){.count = 2, .slugs = slugs}, &text), NIGH_INVALID, "did you mean 'other-paper'");
    assert_int_equal(runs, 0);
    free(text);
    test_context_free(ctx);
}

static void figures_as_json(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    char *text;
    assert_int_equal(run_into(ctx, both, (claims_options){.json = true}, &text), NIGH_UNMET);
    json_t *root = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(root), 2);
    const json_t *first = json_array_get(root, 0), *bars = json_object_get(first, "bars");
    assert_string_equal(json_string_value(json_object_get(first, "slug")), "some-paper");
    assert_int_equal(json_array_size(bars), 4);
    assert_true(json_is_true(json_object_get(first, "holds")));
    assert_true(json_real_value(json_object_get(json_array_get(bars, 0), "value")) == 1.5);
    assert_string_equal(json_string_value(json_object_get(json_array_get(bars, 0), "note")), "a \"note\"");
    assert_true(json_is_false(json_object_get(json_array_get(root, 1), "holds")));
    json_decref(root);
    free(text);
    test_context_free(ctx);
}

static void seeds(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    char *text;
    claim_run run = {.ctx = ctx, .claim = &good};
    assert_int_equal(reporting_seed(ctx, &good, &run.seed), NIGH_OK);
    assert_true(claim_seed(&run) != claim_tuning_seed(&run));
    setenv("NIGH_CLAIM_SEED", "0x10", 1);
    assert_ok(ctx, run_into(ctx, one, (claims_options){0}, &text));
    assert_non_null(strstr(text, "seed 16\n"));
    free(text);
    setenv("NIGH_CLAIM_SEED", "-1", 1);
    assert_fails(ctx, run_into(ctx, one, (claims_options){0}, &text), NIGH_INVALID, "NIGH_CLAIM_SEED is '-1'");
    free(text);
    unsetenv("NIGH_CLAIM_SEED");
    test_context_free(ctx);
}

static void finished_parts_are_kept(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[256], *text, *again;
    snprintf(path, sizeof path, "%s/resume", folder);
    FILE *file = fopen(path, "w"); /* a line that a kill cut off is not taken */
    fprintf(file, "some-paper full %016llx - part 2 0x1p-2 0x1p", (unsigned long long)nigh_seed_split(slug_seed("some-paper"), 2));
    fputc('\n', file);
    fclose(file);
    runs = 0;
    assert_ok(ctx, run_into(ctx, one, (claims_options){.resume = path}, &text));
    assert_int_equal(runs, 1);
    assert_ok(ctx, run_into(ctx, one, (claims_options){.resume = path}, &again));
    assert_int_equal(runs, 1);
    *strrchr(text, '(') = *strrchr(again, '(') = 0; /* all but the seconds */
    assert_string_equal(text, again);
    free(again);
    assert_ok(ctx, run_into(ctx, one, (claims_options){.resume = path, .quick = true}, &again)); /* another mode is another part */
    assert_int_equal(runs, 2);
    free(text);
    free(again);
    assert_fails(ctx, run_into(ctx, one, (claims_options){.resume = "/nowhere/x"}, &text), NIGH_IO, "/nowhere/x");
    free(text);
    assert_fails(ctx, run_into(ctx, one, (claims_options){.seconds = 1e-12}, &text), NIGH_RESOURCE, "did not finish");
    free(text);
    nigh_context_cancel(ctx);
    assert_fails(ctx, run_into(ctx, one, (claims_options){0}, &text), NIGH_INTERRUPTED, "interrupted");
    free(text);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    nigh_status status = NIGH_MEMORY;
    for (long k = 2; status; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        assert_non_null(ctx);
        char *text;
        status = run_into(ctx, one, (claims_options){0}, &text);
        free(text);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        assert_int_equal(nigh_memory_now(ctx), 0);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    unsetenv("NIGH_CLAIM_SEED");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),        cmocka_unit_test(sabotage_must_fall_short), cmocka_unit_test(names_are_checked_before_anything_runs),
        cmocka_unit_test(figures_as_json), cmocka_unit_test(seeds),                    cmocka_unit_test(finished_parts_are_kept),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
