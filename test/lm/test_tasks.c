/* Generated texts and problems: whole items, right answers, the same for the same seed. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "lm/tasks.h"
#include "support.h"

static void test_same_for_a_seed(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int kind = 0; kind < TASKS_KINDS; kind++) {
        nigh_buffer a = {.ctx = ctx}, b = {.ctx = ctx}, c = {.ctx = ctx};
        assert_ok(ctx, nigh_buffer_add(&b, "before", 6));
        assert_ok(ctx, tasks_text((tasks_kind)kind, 5, 2, 5000, &a));
        assert_ok(ctx, tasks_text((tasks_kind)kind, 5, 2, 5000, &b));
        assert_ok(ctx, tasks_text((tasks_kind)kind, 6, 2, 5000, &c));
        assert_true(a.size >= 5000 && a.size < 8000);
        assert_int_equal(b.size, a.size + 6);
        assert_memory_equal(a.data, b.data + 6, a.size);
        assert_true(c.size != a.size || memcmp(a.data, c.data, a.size));
        assert_int_equal(a.data[a.size - 1], '\n');
        for (size_t i = 0; i < a.size; i++) assert_true(a.data[i] == '\n' || (a.data[i] >= ' ' && a.data[i] < 127));
        assert_null(memchr(a.data, '$', a.size));
        assert_null(memchr(a.data, '|', a.size));
        nigh_buffer_free(&a), nigh_buffer_free(&b), nigh_buffer_free(&c);
    }
    test_context_free(ctx);
}

static void test_sums_are_right(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int digits = 1; digits <= 6; digits++) {
        nigh_buffer text = {.ctx = ctx};
        assert_ok(ctx, tasks_text(TASKS_SUMS, 9, digits, 2000, &text));
        size_t longest = 0;
        for (char *line = text.data, *end; *line; line = end + 1) {
            end = strchr(line, '\n');
            assert_non_null(end);
            assert_true(tasks_sum_right(line, (size_t)(end - line)));
            if ((size_t)(end - line) > longest) longest = (size_t)(end - line);
        }
        assert_true(longest >= (size_t)(3 * digits + 2) && longest <= (size_t)(3 * digits + 3));
        nigh_buffer_free(&text);
    }
    test_context_free(ctx);
}

static void test_wrong_sums(void **state)
{
    static const char *const wrong[] = {"", "1", "1+", "1+2", "1+2=", "1+2=4", "1+2=3\n", "1+2=3 ", " 1+2=3", "01+2=3", "1+2=03", "-1+2=1", "+2=2", "1+=1", "1 +2=3", "00+0=0",
                                        "1+2=3+0", "123456789012345678+1=123456789012345679"};
    static const char *const right[] = {"1+2=3", "0+0=0", "99+1=100", "99999999999999999+0=99999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (tasks_sum_right(wrong[i], strlen(wrong[i]))) fail_msg("'%s' counts as right", wrong[i]);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) assert_true(tasks_sum_right(right[i], strlen(right[i])));
    char room[TASKS_SUM_ROOM];
    assert_int_equal(tasks_sum_print(&(tasks_sum){7, 15}, false, room), 5);
    assert_string_equal(room, "7+15=");
    assert_int_equal(tasks_sum_print(&(tasks_sum){7, 15}, true, room), 7);
    assert_string_equal(room, "7+15=22");
}

static void test_records_are_json(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_buffer text = {.ctx = ctx};
    assert_ok(ctx, tasks_text(TASKS_JSON, 3, 0, 3000, &text));
    for (char *line = text.data, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        nj root;
        assert_ok(ctx, nj_parse(ctx, "record", line, (size_t)(end - line), &root));
        assert_int_equal(json_object_size(root.json), 5);
        nj_free(&root);
    }
    nigh_buffer_free(&text);
    test_context_free(ctx);
}

static void test_songs_repeat(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_buffer text = {.ctx = ctx};
    assert_ok(ctx, tasks_text(TASKS_POEM, 3, 0, 10, &text));
    char *refrain = strstr(text.data, ".\n\n"); /* the end of the first verse */
    assert_non_null(refrain);
    refrain += 3;
    size_t size = (size_t)(strstr(refrain, "\n\n") - refrain);
    assert_true(size > 30);
    int count = 0;
    for (char *at = refrain; at; at = strchr(at + 1, refrain[0])) count += !strncmp(at, refrain, size);
    assert_true(count >= 3 && count <= 5);
    nigh_buffer_free(&text);
    test_context_free(ctx);
}

static void test_passkeys(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(1, 1);
    for (int i = 0; i < 20; i++) {
        nigh_buffer text = {.ctx = ctx};
        int64_t key = -1;
        char want[64];
        assert_ok(ctx, tasks_passkey(&rng, 5, 300, 200, &text, &key));
        assert_true(key >= 10000 && key < 100000);
        snprintf(want, sizeof want, "The pass key is %d. Remember it. %d is the pass key. ", (int)key, (int)key);
        char *at = strstr(text.data, want);
        assert_non_null(at);
        size_t before = (size_t)(at - text.data), after = text.size - before - strlen(want);
        assert_true(before >= 300 && before < 330 && after >= 200 && after < 270);
        assert_string_equal(text.data + text.size - 16, "The pass key is ");
        nigh_buffer_free(&text);
    }
    test_context_free(ctx);
}

static void test_no_memory(void **state)
{
    for (int kind = 0; kind < TASKS_KINDS; kind++)
        for (long k = 1; k < 4; k++) {
            test_allocator allocator = {.fail_at = k};
            nigh_context *ctx = test_context_failing(&allocator);
            if (!ctx) continue;
            nigh_buffer text = {.ctx = ctx};
            assert_int_equal(tasks_text((tasks_kind)kind, 1, 2, 1000, &text), NIGH_MEMORY);
            nigh_buffer_free(&text);
            nigh_context_free(ctx);
            assert_int_equal(allocator.live, 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_for_a_seed), cmocka_unit_test(test_sums_are_right), cmocka_unit_test(test_wrong_sums),
                                       cmocka_unit_test(test_records_are_json), cmocka_unit_test(test_songs_repeat), cmocka_unit_test(test_passkeys),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
