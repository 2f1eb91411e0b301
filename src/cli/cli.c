/* Flags, messages, exit codes. See cli.h. */
#include "cli/cli.h"

#include "core/words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool cli_json, cli_quiet;
static nigh_bar *bar;

int cli_exit_code(nigh_status status)
{
    switch (status) {
    case NIGH_OK:
    case NIGH_OUTSIDE: return 0;
    case NIGH_UNMET: return 1;
    case NIGH_MEMORY:
    case NIGH_RESOURCE:
    case NIGH_INTERNAL: return 3;
    case NIGH_UNDECIDED: return 4;
    case NIGH_INTERRUPTED: return 130;
    default: return 2;
    }
}

int cli_fail(nigh_context *ctx, nigh_status status)
{
    cli_clear();
    const char *message = nigh_message(ctx);
    fprintf(stderr, "nigh: %s\n", *message ? message : nigh_status_text(status));
    return cli_exit_code(status);
}

int cli_misuse(nigh_context *ctx, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return cli_fail(ctx, nigh_fail(ctx, NIGH_INVALID, "%s", text));
}

int cli_print(nigh_context *ctx, const char *text, size_t size)
{
    cli_clear();
    errno = 0;
    if (fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0) return 0;
    return cli_fail(ctx, nigh_fail(ctx, errno == ENOSPC ? NIGH_RESOURCE : NIGH_IO, "cannot write to standard output: %s", strerror(errno)));
}

static void show_log(void *user, nigh_log_level level, const char *text)
{
    (void)user;
    static const char *const names[] = {"error: ", "warning: ", "", "debug: "};
    if (level == NIGH_LOG_DEBUG || (cli_quiet && level > NIGH_LOG_WARNING)) return;
    cli_clear();
    fprintf(stderr, "nigh: %s%s\n", names[level], text);
}

void cli_progress_start(nigh_context *ctx)
{
    nigh_context_set_log(ctx, show_log, NULL);
    if (!cli_quiet && nigh_bar_new(ctx, stderr, NULL, &bar) == NIGH_OK) nigh_context_set_progress(ctx, nigh_bar_show, bar);
}

void cli_progress_stop(nigh_context *ctx)
{
    nigh_context_set_progress(ctx, NULL, NULL);
    nigh_bar_free(bar);
    bar = NULL;
}

void cli_clear(void) { nigh_bar_hide(bar); }

/* ---- flags ---- */

static int64_t seed, threads;
static bool help;

static const cli_flag common_flags[] = {
    {"seed", 0, CLI_INT, &seed, "N", "seed of all random numbers (default 0)", 0, 9007199254740992.0},
    {"threads", 0, CLI_INT, &threads, "N", "threads to use (default: all cores)", 1, 1024},
    {"json", 0, CLI_SWITCH, &cli_json, NULL, "JSON on standard output", 0, 0},
    {"quiet", 'q', CLI_SWITCH, &cli_quiet, NULL, "no progress, no notes", 0, 0},
    {"help", 'h', CLI_SWITCH, &help, NULL, "this text", 0, 0},
    {NULL, 0, 0, NULL, NULL, NULL, 0, 0},
};

static void print_flags(const cli_flag *flags)
{
    for (const cli_flag *f = flags; f && f->name; f++) {
        char left[64];
        snprintf(left, sizeof left, "%s%c%s--%s%s%s", f->letter ? "-" : "", f->letter ? f->letter : ' ', f->letter ? ", " : "   ", f->name,
                 f->value ? " " : "", f->value ? f->value : "");
        printf("  %-28s  %s\n", left, f->help);
    }
}

static const cli_command *find_command(const char *name)
{
    const cli_command *c = cli_commands;
    while (c->name && strcmp(c->name, name) != 0) c++;
    return c->name ? c : NULL;
}

static void print_help(const char *name, const cli_flag *flags)
{
    const cli_command *c = find_command(name);
    if (c) printf("nigh %s %s\n\n%s\n\n%s\n", c->name, c->usage, c->summary, c->text);
    if (flags && flags->name) printf("\nOptions\n");
    print_flags(flags);
    printf("\nFor all commands\n");
    print_flags(common_flags);
}

static const cli_flag *flag_find(const cli_flag *flags, const char *name, size_t size)
{
    for (const cli_flag *f = flags; f && f->name; f++)
        if ((strlen(f->name) == size && strncmp(f->name, name, size) == 0) || (size == 1 && f->letter && f->letter == *name)) return f;
    return NULL;
}

static int flag_unknown(nigh_context *ctx, const char *command, const cli_flag *flags, const char *word, size_t size)
{
    const char *near = NULL;
    for (const cli_flag *f = flags; f && f->name; f++) near = word_nearer(word, size, f->name, near);
    for (const cli_flag *f = common_flags; f->name; f++) near = word_nearer(word, size, f->name, near);
    return cli_misuse(ctx, "%s has no option --%.*s%s%s%s; see nigh %s --help", command, (int)size, word, near ? "; did you mean --" : "",
                      near ? near : "", near ? "?" : "", command);
}

/* Value text to the flag's variable; 0 or the exit code. */
static int flag_set(nigh_context *ctx, const cli_flag *f, const char *text)
{
    if (f->kind == CLI_TEXT) {
        *(const char **)f->to = text;
        return 0;
    }
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end) return cli_misuse(ctx, "--%s is '%s'; a number is needed", f->name, text);
    if (f->kind == CLI_INT && value != (double)(int64_t)value) return cli_misuse(ctx, "--%s is %s; a whole number is needed", f->name, text);
    if ((f->low != 0 || f->high != 0) && !(value >= f->low && value <= f->high))
        return cli_misuse(ctx, "--%s is %s; %.15g to %.15g is allowed", f->name, text, f->low, f->high);
    if (f->kind == CLI_INT)
        *(int64_t *)f->to = (int64_t)value;
    else
        *(double *)f->to = value;
    return 0;
}

static int flag_take(nigh_context *ctx, const char *command, const cli_flag *flags, int argc, char **argv, int *i)
{
    const char *word = argv[*i] + 1 + (argv[*i][1] == '-');
    size_t size = strcspn(word, "=");
    const cli_flag *f = flag_find(flags, word, size);
    if (!f) f = flag_find(common_flags, word, size);
    if (!f) return flag_unknown(ctx, command, flags, word, size);
    if (f->kind == CLI_SWITCH) {
        if (word[size]) return cli_misuse(ctx, "--%s takes no value", f->name);
        *(bool *)f->to = true;
        return 0;
    }
    const char *value = word[size] ? word + size + 1 : *i + 1 < argc ? argv[++*i] : NULL;
    if (!value) return cli_misuse(ctx, "--%s needs a value (%s)", f->name, f->value);
    return flag_set(ctx, f, value);
}

/* "-1", "-.5", "-": words, not flags. */
static bool is_flag(const char *word) { return word[0] == '-' && word[1] && !strchr("0123456789.", word[1]); }

int cli_parse(nigh_context *ctx, const char *command, int argc, char **argv, const cli_flag *flags, const char **words, int most_words,
              int *word_count)
{
    bool only_words = false;
    *word_count = 0;
    seed = threads = 0, help = false;
    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && is_flag(argv[i])) {
            int code = flag_take(ctx, command, flags, argc, argv, &i);
            if (code) return code;
        } else {
            if (*word_count == most_words) return cli_misuse(ctx, "'%s' is one word too many for nigh %s; see nigh %s --help", argv[i], command, command);
            words[(*word_count)++] = argv[i];
        }
    }
    if (help) {
        print_help(command, flags);
        return 0;
    }
    nigh_context_set_seed(ctx, (uint64_t)seed);
    nigh_context_set_threads(ctx, (int)threads);
    return -1;
}
