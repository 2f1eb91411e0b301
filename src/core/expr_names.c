/* The variables that a text of an expression uses. Declared in nigh/expr.h. */
#include "core/expr.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_known(const char *name, size_t size)
{
    if ((size == 2 && memcmp(name, "pi", 2) == 0) || (size == 1 && *name == 'e')) return true;
    for (int op = 0; nigh_op_name((nigh_op)op); op++)
        if (strlen(nigh_op_name((nigh_op)op)) == size && memcmp(nigh_op_name((nigh_op)op), name, size) == 0) return true;
    return false;
}

/* x2 before x10: the letters first, then the number behind them. */
static int natural(const void *left, const void *right)
{
    const char *a = *(const char *const *)left, *b = *(const char *const *)right;
    size_t na = strlen(a), nb = strlen(b);
    while (na > 0 && is_digit(a[na - 1])) na--;
    while (nb > 0 && is_digit(b[nb - 1])) nb--;
    int order = strncmp(a, b, na < nb ? na : nb);
    if (order) return order;
    if (na != nb) return na < nb ? -1 : 1;
    unsigned long long x = strtoull(a + na, NULL, 10), y = strtoull(b + nb, NULL, 10);
    return x < y ? -1 : x > y ? 1 : strcmp(a, b);
}

/* Skips a number, whose exponent is no name. */
static const char *skip_number(const char *p)
{
    while (is_digit(*p) || *p == '.') p++;
    if ((*p == 'e' || *p == 'E') && is_digit(p[1 + (p[1] == '+' || p[1] == '-')])) {
        p += 2;
        while (is_digit(*p)) p++;
    }
    return p;
}

nigh_status nigh_expr_names(nigh_context *ctx, const char *text, nigh_arena *arena, const char *names[NIGH_EXPR_MAX_VARIABLES], int *count)
{
    *count = 0;
    for (const char *p = text; *p;) {
        const char *from = p;
        if (is_digit(*p) || *p == '.') p = skip_number(p);
        if (p != from) continue;
        if (!is_letter(*p)) {
            p++;
            continue;
        }
        while (is_letter(*p) || is_digit(*p)) p++;
        size_t size = (size_t)(p - from);
        const char *next = p;
        while (isspace((unsigned char)*next)) next++;
        if (*next == '(' || is_known(from, size)) continue; /* a function: what is not known is the parser's to refuse */
        bool seen = false;
        for (int i = 0; i < *count; i++) seen = seen || (strlen(names[i]) == size && memcmp(names[i], from, size) == 0);
        if (seen) continue;
        if (*count == NIGH_EXPR_MAX_VARIABLES)
            return nigh_fail(ctx, NIGH_INVALID, "expression: more than %d variables; '%.*s' is one too many", NIGH_EXPR_MAX_VARIABLES, (int)(size < 40 ? size : 40), from);
        char *name = nigh_arena_alloc(arena, size + 1);
        if (!name) return NIGH_MEMORY;
        memcpy(name, from, size);
        name[size] = 0;
        names[(*count)++] = name;
    }
    if (*count > 1) qsort(names, (size_t)*count, sizeof *names, natural);
    return NIGH_OK;
}
