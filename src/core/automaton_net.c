/* Patterns and nets: trees in an arena, and Thompson's construction with what comes after given first. Declared in core/automaton.h. */
#include "core/automaton.h"

#include <string.h>

/* ---- patterns ---- */

pattern *pattern_new(nigh_arena *arena, pattern_kind kind)
{
    pattern *p = nigh_arena_alloc_zero(arena, 1, sizeof *p);
    if (p) p->kind = kind;
    return p;
}

pattern *pattern_bytes(nigh_arena *arena, const char *bytes, size_t size)
{
    pattern *p = pattern_new(arena, size ? PATTERN_BYTES : PATTERN_EMPTY);
    if (!p || !size) return p;
    char *copy = nigh_arena_alloc(arena, size);
    if (!copy) return NULL;
    memcpy(copy, bytes, size);
    p->bytes = copy, p->size = size;
    return p;
}

pattern *pattern_set(nigh_arena *arena, const code_set *set)
{
    pattern *p = pattern_new(arena, set->count ? PATTERN_SET : PATTERN_NOTHING);
    if (!p || !set->count) return p;
    code_range *copy = nigh_arena_alloc(arena, sizeof *copy * (size_t)set->count);
    if (!copy) return NULL;
    memcpy(copy, set->at, sizeof *copy * (size_t)set->count);
    p->ranges = copy, p->count = set->count;
    return p;
}

pattern *pattern_repeat(nigh_arena *arena, pattern *child, int64_t low, int64_t high)
{
    pattern *p = child ? pattern_new(arena, PATTERN_REPEAT) : NULL;
    if (!p) return NULL;
    p->low = low, p->high = high;
    return pattern_add(p, child);
}

pattern *pattern_call(nigh_arena *arena, uint32_t rule)
{
    pattern *p = pattern_new(arena, PATTERN_CALL);
    if (p) p->rule = rule;
    return p;
}

pattern *pattern_automaton(nigh_arena *arena, const automaton *a)
{
    pattern *p = pattern_new(arena, a->states ? PATTERN_AUTOMATON : PATTERN_NOTHING);
    if (p && a->states) p->automaton = a;
    return p;
}

pattern *pattern_add(pattern *parent, pattern *child)
{
    if (!parent || !child) return NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    return parent;
}

/* ---- nodes ---- */

void net_free(net *n)
{
    if (!n->ctx) return;
    for (uint32_t i = 0; i < n->classes; i++) {
        automaton_free(n->class[i].own);
        nigh_free(n->ctx, n->class[i].ranges);
    }
    nigh_free(n->ctx, n->class);
    nigh_free(n->ctx, n->set);
    nigh_free(n->ctx, n->node);
    n->class = NULL, n->set = NULL, n->node = NULL;
    n->count = n->room = n->sets = n->set_room = n->classes = n->class_room = 0;
}

nigh_status net_node_new(net *n, net_kind kind, uint32_t a, uint32_t b, uint32_t out, uint32_t *node)
{
    if (n->count == n->room) {
        if (n->count >= n->most) return nigh_fail(n->ctx, NIGH_RESOURCE, "it needs more than the %u nodes allowed (counts such as {1000} multiply)", n->most);
        uint32_t room = n->room ? 2 * n->room : 256;
        if (room > n->most) room = n->most;
        net_node *grown = nigh_resize(n->ctx, n->node, sizeof *grown * room);
        if (!grown) return NIGH_MEMORY;
        n->node = grown, n->room = room;
    }
    n->node[n->count] = (net_node){.kind = kind, .a = a, .b = b, .out = out};
    *node = n->count++;
    return NIGH_OK;
}

static nigh_status set_index(net *n, const byte_set *set, uint32_t *index)
{
    uint32_t from = n->sets > 64 ? n->sets - 64 : 0; /* the same sets come in repetitions, close together */
    for (uint32_t i = n->sets; i-- > from;)
        if (memcmp(&n->set[i], set, sizeof *set) == 0) return *index = i, NIGH_OK;
    if (n->sets == n->set_room) {
        uint32_t room = n->set_room ? 2 * n->set_room : 32;
        byte_set *grown = nigh_resize(n->ctx, n->set, sizeof *grown * room);
        if (!grown) return NIGH_MEMORY;
        n->set = grown, n->set_room = room;
    }
    n->set[n->sets] = *set;
    *index = n->sets++;
    return NIGH_OK;
}

static nigh_status build_range(net *n, int low, int high, uint32_t out, uint32_t *start)
{
    byte_set set = {{0}};
    for (int b = low; b <= high; b++) set.word[b >> 6] |= (uint64_t)1 << (b & 63);
    uint32_t index = 0;
    nigh_status status = set_index(n, &set, &index);
    return status ? status : net_node_new(n, NET_SET, index, 0, out, start);
}

/* ---- sets of characters ---- */

typedef struct spans {
    net *n;
    uint32_t out, head; /* head: the alternatives so far */
} spans;

/* One chain of byte ranges in front of the alternatives. low and high encode to the same length, byte by byte a range. */
static nigh_status add_span(spans *s, uint32_t low, uint32_t high)
{
    char a[4], b[4];
    size_t size = utf8_put(low, a);
    utf8_put(high, b);
    uint32_t to = s->out;
    nigh_status status = NIGH_OK;
    for (size_t i = size; !status && i-- > 0;) status = build_range(s->n, (uint8_t)a[i], (uint8_t)b[i], to, &to);
    if (status) return status;
    if (s->head == AUTOMATON_NONE) return s->head = to, NIGH_OK;
    return net_node_new(s->n, NET_EMPTY, s->head, 0, to, &s->head);
}

/* Cuts a range where lengths change and where a byte in front would change while those behind do not run through all of their values. */
static nigh_status cut_span(spans *s, uint32_t low, uint32_t high)
{
    static const uint32_t ends[3] = {0x7f, 0x7ff, 0xffff};
    for (int i = 0; i < 3; i++)
        if (low <= ends[i] && high > ends[i]) {
            nigh_status status = cut_span(s, low, ends[i]);
            return status ? status : cut_span(s, ends[i] + 1, high);
        }
    for (int i = 1; low > 0x7f && i < 4; i++) {
        uint32_t mask = (1u << 6 * i) - 1;
        if ((low & ~mask) == (high & ~mask)) continue;
        uint32_t end = low & mask ? low | mask : (high & mask) != mask ? (high & ~mask) - 1 : high;
        if (end == high) continue;
        nigh_status status = cut_span(s, low, end);
        return status ? status : cut_span(s, end + 1, high);
    }
    return add_span(s, low, high);
}

static uint64_t ranges_hash(const code_range *at, int64_t count)
{
    uint64_t h = 1469598103934665603u;
    for (int64_t i = 0; i < count; i++) h = (h ^ ((uint64_t)at[i].low << 32 | at[i].high)) * 0x100000001b3u, h ^= h >> 32;
    return h | 1;
}

static nigh_status class_new(net *n, uint32_t *index)
{
    if (n->classes == n->class_room) {
        uint32_t room = n->class_room ? 2 * n->class_room : 16;
        net_class *grown = nigh_resize(n->ctx, n->class, sizeof *grown * room);
        if (!grown) return NIGH_MEMORY;
        n->class = grown, n->class_room = room;
    }
    n->class[n->classes] = (net_class){0};
    *index = n->classes++;
    return NIGH_OK;
}

/* The automaton of a set of characters, made once. */
static nigh_status class_of_set(net *n, const code_range *at, int64_t count, uint32_t *index)
{
    uint64_t hash = ranges_hash(at, count);
    for (uint32_t i = 0; i < n->classes; i++) {
        const net_class *c = &n->class[i];
        if (c->hash == hash && c->count == count && memcmp(c->ranges, at, sizeof *at * (size_t)count) == 0) return *index = i, NIGH_OK;
    }
    net small = {.ctx = n->ctx, .most = 1 << 20};
    spans s = {.n = &small, .head = AUTOMATON_NONE};
    automaton *a = NULL;
    code_range *copy = nigh_alloc(n->ctx, sizeof *copy * (size_t)count);
    nigh_status status = copy ? net_node_new(&small, NET_END, 0, 0, 0, &s.out) : NIGH_MEMORY;
    for (int64_t i = 0; !status && i < count; i++) status = cut_span(&s, at[i].low, at[i].high);
    if (!status) status = net_determine(&small, s.head, 1 << 16, &a);
    if (!status) status = class_new(n, index);
    if (!status) {
        memcpy(copy, at, sizeof *copy * (size_t)count);
        n->class[*index] = (net_class){.automaton = a, .own = a, .hash = hash, .ranges = copy, .count = count};
    } else {
        automaton_free(a);
        nigh_free(n->ctx, copy);
    }
    net_free(&small);
    return status;
}

static nigh_status build_automaton(net *n, uint32_t index, uint32_t out, uint32_t *start)
{
    const automaton *a = n->class[index].automaton;
    uint32_t node = 0, first = n->count;
    nigh_status status = NIGH_OK;
    for (uint32_t s = 0; !status && s < a->states; s++) status = net_node_new(n, NET_AUTOMATON, index, s, out, &node);
    if (!status && a->accepts[a->start]) status = net_node_new(n, NET_EMPTY, first + a->start, 0, out, start);
    else *start = first + a->start;
    return status;
}

static nigh_status build_set(net *n, const pattern *p, uint32_t out, uint32_t *start)
{
    uint32_t index = 0;
    if (p->ranges[p->count - 1].high > 0x7f) {
        nigh_status status = class_of_set(n, p->ranges, p->count, &index);
        return status ? status : build_automaton(n, index, out, start);
    }
    byte_set set = {{0}};
    for (int64_t i = 0; i < p->count; i++)
        for (uint32_t b = p->ranges[i].low; b <= p->ranges[i].high; b++) set.word[b >> 6] |= (uint64_t)1 << (b & 63);
    nigh_status status = set_index(n, &set, &index);
    return status ? status : net_node_new(n, NET_SET, index, 0, out, start);
}

static nigh_status build_borrowed(net *n, const automaton *a, uint32_t out, uint32_t *start)
{
    uint32_t index = 0;
    while (index < n->classes && (n->class[index].automaton != a || n->class[index].hash)) index++;
    nigh_status status = index == n->classes ? class_new(n, &index) : NIGH_OK;
    if (status) return status;
    n->class[index].automaton = a;
    return build_automaton(n, index, out, start);
}

/* ---- trees ---- */

static nigh_status build_chain(net *n, const pattern *p, uint32_t out, uint32_t *start)
{
    /* From the last child to the first, without a link back: children are turned over block by block. */
    enum { BLOCK = 64 };
    const pattern *at[BLOCK];
    int64_t count = 0;
    for (const pattern *c = p->first; c; c = c->next) count++;
    nigh_status status = NIGH_OK;
    for (int64_t end = count; !status && end > 0; end -= BLOCK) {
        int64_t first = end > BLOCK ? end - BLOCK : 0, i = 0;
        for (const pattern *c = p->first; c && i < end; c = c->next, i++)
            if (i >= first) at[i - first] = c;
        for (int64_t k = end - first; !status && k-- > 0;) status = net_build(n, at[k], out, &out);
    }
    *start = out;
    return status;
}

/* Where either begins; NONE begins nothing. */
static nigh_status net_either(net *n, uint32_t a, uint32_t b, uint32_t *start)
{
    if (a != AUTOMATON_NONE && b != AUTOMATON_NONE) return net_node_new(n, NET_EMPTY, a, 0, b, start);
    *start = a != AUTOMATON_NONE ? a : b;
    return NIGH_OK;
}

static nigh_status build_either(net *n, const pattern *p, uint32_t out, uint32_t *start)
{
    uint32_t head = AUTOMATON_NONE, one = 0;
    nigh_status status = NIGH_OK;
    for (const pattern *c = p->first; !status && c; c = c->next) {
        status = net_build(n, c, out, &one);
        if (!status) status = net_either(n, head, one, &head);
    }
    *start = head;
    return status;
}

static nigh_status build_loop(net *n, const pattern *child, uint32_t out, uint32_t *start)
{
    uint32_t loop = 0, body = 0;
    nigh_status status = net_node_new(n, NET_EMPTY, AUTOMATON_NONE, 0, out, &loop);
    if (!status) status = net_build(n, child, loop, &body);
    if (status) return status;
    n->node[loop].a = body;
    *start = loop;
    return NIGH_OK;
}

static nigh_status build_repeat(net *n, const pattern *p, uint32_t out, uint32_t *start)
{
    nigh_status status = NIGH_OK;
    uint32_t head = out, body = 0;
    if (p->high < 0) {
        status = build_loop(n, p->first, out, &head);
    } else {
        for (int64_t i = p->low; !status && i < p->high; i++) {
            status = net_build(n, p->first, head, &body);
            if (status || body == AUTOMATON_NONE || body == head) break; /* nothing, or the empty string: once is as good as often */
            status = net_node_new(n, NET_EMPTY, body, 0, out, &head);
        }
    }
    for (int64_t i = 0; !status && i < p->low; i++) {
        body = head;
        status = net_build(n, p->first, body, &head);
        if (head == AUTOMATON_NONE || body == head) break;
    }
    *start = head;
    return status;
}

nigh_status net_own(net *n, automaton *a)
{
    uint32_t index = 0;
    nigh_status status = class_new(n, &index);
    if (status) return automaton_free(a), status;
    n->class[index] = (net_class){.automaton = a, .own = a};
    return NIGH_OK;
}

/* Two rows of places: nothing came yet, and something did (then the separator stands in front of the next). */
static nigh_status build_list(net *n, const pattern *p, uint32_t out, uint32_t *start)
{
    int64_t count = 0;
    const pattern *between = p->first;
    for (const pattern *c = between->next; c; c = c->next) count++;
    const pattern **at = nigh_alloc(n->ctx, sizeof *at * (size_t)(count + 1));
    if (!at) return NIGH_MEMORY;
    count = 0;
    for (const pattern *c = between->next; c; c = c->next) at[count++] = c;
    uint32_t none = out, some = out, body = 0, again = 0;
    nigh_status status = NIGH_OK;
    for (int64_t i = count; !status && i-- > 0;) {
        uint32_t after = some;
        bool loop = p->loop && i == count - 1;
        if (loop) status = net_node_new(n, NET_EMPTY, AUTOMATON_NONE, 0, some, &after);
        if (!status) status = net_build(n, at[i], after, &again);
        if (!status) status = net_build(n, between, again, &again);
        if (!status && loop) n->node[after].a = again;
        if (!status) status = net_build(n, at[i], after, &body);
        if (at[i]->optional) {
            if (!status && !loop) status = net_either(n, again, some, &again);
            if (!status) status = net_either(n, body, none, &body);
            some = loop ? after : again, none = body;
        } else {
            some = again, none = body;
        }
    }
    nigh_free(n->ctx, at);
    *start = none;
    return status;
}

nigh_status net_build(net *n, const pattern *p, uint32_t out, uint32_t *start)
{
    *start = AUTOMATON_NONE;
    if (out == AUTOMATON_NONE) return NIGH_OK; /* what follows cannot be: neither can this */
    nigh_status status = NIGH_OK;
    switch (p->kind) {
    case PATTERN_EMPTY: *start = out; break;
    case PATTERN_NOTHING: break;
    case PATTERN_BYTES:
        for (size_t i = p->size; !status && i-- > 0;) status = build_range(n, (uint8_t)p->bytes[i], (uint8_t)p->bytes[i], out, &out);
        *start = out;
        break;
    case PATTERN_SET: return build_set(n, p, out, start);
    case PATTERN_CHAIN: return build_chain(n, p, out, start);
    case PATTERN_EITHER: return build_either(n, p, out, start);
    case PATTERN_REPEAT: return build_repeat(n, p, out, start);
    case PATTERN_AUTOMATON: return build_borrowed(n, p->automaton, out, start);
    case PATTERN_CALL: return net_node_new(n, NET_CALL, p->rule, 0, out, start);
    case PATTERN_LIST: return build_list(n, p, out, start);
    }
    return status;
}

void net_byte_classes(const net *n, uint8_t class_of[256], uint32_t *classes)
{
    memset(class_of, 0, 256);
    *classes = 1;
    uint8_t other[256];
    for (uint32_t i = 0; i < n->sets; i++) {
        for (int b = 0; b < 256; b++) other[b] = byte_set_has(&n->set[i], (uint8_t)b);
        automaton_classes_refine(class_of, classes, other);
    }
    for (uint32_t i = 0; i < n->classes; i++) automaton_classes_refine(class_of, classes, n->class[i].automaton->class_of);
}
