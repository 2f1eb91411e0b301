/* Any text: parsing gives an expression or a message; what parses prints, reads back to the same value, and evaluates. */
#include "nigh/expr.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(nigh_context *ctx, const nigh_expr *expr, const char *const *names)
{
    nigh_buffer infix = {.ctx = ctx}, other = {.ctx = ctx};
    nigh_expr *again = NULL;
    double x[5] = {-1.5, 0, 0.3, 1, 700}, y[5] = {2, 1, 0.5, -3, 0}, out[5];
    const double *columns[] = {x, y};
    nigh_f128 point[2] = {0.3, 0.5}, series[9];
    void *workspace = nigh_alloc(ctx, nigh_expr_workspace(expr));
    if (!workspace) abort();
    nigh_expr_eval_f64(expr, 5, columns, out, workspace);
    nigh_expr_hash(expr, 5, columns, workspace);
    nigh_expr_jet(ctx, expr, 0.3, 8, series); /* two variables: refused */
    if (nigh_expr_print(expr, NIGH_EXPR_INFIX, &infix) != NIGH_OK) abort(); /* only what was written out can be read */
    if (nigh_expr_print(expr, NIGH_EXPR_PREFIX, &other) != NIGH_OK || nigh_expr_print(expr, NIGH_EXPR_C, &other) != NIGH_OK) abort();
    if (nigh_expr_parse(ctx, infix.data, names, 2, &again) == NIGH_OK) {
        nigh_f128 a = nigh_expr_eval_f128(expr, point), b = nigh_expr_eval_f128(again, point);
        if (a != b && (a == a || b == b)) abort();
        nigh_expr_free(again);
    } else if (!strstr(nigh_message(ctx), "characters") && !strstr(nigh_message(ctx), "nested deeper"))
        abort();
    nigh_buffer_free(&infix);
    nigh_buffer_free(&other);
    nigh_free(ctx, workspace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"x", "y"};
    nigh_context *ctx = NULL;
    nigh_expr *expr = NULL;
    char *text = malloc(size + 1);
    if (!text || nigh_context_new(&ctx) != NIGH_OK) abort();
    memcpy(text, data, size);
    text[size] = 0;
    if (nigh_expr_parse(ctx, text, names, 2, &expr) == NIGH_OK) {
        use(ctx, expr, names);
        nigh_expr_free(expr);
    } else if (!*nigh_message(ctx))
        abort();
    if (nigh_memory_now(ctx) != 0) abort();
    nigh_context_free(ctx);
    free(text);
    return 0;
}
