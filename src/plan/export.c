/* A plan as one dependency-free C99 file: receipt as the comment on top, then the body by the method. */
#include "nigh/plan.h"

#include "plan/export.h"

#include <ctype.h>
#include <string.h>

static bool is_identifier(const char *name)
{
    if (!isalpha((unsigned char)name[0]) && name[0] != '_') return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_') return false;
    return strlen(name) <= 63;
}

bool export_name_taken(const char *name)
{
    static const char *const keywords[] = {
        "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float", "for", "goto",
        "if", "inline", "int", "long", "main", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch",
        "typedef", "union", "unsigned", "void", "volatile", "while"};
    /* Each with f and l behind it, too. */
    static const char *const functions[] = {
        "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "copysign", "cos", "cosh", "erf", "erfc", "exp", "exp2",
        "exp10", "expm1", "fabs", "fdim", "floor", "fma", "fmax", "fmin", "fmod", "frexp", "gamma", "hypot", "ilogb", "j0", "j1", "jn", "ldexp",
        "lgamma", "log", "log10", "log1p", "log2", "logb", "lrint", "lround", "modf", "nan", "nearbyint", "nextafter", "pow", "remainder",
        "remquo", "rint", "round", "scalbn", "sin", "sinh", "sqrt", "tan", "tanh", "tgamma", "trunc", "y0", "y1", "yn", "memcpy", "memset",
        "memmove", "memcmp", "strlen", "strcmp", "strcpy", "strcat"};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(name, keywords[i]) == 0) return true;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        size_t size = strlen(functions[i]);
        if (strncmp(name, functions[i], size) == 0 && (!name[size] || ((name[size] == 'f' || name[size] == 'l') && !name[size + 1]))) return true;
    }
    return false;
}

/* Lines of text as a comment; what would end it early is broken up. */
static nigh_status comment_lines(nigh_buffer *out, const char *text)
{
    nigh_status status = NIGH_OK;
    while (*text && !status) {
        size_t size = strcspn(text, "\n");
        status = nigh_buffer_print(out, " * ");
        for (size_t i = 0; i < size && !status; i++) {
            bool ends = text[i] == '*' && text[i + 1] == '/';
            status = nigh_buffer_add(out, ends ? "* " : &text[i], ends ? 2 : 1);
        }
        if (!status) status = nigh_buffer_add(out, "\n", 1);
        text += size + (text[size] == '\n');
    }
    return status;
}

nigh_status nigh_plan_export(nigh_context *ctx, const nigh_plan *plan, const char *name, nigh_buffer *out)
{
    if (!is_identifier(name)) return nigh_fail(ctx, NIGH_INVALID, "the name '%s' is no C identifier of up to 63 letters", name);
    if (export_name_taken(name)) return nigh_fail(ctx, NIGH_INVALID, "the name '%s' belongs to C itself; choose another, such as %s_nigh", name, name);
    if (!plan->ops->export_c) return nigh_fail(ctx, NIGH_UNSUPPORTED, "plans of method %s cannot be exported as C", plan->method->name);
    nigh_receipt *receipt = NULL;
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = nigh_plan_receipt(ctx, plan, &receipt);
    if (status == NIGH_UNSUPPORTED) status = nigh_buffer_print(&text, "No receipt: this plan was never tested.\n");
    else if (!status) status = nigh_receipt_print(ctx, receipt, &text);
    if (!status) status = nigh_buffer_print(out, "/*\n * %s: written by nigh %s. No licence of nigh's is on this file.\n *\n", name, nigh_version());
    if (!status) status = comment_lines(out, text.data);
    if (!status) status = nigh_buffer_print(out, " */\n");
    if (!status) status = plan->ops->export_c(ctx, plan, name, out);
    nigh_receipt_free(receipt);
    nigh_buffer_free(&text);
    return status;
}
