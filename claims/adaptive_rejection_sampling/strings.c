/* A source of particles: laws over short strings, given by a function. */
#include "parts.h"

#include <math.h>
#include <string.h>

void strings_free(strings *s)
{
    void *const blocks[] = {s->text, s->held, s->size, s->held_size, s->p, s->block};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(s->ctx, blocks[i]);
}

nigh_status strings_new(nigh_context *ctx, int slots, strings *s)
{
    size_t n = (size_t)slots, tokens = (size_t)s->symbols + 1;
    s->ctx = ctx;
    s->slots = slots;
    s->text = nigh_alloc(ctx, n * STRINGS_LONGEST * sizeof *s->text);
    s->held = nigh_alloc(ctx, n * STRINGS_LONGEST * sizeof *s->held);
    s->size = nigh_alloc_zero(ctx, n, sizeof *s->size);
    s->held_size = nigh_alloc(ctx, n * sizeof *s->held_size);
    s->p = nigh_alloc(ctx, tokens * sizeof *s->p);
    s->block = nigh_alloc(ctx, (size_t)weighted_blocks((int32_t)tokens) * sizeof *s->block);
    if (s->text && s->held && s->size && s->held_size && s->p && s->block) return NIGH_OK;
    strings_free(s);
    return NIGH_MEMORY;
}

static nigh_status law(void *user, int slot, const weighted_law **out)
{
    strings *s = user;
    s->next(s, s->text + slot * STRINGS_LONGEST, s->size[slot], s->p);
    s->law = (weighted_law){.count = s->symbols + 1, .p = s->p, .block = s->block};
    weighted_law_make(&s->law);
    *out = &s->law;
    return NIGH_OK;
}

static int ok(void *user, int slot, int32_t token)
{
    const strings *s = user;
    return s->ok ? s->ok(s, s->text + slot * STRINGS_LONGEST, s->size[slot], token) : 1;
}

static nigh_status advance(void *user, int count, const int *slot, const int32_t *token)
{
    strings *s = user;
    for (int i = 0; i < count; i++) {
        int k = slot[i];
        s->text[k * STRINGS_LONGEST + s->size[k]++] = token[i];
    }
    return NIGH_OK;
}

static void gather(void *user, const int *from)
{
    strings *s = user;
    size_t bytes = (size_t)s->slots * STRINGS_LONGEST * sizeof *s->text;
    memcpy(s->held, s->text, bytes);
    memcpy(s->held_size, s->size, (size_t)s->slots * sizeof *s->size);
    for (int i = 0; i < s->slots; i++) {
        memcpy(s->text + i * STRINGS_LONGEST, s->held + from[i] * STRINGS_LONGEST, STRINGS_LONGEST * sizeof *s->text);
        s->size[i] = s->held_size[from[i]];
    }
}

nigh_status strings_greedy_draw(nigh_context *ctx, const weighted_law *l, weighted_room *room, weighted_ok_fn *passes, void *user, const weighted_options *options, nigh_rng *rng,
                                nigh_weighted_token *out)
{
    nigh_status status = weighted_draw(ctx, l, room, passes, user, options, rng, out);
    if (!status && out->log_weight > -INFINITY) out->log_weight = 0;
    return status;
}

nigh_status strings_masked_draw(nigh_context *ctx, const weighted_law *l, weighted_room *room, weighted_ok_fn *passes, void *user, const weighted_options *options, nigh_rng *rng,
                                nigh_weighted_token *out)
{
    double sum = 0, *p = nigh_alloc(ctx, (size_t)l->count * sizeof *p);
    (void)room, (void)options;
    if (!p) return NIGH_MEMORY;
    for (int32_t i = 0; i < l->count; i++) sum += p[i] = passes(user, l->id ? l->id[i] : i) ? weighted_mass(l, i) : 0;
    *out = (nigh_weighted_token){.log_weight = sum > 0 ? log(sum / l->total) : -INFINITY, .calls = l->count};
    int32_t at = sum > 0 ? (int32_t)nigh_rng_categorical(rng, l->count, p) : 0;
    out->token = l->id ? l->id[at] : at;
    nigh_free(ctx, p);
    return NIGH_OK;
}

nigh_status strings_run(strings *s, int particles, weighted_draw_fn *draw, uint64_t seed, particle_run *out)
{
    const particle_source source = {.user = s, .end = s->symbols, .law = law, .ok = ok, .advance = advance, .gather = gather};
    particle_options options = {.particles = particles, .resample = .5, .most = STRINGS_LONGEST - 1, .token = {.accepts = 2}, .seed = seed, .draw = draw};
    int slots = s->slots;
    s->slots = particles;
    memset(s->size, 0, (size_t)particles * sizeof *s->size);
    nigh_status status = particles_run(s->ctx, &source, s->symbols + 1, &options, out);
    s->slots = slots;
    return status;
}
