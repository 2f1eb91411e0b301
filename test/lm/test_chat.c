/* Chat templates: what the reference program makes of them, what it refuses, bounds, the words of raise_exception, failing allocations. */
#include "nigh/tokens.h"
#include "support.h"

#include "chat_cases.inc"
#include "chat_models.inc"

#include <stdio.h>
#include <string.h>

static const nigh_chat_message brief[] = {{"system", "Be brief."}, {"user", "Hi"}, {"assistant", "Hello"}, {"user", "What's 2+2?"}};
static const nigh_chat_message known[] = {{"system", " Be brief. "}, {"user", "Hi \u00e9"}, {"assistant", "<think>\nhm\n</think>\n\nHello "}, {"user", "2+2?"}};

static void renders_expressions(void **state)
{
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof rendered / sizeof *rendered; i++) {
        nigh_buffer out = {.ctx = ctx};
        if (nigh_chat_render(ctx, NULL, rendered[i][0], brief, 4, true, &out)) fail_msg("%s: %s", rendered[i][0], nigh_message(ctx));
        if (strcmp(out.data ? out.data : "", rendered[i][1])) fail_msg("%s: '%s' instead of '%s'", rendered[i][0], out.data, rendered[i][1]);
        nigh_buffer_free(&out);
    }
    test_context_free(ctx);
}

static void refuses(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_buffer out = {.ctx = ctx};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (!nigh_chat_render(ctx, NULL, refused[i], brief, 4, true, &out)) fail_msg("%s is accepted", refused[i]);
        assert_int_equal(out.size, 0);
    }
    assert_fails(ctx, nigh_chat_render(ctx, NULL, "a\n{{ raise_exception('only pairs') }}", brief, 4, true, &out), NIGH_INVALID, "line 2: only pairs");
    assert_fails(ctx, nigh_chat_render(ctx, NULL, "{{ 'x' | shuffle }}", brief, 4, true, &out), NIGH_UNSUPPORTED, "shuffle");
    assert_fails(ctx, nigh_chat_render(ctx, NULL, "{% import 'x' %}", brief, 4, true, &out), NIGH_UNSUPPORTED, "import");
    assert_fails(ctx, nigh_chat_render(ctx, NULL, NULL, brief, 4, true, &out), NIGH_INVALID, "template");
    test_context_free(ctx);
}

static void renders_models(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_tokenizer *t;
    assert_ok(ctx, nigh_tokenizer_bytes(ctx, &t));
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        nigh_buffer out = {.ctx = ctx};
        if (nigh_chat_render(ctx, t, models[i].source, known, 4, true, &out)) fail_msg("%s: %s", models[i].name, nigh_message(ctx));
        assert_string_equal(out.data, models[i].want);
        nigh_buffer_free(&out);
    }
    nigh_tokenizer_free(t);
    test_context_free(ctx);
}

static void is_bounded(void **state)
{
    static const char *const endless[] = {
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{{ 'ab' * 999999999999 }}",
        "{{ [0] * 999999999999 }}",
        "{{ 9223372036854775807 + 1 }}",
    };
    nigh_context *ctx = test_context_new();
    nigh_buffer out = {.ctx = ctx};
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) assert_int_equal(nigh_chat_render(ctx, NULL, endless[i], brief, 4, true, &out), NIGH_UNSUPPORTED);
    char deep[4096];
    snprintf(deep, sizeof deep, "{{ %*s1%*s }}", 1000, "", 1000, "");
    for (int i = 0; i < 1000; i++) deep[3 + i] = '(', deep[1004 + i] = ')';
    assert_fails(ctx, nigh_chat_render(ctx, NULL, deep, brief, 4, true, &out), NIGH_UNSUPPORTED, "nested");
    test_context_free(ctx);
}

static void allocations_may_fail(void **state)
{
    for (long k = 2;; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        nigh_buffer out = {.ctx = ctx};
        nigh_status status = nigh_chat_render(ctx, NULL, models[sizeof models / sizeof *models - 1].source, known, 4, true, &out);
        nigh_buffer_free(&out);
        assert_int_equal(nigh_memory_now(ctx), 0);
        if (status && status != NIGH_MEMORY) fail_msg("allocation %ld: %s", k, nigh_message(ctx));
        nigh_context_free(ctx);
        if (!status) break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders_expressions), cmocka_unit_test(refuses),              cmocka_unit_test(renders_models),
        cmocka_unit_test(is_bounded),          cmocka_unit_test(allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
