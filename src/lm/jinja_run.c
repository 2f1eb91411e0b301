/* Statements of templates. */
#include "lm/jinja.h"

void jinja_assign(jinja *j, const jinja_node *target, jinja_value value)
{
    if (j->status) return;
    j->line = target->line;
    if (target->kind == NODE_NAME) {
        jinja_map_set(j, &j->scope->vars, jinja_text(target->text, target->size), value);
    } else if (target->kind == NODE_ATTRIBUTE) {
        jinja_value owner = jinja_eval(j, target->a);
        if (j->status) return;
        if (owner.kind != JINJA_NAMESPACE)
            jinja_fail(j, NIGH_INVALID, "only attributes of a namespace can be set, not of %s", jinja_kind_name(owner));
        else
            jinja_map_set(j, owner.map, jinja_text(target->text, target->size), value);
    } else if (target->kind == NODE_TUPLE) {
        jinja_list items;
        if (!jinja_items(j, value, &items)) return;
        if (items.count != target->children)
            jinja_fail(j, NIGH_INVALID, "%lld values for %d names", (long long)items.count, target->children);
        else
            for (int i = 0; i < target->children; i++) jinja_assign(j, target->child[i], items.at[i]);
    } else {
        jinja_fail(j, NIGH_FORMAT, "nothing can be assigned to this expression");
    }
}

/* What a body prints, as a text. */
jinja_value jinja_capture(jinja *j, const jinja_node *body)
{
    nigh_buffer inner = {.ctx = j->ctx}, *outer = j->out;
    j->out = &inner;
    jinja_run(j, body);
    j->out = outer;
    jinja_value text = jinja_copy(j, inner.data, inner.size);
    nigh_buffer_free(&inner);
    return text;
}

/* ---- loops ---- */

static jinja_list chosen(jinja *j, const jinja_node *node, jinja_list items)
{
    jinja_list out = {0};
    jinja_scope scope = {.outer = j->scope};
    for (int64_t i = 0; i < items.count && !j->status; i++) {
        scope.vars = (jinja_map){0};
        j->scope = &scope;
        jinja_assign(j, node->a, items.at[i]);
        if (jinja_true(jinja_eval(j, node->e))) jinja_list_add(j, &out, items.at[i]);
        j->scope = scope.outer;
    }
    return out;
}

static void run_for(jinja *j, const jinja_node *node)
{
    jinja_list items;
    jinja_value sequence = jinja_eval(j, node->b);
    if (j->status || !jinja_items(j, sequence, &items)) return;
    if (node->e) items = chosen(j, node, items);
    if (!items.count && node->d) {
        jinja_scope scope = {.outer = j->scope};
        j->scope = &scope;
        jinja_run(j, node->d);
        j->scope = scope.outer;
        return;
    }
    jinja_loop *loop = jinja_take(j, sizeof *loop);
    if (!loop) return;
    *loop = (jinja_loop){.items = items, .depth = 1};
    for (; loop->index < items.count && jinja_step(j); loop->index++) {
        /* macros keep scopes, so each round has one of its own in the arena */
        jinja_scope *scope = jinja_take(j, sizeof *scope);
        if (!scope) break;
        scope->outer = j->scope;
        j->scope = scope;
        jinja_map_set(j, &scope->vars, jinja_text("loop", 4), (jinja_value){.kind = JINJA_LOOP, .loop = loop});
        jinja_assign(j, node->a, items.at[loop->index]);
        jinja_run(j, node->c);
        j->scope = scope->outer;
        int leave = j->leave;
        j->leave = 0;
        if (leave == 1) break;
    }
}

/* ---- macros ---- */

static void define(jinja *j, const jinja_node *node)
{
    jinja_macro *macro = jinja_take(j, sizeof *macro);
    if (!macro) return;
    *macro = (jinja_macro){.node = node, .scope = j->scope};
    jinja_map_set(j, &j->scope->vars, jinja_text(node->text, node->size), (jinja_value){.kind = JINJA_MACRO, .macro = macro});
}

static const jinja_value *argument(const jinja_node *parameter, const jinja_value *args, int count, const char **names, int place)
{
    int seen = 0;
    for (int i = 0; i < count; i++) {
        if (names && names[i] ? !strcmp(names[i], parameter->text) : seen++ == place) return args + i;
    }
    return NULL;
}

jinja_value jinja_call_macro(jinja *j, jinja_macro *macro, const jinja_value *args, int count, const char **names)
{
    const jinja_node *node = macro->node;
    jinja_scope *scope = jinja_take(j, sizeof *scope), *before = j->scope;
    if (!scope || ++j->depth > JINJA_DEPTH) {
        jinja_fail(j, NIGH_UNSUPPORTED, "macros call each other more than %d deep", JINJA_DEPTH);
        return jinja_undefined(NULL);
    }
    int plain = 0;
    for (int i = 0; i < count; i++) {
        bool known = !names || !names[i] || !strcmp(names[i], "caller");
        for (int k = 0; k < node->children && !known; k++) known = !strcmp(names[i], node->child[k]->text);
        if (!known) jinja_fail(j, NIGH_INVALID, "macro '%.60s' has no parameter '%.60s'", node->text ? node->text : "caller", names[i]);
        plain += !names || !names[i];
    }
    if (plain > node->children) jinja_fail(j, NIGH_INVALID, "macro '%.60s' takes %d arguments, %d are given", node->text ? node->text : "caller", node->children, plain);
    scope->outer = macro->scope;
    int line = j->line;
    j->scope = scope;
    for (int i = 0; i < node->children && !j->status; i++) {
        const jinja_node *parameter = node->child[i];
        const jinja_value *given = argument(parameter, args, count, names, i);
        jinja_value value = given ? *given : parameter->a ? jinja_eval(j, parameter->a) : jinja_undefined(parameter->text);
        jinja_map_set(j, &scope->vars, jinja_text(parameter->text, parameter->size), value);
    }
    for (int i = 0; i < count; i++)
        if (names && names[i] && !strcmp(names[i], "caller")) jinja_map_set(j, &scope->vars, jinja_text("caller", 6), args[i]);
    jinja_value text = jinja_capture(j, node->b);
    j->scope = before;
    j->depth--;
    j->line = line;
    j->leave = 0;
    return text;
}

/* {% call(args) macro(...) %} body {% endcall %}: the macro calls the body as caller(). */
static void run_call_block(jinja *j, const jinja_node *node)
{
    jinja_macro *caller = jinja_take(j, sizeof *caller);
    if (!caller) return;
    *caller = (jinja_macro){.node = node, .scope = j->scope};
    jinja_value callee = jinja_eval(j, node->a->a), args[JINJA_ARGUMENTS + 1];
    const char *names[JINJA_ARGUMENTS + 1];
    int count = node->a->children;
    for (int i = 0; i < count && !j->status; i++) args[i] = jinja_eval(j, node->a->child[i]), names[i] = node->a->name[i];
    args[count] = (jinja_value){.kind = JINJA_MACRO, .macro = caller}, names[count] = "caller";
    if (j->status) return;
    jinja_print(j, jinja_call(j, callee, args, count + 1, names), false, j->out);
}

/* ---- all ---- */

/* The filters of a block over its text: node->c is a chain that ends in a literal. */
static jinja_value filtered(jinja *j, const jinja_node *chain, jinja_value text)
{
    if (!chain || chain->kind == NODE_LITERAL || j->status) return text;
    jinja_value inner = filtered(j, chain->a, text), args[JINJA_ARGUMENTS];
    for (int i = 0; i < chain->children && !j->status; i++) args[i] = jinja_eval(j, chain->child[i]);
    return j->status ? inner : jinja_filter(j, chain->text, inner, args, chain->children, chain->name);
}

void jinja_run(jinja *j, const jinja_node *node)
{
    if (!node || !jinja_step(j) || j->leave) return;
    if (++j->depth > 2 * JINJA_DEPTH) jinja_fail(j, NIGH_UNSUPPORTED, "statements are nested more than %d deep", 2 * JINJA_DEPTH);
    j->line = node->line;
    switch (j->status ? NODE_TEXT + 1000 : node->kind) {
    case NODE_BODY:
        for (int i = 0; i < node->children && !j->status && !j->leave; i++) jinja_run(j, node->child[i]);
        break;
    case NODE_TEXT: jinja_print(j, jinja_text(node->text, node->size), false, j->out); break;
    case NODE_OUTPUT: jinja_print(j, jinja_eval(j, node->a), false, j->out); break;
    case NODE_IF: jinja_run(j, jinja_true(jinja_eval(j, node->a)) ? node->b : node->c); break;
    case NODE_FOR: run_for(j, node); break;
    case NODE_SET: jinja_assign(j, node->a, jinja_eval(j, node->b)); break;
    case NODE_SET_BLOCK: jinja_assign(j, node->a, filtered(j, node->c, jinja_capture(j, node->b))); break;
    case NODE_MACRO: define(j, node); break;
    case NODE_FILTER_BLOCK: jinja_print(j, filtered(j, node->c, jinja_capture(j, node->b)), false, j->out); break;
    case NODE_CALL_BLOCK: run_call_block(j, node); break;
    case NODE_BREAK: j->leave = 1; break;
    case NODE_CONTINUE: j->leave = 2; break;
    default: break;
    }
    j->depth--;
}
