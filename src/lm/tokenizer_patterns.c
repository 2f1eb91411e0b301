/* How models cut a text into words: the names of pre-tokenizers in GGUF files and the steps that they stand for. */
#include "lm/tokenizer.h"

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

static const row rows[] = {
    {"gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert mpt olmo jais exaone4 jina-v1-en jina-v2-code roberta-bpe", CLEAN,
     {GPT2}, 1},
    {"trillion granite-docling", 0, {GPT2}, 1},
    {"smollm command-r", 0, {NUMBERS(1), GPT2}, 2},
    {"starcoder refact codeshell exaone minerva-7b mellum2", CLEAN, {NUMBERS(1), GPT2}, 2},
    {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", WHOLE | BEGIN | CLEAN, {LLAMA3(3)}, 1},
    {"dbrx smaug-bpe glm4 chatglm-bpe", CLEAN, {LLAMA3(3)}, 1},
    {"qwen2 deepseek-r1-qwen kormo f2llmv2 hunyuan solar-open grok-2", 0, {LLAMA3(1)}, 1},
    {"stablelm2 megrez", CLEAN, {LLAMA3(1)}, 1},
    {"qwen35", 0, {{.kind = SPLIT_LLAMA3, .contractions = SPLIT_ANY_CASE, .most = 1, .marks = true}}, 1},
    {"ufakzeka", 0, {{.kind = SPLIT_LLAMA3, .contractions = SPLIT_NO_CONTRACTIONS, .most = 1}}, 1},
    {"minicpm5", WHOLE | CLEAN, {NUMBERS(3), LLAMA3(0)}, 2},
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
    t->split.steps = rows[i].steps;
    memcpy(t->split.step, rows[i].step, sizeof rows[i].step);
    return NIGH_OK;
}
