/*
 * Journals: cut anywhere, damaged anywhere, of another request, full of lies, or no journal at all: the plan is the same or
 * there is a message. A full disk costs neither the old plan nor the finished steps.
 */
#include "every.h"

#include "core/file.h"

#include <jansson.h>
#include <sys/mount.h>
#include <unistd.h>

static nigh_request request_for(const char *journal)
{
    nigh_request request = nigh_request_default();
    request.error = 1e-3, request.no_clock = true, request.state = "", request.journal = journal;
    request.test = 300, request.screen = 60, request.methods = "chebyshev,taylor,table-linear";
    return request;
}

static nigh_problem *problem_new(nigh_context *ctx)
{
    nigh_problem *problem = NULL;
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){"cos(3*x)", 0, 1, NIGH_F64, NULL}, &problem));
    return problem;
}

/* The plan as bytes (empty when planning failed). */
static nigh_status plan_bytes(nigh_context *ctx, const nigh_problem *problem, const nigh_request *request, nigh_buffer *bytes)
{
    nigh_outcome *outcome = NULL;
    bytes->size = 0;
    nigh_status status = nigh_plan_make(ctx, problem, request, &outcome);
    if (!status) assert_ok(ctx, nigh_plan_format(ctx, outcome->plan, bytes));
    nigh_outcome_free(ctx, outcome);
    return status;
}

static void assert_same(const nigh_buffer *a, const nigh_buffer *b)
{
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
}

typedef struct scene {
    nigh_context *ctx;
    nigh_problem *problem;
    char *folder, path[256], *journal; /* bytes of a whole journal */
    size_t size;
    nigh_buffer plan;
} scene;

static scene scene_new(void)
{
    scene s = {.ctx = test_context_new(), .folder = test_folder_new()};
    s.problem = problem_new(s.ctx);
    s.plan.ctx = s.ctx;
    snprintf(s.path, sizeof s.path, "%s/journal", s.folder);
    nigh_request request = request_for(s.path);
    request.keep_journal = true;
    assert_ok(s.ctx, plan_bytes(s.ctx, s.problem, &request, &s.plan));
    assert_ok(s.ctx, nigh_file_read(s.ctx, s.path, 1 << 24, &s.journal, &s.size));
    assert_true(s.size > 200);
    return s;
}

static void scene_free(scene *s)
{
    nigh_buffer_free(&s->plan);
    nigh_free(s->ctx, s->journal);
    nigh_problem_free(s->ctx, s->problem);
    test_folder_remove(s->folder);
    test_context_free(s->ctx);
}

static void put_journal(const scene *s, const char *bytes, size_t size)
{
    FILE *file = fopen(s->path, "wb");
    assert_non_null(file);
    fwrite(bytes, 1, size, file);
    fclose(file);
}

static void test_finished(void **state)
{
    scene s = scene_new();
    nigh_request request = request_for(s.path);
    nigh_buffer again = {.ctx = s.ctx};
    assert_ok(s.ctx, plan_bytes(s.ctx, s.problem, &request, &again)); /* all steps from the journal */
    assert_same(&s.plan, &again);
    assert_int_not_equal(access(s.path, F_OK), 0);
    request.journal = NULL;
    assert_ok(s.ctx, plan_bytes(s.ctx, s.problem, &request, &again));
    assert_same(&s.plan, &again);
    nigh_buffer_free(&again);
    scene_free(&s);
}

static void test_cut_or_damaged(void **state)
{
    scene s = scene_new();
    nigh_request request = request_for(s.path);
    nigh_buffer again = {.ctx = s.ctx};
    size_t step = 1 + s.size / 120;
    for (size_t at = 0; at < s.size; at += at < 80 ? 1 : step) {
        put_journal(&s, s.journal, at);
        assert_ok(s.ctx, plan_bytes(s.ctx, s.problem, &request, &again));
        assert_same(&s.plan, &again);
        s.journal[at] ^= 1 << at % 8;
        put_journal(&s, s.journal, s.size);
        s.journal[at] ^= 1 << at % 8;
        nigh_status status = plan_bytes(s.ctx, s.problem, &request, &again);
        if (at < 8) {
            assert_int_equal(status, NIGH_FORMAT); /* no journal: it is somebody's, and left alone */
            assert_non_null(strstr(nigh_message(s.ctx), s.path));
            unlink(s.path);
        } else {
            assert_int_equal(status, NIGH_OK);
            assert_same(&s.plan, &again);
        }
    }
    nigh_buffer_free(&again);
    scene_free(&s);
}

static void test_of_another_request(void **state)
{
    scene s = scene_new();
    nigh_request request = request_for(s.path);
    nigh_buffer again = {.ctx = s.ctx}, other = {.ctx = s.ctx};
    request.journal = NULL, request.error = 1e-6;
    assert_ok(s.ctx, plan_bytes(s.ctx, s.problem, &request, &other));
    request.journal = s.path;
    put_journal(&s, s.journal, s.size);
    assert_ok(s.ctx, plan_bytes(s.ctx, s.problem, &request, &again));
    assert_same(&other, &again);
    request = request_for(s.path);
    put_journal(&s, s.journal, s.size);
    nigh_context_set_seed(s.ctx, 77); /* another seed is another request */
    assert_ok(s.ctx, plan_bytes(s.ctx, s.problem, &request, &again));
    request.journal = NULL;
    assert_ok(s.ctx, plan_bytes(s.ctx, s.problem, &request, &other));
    assert_same(&other, &again);
    nigh_buffer_free(&again), nigh_buffer_free(&other);
    scene_free(&s);
}

/* ---- lies: well-formed records whose values are not what they should be ---- */

static const char *const lies[] = {"null", "true", "\"x\"", "[]", "{}", "-1", "1e308", "[1,2,3,4,5,6,7]", "[0,0,0,0,0,0,99]", "[-1,-1,-1,-1,-1,-1,5]",
                                   "{\"ratios\":[1,2]}", "{\"worst\":0,\"how\":\"trust me\"}"};
enum { LIES = sizeof lies / sizeof *lies };

typedef struct records {
    json_t *list;
} records;

static nigh_status take(void *user, const void *bytes, size_t size)
{
    json_error_t error;
    json_array_append_new(((records *)user)->list, json_loadb(bytes, size, 0, &error));
    return NIGH_OK;
}

static json_t *lie(int i)
{
    json_error_t error;
    return json_loads(lies[i], JSON_DECODE_ANY, &error);
}

/* Planning ends in some way, and what it gives can be shown. */
static void assert_survives(nigh_context *ctx, const nigh_problem *problem, const nigh_request *request)
{
    nigh_outcome *outcome = NULL;
    nigh_buffer json = {.ctx = ctx}, text = {.ctx = ctx};
    nigh_status status = nigh_plan_make(ctx, problem, request, &outcome);
    if (status) assert_true(*nigh_message(ctx) != 0);
    if (outcome) {
        assert_ok(ctx, nigh_outcome_json(ctx, problem, outcome, &json));
        for (int i = 0; i < outcome->count; i++) assert_true((unsigned)outcome->candidates[i].state <= NIGH_CANDIDATE_CHOSEN);
        if (outcome->receipt) assert_ok(ctx, nigh_receipt_print(ctx, outcome->receipt, &text));
    }
    nigh_buffer_free(&text), nigh_buffer_free(&json);
    nigh_outcome_free(ctx, outcome);
}

static void test_lies_in_the_journal(void **state)
{
    scene s = scene_new();
    nigh_request request = request_for(s.path);
    records all = {json_array()};
    nigh_journal *journal = NULL;
    put_journal(&s, s.journal, s.size);
    assert_ok(s.ctx, nigh_journal_open(s.ctx, s.path, take, &all, &journal));
    nigh_journal_close(journal);
    size_t count = json_array_size(all.list);
    assert_true(count > 3);
    for (size_t r = 1; r < count; r++)
        for (int i = 0; i < LIES; i++) {
            unlink(s.path);
            assert_ok(s.ctx, nigh_journal_open(s.ctx, s.path, NULL, NULL, &journal));
            for (size_t k = 0; k < count; k++) {
                json_t *record = json_deep_copy(json_array_get(all.list, k));
                if (k == r) json_object_set_new(record, "value", lie(i));
                char *text = json_dumps(record, JSON_COMPACT);
                assert_ok(s.ctx, nigh_journal_add(journal, text, strlen(text)));
                free(text);
                json_decref(record);
            }
            nigh_journal_close(journal);
            assert_survives(s.ctx, s.problem, &request);
        }
    json_decref(all.list);
    scene_free(&s);
}

/* A plan file from a stranger that is replayed: its record says what the planner then finds in its log. */
static void test_lies_in_a_replayed_plan(void **state)
{
    scene s = scene_new();
    nigh_plan *plan = NULL;
    json_error_t error;
    nigh_request request = request_for(NULL);
    assert_ok(s.ctx, nigh_plan_parse(s.ctx, s.plan.data, s.plan.size, "plan", &plan));
    char *good = plan->record;
    json_t *record = json_loads(good, 0, &error), *clock = json_object_get(record, "clock"), *value;
    const char *key;
    request.replay = plan;
    assert_true(json_object_size(clock) > 2);
    json_object_foreach(clock, key, value) for (int i = 0; i < LIES; i++)
    {
        json_t *changed = json_deep_copy(record);
        json_object_set_new(json_object_get(changed, "clock"), key, lie(i));
        plan->record = json_dumps(changed, 0);
        assert_survives(s.ctx, s.problem, &request);
        free(plan->record);
        json_decref(changed);
    }
    static char *bad[] = {"", "x", "[]", "{}", "{\"clock\":7}", "{\"clock\":{}}"};
    for (int i = 0; i < 6; i++) {
        plan->record = bad[i];
        if (i < 5) assert_fails(s.ctx, nigh_plan_make(s.ctx, s.problem, &request, &(nigh_outcome *){NULL}), NIGH_INVALID, "no record");
        else assert_survives(s.ctx, s.problem, &request);
    }
    plan->record = good;
    json_decref(record);
    nigh_plan_free(s.ctx, plan);
    scene_free(&s);
}

/* ---- full disk ---- */

static void test_full_disk(void **state)
{
    if (geteuid() != 0) skip();
    scene s = scene_new();
    char *disk = test_folder_new(), path[256], filler[256], journal[256];
    if (mount("nigh-test", disk, "tmpfs", 0, "size=256k") != 0) {
        test_folder_remove(disk);
        scene_free(&s);
        skip();
    }
    snprintf(path, sizeof path, "%s/plan.nigh", disk), snprintf(filler, sizeof filler, "%s/filler", disk);
    snprintf(journal, sizeof journal, "%s/journal", disk);
    nigh_plan *plan = NULL, *old = NULL;
    assert_ok(s.ctx, nigh_plan_parse(s.ctx, s.plan.data, s.plan.size, "plan", &plan));
    assert_ok(s.ctx, nigh_plan_save(s.ctx, plan, path));
    FILE *file = fopen(filler, "wb");
    setvbuf(file, NULL, _IONBF, 0);
    while (fputc('x', file) != EOF && ftell(file) < 1 << 20) fwrite(s.plan.data, 1, 512, file);
    fclose(file);
    assert_fails(s.ctx, nigh_plan_save(s.ctx, plan, path), NIGH_RESOURCE, path);
    assert_ok(s.ctx, nigh_plan_load(s.ctx, path, &old)); /* the old one is as it was */
    nigh_request request = request_for(journal);
    nigh_buffer again = {.ctx = s.ctx};
    assert_fails(s.ctx, nigh_plan_make(s.ctx, s.problem, &request, &(nigh_outcome *){NULL}), NIGH_RESOURCE, journal);
    assert_int_equal(truncate(filler, 0), 0);
    assert_ok(s.ctx, plan_bytes(s.ctx, s.problem, &request, &again)); /* whatever of the journal is there is no hindrance */
    assert_same(&s.plan, &again);
    assert_ok(s.ctx, nigh_plan_save(s.ctx, plan, path));
    nigh_buffer_free(&again);
    nigh_plan_free(s.ctx, old), nigh_plan_free(s.ctx, plan);
    assert_int_equal(umount(disk), 0);
    test_folder_remove(disk);
    scene_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finished),            cmocka_unit_test(test_cut_or_damaged),          cmocka_unit_test(test_of_another_request),
        cmocka_unit_test(test_lies_in_the_journal), cmocka_unit_test(test_lies_in_a_replayed_plan), cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
