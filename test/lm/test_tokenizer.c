/* Tokenizers of GGUF files: merges against a slow search, cuts into words, special tokens, broken bytes, what is given back, what is written and read again. */
#include "lm/tokenizer_regex.h"
#include "nigh/random.h"
#include "support.h"
#include "vocabularies.h"

#include <stdlib.h>

static const char *const more[] = {"ab", "abc", G "a", G "ab", "aa", "aaaa", "12", "<s>", "</s>", "<|im_end|>", "\u010A\u010A", "<half", "[x]", NULL};
static const char *const all_merges[] = {"a b", "ab c", G " a", G " ab", "a a", "aa aa", "1 2", "\u010A \u010A", NULL};
static const int32_t types[] = {1, 1, 1, 1, 1, 1, 1, 3, 3, 1, 1, 1, 4};
static const char *const signs[] = {U, U "a", "ab", "b", "a", "aa", U "ab", U U, "c", "abc", "<s>", "</s>", "\n\n", "c" U, "<unk>", NULL};
static const int32_t sign_types[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 4, 1, 2};
static const vocabulary bpe = {"gpt2", "gpt-2", more, all_merges, types, 263, 264, -1}, sentence = {"llama", "default", signs, NULL, sign_types, 266, 267, -1};

static void check(const nigh_tokenizer *t, const char *text, unsigned flags, const char *want)
{
    nigh_context *ctx = test_context_new();
    nigh_buffer got = {.ctx = ctx};
    assert_ok(ctx, pieces(t, text, strlen(text), flags, &got));
    assert_string_equal(got.data ? got.data : "", want);
    nigh_buffer_free(&got);
    test_context_free(ctx);
}

static void merges_by_rank(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_tokenizer *t;
    assert_ok(ctx, vocabulary_make(ctx, &bpe, &t));
    check(t, "abcab", 0, "abc|ab");
    check(t, "ab ab", 0, "ab|" G "ab"); /* "a b" first, so "Ġ a" is not there to be merged any more */
    check(t, "aaaaa", 0, "aaaa|a");
    check(t, "1212 a", 0, "12|12|" G "a");
    check(t, "", 0, "");
    check(t, "a<s>b", NIGH_TOKENS_SPECIAL, "a|<s>|b");
    check(t, "a<s>b", 0, "a|<|s|>|b");
    check(t, "a[x]<half", 0, "a|[x]|<|h|a|l|f");
    nigh_tokenizer_free(t);
    test_context_free(ctx);
}

/* The same by looking for the best pair again and again. */
static int64_t slow(const nigh_tokenizer *t, const char *text, size_t size, int32_t *ids)
{
    int64_t n = 0;
    for (size_t i = 0; i < size; i++) ids[n++] = (unsigned char)text[i];
    for (;;) {
        int best = -1;
        int64_t at = 0;
        int32_t to = -1;
        for (int64_t i = 0; i + 1 < n; i++)
            for (int r = 0; all_merges[r]; r++) {
                char pair[64], whole[64];
                snprintf(pair, sizeof pair, "%s %s", nigh_token_name(t, ids[i]), nigh_token_name(t, ids[i + 1]));
                snprintf(whole, sizeof whole, "%s%s", nigh_token_name(t, ids[i]), nigh_token_name(t, ids[i + 1]));
                if (strcmp(pair, all_merges[r]) || (best >= 0 && r >= best)) continue;
                best = r, at = i, to = nigh_token_find(t, whole);
            }
        if (best < 0) return n;
        ids[at] = to;
        memmove(ids + at + 1, ids + at + 2, (size_t)(n - at - 2) * sizeof *ids);
        n--;
    }
}

static void slow_merging_agrees(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_tokenizer *t;
    nigh_rng rng = nigh_rng_new(3, 0);
    assert_ok(ctx, vocabulary_make(ctx, &bpe, &t));
    for (int round = 0; round < 300; round++) {
        char text[200];
        int32_t ids[200];
        size_t size = 1 + nigh_rng_below(&rng, round % 3 ? 30 : 180);
        for (size_t i = 0; i < size; i++) text[i] = "aaabbc"[nigh_rng_below(&rng, 6)];
        nigh_token_list got = {.ctx = ctx};
        assert_ok(ctx, nigh_tokenize(t, text, size, 0, &got));
        int64_t want = slow(t, text, size, ids);
        assert_int_equal(got.count, want);
        assert_memory_equal(got.id, ids, (size_t)want * sizeof *ids);
        nigh_token_list_free(&got);
    }
    nigh_tokenizer_free(t);
    test_context_free(ctx);
}

/* The words of a text in brackets. */
static void cut(const nigh_tokenizer *t, int step, const char *text, size_t size, nigh_buffer *out)
{
    if (step == t->split.steps) {
        assert_ok(out->ctx, nigh_buffer_print(out, "[%.*s]", (int)size, text));
        return;
    }
    split_room room = {0};
    assert_ok(out->ctx, split_begin(t->split.step + step, &room, out->ctx, text, size));
    for (size_t at = 0, end; at < size; at = end) {
        assert_ok(out->ctx, split_next(t->split.step + step, &room, text, at, size, &end));
        assert_true(end > at && end <= size);
        cut(t, step + 1, text + at, end - at, out);
    }
    regex_room_free(&room);
}

static void cuts_words(void **state)
{
    static const struct {
        const char *pre, *text, *want; /* words in brackets */
    } cases[] = {
        {"gpt-2", "Hi there's  2 12x,.\n\n a", "[Hi][ there]['s][ ][ 2][ 12][x][,.][\n\n][ a]"},
        {"smollm", "a 12 3", "[a][ ][1][2][ ][3]"},
        {"llama-bpe", "He'LL say:1234\r\n ok!\n", "[He]['LL][ say][:][123][4][\r\n][ ok][!\n]"},
        {"qwen2", "a12 (b)\n\n  c", "[a][1][2][ (][b][)\n\n][ ][ c]"},
        {"qwen35", "e\u0301 \u0939\u093F", "[e\u0301][ \u0939\u093F]"},
        {"qwen2", "e\u0301 ", "[e][\u0301][ ]"},
        {"tekken", "HelloWorld ABCd//\n", "[Hello][World][ ABCd][//\n]"},
        {"gpt-4o", "it's DON'T 1234", "[it's][ DON'T][ ][123][4]"},
        {"deepseek-v3", "abc\u6211\u4EEC 12345~x", "[abc][\u6211\u4EEC][ ][123][45][~x]"},
        {"bloom", " ab, c.", "[ ab][,][ c][.]"},
        {"default", "a+b 1234", "[a][+][b][ ][123][4]"},
        {"gpt-2", "\u00A0x\u3000\u3000y", "[\u00A0][x][\u3000][\u3000][y]"},
    };
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vocabulary v = bpe;
        v.pre = cases[i].pre;
        nigh_tokenizer *t;
        nigh_buffer got = {.ctx = ctx};
        assert_ok(ctx, vocabulary_make(ctx, &v, &t));
        cut(t, 0, cases[i].text, strlen(cases[i].text), &got);
        assert_string_equal(got.data, cases[i].want);
        nigh_buffer_free(&got);
        nigh_tokenizer_free(t);
    }
    test_context_free(ctx);
}

static void broken_bytes_are_mended(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_tokenizer *t;
    nigh_buffer text = {.ctx = ctx};
    nigh_token_list list = {.ctx = ctx};
    assert_ok(ctx, vocabulary_make(ctx, &bpe, &t));
    assert_ok(ctx, nigh_tokenize(t, "a\xFF\xC0\x80\xE2\x82", 6, 0, &list));
    assert_ok(ctx, nigh_detokenize(t, list.id, list.count, true, &text));
    assert_int_equal(text.size, 1 + 3 + 1 + 3 + 3);
    assert_memory_equal(text.data, "a\uFFFD\0\uFFFD\uFFFD", 11); /* a byte each; C0 80 is a 0 written too long */
    nigh_token_list_free(&list);
    nigh_buffer_free(&text);
    nigh_tokenizer_free(t);
    test_context_free(ctx);
}

static void merges_by_score(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_tokenizer *t;
    assert_ok(ctx, vocabulary_make(ctx, &sentence, &t));
    check(t, "ab", 0, U "ab"); /* the prefix; the first score is the best */
    check(t, "ab c", NIGH_TOKENS_BEGIN, "<s>|" U "ab|" U "|c");
    check(t, "\n\n", 0, "\n\n");
    check(t, "z\u00E9", 0, U "|<0x7A>|<0xC3>|<0xA9>");
    check(t, "a<s>a", NIGH_TOKENS_SPECIAL, U "a|<s>|" U "a");
    int32_t ids[] = {nigh_token_find(t, U "a"), nigh_token_find(t, "b"), nigh_token_find(t, U "a")};
    nigh_buffer text = {.ctx = ctx};
    assert_ok(ctx, nigh_detokenize(t, ids, 3, true, &text));
    assert_string_equal(text.data, "ab a");
    text.size = 0;
    assert_ok(ctx, nigh_detokenize(t, ids, 3, false, &text));
    assert_string_equal(text.data, " ab a");
    assert_fails(ctx, nigh_detokenize(t, (int32_t[]){99999}, 1, true, &text), NIGH_INVALID, "99999");
    nigh_buffer_free(&text);
    nigh_tokenizer_free(t);
    test_context_free(ctx);
}

static void knows_its_tokens(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_tokenizer *t;
    size_t size;
    assert_ok(ctx, vocabulary_make(ctx, &bpe, &t));
    assert_int_equal(nigh_tokenizer_vocabulary(t), 256 + 13);
    assert_int_equal(nigh_tokenizer_begin(t), 263);
    assert_int_equal(nigh_tokenizer_end(t), 264);
    assert_true(nigh_token_ends(t, 264));
    assert_true(nigh_token_ends(t, nigh_token_find(t, "<|im_end|>"))); /* by its name, though the file calls it text */
    assert_int_equal(nigh_token_kind_of(t, nigh_token_find(t, "<|im_end|>")), NIGH_TOKEN_CONTROL);
    assert_false(nigh_token_ends(t, 'a'));
    assert_false(nigh_token_ends(t, -1));
    assert_int_equal(nigh_token_find(t, "nothing"), -1);
    assert_memory_equal(nigh_token_bytes(t, nigh_token_find(t, G "ab"), &size), " ab", 3);
    assert_int_equal(size, 3);
    nigh_token_bytes(t, 263, &size);
    assert_int_equal(size, 0);
    for (int b = 0; b < 256; b++) {
        const char *bytes = nigh_token_bytes(t, b, &size);
        assert_true(size == 1 && (unsigned char)*bytes == b);
    }
    bool same;
    assert_ok(ctx, nigh_tokens_round_trip(t, (int32_t[]){256, 'c'}, 2, &same));
    assert_false(same); /* "abc" is a token */
    assert_ok(ctx, nigh_tokens_round_trip(t, (int32_t[]){257, ','}, 2, &same));
    assert_true(same);
    nigh_tokenizer_free(t);
    test_context_free(ctx);
}

static nigh_tokenizer *again(nigh_context *ctx, const nigh_tokenizer *t)
{
    nigh_gguf_writer *w;
    nigh_gguf *gguf;
    nigh_buffer file = {.ctx = ctx};
    nigh_tokenizer *out;
    assert_ok(ctx, nigh_gguf_writer_new(ctx, &w));
    assert_ok(ctx, nigh_tokenizer_put(t, w));
    assert_ok(ctx, nigh_gguf_format(w, &file));
    assert_ok(ctx, nigh_gguf_parse(ctx, file.data, file.size, "put", &gguf));
    assert_ok(ctx, nigh_tokenizer_from_gguf(ctx, gguf, &out));
    nigh_gguf_close(gguf);
    nigh_gguf_writer_free(w);
    nigh_buffer_free(&file);
    return out;
}

static void written_and_read_again(void **state)
{
    static const char text[] = "abc aaaa <s>12</s> [x]\xFF\n\n c";
    nigh_context *ctx = test_context_new();
    nigh_tokenizer *t[3], *other;
    assert_ok(ctx, vocabulary_make(ctx, &bpe, t));
    assert_ok(ctx, vocabulary_make(ctx, &sentence, t + 1));
    assert_ok(ctx, nigh_tokenizer_bytes(ctx, t + 2));
    for (int i = 0; i < 3; i++) {
        nigh_token_list a = {.ctx = ctx}, b = {.ctx = ctx};
        other = again(ctx, t[i]);
        assert_ok(ctx, nigh_tokenize(t[i], text, sizeof text - 1, 3, &a));
        assert_ok(ctx, nigh_tokenize(other, text, sizeof text - 1, 3, &b));
        if (a.count != b.count) fail_msg("kind %d: %lld tokens, then %lld", i, (long long)a.count, (long long)b.count);
        assert_memory_equal(a.id, b.id, (size_t)a.count * sizeof *a.id);
        nigh_token_list_free(&a);
        nigh_token_list_free(&b);
        nigh_tokenizer_free(other);
        nigh_tokenizer_free(t[i]);
    }
    test_context_free(ctx);
}

static void long_words_are_linear(void **state)
{
    enum { SIZE = 300000 };
    nigh_context *ctx = test_context_new();
    nigh_tokenizer *t[2];
    char *text = malloc(SIZE);
    assert_ok(ctx, vocabulary_make(ctx, &bpe, t));
    assert_ok(ctx, vocabulary_make(ctx, &sentence, t + 1));
    memset(text, 'a', SIZE);
    for (int i = 0; i < 2; i++) {
        nigh_token_list list = {.ctx = ctx};
        assert_ok(ctx, nigh_tokenize(t[i], text, SIZE, 0, &list));
        assert_int_equal(list.count, i ? SIZE / 2 + 1 : SIZE / 4); /* U "a", then pairs and one left over */
        nigh_token_list_free(&list);
        nigh_tokenizer_free(t[i]);
    }
    free(text);
    test_context_free(ctx);
}

static void refuses(void **state)
{
    static const char *const twice[] = {"ab", "ab", NULL};
    nigh_context *ctx = test_context_new();
    nigh_tokenizer *t = NULL;
    vocabulary v = bpe;
    v.pre = "nobody's";
    assert_fails(ctx, vocabulary_make(ctx, &v, &t), NIGH_UNSUPPORTED, "nobody's");
    v = bpe, v.model = "bert";
    assert_fails(ctx, vocabulary_make(ctx, &v, &t), NIGH_UNSUPPORTED, "bert");
    v = bpe, v.more = twice, v.types = NULL;
    assert_fails(ctx, vocabulary_make(ctx, &v, &t), NIGH_FORMAT, "ab");
    assert_null(t);
    test_context_free(ctx);
}

static void allocations_may_fail(void **state)
{
    static const char text[] = "ab <s> aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xFF";
    for (int kind = 0; kind < 2; kind++)
        for (long k = 2;; k += k < 60 ? 1 : 13) {
            test_allocator allocator = {.fail_at = k};
            nigh_context *ctx = test_context_failing(&allocator);
            nigh_tokenizer *t = NULL;
            nigh_token_list list = {.ctx = ctx};
            nigh_status status = vocabulary_make(ctx, kind ? &sentence : &bpe, &t);
            if (!status) status = nigh_tokenize(t, text, sizeof text - 1, 3, &list);
            nigh_token_list_free(&list);
            nigh_tokenizer_free(t);
            assert_int_equal(nigh_memory_now(ctx), 0);
            if (status && status != NIGH_MEMORY) fail_msg("allocation %ld: %s", k, nigh_message(ctx));
            nigh_context_free(ctx);
            if (!status) break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_by_rank),         cmocka_unit_test(slow_merging_agrees), cmocka_unit_test(cuts_words), cmocka_unit_test(broken_bytes_are_mended),
        cmocka_unit_test(merges_by_score),        cmocka_unit_test(knows_its_tokens),    cmocka_unit_test(written_and_read_again),
        cmocka_unit_test(long_words_are_linear),  cmocka_unit_test(refuses),             cmocka_unit_test(allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
