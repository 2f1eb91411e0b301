/* Automata: identities of sets, one table for one set, regular expressions against PCRE2, what is refused, bounds, failing memory. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "support.h"

#include "core/automaton.h"
#include "nigh/random.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static automaton *regex(nigh_context *ctx, const char *text)
{
    automaton *a = NULL;
    assert_ok(ctx, automaton_regex(ctx, text, strlen(text), NULL, 0, &a));
    return a;
}

static void same_set(nigh_context *ctx, const char *one, const char *other, bool same)
{
    automaton *a = regex(ctx, one), *b = regex(ctx, other);
    if (automaton_same(a, b) != same) fail_msg("'%s' (%u states) and '%s' (%u states) are %s", one, a->states, other, b->states, same ? "different" : "the same");
    automaton_free(a), automaton_free(b);
}

static void equal_sets_have_equal_tables(void **state)
{
    nigh_context *ctx = test_context_new();
    same_set(ctx, "a|b|c", "[a-c]", true);
    same_set(ctx, "(a*b*)*", "[ab]*", true);
    same_set(ctx, "(a|b)*abb", "(b|a)*a(b)b", true);
    same_set(ctx, "a{2,4}", "aa(a(a)?)?", true);
    same_set(ctx, "(a*)*", "a*", true);
    same_set(ctx, "(){5,9}x", "x", true);
    same_set(ctx, "a{0}", "", true);
    same_set(ctx, "[^\\x{0}-\\x{10ffff}]a|b", "b", true);
    same_set(ctx, "x[^\\x{0}-\\x{10ffff}]*", "x", true);
    same_set(ctx, ".", "[^\\n]", true);
    same_set(ctx, "\\d", "[0-9]", true);
    same_set(ctx, "\\p{Lu}|\\p{Ll}|\\p{Lt}|\\p{Lm}|\\p{Lo}", "\\pL", true);
    same_set(ctx, "\\p{L}|\\P{L}", "(?s).", true);
    same_set(ctx, "^ab$", "ab", true);
    same_set(ctx, "(^a|b)(c|d$)", "[ab][cd]", true);
    same_set(ctx, "a^b|c", "c", true);
    same_set(ctx, "(?i)straSSe", "[sS\\x{17f}][tT][rR][aA][sS\\x{17f}][sS\\x{17f}][eE]", true);
    same_set(ctx, "(?i:a)b", "[aA]b", true);
    same_set(ctx, "a(?i)b|c", "a[bB]|[cC]", true);
    same_set(ctx, "[[:alpha:][:digit:]]", "[[:alnum:]]", true);
    same_set(ctx, "\\x41\\u0042\\x{43}\\t", "ABC\t", true);
    same_set(ctx, "a{,x}", "a\\{,x}", true);
    same_set(ctx, "ab", "abc", false);
    test_context_free(ctx);
}

static void operations_obey_their_laws(void **state)
{
    nigh_context *ctx = test_context_new();
    for (uint64_t seed = 0; seed < 25; seed++) {
        automaton *a = NULL, *b = NULL, *not_a = NULL, *not_b = NULL, *back = NULL, *both = NULL, *either = NULL, *minus = NULL, *left = NULL, *right = NULL;
        assert_ok(ctx, automaton_random(ctx, 1 + (uint32_t)(seed % 9), "abc", seed, &a));
        assert_ok(ctx, automaton_random(ctx, 5, "bcd", seed + 1000, &b));
        assert_int_equal(a->states, 1 + (uint32_t)(seed % 9));
        assert_ok(ctx, automaton_complement(a, &not_a));
        assert_ok(ctx, automaton_complement(not_a, &back));
        assert_true(automaton_same(a, back));
        assert_ok(ctx, automaton_complement(b, &not_b));
        assert_ok(ctx, automaton_product(a, b, AUTOMATON_AND, 0, &both));
        assert_ok(ctx, automaton_product(a, b, AUTOMATON_OR, 0, &either));
        assert_ok(ctx, automaton_product(a, b, AUTOMATON_MINUS, 0, &minus));
        assert_ok(ctx, automaton_complement(either, &left)); /* De Morgan */
        assert_ok(ctx, automaton_product(not_a, not_b, AUTOMATON_AND, 0, &right));
        assert_true(automaton_same(left, right));
        nigh_rng rng = nigh_rng_new(seed, 7);
        for (int i = 0; i < 300; i++) {
            char text[12];
            size_t size = nigh_rng_below(&rng, sizeof text);
            for (size_t k = 0; k < size; k++) text[k] = "abcdx"[nigh_rng_below(&rng, 20) == 0 ? 4 : nigh_rng_below(&rng, 4)];
            bool x = automaton_accepts(a, text, size), y = automaton_accepts(b, text, size);
            assert_int_equal(automaton_accepts(not_a, text, size), !x);
            assert_int_equal(automaton_accepts(both, text, size), x && y);
            assert_int_equal(automaton_accepts(either, text, size), x || y);
            assert_int_equal(automaton_accepts(minus, text, size), x && !y);
        }
        automaton *all[] = {a, b, not_a, not_b, back, both, either, minus, left, right};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) automaton_free(all[i]);
    }
    automaton *all = NULL, *none = NULL;
    assert_ok(ctx, automaton_all(ctx, &all));
    assert_ok(ctx, automaton_complement(all, &none));
    assert_int_equal(none->states, 0);
    assert_false(automaton_accepts(none, "", 0));
    automaton_free(all), automaton_free(none);
    test_context_free(ctx);
}

/* Every state reaches the end: a walk from any state over moves that exist ends in an accepting one. */
static void no_state_is_a_dead_end(void **state)
{
    nigh_context *ctx = test_context_new();
    automaton *a = regex(ctx, "(a[^\\x{0}-\\x{10ffff}]|bc*d|e{3}(fg)*)+h?");
    uint8_t *alive = calloc(a->states, 1);
    for (uint32_t turn = 0; turn < a->states; turn++)
        for (uint32_t s = 0; s < a->states; s++) {
            alive[s] |= a->accepts[s];
            for (uint32_t c = 0; c < a->classes; c++) {
                uint32_t to = a->next[(size_t)s * a->classes + c];
                if (to != AUTOMATON_NONE) alive[s] |= alive[to];
            }
        }
    for (uint32_t s = 0; s < a->states; s++) assert_true(alive[s]);
    free(alive);
    automaton_free(a);
    test_context_free(ctx);
}

/* ---- PCRE2 ---- */

static void put(char **at, const char *text) { *at += sprintf(*at, "%s", text); }

static void random_pattern(nigh_rng *rng, int depth, char **at)
{
    static const char *const atoms[] = {"a", "b", "c", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", ".", "\\d", "\\w", "\\s", "\\W", "[a-c]", "[^ab]", "[b-d\\d]", "\\p{L}", "\\P{Lu}", "\\x{e8}",
                                        "[\\x{80}-\\x{7ff}]", "[^\\x{e9}]", "\\D", "\\n", "[\\s\\S]", "[[:upper:]]", "\\h", "\\pN", "(?i:k)", "(?s:.)", "(?i:[a-\\x{e9}])", "(?i:[^b])", ""};
    static const char *const counts[] = {"*", "+", "?", "{2}", "{1,3}", "{0,2}", "*?", "{2,}"};
    uint64_t what = nigh_rng_below(rng, depth > 0 ? 8 : 3);
    if (what < 3) {
        put(at, atoms[nigh_rng_below(rng, sizeof atoms / sizeof *atoms)]);
    } else if (what < 5) {
        for (int i = 0; i < 3; i++) random_pattern(rng, depth - 1, at);
    } else if (what < 7) {
        put(at, what == 5 ? "(" : "(?:");
        random_pattern(rng, depth - 1, at);
        if (nigh_rng_below(rng, 2)) put(at, "|"), random_pattern(rng, depth - 1, at);
        put(at, ")");
        if (nigh_rng_below(rng, 2)) put(at, counts[nigh_rng_below(rng, sizeof counts / sizeof *counts)]);
    } else {
        put(at, "(?:");
        random_pattern(rng, depth - 1, at);
        put(at, ")");
        put(at, counts[nigh_rng_below(rng, sizeof counts / sizeof *counts)]);
    }
}

static size_t random_text(nigh_rng *rng, char *text)
{
    static const char *const letters[] = {"a", "b", "c", "d", "A", "K", "k", "\xe2\x84\xaa", "1", " ", "\n", "\xc3\xa9", "\xc3\x89", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "_", "\xc3\xa8", "\xd9\xa3"};
    size_t size = 0;
    for (uint64_t n = nigh_rng_below(rng, 7); n > 0; n--) {
        const char *c = letters[nigh_rng_below(rng, sizeof letters / sizeof *letters)];
        memcpy(text + size, c, strlen(c));
        size += strlen(c);
    }
    return size;
}

static void random_patterns_agree_with_pcre2(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(5, 0);
    int compared = 0, members = 0;
    for (int turn = 0; turn < 1500; turn++) {
        char text[4096], *at = text;
        random_pattern(&rng, 3, &at);
        int error;
        PCRE2_SIZE offset;
        pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, (PCRE2_SIZE)(at - text), PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error, &offset, NULL);
        assert_non_null(code);
        pcre2_match_data *found = pcre2_match_data_create(4, NULL);
        automaton *a = NULL;
        assert_ok(ctx, automaton_regex(ctx, text, (size_t)(at - text), NULL, 0, &a));
        for (int i = 0; i < 60; i++) {
            char subject[64];
            size_t size = random_text(&rng, subject);
            int got = pcre2_match(code, (PCRE2_SPTR)subject, size, 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED, found, NULL);
            if (got < PCRE2_ERROR_NOMATCH) continue; /* its limit of backtracking */
            if (automaton_accepts(a, subject, size) != (got >= 0)) fail_msg("'%s' on '%.*s': PCRE2 says %d", text, (int)size, subject, got);
            compared++, members += got >= 0;
        }
        automaton_free(a);
        pcre2_match_data_free(found);
        pcre2_code_free(code);
    }
    assert_true(compared > 80000 && members > 3000);
    test_context_free(ctx);
}

static void searching_agrees_with_pcre2(void **state)
{
    static const char *const patterns[] = {"a", "^a", "a$", "^a$", "^a|b$", "(^a|b)c", "^$", "", "a.*b", "^(a|b)+$", "c\\d$|^d"};
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(6, 0);
    for (size_t k = 0; k < sizeof patterns / sizeof *patterns; k++) {
        int error;
        PCRE2_SIZE offset;
        pcre2_code *code = pcre2_compile((PCRE2_SPTR)patterns[k], PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error, &offset, NULL);
        pcre2_match_data *found = pcre2_match_data_create(4, NULL);
        automaton *a = NULL;
        assert_ok(ctx, automaton_regex(ctx, patterns[k], strlen(patterns[k]), &(regex_options){.search = true}, 0, &a));
        for (int i = 0; i < 2000; i++) {
            char subject[64];
            size_t size = random_text(&rng, subject);
            int got = pcre2_match(code, (PCRE2_SPTR)subject, size, 0, 0, found, NULL);
            if (automaton_accepts(a, subject, size) != (got >= 0)) fail_msg("'%s' in '%.*s': PCRE2 says %d", patterns[k], (int)size, subject, got);
        }
        automaton_free(a);
        pcre2_match_data_free(found);
        pcre2_code_free(code);
    }
    test_context_free(ctx);
}

/* ---- refusals ---- */

static void refused_parts_are_named_with_their_offset(void **state)
{
    static const struct {
        const char *text;
        nigh_status status;
        const char *part;
    } cases[] = {
        {"(a)\\1", NIGH_UNSUPPORTED, "a back-reference at offset 3"}, {"x(?=a)", NIGH_UNSUPPORTED, "look-ahead at offset 1"}, {"(?<!a)b", NIGH_UNSUPPORTED, "look-behind at offset 0"},
        {"a\\b", NIGH_UNSUPPORTED, "word boundary \\b at offset 1"}, {"(?>a)", NIGH_UNSUPPORTED, "atomic group at offset 0"}, {"(?(1)a)", NIGH_UNSUPPORTED, "a condition"},
        {"(?R)", NIGH_UNSUPPORTED, "recursion"}, {"a++", NIGH_UNSUPPORTED, "possessive quantifier at offset 2"}, {"\\p{Greek}", NIGH_UNSUPPORTED, "\\p{Greek}"},
        {"(?m)a", NIGH_UNSUPPORTED, "option (?m) at offset 2"}, {"(?P=n)", NIGH_UNSUPPORTED, "back-reference"}, {"a{,3}", NIGH_UNSUPPORTED, "{,n}"},
        {"(a", NIGH_FORMAT, "a group that does not end at offset 0"}, {"a)", NIGH_FORMAT, "offset 1"}, {"[a", NIGH_FORMAT, "a class that does not end"}, {"*a", NIGH_FORMAT, "a repetition of nothing"},
        {"a**", NIGH_FORMAT, "a repetition of a repetition"}, {"a{3,2}", NIGH_FORMAT, "from more to less"}, {"[z-a]", NIGH_FORMAT, "from more to less"}, {"a\\", NIGH_FORMAT, "a backslash at the end"},
        {"\xff", NIGH_FORMAT, "not UTF-8 at offset 0"}, {"\\x{110000}", NIGH_FORMAT, "a code of a character"}, {"((a{1000}){1000}){1000}", NIGH_RESOURCE, "nodes allowed"},
        {"a{2000000}", NIGH_RESOURCE, "1,000,000"}};
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        automaton *a = NULL;
        assert_fails(ctx, automaton_regex(ctx, cases[i].text, strlen(cases[i].text), NULL, 20000, &a), cases[i].status, cases[i].part);
        assert_null(a);
    }
    automaton *a = NULL;
    assert_fails(ctx, automaton_regex(ctx, "[ab]*a[ab]{20}", 14, NULL, 5000, &a), NIGH_RESOURCE, "5000 states allowed");
    char deep[1200];
    memset(deep, '(', 600), memset(deep + 600, ')', 600);
    assert_fails(ctx, automaton_regex(ctx, deep, sizeof deep, NULL, 0, &a), NIGH_RESOURCE, "200 groups");
    test_context_free(ctx);
}

static void failing_memory_leaves_nothing(void **state)
{
    for (long fail_at = 1; fail_at < 200; fail_at++) {
        test_allocator allocator = {.fail_at = fail_at};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        automaton *a = NULL;
        nigh_status status = automaton_regex(ctx, "^(?i:k|[a-\\x{e9}]{2})\\p{Nd}*$", 29, NULL, 0, &a);
        if (status) assert_int_equal(status, NIGH_MEMORY);
        automaton_free(a);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_sets_have_equal_tables), cmocka_unit_test(operations_obey_their_laws), cmocka_unit_test(no_state_is_a_dead_end),
        cmocka_unit_test(random_patterns_agree_with_pcre2), cmocka_unit_test(searching_agrees_with_pcre2), cmocka_unit_test(refused_parts_are_named_with_their_offset),
        cmocka_unit_test(failing_memory_leaves_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
