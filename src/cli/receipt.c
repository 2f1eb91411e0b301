/* nigh receipt, nigh export, nigh report */
#include "cli/problem.h"
#include "core/file.h"
#include "plan/export.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static nigh_status show_receipt(nigh_context *ctx, const char *path, bool recheck, bool allow_exec)
{
    nigh_plan *plan = NULL;
    nigh_problem *problem = NULL;
    nigh_receipt *receipt = NULL;
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = nigh_plan_load(ctx, path, &plan);
    if (!status && recheck) status = problem_from_record(ctx, plan, allow_exec, &problem);
    if (!status) status = recheck ? nigh_receipt_recheck(ctx, plan, problem, &receipt) : nigh_plan_receipt(ctx, plan, &receipt);
    if (!status) status = cli_json ? nigh_receipt_json(ctx, receipt, &text) : nigh_receipt_print(ctx, receipt, &text);
    if (!status && cli_json) status = nigh_buffer_add(&text, "\n", 1);
    if (!status && cli_print(ctx, text.data, text.size)) status = NIGH_IO;
    if (!status && recheck && !receipt->met) status = nigh_fail(ctx, NIGH_UNMET, "%s: measured again, the error %g is not met", path, receipt->error);
    nigh_buffer_free(&text);
    nigh_receipt_free(receipt);
    if (problem) nigh_problem_free(ctx, problem);
    nigh_plan_free(ctx, plan);
    return status;
}

int cli_receipt(nigh_context *ctx, int argc, char **argv)
{
    const char *words[1];
    bool recheck = false, allow_exec = false;
    int count;
    const cli_flag flags[] = {{"recheck", 0, CLI_SWITCH, &recheck, NULL, "measure error and time again, on new inputs", 0, 0},
                              {"allow-exec", 0, CLI_SWITCH, &allow_exec, NULL, "the program stored in the plan may be run", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    int code = cli_parse(ctx, "receipt", argc, argv, flags, words, 1, &count);
    if (code >= 0) return code;
    if (count != 1) return cli_misuse(ctx, "nigh receipt PLAN: PLAN is missing");
    cli_progress_start(ctx);
    nigh_status status = show_receipt(ctx, words[0], recheck, allow_exec);
    code = status ? cli_fail(ctx, status) : 0;
    cli_progress_stop(ctx);
    return code;
}

/* "dir/my-model.c" -> "my_model"; "tanh.c" -> "tanh_nigh", for tanh is taken */
static void name_from_path(const char *path, char *name, size_t size)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t used = 0;
    if (isdigit((unsigned char)*base)) name[used++] = '_';
    for (; *base && *base != '.' && used + 1 < size; base++) name[used++] = isalnum((unsigned char)*base) ? *base : '_';
    name[used] = 0;
    if (export_name_taken(name) && used + sizeof "_nigh" <= size) strcpy(name + used, "_nigh");
}

int cli_export(nigh_context *ctx, int argc, char **argv)
{
    const char *words[1], *out = NULL, *name = NULL;
    char own[64];
    int count;
    const cli_flag flags[] = {{"out", 'o', CLI_TEXT, &out, "FILE.c", "the C file; - is standard output", 0, 0},
                              {"name", 0, CLI_TEXT, &name, "NAME", "of the C function (default: from the file's name)", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    int code = cli_parse(ctx, "export", argc, argv, flags, words, 1, &count);
    if (code >= 0) return code;
    if (count != 1 || !out) return cli_misuse(ctx, "nigh export PLAN -o FILE.c: %s is missing", count < 1 ? "PLAN" : "-o FILE.c");
    bool to_stdout = strcmp(out, "-") == 0;
    name_from_path(to_stdout ? "approximation" : out, own, sizeof own);
    nigh_plan *plan = NULL;
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = nigh_plan_load(ctx, words[0], &plan);
    if (!status) status = nigh_plan_export(ctx, plan, name ? name : own, &text);
    if (!status && to_stdout && cli_print(ctx, text.data, text.size)) status = NIGH_IO;
    if (!status && !to_stdout) status = nigh_file_write(ctx, out, text.data, text.size);
    nigh_buffer_free(&text);
    nigh_plan_free(ctx, plan);
    return status ? cli_fail(ctx, status) : 0;
}

int cli_report(nigh_context *ctx, int argc, char **argv)
{
    enum { MOST = 256 };
    const char *words[MOST], *out = "report.html";
    char *texts[MOST] = {NULL};
    int count;
    const cli_flag flags[] = {{"out", 'o', CLI_TEXT, &out, "HTML", "the page (default report.html)", 0, 0}, {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    int code = cli_parse(ctx, "report", argc, argv, flags, words, MOST, &count);
    if (code >= 0) return code;
    if (count < 1) return cli_misuse(ctx, "nigh report OUTCOME.json...: which outcomes? `nigh plan ... --outcome outcome.json` makes one");
    nigh_buffer html = {.ctx = ctx};
    nigh_status status = NIGH_OK;
    for (int i = 0; i < count && !status; i++) {
        size_t size;
        status = nigh_file_read(ctx, words[i], (size_t)1 << 28, &texts[i], &size);
    }
    if (!status) status = nigh_report_html(ctx, count, (const char *const *)texts, &html);
    if (!status) status = nigh_file_write(ctx, out, html.data, html.size);
    for (int i = 0; i < count; i++) nigh_free(ctx, texts[i]);
    nigh_buffer_free(&html);
    return status ? cli_fail(ctx, status) : 0;
}
