/* Constraints that are questions: each prefix that was stepped to is a state, a node of a tree of bytes. Declared in lm/constraint.h. */
#include "lm/constraint.h"

#include "core/map.h"

#include <string.h>

enum { ASKED = 1, ALLOWED = 2, ASKED_COMPLETE = 4, COMPLETE = 8 };

typedef struct prefix {
    uint32_t above;
    uint32_t size; /* of the whole prefix */
    uint8_t byte, flags;
} prefix;

struct prefixes {
    nigh_context *ctx;
    nigh_predicate predicate;
    void (*release)(void *user);
    prefix *at;
    uint32_t count, room;
    map below; /* node << 8 | byte -> node */
    nigh_buffer text;
    uint32_t refused; /* nodes refused so far: every 64th is checked */
    bool warned;
};

nigh_status prefixes_new(nigh_context *ctx, const nigh_predicate *predicate, void (*release)(void *user), prefixes **out)
{
    prefixes *p = nigh_alloc_zero(ctx, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    p->ctx = ctx, p->predicate = *predicate, p->text.ctx = ctx;
    nigh_status status = map_new(ctx, 64, &p->below);
    if (!status && !(p->at = nigh_alloc_zero(ctx, 64, sizeof *p->at))) status = NIGH_MEMORY;
    if (status) return prefixes_free(p), status;
    p->release = release;
    p->count = 1, p->room = 64;
    *out = p;
    return NIGH_OK;
}

void prefixes_free(prefixes *p)
{
    if (!p) return;
    if (p->release) p->release(p->predicate.user);
    map_free(&p->below);
    nigh_buffer_free(&p->text);
    nigh_free(p->ctx, p->at);
    nigh_free(p->ctx, p);
}

/* The bytes of a prefix and some more into text. */
static nigh_status spell(prefixes *p, uint32_t state, const char *bytes, size_t size)
{
    size_t before = p->at[state].size;
    p->text.size = 0;
    static const char blank[64];
    nigh_status status = NIGH_OK;
    for (size_t left = before; !status && left > 0; left -= left < sizeof blank ? left : sizeof blank)
        status = nigh_buffer_add(&p->text, blank, left < sizeof blank ? left : sizeof blank);
    if (!status) status = nigh_buffer_add(&p->text, bytes, size);
    for (uint32_t s = state; !status && s; s = p->at[s].above) p->text.data[p->at[s].size - 1] = (char)p->at[s].byte;
    return status;
}

/* Asks about text; false also when it fails. */
static bool ask(nigh_constraint *c, bool complete)
{
    prefixes *p = c->prefixes;
    if (c->status) return false;
    int answer = (complete ? p->predicate.complete_ok : p->predicate.prefix_ok)(p->predicate.user, p->text.data ? p->text.data : "", p->text.size);
    if (answer == 0 || answer == 1) return answer;
    int shown = p->text.size < 60 ? (int)p->text.size : 60;
    if (answer < 0 && p->release) /* a program: its failure stands in the context, its status is -answer */
        constraint_fails(c, (nigh_status)-answer);
    else
        constraint_fails(c, nigh_fail(c->ctx, NIGH_INVALID, "%s gave %d for '%.*s'%s; 1 and 0 are allowed", complete ? "complete_ok" : "prefix_ok", answer, shown,
                                      p->text.data ? p->text.data : "", p->text.size > 60 ? ".." : ""));
    return false;
}

/* What follows a refused prefix must be refused: now and then one more byte is tried. */
static void check_closed(nigh_constraint *c)
{
    prefixes *p = c->prefixes;
    static const char tries[] = " a0\"";
    if (p->warned || c->status || p->refused++ % 64) return;
    char more = tries[p->refused / 64 % 4];
    if (nigh_buffer_add(&p->text, &more, 1)) return;
    if (ask(c, false)) {
        p->warned = true;
        nigh_log(c->ctx, NIGH_LOG_WARNING, "the predicate refuses '%.*s' but allows what follows it: members behind refused prefixes are not found",
                 p->text.size < 60 ? (int)p->text.size - 1 : 60, p->text.data);
    }
    p->text.size--;
}

bool prefixes_allows(nigh_constraint *c, int64_t state, const char *bytes, size_t size)
{
    prefixes *p = c->prefixes;
    nigh_status status = c->status ? c->status : spell(p, (uint32_t)state, bytes, size);
    constraint_fails(c, status);
    if (status) return false;
    bool allowed = ask(c, false);
    if (!allowed) check_closed(c);
    return allowed;
}

int64_t prefixes_start(nigh_constraint *c)
{
    prefix *root = &c->prefixes->at[0];
    if (!(root->flags & ASKED)) root->flags |= (uint8_t)(ASKED | (prefixes_allows(c, 0, "", 0) ? ALLOWED : 0));
    return root->flags & ALLOWED ? 0 : -1;
}

static nigh_status below(prefixes *p, uint32_t state, uint8_t byte, uint32_t *node)
{
    uint64_t *slot;
    bool added;
    if (p->count == p->room) {
        uint32_t room = 2 * p->room;
        if (room > 1u << 28) return nigh_fail(p->ctx, NIGH_RESOURCE, "the predicate was asked about more than %u prefixes", p->count);
        prefix *at = nigh_resize(p->ctx, p->at, sizeof *at * room);
        if (!at) return NIGH_MEMORY;
        p->at = at, p->room = room;
    }
    nigh_status status = map_add(&p->below, (uint64_t)state << 8 | byte, &slot, &added);
    if (status) return status;
    if (added) {
        *slot = p->count;
        p->at[p->count++] = (prefix){.above = state, .size = p->at[state].size + 1, .byte = byte};
    }
    *node = (uint32_t)*slot;
    return NIGH_OK;
}

int64_t prefixes_step(nigh_constraint *c, int64_t state, const char *bytes, size_t size)
{
    prefixes *p = c->prefixes;
    if (state >= p->count) return -1;
    if (!size) return state;
    uint32_t node = (uint32_t)state;
    nigh_status status = c->status;
    for (size_t i = 0; !status && i < size; i++) {
        status = below(p, node, (uint8_t)bytes[i], &node);
        if (!status && (p->at[node].flags & (ASKED | ALLOWED)) == ASKED) return -1;
    }
    constraint_fails(c, status);
    if (status) return -1;
    if (!(p->at[node].flags & ASKED)) {
        bool allowed = prefixes_allows(c, state, bytes, size);
        if (c->status) return -1;
        p->at[node].flags |= (uint8_t)(ASKED | (allowed ? ALLOWED : 0));
    }
    return p->at[node].flags & ALLOWED ? (int64_t)node : -1;
}

bool prefixes_complete(nigh_constraint *c, int64_t state)
{
    prefixes *p = c->prefixes;
    if (state >= p->count) return false;
    prefix *at = &p->at[state];
    if (!(at->flags & ASKED_COMPLETE)) {
        nigh_status status = c->status ? c->status : spell(p, (uint32_t)state, "", 0);
        constraint_fails(c, status);
        if (status) return false;
        bool complete = ask(c, true);
        if (c->status) return false;
        at->flags |= (uint8_t)(ASKED_COMPLETE | (complete ? COMPLETE : 0));
    }
    return at->flags & COMPLETE;
}
