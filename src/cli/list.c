/* nigh list, nigh explain */
#include "cli/cli.h"
#include "function/catalog.h"
#include "nigh/expr.h"
#include "nigh/pde.h"
#include "nigh/plan.h"
#include "nigh/reduce.h"

#include <ctype.h>
#include <string.h>

static nigh_status list_methods(nigh_context *ctx, nigh_buffer *text)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; nigh_method_at(ctx, i) && !status; i++) {
        const nigh_method *m = nigh_method_at(ctx, i);
        status = nigh_buffer_print(text, "%-22s %-10s %s\n", m->name, m->problem, m->summary);
    }
    const char *name, *summary;
    for (int i = 0; (name = nigh_reduce_method(i, &summary, NULL)) && !status; i++) status = nigh_buffer_print(text, "%-22s %-10s %s\n", name, "rows", summary);
    return status;
}

static nigh_status list_functions(nigh_buffer *text)
{
    nigh_status status = NIGH_OK;
    for (int op = 0; nigh_op_name((nigh_op)op) && !status; op++)
        if (isalpha((unsigned char)nigh_op_name((nigh_op)op)[0]))
            status = nigh_buffer_print(text, "%-24s %-20s operation of expressions\n", nigh_op_name((nigh_op)op), nigh_op_arguments((nigh_op)op) == 2 ? "x y" : "x");
    for (const catalog_entry *entry = catalog; entry->name && !status; entry++)
        status = nigh_buffer_print(text, "%-24s %-20s %s\n", entry->name, entry->arguments, entry->summary);
    return status;
}

static nigh_status list_measures(nigh_buffer *text)
{
    nigh_status status = NIGH_OK;
    for (const nigh_measure *m = nigh_measures(); m->name && !status; m++) status = nigh_buffer_print(text, "%-14s %s\n", m->name, m->summary);
    return status;
}

static nigh_status list_problems(nigh_buffer *text)
{
    return nigh_buffer_print(text,
                             "function   a function of x on an interval, f32 or f64: nigh plan exp --on -1:1 --error 1e-6\n"
                             "map        vectors to vectors: expressions of several variables (--box), a program (--exact COMMAND with --box or --inputs) or a file of\n"
                             "           pairs (npz, h5, csv --outputs); fields to fields by an equation (`nigh list equations`): nigh plan darcy --grid 64 --error 0.02\n");
}

static nigh_status list_equations(nigh_buffer *text)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; nigh_equation_at(i) && !status; i++) {
        const nigh_equation *e = nigh_equation_at(i);
        status = nigh_buffer_print(text, "%-22s %d-D, %-9s %s\n", e->name, e->dims, nigh_grid_name(e->grid), e->summary);
    }
    return status;
}

/* Papers by title: those that are no method of the planner, then the methods. */
static nigh_status list_papers(nigh_context *ctx, nigh_buffer *text)
{
    static const char *const others[][3] = {
        {"adaptive-data-analysis", "release", "Preserving Statistical Validity in Adaptive Data Analysis"},
        {"log-bessel", "function", "Accurate Computation of the Logarithm of Modified Bessel Functions on GPUs"},
    };
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < sizeof others / sizeof *others && !status; i++)
        status = nigh_buffer_print(text, "%-32s %-10s %s\n", others[i][0], others[i][1], others[i][2]);
    for (int i = 0; nigh_method_at(ctx, i) && !status; i++) {
        const nigh_method *m = nigh_method_at(ctx, i);
        if (!(m->flags & NIGH_METHOD_SHORTCUT) && m->source) status = nigh_buffer_print(text, "%-32s %-10s %s\n", m->name, m->problem, m->source);
    }
    return status;
}

int cli_list(nigh_context *ctx, int argc, char **argv)
{
    const char *words[1] = {"methods"};
    const cli_flag flags[] = {{NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    int count;
    int code = cli_parse(ctx, "list", argc, argv, flags, words, 1, &count);
    if (code >= 0) return code;
    nigh_buffer text = {.ctx = ctx};
    nigh_status status;
    if (strcmp(words[0], "methods") == 0)
        status = list_methods(ctx, &text);
    else if (strcmp(words[0], "functions") == 0)
        status = list_functions(&text);
    else if (strcmp(words[0], "equations") == 0)
        status = list_equations(&text);
    else if (strcmp(words[0], "problems") == 0)
        status = list_problems(&text);
    else if (strcmp(words[0], "papers") == 0)
        status = list_papers(ctx, &text);
    else if (strcmp(words[0], "measures") == 0)
        status = list_measures(&text);
    else
        status = nigh_fail(ctx, NIGH_INVALID, "'%s' cannot be listed; equations, functions, methods, problems, papers or measures can", words[0]);
    if (!status && cli_print(ctx, text.data, text.size)) status = NIGH_IO;
    nigh_buffer_free(&text);
    return status ? cli_fail(ctx, status) : 0;
}

static nigh_status explain_option(const nigh_option *o, nigh_buffer *text)
{
    nigh_status status;
    if (o->type == NIGH_OPTION_CHOICE)
        status = nigh_buffer_print(text, "  %-14s one of %s", o->name, o->choices);
    else
        status = nigh_buffer_print(text, "  %-14s %s, %g to %g, default %g", o->name, o->type == NIGH_OPTION_INT ? "whole number" : "number", o->low, o->high, o->value);
    if (!status && o->unit && *o->unit) status = nigh_buffer_print(text, " %s", o->unit);
    if (!status) status = nigh_buffer_print(text, "\n  %-14s %s\n", "", o->help ? o->help : "");
    if (!status && o->grid)
        status = nigh_buffer_print(text, "  %-14s the planner tries %s%s\n", "", o->grid, o->order == NIGH_ORDER_REFINES ? " (searched by bisection)" : "");
    return status;
}

static nigh_status explain(nigh_context *ctx, const nigh_method *m, nigh_buffer *text)
{
    nigh_status status = nigh_buffer_print(text, "%s: %s\n\nfor problems of kind %s%s\n", m->name, m->summary, m->problem,
                                           m->flags & NIGH_METHOD_SHORTCUT ? "; a classical shortcut: it competes with every other method" : "");
    if (!status && m->source) status = nigh_buffer_print(text, "source: %s\n", m->source);
    if (!status && m->when) status = nigh_buffer_print(text, "when: %s\n", m->when);
    if (!status && m->options) status = nigh_buffer_print(text, "\noptions\n");
    for (const nigh_option *o = m->options; o && o->name && !status; o++) status = explain_option(o, text);
    return status;
}

static const nigh_equation *equation_called(const char *name)
{
    const nigh_equation *e;
    for (int i = 0; (e = nigh_equation_at(i)); i++)
        if (!strcmp(e->name, name)) return e;
    return NULL;
}

static nigh_status explain_equation(const nigh_equation *e, nigh_buffer *text)
{
    nigh_status status = nigh_buffer_print(text, "%s: %s\n\n%s\n\nsource: %s\ngrid: %s, %lld to %lld points in each of %d dimension%s, default %lld (--grid)\nsolver: efforts 0 to %d, the last is exact\n",
                                           e->name, e->summary, e->text, e->source, nigh_grid_name(e->grid), (long long)e->grid_low, (long long)e->grid_high, e->dims, e->dims == 1 ? "" : "s",
                                           (long long)e->grid_default, e->efforts - 1);
    if (!status && e->options) status = nigh_buffer_print(text, "\nsettings (--with NAME=VALUE,...)\n");
    for (const nigh_option *o = e->options; o && o->name && !status; o++) status = explain_option(o, text);
    return status;
}

/* Ways of choosing rows stand beside the methods: they are for `nigh plan FILE --loss`. */
static bool explain_rows(const char *name, nigh_buffer *text, nigh_status *status)
{
    const char *found, *summary, *source;
    for (int i = 0; (found = nigh_reduce_method(i, &summary, &source)); i++)
        if (strcmp(found, name) == 0) {
            *status = nigh_buffer_print(text, "%s: %s\n\nfor rows with a loss: nigh plan FILE --loss LOSS --error E --methods %s\nsource: %s\n", name, summary, name, source);
            return true;
        }
    return false;
}

int cli_explain(nigh_context *ctx, int argc, char **argv)
{
    const char *words[1];
    const cli_flag flags[] = {{NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    int count;
    int code = cli_parse(ctx, "explain", argc, argv, flags, words, 1, &count);
    if (code >= 0) return code;
    if (count != 1) return cli_misuse(ctx, "nigh explain METHOD|EQUATION: METHOD is missing; `nigh list methods` names them");
    const nigh_method *method;
    nigh_buffer text = {.ctx = ctx};
    const nigh_equation *equation = equation_called(words[0]);
    nigh_status status = NIGH_OK;
    if (equation) status = explain_equation(equation, &text);
    else if (!explain_rows(words[0], &text, &status)) {
        status = nigh_method_find(ctx, NULL, words[0], &method);
        if (!status) status = explain(ctx, method, &text);
    }
    if (!status && cli_print(ctx, text.data, text.size)) status = NIGH_IO;
    nigh_buffer_free(&text);
    return status ? cli_fail(ctx, status) : 0;
}
