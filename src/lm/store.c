/*
 * The store of own small models: files KEY.gguf (and KEY.Q8_0.gguf ...) in the user's cache folder, KEY the hash of the recipe with its text. Whoever
 * makes one holds KEY.lock; its training keeps its state in KEY.training, so that what was killed goes on. Declared in nigh/recipe.h.
 */
#include <stdio.h>
#include <unistd.h>

#include "core/file.h"
#include "lm/recipe.h"

static const double wait_most = 1e6; /* seconds */

typedef struct entry {
    const nigh_recipe *recipe; /* resolved */
    const nigh_decoder *d;
    char key[65];
    char *model, *wanted, *training, *lock; /* paths; model: f32 */
} entry;

static void entry_free(nigh_context *ctx, entry *e)
{
    nigh_free(ctx, e->model);
    nigh_free(ctx, e->wanted);
    nigh_free(ctx, e->training);
    nigh_free(ctx, e->lock);
}

static nigh_status entry_paths(nigh_context *ctx, entry *e, nigh_block_type type)
{
    char *folder;
    nigh_status status = nigh_folder_user(ctx, NIGH_PLACE_CACHE, "lm", &folder);
    if (status) return status;
    const char *name = nigh_block_name(type);
    e->model = nigh_format(ctx, "%s/%s.gguf", folder, e->key);
    e->wanted = type == NIGH_BLOCK_F32 ? nigh_strdup(ctx, e->model ? e->model : "") : nigh_format(ctx, "%s/%s.%s.gguf", folder, e->key, name);
    e->training = nigh_format(ctx, "%s/%s.training", folder, e->key);
    e->lock = nigh_format(ctx, "%s/%s.lock", folder, e->key);
    nigh_free(ctx, folder);
    return e->model && e->wanted && e->training && e->lock ? NIGH_OK : NIGH_MEMORY;
}

/* Whether the file is there and good. With the lock held (`mine`) a damaged one is removed, with a warning. */
static nigh_status look(nigh_context *ctx, const char *path, const char *key, bool mine, bool *there, double *loss)
{
    *there = false;
    if (access(path, F_OK)) return NIGH_OK;
    nigh_status status = recipe_check(ctx, path, key, loss);
    *there = !status;
    if (status != NIGH_FORMAT && status != NIGH_UNSUPPORTED) return status;
    if (!mine) return NIGH_OK;
    nigh_log(ctx, NIGH_LOG_WARNING, "%s; it is made again", nigh_message(ctx));
    return remove(path) ? nigh_within(ctx, status, "cannot remove it") : NIGH_OK;
}

static nigh_status make_model(nigh_context *ctx, const entry *e, double *loss)
{
    nigh_network *net = NULL;
    nigh_status status = recipe_fit(ctx, e->recipe, e->d, e->training, &net, loss);
    if (!status) status = recipe_write(ctx, net, &(recipe_label){e->d, NIGH_BLOCK_F32, *loss, e->key}, e->model);
    nigh_network_free(net);
    if (!status) remove(e->training);
    return status;
}

/* With the lock held: what another process may have made meanwhile counts. */
static nigh_status make(nigh_context *ctx, const entry *e, nigh_block_type type, double *loss)
{
    bool there;
    nigh_status status = look(ctx, e->wanted, e->key, true, &there, loss);
    if (status || there) return status;
    status = look(ctx, e->model, e->key, true, &there, loss);
    if (!status && !there) status = make_model(ctx, e, loss);
    if (!status && type != NIGH_BLOCK_F32) status = recipe_convert(ctx, e->model, &(recipe_label){e->d, type, *loss, e->key}, e->wanted);
    return status;
}

static nigh_status fetch(nigh_context *ctx, const entry *e, nigh_block_type type, double *loss)
{
    bool there;
    nigh_status status = look(ctx, e->wanted, e->key, false, &there, loss);
    if (status || there) return status;
    nigh_lock *lock;
    status = nigh_lock_take(ctx, e->lock, wait_most, &lock);
    if (status) return status;
    status = make(ctx, e, type, loss);
    nigh_lock_release(lock);
    return status;
}

nigh_status nigh_recipe_stored(nigh_context *ctx, const nigh_recipe *recipe, nigh_block_type type, char **path, double *loss)
{
    nigh_recipe full;
    nigh_decoder d;
    entry e = {.recipe = &full, .d = &d};
    double reached = 0;
    nigh_status status = recipe_resolve(ctx, recipe, type, &full, &d);
    if (status) return status;
    recipe_key(&full, e.key);
    status = entry_paths(ctx, &e, type);
    if (!status) status = fetch(ctx, &e, type, &reached);
    if (!status) {
        *path = e.wanted, e.wanted = NULL;
        if (loss) *loss = reached;
    }
    entry_free(ctx, &e);
    return status;
}
