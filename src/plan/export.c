/* A plan as one dependency-free C99 file: receipt as the comment on top, then the body by the method. */
#include "nigh/plan.h"

#include <ctype.h>
#include <string.h>

static bool is_identifier(const char *name)
{
    if (!isalpha((unsigned char)name[0]) && name[0] != '_') return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_') return false;
    return strlen(name) <= 63;
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
