/* Tokens -> statements. */
#include "lm/jinja.h"

jinja_node *jinja_node_new(jinja *j, jinja_node_kind kind)
{
    jinja_node *node = jinja_take(j, sizeof *node);
    if (!node) return &j->none; /* the run has failed: nobody looks at the tree */
    node->kind = kind;
    node->line = j->token[j->at].line;
    return node;
}

void jinja_child(jinja *j, jinja_node *node, jinja_node *child, const char *name)
{
    if (j->status) return;
    if (node->children == node->room) {
        int room = 2 * node->room + 4;
        jinja_node **grown = jinja_take(j, (size_t)room * sizeof(jinja_node *));
        const char **names = jinja_take(j, (size_t)room * sizeof(char *));
        if (!grown || !names) return;
        if (node->children) {
            memcpy(grown, node->child, (size_t)node->children * sizeof(jinja_node *));
            memcpy(names, node->name, (size_t)node->children * sizeof(char *));
        }
        node->child = grown, node->name = names, node->room = room;
    }
    node->child[node->children] = child;
    node->name[node->children++] = name;
}

/* ---- tokens ---- */

const jinja_token *jinja_peek(jinja *j)
{
    j->line = j->token[j->at].line;
    return j->token + j->at;
}

bool jinja_is(jinja *j, const char *sign)
{
    const jinja_token *t = jinja_peek(j);
    return (t->kind == TOKEN_SIGN || t->kind == TOKEN_NAME) && t->size == strlen(sign) && !memcmp(t->text, sign, t->size);
}

bool jinja_skip(jinja *j, const char *sign)
{
    if (j->status || !jinja_is(j, sign)) return false;
    j->at++;
    return true;
}

static void unexpected(jinja *j, const char *wanted)
{
    const jinja_token *t = jinja_peek(j);
    if (t->kind == TOKEN_END)
        jinja_fail(j, NIGH_FORMAT, "the template ends where %s is expected", wanted);
    else
        jinja_fail(j, NIGH_FORMAT, "'%.*s' where %s is expected", (int)(t->size < 40 ? t->size : 40), t->text, wanted);
}

void jinja_expect(jinja *j, const char *sign)
{
    if (!j->status && !jinja_skip(j, sign)) unexpected(j, sign);
}

static bool take(jinja *j, jinja_token_kind kind, const char *what)
{
    if (j->status) return false;
    if (jinja_peek(j)->kind != kind) {
        unexpected(j, what);
        return false;
    }
    j->at++;
    return true;
}

const char *jinja_name(jinja *j)
{
    if (j->status) return NULL;
    const jinja_token *t = jinja_peek(j);
    if (t->kind != TOKEN_NAME) {
        unexpected(j, "a name");
        return NULL;
    }
    j->at++;
    return jinja_copy(j, t->text, t->size).text;
}

/* ---- statements ---- */

static jinja_node *parse_body(jinja *j, const char *const *ends);

static bool at_end_tag(jinja *j, const char *const *ends)
{
    if (j->token[j->at].kind != TOKEN_OPEN_BLOCK) return false;
    j->at++;
    bool found = false;
    for (int i = 0; ends && ends[i] && !found; i++) found = jinja_is(j, ends[i]);
    j->at--;
    return found;
}

/* After a body: its end tag; which of the names it is. */
static int end_tag(jinja *j, const char *const *ends)
{
    take(j, TOKEN_OPEN_BLOCK, "the end of a block");
    for (int i = 0; ends[i]; i++)
        if (jinja_skip(j, ends[i])) return i;
    if (!j->status) unexpected(j, ends[0]);
    return 0;
}

static void close_block(jinja *j) { take(j, TOKEN_CLOSE_BLOCK, "the end of a tag"); }

static jinja_node *parse_if(jinja *j)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    static const char *const last[] = {"endif", NULL};
    jinja_node *node = jinja_node_new(j, NODE_IF);
    if (j->status || ++j->depth > JINJA_DEPTH) {
        jinja_fail(j, NIGH_UNSUPPORTED, "blocks are nested more than %d deep", JINJA_DEPTH);
        return node;
    }
    node->a = jinja_tuple(j, true);
    close_block(j);
    node->b = parse_body(j, ends);
    int end = end_tag(j, ends);
    if (end == 0) {
        node->c = parse_if(j);
    } else {
        close_block(j);
        if (end == 1) {
            node->c = parse_body(j, last);
            end_tag(j, last);
            close_block(j);
        }
    }
    j->depth--;
    return node;
}

static jinja_node *parse_target(jinja *j)
{
    jinja_node *first = jinja_primary(j);
    if (!j->status && first->kind == NODE_NAME && jinja_skip(j, ".")) {
        jinja_node *node = jinja_node_new(j, NODE_ATTRIBUTE);
        node->a = first;
        node->text = jinja_name(j);
        node->size = node->text ? strlen(node->text) : 0;
        first = node;
    }
    if (!jinja_is(j, ",")) return first;
    jinja_node *tuple = jinja_node_new(j, NODE_TUPLE);
    jinja_child(j, tuple, first, NULL);
    while (jinja_skip(j, ",")) jinja_child(j, tuple, jinja_primary(j), NULL);
    return tuple;
}

static jinja_node *parse_for(jinja *j)
{
    static const char *const ends[] = {"else", "endfor", NULL};
    static const char *const last[] = {"endfor", NULL};
    jinja_node *node = jinja_node_new(j, NODE_FOR);
    node->a = parse_target(j);
    jinja_expect(j, "in");
    node->b = jinja_tuple(j, false);
    if (jinja_skip(j, "if")) node->e = jinja_expression(j);
    if (jinja_is(j, "recursive")) jinja_fail(j, NIGH_UNSUPPORTED, "recursive loops are not known");
    close_block(j);
    j->loops++;
    node->c = parse_body(j, ends);
    j->loops--;
    if (end_tag(j, ends) == 0) {
        close_block(j);
        node->d = parse_body(j, last);
        end_tag(j, last);
    }
    close_block(j);
    return node;
}

static jinja_node *parse_set(jinja *j)
{
    static const char *const ends[] = {"endset", NULL};
    jinja_node *node = jinja_node_new(j, NODE_SET);
    node->a = parse_target(j);
    if (jinja_skip(j, "=")) {
        node->b = jinja_tuple(j, true);
        close_block(j);
        return node;
    }
    node->kind = NODE_SET_BLOCK;
    jinja_node *text = jinja_node_new(j, NODE_LITERAL);
    node->c = jinja_filters(j, text);
    if (node->c == text) node->c = NULL;
    close_block(j);
    node->b = parse_body(j, ends);
    end_tag(j, ends);
    close_block(j);
    return node;
}

/* "(a, b=1)" */
static void parse_parameters(jinja *j, jinja_node *node)
{
    jinja_expect(j, "(");
    while (!j->status && !jinja_skip(j, ")")) {
        jinja_node *parameter = jinja_node_new(j, NODE_NAME);
        parameter->text = jinja_name(j);
        parameter->size = parameter->text ? strlen(parameter->text) : 0;
        if (jinja_skip(j, "=")) parameter->a = jinja_expression(j);
        jinja_child(j, node, parameter, NULL);
        if (!jinja_is(j, ")")) jinja_expect(j, ",");
    }
    if (node->children > JINJA_ARGUMENTS) jinja_fail(j, NIGH_UNSUPPORTED, "a macro of %d parameters; %d are allowed", node->children, JINJA_ARGUMENTS);
}

static jinja_node *parse_macro(jinja *j)
{
    static const char *const ends[] = {"endmacro", NULL};
    jinja_node *node = jinja_node_new(j, NODE_MACRO);
    node->text = jinja_name(j);
    node->size = node->text ? strlen(node->text) : 0;
    parse_parameters(j, node);
    close_block(j);
    int loops = j->loops;
    j->loops = 0;
    node->b = parse_body(j, ends);
    j->loops = loops;
    end_tag(j, ends);
    close_block(j);
    return node;
}

static jinja_node *parse_call_block(jinja *j)
{
    static const char *const ends[] = {"endcall", NULL};
    jinja_node *node = jinja_node_new(j, NODE_CALL_BLOCK);
    if (jinja_is(j, "(")) parse_parameters(j, node);
    node->a = jinja_expression(j);
    if (!j->status && node->a->kind != NODE_CALL) jinja_fail(j, NIGH_FORMAT, "'call' needs a macro with arguments");
    close_block(j);
    node->b = parse_body(j, ends);
    end_tag(j, ends);
    close_block(j);
    return node;
}

static jinja_node *parse_filter_block(jinja *j)
{
    static const char *const ends[] = {"endfilter", NULL};
    jinja_node *node = jinja_node_new(j, NODE_FILTER_BLOCK), *text = jinja_node_new(j, NODE_LITERAL);
    if (j->status) return node;
    /* the name stands without the bar in front */
    jinja_node *first = jinja_node_new(j, NODE_FILTER);
    first->text = jinja_name(j);
    first->size = first->text ? strlen(first->text) : 0;
    first->a = text;
    if (jinja_skip(j, "(")) jinja_arguments(j, first);
    node->c = jinja_filters(j, first);
    close_block(j);
    node->b = parse_body(j, ends);
    end_tag(j, ends);
    close_block(j);
    return node;
}

/* "{% generation %}" marks text for training; it prints as it stands. */
static jinja_node *parse_generation(jinja *j)
{
    static const char *const ends[] = {"endgeneration", NULL};
    close_block(j);
    jinja_node *node = parse_body(j, ends);
    end_tag(j, ends);
    close_block(j);
    return node;
}

static jinja_node *parse_leave(jinja *j, jinja_node_kind kind)
{
    if (!j->loops) jinja_fail(j, NIGH_FORMAT, "'%s' outside of a loop", kind == NODE_BREAK ? "break" : "continue");
    close_block(j);
    return jinja_node_new(j, kind);
}

static jinja_node *parse_statement(jinja *j)
{
    if (jinja_skip(j, "if")) return parse_if(j);
    if (jinja_skip(j, "for")) return parse_for(j);
    if (jinja_skip(j, "set")) return parse_set(j);
    if (jinja_skip(j, "macro")) return parse_macro(j);
    if (jinja_skip(j, "call")) return parse_call_block(j);
    if (jinja_skip(j, "filter")) return parse_filter_block(j);
    if (jinja_skip(j, "generation")) return parse_generation(j);
    if (jinja_skip(j, "break")) return parse_leave(j, NODE_BREAK);
    if (jinja_skip(j, "continue")) return parse_leave(j, NODE_CONTINUE);
    const jinja_token *t = jinja_peek(j);
    if (t->kind == TOKEN_NAME && !j->status) jinja_fail(j, NIGH_UNSUPPORTED, "the statement '%.*s' is not known", (int)(t->size < 40 ? t->size : 40), t->text);
    if (!j->status) unexpected(j, "a statement");
    return jinja_node_new(j, NODE_BODY);
}

static jinja_node *parse_part(jinja *j)
{
    const jinja_token *t = jinja_peek(j);
    if (t->kind == TOKEN_TEXT) {
        jinja_node *node = jinja_node_new(j, NODE_TEXT);
        node->text = t->text, node->size = t->size;
        j->at++;
        return node;
    }
    j->at++;
    if (t->kind == TOKEN_OPEN_BLOCK) return parse_statement(j);
    jinja_node *node = jinja_node_new(j, NODE_OUTPUT);
    node->a = jinja_tuple(j, true);
    take(j, TOKEN_CLOSE_OUTPUT, "the end of an output");
    return node;
}

static jinja_node *parse_body(jinja *j, const char *const *ends)
{
    jinja_node *body = jinja_node_new(j, NODE_BODY);
    if (++j->depth > JINJA_DEPTH) jinja_fail(j, NIGH_UNSUPPORTED, "blocks are nested more than %d deep", JINJA_DEPTH);
    while (!j->status && jinja_peek(j)->kind != TOKEN_END && !at_end_tag(j, ends)) jinja_child(j, body, parse_part(j), NULL);
    j->depth--;
    return body;
}

jinja_node *jinja_parse(jinja *j)
{
    jinja_node *body = parse_body(j, NULL);
    if (!j->status && jinja_peek(j)->kind != TOKEN_END) unexpected(j, "text or a tag");
    return body;
}
