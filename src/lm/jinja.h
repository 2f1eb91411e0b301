/*
 * The part of the template language Jinja that chat templates use, without access to anything outside of the values given: blocks are trimmed as Hugging
 * Face's programs set it (trim_blocks, lstrip_blocks), values cannot be changed but namespaces, steps, memory, depth and output are bounded.
 *
 *   jinja_lex.c     text -> tokens          jinja_parse.c, jinja_expression.c   tokens -> tree
 *   jinja_run.c     statements              jinja_eval.c                        expressions
 *   jinja_value.c   values, their texts     jinja_filter.c, jinja_method.c      filters and tests, methods and functions
 */
#ifndef NIGH_LM_JINJA_H
#define NIGH_LM_JINJA_H
#include "nigh/core.h"

#include <string.h>

enum { JINJA_STEPS = 20000000, JINJA_DEPTH = 160, JINJA_OUTPUT = 64 << 20, JINJA_MEMORY = 256 << 20, JINJA_ARGUMENTS = 32 };

/* ---- values ---- */

typedef enum jinja_kind {
    JINJA_UNDEFINED,
    JINJA_NONE,
    JINJA_BOOL,
    JINJA_INTEGER,
    JINJA_REAL,
    JINJA_TEXT,
    JINJA_LIST,
    JINJA_TUPLE, /* a list that prints with parentheses */
    JINJA_MAP,
    JINJA_NAMESPACE, /* a map that `set` may change */
    JINJA_LOOP,
    JINJA_MACRO,
    JINJA_FUNCTION,
    JINJA_METHOD,
} jinja_kind;

typedef struct jinja_value {
    jinja_kind kind;
    union {
        bool truth;
        int64_t integer;
        double real;
        size_t size;               /* bytes of a text */
        const char *name;          /* an undefined value: of what; a function or method: its name */
    };
    union {
        const char *text;
        struct jinja_list *list;
        struct jinja_map *map;
        struct jinja_loop *loop;
        struct jinja_macro *macro;
        struct jinja_value *self;  /* of a method */
    };
} jinja_value;

typedef struct jinja_list {
    jinja_value *at;
    int64_t count, room;
} jinja_list;

typedef struct jinja_map {
    jinja_list keys, values;
} jinja_map;

/* ---- trees ---- */

typedef enum jinja_token_kind { TOKEN_TEXT, TOKEN_OPEN_OUTPUT, TOKEN_CLOSE_OUTPUT, TOKEN_OPEN_BLOCK, TOKEN_CLOSE_BLOCK, TOKEN_NAME, TOKEN_STRING, TOKEN_INTEGER, TOKEN_REAL, TOKEN_SIGN, TOKEN_END } jinja_token_kind;

typedef struct jinja_token {
    jinja_token_kind kind;
    const char *text;
    size_t size;
    int line;
} jinja_token;

typedef enum jinja_node_kind {
    /* statements */
    NODE_BODY, NODE_TEXT, NODE_OUTPUT, NODE_IF, NODE_FOR, NODE_SET, NODE_SET_BLOCK, NODE_MACRO, NODE_FILTER_BLOCK, NODE_CALL_BLOCK, NODE_BREAK, NODE_CONTINUE,
    /* expressions */
    NODE_LITERAL, NODE_NAME, NODE_ATTRIBUTE, NODE_ITEM, NODE_SLICE, NODE_CALL, NODE_FILTER, NODE_TEST, NODE_NOT, NODE_MINUS, NODE_PLUS, NODE_AND, NODE_OR,
    NODE_CONDITION, NODE_BINARY, NODE_COMPARE, NODE_LIST, NODE_TUPLE, NODE_MAP,
} jinja_node_kind;

/*
 * What stands where: IF a condition, b then, c else. FOR a target, b sequence, c body, d else, e condition. SET a target, b value (SET_BLOCK: b body, c
 * filters). MACRO text name, child parameters (NAME, with a its default), b body. CALL a callee. FILTER and TEST text name, a value. ITEM a, b.
 * SLICE a, b, c, d. CONDITION a if b else c. BINARY a text b. COMPARE child operands, names operators. MAP keys and values in turn.
 */
typedef struct jinja_node {
    jinja_node_kind kind;
    int line;
    bool negative; /* TEST: is not */
    const char *text;
    size_t size;
    jinja_value value;
    struct jinja_node *a, *b, *c, *d, *e;
    struct jinja_node **child;
    const char **name; /* of child: keyword of an argument or NULL; COMPARE: operator before it */
    int children, room;
} jinja_node;

/* ---- a run ---- */

typedef struct jinja_scope {
    struct jinja_scope *outer;
    jinja_map vars;
} jinja_scope;

typedef struct jinja_macro {
    const jinja_node *node;
    jinja_scope *scope;
    const jinja_node *caller_body; /* of a call block */
} jinja_macro;

typedef struct jinja_loop {
    jinja_list items;
    int64_t index;
    int depth;
    jinja_value changed;
} jinja_loop;

typedef struct jinja {
    nigh_context *ctx;
    nigh_arena *arena;
    nigh_status status;
    char *chunk;
    size_t chunk_left, memory;
    jinja_token *token; /* ends with TOKEN_END */
    int64_t at, tokens, token_room;
    int depth, line, loops;
    int64_t steps;
    nigh_buffer *out;
    jinja_scope *scope;
    int leave; /* 1: break, 2: continue */
    jinja_node none; /* what stands for a node that there is no memory for */
} jinja;

/* The first failure stays. */
void jinja_fail(jinja *j, nigh_status status, const char *format, ...) NIGH_PRINTF(3, 4);
void *jinja_take(jinja *j, size_t bytes); /* zeroed; NULL: failed */
bool jinja_step(jinja *j);                /* false: over the bound or failed before */

bool jinja_lex(jinja *j, const char *text, size_t size);
jinja_node *jinja_parse(jinja *j);

/* parsing */
jinja_node *jinja_node_new(jinja *j, jinja_node_kind kind);
void jinja_child(jinja *j, jinja_node *node, jinja_node *child, const char *name);
jinja_node *jinja_expression(jinja *j);
jinja_node *jinja_tuple(jinja *j, bool conditions); /* one expression, or a tuple without parentheses */
jinja_node *jinja_primary(jinja *j);
jinja_node *jinja_filters(jinja *j, jinja_node *node);
void jinja_arguments(jinja *j, jinja_node *node); /* up to the closing parenthesis */
const jinja_token *jinja_peek(jinja *j);
bool jinja_is(jinja *j, const char *sign);   /* the token is this sign or name */
bool jinja_skip(jinja *j, const char *sign); /* ... and is taken then */
void jinja_expect(jinja *j, const char *sign);
const char *jinja_name(jinja *j); /* a name, taken; NULL: failed */

/* running */
void jinja_run(jinja *j, const jinja_node *node);
jinja_value jinja_eval(jinja *j, const jinja_node *node);
void jinja_assign(jinja *j, const jinja_node *target, jinja_value value);
jinja_value jinja_call_macro(jinja *j, jinja_macro *macro, const jinja_value *args, int count, const char **names);
jinja_value jinja_capture(jinja *j, const jinja_node *body);
jinja_value jinja_filter(jinja *j, const char *name, jinja_value value, const jinja_value *args, int count, const char **names);
bool jinja_test(jinja *j, const char *name, jinja_value value, const jinja_value *args, int count);
jinja_value jinja_call(jinja *j, jinja_value callee, const jinja_value *args, int count, const char **names);
jinja_value jinja_attribute(jinja *j, jinja_value value, const char *name, size_t size); /* value.name */
jinja_value jinja_item(jinja *j, jinja_value value, jinja_value key);                    /* value[key] */
jinja_value jinja_method(jinja *j, jinja_value self, const char *name);                  /* undefined: none of this name */
jinja_value jinja_call_method(jinja *j, jinja_value self, const char *name, const jinja_value *args, int count);
jinja_value jinja_binary(jinja *j, const char *sign, jinja_value a, jinja_value b);

/* values */
static inline jinja_value jinja_none(void) { return (jinja_value){.kind = JINJA_NONE}; }
static inline jinja_value jinja_bool(bool truth) { return (jinja_value){.kind = JINJA_BOOL, .truth = truth}; }
static inline jinja_value jinja_integer(int64_t i) { return (jinja_value){.kind = JINJA_INTEGER, .integer = i}; }
static inline jinja_value jinja_undefined(const char *name) { return (jinja_value){.kind = JINJA_UNDEFINED, .name = name}; }
static inline jinja_value jinja_text(const char *text, size_t size) { return (jinja_value){.kind = JINJA_TEXT, .size = size, .text = text}; }
jinja_value jinja_copy(jinja *j, const char *text, size_t size);
jinja_value jinja_list_new(jinja *j, jinja_kind kind);
jinja_value jinja_map_new(jinja *j, jinja_kind kind);
void jinja_list_add(jinja *j, jinja_list *list, jinja_value value);
void jinja_map_set(jinja *j, jinja_map *map, jinja_value key, jinja_value value);
const jinja_value *jinja_map_get(jinja *j, const jinja_map *map, const char *key, size_t size); /* NULL: absent */
bool jinja_true(jinja_value value);
bool jinja_equal(jinja *j, jinja_value a, jinja_value b);
bool jinja_number(jinja_value value, double *real); /* booleans count */
bool jinja_is_list(jinja_value value);
bool jinja_items(jinja *j, jinja_value value, jinja_list *items); /* what a `for` goes through; fails when it cannot */
void jinja_print(jinja *j, jinja_value value, bool quoted, nigh_buffer *out);
void jinja_json(jinja *j, jinja_value value, int indent, int level, bool ascii, nigh_buffer *out);
jinja_value jinja_as_text(jinja *j, jinja_value value);
const char *jinja_kind_name(jinja_value value);
bool jinja_order(jinja *j, jinja_value a, jinja_value b, int *order); /* false: cannot be compared, failed */

/* characters of texts */
int64_t jinja_characters(const char *text, size_t size);
size_t jinja_byte_at(const char *text, size_t size, int64_t character);
#endif
