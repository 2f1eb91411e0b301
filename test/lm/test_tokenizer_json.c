/* tokenizer.json: steps in front of merging, added tokens, byte fallback, what is given back; parts that are refused by name. */
#include "lm/tokenizer_json.h"
#include "support.h"
#include "vocabularies.h"

#include <stdlib.h>

#define BYTES "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}"
#define VOCAB "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\\u0120\":3,\"\\u0120a\":4,\"1\":5,\"\\u010a\":6},\"merges\":[\"a b\",[\"\\u0120\",\"a\"]]"
#define ADDED "\"added_tokens\":[{\"id\":7,\"content\":\"<s>\",\"special\":true},{\"id\":8,\"content\":\"xy\",\"special\":false,\"lstrip\":true,\"rstrip\":true}]"
#define TEMPLATE "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}"
#define SIGNS "\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"fuse_unk\":true,\"byte_fallback\":true,\"vocab\":{\"?\":0,\"\\u2581\":1,\"a\":2,\"b\":3,\"\\u2581a\":4,\"<0xC3>\":5,\"<0xA9>\":6,\"ab\":7}," \
              "\"merges\":[\"\\u2581 a\",\"a b\"]}"

static nigh_tokenizer *parse(nigh_context *ctx, const char *json)
{
    nigh_tokenizer *t = NULL;
    assert_ok(ctx, tokenizer_parse_json(ctx, "t.json", json, strlen(json), &t));
    return t;
}

static void check(nigh_context *ctx, const char *json, const char *text, unsigned flags, const char *want, const char *back)
{
    nigh_tokenizer *t = parse(ctx, json);
    nigh_buffer got = {.ctx = ctx};
    nigh_token_list list = {.ctx = ctx};
    assert_ok(ctx, pieces(t, text, strlen(text), flags, &got));
    assert_string_equal(got.data ? got.data : "", want);
    got.size = 0;
    assert_ok(ctx, nigh_tokenize(t, text, strlen(text), flags, &list));
    assert_ok(ctx, nigh_detokenize(t, list.id, list.count, true, &got));
    if (back) assert_string_equal(got.data ? got.data : "", back);
    nigh_token_list_free(&list);
    nigh_buffer_free(&got);
    nigh_tokenizer_free(t);
}

static void byte_level(void **state)
{
    nigh_context *ctx = test_context_new();
    const char *plain = "{" ADDED "," TEMPLATE ",\"pre_tokenizer\":" BYTES ",\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\"," VOCAB "}}";
    check(ctx, plain, "ab a", 0, "ab|" G "a", "ab a");
    check(ctx, plain, "a<s>b", NIGH_TOKENS_SPECIAL, "a|<s>|b", "ab");
    check(ctx, plain, "a", NIGH_TOKENS_BEGIN, "<s>|a", "a");
    check(ctx, plain, "a  xy \nb", 0, "a|xy|b", "axyb"); /* swallows blanks on both sides */
    check(ctx, "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"},{\"type\":\"NFKC\"}]},\"pre_tokenizer\":" BYTES ",\"model\":{\"type\":\"BPE\"," VOCAB "}}",
          "A\uFF22", 0, "ab", "ab");
    check(ctx, "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true}," BYTES "]},\"model\":{\"type\":\"BPE\"," VOCAB "}}", "11 a", 0,
          "1|1|" G "a", "11 a");
    test_context_free(ctx);
}

static void splits(void **state)
{
    static const char *const behaviours[] = {"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext"};
    nigh_context *ctx = test_context_new();
    for (int i = 0; i < 4; i++) {
        char json[1024];
        snprintf(json, sizeof json,
                 "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"1+\"},\"behavior\":\"%s\",\"invert\":false},"
                 "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"model\":{\"type\":\"BPE\"," VOCAB "}}",
                 behaviours[i]);
        check(ctx, json, "ab1ab", 0, i == 1 ? "ab|ab" : "ab|1|ab", NULL);
    }
    test_context_free(ctx);
}

static void characters(void **state)
{
    nigh_context *ctx = test_context_new();
    const char *llama = "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"\\u2581\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\\u2581\"}]},"
                        "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"\\u2581\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},"
                        "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]}," SIGNS "}";
    check(ctx, llama, "ab a", 0, U "a|b|" U "a", "ab a");
    check(ctx, llama, "\u00E9zq", 0, U "|<0xC3>|<0xA9>|?", NULL); /* bytes where they are tokens; a row of unknown signs is one */
    const char *space = "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\\u2581\",\"prepend_scheme\":\"always\",\"split\":true},\"decoder\":{\"type\":\"Metaspace\","
                        "\"replacement\":\"\\u2581\",\"prepend_scheme\":\"always\",\"split\":true}," SIGNS "}";
    check(ctx, space, "ab  a", 0, U "a|b|" U "|" U "a", "ab  a");
    test_context_free(ctx);
}

static void refuse(nigh_context *ctx, const char *json, nigh_status status, const char *part)
{
    nigh_tokenizer *t = NULL;
    assert_fails(ctx, tokenizer_parse_json(ctx, "t.json", json, strlen(json), &t), status, part);
    assert_null(t);
}

static void refuses(void **state)
{
    nigh_context *ctx = test_context_new();
    refuse(ctx, "{}", NIGH_FORMAT, "model");
    refuse(ctx, "[1]", NIGH_FORMAT, "object");
    refuse(ctx, "{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", NIGH_UNSUPPORTED, "Unigram");
    refuse(ctx, "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}", NIGH_FORMAT, "merge 0");
    refuse(ctx, "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":999999999},\"merges\":[]}}", NIGH_FORMAT, "999999999");
    refuse(ctx, "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", NIGH_FORMAT, "-1");
    refuse(ctx, "{\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"},\"model\":{\"type\":\"BPE\"," VOCAB "}}", NIGH_UNSUPPORTED, "UnicodeScripts");
    refuse(ctx, "{\"normalizer\":{\"type\":\"Precompiled\"},\"model\":{\"type\":\"BPE\"," VOCAB "}}", NIGH_UNSUPPORTED, "Precompiled");
    refuse(ctx, "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\",\"invert\":false},\"model\":{\"type\":\"BPE\"," VOCAB "}}", NIGH_UNSUPPORTED, "(");
    test_context_free(ctx);
}

static void reads_the_configuration(void **state)
{
    char *folder = test_folder_new(), path[512];
    nigh_context *ctx = test_context_new();
    nigh_tokenizer *t = NULL;
    const char *const parts[] = {"{" ADDED ",\"pre_tokenizer\":" BYTES ",\"model\":{\"type\":\"BPE\"," VOCAB "}}",
                                 "{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"<s>\",\"chat_template\":[{\"name\":\"tool\",\"template\":\"t\"},{\"name\":\"default\",\"template\":\"d\"}]}"};
    for (int i = 2; i-- > 0;) {
        snprintf(path, sizeof path, "%s/%s", folder, i ? "tokenizer_config.json" : "tokenizer.json");
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fputs(parts[i], file);
        fclose(file);
    }
    assert_ok(ctx, nigh_tokenizer_load(ctx, path, &t));
    assert_int_equal(nigh_tokenizer_begin(t), 7);
    assert_true(nigh_token_ends(t, 7));
    assert_string_equal(nigh_tokenizer_chat_template(t), "d");
    nigh_tokenizer_free(t);
    test_context_free(ctx);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_level), cmocka_unit_test(splits), cmocka_unit_test(characters), cmocka_unit_test(refuses), cmocka_unit_test(reads_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
