/* The planner on a toy problem: the choice, the walk, resume and replay to identical bits, failing allocations. */
#include "support.h"
#include "toy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static nigh_request request_for(double error)
{
    nigh_request request = nigh_request_default();
    request.error = error;
    request.no_clock = true;
    request.state = "";
    return request;
}

static nigh_context *toy_context(void)
{
    nigh_context *ctx = test_context_new();
    assert_ok(ctx, nigh_register(ctx, &toy_series));
    return ctx;
}

/* Truth: mean error of the series with k terms over uniform x. */
static double true_mean(int terms)
{
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        double x = (i + 0.5) / 100000, p = 0;
        for (int k = terms - 1; k >= 0; k--) p = p * x + 1 / tgamma(k + 1);
        sum += fabs(exp(x) - p);
    }
    return sum / 100000;
}

static void test_chooses_the_cheapest_that_meets(void **state)
{
    nigh_context *ctx = toy_context();
    nigh_problem problem = toy_problem();
    for (double e = 1e-1; e > 1e-9; e /= 7) {
        nigh_request request = request_for(e);
        nigh_outcome *outcome;
        assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &outcome));
        int terms = (int)nigh_setting(&toy_series, &outcome->plan->settings, "terms");
        if (true_mean(terms) > e) fail_msg("%d terms have mean error %g > %g", terms, true_mean(terms), e);
        if (terms > 1 && true_mean(terms - 1) < 0.8 * e) fail_msg("%d terms were enough for %g", terms - 1, e);
        assert_true(outcome->receipt->met);
        assert_true(outcome->receipt->mean.high <= e);
        assert_true(outcome->receipt->is_shortcut);
        nigh_outcome_free(ctx, outcome);
    }
    test_context_free(ctx);
}

static void test_searches_less_than_brute(void **state)
{
    nigh_context *ctx = toy_context();
    nigh_problem problem = toy_problem();
    nigh_request request = request_for(1e-6);
    nigh_outcome *quick, *brute;
    assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &quick));
    request.brute = true;
    assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &brute));
    assert_int_equal(brute->count, 40);
    assert_true(quick->count < 20);
    assert_string_equal(quick->candidates[quick->chosen].label, brute->candidates[brute->chosen].label);
    nigh_outcome_free(ctx, quick);
    nigh_outcome_free(ctx, brute);
    test_context_free(ctx);
}

static void test_unmet(void **state)
{
    nigh_context *ctx = toy_context();
    nigh_problem problem = toy_problem();
    nigh_request request = request_for(1e-30);
    request.outliers = 0.01; /* many answers are right to the last bit: the clipped mean alone would pass */
    nigh_outcome *outcome;
    assert_fails(ctx, nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_UNMET, "no method met the error");
    assert_non_null(outcome->receipt);
    assert_false(outcome->receipt->met);
    assert_null(outcome->plan);
    nigh_outcome_free(ctx, outcome);
    request = request_for(1e-3);
    request.statistic = NIGH_WORST; /* no certificate: the worst error cannot be promised */
    assert_fails(ctx, nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_UNMET, "no method met");
    nigh_outcome_free(ctx, outcome);
    test_context_free(ctx);
}

static void test_bad_requests(void **state)
{
    nigh_context *ctx = toy_context();
    nigh_problem problem = toy_problem();
    nigh_outcome *outcome;
    nigh_request request = request_for(-1);
    assert_fails(ctx, nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_INVALID, "error is -1");
    request = request_for(NAN);
    assert_fails(ctx, nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_INVALID, "error is nan");
    request = request_for(1e-3), request.confidence = 1;
    assert_fails(ctx, nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_INVALID, "confidence is 1");
    request = request_for(1e-3), request.methods = "serie";
    assert_fails(ctx, nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_INVALID, "did you mean 'series'");
    request = request_for(1e-3), request.settings = "term=4";
    assert_fails(ctx, nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_INVALID, "'term=4' is known to no method");
    request = request_for(1e-3), request.settings = "terms=400";
    assert_fails(ctx, nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_INVALID, "terms of series is 400");
    assert_null(outcome);
    problem.kind = "unheard-of";
    request = request_for(1e-3);
    assert_fails(ctx, nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_UNSUPPORTED, "unheard-of");
    test_context_free(ctx);
}

static char *file_bytes(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = malloc(1 << 20);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static void assert_same_files(const char *a, const char *b)
{
    size_t n, m;
    char *x = file_bytes(a, &n), *y = file_bytes(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x), free(y);
}

static void test_replay_gives_the_same_bits(void **state)
{
    nigh_context *ctx = toy_context();
    nigh_problem problem = toy_problem();
    char *folder = test_folder_new(), first[256], second[256];
    snprintf(first, sizeof first, "%s/a.nigh", folder), snprintf(second, sizeof second, "%s/b.nigh", folder);
    nigh_request request = request_for(1e-6);
    request.no_clock = false;
    nigh_outcome *outcome;
    assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &outcome));
    assert_true(outcome->receipt->beside_exact.pairs >= 5);
    assert_ok(ctx, nigh_plan_save(ctx, outcome->plan, first));
    nigh_outcome_free(ctx, outcome);
    nigh_plan *plan;
    assert_ok(ctx, nigh_plan_load(ctx, first, &plan));
    request.replay = plan;
    assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &outcome));
    assert_ok(ctx, nigh_plan_save(ctx, outcome->plan, second));
    assert_same_files(first, second);
    nigh_outcome_free(ctx, outcome);
    nigh_plan_free(ctx, plan);
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* Cancels after the k-th step seen by `watch`; the next run finds the journal and ends as if nothing had happened. */
typedef struct stopper {
    nigh_context *ctx;
    int left;
} stopper;

static void stop_later(void *user, const nigh_outcome *so_far)
{
    stopper *s = user;
    if (s->left-- == 0) nigh_context_cancel(s->ctx);
}

static void test_resume_after_cancel(void **state)
{
    char *folder = test_folder_new(), whole[256], parts[256], journal[256];
    snprintf(whole, sizeof whole, "%s/whole.nigh", folder), snprintf(parts, sizeof parts, "%s/parts.nigh", folder);
    snprintf(journal, sizeof journal, "%s/journal", folder);
    nigh_context *ctx = toy_context();
    nigh_problem problem = toy_problem();
    nigh_request request = request_for(1e-6);
    nigh_outcome *outcome;
    assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &outcome));
    assert_ok(ctx, nigh_plan_save(ctx, outcome->plan, whole));
    nigh_outcome_free(ctx, outcome);
    stopper stop = {ctx, 0};
    request.journal = journal, request.watch = stop_later, request.watch_user = &stop;
    int interrupted = 0;
    for (int k = 0; k < 30; k++) {
        stop.left = k;
        nigh_context_uncancel(ctx);
        nigh_status status = nigh_plan_make(ctx, &problem, &request, &outcome);
        if (status == NIGH_OK) break;
        assert_int_equal(status, NIGH_INTERRUPTED);
        assert_int_equal(access(journal, F_OK), 0);
        interrupted++;
    }
    nigh_context_uncancel(ctx);
    assert_true(interrupted >= 2);
    assert_non_null(outcome);
    assert_ok(ctx, nigh_plan_save(ctx, outcome->plan, parts));
    assert_same_files(whole, parts);
    assert_int_not_equal(access(journal, F_OK), 0); /* done: nothing is left lying about */
    nigh_outcome_free(ctx, outcome);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void test_damaged_files(void **state)
{
    nigh_context *ctx = toy_context();
    nigh_problem problem = toy_problem();
    char *folder = test_folder_new(), path[256];
    snprintf(path, sizeof path, "%s/a.nigh", folder);
    nigh_request request = request_for(1e-4);
    nigh_outcome *outcome;
    nigh_plan *plan;
    assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &outcome));
    assert_ok(ctx, nigh_plan_save(ctx, outcome->plan, path));
    size_t size;
    char *bytes = file_bytes(path, &size);
    for (size_t at = 0; at < size; at += 1 + size / 200) {
        FILE *file = fopen(path, "wb");
        bytes[at] ^= 4;
        fwrite(bytes, 1, size, file);
        fclose(file);
        bytes[at] ^= 4;
        nigh_status status = nigh_plan_load(ctx, path, &plan);
        if (status == NIGH_OK) nigh_plan_free(ctx, plan); /* padding */
        else assert_true(status == NIGH_FORMAT || status == NIGH_INVALID || status == NIGH_UNSUPPORTED || status == NIGH_RESOURCE);
    }
    free(bytes);
    nigh_outcome_free(ctx, outcome);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void test_outside_is_told(void **state)
{
    nigh_context *ctx = toy_context();
    nigh_problem problem = toy_problem();
    nigh_request request = request_for(1e-4);
    nigh_outcome *outcome;
    assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &outcome));
    double x[3] = {0.1, 0.5, 0.9}, y[3] = {0};
    assert_int_equal(nigh_plan_apply(outcome->plan, 3, x, y, NULL, 0), NIGH_OK);
    assert_near(y[1], exp(0.5), 1e-3, 0);
    x[1] = 1.5;
    assert_int_equal(nigh_plan_apply(outcome->plan, 3, x, y, NULL, 0), NIGH_OUTSIDE);
    assert_near(y[2], exp(0.9), 1e-3, 0);
    x[1] = NAN;
    assert_int_equal(nigh_plan_apply(outcome->plan, 3, x, y, NULL, 0), NIGH_OUTSIDE);
    nigh_outcome_free(ctx, outcome);
    test_context_free(ctx);
}

static void test_trained_are_halved(void **state)
{
    nigh_context *ctx = test_context_new();
    assert_ok(ctx, nigh_register(ctx, &toy_relax));
    nigh_problem problem = toy_problem();
    nigh_request request = request_for(0.7);
    nigh_outcome *outcome;
    assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &outcome));
    int skipped = 0;
    for (int i = 0; i < outcome->count; i++) skipped += outcome->candidates[i].state == NIGH_CANDIDATE_SKIPPED;
    assert_int_equal(outcome->count, 4);
    assert_int_equal(skipped, 3);
    assert_near(nigh_setting(&toy_relax, &outcome->plan->settings, "rate"), 0.03, 0, 0);
    nigh_outcome_free(ctx, outcome);
    test_context_free(ctx);
}

/* What each training was given when the run was stopped. */
typedef struct notebook {
    stopper stop;
    int64_t units[8];
} notebook;

static void note_units(void *user, const nigh_outcome *so_far)
{
    notebook *book = user;
    for (int i = 0; i < so_far->count && i < 8; i++) book->units[i] = so_far->candidates[i].units;
    stop_later(&book->stop, so_far);
}

/* 4 trainings of 800 units of 1 ms do not fit into 1.5 s; what each gets is decided once, survives a stop, and is repeated by a replay. */
static void test_a_time_limit_cuts_trainings(void **state)
{
    char *folder = test_folder_new(), journal[256], path[256];
    snprintf(journal, sizeof journal, "%s/journal", folder), snprintf(path, sizeof path, "%s/a.nigh", folder);
    nigh_context *ctx = test_context_new();
    assert_ok(ctx, nigh_register(ctx, &toy_relax));
    nigh_problem problem = toy_problem();
    nigh_request request = request_for(0.7);
    request.no_clock = false, request.seconds = 1.5, request.journal = journal;
    request.screen = 50, request.test = 300;
    toy_relax_pause = 1000;
    notebook book = {.stop = {ctx, 1}};
    request.watch = note_units, request.watch_user = &book;
    nigh_outcome *outcome = NULL;
    assert_int_equal(nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_INTERRUPTED);
    nigh_context_uncancel(ctx);
    int64_t given[8];
    memcpy(given, book.units, sizeof given);
    toy_relax_starts = 0;
    request.watch = NULL;
    assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &outcome));
    assert_int_equal(outcome->count, 4);
    int cut = 0;
    for (int i = 0; i < 4; i++) {
        const nigh_candidate *c = &outcome->candidates[i];
        assert_int_equal(c->units, given[i]);
        assert_true(c->units >= 0 && c->units < 800);
        cut += c->units > 0 && strstr(c->why, "training cut to");
        if (c->units) assert_near(c->trained, (double)c->units / 800, 1e-9, 0);
    }
    assert_true(cut >= 3);
    assert_true(toy_relax_starts <= 2); /* trials that had ended are not made again */
    assert_non_null(strstr(outcome->receipt->words, "Its training was cut to"));
    assert_ok(ctx, nigh_plan_save(ctx, outcome->plan, path));
    nigh_plan *plan = NULL;
    assert_ok(ctx, nigh_plan_load(ctx, path, &plan));
    toy_relax_pause = 0;
    request.journal = NULL, request.replay = plan;
    nigh_outcome *again = NULL;
    assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &again));
    assert_string_equal(again->plan->record, outcome->plan->record);
    nigh_plan_free(ctx, plan);
    nigh_outcome_free(ctx, outcome), nigh_outcome_free(ctx, again);
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* A miss is trained once, though it is tested for want of anything better. */
static void test_the_nearest_miss_is_not_trained_again(void **state)
{
    nigh_context *ctx = test_context_new();
    assert_ok(ctx, nigh_register(ctx, &toy_relax));
    nigh_problem problem = toy_problem();
    nigh_request request = request_for(0.01);
    request.screen = 50, request.test = 300, request.settings = "rate=0.01";
    nigh_outcome *outcome = NULL;
    toy_relax_starts = 0;
    assert_int_equal(nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_UNMET);
    assert_int_equal(toy_relax_starts, 1);
    nigh_outcome_free(ctx, outcome);
    test_context_free(ctx);
}

static void test_every_allocation_may_fail(void **state)
{
    nigh_problem problem = toy_problem();
    nigh_request request = request_for(1e-2);
    request.screen = 50, request.test = 300;
    char *folder = test_folder_new(), path[256], journal[256];
    snprintf(path, sizeof path, "%s/a.nigh", folder), snprintf(journal, sizeof journal, "%s/journal", folder);
    request.journal = journal;
    bool finished = false;
    for (long k = 1; !finished; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_outcome *outcome = NULL;
        nigh_plan *plan = NULL;
        nigh_status status = nigh_register(ctx, &toy_series);
        if (!status) status = nigh_plan_make(ctx, &problem, &request, &outcome);
        if (!status) status = nigh_plan_save(ctx, outcome->plan, path);
        if (!status) status = nigh_plan_load(ctx, path, &plan);
        finished = status == NIGH_OK;
        if (!finished) {
            assert_int_equal(status, NIGH_MEMORY);
            assert_non_null(strstr(nigh_message(ctx), "memory"));
        }
        nigh_plan_free(ctx, plan);
        nigh_outcome_free(ctx, outcome);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        unlink(journal);
    }
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chooses_the_cheapest_that_meets), cmocka_unit_test(test_searches_less_than_brute),
        cmocka_unit_test(test_unmet),                           cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_replay_gives_the_same_bits),      cmocka_unit_test(test_resume_after_cancel),
        cmocka_unit_test(test_damaged_files),                   cmocka_unit_test(test_outside_is_told),
        cmocka_unit_test(test_a_time_limit_cuts_trainings),     cmocka_unit_test(test_the_nearest_miss_is_not_trained_again),
        cmocka_unit_test(test_trained_are_halved),              cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
