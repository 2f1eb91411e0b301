/* Models and texts. */
#include "parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "lm/tasks.h"
#include "nigh/recipe.h"

static const char shakespeare[] = "text/tinyshakespeare.txt";

/* A file below the folder that a variable of the environment names; NULL when it is not there. */
static nigh_status find(nigh_context *ctx, const char *variable, const char *file, char **path)
{
    const char *folder = getenv(variable);
    *path = NULL;
    if (!folder) return NIGH_OK;
    char *full = nigh_format(ctx, "%s/%s", folder, file);
    if (!full) return NIGH_MEMORY;
    if (access(full, R_OK) == 0) *path = full;
    else nigh_free(ctx, full);
    return NIGH_OK;
}

/* A real text when there is one, else a made one. */
static nigh_status text_of(claim_run *run, nigh_buffer *text)
{
    nigh_context *ctx = run->ctx;
    char *path = NULL, *bytes;
    size_t size;
    if (run->quick) return tasks_text(TASKS_JSON, 1, 0, 200000, text);
    nigh_status status = find(ctx, "NIGH_DATA", shakespeare, &path);
    if (status) return status;
    if (!path) {
        claim_note(run, "NIGH_DATA has no %s: the text is made", shakespeare);
        return tasks_text(TASKS_STORY, 1, 0, 1000000, text);
    }
    status = nigh_file_read(ctx, path, 1 << 26, &bytes, &size);
    if (!status) {
        status = nigh_buffer_add(text, bytes, size);
        nigh_free(ctx, bytes);
    }
    nigh_free(ctx, path);
    return status;
}

/* The recipe is fixed, so that the store is asked for one model whatever the seed of the claim. */
static nigh_recipe recipe_of(const claim_run *run, const nigh_buffer *text)
{
    nigh_recipe r = nigh_recipe_default();
    r.text = text->data, r.size = text->size, r.seed = 1;
    if (run->quick) r.layers = 2, r.width = 32, r.heads = 2, r.context = 32, r.steps = 300, r.rate = 5e-3;
    return r;
}

static nigh_status train(claim_run *run, const nigh_recipe *recipe, nigh_lm **lm)
{
    nigh_context *ctx = run->ctx;
    nigh_folder folder = {0};
    char *path = NULL;
    double loss;
    nigh_status status;
    if (run->quick) { /* a second's work; nothing is kept */
        status = nigh_folder_temp(ctx, &folder);
        if (!status) path = nigh_format(ctx, "%s/model.gguf", folder.path);
        if (!status && !path) status = NIGH_MEMORY;
        if (!status) status = nigh_recipe_train(ctx, recipe, NIGH_BLOCK_F32, path, &loss);
    } else
        status = nigh_recipe_stored(ctx, recipe, NIGH_BLOCK_F32, &path, &loss);
    if (!status) status = nigh_lm_load(ctx, path, lm);
    if (!status) claim_note(run, "own model: context %lld, %.3f nats a byte on text it was not trained on", (long long)nigh_lm_about(*lm)->context, loss);
    nigh_free(ctx, path);
    if (folder.path) nigh_folder_remove(ctx, &folder);
    return status;
}

static nigh_status take_tokens(nigh_context *ctx, const char *bytes, size_t size, subject *s)
{
    nigh_token_list list = {.ctx = ctx};
    nigh_status status = nigh_tokenize(nigh_lm_tokenizer(s->lm), bytes, size, 0, &list);
    if (status) nigh_token_list_free(&list);
    else s->tokens = list.id, s->count = list.count;
    return status;
}

nigh_status subject_own(claim_run *run, subject *s)
{
    nigh_context *ctx = run->ctx;
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = text_of(run, &text);
    nigh_recipe recipe = recipe_of(run, &text);
    if (!status) status = train(run, &recipe, &s->lm);
    size_t held = (size_t)((double)text.size * (1 - recipe.validation)) + 1;
    if (!status) status = take_tokens(ctx, text.data + held, text.size - held, s);
    nigh_buffer_free(&text);
    if (status) return status;
    s->settings = nigh_lm_infinite_default();
    status = nigh_lm_infinite_choose(ctx, nigh_lm_about(s->lm), &s->settings);
    s->texts = run->quick ? 16 : 60, s->tail = recipe.context / 2, s->longest = 8 * recipe.context;
    return status;
}

nigh_status subject_real(claim_run *run, const char *file, subject *s)
{
    nigh_context *ctx = run->ctx;
    char *model = NULL, *path = NULL, *bytes = NULL;
    size_t size;
    nigh_status status = find(ctx, "NIGH_MODELS", file, &model);
    if (!status) status = find(ctx, "NIGH_DATA", shakespeare, &path);
    if (!status && !(model && path)) claim_note(run, "%s needs %s in NIGH_MODELS and %s in NIGH_DATA: not looked at", "a row on a real model", file, shakespeare);
    else if (!status) {
        status = nigh_lm_load(ctx, model, &s->lm);
        if (!status) status = nigh_file_read(ctx, path, 1 << 26, &bytes, &size);
        if (!status) status = take_tokens(ctx, bytes, size, s);
    }
    nigh_free(ctx, bytes);
    nigh_free(ctx, model);
    nigh_free(ctx, path);
    return status;
}

void subject_free(claim_run *run, subject *s)
{
    nigh_free(run->ctx, s->tokens);
    nigh_lm_free(s->lm);
}

/* ---- scores ---------------------------------------------------------------------------------------------------- */

nigh_status subject_scores(claim_run *run, const subject *s, nigh_long_method method, int64_t length, double *log_p)
{
    nigh_status status = NIGH_OK;
    for (int64_t k = 0; k < s->texts && !status; k++) {
        int64_t end = s->longest + (s->count - s->longest) * k / s->texts;
        status = claim_progress(run, "texts", (double)k, (double)s->texts);
        if (!status) status = nigh_long_score(run->ctx, s->lm, method, &s->settings, s->tokens + end - length, length, s->tail, log_p + k * s->tail);
    }
    return status;
}

nigh_status subject_loss(claim_run *run, const subject *s, nigh_long_method method, int64_t length, double *nats)
{
    double sum = 0, *log_p = nigh_alloc(run->ctx, (size_t)(s->texts * s->tail) * sizeof *log_p);
    if (!log_p) return NIGH_MEMORY;
    nigh_status status = subject_scores(run, s, method, length, log_p);
    for (int64_t i = 0; i < s->texts * s->tail && !status; i++) sum -= log_p[i];
    nigh_free(run->ctx, log_p);
    if (!status) *nats = sum / (double)(s->texts * s->tail);
    return status;
}
