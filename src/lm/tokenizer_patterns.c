/* How models cut a text into words: the names of pre-tokenizers in GGUF files and the steps that they stand for. */
#include "lm/tokenizer_regex.h"

enum { WHOLE = 1, BEGIN = 2, CLEAN = 4 }; /* words that are tokens need no merges; the first token is put in front; blanks are cleaned */

typedef struct row {
    const char *names; /* one blank between */
    unsigned traits;
    split_step step[SPLIT_STEPS];
    int steps;
} row;

#define GPT2 {.kind = SPLIT_GPT2, .contractions = SPLIT_SMALL}
#define LLAMA3(most_) {.kind = SPLIT_LLAMA3, .contractions = SPLIT_ANY_CASE, .most = most_}
#define NUMBERS(most_) {.kind = SPLIT_NUMBERS, .most = most_}
#define LINE_ENDS {.kind = SPLIT_LINES, .each = true}
#define REGEX(pattern_) {.kind = SPLIT_REGEX, .pattern = pattern_}
#define SET(set_, pattern_) {.kind = SPLIT_REGEX, .pattern = pattern_, .set = set_}

/* Classes of collapsed bytes. */
#define L "A-Za-z\xD2"
#define N "0-9\xD1"
#define P "!-#%-*,\\-./:;?@\\[\\]\\\\_{}\xD3"
#define M "\xD4"
#define S "$+<=>^`|~\xD5"
#define UPPER "A-Z\xD2"
#define LOWER "a-z\xD2"
#define SHORTENED "'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])"
#define BLANKS "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* Words of a capital front and a small rest, the one or the other may be missing. */
#define CASED_WORDS(upper, lower, shortened) \
    "[^\\r\\n" L N "]?[" upper "]*[" lower "]+" shortened "|[^\\r\\n" L N "]?[" upper "]+[" lower "]*" shortened
#define GPT4O(upper, lower) CASED_WORDS(upper, lower, "(?:" SHORTENED ")?") "|[" N "]{1,3}| ?[^\\s" L N "]+[\\r\\n/]*|" BLANKS
#define TEKKEN CASED_WORDS(UPPER, LOWER, "") "|[" N "]| ?[^\\s" L N "]+[\\r\\n/]*|" BLANKS

#define HAN_KANA "\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF"
#define HAN_HANGUL "\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF"
#define DEEPSEEK3_WORDS "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n" L P S "]?[" L M "]+| ?[" P S "]+"
#define DEEPSEEK3 DEEPSEEK3_WORDS "[\\r\\n]*|" BLANKS
#define SPARK DEEPSEEK3_WORDS "|[\\r\\n]|\\s+(?!\\S)|\\s+"
#define CASED_LETTERS \
    "\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386" \
    "\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA" \
    "\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D" \
    "\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC" \
    "\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184" \
    "\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF" \
    "\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\U00010400-\U0001044F\U000104B0-\U000104D3\U000104D8-\U000104FB\U00010C80-\U00010CB2" \
    "\U00010CC0-\U00010CF2\U000118A0-\U000118DF\U0001E900-\U0001E943"
#define FULL_WIDTH_SIGNS "\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002"
#define SENTENCE_SIGNS "\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C"
#define BLOOM SET(SENTENCE_SIGNS, " ?[^()|\\s.,!?\xE0]+")
#define BAILING SHORTENED "|[^\\r\\n" L N "]?[" L "]+|[" N "]| ?[^\\s" L N "]+[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
#define SEED SHORTENED "|[^\\r\\n" L N "]?[" L "]+|[" N "]| ?[^\\s\\r\\n" L N "]+|" BLANKS
#define JAIS2 \
    SHORTENED "|[^\\r\\n" L N "]?[" L "]+|[" N "]{1,3}| ?[^\\s" L N "]+[\\r\\n]*|\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|" \
              "\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s"

static const row rows[] = {
    {"default", CLEAN, {REGEX("[" P "$+<=>^~|]+"), GPT2, NUMBERS(0), REGEX("[0-9]{3}")}, 4},
    {"gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert mpt olmo jais exaone4 jina-v1-en jina-v2-code roberta-bpe", CLEAN,
     {GPT2}, 1},
    {"trillion granite-docling", 0, {GPT2}, 1},
    {"smollm command-r", 0, {NUMBERS(1), GPT2}, 2},
    {"starcoder refact codeshell exaone minerva-7b mellum2", CLEAN, {NUMBERS(1), GPT2}, 2},
    {"falcon", CLEAN, {REGEX("[" P "$+<=>^~|`]+"), GPT2, REGEX("[0-9]{3}")}, 3},
    {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", WHOLE | BEGIN | CLEAN, {LLAMA3(3)}, 1},
    {"dbrx smaug-bpe glm4 chatglm-bpe", CLEAN, {LLAMA3(3)}, 1},
    {"qwen2 deepseek-r1-qwen kormo f2llmv2 hunyuan solar-open grok-2", 0, {LLAMA3(1)}, 1},
    {"stablelm2 megrez", CLEAN, {LLAMA3(1)}, 1},
    {"qwen35", 0, {{.kind = SPLIT_LLAMA3, .contractions = SPLIT_ANY_CASE, .most = 1, .marks = true}}, 1},
    {"ufakzeka", 0, {{.kind = SPLIT_LLAMA3, .contractions = SPLIT_NO_CONTRACTIONS, .most = 1}}, 1},
    {"minicpm5", WHOLE | CLEAN, {NUMBERS(3), LLAMA3(0)}, 2},
    {"laguna", 0, {REGEX("[^\\n]+|\\n+"), LLAMA3(1)}, 2},
    {"jais-2", CLEAN, {REGEX(JAIS2)}, 1},
    {"tekken", WHOLE | BEGIN, {REGEX(TEKKEN)}, 1},
    {"gpt-4o llama4 kanana2 talkie minimax-m2", 0, {REGEX(GPT4O(UPPER, LOWER))}, 1},
    {"granite-embed-multi-97m", WHOLE, {REGEX(GPT4O(UPPER M, LOWER M))}, 1},
    {"deepseek-llm", 0,
     {LINE_ENDS, SET(CASED_LETTERS, "\\s?[A-Za-z\xE0]+"), SET(FULL_WIDTH_SIGNS, "\\s?[!-/:-~\xE0]+"), REGEX("\\s+\\z"), SET(HAN_HANGUL, "\xE0+"), NUMBERS(0)}, 6},
    {"deepseek-coder", 0, {LINE_ENDS, REGEX("\\s?[" L "]+"), REGEX("\\s?[" P "]+"), SET(HAN_HANGUL, "\xE0+"), NUMBERS(1)}, 5},
    {"deepseek-v3 hunyuan-dense joyai-llm hy_v4", 0, {NUMBERS(3), SET(HAN_KANA, "\xE0+"), REGEX(DEEPSEEK3)}, 3},
    {"spark2_5", 0, {NUMBERS(3), SET(HAN_KANA, "\xE0+"), REGEX(SPARK), NUMBERS(1)}, 4},
    {"bloom gpt3-finnish", CLEAN, {BLOOM}, 1},
    {"poro-chat", 0, {BLOOM}, 1},
    {"viking", 0, {BLOOM, NUMBERS(1)}, 2},
    {"bailingmoe bailingmoe2 llada-moe", 0, {REGEX(BAILING)}, 1},
    {"seed-coder", 0, {REGEX(SEED)}, 1},
    {"chameleon", BEGIN,
     {REGEX("<sentinel:[0-9]+>"), REGEX("IMGIMG[A-I]{1,4}Z"), REGEX("[\\t\\n]|    |  "), NUMBERS(1), REGEX("[" P "!-/:-@\\[-`{-~]"), GPT2}, 6},
};

static bool listed(const char *list, const char *name)
{
    size_t size = strlen(name);
    for (const char *p = list; (p = strstr(p, name)); p++)
        if ((p == list || p[-1] == ' ') && (p[size] == ' ' || !p[size])) return size > 0;
    return false;
}

nigh_status tokenizer_set_pre(nigh_tokenizer *t, const char *name)
{
    size_t count = sizeof rows / sizeof *rows, i = 0;
    if (strchr(name, ' ')) i = count;
    while (i < count && !listed(rows[i].names, name)) i++;
    if (i == count) return nigh_fail(t->ctx, NIGH_UNSUPPORTED, "tokenizer.ggml.pre: pre-tokenizer '%.60s' is not known", name);
    t->ignore_merges = rows[i].traits & WHOLE;
    t->add_begin = rows[i].traits & BEGIN;
    t->clean_spaces = rows[i].traits & CLEAN;
    if (!(t->pre = nigh_strdup(t->ctx, name))) return NIGH_MEMORY;
    t->split.steps = rows[i].steps;
    memcpy(t->split.step, rows[i].step, sizeof rows[i].step);
    nigh_status status = NIGH_OK;
    for (int k = 0; k < rows[i].steps && !status; k++) {
        split_step *step = t->split.step + k;
        if (step->kind == SPLIT_REGEX) status = regex_new(t->ctx, step->pattern, step->set, true, &step->regex);
    }
    return status;
}
