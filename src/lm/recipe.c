/* Small language models of one's own: decoders of bytes, trained by nigh/train.h. Declared in nigh/recipe.h. */
#include "lm/recipe.h"

#include <math.h>
#include <stdio.h>

#include "nigh/train.h"

/* Counts up when the same recipe begins to give another file. */
static const char version[] = "2";

enum { VALIDATION_MOST = 1 << 18 }; /* bytes that are scored */

nigh_recipe nigh_recipe_default(void)
{
    return (nigh_recipe){.layers = 3, .width = 96, .heads = 3, .context = 128, .base = 10000, .steps = 2000, .batch = 16, .rate = 2e-3, .validation = 0.1};
}

/* ---- the recipe -------------------------------------------------------------------------------------------- */

static void fill_in(nigh_recipe *r)
{
    const nigh_recipe usual = nigh_recipe_default();
    if (r->layers == 0) r->layers = usual.layers;
    if (r->width == 0) r->width = usual.width;
    if (r->heads == 0) r->heads = usual.heads;
    if (r->kv_heads == 0) r->kv_heads = r->heads;
    if (r->hidden == 0) r->hidden = (r->width * 8 / 3 + 8) / 16 * 16;
    if (r->context == 0) r->context = usual.context;
    if (r->base == 0) r->base = usual.base;
    if (r->steps == 0) r->steps = usual.steps;
    if (r->batch == 0) r->batch = usual.batch;
    if (r->rate == 0) r->rate = usual.rate;
    if (r->validation == 0) r->validation = usual.validation;
}

static nigh_status check_whole(nigh_context *ctx, const nigh_recipe *r)
{
    const struct {
        const char *name;
        int64_t value, most;
    } whole[] = {{"layers", r->layers, 1000},          {"width", r->width, 1 << 14},   {"heads", r->heads, 1 << 10},      {"kv_heads", r->kv_heads, 1 << 10},
                 {"hidden", r->hidden, 1 << 16},       {"context", r->context, 1 << 20}, {"batch", r->batch, 1 << 16}, {"steps", r->steps, INT64_MAX / 2}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (whole[i].value < 1 || whole[i].value > whole[i].most)
            return nigh_fail(ctx, NIGH_INVALID, "recipe: %s is %lld; 1 to %lld is allowed", whole[i].name, (long long)whole[i].value, (long long)whole[i].most);
    if (r->width % (8 * r->heads))
        return nigh_fail(ctx, NIGH_INVALID, "recipe: %lld heads of width %lld; a head's size must be a multiple of 8", (long long)r->heads, (long long)r->width);
    if (r->heads % r->kv_heads)
        return nigh_fail(ctx, NIGH_INVALID, "recipe: kv_heads is %lld; it must divide heads, %lld", (long long)r->kv_heads, (long long)r->heads);
    return NIGH_OK;
}

static int64_t training_bytes(const nigh_recipe *r) { return (int64_t)((double)r->size * (1 - r->validation)); }

static nigh_status check_rest(nigh_context *ctx, const nigh_recipe *r)
{
    if (!(r->base > 1 && r->base <= 1e9)) return nigh_fail(ctx, NIGH_INVALID, "recipe: base is %g; above 1, at most 1e9 is allowed", r->base);
    if (!(r->rate > 0 && r->rate <= 1)) return nigh_fail(ctx, NIGH_INVALID, "recipe: rate is %g; above 0, at most 1 is allowed", r->rate);
    if (!(r->validation > 0 && r->validation <= 0.5)) return nigh_fail(ctx, NIGH_INVALID, "recipe: validation is %g; above 0, at most .5 is allowed", r->validation);
    if (!r->text && r->size) return nigh_fail(ctx, NIGH_INVALID, "recipe: text is NULL");
    if (training_bytes(r) <= r->context || (int64_t)r->size - training_bytes(r) < 2)
        return nigh_fail(ctx, NIGH_INVALID, "recipe: a text of %zu bytes, of which %g are not trained on, is too short for a context of %lld", r->size, r->validation,
                         (long long)r->context);
    return NIGH_OK;
}

nigh_status recipe_resolve(nigh_context *ctx, const nigh_recipe *recipe, nigh_block_type type, nigh_recipe *full, nigh_decoder *d)
{
    nigh_recipe r = *recipe;
    fill_in(&r);
    nigh_status status = check_whole(ctx, &r);
    if (!status) status = check_rest(ctx, &r);
    if (status) return status;
    if (!nigh_block_known((int)type)) return nigh_fail(ctx, NIGH_INVALID, "recipe: type %d is no type of weights", (int)type);
    int64_t block = nigh_block_length(type);
    if (r.width % block || r.hidden % block)
        return nigh_fail(ctx, NIGH_INVALID, "recipe: rows of %lld and %lld weights; %s needs multiples of %lld", (long long)r.width, (long long)r.hidden, nigh_block_name(type),
                         (long long)block);
    nigh_decoder decoder = nigh_decoder_default();
    decoder.vocabulary = RECIPE_VOCABULARY, decoder.layers = r.layers, decoder.width = r.width, decoder.heads = r.heads, decoder.kv_heads = r.kv_heads;
    decoder.hidden = r.hidden, decoder.context = r.context, decoder.norm = NIGH_BLOCK_RMS_NORM, decoder.positions = NIGH_POSITIONS_ROTARY;
    decoder.rotary_base = r.base, decoder.activation = NIGH_ACTIVATION_GATED_SILU, decoder.tied = true;
    status = nigh_decoder_check(ctx, &decoder);
    if (status) return nigh_within(ctx, status, "recipe");
    *full = r, *d = decoder;
    return NIGH_OK;
}

void recipe_key(const nigh_recipe *r, char key[65])
{
    const int64_t whole[] = {r->layers, r->width, r->heads, r->kv_heads, r->hidden, r->context, r->steps, r->batch, (int64_t)r->seed};
    const double real[] = {r->base, r->rate, r->validation};
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_text(&hash, "nigh recipe");
    nigh_sha256_text(&hash, version);
    nigh_sha256_add(&hash, whole, sizeof whole);
    nigh_sha256_add(&hash, real, sizeof real);
    nigh_sha256_add(&hash, r->text, r->size);
    nigh_sha256_hex(&hash, key);
}

/* ---- training ---------------------------------------------------------------------------------------------- */

static nigh_training_spec spec_of(const nigh_recipe *r, nigh_network *net, nigh_batches *windows, const char *checkpoint)
{
    nigh_training_spec spec = nigh_training_defaults("adamw");
    int64_t often = r->steps / 100;
    spec.network = net, spec.loss = NIGH_LOSS_CROSS_ENTROPY, spec.batches = windows, spec.seed = r->seed, spec.steps = r->steps;
    spec.rate = (nigh_schedule){.kind = "cosine", .base = r->rate, .last = r->rate / 10, .warm_up = r->steps < 1000 ? r->steps / 10 : 100};
    spec.decay.base = 0.1, spec.beta2 = 0.95, spec.clip = 1;
    spec.log_every = often > 0 ? often : 1;
    spec.checkpoint = checkpoint, spec.checkpoint_every = checkpoint ? 10 * spec.log_every : 0;
    return spec;
}

/* From new weights to trained ones. What stands in a checkpoint that cannot be read counts for nothing. */
static nigh_status train(nigh_context *ctx, const nigh_recipe *r, nigh_network *net, nigh_batches *windows, const char *checkpoint)
{
    nigh_training *training = NULL;
    nigh_training_spec spec = spec_of(r, net, windows, checkpoint);
    nigh_status status = nigh_parameters_draw(nigh_network_parameters(net), nigh_seed_split(r->seed, 1));
    if (!status) status = nigh_training_new(ctx, &spec, &training);
    if (!status) status = nigh_training_run(training);
    nigh_training_free(training);
    return status;
}

static nigh_status train_over_damage(nigh_context *ctx, const nigh_recipe *r, nigh_network *net, nigh_batches *windows, const char *checkpoint)
{
    nigh_status status = train(ctx, r, net, windows, checkpoint);
    if (status != NIGH_FORMAT || !checkpoint) return status;
    nigh_log(ctx, NIGH_LOG_WARNING, "%s; the training begins anew", nigh_message(ctx));
    if (remove(checkpoint)) return nigh_within(ctx, status, "cannot remove it");
    return train(ctx, r, net, windows, checkpoint);
}

static nigh_status validate(nigh_context *ctx, const nigh_recipe *r, nigh_network *net, const int32_t *tokens, double *loss)
{
    nigh_scorer *scorer = NULL;
    nigh_perplexity result;
    int64_t first = training_bytes(r), count = (int64_t)r->size - first;
    nigh_status status = nigh_scorer_new(ctx, net, r->batch, r->context, &scorer);
    if (!status) status = nigh_scorer_perplexity(scorer, count < VALIDATION_MOST ? count : VALIDATION_MOST, tokens + first, r->context / 2, &result);
    nigh_scorer_free(scorer);
    if (!status) *loss = (float)result.nats; /* as a file can say it */
    return status;
}

nigh_status recipe_fit(nigh_context *ctx, const nigh_recipe *r, const nigh_decoder *d, const char *checkpoint, nigh_network **out, double *loss)
{
    nigh_network *net = NULL;
    nigh_batches *windows = NULL;
    int32_t *tokens = nigh_alloc_zero(ctx, r->size, sizeof *tokens);
    if (!tokens) return NIGH_MEMORY;
    for (size_t i = 0; i < r->size; i++) tokens[i] = (unsigned char)r->text[i];
    nigh_status status = nigh_decoder_build(ctx, d, &net);
    if (!status) status = nigh_batches_windows(ctx, training_bytes(r), tokens, r->batch, r->context, false, &windows);
    if (!status) status = train_over_damage(ctx, r, net, windows, checkpoint);
    if (!status) status = validate(ctx, r, net, tokens, loss);
    nigh_batches_free(windows);
    nigh_free(ctx, tokens);
    if (status) nigh_network_free(net);
    else *out = net;
    return status;
}

nigh_status nigh_recipe_train(nigh_context *ctx, const nigh_recipe *recipe, nigh_block_type type, const char *path, double *loss)
{
    nigh_recipe full;
    nigh_decoder d;
    nigh_network *net = NULL;
    char key[65];
    double reached = NAN;
    nigh_status status = recipe_resolve(ctx, recipe, type, &full, &d);
    if (status) return status;
    recipe_key(&full, key);
    status = recipe_fit(ctx, &full, &d, NULL, &net, &reached);
    if (!status) status = recipe_write(ctx, net, &(recipe_label){&d, type, reached, key}, path);
    nigh_network_free(net);
    if (!status && loss) *loss = reached;
    return status;
}
