/*
 * The state of a search as bytes: head, islands, SHA-256 of all before. Numbers stand as they are in memory: a checkpoint is for
 * the machine and the build that wrote it. Declared in evolve.h.
 */
#include "function/evolve_inside.h"

#include <string.h>

typedef struct head {
    char magic[16];
    char of[65]; /* SHA-256 of options, target and the sizes of what follows */
    int64_t generation;
    evolve_program best[EVOLVE_MOST_OPS + 1];
} head;

typedef struct island_head {
    nigh_rng rng;
    int64_t generation, candidates, progress, began;
    int32_t members;
    evolve_program best[EVOLVE_MOST_OPS + 1];
    evolve_genome elite[EVOLVE_MOST_OPS + 1];
} island_head;

static const char magic[16] = "nigh evolve 1";
enum { SEAL = 64 };

static void identify(const evolve *e, char of[65])
{
    nigh_sha256 hash;
    const evolve_options *o = &e->options;
    const uint64_t numbers[] = {o->divide, o->fma, (uint64_t)o->most_ops, (uint64_t)o->parents, (uint64_t)o->children, (uint64_t)o->islands,
                                (uint64_t)(o->roundoff * 0x1p60), o->seed, sizeof(head), sizeof(island_head), sizeof(evolve_member)};
    nigh_sha256_init(&hash);
    nigh_sha256_add(&hash, numbers, sizeof numbers);
    nigh_sha256_add(&hash, e->target, sizeof *e->target);
    nigh_sha256_hex(&hash, of);
}

static void seal(const char *bytes, size_t size, char of[65])
{
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_add(&hash, bytes, size);
    nigh_sha256_hex(&hash, of);
}

nigh_status evolve_checkpoint(const evolve *e, nigh_buffer *bytes)
{
    head *h = nigh_alloc_zero(e->ctx, 1, sizeof *h);
    island_head *i = nigh_alloc_zero(e->ctx, 1, sizeof *i);
    size_t start = bytes->size;
    nigh_status status = h && i ? NIGH_OK : NIGH_MEMORY;
    if (status) goto done;
    memcpy(h->magic, magic, sizeof magic);
    identify(e, h->of);
    h->generation = e->generation;
    memcpy(h->best, e->best, sizeof e->best);
    status = nigh_buffer_add(bytes, h, sizeof *h);
    for (int k = 0; k < e->options.islands && !status; k++) {
        const evolve_island *from = &e->island[k];
        i->rng = from->rng;
        i->generation = from->generation, i->candidates = from->candidates, i->progress = from->progress, i->began = from->began;
        i->members = from->members;
        memcpy(i->best, from->best, sizeof i->best);
        memcpy(i->elite, from->elite, sizeof i->elite);
        status = nigh_buffer_add(bytes, i, sizeof *i);
        if (!status) status = nigh_buffer_add(bytes, from->member, (size_t)from->members * sizeof *from->member);
        if (!status) status = nigh_buffer_add(bytes, from->seen, EVOLVE_SEEN * sizeof *from->seen);
    }
    if (status) goto done;
    char of[65];
    seal(bytes->data + start, bytes->size - start, of);
    status = nigh_buffer_add(bytes, of, SEAL);
done:
    nigh_free(e->ctx, h);
    nigh_free(e->ctx, i);
    return status;
}

typedef struct reader {
    const char *at;
    size_t left;
} reader;

static bool take(reader *r, void *to, size_t size)
{
    if (r->left < size) return false;
    memcpy(to, r->at, size);
    r->at += size, r->left -= size;
    return true;
}

static bool programs_valid(const evolve *e, const evolve_program *best, const evolve_genome *elite)
{
    for (int ops = 0; ops <= EVOLVE_MOST_OPS; ops++) {
        const evolve_program *p = &best[ops];
        if (!p->ops) continue;
        if (p->ops != ops || ops > e->options.most_ops || p->code.steps != ops || p->code.constants > EVOLVE_MOST_CONSTANTS) return false;
        if (!function_code_valid(&p->code) || (elite && (elite[ops].steps != ops || !evolve_genome_valid(&elite[ops], &e->options)))) return false;
    }
    return true;
}

static bool read_island(reader *r, const evolve *e, evolve_island *to, island_head *i)
{
    if (!take(r, i, sizeof *i) || i->members < 1 || i->members > e->options.parents || !programs_valid(e, i->best, i->elite)) return false;
    if (!take(r, to->member, (size_t)i->members * sizeof *to->member) || !take(r, to->seen, EVOLVE_SEEN * sizeof *to->seen)) return false;
    for (int m = 0; m < i->members; m++)
        if (!evolve_genome_valid(&to->member[m].genome, &e->options)) return false;
    to->rng = i->rng;
    to->generation = i->generation, to->candidates = i->candidates, to->progress = i->progress, to->began = i->began;
    to->members = i->members;
    memcpy(to->best, i->best, sizeof i->best);
    memcpy(to->elite, i->elite, sizeof i->elite);
    return true;
}

static nigh_status check_seal(const evolve *e, const char *bytes, size_t size, const head *h)
{
    char of[65];
    if (size < sizeof *h + SEAL || memcmp(h->magic, magic, sizeof magic) != 0)
        return nigh_fail(e->ctx, NIGH_FORMAT, "these %zu bytes are no checkpoint of a search of this version", size);
    seal(bytes, size - SEAL, of);
    if (memcmp(of, bytes + size - SEAL, SEAL) != 0)
        return nigh_fail(e->ctx, NIGH_FORMAT, "the checkpoint of %zu bytes was cut or changed: its checksum is another", size);
    identify(e, of);
    if (strncmp(of, h->of, sizeof of) != 0)
        return nigh_fail(e->ctx, NIGH_FORMAT, "the checkpoint is of another problem, other options or another build");
    return NIGH_OK;
}

nigh_status evolve_restore(evolve *e, const void *bytes, size_t size)
{
    reader r = {bytes, size};
    head *h = nigh_alloc_zero(e->ctx, 1, sizeof *h);
    island_head *i = nigh_alloc_zero(e->ctx, 1, sizeof *i);
    nigh_status status = h && i ? NIGH_OK : NIGH_MEMORY;
    if (status) goto done;
    take(&r, h, sizeof *h);
    if ((status = check_seal(e, bytes, size, h))) goto done;
    bool valid = h->generation >= 0 && programs_valid(e, h->best, NULL);
    for (int k = 0; k < e->options.islands && valid; k++) valid = read_island(&r, e, &e->island[k], i);
    if (!valid || r.left != SEAL) {
        for (int k = 0; k < e->options.islands; k++) evolve_island_begin(&e->island[k]);
        status = nigh_fail(e->ctx, NIGH_FORMAT, "the checkpoint holds programs that the options do not allow");
        goto done;
    }
    e->generation = h->generation;
    memcpy(e->best, h->best, sizeof e->best);
done:
    nigh_free(e->ctx, h);
    nigh_free(e->ctx, i);
    return status;
}
