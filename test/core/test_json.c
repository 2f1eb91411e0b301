/* JSON: what is read, what is refused and in which words, and that numbers come back to the same bits. */
#include "support.h"

#include "core/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static nj parse(nigh_context *ctx, const char *text)
{
    nj root;
    assert_ok(ctx, nj_parse(ctx, "plan.json", text, strlen(text), &root));
    return root;
}

static void getters(void **state)
{
    nigh_context *ctx = test_context_new();
    nj root = parse(ctx, "{\"error\": 1e-3, \"n\": 12, \"on\": true, \"name\": \"burgers\", \"kind\": \"pod\","
                         " \"a\": {\"b\": [1, 2.5, {\"c\": \"inf\", \"d\": \"nan\", \"e\": null}]}}");
    static const char *const kinds[] = {"ridge", "pod", NULL}, *const known[] = {"error", "n", "on", "name", "kind", NULL};
    double x;
    int64_t n;
    bool on;
    const char *name;
    int kind;
    size_t count;
    nj a, b, c;
    assert_ok(ctx, nj_get_real(&root, "error", 0, 1, &x));
    assert_true(x == 1e-3);
    assert_ok(ctx, nj_get_real(&root, "n", 12, 12, &x));
    assert_true(x == 12);
    assert_ok(ctx, nj_get_int(&root, "n", 1, 64, &n));
    assert_int_equal(n, 12);
    assert_ok(ctx, nj_get_bool(&root, "on", &on));
    assert_true(on);
    assert_ok(ctx, nj_get_text(&root, "name", &name));
    assert_string_equal(name, "burgers");
    assert_ok(ctx, nj_get_choice(&root, "kind", kinds, &kind));
    assert_int_equal(kind, 1);
    assert_ok(ctx, nj_get_object(&root, "a", &a));
    assert_ok(ctx, nj_get_array(&a, "b", &b, &count));
    assert_int_equal(count, 3);
    assert_ok(ctx, nj_at_int(&b, 0, 0, 9, &n));
    assert_ok(ctx, nj_at_real(&b, 1, 0, 9, &x));
    assert_true(x == 2.5);
    assert_ok(ctx, nj_at(&b, 2, JSON_OBJECT, &c));
    assert_ok(ctx, nj_get_real(&c, "c", 0, INFINITY, &x));
    assert_true(x == INFINITY);
    assert_ok(ctx, nj_get_real(&c, "d", -INFINITY, INFINITY, &x));
    assert_true(isnan(x));
    assert_true(nj_has(&c, "e") && !nj_has(&c, "f"));
    x = 7;
    assert_fails(ctx, nj_get_real(&c, "c", 0, 1e300, &x), NIGH_FORMAT, "plan.json: a.b[2].c is inf; 0 to 1e+300 is allowed");
    assert_fails(ctx, nj_get_real(&c, "d", 0, INFINITY, &x), NIGH_FORMAT, "is nan");
    assert_fails(ctx, nj_get_real(&c, "e", 0, 1, &x), NIGH_FORMAT, "a.b[2].e is null; a number from 0 to 1 is needed");
    assert_fails(ctx, nj_get_real(&c, "zzz", 0, 1, &x), NIGH_FORMAT, "a.b[2].zzz is missing");
    assert_fails(ctx, nj_get_int(&root, "n", 1, 8, &n), NIGH_FORMAT, "plan.json: n is 12; 1 to 8 is allowed");
    assert_fails(ctx, nj_get_int(&root, "error", 1, 8, &n), NIGH_FORMAT, "error is 0.001; an integer is needed");
    assert_fails(ctx, nj_get_bool(&root, "name", &on), NIGH_FORMAT, "name is the text 'burgers'; true or false is needed");
    assert_fails(ctx, nj_get_text(&root, "n", &name), NIGH_FORMAT, "n is 12; a text is needed");
    assert_fails(ctx, nj_get_choice(&root, "name", kinds, &kind), NIGH_FORMAT, "name is 'burgers'; allowed: ridge, pod");
    assert_fails(ctx, nj_get_object(&root, "n", &c), NIGH_FORMAT, "an object is needed");
    assert_fails(ctx, nj_at_int(&b, 3, 0, 9, &n), NIGH_FORMAT, "a.b[3] is missing");
    assert_fails(ctx, nj_get_int(&b, "x", 0, 9, &n), NIGH_FORMAT, "a.b is an array; an object is needed");
    assert_fails(ctx, nj_at_int(&root, 0, 0, 9, &n), NIGH_FORMAT, "the whole value is an object; an array is needed");
    assert_fails(ctx, nj_only(&root, known), NIGH_FORMAT, "plan.json: a is not known here");
    assert_true(x == 7);
    nj_free(&root);
    root = parse(ctx, "{\"k\": \"0123456789012345678901234567890123456\xc3\xa4\xc3\xa4\xc3\xa4\"}");
    assert_fails(ctx, nj_get_int(&root, "k", 0, 1, &n), NIGH_FORMAT, "is the text '0123456789012345678901234567890123456\xc3\xa4..'");
    nj_free(&root);
    test_context_free(ctx);
}

static void refused(void **state)
{
    nigh_context *ctx = test_context_new();
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"", "line 1, column 0"}, {"{\"a\":1,\"a\":2}", "duplicate"}, {"{\"a\":}", "line 1"}, {"[1,\n2,\n x]", "line 3"},
        {"1 2", "end of file"}, {"\"\xff\"", "decode byte"}, {"1e999", "overflow"}, {"99999999999999999999", "big"}, {"nan", "line 1"},
        {"\"a\\u0000b\"", "line 1"},
    };
    nj root;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(ctx, nj_parse(ctx, "x.json", bad[i].text, strlen(bad[i].text), &root), NIGH_FORMAT, bad[i].part);
    char deep[2 * 65 + 1];
    for (int n = 64; n < 66; n++) {
        memset(deep, '[', (size_t)n);
        memset(deep + n, ']', (size_t)n);
        nigh_status status = nj_parse(ctx, "x.json", deep, 2 * (size_t)n, &root);
        assert_int_equal(status, n > 64 ? NIGH_FORMAT : NIGH_OK);
        if (!status) nj_free(&root);
    }
    assert_ok(ctx, nj_parse(ctx, "x.json", "[\"[[\\\"{{\"]", 10, &root)); /* brackets in a text do not count */
    nj_free(&root);
    assert_fails(ctx, nj_load(ctx, "/nowhere.json", 100, &root), NIGH_IO, "/nowhere.json");
    test_context_free(ctx);
}

static void there_and_back(void **state)
{
    nigh_context *ctx = test_context_new();
    json_t *object = json_object(), *array = json_array();
    uint64_t bits = 1;
    double values[200];
    for (int i = 0; i < 200; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        memcpy(&values[i], &bits, 8);
        if (i == 0) values[i] = 0.1;
        if (i == 1) values[i] = INFINITY;
        if (i == 2) values[i] = -INFINITY;
        if (i == 3) values[i] = -0.0;
        if (i == 4) values[i] = 5e-324;
        if (i == 5) values[i] = 3;
        assert_ok(ctx, nj_add_real(ctx, array, values[i]));
    }
    assert_ok(ctx, nj_set(ctx, object, "z", array));
    assert_ok(ctx, nj_set_int(ctx, object, "a", INT64_MIN));
    assert_ok(ctx, nj_set_text(ctx, object, "t", "\xc3\xa4 \"\\\n"));
    assert_ok(ctx, nj_set_bool(ctx, object, "b", false));
    assert_ok(ctx, nj_set_real(ctx, object, "n", NAN));
    assert_fails(ctx, nj_set_text(ctx, object, "u", "\xff"), NIGH_INVALID, "UTF-8");
    for (unsigned flags = 0; flags < 4; flags++) {
        nigh_buffer text = {.ctx = ctx};
        assert_ok(ctx, nj_dump(ctx, object, flags, &text));
        assert_true((strstr(text.data, "\"z\"") > strstr(text.data, "\"a\"")) == (flags & NJ_SORTED));
        nj root = parse(ctx, text.data), list;
        size_t count;
        double x;
        assert_ok(ctx, nj_get_array(&root, "z", &list, &count));
        for (int i = 0; i < 200; i++) {
            assert_ok(ctx, nj_at_real(&list, (size_t)i, -INFINITY, INFINITY, &x));
            assert_true(isnan(values[i]) ? isnan(x) : memcmp(&x, &values[i], 8) == 0);
        }
        assert_ok(ctx, nj_get_real(&root, "n", -INFINITY, INFINITY, &x));
        assert_true(isnan(x));
        nj_free(&root);
        nigh_buffer_free(&text);
    }
    json_decref(object);
    test_context_free(ctx);
}

static void no_memory(void **state)
{
    for (long k = 1; k < 50; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        char *folder = test_folder_new(), path[300];
        snprintf(path, sizeof path, "%s/a.json", folder);
        FILE *f = fopen(path, "w");
        fputs("{\"a\": [1, 2, 3]}", f);
        fclose(f);
        nj root = {0};
        nigh_buffer text = {.ctx = ctx};
        nigh_status status = nj_load(ctx, path, 1000, &root);
        if (!status) status = nj_dump(ctx, root.json, 0, &text);
        if (!status) assert_string_equal(text.data, "{\"a\":[1,2,3]}");
        nj_free(&root);
        nigh_buffer_free(&text);
        nigh_context_free(ctx);
        test_folder_remove(folder);
        assert_int_equal(allocator.live, 0);
        if (!status) return;
        assert_int_equal(status, NIGH_MEMORY);
    }
    fail_msg("never enough memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(getters),
        cmocka_unit_test(refused),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
