/*
 * Whole plans (made, printed, reported, saved, loaded, applied, exported) of a function, of pairs and of a program while
 * memory fails: a message, no leak, nothing half written. All of the first allocations fail in turn, then every s-th with
 * a growing s and another start for each kind, with memory gone for good and with memory that fails once.
 */
#include "every.h"

#include "nigh/program.h"

#include <dirent.h>
#include <unistd.h>

/* Fails allocation number `at`; later ones too unless `once`. */
typedef struct scarce {
    long count, at, live;
    bool once;
} scarce;

static void *resize(void *user, void *old, size_t old_bytes, size_t new_bytes)
{
    scarce *s = user;
    (void)old_bytes;
    if (new_bytes == 0) {
        s->live -= old != NULL;
        free(old);
        return NULL;
    }
    s->count++;
    if (s->at && (s->once ? s->count == s->at : s->count >= s->at)) return NULL;
    void *block = realloc(old, new_bytes);
    s->live += block && !old;
    return block;
}

enum { ROWS = 200 };
typedef enum kind { FUNCTION, PAIRS, PROGRAM } kind;

typedef struct places {
    char *folder, plan[256], journal[256], state[256], cache[256];
} places;

static nigh_status make_problem(nigh_context *ctx, kind which, bool cold, nigh_problem **problem)
{
    if (which == FUNCTION) return nigh_function_problem_new(ctx, &(nigh_function){"exp", 1, 1.0001, NIGH_F32, NULL}, problem);
    if (which == PROGRAM)
        return nigh_program_problem_new(ctx, &(nigh_program_problem){.command = "printf '%s %s' {1} {n}", .dims = 1, .low = (double[]){1}, .high = (double[]){2},
                                                                     .knob = "n=4:8", .no_cache = cold}, problem);
    double x[ROWS], y[ROWS];
    for (int i = 0; i < ROWS; i++) x[i] = i / (double)ROWS, y[i] = 2 + sin(3 * x[i]);
    nigh_array in = {{NIGH_F64, 1, {ROWS}}, x}, out = {{NIGH_F64, 1, {ROWS}}, y};
    return nigh_pairs_problem_new(ctx, &(nigh_pairs){.name = "pairs", .in = &in, .out = &out, .origin = "{\"kind\":\"pairs\"}"}, problem);
}

static nigh_request request_of(kind which, const places *p)
{
    nigh_request request = nigh_request_default();
    request.error = which == FUNCTION ? 1e-4 : which == PAIRS ? 0.2 : 0.3;
    request.statistic = which == FUNCTION ? NIGH_WORST : NIGH_MEAN;
    request.no_clock = true, request.state = p->state, request.journal = p->journal;
    request.screen = which == PAIRS ? 0 : 30, request.test = which == PAIRS ? 0 : 59, request.fit = which == PAIRS ? 0 : 40;
    if (which == FUNCTION) request.methods = "chebyshev,minimax-rational,table-linear";
    if (which == PROGRAM) request.methods = "polynomial-ridge,coarse-run,pod-kernel";
    return request;
}

/* What a user sees of an outcome. */
static nigh_status show(nigh_context *ctx, const nigh_problem *problem, const nigh_outcome *outcome)
{
    nigh_buffer text = {.ctx = ctx}, json = {.ctx = ctx}, html = {.ctx = ctx};
    nigh_status status = nigh_receipt_print(ctx, outcome->receipt, &text);
    if (!status) status = nigh_receipt_json(ctx, outcome->receipt, &text);
    if (!status) status = nigh_outcome_json(ctx, problem, outcome, &json);
    const char *one = json.data;
    if (!status) status = nigh_report_html(ctx, 1, &one, &html);
    nigh_buffer_free(&html), nigh_buffer_free(&json), nigh_buffer_free(&text);
    return status;
}

static nigh_status use(nigh_context *ctx, const char *path)
{
    nigh_plan *plan = NULL;
    nigh_receipt *receipt = NULL;
    nigh_buffer code = {.ctx = ctx};
    nigh_status status = nigh_plan_load(ctx, path, &plan);
    if (status) return status;
    size_t bytes = nigh_plan_workspace(plan);
    double in[EVERY_IN] = {1, 1, 1}, out[EVERY_OUT];
    void *workspace = nigh_alloc(ctx, bytes);
    if (!workspace) status = NIGH_MEMORY;
    else if (nigh_plan_apply(plan, 1, in, out, workspace, bytes) == NIGH_INVALID) status = NIGH_INTERNAL;
    if (!status) status = nigh_plan_receipt(ctx, plan, &receipt);
    if (!status) status = nigh_plan_export(ctx, plan, "f", &code);
    nigh_buffer_free(&code);
    nigh_receipt_free(receipt);
    nigh_free(ctx, workspace);
    nigh_plan_free(ctx, plan);
    return status;
}

static nigh_status whole(nigh_context *ctx, kind which, const places *p, bool cold)
{
    nigh_problem *problem = NULL;
    nigh_outcome *outcome = NULL;
    nigh_request request = request_of(which, p);
    nigh_status status = nigh_context_set_threads(ctx, 1);
    if (!status) status = make_problem(ctx, which, cold, &problem);
    if (!status) status = nigh_plan_make(ctx, problem, &request, &outcome);
    if (!status) status = show(ctx, problem, outcome);
    if (!status) status = nigh_plan_save(ctx, outcome->plan, p->plan);
    if (!status) status = use(ctx, p->plan);
    nigh_outcome_free(ctx, outcome);
    nigh_problem_free(ctx, problem);
    return status;
}

/* The plan is whole or absent, and no temporary file is left. */
static void assert_tidy(const places *p)
{
    DIR *folder = opendir(p->folder);
    for (struct dirent *d; (d = readdir(folder));)
        if (strstr(d->d_name, ".tmp")) fail_msg("%s was left", d->d_name);
    closedir(folder);
    if (access(p->plan, F_OK) == 0) {
        nigh_context *ctx = test_context_new();
        assert_ok(ctx, use(ctx, p->plan));
        test_context_free(ctx);
    }
    unlink(p->plan), unlink(p->journal);
}

static long run_once(kind which, const places *p, long at, bool once, bool cold, bool *finished)
{
    scarce memory = {.at = at, .once = once};
    nigh_context *ctx = NULL;
    nigh_status status = nigh_context_new_with(&(nigh_allocator){resize, &memory}, &ctx);
    if (status) return memory.count;
    status = whole(ctx, which, p, cold);
    if (finished) *finished = status == NIGH_OK;
    if (status != NIGH_OK && status != NIGH_MEMORY) fail_msg("allocation %ld: %s: %s", at, nigh_status_text(status), nigh_message(ctx));
    if (status == NIGH_MEMORY && !strstr(nigh_message(ctx), "memory")) fail_msg("allocation %ld: the message is '%s'", at, nigh_message(ctx));
    if (status == NIGH_OK && at && !once && memory.count >= at) fail_msg("allocation %ld failed and nobody noticed", at);
    nigh_context_free(ctx);
    if (memory.live) fail_msg("allocation %ld: %ld blocks are left", at, memory.live);
    return memory.count;
}

static places places_new(void)
{
    places p = {.folder = test_folder_new()};
    snprintf(p.plan, sizeof p.plan, "%s/plan.nigh", p.folder), snprintf(p.journal, sizeof p.journal, "%s/journal", p.folder);
    snprintf(p.state, sizeof p.state, "%s/state", p.folder), snprintf(p.cache, sizeof p.cache, "%s/cache", p.folder);
    setenv("XDG_CACHE_HOME", p.cache, 1);
    return p;
}

/* Every allocation up to `all`, then strides that grow by one every 40 steps; the start differs for each kind. */
static void every_allocation(kind which, long all)
{
    places p = places_new();
    bool finished = false;
    run_once(which, &p, 0, false, false, &finished);
    assert_true(finished);
    assert_tidy(&p);
    long total = run_once(which, &p, 0, false, false, NULL), steps = 0;
    assert_tidy(&p);
    for (long k = 1; k <= total; k += k <= all ? 1 : 2 + (int)which + steps / 25, steps++) {
        run_once(which, &p, k, false, which == PROGRAM && k % 40 == 0, NULL);
        assert_tidy(&p);
        if (k <= all && k % 3) continue;
        run_once(which, &p, k, true, false, NULL);
        assert_tidy(&p);
    }
    print_message("%ld allocations, %ld of them failed\n", total, steps);
    unsetenv("XDG_CACHE_HOME");
    test_folder_remove(p.folder);
}

static void test_function(void **state) { every_allocation(FUNCTION, 200); }
static void test_pairs(void **state) { every_allocation(PAIRS, 200); }
static void test_program(void **state) { every_allocation(PROGRAM, 60); }

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_function), cmocka_unit_test(test_pairs), cmocka_unit_test(test_program)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
