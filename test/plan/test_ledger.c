/*
 * The ledger counts reads of test rows over all runs and processes; the wisdom of the machine is kept beside it, and may
 * be lost without harm.
 */
#include "every.h"

#include "core/file.h"
#include "plan/run.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t read_as(nigh_context *ctx, const char *folder, const char *request)
{
    int64_t k = -1;
    assert_ok(ctx, ledger_read(ctx, folder, "abc123", request, &k));
    return k;
}

static void test_counts(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new();
    int64_t k = -1;
    assert_int_equal(read_as(ctx, folder, "first"), 1);
    assert_int_equal(read_as(ctx, folder, "second"), 2);
    assert_int_equal(read_as(ctx, folder, "first"), 1); /* the same question teaches nothing new */
    assert_int_equal(read_as(ctx, folder, "third"), 3);
    assert_ok(ctx, ledger_read(ctx, folder, "other", "first", &k));
    assert_int_equal(k, 1);
    assert_ok(ctx, ledger_read(ctx, "", "abc123", "fourth", &k)); /* no folder: nothing is kept */
    assert_int_equal(k, 1);
    static const char *const bad[] = {"", "a/b", "..", ".hidden"};
    for (int i = 0; i < 4; i++) assert_fails(ctx, ledger_read(ctx, folder, bad[i], "first", &k), NIGH_INVALID, "identity");
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* Eight processes, ten requests each: eighty numbers, every one once. */
static void test_processes(void **state)
{
    enum { CHILDREN = 8, EACH = 10 };
    char *folder = test_folder_new();
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    for (int c = 0; c < CHILDREN; c++) {
        if (fork() != 0) continue;
        nigh_context *ctx = NULL;
        nigh_context_new(&ctx);
        int bad = 0;
        for (int i = 0; i < EACH; i++) {
            char request[32];
            int64_t k = -1;
            snprintf(request, sizeof request, "%d-%d", c, i);
            nigh_status status = ledger_read(ctx, folder, "abc123", request, &k);
            bad |= status != NIGH_OK || write(pipes[1], &k, sizeof k) != sizeof k;
        }
        _exit(bad);
    }
    for (int c = 0; c < CHILDREN; c++) {
        int status;
        wait(&status);
        assert_int_equal(status, 0);
    }
    bool seen[CHILDREN * EACH + 1] = {false};
    for (int i = 0; i < CHILDREN * EACH; i++) {
        int64_t k;
        assert_int_equal(read(pipes[0], &k, sizeof k), sizeof k);
        assert_true(k >= 1 && k <= CHILDREN * EACH && !seen[k]);
        seen[k] = true;
    }
    close(pipes[0]), close(pipes[1]);
    test_folder_remove(folder);
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(text, 1, strlen(text), file);
    fclose(file);
}

/* What cannot be read is not begun anew, since the count would be too low. */
static void test_corrupt(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[256];
    static const char *const bad[] = {"", "{", "[]", "{\"reads\": 7}", "{\"reads\": [1, 2]}", "{\"identity\": \"abc123\"}", "\xff\xfe"};
    snprintf(path, sizeof path, "%s/ledger/abc123.json", folder);
    assert_int_equal(read_as(ctx, folder, "first"), 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t k = -1;
        put_file(path, bad[i]);
        assert_fails(ctx, ledger_read(ctx, folder, "abc123", "second", &k), NIGH_FORMAT, path);
        char *text;
        size_t size;
        assert_ok(ctx, nigh_file_read(ctx, path, 1 << 20, &text, &size));
        assert_int_equal(size, strlen(bad[i])); /* left as it is */
        nigh_free(ctx, text);
    }
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void test_folder_that_cannot_be(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[256];
    int64_t k = -1;
    snprintf(path, sizeof path, "%s/file", folder);
    put_file(path, "x");
    nigh_status status = ledger_read(ctx, path, "abc123", "first", &k);
    assert_int_equal(status, NIGH_IO);
    assert_non_null(strstr(nigh_message(ctx), path));
    status = ledger_read(ctx, "/proc/nowhere", "abc123", "first", &k);
    assert_int_equal(status, NIGH_IO);
    assert_non_null(strstr(nigh_message(ctx), "/proc/nowhere"));
    if (geteuid() != 0) { /* root may write anywhere */
        assert_int_equal(chmod(folder, 0500), 0);
        status = ledger_read(ctx, folder, "abc123", "first", &k);
        assert_int_equal(status, NIGH_IO);
        assert_int_equal(chmod(folder, 0700), 0);
    }
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* Plans of the same file with other requests are told apart, and tested at ever stricter levels. */
static void test_plans_count(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new();
    nigh_problem *problem = every_problem(ctx, &every_cases[EVERY - 1]);
    double spent = 0;
    for (int i = 0; i < 6; i++) {
        nigh_request request = nigh_request_default();
        request.error = 3 + 0.1 * (i % 5), request.no_clock = true, request.state = folder; /* the sixth asks the first again */
        nigh_outcome *outcome = NULL;
        nigh_status status = nigh_plan_make(ctx, problem, &request, &outcome);
        if (status != NIGH_OK && status != NIGH_UNMET) fail_msg("%s", nigh_message(ctx));
        assert_int_equal(outcome->receipt->reads, i % 5 + 1);
        if (i < 5) spent += outcome->receipt->level;
        nigh_outcome_free(ctx, outcome);
    }
    assert_true(spent <= 0.05);
    nigh_problem_free(ctx, problem);
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* ---- wisdom ---- */

static int warnings;
static void count_warnings(void *user, nigh_log_level level, const char *text) { warnings += level == NIGH_LOG_WARNING && strstr(text, "wisdom.json"); }

static void plan_with_clock(nigh_context *ctx, const char *folder)
{
    nigh_problem *problem = NULL;
    nigh_outcome *outcome = NULL;
    nigh_request request = nigh_request_default();
    request.error = 1e-2, request.seconds = 0.05, request.state = folder, request.methods = "chebyshev", request.test = 400, request.screen = 100;
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){"cos(3*x)", 0, 1, NIGH_F64, NULL}, &problem));
    assert_ok(ctx, nigh_plan_make(ctx, problem, &request, &outcome));
    nigh_outcome_free(ctx, outcome);
    nigh_problem_free(ctx, problem);
}

static json_t *wisdom_of(const char *path)
{
    json_error_t error;
    json_t *all = json_load_file(path, 0, &error);
    if (!json_is_object(all)) fail_msg("%s: %s", path, error.text);
    return all;
}

static bool knows_chebyshev(json_t *all)
{
    const char *key;
    json_t *mine;
    json_object_foreach(all, key, mine)
    {
        bool rates = json_number_value(json_object_get(mine, "flops")) > 0 && json_number_value(json_object_get(mine, "bytes")) > 0;
        if (rates && json_number_value(json_object_get(json_object_get(mine, "factors"), "function/chebyshev")) > 0) return true;
    }
    return false;
}

static void test_wisdom(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[256];
    static const char *const bad[] = {"", "{", "[1]", "7", "\xff", "{\"x\": {\"flops\": -1}}"};
    snprintf(path, sizeof path, "%s/wisdom.json", folder);
    nigh_context_set_log(ctx, count_warnings, NULL);
    plan_with_clock(ctx, folder);
    assert_int_equal(warnings, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_file(path, bad[i]);
        warnings = 0;
        plan_with_clock(ctx, folder);
        assert_true(i + 1 == sizeof bad / sizeof *bad ? warnings == 0 : warnings >= 1);
        json_t *all = wisdom_of(path);
        assert_true(knows_chebyshev(all));
        if (i + 1 == sizeof bad / sizeof *bad) assert_non_null(json_object_get(all, "x")); /* another machine's is kept */
        json_decref(all);
    }
    /* A machine's own entry of a wrong shape, or with numbers that cannot be. */
    json_t *all = wisdom_of(path), *mine;
    const char *key;
    char own[128] = "";
    json_object_foreach(all, key, mine) if (strlen(key) == 64) snprintf(own, sizeof own, "%s", key);
    json_object_set_new(all, own, json_pack("{s:f,s:s,s:i}", "flops", -3.0, "bytes", "many", "factors", 7));
    assert_int_equal(json_dump_file(all, path, 0), 0);
    json_decref(all);
    plan_with_clock(ctx, folder);
    all = wisdom_of(path);
    assert_true(knows_chebyshev(all));
    json_decref(all);
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* Several planners at once leave a whole file that knows what each has learnt. */
static void test_wisdom_of_many(void **state)
{
    char *folder = test_folder_new(), path[256];
    snprintf(path, sizeof path, "%s/wisdom.json", folder);
    for (int c = 0; c < 4; c++) {
        if (fork() != 0) continue;
        nigh_context *ctx = test_context_new();
        for (int i = 0; i < 2; i++) plan_with_clock(ctx, folder);
        test_context_free(ctx);
        _exit(0);
    }
    for (int c = 0; c < 4; c++) {
        int status;
        wait(&status);
        assert_int_equal(status, 0);
    }
    json_t *all = wisdom_of(path);
    assert_int_equal(json_object_size(all), 1);
    assert_true(knows_chebyshev(all));
    json_decref(all);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wisdom_of_many), /* first: threads do not survive a fork */
        cmocka_unit_test(test_counts),      cmocka_unit_test(test_processes), cmocka_unit_test(test_corrupt), cmocka_unit_test(test_folder_that_cannot_be),
        cmocka_unit_test(test_plans_count), cmocka_unit_test(test_wisdom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
