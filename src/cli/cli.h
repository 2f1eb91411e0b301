/* What the commands share: flags, messages, output, exit codes. One file per command, cli_NAME each. */
#ifndef NIGH_CLI_H
#define NIGH_CLI_H
#include "nigh/core.h"
#include "nigh/progress.h"

#include <stdio.h>

typedef enum cli_kind { CLI_SWITCH, CLI_TEXT, CLI_REAL, CLI_INT } cli_kind;

/* One flag of a command; tables end with a name of NULL. CLI_SWITCH -> bool, CLI_TEXT -> const char *, CLI_REAL -> double, CLI_INT -> int64_t. */
typedef struct cli_flag {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    cli_kind kind;
    void *to;
    const char *value; /* "SECONDS", in the help */
    const char *help;
    double low, high;  /* CLI_REAL and CLI_INT; both 0: any */
} cli_flag;

typedef struct cli_command {
    const char *name;
    const char *usage;   /* "PROBLEM|FILE --error E [options]" */
    const char *summary; /* one line */
    const char *text;    /* paragraphs and examples, for --help and the man page */
    int (*run)(nigh_context *ctx, int argc, char **argv);
} cli_command;

extern const cli_command cli_commands[]; /* ends with a name of NULL */

/*
 * Reads flags in any place; what is left goes to words[] (at most most_words). --seed, --threads, --quiet, --json and --help
 * are known to all. Returns -1 to go on, else the exit code (help was printed, or a flag is wrong and was named).
 */
int cli_parse(nigh_context *ctx, const char *command, int argc, char **argv, const cli_flag *flags, const char **words, int most_words,
              int *word_count);

/* Set by cli_parse. */
extern bool cli_json, cli_quiet;

/* Prints "nigh: message" on stderr and returns the exit code of the status. */
int cli_fail(nigh_context *ctx, nigh_status status);
int cli_exit_code(nigh_status status);

/* A wrong use that the context has no message for. */
int cli_misuse(nigh_context *ctx, const char *format, ...) NIGH_PRINTF(2, 3);

/* Prints on stdout; false (and a message) when it cannot, as on a full disk. */
int cli_print(nigh_context *ctx, const char *text, size_t size);

/* The progress bar on stderr; cli_clear removes it before something else is printed there. */
void cli_progress_start(nigh_context *ctx);
void cli_progress_stop(nigh_context *ctx);
void cli_clear(void);

/* The commands. */
int cli_plan(nigh_context *ctx, int argc, char **argv);
int cli_plan_rows(nigh_context *ctx, int argc, char **argv); /* plan with --loss */
int cli_apply(nigh_context *ctx, int argc, char **argv);
int cli_audit(nigh_context *ctx, int argc, char **argv);
int cli_receipt(nigh_context *ctx, int argc, char **argv);
int cli_export(nigh_context *ctx, int argc, char **argv);
int cli_report(nigh_context *ctx, int argc, char **argv);
int cli_sample(nigh_context *ctx, int argc, char **argv);
int cli_eval(nigh_context *ctx, int argc, char **argv);
int cli_list(nigh_context *ctx, int argc, char **argv);
int cli_explain(nigh_context *ctx, int argc, char **argv);
int cli_generate(nigh_context *ctx, int argc, char **argv);
int cli_perplexity(nigh_context *ctx, int argc, char **argv);
int cli_reduce(nigh_context *ctx, int argc, char **argv);
int cli_verify(nigh_context *ctx, int argc, char **argv);
int cli_release(nigh_context *ctx, int argc, char **argv);
int cli_tokenize(nigh_context *ctx, int argc, char **argv);
int cli_claims(nigh_context *ctx, int argc, char **argv);
int cli_help(nigh_context *ctx, int argc, char **argv);
#endif
