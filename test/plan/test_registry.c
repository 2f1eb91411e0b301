/* The registry: methods of all families and of the caller by number and by name, and what may not be registered. */
#include "toy.h"

#include "support.h"

#include <stdio.h>

static void test_every_method_is_complete(void **state)
{
    nigh_context *ctx = test_context_new();
    int count = 0;
    for (; nigh_method_at(ctx, count); count++) {
        const nigh_method *m = nigh_method_at(ctx, count), *found = NULL;
        assert_int_equal(m->size, sizeof *m);
        assert_int_equal(m->abi, NIGH_METHOD_ABI);
        assert_true(*m->name && *m->problem && m->summary && *m->summary && m->source && *m->source && m->when && *m->when);
        assert_true(m->start && m->advance && m->finish && m->abandon);
        assert_true(!m->checkpoint == !m->restore);
        assert_ok(ctx, nigh_method_find(ctx, m->problem, m->name, &found));
        assert_ptr_equal(found, m); /* no two share kind and name */
        assert_ok(ctx, nigh_method_find(ctx, NULL, m->name, &found));
        m->abandon(ctx, NULL);
    }
    assert_true(count > 5);
    assert_null(nigh_method_at(ctx, count));
    assert_null(nigh_method_at(ctx, count + 1000));
    test_context_free(ctx);
}

static void test_find(void **state)
{
    nigh_context *ctx = test_context_new();
    const nigh_method *found = NULL;
    assert_fails(ctx, nigh_method_find(ctx, "function", "minimx", &found), NIGH_INVALID, "did you mean 'minimax'");
    assert_fails(ctx, nigh_method_find(ctx, "map", "minimax", &found), NIGH_INVALID, "of kind 'map'");
    assert_fails(ctx, nigh_method_find(ctx, NULL, "", &found), NIGH_INVALID, "no method ''");
    assert_null(found);
    assert_ok(ctx, nigh_register(ctx, &toy_series));
    assert_ok(ctx, nigh_method_find(ctx, "toy", "series", &found));
    assert_ptr_equal(found, &toy_series);
    test_context_free(ctx);
    ctx = test_context_new(); /* another context knows nothing of it */
    assert_fails(ctx, nigh_method_find(ctx, "toy", "series", &found), NIGH_INVALID, "series");
    test_context_free(ctx);
}

static void test_refused(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_method m = toy_series;
    m.abi = NIGH_METHOD_ABI + 1;
    assert_fails(ctx, nigh_register(ctx, &m), NIGH_INVALID, "abi");
    m = toy_series, m.size -= 8;
    assert_fails(ctx, nigh_register(ctx, &m), NIGH_INVALID, "size");
    m = toy_series, m.name = NULL;
    assert_fails(ctx, nigh_register(ctx, &m), NIGH_INVALID, "without a name");
    m = toy_series, m.start = NULL;
    assert_fails(ctx, nigh_register(ctx, &m), NIGH_INVALID, "start");
    m = toy_series, m.abandon = NULL;
    assert_fails(ctx, nigh_register(ctx, &m), NIGH_INVALID, "abandon");
    m = toy_series, m.problem = "function", m.name = "minimax";
    assert_fails(ctx, nigh_register(ctx, &m), NIGH_INVALID, "is there already");
    nigh_option many[NIGH_MAX_OPTIONS + 2];
    for (int i = 0; i <= NIGH_MAX_OPTIONS; i++) many[i] = (nigh_option){"x", NIGH_OPTION_REAL, 0, 1, 0, NULL, NULL, NIGH_ORDER_NONE, "", ""};
    many[NIGH_MAX_OPTIONS + 1] = (nigh_option){.name = NULL};
    m = toy_series, m.options = many;
    assert_fails(ctx, nigh_register(ctx, &m), NIGH_INVALID, "options");
    assert_ok(ctx, nigh_register(ctx, &toy_series));
    assert_fails(ctx, nigh_register(ctx, &toy_series), NIGH_INVALID, "is there already");
    test_context_free(ctx);
}

static void test_room(void **state)
{
    nigh_context *ctx = test_context_new();
    static nigh_method many[100];
    static char names[100][16];
    int taken = 0;
    nigh_status status = NIGH_OK;
    for (; taken < 100 && !status; taken++) {
        snprintf(names[taken], sizeof names[taken], "m%d", taken);
        many[taken] = toy_series, many[taken].name = names[taken];
        status = nigh_register(ctx, &many[taken]);
    }
    assert_int_equal(status, NIGH_RESOURCE);
    assert_true(taken > 32);
    const nigh_method *found;
    assert_ok(ctx, nigh_method_find(ctx, "toy", names[taken - 2], &found));
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_method_is_complete), cmocka_unit_test(test_find), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
