/* Constraints: grammars against enumeration, states that come again, masks against one question for each token, predicates and programs. */
#include "support.h"

#include "lm/constraint.h"
#include "nigh/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nigh_constraint *grammar_of(nigh_context *ctx, const char *text)
{
    nigh_constraint *c = NULL;
    assert_ok(ctx, nigh_constraint_grammar(ctx, text, strlen(text), &c));
    return c;
}

/* ---- grammars against enumeration ---- */

/* Grammars in a form that a plain expander reads: rules R0 .. R3, right sides of letters a, b and digits (rules); "" is empty. */
typedef struct small_grammar {
    int rules;
    int sides[4];
    char side[4][3][5];
} small_grammar;

enum { LONGEST = 6, STRINGS = 1 << (LONGEST + 1) };

static int text_index(const char *text, int size)
{
    int index = 1;
    for (int i = 0; i < size; i++) index = 2 * index + (text[i] == 'b');
    return index;
}

/* member[rule][index of a string]: fixed point over all strings of at most LONGEST letters. */
static void enumerate(const small_grammar *g, uint8_t member[4][STRINGS])
{
    memset(member, 0, 4 * STRINGS);
    for (bool grew = true; grew;) {
        grew = false;
        for (int size = 0; size <= LONGEST; size++)
            for (int bits = 0; bits < 1 << size; bits++) {
                char text[LONGEST];
                for (int i = 0; i < size; i++) text[i] = bits >> (size - 1 - i) & 1 ? 'b' : 'a';
                for (int r = 0; r < g->rules; r++)
                    for (int s = 0; s < g->sides[r]; s++) {
                        bool reach[LONGEST + 1] = {true};
                        for (const char *x = g->side[r][s]; *x; x++) {
                            bool next[LONGEST + 1] = {false};
                            for (int i = 0; i <= size; i++)
                                for (int j = i; reach[i] && j <= size; j++)
                                    next[j] |= *x >= '0' && *x <= '9' ? member[*x - '0'][text_index(text + i, j - i)] : j == i + 1 && text[i] == *x;
                            memcpy(reach, next, sizeof reach);
                        }
                        int index = text_index(text, size);
                        if (reach[size] && !member[r][index]) member[r][index] = 1, grew = true;
                    }
            }
    }
}

static void random_grammar(nigh_rng *rng, small_grammar *g, char *text)
{
    g->rules = 1 + (int)nigh_rng_below(rng, 4);
    for (int r = 0; r < g->rules; r++) {
        g->sides[r] = 1 + (int)nigh_rng_below(rng, 3);
        text += r ? sprintf(text, "r%d ::= ", r) : sprintf(text, "root ::= ");
        for (int s = 0; s < g->sides[r]; s++) {
            int size = (int)nigh_rng_below(rng, 5);
            if (s) text += sprintf(text, " | ");
            for (int i = 0; i < size; i++) {
                char x = "ab0123"[nigh_rng_below(rng, 2 + (uint64_t)g->rules)];
                g->side[r][s][i] = x;
                text += x == '0' ? sprintf(text, "root ") : x <= '9' ? sprintf(text, "r%c ", x) : sprintf(text, "\"%c\" ", x);
            }
            g->side[r][s][size] = 0;
            if (!size) text += sprintf(text, "\"\"");
        }
        text += sprintf(text, "\n");
    }
}

static void check_grammar(nigh_context *ctx, const small_grammar *g, const char *text, uint8_t member[4][STRINGS])
{
    nigh_constraint *c = grammar_of(ctx, text);
    for (int size = 0; size <= LONGEST; size++)
        for (int bits = 0; bits < 1 << size; bits++) {
            char begin[LONGEST + 1] = {0};
            for (int i = 0; i < size; i++) begin[i] = bits >> (size - 1 - i) & 1 ? 'b' : 'a';
            int64_t state = nigh_constraint_step(c, nigh_constraint_start(c), begin, (size_t)size);
            bool found = nigh_constraint_complete(c, state);
            if (found != member[0][text_index(begin, size)]) fail_msg("%s: '%s' is %sa member", text, begin, found ? "not " : "");
            bool begins = false; /* within what was enumerated */
            for (int more = 0; !begins && size + more <= LONGEST; more++)
                for (int tail = 0; !begins && tail < 1 << more; tail++) {
                    char longer[LONGEST];
                    memcpy(longer, begin, (size_t)size);
                    for (int i = 0; i < more; i++) longer[size + i] = tail >> i & 1 ? 'b' : 'a';
                    begins = member[0][text_index(longer, size + more)];
                }
            if (begins && state < 0) fail_msg("%s: prefix '%s' is refused", text, begin);
        }
    assert_ok(ctx, nigh_constraint_status(c));
    nigh_constraint_free(c);
}

static void random_grammars_agree_with_enumeration(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(3, 0);
    static uint8_t member[4][STRINGS];
    for (int turn = 0; turn < 1500; turn++) {
        small_grammar g = {0};
        char text[1024];
        random_grammar(&rng, &g, text);
        enumerate(&g, member);
        check_grammar(ctx, &g, text, member);
    }
    test_context_free(ctx);
}

/* A walk of any kind never gets stuck: from each state met, one of the bytes goes on, or the prefix is a member; and an end is near. */
static void no_state_is_a_dead_end(void **state)
{
    static const char *const grammars[] = {"root ::= \"a\" root \"b\" | x\nx ::= \"c\" nothing | \"d\" | \"e\" y\nnothing ::= \"f\" nothing\ny ::= nothing | \"g\" y | \"h\"",
                                           "root ::= root \"+\" root | \"(\" root \")\" | [0-9]+", "root ::= (x | [a-z]{2,4})* \";\"\nx ::= \"q\" x nothing\nnothing ::= nothing"};
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof grammars / sizeof *grammars; i++) {
        nigh_constraint *c = grammar_of(ctx, grammars[i]);
        nigh_rng rng = nigh_rng_new(i, 0);
        for (int walk = 0; walk < 200; walk++) {
            int64_t s = nigh_constraint_start(c);
            for (int step = 0; step < 12; step++) {
                char open[256];
                size_t count = 0;
                for (int b = 0; b < 256; b++)
                    if (nigh_constraint_step(c, s, (char[]){(char)b}, 1) >= 0) open[count++] = (char)b;
                assert_true(count || nigh_constraint_complete(c, s));
                if (!count) break;
                s = nigh_constraint_step(c, s, &open[nigh_rng_below(&rng, count)], 1);
            }
        }
        nigh_constraint_free(c);
    }
    test_context_free(ctx);
}

static void lists_stay_flat_and_stacks_come_back(void **state)
{
    nigh_context *ctx = test_context_new();
    static const char *const lists[] = {"root ::= [a-z] root | [a-z]", "root ::= root [a-z] | [a-z]", "root ::= [a-z]+", "root ::= x root | x\nx ::= [a-z]",
                                        "root ::= item (\",\" item)*\nitem ::= [a-z]"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        nigh_constraint *c = grammar_of(ctx, lists[i]);
        int64_t s = nigh_constraint_start(c), two = -1;
        for (int k = 0; k < 1000; k++) {
            s = nigh_constraint_step(c, s, i == 4 && k % 2 ? "," : "x", 1);
            assert_true(s >= 0);
            if (k == 2) two = s;
            if (k > 2 && k % 2 == 0) assert_int_equal(s, two);
        }
        nigh_constraint_free(c);
    }
    nigh_constraint *c = grammar_of(ctx, "root ::= \"[\" root? \"]\" root?");
    int64_t once = nigh_constraint_step(c, nigh_constraint_start(c), "[[]", 3), again = nigh_constraint_step(c, nigh_constraint_start(c), "[[][[]]", 7);
    assert_true(once >= 0);
    assert_int_equal(once, again);
    nigh_constraint_free(c);
    test_context_free(ctx);
}

static void grammars_as_llama_cpp_writes_them(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_constraint *c = grammar_of(ctx, "# a list\nroot ::= \"[\" ws (value (\",\" ws value)*)? \"]\" # end\nvalue ::= num | str |\n  root\nnum ::= \"-\"? [0-9]{1,3} (\".\" [0-9]+)?\n"
                                         "str ::= \"\\\"\" [^\"\\\\\\x00-\\x1f]* \"\\\"\"\nws ::= [ \\t\\n]*\n");
    static const char *const in[] = {"[]", "[1]", "[-12.5, 3]", "[\"\xc3\xa9\",[[1],[]]]", "[ \n1,2]"}, *const out[] = {"", "[", "[1,]", "[1234]", "[\"\\\"]", "1", "[1] "};
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        assert_true(nigh_constraint_complete(c, nigh_constraint_step(c, nigh_constraint_start(c), in[i], strlen(in[i]))));
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        assert_false(nigh_constraint_complete(c, nigh_constraint_step(c, nigh_constraint_start(c), out[i], strlen(out[i]))));
    nigh_constraint_free(c);
    static const char *const bad[][2] = {{"", "no rule 'root'"}, {"root ::= x", "line 1, column 10: no rule 'x'"}, {"root ::= \"a", "does not end"}, {"root = \"a\"", "'::=' is missing"},
                                         {"root ::= \"a\"\nroot ::= \"b\"", "line 2, column 1: a rule that stands there already"}, {"root ::= (\"a\"", "does not end"}, {"root ::= [b-a]", "from more to less"},
                                         {"root ::= \"a\"{3,1}", "from more to less"}, {"root ::= * ", "neither a literal"}, {"root ::= \"\\q\"", "unknown escape"},
                                         {"root ::= (((\"a\"{1000}){1000}){1000}){1000}", "nodes allowed"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        nigh_status status = nigh_constraint_grammar(ctx, bad[i][0], strlen(bad[i][0]), &c);
        assert_true(status == NIGH_FORMAT || status == NIGH_RESOURCE);
        if (!strstr(nigh_message(ctx), bad[i][1])) fail_msg("'%s': '%s' lacks '%s'", bad[i][0], nigh_message(ctx), bad[i][1]);
    }
    c = grammar_of(ctx, "root ::= \"a\" root");
    assert_int_equal(nigh_constraint_start(c), -1);
    nigh_constraint_free(c);
    test_context_free(ctx);
}

/* ---- masks ---- */

enum { WORDS = 1500, LONGEST_WORD = 10 };

/* Pieces of constraints, whole characters of all lengths, and single bytes of them. */
static void random_words(nigh_rng *rng, char text[WORDS][16], word words[WORDS])
{
    static const char *const pieces[] = {"a", "b", "[", "]", ",", "1", "\"", "\xc3\xa9", "x", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc3", "\xa9", "\xed\xa0\x80", "\n", "\xe2\x82", "a", "\xc3\xa9", "b"};
    for (int i = 0; i < WORDS; i++) {
        size_t size = 0;
        for (uint64_t n = nigh_rng_below(rng, 6); n > 0 && size < LONGEST_WORD; n--) {
            const char *piece = pieces[nigh_rng_below(rng, nigh_rng_below(rng, 2) ? 10 : sizeof pieces / sizeof *pieces)];
            memcpy(text[i] + size, piece, strlen(piece));
            size += strlen(piece);
        }
        words[i] = (word){text[i], size, i == 5 || i == 600};
    }
}

static void check_masks(nigh_context *ctx, nigh_constraint *c, uint64_t seed, size_t bytes)
{
    nigh_rng rng = nigh_rng_new(seed, 1);
    char text[WORDS][16];
    word words[WORDS];
    random_words(&rng, text, words);
    vocabulary *v = NULL;
    nigh_masks *masks = NULL;
    assert_ok(ctx, vocabulary_new(ctx, words, WORDS, &v));
    assert_ok(ctx, masks_of_vocabulary(ctx, c, v, bytes, &masks));
    for (int walk = 0; walk < 10; walk++) {
        int64_t s = nigh_constraint_start(c);
        for (int step = 0; step < 12 && s >= 0; step++) {
            const uint64_t *bits;
            assert_ok(ctx, nigh_masks_get(masks, s, &bits));
            int open[WORDS], count = 0;
            for (int i = 0; i < WORDS; i++) {
                bool allowed = bits[i / 64] >> (i % 64) & 1;
                if (allowed && !words[i].ends) open[count++] = i;
                bool right = words[i].ends ? nigh_constraint_complete(c, s) : words[i].size && nigh_constraint_step(c, s, text[i], words[i].size) >= 0;
                assert_int_equal(allowed, right);
                assert_int_equal(nigh_masks_step(masks, s, i) >= 0, right);
            }
            if (!count) break;
            s = nigh_masks_step(masks, s, open[nigh_rng_below(&rng, (uint64_t)count)]);
        }
    }
    assert_int_equal(nigh_masks_step(masks, 0, -1), -1);
    assert_int_equal(nigh_masks_step(masks, 0, WORDS), -1);
    const uint64_t *bits;
    assert_fails(ctx, nigh_masks_get(masks, -1, &bits), NIGH_INVALID, "state -1");
    nigh_masks_free(masks);
}

static int starts_prefix(void *user, const char *bytes, size_t size)
{
    const char *whole = user;
    return size <= strlen(whole) && memcmp(bytes, whole, size) == 0;
}
static int is_whole(void *user, const char *bytes, size_t size) { return size == strlen(user) && memcmp(bytes, user, size) == 0; }

static void masks_are_one_question_for_each_token(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_constraint *c = grammar_of(ctx, "root ::= \"[\" (root | [ab1] | \"\\\"\" .* \"\\\"\")? (\",\" root)* \"]\"");
    check_masks(ctx, c, 1, 0);
    check_masks(ctx, c, 2, 300); /* room for three masks */
    nigh_constraint_free(c);
    static const char *const patterns[] = {"(a|b\\[|\xc3\xa9+x){2,}1?", ".*", "[^1]*", "[^\\x{20ac}]*1", "[a-z]*\\P{L}*", "(?s)(.{2})*", "\"[^\"]*\"", "([^\\x{ffff}]|xx)*"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        assert_ok(ctx, nigh_constraint_regex(ctx, patterns[i], 0, &c));
        check_masks(ctx, c, 3 + i, 0);
        nigh_constraint_free(c);
    }
    char whole[] = "ab[1,1]x";
    assert_ok(ctx, nigh_constraint_predicate(ctx, &(nigh_predicate){whole, starts_prefix, is_whole}, &c));
    check_masks(ctx, c, 4, 0);
    nigh_constraint_free(c);
    test_context_free(ctx);
}

/* ---- predicates ---- */

static int gives_two(void *user, const char *bytes, size_t size) { return size > 2 ? 2 : 1; }
static int opens_again(void *user, const char *bytes, size_t size) { return size != 1; }
static void remember(void *user, nigh_log_level level, const char *text)
{
    if (level == NIGH_LOG_WARNING && strstr(text, "refuses")) ++*(int *)user;
}

static void predicates_are_checked(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_constraint *c = NULL;
    assert_ok(ctx, nigh_constraint_predicate(ctx, &(nigh_predicate){NULL, gives_two, gives_two}, &c));
    int64_t s = nigh_constraint_step(c, nigh_constraint_start(c), "ab", 2);
    assert_true(s > 0);
    assert_int_equal(nigh_constraint_step(c, nigh_constraint_start(c), "ab", 2), s);
    assert_int_equal(nigh_constraint_step(c, s, "c", 1), -1);
    assert_fails(ctx, nigh_constraint_status(c), NIGH_INVALID, "prefix_ok gave 2 for 'abc'");
    nigh_constraint_free(c);
    int warnings = 0;
    nigh_context_set_log(ctx, remember, &warnings);
    assert_ok(ctx, nigh_constraint_predicate(ctx, &(nigh_predicate){NULL, opens_again, opens_again}, &c));
    assert_int_equal(nigh_constraint_step(c, nigh_constraint_start(c), "a", 1), -1);
    assert_int_equal(warnings, 1);
    nigh_constraint_free(c);
    assert_fails(ctx, nigh_constraint_predicate(ctx, &(nigh_predicate){0}, &c), NIGH_INVALID, "prefix_ok");
    test_context_free(ctx);
}

static void programs_are_asked_line_by_line(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_constraint *c = NULL;
    assert_ok(ctx, nigh_constraint_program(ctx, "sh -c 'while read k h; do case \"$k $h\" in \"P \"|\"P 61\"|\"P 6162\"|\"C 6162\") echo 1;; *) echo 0;; esac; done'", &c));
    int64_t s = nigh_constraint_start(c);
    assert_int_equal(s, 0);
    assert_false(nigh_constraint_complete(c, s));
    s = nigh_constraint_step(c, s, "a", 1);
    assert_true(s > 0);
    assert_int_equal(nigh_constraint_step(c, s, "x", 1), -1);
    s = nigh_constraint_step(c, s, "b", 1);
    assert_true(nigh_constraint_complete(c, s));
    assert_ok(ctx, nigh_constraint_status(c));
    nigh_constraint_free(c);
    assert_ok(ctx, nigh_constraint_program(ctx, "sh -c 'read x; echo 1; read x; echo no reason >&2; kill -9 $$'", &c));
    assert_int_equal(nigh_constraint_start(c), 0);
    assert_int_equal(nigh_constraint_step(c, 0, "a", 1), -1);
    assert_fails(ctx, nigh_constraint_status(c), NIGH_FAILED, "the program of a constraint");
    assert_int_equal(nigh_constraint_step(c, 0, "b", 1), -1);
    nigh_constraint_free(c);
    assert_ok(ctx, nigh_constraint_program(ctx, "sh -c 'read x; echo maybe; read x'", &c));
    assert_int_equal(nigh_constraint_start(c), -1);
    assert_fails(ctx, nigh_constraint_status(c), NIGH_INVALID, "answered 'maybe'");
    nigh_constraint_free(c);
    assert_fails(ctx, nigh_constraint_program(ctx, "no-such-program-here", &c), NIGH_FAILED, "no-such-program-here");
    test_context_free(ctx);
}

static void failing_memory_leaves_nothing(void **state)
{
    const char *text = "root ::= root \"+\" x | x\nx ::= [a-\\u00e9]{2} | \"(\" root \")\"";
    for (long fail_at = 1; fail_at < 250; fail_at++) {
        test_allocator allocator = {.fail_at = fail_at};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_constraint *c = NULL;
        nigh_masks *masks = NULL;
        vocabulary *v = NULL;
        word words[3] = {{"aa", 2, false}, {"(", 1, false}, {"", 0, true}};
        const uint64_t *bits;
        nigh_status status = nigh_constraint_grammar(ctx, text, strlen(text), &c);
        if (!status) nigh_constraint_step(c, nigh_constraint_start(c), "((aa+bb)", 8);
        if (!status) status = vocabulary_new(ctx, words, 3, &v);
        if (!status) status = masks_of_vocabulary(ctx, c, v, 0, &masks);
        if (!status) status = nigh_masks_get(masks, 0, &bits);
        if (status) assert_int_equal(status, NIGH_MEMORY);
        nigh_masks_free(masks);
        nigh_constraint_free(c);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_grammars_agree_with_enumeration), cmocka_unit_test(no_state_is_a_dead_end), cmocka_unit_test(lists_stay_flat_and_stacks_come_back),
        cmocka_unit_test(grammars_as_llama_cpp_writes_them), cmocka_unit_test(masks_are_one_question_for_each_token), cmocka_unit_test(predicates_are_checked),
        cmocka_unit_test(programs_are_asked_line_by_line), cmocka_unit_test(failing_memory_leaves_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
