/* Models and streams as the command line names them. Declared in cli/lm.h. */
#include "cli/lm.h"
#include "core/file.h"
#include "nigh/recipe.h"

#include <string.h>

enum { MOST_TEXT = 1 << 28 };

nigh_status cli_lm_load(nigh_context *ctx, const char *name, nigh_lm **lm)
{
    const char *text = strncmp(name, "recipe:", 7) ? NULL : name + 7;
    if (!text) return nigh_lm_load(ctx, name, lm);
    nigh_recipe recipe = nigh_recipe_default();
    char *data = NULL, *path = NULL;
    double loss;
    nigh_status status = nigh_file_read(ctx, text, MOST_TEXT, &data, &recipe.size);
    recipe.text = data;
    if (!status) status = nigh_recipe_stored(ctx, &recipe, NIGH_BLOCK_F32, &path, &loss);
    cli_clear();
    if (!status) status = nigh_lm_load(ctx, path, lm);
    nigh_free(ctx, path);
    nigh_free(ctx, data);
    return status;
}

/* What the settings of a stream mean is said before the answer begins. */
static void say(void *user, nigh_log_level level, const char *text)
{
    (void)user;
    cli_clear();
    if (!cli_quiet || level <= NIGH_LOG_WARNING) fprintf(stderr, "nigh: %s%s\n", level <= NIGH_LOG_WARNING ? "warning: " : "", text);
}

nigh_status cli_lm_stream(nigh_context *ctx, const nigh_lm *lm, const nigh_lm_infinite *given, nigh_lm_infinite *settings)
{
    *settings = (nigh_lm_infinite){0};
    if (given->window >= 0) {
        nigh_lm_infinite s = *given;
        nigh_context_set_log(ctx, say, NULL);
        nigh_status status = nigh_lm_infinite_choose(ctx, nigh_lm_about(lm), &s);
        nigh_context_set_log(ctx, NULL, NULL);
        if (!status) *settings = s;
        return status;
    }
    if (given->sinks < 0 && given->limit < 0) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "--%s is given without --window", given->sinks < 0 ? "limit" : "sinks");
}
