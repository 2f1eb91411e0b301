/* Hooks that are used again and again. Declared in nigh/network.h. */
#include "nigh/network.h"

#include "grad/tape.h"

#include <math.h>

static int place_of(int n, const int *layers, int layer)
{
    for (int i = 0; i < n; i++)
        if (layers[i] == layer) return i;
    return -1;
}

nigh_node nigh_hook_collect(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    const nigh_hook_nodes *h = user;
    int i = place_of(h->n, h->layer, layer);
    if (i >= 0) h->node[i] = value;
    return value;
}

nigh_node nigh_hook_replace(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    const nigh_hook_nodes *h = user;
    int i = place_of(h->n, h->layer, layer);
    return i < 0 ? value : h->node[i];
}

nigh_node nigh_hook_mask(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    const nigh_hook_nodes *h = user;
    int i = place_of(h->n, h->layer, layer);
    return i < 0 ? value : nigh_tape_mul(tape, value, h->node[i]);
}

nigh_node nigh_hook_quantise(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    const nigh_hook_grids *h = user;
    int i = place_of(h->n, h->layer, layer);
    return i < 0 ? value : nigh_tape_quantise(tape, value, h->low[i], h->high[i], h->levels);
}

nigh_node nigh_hook_chain(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    const nigh_hook_list *h = user;
    for (int i = 0; i < h->n && value != NIGH_NONE; i++) value = h->hook[i](h->user[i], tape, layer, value);
    return value;
}

nigh_node nigh_tape_quantise(nigh_tape *tape, nigh_node x, double low, double high, int levels)
{
    if (!tape_check(tape, "quantise", 1, &x)) return NIGH_NONE;
    if (levels < 2 || levels > 1 << 24) return tape_fail(tape, "quantise", "%d levels; 2 to %d are allowed", levels, 1 << 24);
    if (!(low < high) || !isfinite(low) || !isfinite(high)) return tape_fail(tape, "quantise", "from %g to %g; two finite numbers, the first smaller, are needed", low, high);
    double step = (high - low) / (levels - 1);
    nigh_node inside = nigh_tape_clamp(tape, x, low, high), place = nigh_tape_round(tape, nigh_tape_affine(tape, inside, 1 / step, -low / step));
    return nigh_tape_straight_through(tape, nigh_tape_affine(tape, place, step, low), inside);
}
