/* Properties: exact rounding, boxes and groups, negation, bad input, failing allocations; lists of problems and printed points. */
#include "io_support.h"
#include "nigh/property.h"

#define ONE "(declare-const X_0 Real)(declare-const Y_0 Real)"
#define TWO "(declare-const Y_1 Real)\n(declare-const X_1 Real) ; in any order\n(declare-const X_0 Real)(declare-const Y_0 Real)\n"
#define BOX "(assert (<= X_0 1))(assert (>= X_0 -1))(assert (and (<= X_1 0.5) (>= X_1 0.25)))\n"

static nigh_status parse(nigh_context *ctx, const char *text, nigh_property *p) { return nigh_property_parse(ctx, text, strlen(text), "p", p); }

static const struct {
    const char *text;
    double down, up;
} numbers[] = {
    {"0.5", 0.5, 0.5}, {"-0.5", -0.5, -0.5}, {"(- 1.5)", -1.5, -1.5}, {"1e2", 100, 100}, {"2.5E-1", 0.25, 0.25}, {"+3", 3, 3}, {".5", 0.5, 0.5}, {"7.", 7, 7}, {"00.50", 0.5, 0.5}, {"-0.0", 0, 0},
    {"0.1", 0x1.9999999999999p-4, 0x1.999999999999ap-4}, {"-0.1", -0x1.999999999999ap-4, -0x1.9999999999999p-4},
    {"(/ 1 3)", 0x1.5555555555555p-2, 0x1.5555555555556p-2}, {"(/ 1.0 -8)", -0.125, -0.125}, {"(+ 0.1 0.2 0.2)", 0.5, 0.5}, {"(- 0.3 0.1 0.1)", 0x1.9999999999999p-4, 0x1.999999999999ap-4},
    {"(* 0.1 10)", 1, 1}, {"(* (/ 1 3) 3)", 1, 1}, {"(+ (/ 1 3) (/ 1 6))", 0.5, 0.5}, {"(- 0.1 (- 0.4))", 0.5, 0.5},
    {"9007199254740993", 9007199254740992.0, 9007199254740994.0}, {"9007199254740992.0000000000000000000000000000001", 9007199254740992.0, 9007199254740994.0},
    {"1e-400", 0, 0x1p-1074}, {"-1e-400", -0x1p-1074, 0}, {"3e-308", 0x1.59283684dba76p-1022, 0x1.59283684dba77p-1022}, {"4.9406564584124654e-324", 0, 0x1p-1074},
    {"1.00000000000000011102230246251565404236316680908203125", 1, 1 + 0x1p-52}, {"0.1000000000000000055511151231257827021181583404541015625", 0.1, 0.1},
};

static void rounds_outward(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[512];
        nigh_property p;
        snprintf(text, sizeof text, ONE "(assert (= X_0 %s)) (assert (>= Y_0 %s))", numbers[i].text, numbers[i].text);
        assert_ok(ctx, parse(ctx, text, &p));
        const nigh_property_case *c = p.item;
        if (c->low[0] != numbers[i].down || c->high[0] != numbers[i].up || c->inner_low[0] != numbers[i].up || c->inner_high[0] != numbers[i].down)
            fail_msg("%s: [%a %a]", numbers[i].text, c->low[0], c->high[0]);
        assert_true(p.condition->level == numbers[i].down && p.condition->level_above == numbers[i].up);
        nigh_property_free(&p);
    }
    test_context_free(ctx);
}

/* Random decimals against the library's reading, which is the nearest: one of the two roundings. */
static void agrees_with_strtod(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    uint64_t seed = 7;
    for (int i = 0; i < 2000; i++) {
        char text[256], number[64];
        nigh_property p;
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        snprintf(number, sizeof number, "%.*e", (int)(seed >> 59), (double)(int64_t)seed * pow(10, (double)(int)(seed >> 40 & 127) - 80));
        snprintf(text, sizeof text, ONE "(assert (= X_0 %s))", number);
        assert_ok(ctx, parse(ctx, text, &p));
        double nearest = strtod(number, NULL), low = p.item->low[0], high = p.item->high[0];
        assert_true(nearest == low || nearest == high);
        assert_true(high == low || high == nextafter(low, INFINITY));
        assert_string_equal(p.item->low_text[0], number);
        nigh_property_free(&p);
    }
    test_context_free(ctx);
}

static void reads_conditions(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_property p;
    assert_ok(ctx, parse(ctx, TWO BOX "(assert (or (and (<= Y_0 Y_1)) (and (> (* 2 (+ Y_0 (* X_1 -0.1)) 3) (- Y_0 1)) (not (>= Y_1 2)))))", &p));
    assert_true(p.inputs == 2 && p.outputs == 2 && p.cases == 1 && p.conditions == 3 && p.joint);
    const nigh_property_case *c = p.item;
    assert_true(c->low[0] == -1 && c->high[0] == 1 && c->low[1] == 0.25 && c->high[1] == 0.5);
    assert_string_equal(c->low_text[0], "-1");
    assert_string_equal(c->high_text[1], "0.5");
    assert_true(c->groups == 2 && c->group[0].first == 0 && c->group[0].count == 1 && c->group[1].first == 1 && c->group[1].count == 2);
    const nigh_condition *k = p.condition;
    assert_true(k[0].terms == 2 && k[0].index[0] == 0 && k[0].value[0] == -1 && k[0].index[1] == 1 && k[0].value[1] == 1 && k[0].level == 0 && !k[0].value_error);
    assert_true(k[1].terms == 2 && k[1].index[0] == 0 && k[1].value[0] == 5 && k[1].index[1] == 3 && k[1].level == -1); /* 5 Y_0 - 0.6 X_1 >= -1 */
    assert_near(k[1].value[1], -0.6, 1e-15, 0);
    assert_true(k[1].value_error[0] == 0 && k[1].value_error[1] > 0 && k[1].value_error[1] < 2e-16);
    assert_true(k[2].terms == 1 && k[2].index[0] == 1 && k[2].value[0] == -1 && k[2].level == -2);
    nigh_property_free(&p);
    assert_ok(ctx, parse(ctx, TWO BOX, &p)); /* the box itself */
    assert_true(p.cases == 1 && p.item->groups == 1 && p.item->group[0].count == 0 && !p.joint);
    nigh_property_free(&p);
    assert_ok(ctx, parse(ctx, TWO BOX "(assert (<= (+ X_0 X_1) 1))(set-logic LRA)(check-sat)", &p));
    assert_true(p.joint && p.conditions == 1 && p.condition->index[0] == 2 && p.condition->index[1] == 3);
    nigh_property_free(&p);
    test_context_free(ctx);
}

static void multiplies_out(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_property p;
    /* two boxes by two groups; the same box written otherwise is the same case; a combination without points is left out */
    assert_ok(ctx, parse(ctx, TWO "(assert (or (>= Y_0 1) (>= Y_1 1)))(assert (>= X_1 0))(assert (<= X_1 1))"
                              "(assert (or (and (>= X_0 0) (<= X_0 1)) (and (>= X_0 2) (<= X_0 3)) (and (<= (* 2 X_0) 2) (not (< X_0 0)) (<= Y_0 -5))))", &p));
    assert_true(p.cases == 2 && p.item[0].groups == 4 && p.item[1].groups == 2 && p.item[1].low[0] == 2 && p.item[0].high[0] == 1);
    nigh_property_free(&p);
    assert_ok(ctx, parse(ctx, TWO "(assert (and (>= X_0 0) (<= X_0 1) (= X_1 0)))(assert (or (<= X_0 -1) (>= X_0 0.5)))(assert (or (<= X_0 0.25) (<= X_0 0.75)))", &p));
    assert_true(p.cases == 1 && p.item->low[0] == 0.5 && p.item->high[0] == 0.75);
    nigh_property_free(&p);
    /* negations go inside */
    assert_ok(ctx, parse(ctx, TWO BOX "(assert (not (and (> Y_0 1) (or (<= Y_1 2) (not (= Y_0 3))))))", &p));
    assert_true(p.cases == 1 && p.item->groups == 2 && p.conditions == 4);
    assert_true(p.condition[0].value[0] == -1 && p.condition[0].level == -1);
    assert_true(p.condition[1].value[0] == 1 && p.condition[1].index[0] == 1 && p.condition[1].level == 2);
    nigh_property_free(&p);
    assert_ok(ctx, parse(ctx, TWO BOX "(assert (=> (>= Y_0 1) (>= Y_1 1)))(assert (or true (<= Y_0 1)))(assert (<= 0 1))", &p));
    assert_true(p.item->groups == 2 && p.conditions == 2);
    nigh_property_free(&p);
    test_context_free(ctx);
}

static void refuses_bad_input(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        nigh_status status;
        const char *part;
    } cases[] = {
        {"", NIGH_INVALID, "no input (X_0)"},
        {"(declare-const X_0 Real)", NIGH_INVALID, "no output (Y_0)"},
        {ONE "(declare-const X_2 Real)", NIGH_INVALID, "X_1 is not declared, but X_2 is"},
        {ONE "(declare-const X_0 Real)", NIGH_INVALID, "X_0 is declared twice"},
        {ONE "(declare-const Z_0 Real)", NIGH_FORMAT, "X_i or Y_j is expected, not 'Z_0'"},
        {ONE "(declare-const X_1 Int)", NIGH_FORMAT, "Real is expected"},
        {ONE "(declare-const X_99999999 Real)", NIGH_UNSUPPORTED, "below"},
        {ONE "\n (assert (<= X_7 1))", NIGH_INVALID, "line 2, column 14: X_7 is not declared (1 are)"},
        {ONE "(assert (<= X_0 1))", NIGH_INVALID, "input X_0 has no lower bound"},
        {ONE "(assert (>= Y_0 1))", NIGH_INVALID, "input X_0 has no lower bound"},
        {ONE "(assert (<= X_0 1))\n(assert (>= X_0 1.5))", NIGH_INVALID, "line 2, column 10: the box is empty: X_0 is at least 1.5 and at most 1"},
        {ONE "(assert (or (and (<= X_0 1) (>= X_0 2)) (and (<= X_0 1) (>= X_0 0))))", NIGH_INVALID, "the box is empty"},
        {ONE "(assert (= X_0 1))(assert (or (<= X_0 0) (>= X_0 2)))", NIGH_INVALID, "the box is empty"},
        {ONE "(assert false)", NIGH_INVALID, "nothing is unsafe"},
        {ONE "(assert (<= X_0 1)", NIGH_FORMAT, "the file ends where"},
        {ONE "(assert (<= X_0 1)))", NIGH_FORMAT, "a command in parentheses is expected, not ')'"},
        {ONE "(assert (<= X_0))", NIGH_FORMAT, "a number, X_i, Y_j or a term in parentheses is expected, not ')'"},
        {ONE "(assert (<= X_0 1 2))", NIGH_FORMAT, "two terms"},
        {ONE "(assert (xor true true))", NIGH_FORMAT, "and, or, not"},
        {ONE "(assert (<= (* X_0 Y_0) 1))", NIGH_UNSUPPORTED, "product of two variables"},
        {ONE "(assert (<= (/ 1 X_0) 1))", NIGH_UNSUPPORTED, "division by a variable"},
        {ONE "(assert (<= (/ X_0 0.0) 1))", NIGH_INVALID, "division by zero"},
        {ONE "(assert (<= X_0 1e301))", NIGH_UNSUPPORTED, "beyond 1e300"},
        {ONE "(assert (<= X_0 1e999999999999))", NIGH_UNSUPPORTED, "beyond 1e300"},
        {ONE "(assert (<= X_0 (* 1e200 1e200)))", NIGH_UNSUPPORTED, "beyond 1e300"},
        {ONE "(assert (<= X_0 1.2.3))", NIGH_FORMAT, "not '1.2.3'"},
        {ONE "(assert (<= X_0 1e))", NIGH_FORMAT, "not '1e'"},
        {ONE "(assert (<= X_0 X_00))", NIGH_FORMAT, "not 'X_00'"},
        {ONE "(define-fun f () Real 1)", NIGH_FORMAT, "declare-const or assert is expected"},
    };
    nigh_context *ctx = test_context_new();
    nigh_property p;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_fails(ctx, parse(ctx, cases[i].text, &p), cases[i].status, cases[i].part);
    test_context_free(ctx);
}

static void bounds_its_work(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_buffer text = {.ctx = ctx};
    nigh_property p;
    for (int depth = 62; depth < 200; depth += 70) {
        text.size = 0;
        assert_ok(ctx, nigh_buffer_print(&text, ONE "(assert (= X_0 1))(assert "));
        for (int i = 0; i < depth; i++) assert_ok(ctx, nigh_buffer_print(&text, "(not "));
        assert_ok(ctx, nigh_buffer_print(&text, "(>= Y_0 1)"));
        for (int i = 0; i < depth + 1; i++) assert_ok(ctx, nigh_buffer_print(&text, ")"));
        if (depth < 64) {
            assert_ok(ctx, parse(ctx, text.data, &p));
            nigh_property_free(&p);
        }
        if (depth > 64) assert_fails(ctx, parse(ctx, text.data, &p), NIGH_UNSUPPORTED, "64 deep");
    }
    text.size = 0;
    assert_ok(ctx, nigh_buffer_print(&text, ONE "(assert (= X_0 1))"));
    for (int i = 0; i < 30; i++) assert_ok(ctx, nigh_buffer_print(&text, "(assert (or (>= Y_0 %d) (<= Y_0 %d)))", i, i));
    assert_fails(ctx, parse(ctx, text.data, &p), NIGH_UNSUPPORTED, "multiply out to more than");
    text.size = 0; /* many choices of which one each is left: no stack is used up */
    assert_ok(ctx, nigh_buffer_print(&text, ONE "(assert (= X_0 1))"));
    for (int i = 0; i < 20000; i++) assert_ok(ctx, nigh_buffer_print(&text, "(assert (or (>= X_0 2) (<= X_0 1)))"));
    assert_ok(ctx, parse(ctx, text.data, &p));
    assert_true(p.cases == 1 && p.item->groups == 1);
    nigh_property_free(&p);
    nigh_buffer_free(&text);
    test_context_free(ctx);
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    static const char text[] = TWO BOX "(assert (or (and (<= Y_0 Y_1)) (and (> (* 2 (+ Y_0 (* X_1 -0.1)) 3) (- Y_0 (/ 1 3))) (not (>= Y_1 2)))))";
    for (long at = 1;; at++) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        nigh_property p = {0};
        nigh_status status = ctx ? parse(ctx, text, &p) : NIGH_MEMORY;
        if (!status) nigh_property_free(&p);
        else assert_int_equal(status, NIGH_MEMORY);
        if (ctx) nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (!status) break;
        assert_true(at < 1000);
    }
}

static void put_file(const char *folder, const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void reads_instances(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[512], want[600];
    nigh_instances list;
    put_file(folder, "a.onnx", "");
    put_file(folder, "b.onnx.gz", "");
    put_file(folder, "p.vnnlib.gz", "");
    put_file(folder, "i.csv", "a.onnx,p.vnnlib,116\r\n\n ./b.onnx , p.vnnlib.gz, 0.5\n");
    snprintf(path, sizeof path, "%s/i.csv", folder);
    assert_ok(ctx, nigh_instances_read(ctx, path, &list));
    assert_int_equal(list.count, 2);
    snprintf(want, sizeof want, "%s/p.vnnlib.gz", folder);
    assert_string_equal(list.item[0].property, want);
    assert_string_equal(list.item[1].property, want);
    assert_string_equal(list.item[1].network_text, "./b.onnx");
    snprintf(want, sizeof want, "%s/./b.onnx.gz", folder);
    assert_string_equal(list.item[1].network, want);
    assert_true(list.item[0].seconds == 116 && list.item[1].seconds == 0.5);
    nigh_instances_free(&list);
    put_file(folder, "i.csv", "a.onnx,p.vnnlib,116\nc.onnx,p.vnnlib,3\n");
    assert_fails(ctx, nigh_instances_read(ctx, path, &list), NIGH_INVALID, "line 2: there is no file");
    put_file(folder, "i.csv", "a.onnx,p.vnnlib\n");
    assert_fails(ctx, nigh_instances_read(ctx, path, &list), NIGH_FORMAT, "a comma is expected");
    put_file(folder, "i.csv", "a.onnx,p.vnnlib,-1\n");
    assert_fails(ctx, nigh_instances_read(ctx, path, &list), NIGH_FORMAT, "seconds above 0");
    put_file(folder, "i.csv", "a.onnx,,1\n");
    assert_fails(ctx, nigh_instances_read(ctx, path, &list), NIGH_FORMAT, "the name of a property's file");
    test_folder_remove(folder);
    nigh_buffer out = {.ctx = ctx};
    assert_ok(ctx, nigh_property_print_point(&out, 2, (const double[]){0.5, 0.1}, 1, (const double[]){-3e-20}));
    assert_string_equal(out.data, "((X_0 0.5)\n(X_1 0.1)\n(Y_0 -3e-20))\n");
    nigh_buffer_free(&out);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_outward), cmocka_unit_test(agrees_with_strtod), cmocka_unit_test(reads_conditions), cmocka_unit_test(multiplies_out), cmocka_unit_test(refuses_bad_input),
        cmocka_unit_test(bounds_its_work), cmocka_unit_test(survives_failing_allocations), cmocka_unit_test(reads_instances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
