/*
 * nigh release: answers about data that stay true. `holdout` keeps a reusable hold-out in a state file between calls; `overlap`
 * looks for rows that training set and hold-out share.
 *
 * The state file is locked while in use, and the line of an answer is in the file before the answer is shown: killing the
 * command or starting it again gives no answer for free.
 */
#include "cli/cli.h"
#include "nigh/io.h"
#include "nigh/release.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

static const char usage[] =
    "usage: nigh release holdout --init STATE --rows N [OPTION...]   make a reusable hold-out of N rows\n"
    "       nigh release holdout STATE TRAIN HOLDOUT                 ask: one query per column of the two files\n"
    "       nigh release holdout STATE < PAIRS                       ask: lines 'TRAIN_MEAN HOLDOUT_MEAN [NAME]'\n"
    "       nigh release holdout STATE --show [--json]               what was asked and answered, budget left\n"
    "       nigh release overlap TRAIN HOLDOUT                       rows that both files have\n"
    "\n"
    "A hold-out that is asked again and again soon says what you want to hear. Ask it through nigh: as long as the training\n"
    "value is near enough it is what you get; only where it is off you get the hold-out's, with noise, and pay for it.\n"
    "TRAIN and HOLDOUT (npy, csv ...) have a row for each row of your data and a column for each query: 0 or 1 for 'the model is\n"
    "right on this row', or any value in the range. HOLDOUT must have N rows. Keep STATE private: the seed is in it.\n"
    "\n"
    "options of --init:\n"
    "  --mechanism M    thresholdout (default), sparse-validate, gaussian, ladder, plain, split\n"
    "  --threshold T    default 4/sqrt N times the range\n"
    "  --scale SIGMA    of the noise; default 1/sqrt N times the range; gaussian: tuned to --queries\n"
    "  --noise KIND     practical (default) or textbook\n"
    "  --budget B       how often the hold-out may contradict the training set; default: without end\n"
    "  --queries M      how many questions at most (gaussian, ladder and split need it)\n"
    "  --step S         of the ladder\n"
    "  --range LOW:HIGH of the values, default 0:1; --clip moves values outside to the ends\n"
    "  --sd S           largest standard deviation of a query over rows; default half the range\n"
    "  --beta BETA      the bounds hold with probability 1 - BETA; default 0.05\n"
    "  --seed SEED      of the noise; default: drawn by the system\n"
    "when asking:\n"
    "  --name NAME      of the query, for the receipt;  --json  answers as JSON lines\n"
    "Each answer: value, where it comes from, T, budget left, half-width in practice and by the theorem, name.\n"
    "Exit: 0 done, 2 bad usage or input, 3 the hold-out is used up (or out of memory), 130 interrupted.\n";

typedef struct arguments {
    const char *init, *name, *mechanism, *noise, *range;
    bool show;
    nigh_holdout_options options;
    bool seeded;
} arguments;

/* ---- options -------------------------------------------------------------------------------------------- */

static nigh_status range_of(nigh_context *ctx, const char *text, double *low, double *high)
{
    char *middle, *end = NULL;
    double a = strtod(text, &middle), b = *middle == ':' ? strtod(middle + 1, &end) : 0;
    if (middle == text || !end || end == middle + 1 || *end)
        return nigh_fail(ctx, NIGH_INVALID, "--range is '%s'; LOW:HIGH is allowed, such as -1:1", text);
    *low = a;
    *high = b;
    return NIGH_OK;
}

static nigh_status noise_of(nigh_context *ctx, const char *text, nigh_holdout_noise *noise)
{
    if (strcmp(text, "practical") == 0) *noise = NIGH_HOLDOUT_PRACTICAL;
    else if (strcmp(text, "textbook") == 0) *noise = NIGH_HOLDOUT_TEXTBOOK;
    else return nigh_fail(ctx, NIGH_INVALID, "--noise is '%s'; practical and textbook are allowed", text);
    return NIGH_OK;
}

/* What a flag cannot hold as a number. */
static nigh_status take_texts(nigh_context *ctx, arguments *a)
{
    nigh_status status = a->mechanism ? nigh_holdout_kind_find(ctx, a->mechanism, &a->options.kind) : NIGH_OK;
    if (!status && a->noise) status = noise_of(ctx, a->noise, &a->options.noise);
    if (!status && a->range) status = range_of(ctx, a->range, &a->options.low, &a->options.high);
    return status;
}

/* ---- the state file ------------------------------------------------------------------------------------- */

typedef struct state {
    const char *path;
    int file;
    nigh_holdout *holdout;
} state;

static nigh_status io_failure(nigh_context *ctx, const char *path)
{
    return nigh_fail(ctx, errno == ENOSPC ? NIGH_RESOURCE : NIGH_IO, "'%s': %s", path, strerror(errno));
}

static nigh_status write_all(nigh_context *ctx, const state *s, const nigh_buffer *text)
{
    for (size_t done = 0; done < text->size;) {
        ssize_t wrote = write(s->file, text->data + done, text->size - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return io_failure(ctx, s->path);
        done += (size_t)wrote;
    }
    return fdatasync(s->file) && errno != EINVAL ? io_failure(ctx, s->path) : NIGH_OK;
}

static nigh_status read_all(nigh_context *ctx, const state *s, nigh_buffer *text)
{
    char block[65536];
    for (;;) {
        ssize_t got = read(s->file, block, sizeof block);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io_failure(ctx, s->path);
        if (got == 0) return NIGH_OK;
        nigh_status status = nigh_buffer_add(text, block, (size_t)got);
        if (status) return status;
    }
}

static nigh_status state_open(nigh_context *ctx, const char *path, state *s)
{
    *s = (state){.path = path, .file = open(path, O_RDWR | O_CLOEXEC)};
    if (s->file < 0) return io_failure(ctx, path);
    if (flock(s->file, LOCK_EX)) return io_failure(ctx, path);
    nigh_buffer text = {.ctx = ctx};
    size_t used = 0;
    nigh_status status = read_all(ctx, s, &text);
    if (!status) status = nigh_holdout_restore(ctx, text.data, text.size, &used, &s->holdout);
    if (status == NIGH_FORMAT) status = nigh_within(ctx, status, "'%s'", path);
    if (!status && used < text.size && ftruncate(s->file, (off_t)used)) status = io_failure(ctx, path);
    if (!status && lseek(s->file, (off_t)used, SEEK_SET) < 0) status = io_failure(ctx, path);
    nigh_buffer_free(&text);
    return status;
}

static void state_close(state *s)
{
    nigh_holdout_free(s->holdout);
    if (s->file >= 0) close(s->file);
}

/* ---- init, show ----------------------------------------------------------------------------------------- */

static void describe(const nigh_holdout *h, FILE *out)
{
    const nigh_holdout_options *o = nigh_holdout_settings(h);
    bool test = o->kind == NIGH_HOLDOUT_THRESHOLDOUT || o->kind == NIGH_HOLDOUT_SPARSE_VALIDATE, book = o->noise == NIGH_HOLDOUT_TEXTBOOK;
    fprintf(out, "%s, %lld rows, values in [%g, %g]", nigh_holdout_kind_name(o->kind), (long long)o->n, o->low, o->high);
    if (test)
        fprintf(out, ", T %.4g, sigma %.4g; noise of the threshold %s, of the test %s, of answers Lap(%.4g)", o->threshold, o->scale,
                book ? "Lap(2 sigma)" : "none", book ? "Lap(4 sigma)" : "Lap(sigma)", o->scale);
    if (o->kind == NIGH_HOLDOUT_GAUSSIAN) fprintf(out, ", noise of answers N(0, %.4g^2)", o->scale);
    if (o->kind == NIGH_HOLDOUT_LADDER) fprintf(out, ", step %.4g", o->step);
    fputc('\n', out);
    fprintf(out, "asked %lld", (long long)nigh_holdout_asked(h));
    if (o->queries) fprintf(out, " of %lld", (long long)o->queries);
    if (test) fprintf(out, ", budget used %lld", (long long)nigh_holdout_used(h));
    if (test && o->budget) fprintf(out, " of %lld", (long long)o->budget);
    fprintf(out, "; half-width with probability %g: in practice %.3g, by the theorem %.3g\n", 1 - o->beta, nigh_holdout_tau_practical(h, false),
            nigh_holdout_tau_theorem(h));
}

static nigh_status init(nigh_context *ctx, arguments *a)
{
    if (a->options.n == 0) return nigh_fail(ctx, NIGH_INVALID, "--init needs --rows, the number of rows of the hold-out");
    a->options.seed = nigh_context_seed(ctx);
    if (!a->seeded && getrandom(&a->options.seed, sizeof a->options.seed, 0) != sizeof a->options.seed) return io_failure(ctx, "getrandom");
    state s = {.path = a->init, .file = -1};
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = nigh_holdout_new(ctx, &a->options, &s.holdout);
    if (!status) status = nigh_holdout_save(s.holdout, &text);
    if (!status) {
        s.file = open(a->init, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (s.file < 0 && errno == EEXIST)
            status = nigh_fail(ctx, NIGH_INVALID, "'%s' exists; the budget of a hold-out is not given twice (remove the file if it is not one)", a->init);
        else if (s.file < 0) status = io_failure(ctx, a->init);
    }
    if (!status) status = write_all(ctx, &s, &text);
    if (!status) describe(s.holdout, stdout);
    nigh_buffer_free(&text);
    state_close(&s);
    return status;
}

static void print_answer(const nigh_holdout *h, const char *name, const nigh_holdout_answer *x)
{
    nigh_holdout_kind kind = nigh_holdout_settings(h)->kind;
    bool validate = kind == NIGH_HOLDOUT_SPARSE_VALIDATE;
    if (validate) printf("%s", x->consulted ? "overfit" : "valid");
    else printf("%.6g", x->value);
    printf("\t%s\t%.4g\t", x->consulted ? "holdout" : kind == NIGH_HOLDOUT_LADDER ? "standing" : "train", x->threshold);
    if (x->budget_left < 0) printf("-");
    else printf("%lld", (long long)x->budget_left);
    printf("\t%.3g\t%.3g\t%s\n", x->practical, x->theorem, name ? name : "");
}

static const char heading[] = "# value\tfrom\tT\tbudget left\tpractical +-\ttheorem +-\tname\n";

static nigh_status show(nigh_context *ctx, const state *s)
{
    nigh_status status = NIGH_OK;
    if (cli_json) {
        nigh_buffer text = {.ctx = ctx};
        status = nigh_holdout_json(s->holdout, &text);
        if (!status) puts(text.data);
        nigh_buffer_free(&text);
        return status;
    }
    describe(s->holdout, stdout);
    fputs(heading, stdout);
    for (int64_t i = 0; i < nigh_holdout_asked(s->holdout) && !status; i++) {
        const char *name;
        nigh_holdout_answer answer;
        status = nigh_holdout_answer_at(s->holdout, i, &name, &answer);
        if (!status) print_answer(s->holdout, name, &answer);
    }
    return status;
}

/* ---- asking --------------------------------------------------------------------------------------------- */

/* Into the file first, then to the user. */
static nigh_status deliver(nigh_context *ctx, const state *s, const char *name, const nigh_holdout_answer *answer)
{
    nigh_buffer line = {.ctx = ctx};
    nigh_status status = nigh_holdout_line(s->holdout, nigh_holdout_asked(s->holdout) - 1, &line);
    if (!status) status = write_all(ctx, s, &line);
    if (!status && cli_json) fputs(line.data, stdout);
    else if (!status) print_answer(s->holdout, name, answer);
    if (!status && fflush(stdout)) status = io_failure(ctx, "standard output");
    if (!status && answer->clipped)
        nigh_log(ctx, NIGH_LOG_NOTE, "%lld values were clipped into the range", (long long)answer->clipped);
    nigh_buffer_free(&line);
    return status;
}

/* A file of values as doubles [rows, columns]. */
typedef struct values {
    int64_t rows, columns;
    double *data;
} values;

static nigh_status values_read(nigh_context *ctx, const char *path, values *out)
{
    nigh_array array;
    nigh_status status = nigh_array_read(ctx, path, &array);
    if (status) return status;
    int64_t count = nigh_shape_count(&array.shape);
    if (array.shape.ndim < 1 || array.shape.ndim > 2 || count < 1)
        status = nigh_fail(ctx, NIGH_INVALID, "'%s' has %d dimensions and %lld numbers; rows, or rows and columns, are allowed", path,
                           array.shape.ndim, (long long)count);
    else {
        *out = (values){array.shape.dim[0], array.shape.ndim == 2 ? array.shape.dim[1] : 1, nigh_alloc(ctx, (size_t)count * sizeof(double))};
        status = out->data ? nigh_array_to_f64(ctx, &array, out->data) : NIGH_MEMORY;
    }
    nigh_array_free(ctx, &array);
    return status;
}

static void column_of(const values *v, int64_t column, double *out)
{
    for (int64_t i = 0; i < v->rows; i++) out[i] = v->data[i * v->columns + column];
}

static nigh_status ask_columns(nigh_context *ctx, const state *s, const arguments *a, const char *held_path, const values *train, const values *held)
{
    double *t = nigh_alloc(ctx, (size_t)train->rows * sizeof *t), *h = nigh_alloc(ctx, (size_t)held->rows * sizeof *h);
    nigh_status status = t && h ? NIGH_OK : NIGH_MEMORY;
    if (!status && !cli_json) fputs(heading, stdout);
    for (int64_t c = 0; c < held->columns && !status; c++) {
        char *name = held->columns == 1 ? nigh_strdup(ctx, a->name ? a->name : held_path)
                                        : nigh_format(ctx, "%s[%lld]", a->name ? a->name : held_path, (long long)c);
        nigh_holdout_answer answer;
        column_of(train, c, t);
        column_of(held, c, h);
        status = name ? nigh_holdout_ask_values(s->holdout, name, train->rows, t, h, &answer) : NIGH_MEMORY;
        if (status == NIGH_INVALID) status = nigh_within(ctx, status, "column %lld", (long long)c);
        if (!status) status = deliver(ctx, s, name, &answer);
        nigh_free(ctx, name);
    }
    nigh_free(ctx, t);
    nigh_free(ctx, h);
    return status;
}

static nigh_status ask_files(nigh_context *ctx, const state *s, const arguments *a, const char *train_path, const char *held_path)
{
    values train = {0}, held = {0};
    int64_t n = nigh_holdout_settings(s->holdout)->n;
    nigh_status status = values_read(ctx, train_path, &train);
    if (!status) status = values_read(ctx, held_path, &held);
    if (!status && held.rows != n)
        status = nigh_fail(ctx, NIGH_INVALID, "'%s' has %lld rows; the hold-out of '%s' has %lld", held_path, (long long)held.rows, s->path, (long long)n);
    if (!status && train.columns != held.columns)
        status = nigh_fail(ctx, NIGH_INVALID, "'%s' has %lld columns, '%s' has %lld; one per query in both is allowed", train_path,
                           (long long)train.columns, held_path, (long long)held.columns);
    if (!status) status = ask_columns(ctx, s, a, held_path, &train, &held);
    nigh_free(ctx, train.data);
    nigh_free(ctx, held.data);
    return status;
}

/* "0.83 0.79 name"; '-' stands for a training mean that is not needed. */
static nigh_status ask_line(nigh_context *ctx, const state *s, const arguments *a, char *line, long long number)
{
    char *end, *rest = line + strspn(line, " \t");
    if (*rest == '#' || *rest == '\n' || !*rest) return NIGH_OK;
    double train = NAN, held;
    if (rest[0] == '-' && (rest[1] == ' ' || rest[1] == '\t')) end = rest + 1;
    else train = strtod(rest, &end);
    char *second = end;
    held = strtod(second, &end);
    if (second == rest || end == second || (*end && !strchr(" \t\n\r", *end)))
        return nigh_fail(ctx, NIGH_INVALID, "line %lld is '%.*s'; TRAIN_MEAN HOLDOUT_MEAN [NAME] is allowed", number, (int)strcspn(line, "\r\n"), line);
    char *name = end + strspn(end, " \t\r\n");
    name[strcspn(name, "\r\n")] = 0;
    const char *called = *name ? name : a->name;
    nigh_holdout_answer answer;
    nigh_status status = nigh_holdout_ask(s->holdout, called, train, held, &answer);
    if (status == NIGH_INVALID) return nigh_within(ctx, status, "line %lld", number);
    return status ? status : deliver(ctx, s, called, &answer);
}

static nigh_status ask_stream(nigh_context *ctx, const state *s, const arguments *a)
{
    char *line = NULL;
    size_t room = 0;
    nigh_status status = NIGH_OK;
    if (isatty(0)) fputs("TRAIN_MEAN HOLDOUT_MEAN [NAME], one query a line:\n", stderr);
    if (!cli_json) fputs(heading, stdout);
    for (long long number = 1; !status && getline(&line, &room, stdin) > 0; number++) {
        status = ask_line(ctx, s, a, line, number);
        if (!status) status = nigh_poll(ctx);
    }
    if (!status && ferror(stdin)) status = io_failure(ctx, "standard input");
    free(line);
    return status;
}

static nigh_status overlap(nigh_context *ctx, const char *train_path, const char *held_path)
{
    values train = {0}, held = {0};
    int64_t count = 0, train_row, held_row;
    nigh_status status = values_read(ctx, train_path, &train);
    if (!status) status = values_read(ctx, held_path, &held);
    if (!status && train.columns != held.columns)
        status = nigh_fail(ctx, NIGH_INVALID, "'%s' has %lld columns, '%s' has %lld; rows of equal length are compared", train_path,
                           (long long)train.columns, held_path, (long long)held.columns);
    if (!status)
        status = nigh_holdout_overlap(ctx, train.columns, train.rows, train.data, held.rows, held.data, &count, &train_row, &held_row);
    if (!status) printf("%lld of %lld hold-out rows are training rows\n", (long long)count, (long long)held.rows);
    nigh_free(ctx, train.data);
    nigh_free(ctx, held.data);
    return status ? status : count ? nigh_fail(ctx, NIGH_UNMET, "the two sets overlap") : NIGH_OK;
}

static nigh_status holdout(nigh_context *ctx, arguments *a, int count, const char *const *paths)
{
    if (a->init) return count ? nigh_fail(ctx, NIGH_INVALID, "'%s' is one argument too many for --init", paths[0]) : init(ctx, a);
    if (count != 1 && count != 3)
        return nigh_fail(ctx, NIGH_INVALID, "holdout takes STATE, or STATE TRAIN HOLDOUT, not %d arguments (nigh release --help)", count);
    state s;
    nigh_status status = state_open(ctx, paths[0], &s);
    if (!status) status = a->show ? show(ctx, &s) : count == 3 ? ask_files(ctx, &s, a, paths[1], paths[2]) : ask_stream(ctx, &s, a);
    state_close(&s);
    return status;
}

static nigh_status run_verb(nigh_context *ctx, arguments *a, int count, const char *const *words)
{
    const char *verb = count ? words[0] : "";
    nigh_status status = take_texts(ctx, a);
    if (status) return status;
    if (strcmp(verb, "holdout") == 0) return holdout(ctx, a, count - 1, words + 1);
    if (strcmp(verb, "overlap") != 0) return nigh_fail(ctx, NIGH_INVALID, "'%s' is not one of holdout, overlap (nigh release --help)", verb);
    return count == 3 ? overlap(ctx, words[1], words[2]) : nigh_fail(ctx, NIGH_INVALID, "overlap takes TRAIN HOLDOUT");
}

int cli_release(nigh_context *ctx, int argc, char **argv)
{
    arguments a = {.options = nigh_holdout_options_default(0)};
    nigh_holdout_options *o = &a.options;
    const double most = 9007199254740992.0;
    const cli_flag flags[] = {{"init", 0, CLI_TEXT, &a.init, "STATE", "", 0, 0},
                              {"rows", 0, CLI_INT, &o->n, "N", "", 2, most},
                              {"mechanism", 0, CLI_TEXT, &a.mechanism, "M", "", 0, 0},
                              {"threshold", 0, CLI_REAL, &o->threshold, "T", "", 0, 1e300},
                              {"scale", 0, CLI_REAL, &o->scale, "SIGMA", "", 0, 1e300},
                              {"noise", 0, CLI_TEXT, &a.noise, "KIND", "", 0, 0},
                              {"budget", 0, CLI_INT, &o->budget, "B", "", 1, most},
                              {"queries", 0, CLI_INT, &o->queries, "M", "", 1, most},
                              {"step", 0, CLI_REAL, &o->step, "S", "", 0, 1e300},
                              {"range", 0, CLI_TEXT, &a.range, "LOW:HIGH", "", 0, 0},
                              {"clip", 0, CLI_SWITCH, &o->clip, NULL, "", 0, 0},
                              {"sd", 0, CLI_REAL, &o->sd, "S", "", 0, 1e300},
                              {"beta", 0, CLI_REAL, &o->beta, "BETA", "", 0, 1},
                              {"name", 0, CLI_TEXT, &a.name, "NAME", "", 0, 0},
                              {"show", 0, CLI_SWITCH, &a.show, NULL, "", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    const char *words[4];
    int count;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        a.seeded |= strncmp(argv[i], "--seed", 6) == 0;
    }
    int code = cli_parse(ctx, "release", argc, argv, flags, words, 4, &count);
    if (code >= 0) return code;
    cli_progress_start(ctx); /* for its warnings */
    nigh_status status = run_verb(ctx, &a, count, words);
    cli_progress_stop(ctx);
    code = cli_print(ctx, "", 0);
    return code ? code : status ? cli_fail(ctx, status) : 0;
}
