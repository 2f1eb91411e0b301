/* Models and prompts of the claim of lookahead. Declared in parts.h. */
#include "parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lm/pass.h"
#include "lm/tasks.h"
#include "nigh/recipe.h"

static const tasks_kind kinds[] = {TASKS_LOG, TASKS_JSON, TASKS_POEM, TASKS_STORY};

static nigh_status load(claim_run *run, const char *path, speaker *out)
{
    nigh_cache_options options = {.threads = run->quick ? 1 : 0};
    nigh_status status = nigh_lm_load(run->ctx, path, &out->lm);
    if (!status) status = nigh_cache_new(run->ctx, out->lm, &options, &out->cache);
    if (status) lookahead_close(out);
    return status;
}

nigh_status lookahead_own(claim_run *run, speaker *out)
{
    nigh_recipe r = nigh_recipe_default();
    nigh_buffer text = {.ctx = run->ctx};
    nigh_status status = claim_progress(run, "a model of bytes", 0, 0);
    char *path = NULL;
    double loss;
    for (int i = 0; i < 40 && !status; i++) status = tasks_text(kinds[i % 4], 100 + (uint64_t)i, 2, run->quick ? 4000 : 20000, &text);
    r.text = text.data, r.size = text.size, r.seed = 1, r.rate = 4e-3, r.batch = 8;
    r.layers = run->quick ? 1 : 2, r.width = run->quick ? 64 : 128, r.heads = r.width / 32, r.hidden = 3 * r.width;
    r.context = run->quick ? 64 : 256, r.steps = run->quick ? 150 : 800;
    int threads = nigh_context_threads(run->ctx);
    if (!status && run->quick) status = nigh_context_set_threads(run->ctx, 1); /* steps are too short for two, who wait for each other on a busy machine */
    if (!status) status = nigh_recipe_stored(run->ctx, &r, NIGH_BLOCK_Q8_0, &path, &loss);
    if (run->quick) (void)nigh_context_set_threads(run->ctx, threads);
    *out = (speaker){.name = "own", .own = true};
    if (!status) status = load(run, path, out);
    if (!status) claim_note(run, "own model: %d layers of %d, 8 bits, %.3f nats a byte", (int)r.layers, (int)r.width, loss);
    nigh_free(run->ctx, path);
    nigh_buffer_free(&text);
    return status;
}

nigh_status lookahead_real(claim_run *run, const char *file, speaker *out)
{
    const char *folder = getenv("NIGH_MODELS");
    *out = (speaker){.own = false};
    char *path = folder ? nigh_format(run->ctx, "%s/%s", folder, file) : NULL;
    if (folder && !path) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    if (path && access(path, R_OK) == 0) {
        snprintf(out->name, sizeof out->name, "%.*s", (int)strcspn(file, ".-"), file);
        status = load(run, path, out);
    } else {
        claim_note(run, "%s is not in NIGH_MODELS: not looked at", file);
    }
    nigh_free(run->ctx, path);
    return status;
}

void lookahead_close(speaker *s)
{
    if (s->shifted) nigh_free(s->cache->ctx, s->shifted);
    nigh_cache_free(s->cache);
    nigh_lm_free(s->lm);
    *s = (speaker){.own = false};
}

/* ---- prompts ---------------------------------------------------------------------------------------------------- */

/* For models that can be asked: a text, and the first words of a part of it after "Again". */
static nigh_status add_request(nigh_rng *rng, nigh_buffer *text)
{
    static const char *const words[] = {"\n\nThe same again, word for word:\n", "\n\nRepeat the text:\n", "\n\nQuote from the text above: "};
    size_t size = text->size, from = 0, length;
    if (nigh_rng_below(rng, 2)) { /* from the beginning of a line or sentence on */
        from = (size_t)nigh_rng_below(rng, size / 3);
        while (from < size / 2 && !strchr(".\n", text->data[from])) from++;
        while (from < size / 2 && strchr(".\n ", text->data[from])) from++;
    }
    for (length = 30; from + length < size && text->data[from + length] != ' ' && text->data[from + length] != '\n'; length++) continue;
    char begin[128];
    length = length < sizeof begin ? length : sizeof begin - 1;
    memcpy(begin, text->data + from, length);
    nigh_status status = nigh_buffer_print(text, "%s", words[nigh_rng_below(rng, 3)]);
    return status ? status : nigh_buffer_add(text, begin, length);
}

static nigh_status make_one(const speaker *s, prompt_kind kind, nigh_rng *rng, int i, nigh_buffer *text, nigh_token_list *out)
{
    tasks_kind what = kind == PROMPTS_FREE ? TASKS_STORY : kinds[i % (s->own ? 3 : 4)];
    size_t size = kind == PROMPTS_FREE ? 200 : (s->own ? 300 : 900) + (size_t)nigh_rng_below(rng, 500);
    nigh_status status = tasks_text(what, nigh_rng_u64(rng), 2, size, text);
    if (status) return status;
    text->size = size;
    while ((text->data[text->size] & 0xc0) == 0x80) text->size--;
    text->data[text->size] = 0;
    if (!s->own && kind == PROMPTS_COPY) status = add_request(rng, text);
    return status ? status : nigh_tokenize(nigh_lm_tokenizer(s->lm), text->data, text->size, NIGH_TOKENS_BEGIN, out);
}

nigh_status lookahead_prompts(claim_run *run, const speaker *s, prompt_kind kind, int count, uint64_t seed, prompts *out)
{
    nigh_status status = NIGH_OK;
    nigh_rng rng = nigh_rng_new(seed, (uint64_t)kind);
    *out = (prompts){.ctx = run->ctx, .count = count, .at = nigh_alloc_zero(run->ctx, (size_t)count, sizeof *out->at)};
    if (!out->at) return NIGH_MEMORY;
    for (int i = 0; i < count && !status; i++) {
        nigh_buffer text = {.ctx = run->ctx};
        out->at[i].ctx = run->ctx;
        status = make_one(s, kind, &rng, i, &text, &out->at[i]);
        nigh_buffer_free(&text);
    }
    if (status) lookahead_prompts_free(out);
    return status;
}

void lookahead_prompts_free(prompts *p)
{
    for (int i = 0; p->at && i < p->count; i++) nigh_token_list_free(&p->at[i]);
    nigh_free(p->ctx, p->at);
    *p = (prompts){.count = 0};
}
