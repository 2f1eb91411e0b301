/* Formulas of property files multiplied out to boxes and conditions. Declared in io/vnnlib.h. */
#include "io/vnnlib.h"

#include "core/map.h"

#include <string.h>

enum { MOST_CASES = 1000000, MOST_TRIED = 4000000, MOST_NUMBERS = 1 << 24, MOST_INDICES = 1 << 26 };

/* A choice that is being gone through, and how far the stacks below it reached. */
typedef struct choice {
    const vnnlib_node *alternative; /* taken */
    int64_t pending, changes, conditions;
} choice;

typedef struct change {
    int64_t side, atom; /* what stood there */
} change;

/* A list that grows: powers of two of room. */
typedef struct list {
    void *data;
    int64_t n;
} list;

typedef struct range {
    int64_t first, count, next; /* next: of the same box, or with the same hash; -1: none */
} range;

typedef struct unfold {
    vnnlib_reader *r;
    int64_t *side;          /* [2 inputs] the atom that bounds: low of input 0, high of input 0, low of input 1 ..; -1: none */
    uint64_t hash;          /* of the box */
    int64_t box;            /* the case the box is known as; -1: to be looked up */
    int64_t tried, groups, indices;
    list pending;           /* const vnnlib_node *: choices to make */
    list choices;           /* choice */
    list changes;           /* change */
    list conditions;        /* int64_t: atoms */
    list work;              /* const vnnlib_node * */
    list boxes;             /* int64_t [2 inputs] each, atoms */
    list box_groups;        /* range: first group of it, groups, next of this hash */
    list members;           /* range: .first the index of a condition group, .next of the same box */
    list sets;              /* range of `atoms`; next of this hash */
    list atoms;             /* int64_t */
    map box_map, set_map;
    const vnnlib_atom *empty[2]; /* the bounds that left the last alternative empty */
} unfold;

static nigh_status push(unfold *u, list *l, size_t size, const void *item)
{
    if (!(l->n & (l->n - 1))) {
        void *data = nigh_resize(u->r->ctx, l->data, size * (size_t)(l->n ? 2 * l->n : 1));
        if (!data) return NIGH_MEMORY;
        l->data = data;
    }
    memcpy((char *)l->data + (size_t)l->n++ * size, item, size);
    return NIGH_OK;
}

static uint64_t mixed(uint64_t x)
{
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

static uint64_t side_hash(const unfold *u, int64_t side, int64_t atom)
{
    uint64_t bits[2];
    if (atom < 0) return 0;
    memcpy(&bits[0], &u->r->atom[atom].down, sizeof *bits);
    memcpy(&bits[1], &u->r->atom[atom].up, sizeof *bits);
    return mixed(mixed(mixed((uint64_t)side + 1) ^ bits[0]) ^ bits[1]);
}

static bool same_bound(const vnnlib_atom *a, const vnnlib_atom *b) { return a->down == b->down && a->up == b->up; }

static void put_side(unfold *u, int64_t side, int64_t atom)
{
    u->hash ^= side_hash(u, side, u->side[side]) ^ side_hash(u, side, atom);
    u->side[side] = atom;
    u->box = -1;
}

/* Intersects the box with a bound; *empty when nothing is left. Rounding is monotone: the tighter of two bounds has both of its roundings at least as tight. */
static nigh_status tighten(unfold *u, int64_t index, bool *empty)
{
    const vnnlib_atom *atom = &u->r->atom[index];
    int64_t side = 2 * atom->input + atom->high, old = u->side[side], across = u->side[side ^ 1];
    if (old >= 0) {
        const vnnlib_atom *was = &u->r->atom[old];
        bool tighter = atom->high ? atom->up < was->up || (atom->up == was->up && atom->down < was->down) : atom->down > was->down || (atom->down == was->down && atom->up > was->up);
        if (!tighter) return NIGH_OK;
    }
    nigh_status status = push(u, &u->changes, sizeof(change), &(change){side, old});
    if (status) return status;
    put_side(u, side, index);
    if (across < 0) return NIGH_OK;
    const vnnlib_atom *other = &u->r->atom[across], *low = atom->high ? other : atom, *high = atom->high ? atom : other;
    *empty = low->down > high->up || (low->down >= high->down && low->up > high->up) || (low->down > high->down && low->up >= high->up);
    if (*empty) u->empty[0] = low, u->empty[1] = high;
    return NIGH_OK;
}

static nigh_status refuse_empty(const unfold *u)
{
    const vnnlib_atom *low = u->empty[0], *high = u->empty[1];
    if (!low) return nigh_fail(u->r->ctx, NIGH_INVALID, "'%s': no alternative can be met: nothing is unsafe", u->r->name);
    return vnnlib_fail(u->r, low->at > high->at ? low->at : high->at, NIGH_INVALID, "the box is empty: X_%lld is at least %s and at most %s", (long long)low->input, low->text, high->text);
}

/* All that must hold with this node: bounds into the box, conditions on their stack, choices to be made later. */
static nigh_status expand(unfold *u, const vnnlib_node *node, bool *empty)
{
    nigh_status status = push(u, &u->work, sizeof node, &node);
    while (u->work.n && !status && !*empty) {
        node = ((const vnnlib_node **)u->work.data)[--u->work.n];
        if (node->kind == VNNLIB_OR) status = push(u, &u->pending, sizeof node, &node);
        else if (node->kind == VNNLIB_FALSE) *empty = true, u->empty[0] = NULL;
        else if (node->kind == VNNLIB_ATOM) {
            if (u->r->atom[node->atom].input < 0) status = push(u, &u->conditions, sizeof node->atom, &node->atom);
            else status = tighten(u, node->atom, empty);
        } else {
            int64_t first = u->work.n;
            for (const vnnlib_node *child = node->first; child && !status; child = child->next) status = push(u, &u->work, sizeof child, &child);
            const vnnlib_node **stack = u->work.data;
            for (int64_t i = first, j = u->work.n - 1; i < j; i++, j--) { /* in the order of the file */
                const vnnlib_node *swapped = stack[i];
                stack[i] = stack[j], stack[j] = swapped;
            }
        }
    }
    u->work.n = 0;
    /* Two bounds of one alternative that contradict each other are a mistake of the file; across alternatives they only rule a combination out. */
    if (!status && *empty && u->empty[0] && u->empty[0]->branch == u->empty[1]->branch) status = refuse_empty(u);
    return status;
}

/* ---- what was found ------------------------------------------------------------------------------------- */

static nigh_status check_bounded(const unfold *u)
{
    int64_t missing = -1, count = 0;
    for (int64_t i = 0; i < 2 * u->r->inputs; i++) {
        if (u->side[i] >= 0 || (missing >= 0 && i / 2 == missing / 2)) continue;
        if (missing < 0) missing = i;
        count++;
    }
    if (missing < 0) return NIGH_OK;
    return nigh_fail(u->r->ctx, NIGH_INVALID, "'%s': input X_%lld has no %s bound%s", u->r->name, (long long)missing / 2, missing % 2 ? "upper" : "lower",
                     count > 1 ? " (nor have others both bounds)" : "");
}

/* The case of the present box. */
static nigh_status find_box(unfold *u, int64_t *box)
{
    int64_t sides = 2 * u->r->inputs;
    uint64_t *known;
    bool added;
    if ((*box = u->box) >= 0) return NIGH_OK;
    nigh_status status = map_add(&u->box_map, u->hash, &known, &added);
    if (status) return status;
    for (*box = added ? -1 : (int64_t)*known; *box >= 0; *box = ((range *)u->box_groups.data)[*box].next) {
        const int64_t *side = (int64_t *)u->boxes.data + *box * sides;
        int64_t i = 0;
        while (i < sides && u->side[i] >= 0 && same_bound(&u->r->atom[side[i]], &u->r->atom[u->side[i]])) i++;
        if (i == sides) return u->box = *box, NIGH_OK;
    }
    if ((status = check_bounded(u))) return status;
    *box = u->box = u->box_groups.n;
    if (*box >= MOST_CASES || (*box + 1) * u->r->inputs > MOST_NUMBERS)
        return nigh_fail(u->r->ctx, NIGH_UNSUPPORTED, "'%s': alternatives multiply out to more than %lld boxes", u->r->name, (long long)*box);
    status = push(u, &u->box_groups, sizeof(range), &(range){-1, 0, added ? -1 : (int64_t)*known});
    *known = (uint64_t)*box;
    for (int64_t i = 0; i < sides && !status; i++) status = push(u, &u->boxes, sizeof *u->side, &u->side[i]);
    return status;
}

/* The set of the present conditions. */
static nigh_status find_set(unfold *u, int64_t *set)
{
    const int64_t *atom = u->conditions.data;
    int64_t n = u->conditions.n;
    uint64_t hash = 0, *known;
    bool added;
    for (int64_t i = 0; i < n; i++) hash = mixed(hash ^ (uint64_t)(atom[i] + 1));
    nigh_status status = map_add(&u->set_map, hash, &known, &added);
    if (status) return status;
    for (*set = added ? -1 : (int64_t)*known; *set >= 0; *set = ((range *)u->sets.data)[*set].next) {
        const range *s = (range *)u->sets.data + *set;
        if (s->count == n && (!n || !memcmp((int64_t *)u->atoms.data + s->first, atom, (size_t)n * sizeof *atom))) return NIGH_OK;
    }
    *set = u->sets.n;
    status = push(u, &u->sets, sizeof(range), &(range){u->atoms.n, n, added ? -1 : (int64_t)*known});
    *known = (uint64_t)*set;
    if (u->atoms.n + n > MOST_INDICES) status = nigh_fail(u->r->ctx, NIGH_UNSUPPORTED, "'%s': alternatives multiply out to more than %d conditions", u->r->name, MOST_INDICES);
    for (int64_t i = 0; i < n && !status; i++) status = push(u, &u->atoms, sizeof *atom, &atom[i]);
    return status;
}

static nigh_status emit(unfold *u)
{
    int64_t box, set;
    nigh_status status = find_box(u, &box);
    if (!status) status = find_set(u, &set);
    if (status) return status;
    if (u->groups++ >= MOST_CASES) return nigh_fail(u->r->ctx, NIGH_UNSUPPORTED, "'%s': alternatives multiply out to more than %d", u->r->name, MOST_CASES);
    range *b = (range *)u->box_groups.data + box;
    status = push(u, &u->members, sizeof(range), &(range){set, 0, b->first});
    b->first = u->members.n - 1;
    b->count++;
    return status;
}

/* ---- going through choices ------------------------------------------------------------------------------ */

static void go_back(unfold *u, const choice *c)
{
    const change *done = u->changes.data;
    while (u->changes.n > c->changes) u->changes.n--, put_side(u, done[u->changes.n].side, done[u->changes.n].atom);
    u->pending.n = c->pending;
    u->conditions.n = c->conditions;
}

/* Choices on inputs alone come first: then boxes change seldom. */
static nigh_status order_choices(unfold *u)
{
    const vnnlib_node **all = u->pending.data;
    int64_t n = u->pending.n, at = 0;
    const vnnlib_node **sorted = nigh_alloc(u->r->ctx, (size_t)(n + 1) * sizeof *sorted);
    if (!sorted) return NIGH_MEMORY;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < n; i++)
            if (all[i]->outputs == (pass == 1)) sorted[at++] = all[i];
    if (n) memcpy(all, sorted, (size_t)n * sizeof *sorted);
    nigh_free(u->r->ctx, sorted);
    return NIGH_OK;
}

/* Depth first: choice number k is about pending node k. */
static nigh_status go_through(unfold *u)
{
    bool empty = false;
    nigh_status status = order_choices(u);
    while (!status) {
        if (!empty && u->choices.n == u->pending.n) status = emit(u);
        else if (!empty) {
            const vnnlib_node *node = ((const vnnlib_node **)u->pending.data)[u->choices.n];
            choice c = {NULL, u->pending.n, u->changes.n, u->conditions.n};
            status = push(u, &u->choices, sizeof c, &c);
            if (!status) ((choice *)u->choices.data)[u->choices.n - 1].alternative = node->first;
            if (!status) status = expand(u, node->first, &empty);
            u->tried++;
            continue;
        }
        for (empty = true; u->choices.n && empty && !status;) { /* the next alternative of the last choice that has one */
            choice *c = (choice *)u->choices.data + u->choices.n - 1;
            go_back(u, c);
            if (!(c->alternative = c->alternative->next)) {
                u->choices.n--;
                continue;
            }
            empty = false;
            status = expand(u, c->alternative, &empty);
            u->tried++;
            if (!status && !(u->tried & 1023)) status = nigh_poll(u->r->ctx);
        }
        if (!u->choices.n) break;
        if (!status && u->tried > MOST_TRIED) status = nigh_fail(u->r->ctx, NIGH_UNSUPPORTED, "'%s': more than %d alternatives were looked at", u->r->name, MOST_TRIED);
    }
    return status;
}

/* ---- the property --------------------------------------------------------------------------------------- */

static nigh_status put_conditions(unfold *u, nigh_property *p)
{
    const int64_t *atom = u->atoms.data;
    nigh_condition *condition = nigh_arena_alloc(u->r->arena, (size_t)(u->atoms.n + 1) * sizeof *condition);
    if (!condition) return NIGH_MEMORY;
    for (int64_t i = 0; i < u->atoms.n; i++) {
        condition[i] = u->r->atom[atom[i]].condition;
        for (int k = 0; k < condition[i].terms; k++) p->joint = p->joint || condition[i].index[k] >= u->r->outputs;
    }
    p->condition = condition, p->conditions = u->atoms.n;
    return NIGH_OK;
}

static nigh_status put_case(unfold *u, int64_t box, nigh_property_case *c)
{
    nigh_arena *arena = u->r->arena;
    const range *b = (range *)u->box_groups.data + box;
    int64_t n = u->r->inputs, at = b->count;
    const int64_t *side = (int64_t *)u->boxes.data + 2 * n * box;
    double *numbers = nigh_arena_alloc(arena, 4 * (size_t)n * sizeof *numbers);
    const char **text = nigh_arena_alloc(arena, 2 * (size_t)n * sizeof *text);
    nigh_condition_group *group = nigh_arena_alloc(arena, (size_t)at * sizeof *group);
    if (!numbers || !text || !group) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        const vnnlib_atom *low = &u->r->atom[side[2 * i]], *high = &u->r->atom[side[2 * i + 1]];
        numbers[i] = low->down, numbers[n + i] = high->up, numbers[2 * n + i] = low->up, numbers[3 * n + i] = high->down;
        text[i] = low->text, text[n + i] = high->text;
    }
    for (int64_t m = b->first; m >= 0; m = ((range *)u->members.data)[m].next) { /* the last first */
        const range *s = (range *)u->sets.data + ((range *)u->members.data)[m].first;
        group[--at] = (nigh_condition_group){s->first, s->count};
    }
    *c = (nigh_property_case){numbers, numbers + n, numbers + 2 * n, numbers + 3 * n, text, text + n, b->count, group};
    return NIGH_OK;
}

nigh_status vnnlib_cases(vnnlib_reader *r, vnnlib_node *root, nigh_property *property)
{
    unfold u = {.r = r, .box = -1};
    bool empty = false;
    list *lists[] = {&u.pending, &u.choices, &u.changes, &u.conditions, &u.work, &u.boxes, &u.box_groups, &u.members, &u.sets, &u.atoms};
    nigh_status status = map_new(r->ctx, 16, &u.box_map);
    if (!status) status = map_new(r->ctx, 16, &u.set_map);
    if (!status && !(u.side = nigh_alloc(r->ctx, 2 * (size_t)r->inputs * sizeof *u.side))) status = NIGH_MEMORY;
    for (int64_t i = 0; i < 2 * r->inputs && !status; i++) u.side[i] = -1;
    if (!status) status = expand(&u, root, &empty);
    if (!status && !empty) status = go_through(&u);
    if (!status && !u.box_groups.n) status = refuse_empty(&u);
    property->inputs = r->inputs, property->outputs = r->outputs, property->cases = u.box_groups.n;
    nigh_property_case *item = status ? NULL : nigh_arena_alloc_zero(r->arena, (size_t)u.box_groups.n, sizeof *item);
    if (!status && !item) status = NIGH_MEMORY;
    if (!status) status = put_conditions(&u, property);
    for (int64_t i = 0; i < u.box_groups.n && !status; i++) status = put_case(&u, i, &item[i]);
    property->item = item;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) nigh_free(r->ctx, lists[i]->data);
    nigh_free(r->ctx, u.side);
    map_free(&u.box_map);
    map_free(&u.set_map);
    return status;
}
