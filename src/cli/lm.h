/* What the commands of language models share: the model that is named, and how it streams. */
#ifndef NIGH_CLI_LM_H
#define NIGH_CLI_LM_H
#include "cli/cli.h"
#include "nigh/lm_infinite.h"

/* A GGUF file, a directory with config.json, or "recipe:FILE": a small model of one's own, trained on that text when it is not in the store. */
nigh_status cli_lm_load(nigh_context *ctx, const char *name, nigh_lm **lm);

/* --window, --sinks and --limit as given (-1: not) to settings of the model, which are chosen and spoken about by nigh_lm_infinite_choose. All zeros when no window is given. */
nigh_status cli_lm_stream(nigh_context *ctx, const nigh_lm *lm, const nigh_lm_infinite *given, nigh_lm_infinite *settings);
#endif
