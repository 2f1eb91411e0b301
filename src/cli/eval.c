/* nigh eval: values of named functions, expressions and plans. */
#include "cli/cli.h"
#include "core/words.h"
#include "function/catalog.h"
#include "nigh/expr.h"
#include "nigh/io.h"
#include "nigh/plan.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_WORDS = 4096, MOST_INPUTS = 1 << 20 };

/* What is evaluated: one of entry, expr, plan. */
typedef struct callee {
    const char *name;
    int64_t arguments, results;
    const catalog_entry *entry;
    nigh_expr *expr;
    nigh_plan *plan;
    nigh_array in, out; /* of one call of a plan */
    void *workspace;
    size_t bytes;
    bool outside; /* a plan's input lay outside its range */
} callee;

static void release(nigh_context *ctx, callee *c)
{
    nigh_free(ctx, c->workspace);
    nigh_array_free(ctx, &c->out);
    nigh_array_free(ctx, &c->in);
    nigh_plan_free(ctx, c->plan);
    nigh_expr_free(c->expr);
}

static nigh_status take_plan(nigh_context *ctx, callee *c)
{
    nigh_status status = nigh_plan_load(ctx, c->name, &c->plan);
    if (status) return status;
    c->arguments = nigh_shape_count(&c->plan->in);
    c->results = nigh_shape_count(&c->plan->out);
    if (c->arguments > MOST_INPUTS) return nigh_fail(ctx, NIGH_INVALID, "%s takes %lld numbers at once; nigh apply is for such plans", c->name, (long long)c->arguments);
    status = nigh_array_new(ctx, &(nigh_shape){c->plan->in.dtype, 1, {c->arguments}}, &c->in);
    if (!status) status = nigh_array_new(ctx, &(nigh_shape){c->plan->out.dtype, 1, {c->results}}, &c->out);
    c->bytes = nigh_plan_workspace(c->plan);
    if (!status && !(c->workspace = nigh_alloc(ctx, c->bytes ? c->bytes : 64))) status = NIGH_MEMORY;
    return status;
}

static bool is_operation(const char *name)
{
    for (int op = 0; nigh_op_name((nigh_op)op); op++)
        if (isalpha((unsigned char)nigh_op_name((nigh_op)op)[0]) && strcmp(nigh_op_name((nigh_op)op), name) == 0) return true;
    return false;
}

static int operation_arguments(const char *name)
{
    for (int op = 0; nigh_op_name((nigh_op)op); op++)
        if (strcmp(nigh_op_name((nigh_op)op), name) == 0) return nigh_op_arguments((nigh_op)op);
    return 0;
}

/* "exp" as exp(x), or text with its variables in natural order. */
static nigh_status take_expression(nigh_context *ctx, callee *c)
{
    const char *names[NIGH_EXPR_MAX_VARIABLES] = {"x", "y"};
    int count = operation_arguments(c->name);
    char *text = is_operation(c->name) ? nigh_format(ctx, count == 2 ? "%s(x, y)" : "%s(x)", c->name) : nigh_strdup(ctx, c->name);
    nigh_arena *arena = NULL;
    nigh_status status = text ? nigh_arena_new(ctx, &arena) : NIGH_MEMORY;
    if (!status && !is_operation(c->name)) status = nigh_expr_names(ctx, text, arena, names, &count);
    if (!status) status = nigh_expr_parse(ctx, text, names, count, &c->expr);
    nigh_arena_free(arena);
    nigh_free(ctx, text);
    c->arguments = count;
    c->results = 1;
    return status;
}

/* A single word that is nothing known: the nearest of all names is suggested. */
static nigh_status unknown(nigh_context *ctx, const char *name, const char *near)
{
    for (int op = 0; nigh_op_name((nigh_op)op); op++) near = word_nearer(name, strlen(name), nigh_op_name((nigh_op)op), near);
    return nigh_fail(ctx, NIGH_INVALID, "'%.80s' is no function, no expression and no plan%s%s%s; `nigh list functions` names them", name,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool is_word(const char *text)
{
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_') return false;
    return isalpha((unsigned char)*text) && strcmp(text, "x") != 0;
}

static nigh_status find_callee(nigh_context *ctx, callee *c)
{
    struct stat info;
    const char *near;
    if ((c->entry = catalog_find(c->name, &near))) {
        c->arguments = c->entry->count;
        c->results = 1;
        return NIGH_OK;
    }
    if (is_operation(c->name)) return take_expression(ctx, c);
    if (stat(c->name, &info) == 0 && S_ISREG(info.st_mode)) return take_plan(ctx, c);
    if (is_word(c->name) && strcmp(c->name, "pi") != 0 && strcmp(c->name, "e") != 0) return unknown(ctx, c->name, near);
    size_t size = strlen(c->name);
    if (size > 5 && strcmp(c->name + size - 5, ".nigh") == 0) return nigh_fail(ctx, NIGH_IO, "%s: there is no such plan file", c->name);
    return take_expression(ctx, c);
}

/* ---- calls ---- */

/* One call; expressions in quadruple precision, rounded once. */
static void call(callee *c, const double *x, double *y)
{
    if (c->entry) {
        y[0] = catalog_value(c->entry, x);
    } else if (c->expr) {
        nigh_f128 point[NIGH_EXPR_MAX_VARIABLES];
        for (int64_t i = 0; i < c->arguments; i++) point[i] = x[i];
        y[0] = (double)nigh_expr_eval_f128(c->expr, point);
    } else {
        for (int64_t i = 0; i < c->arguments; i++) nigh_array_set(&c->in, i, x[i]);
        if (nigh_plan_apply(c->plan, 1, c->in.data, c->out.data, c->workspace, c->bytes) == NIGH_OUTSIDE) c->outside = true;
        for (int64_t i = 0; i < c->results; i++) y[i] = nigh_array_get(&c->out, i);
    }
}

/* The answer of one call as a line. */
static nigh_status print_call(nigh_context *ctx, callee *c, const double *x, double *y)
{
    call(c, x, y);
    for (int64_t i = 0; i < c->results; i++)
        if (printf("%.17g%c", y[i], i + 1 < c->results ? ' ' : '\n') < 0) return nigh_fail(ctx, NIGH_IO, "cannot write to standard output: %s", strerror(errno));
    return NIGH_OK;
}

/* A number of the text at *at; false when there is none. Blanks, commas and semicolons stand between numbers. */
static bool next_number(char **at, double *x)
{
    char *end;
    *at += strspn(*at, " \t\r\n,;");
    *x = strtod(*at, &end);
    if (end == *at || !strchr(" \t\r\n,;", *end)) return false;
    *at = end;
    return true;
}

static nigh_status wrong_count(nigh_context *ctx, const callee *c, const char *where, int64_t have)
{
    return nigh_fail(ctx, NIGH_INVALID, "%s%lld number%s; %s takes %lld%s%s%s", where, (long long)have, have == 1 ? "" : "s", c->name, (long long)c->arguments,
                     c->entry ? " (" : "", c->entry ? c->entry->arguments : "", c->entry ? ")" : "");
}

static nigh_status from_words(nigh_context *ctx, callee *c, int count, const char **words, double *x, double *y)
{
    if (c->arguments == 0 ? count != 0 : count % c->arguments != 0) return wrong_count(ctx, c, "", count);
    int64_t calls = c->arguments ? count / c->arguments : 1;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < count; i++) { /* all are looked at before anything is printed */
        char *at = (char *)words[i];
        if (!next_number(&at, x) || *at) return nigh_fail(ctx, NIGH_INVALID, "argument %d is '%.80s'; a number is needed", i + 1, words[i]);
    }
    for (int64_t k = 0; k < calls && !status; k++) {
        for (int64_t i = 0; i < c->arguments; i++) x[i] = strtod(words[k * c->arguments + i], NULL);
        status = print_call(ctx, c, x, y);
    }
    return status;
}

static nigh_status from_line(nigh_context *ctx, callee *c, char *line, long long number, double *x, double *y)
{
    char where[48];
    int64_t have = 0;
    double extra;
    char *at = line + strspn(line, " \t\r\n");
    if (!*at || *at == '#') return NIGH_OK;
    snprintf(where, sizeof where, "standard input, line %lld: ", number);
    while (*(at += strspn(at, " \t\r\n,;"))) {
        if (!next_number(&at, have < c->arguments ? &x[have] : &extra)) {
            at[strcspn(at, " \t\r\n,;")] = 0;
            return nigh_fail(ctx, NIGH_INVALID, "%s'%.40s' is no number", where, at);
        }
        have++;
    }
    if (have != c->arguments) return wrong_count(ctx, c, where, have);
    return print_call(ctx, c, x, y);
}

static nigh_status from_lines(nigh_context *ctx, callee *c, double *x, double *y)
{
    char *line = NULL;
    size_t room = 0;
    nigh_status status = NIGH_OK;
    for (long long number = 1; !status && getline(&line, &room, stdin) >= 0; number++) {
        status = from_line(ctx, c, line, number, x, y);
        if (!status) status = nigh_poll(ctx);
    }
    if (!status && ferror(stdin)) status = nigh_fail(ctx, NIGH_IO, "cannot read standard input: %s", strerror(errno));
    free(line);
    return status;
}

/* ---- arrays ---- */

/* Rows of arguments in a file; a one-argument function takes an array of any shape, element by element. */
static nigh_status from_file(nigh_context *ctx, callee *c, const char *path, const char *out_path, double *x, double *y)
{
    nigh_array in = {0}, out = {0};
    nigh_status status = nigh_array_read(ctx, path, &in);
    if (status) return status;
    int64_t count = nigh_shape_count(&in.shape), rows = c->arguments ? count / c->arguments : 0;
    int64_t width = in.shape.ndim > 1 && in.shape.dim[0] > 0 ? count / in.shape.dim[0] : 1;
    nigh_shape shape = {NIGH_F64, 1, {rows}};
    if (c->arguments == 1) shape = in.shape, shape.dtype = NIGH_F64;
    if (c->results > 1) shape = (nigh_shape){NIGH_F64, 2, {rows, c->results}};
    if (in.shape.dtype >= NIGH_C64) status = nigh_fail(ctx, NIGH_INVALID, "%s is complex; real numbers are needed", path);
    else if (c->arguments != 1 && width != c->arguments) status = wrong_count(ctx, c, "a row of the file has ", width);
    if (!status) status = nigh_array_new(ctx, &shape, &out);
    for (int64_t k = 0; k < rows && !status; k++) {
        for (int64_t i = 0; i < c->arguments; i++) x[i] = nigh_array_get(&in, k * c->arguments + i);
        if (out_path) {
            call(c, x, y);
            for (int64_t i = 0; i < c->results; i++) nigh_array_set(&out, k * c->results + i, y[i]);
        } else {
            status = print_call(ctx, c, x, y);
        }
        if (!status && k % 1024 == 0) {
            nigh_progress(ctx, "evaluating", (double)k, (double)rows);
            status = nigh_poll(ctx);
        }
    }
    if (!status && out_path) status = nigh_npy_write(ctx, out_path, &out);
    nigh_array_free(ctx, &out);
    nigh_array_free(ctx, &in);
    return status;
}

static bool is_file(const char *word)
{
    static const char *const ends[] = {".npy", ".csv", ".npz", ".safetensors"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const char *at = strstr(word, ends[i]);
        if (at && (at[strlen(ends[i])] == 0 || at[strlen(ends[i])] == ':')) return true;
    }
    return false;
}

static nigh_status evaluate(nigh_context *ctx, const char *name, int count, const char **words, const char *out)
{
    callee c = {.name = name};
    double *x = NULL;
    nigh_status status = find_callee(ctx, &c);
    if (!status && !(x = nigh_alloc_zero(ctx, (size_t)(c.arguments + c.results + 1), sizeof *x))) status = NIGH_MEMORY;
    double *y = x ? x + c.arguments + 1 : NULL;
    if (status) goto done;
    bool file = count == 1 && is_file(words[0]);
    if (out && !file)
        status = nigh_fail(ctx, NIGH_INVALID, "-o %s is for the answers of a file of arguments; without a file they are printed", out);
    else if (file)
        status = from_file(ctx, &c, words[0], out, x, y);
    else if (count > 0 || c.arguments == 0)
        status = from_words(ctx, &c, count, words, x, y);
    else
        status = from_lines(ctx, &c, x, y);
    if (!status && fflush(stdout)) status = nigh_fail(ctx, errno == ENOSPC ? NIGH_RESOURCE : NIGH_IO, "cannot write to standard output: %s", strerror(errno));
    if (!status && c.outside) nigh_log(ctx, NIGH_LOG_WARNING, "arguments lie outside the range the plan was made for: its receipt does not speak for their answers");
done:
    nigh_free(ctx, x);
    release(ctx, &c);
    return status;
}

int cli_eval(nigh_context *ctx, int argc, char **argv)
{
    const char *out = NULL;
    const cli_flag flags[] = {{"out", 'o', CLI_TEXT, &out, "FILE.npy", "answers to a file of arguments; - is standard output", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    const char **words = nigh_alloc(ctx, (MOST_WORDS + 1) * sizeof *words);
    if (!words) return cli_fail(ctx, NIGH_MEMORY);
    int count, code = cli_parse(ctx, "eval", argc, argv, flags, words, MOST_WORDS + 1, &count);
    if (code < 0 && count == 0) code = cli_misuse(ctx, "nigh eval NAME [ARGUMENTS...]: NAME is missing; `nigh list functions` names them");
    if (code < 0) {
        cli_progress_start(ctx);
        nigh_status status = evaluate(ctx, words[0], count - 1, words + 1, out);
        code = status ? cli_fail(ctx, status) : 0;
        cli_progress_stop(ctx);
    }
    nigh_free(ctx, words);
    return code;
}
