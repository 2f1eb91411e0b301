/* Training of small models and their files, as nigh_recipe_train and the store (nigh/recipe.h) share them. */
#ifndef NIGH_LM_RECIPE_H
#define NIGH_LM_RECIPE_H
#include "nigh/gguf.h"
#include "nigh/recipe.h"
#include "nigh/transformer.h"

/* 256 bytes, <|begin|>, <|end|>. */
enum { RECIPE_VOCABULARY = 258 };

/* The recipe with its zeros filled in, and the decoder it makes. NIGH_INVALID names the member. */
nigh_status recipe_resolve(nigh_context *ctx, const nigh_recipe *recipe, nigh_block_type type, nigh_recipe *full, nigh_decoder *d);

/* Hash of a resolved recipe with its text and of what the training code does. */
void recipe_key(const nigh_recipe *full, char key[65]);

/* Trains; with checkpoint (a path, or NULL) it goes on from there and keeps its state there. The network is the caller's. */
nigh_status recipe_fit(nigh_context *ctx, const nigh_recipe *full, const nigh_decoder *d, const char *checkpoint, nigh_network **net, double *loss);

/* What a model's file says of itself. */
typedef struct recipe_label {
    const nigh_decoder *d;
    nigh_block_type type;
    double loss;
    const char *key;
} recipe_label;

nigh_status recipe_write(nigh_context *ctx, nigh_network *net, const recipe_label *label, const char *path);
/* The same model in blocks of another type (label->type), out of its f32 file. */
nigh_status recipe_convert(nigh_context *ctx, const char *from, const recipe_label *label, const char *path);
/* Whether a file is whole and of this key. NIGH_FORMAT says what is wrong with it. *loss as it was written. */
nigh_status recipe_check(nigh_context *ctx, const char *path, const char *key, double *loss);
#endif
