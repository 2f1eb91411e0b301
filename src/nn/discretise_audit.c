/* What an audit says. Declared in nigh/discretise.h. */
#include "core/json.h"
#include "nn/discretise.h"

#include <stdio.h>
#include <string.h>

static const char *const verdicts[] = {"function", "fixable", "refused"};

static nigh_verdict verdict_of(const walk_step *s)
{
    return s->action == WALK_REFUSE ? NIGH_VERDICT_REFUSED : s->action == WALK_KEEP || s->action == WALK_INPUT ? NIGH_VERDICT_FUNCTION : NIGH_VERDICT_FIXABLE;
}

static nigh_status fill_rows(nigh_network *net, const walk *w, nigh_audit *a)
{
    nigh_audit_row *row = nigh_arena_alloc(a->arena, ((size_t)nigh_network_layers(net) + 1) * sizeof *row);
    if (!row) return NIGH_MEMORY;
    a->row = row;
    for (int i = 0; i < nigh_network_layers(net); i++, a->rows++) {
        const nigh_layer *l = nigh_network_at(net, i);
        const walk_step *s = &w->step[i];
        row[i] = (nigh_audit_row){nigh_arena_strdup(a->arena, l->name), nigh_arena_strdup(a->arena, l->kind), verdict_of(s), s->rewrite, nigh_arena_strdup(a->arena, s->why)};
        if (!row[i].layer || !row[i].kind || !row[i].why) return NIGH_MEMORY;
        *(row[i].verdict == NIGH_VERDICT_REFUSED ? &a->refused : row[i].verdict == NIGH_VERDICT_FIXABLE ? &a->fixable : &a->functions) += 1;
    }
    return NIGH_OK;
}

nigh_status nigh_network_audit(nigh_network *net, const nigh_discretisation *spec, nigh_audit **out)
{
    walk *w = NULL;
    nigh_arena *arena = NULL;
    nigh_status status = walk_new(net, spec, &w);
    if (!status) status = nigh_arena_new(nigh_network_context(net), &arena);
    nigh_audit *a = status ? NULL : nigh_arena_alloc_zero(arena, 1, sizeof *a);
    if (!status && !a) status = NIGH_MEMORY;
    if (!status) {
        a->arena = arena, a->spec = w->spec;
        memcpy(a->least, w->least, sizeof a->least);
        status = fill_rows(net, w, a);
    }
    walk_free(w);
    if (status) nigh_arena_free(arena);
    else *out = a;
    return status;
}

void nigh_audit_free(nigh_audit *audit)
{
    if (audit) nigh_arena_free(audit->arena);
}

/* ---- as text and JSON --------------------------------------------------------------------------------- */

static nigh_status print_table(const nigh_audit *a, nigh_buffer *text)
{
    const nigh_discretisation *s = &a->spec;
    nigh_status status = nigh_buffer_print(text, "trained on %lld", (long long)s->trained[0]);
    if (!status && s->dims == 2) status = nigh_buffer_print(text, " x %lld", (long long)s->trained[1]);
    if (!status) status = nigh_buffer_print(text, " points (%s), kernels by %s\n%-24s %-16s %-9s %-26s %s\n", nigh_grid_name(s->grid), nigh_resampling_name(s->resampling), "layer", "kind", "verdict",
                                            "on other grids", "");
    for (int i = 0; i < a->rows && !status; i++) {
        const nigh_audit_row *r = &a->row[i];
        status = nigh_buffer_print(text, r->why[0] ? "%-24s %-16s %-9s %-26s %s\n" : "%-24s %-16s %-9s %s\n", r->layer, r->kind, verdicts[r->verdict], r->rewrite, r->why);
    }
    return status ? status : nigh_buffer_print(text, "%d layers act on functions, %d do when rewritten, %d do not\n", a->functions, a->fixable, a->refused);
}

static nigh_status add_sizes(nigh_context *ctx, json_t *object, const char *key, int dims, const int64_t *size)
{
    json_t *list = json_array();
    if (!list) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    for (int i = 0; i < dims; i++)
        if (json_array_append_new(list, json_integer(size[i]))) return json_decref(list), nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    return nj_set(ctx, object, key, list);
}

static nigh_status add_row(nigh_context *ctx, json_t *list, const nigh_audit_row *r)
{
    json_t *entry = json_object();
    nigh_status status = entry ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    if (!status) status = nj_set_text(ctx, entry, "layer", r->layer);
    if (!status) status = nj_set_text(ctx, entry, "kind", r->kind);
    if (!status) status = nj_set_text(ctx, entry, "verdict", verdicts[r->verdict]);
    if (!status) status = nj_set_text(ctx, entry, "rewrite", r->rewrite);
    if (!status) status = nj_set_text(ctx, entry, "why", r->why);
    if (!status && json_array_append(list, entry)) status = nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    json_decref(entry);
    return status;
}

static nigh_status print_json(const nigh_audit *a, nigh_buffer *text)
{
    nigh_context *ctx = text->ctx;
    json_t *root = json_object(), *list = json_array();
    nigh_status status = root && list ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    if (!status) status = add_sizes(ctx, root, "trained", a->spec.dims, a->spec.trained);
    if (!status) status = nj_set_text(ctx, root, "grid", nigh_grid_name(a->spec.grid));
    if (!status) status = nj_set_text(ctx, root, "kernels", nigh_resampling_name(a->spec.resampling));
    if (!status) status = add_sizes(ctx, root, "least", a->spec.dims, a->least);
    if (!status) status = nj_set_int(ctx, root, "functions", a->functions);
    if (!status) status = nj_set_int(ctx, root, "fixable", a->fixable);
    if (!status) status = nj_set_int(ctx, root, "refused", a->refused);
    for (int i = 0; i < a->rows && !status; i++) status = add_row(ctx, list, &a->row[i]);
    if (!status) status = nj_set(ctx, root, "layers", json_incref(list));
    if (!status) status = nj_dump(ctx, root, NJ_INDENTED, text);
    json_decref(list);
    json_decref(root);
    return status;
}

nigh_status nigh_audit_print(const nigh_audit *audit, nigh_network_style style, nigh_buffer *text)
{
    return style == NIGH_NETWORK_JSON ? print_json(audit, text) : print_table(audit, text);
}

static nigh_status consistency_table(const nigh_consistency *c, int dims, nigh_buffer *text)
{
    nigh_status status = nigh_buffer_print(text, "%-14s %14s %14s %14s   (beside the rewritten network on %lld points)\n", "grid", "rewritten", "as it is", "wrapper", (long long)c->reference[0]);
    for (int i = 0; i < NIGH_CONSISTENCY_GRIDS && !status; i++) {
        char name[48] = "";
        snprintf(name, sizeof name, dims == 2 ? "%lld x %lld" : "%lld", (long long)c->grid[i][0], (long long)c->grid[i][1]);
        status = nigh_buffer_print(text, "%-14s %14.3g %14.3g %14.3g\n", name, c->rewritten[i], c->plain[i], c->wrapper[i]);
    }
    return status ? status : nigh_buffer_print(text, "%-14s %14.2f %14.2f %14.2f\n", "order", c->order, c->plain_order, c->wrapper_order);
}

static nigh_status add_numbers(nigh_context *ctx, json_t *root, const char *key, const double *value)
{
    json_t *list = json_array();
    nigh_status status = list ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    for (int i = 0; i < NIGH_CONSISTENCY_GRIDS && !status; i++) status = nj_add_real(ctx, list, value[i]);
    if (!status) return nj_set(ctx, root, key, list);
    json_decref(list);
    return status;
}

static nigh_status consistency_json(const nigh_consistency *c, int dims, nigh_buffer *text)
{
    nigh_context *ctx = text->ctx;
    int64_t grid[NIGH_CONSISTENCY_GRIDS];
    json_t *root = json_object();
    nigh_status status = root ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    for (int i = 0; i < NIGH_CONSISTENCY_GRIDS; i++) grid[i] = c->grid[i][0];
    if (!status) status = add_sizes(ctx, root, "grid", NIGH_CONSISTENCY_GRIDS, grid);
    if (!status) status = add_sizes(ctx, root, "reference", dims, c->reference);
    if (!status) status = add_numbers(ctx, root, "rewritten", c->rewritten);
    if (!status) status = add_numbers(ctx, root, "plain", c->plain);
    if (!status) status = add_numbers(ctx, root, "wrapper", c->wrapper);
    if (!status) status = nj_set_real(ctx, root, "order", c->order);
    if (!status) status = nj_set_real(ctx, root, "plain_order", c->plain_order);
    if (!status) status = nj_set_real(ctx, root, "wrapper_order", c->wrapper_order);
    if (!status) status = nj_dump(ctx, root, NJ_INDENTED, text);
    json_decref(root);
    return status;
}

nigh_status nigh_consistency_print(const nigh_consistency *c, int dims, nigh_network_style style, nigh_buffer *text)
{
    return style == NIGH_NETWORK_JSON ? consistency_json(c, dims, text) : consistency_table(c, dims, text);
}
