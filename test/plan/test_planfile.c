/*
 * Plan files of every method: the same bits after saving and loading, from disk or memory; what is damaged, cut or made
 * to lie is refused with a message and leaves nothing behind. With NIGH_CORPUS=FOLDER in the environment it also writes
 * the seeds of the fuzz target.
 */
#include "every.h"

#include "core/file.h"
#include "plan/planfile.h"

#include <unistd.h>

static void apply(nigh_context *ctx, const nigh_plan *plan, int64_t n, const void *in, void *out, nigh_status *status)
{
    size_t bytes = nigh_plan_workspace(plan);
    void *workspace = nigh_alloc(ctx, bytes);
    memset(workspace, 0xff, bytes);
    *status = nigh_plan_apply(plan, n, in, out, workspace, bytes);
    nigh_free(ctx, workspace);
}

static void assert_same_answers(nigh_context *ctx, const nigh_plan *a, const nigh_plan *b)
{
    enum { N = 100 };
    double in[N * EVERY_MOST], x[N * EVERY_MOST], y[N * EVERY_MOST];
    nigh_status first, second;
    memset(x, 0, sizeof x), memset(y, 0, sizeof y);
    every_inputs(a, N, true, in);
    apply(ctx, a, N, in, x, &first);
    apply(ctx, b, N, in, y, &second);
    assert_int_equal(first, a->low ? NIGH_OUTSIDE : NIGH_OK); /* a solver takes any input */
    assert_int_equal(second, first);
    assert_memory_equal(x, y, sizeof x);
}

static void test_round_trip(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[256];
    const char *corpus = getenv("NIGH_CORPUS");
    snprintf(path, sizeof path, "%s/a.nigh", folder);
    for (int i = 0; i < EVERY; i++) {
        nigh_plan *plan = every_plan(ctx, i), *loaded = NULL, *parsed = NULL;
        nigh_buffer first = {.ctx = ctx}, second = {.ctx = ctx};
        assert_ok(ctx, nigh_plan_save(ctx, plan, path));
        assert_ok(ctx, nigh_plan_load(ctx, path, &loaded));
        assert_ok(ctx, nigh_plan_format(ctx, plan, &first));
        assert_ok(ctx, nigh_plan_parse(ctx, first.data, first.size, "memory", &parsed));
        assert_ok(ctx, nigh_plan_format(ctx, parsed, &second));
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
        assert_same_answers(ctx, plan, loaded);
        assert_same_answers(ctx, plan, parsed);
        if (corpus) {
            char name[512];
            snprintf(name, sizeof name, "%s/%02d-%s.nigh", corpus, i, every_cases[i].method);
            assert_ok(ctx, nigh_file_write(ctx, name, first.data, first.size));
        }
        nigh_buffer_free(&second), nigh_buffer_free(&first);
        nigh_plan_free(ctx, parsed), nigh_plan_free(ctx, loaded), nigh_plan_free(ctx, plan);
    }
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* Every method of the library that can be loaded is among the cases. */
static void test_no_method_is_left_out(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int i = 0; nigh_method_at(ctx, i); i++) {
        const nigh_method *method = nigh_method_at(ctx, i);
        bool there = !method->load;
        for (int k = 0; k < EVERY; k++) there = there || (!strcmp(every_cases[k].method, method->name) && !strcmp(every_cases[k].kind, method->problem));
        if (!there) fail_msg("method %s is in no case of every.h", method->name);
    }
    test_context_free(ctx);
}

/* Any byte changed, and any end cut off. */
static void test_damage(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int i = 0; i < EVERY; i++) {
        nigh_plan *plan = every_plan(ctx, i), *loaded = NULL;
        nigh_buffer good = {.ctx = ctx};
        assert_ok(ctx, nigh_plan_format(ctx, plan, &good));
        size_t step = 1 + good.size / 150;
        for (size_t at = 0; at < good.size; at += step) {
            good.data[at] ^= 1 << at % 7;
            nigh_status status = nigh_plan_parse(ctx, good.data, good.size, "damaged", &loaded);
            good.data[at] ^= 1 << at % 7;
            assert_true(status == NIGH_FORMAT || status == NIGH_INVALID || status == NIGH_UNSUPPORTED);
            assert_non_null(strstr(nigh_message(ctx), "damaged"));
            status = nigh_plan_parse(ctx, good.data, at, "cut", &loaded);
            assert_int_equal(status, NIGH_FORMAT);
            assert_non_null(strstr(nigh_message(ctx), "cut"));
        }
        nigh_buffer_free(&good);
        nigh_plan_free(ctx, plan);
    }
    test_context_free(ctx);
}

/* A bundle of the plan with one text of its metadata replaced, sealed again. */
static nigh_status parse_with(nigh_context *ctx, const nigh_plan *plan, const char *from, const char *to, nigh_plan **out)
{
    nigh_buffer bytes = {.ctx = ctx}, changed = {.ctx = ctx};
    nigh_bundle bundle;
    assert_ok(ctx, nigh_plan_format(ctx, plan, &bytes));
    assert_ok(ctx, nigh_safetensors_parse(ctx, bytes.data, bytes.size, "plan", &bundle));
    char *at = strstr(bundle.metadata, from);
    assert_non_null(at);
    char *text = nigh_format(ctx, "%.*s%s%s", (int)(at - bundle.metadata), bundle.metadata, to, at + strlen(from));
    nigh_free(ctx, bundle.metadata);
    bundle.metadata = text;
    assert_ok(ctx, planfile_seal(ctx, &bundle));
    assert_ok(ctx, nigh_safetensors_format(ctx, &bundle, &changed));
    nigh_status status = nigh_plan_parse(ctx, changed.data, changed.size, "lie", out);
    nigh_bundle_free(&bundle);
    nigh_buffer_free(&changed), nigh_buffer_free(&bytes);
    return status;
}

static void test_lies(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_plan *plan = every_plan(ctx, 2), *map = every_plan(ctx, EVERY - 1), *out = NULL;
    assert_fails(ctx, parse_with(ctx, plan, "nigh-plan 1", "nigh-plan 2", &out), NIGH_FORMAT, "this nigh reads");
    assert_fails(ctx, parse_with(ctx, plan, "\"method\":\"minimax\"", "\"method\":\"minimay\"", &out), NIGH_FORMAT, "did you mean 'minimax'");
    assert_fails(ctx, parse_with(ctx, plan, "\"method\":\"minimax\"", "\"method\":\"table-linear\"", &out), NIGH_FORMAT, "lie");
    assert_fails(ctx, parse_with(ctx, map, "\"method\":\"rbf\"", "\"method\":\"nearest\"", &out), NIGH_FORMAT, "lie");
    assert_fails(ctx, parse_with(ctx, map, "\"method\":\"rbf\"", "\"method\":\"coarse-run\"", &out), NIGH_UNSUPPORTED, "cannot be loaded");
    assert_fails(ctx, parse_with(ctx, plan, "degree=4", "degree=4000", &out), NIGH_FORMAT, "degree of minimax is 4000");
    assert_fails(ctx, parse_with(ctx, plan, "degree=4", "degree=nan", &out), NIGH_FORMAT, "degree");
    assert_fails(ctx, parse_with(ctx, plan, "\"in\":\"f32[]\"", "\"in\":\"f64[]\"", &out), NIGH_FORMAT, "lie");
    assert_fails(ctx, parse_with(ctx, plan, "\"in\":\"f32[]\"", "\"in\":\"f32[0]\"", &out), NIGH_FORMAT, "no shape");
    assert_fails(ctx, parse_with(ctx, plan, "\"in\":\"f32[]\"", "\"in\":\"f32[-1]\"", &out), NIGH_FORMAT, "no shape");
    assert_fails(ctx, parse_with(ctx, plan, "\"in\":\"f32[]\"", "\"in\":\"f32[1,1,1,1,1,1,1,1]\"", &out), NIGH_FORMAT, "no shape");
    assert_fails(ctx, parse_with(ctx, plan, "\"in\":\"f32[]\"", "\"in\":\"f32[9000000000,9000000000]\"", &out), NIGH_FORMAT, "no shape");
    assert_fails(ctx, parse_with(ctx, plan, "\"in\":\"f32[]\"", "\"in\":\"f32\"", &out), NIGH_FORMAT, "no shape");
    assert_fails(ctx, parse_with(ctx, plan, "\"in\":\"f32[]\"", "\"in\":\"f32[2\"", &out), NIGH_FORMAT, "no shape");
    assert_fails(ctx, parse_with(ctx, map, "\"out\":\"f64[2]\"", "\"out\":\"f64[3]\"", &out), NIGH_FORMAT, "lie");
    assert_fails(ctx, parse_with(ctx, plan, "\"record\"", "\"record2\"", &out), NIGH_FORMAT, "'record' is missing");
    assert_null(out);
    nigh_plan_free(ctx, map), nigh_plan_free(ctx, plan);
    test_context_free(ctx);
}

/* A box that is upside down or not finite; work that is no cost. */
static void test_lying_numbers(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_plan *plan = every_plan(ctx, 2), *out = NULL;
    nigh_buffer bytes = {.ctx = ctx};
    double low = plan->low[0], high = plan->high[0];
    plan->low[0] = high, plan->high[0] = low;
    assert_ok(ctx, nigh_plan_format(ctx, plan, &bytes));
    assert_fails(ctx, nigh_plan_parse(ctx, bytes.data, bytes.size, "lie", &out), NIGH_FORMAT, "box");
    bytes.size = 0, plan->low[0] = NAN, plan->high[0] = high;
    assert_ok(ctx, nigh_plan_format(ctx, plan, &bytes));
    assert_fails(ctx, nigh_plan_parse(ctx, bytes.data, bytes.size, "lie", &out), NIGH_FORMAT, "not finite");
    bytes.size = 0, plan->low[0] = low, plan->work.flops = -1;
    assert_ok(ctx, nigh_plan_format(ctx, plan, &bytes));
    assert_fails(ctx, nigh_plan_parse(ctx, bytes.data, bytes.size, "lie", &out), NIGH_FORMAT, "work");
    nigh_buffer_free(&bytes);
    nigh_plan_free(ctx, plan);
    test_context_free(ctx);
}

/* What is no plan at all. */
static void test_no_plan(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_plan *out = NULL;
    nigh_bundle bundle = {.ctx = ctx};
    nigh_buffer bytes = {.ctx = ctx};
    assert_fails(ctx, nigh_plan_load(ctx, "/nowhere/plan.nigh", &out), NIGH_IO, "/nowhere/plan.nigh");
    assert_fails(ctx, nigh_plan_load(ctx, "/tmp", &out), NIGH_IO, "/tmp");
    assert_fails(ctx, nigh_plan_parse(ctx, "", 0, "empty", &out), NIGH_FORMAT, "empty");
    assert_fails(ctx, nigh_plan_parse(ctx, "hello, I am no plan", 19, "text", &out), NIGH_FORMAT, "text");
    assert_ok(ctx, nigh_bundle_add(&bundle, "x", &(nigh_array){{NIGH_F64, 0, {0}}, (double[]){1}}));
    assert_fails(ctx, planfile_seal(ctx, &bundle), NIGH_FORMAT, "no metadata");
    assert_ok(ctx, nigh_safetensors_format(ctx, &bundle, &bytes));
    assert_fails(ctx, nigh_plan_parse(ctx, bytes.data, bytes.size, "tensors", &out), NIGH_FORMAT, "tensors is no plan file");
    nigh_buffer_free(&bytes);
    nigh_bundle_free(&bundle);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_no_method_is_left_out), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_lies),       cmocka_unit_test(test_lying_numbers),         cmocka_unit_test(test_no_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
