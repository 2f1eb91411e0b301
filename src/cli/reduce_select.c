/*
 * nigh reduce select: the best k of a changing set of items. Reads a stream of insertions and deletions, always holds an answer, and says at the
 * end what greedy and sieve-streaming would have had and cost.
 *
 * The state file is written whole from time to time; a run that was killed goes on from there and gives the same answers.
 */
#include "cli/reduce.h"
#include "cli/reduce_items.h"
#include "core/file.h"
#include "core/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: nigh reduce select ITEMS STREAM -k K [OPTION...]\n"
    "\n"
    "Keeps k items that are together worth the most while items come and go, for a few evaluations an update instead of a new greedy choice:\n"
    "at least (1/2 - epsilon) of the best possible k, in practice most of what greedy has. STREAM has a line for each update, '-' is standard input:\n"
    "  + ITEM    it comes\n"
    "  - ITEM    it goes\n"
    "  ?         the answer now\n"
    "Blank lines and lines that begin with '#' are skipped.\n"
    "\n"
    "ITEMS and what they are worth:\n"
    "  --function coverage   (default) elements covered. ITEMS has lines 'NAME ELEMENT ELEMENT ...' (gz too); --times C: an element counts up to C times.\n"
    "                        --graph: ITEMS is a list of edges, an item is a node and covers itself and its neighbours (--directed: those it points to)\n"
    "  --function facility   nearness of each client to the nearest chosen point. ITEMS is a file of points (csv, npy ...), an item is a row number from 0.\n"
    "                        --clients FILE of points, default: all, or 2000 random ones; --near gaussian (default), cone or parabola; --width W\n"
    "  --function logdet     log det(I + kernel / noise) of the chosen points: how much they tell about the rest. --width W, --noise V (default 1)\n"
    "\n"
    "options:\n"
    "  -k K               most items in an answer\n"
    "  --epsilon E        0.01 to 0.5, default 0.2: smaller is nearer to greedy and costs more evaluations\n"
    "  --every M          an answer after every M updates; without it at '?' and at the end\n"
    "  --plain            answers from one copy alone (at most k evaluations), not polished by greedy among all copies' choices (some hundreds)\n"
    "  --no-rivals        no greedy and no sieve-streaming beside (they cost most of the time)\n"
    "  --state FILE       goes on from FILE if it exists, writes it every 10000 updates (--save-every N) and at the end. Answers between the last\n"
    "                     writing and a kill come again\n"
    "  --seed N, --json, --quiet as everywhere\n"
    "\n"
    "An answer is a line: updates, items there, chosen, value, a proved bound that no k items exceed, the items. The receipt follows in lines with '#':\n"
    "at updates 100, 200, 400 ... and at the end the value beside that of lazy greedy run anew and of sieve-streaming (which cannot delete: what\n"
    "has gone is struck off), with the evaluations of each.\n"
    "Exit: 0 done, 2 bad usage or input (the message has the line), 3 out of memory or disk, 130 interrupted.\n";

enum { CHECKS = 64 };

/* One line of the receipt. */
typedef struct check {
    int64_t update, there, greedy_calls;
    double ours, greedy, sieve, seconds;
} check;

typedef struct run {
    nigh_context *ctx;
    items it;
    const char *stream, *state;
    int64_t every, save_every;
    bool plain, rivals;
    nigh_selection_options options;
    nigh_selection *selection;
    nigh_sieve *sieve;
    uint8_t *there, *seen;    /* [count] */
    nigh_sha256 history;      /* of the updates so far */
    int64_t skip;             /* updates that the state file holds already */
    int64_t resumed;          /* the same, kept */
    char resumed_history[65]; /* their hash */
    int64_t updates, next_check;
    int64_t checks;
    check check[CHECKS];
    double update_seconds, sieve_seconds;
    int64_t update_calls, sieve_calls, answer_calls, answers;
} run;

/* ---- state ------------------------------------------------------------------------------------------------------ */

static const char mark[16] = "nigh select 1\n";

static void history_hex(const run *r, char hex[65])
{
    nigh_sha256 copy = r->history;
    nigh_sha256_hex(&copy, hex);
}

static nigh_status save(run *r)
{
    if (!r->state || r->skip) return NIGH_OK;
    nigh_buffer out = {.ctx = r->ctx};
    char hex[65];
    history_hex(r, hex);
    nigh_status status = nigh_buffer_add(&out, mark, sizeof mark);
    if (!status) status = nigh_buffer_add(&out, r->it.hash, 64);
    if (!status) status = nigh_buffer_add(&out, hex, 64);
    if (!status) status = nigh_selection_save(r->selection, &out);
    if (!status) status = nigh_file_write(r->ctx, r->state, out.data, out.size);
    nigh_buffer_free(&out);
    return status;
}

static nigh_status load(run *r)
{
    enum { HEAD = sizeof mark + 128 };
    char *data;
    size_t size;
    nigh_status status = nigh_file_read(r->ctx, r->state, SIZE_MAX / 2, &data, &size);
    if (status) return status;
    if (size < HEAD || memcmp(data, mark, sizeof mark) != 0) status = nigh_fail(r->ctx, NIGH_FORMAT, "this is no state of nigh reduce select");
    else if (memcmp(data + sizeof mark, r->it.hash, 64) != 0) status = nigh_fail(r->ctx, NIGH_INVALID, "it was saved with other items, or another function on them");
    else status = nigh_selection_restore(r->ctx, r->it.f, data + HEAD, size - HEAD, &r->selection);
    if (!status) memcpy(r->resumed_history, data + sizeof mark + 64, 64);
    nigh_free(r->ctx, data);
    if (status) return nigh_within(r->ctx, status, "'%s'", r->state);
    const nigh_selection_options *o = &r->options, *was = nigh_selection_settings(r->selection);
    if (was->k != o->k || was->epsilon != o->epsilon || was->seed != o->seed)
        return nigh_fail(r->ctx, NIGH_INVALID, "'%s' was saved with -k %lld --epsilon %g --seed %llu; give the same, or another --state", r->state, (long long)was->k,
                         was->epsilon, (unsigned long long)was->seed);
    r->resumed = r->skip = nigh_selection_counts(r->selection).updates;
    return NIGH_OK;
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static nigh_status print_json(run *r, const nigh_selection_answer *a)
{
    json_t *line = json_object(), *list = json_array();
    nigh_status status = line && list ? NIGH_OK : nigh_fail(r->ctx, NIGH_MEMORY, "out of memory");
    nigh_buffer text = {.ctx = r->ctx};
    char room[24];
    if (!status) status = nj_set_int(r->ctx, line, "update", r->updates);
    if (!status) status = nj_set_int(r->ctx, line, "there", nigh_selection_size(r->selection));
    if (!status) status = nj_set_real(r->ctx, line, "value", a->chosen.value);
    if (!status) status = nj_set_real(r->ctx, line, "bound", a->bound);
    for (int64_t i = 0; i < a->chosen.count && !status; i++)
        if (json_array_append_new(list, json_string(items_name(&r->it, a->chosen.item[i], room)))) status = nigh_fail(r->ctx, NIGH_FORMAT, "an item's name is not UTF-8");
    if (!status) status = nj_set(r->ctx, line, "items", json_incref(list));
    if (!status) status = nj_dump(r->ctx, line, 0, &text);
    if (!status) puts(text.data);
    nigh_buffer_free(&text);
    json_decref(list);
    json_decref(line);
    return status;
}

static void print_line(const run *r, const nigh_selection_answer *a)
{
    char room[24];
    printf("%lld\t%lld\t%lld\t%.9g\t%.9g\t", (long long)r->updates, (long long)nigh_selection_size(r->selection), (long long)a->chosen.count, a->chosen.value, a->bound);
    for (int64_t i = 0; i < a->chosen.count; i++) printf("%s%s", i ? " " : "", items_name(&r->it, a->chosen.item[i], room));
    putchar('\n');
}

static nigh_status answer(run *r)
{
    nigh_selection_answer a;
    if (r->skip) return NIGH_OK;
    nigh_status status = nigh_selection_answer_now(r->selection, !r->plain, &a);
    if (status) return status;
    if (cli_json) status = print_json(r, &a);
    else print_line(r, &a);
    r->answers++;
    r->answer_calls += a.chosen.calls;
    nigh_chosen_free(r->ctx, &a.chosen);
    return status ? status : fflush(stdout) ? nigh_file_fail(r->ctx, "write", "standard output", errno) : NIGH_OK;
}

/* ---- the receipt ------------------------------------------------------------------------------------------------ */

static nigh_status compare(run *r)
{
    nigh_selection_answer ours;
    nigh_chosen greedy = {0}, sieve = {0};
    if (!r->rivals || r->skip || r->checks == CHECKS || !nigh_selection_size(r->selection)) return NIGH_OK;
    nigh_status status = nigh_selection_answer_now(r->selection, !r->plain, &ours);
    if (status) return status;
    const nigh_greedy_options o = {.k = r->options.k, .among = nigh_selection_items(r->selection), .count = nigh_selection_size(r->selection)};
    double began = nigh_clock();
    status = nigh_greedy(r->ctx, r->it.f, &o, &greedy);
    double seconds = nigh_clock() - began;
    if (!status) status = nigh_sieve_answer(r->sieve, r->there, &sieve);
    if (!status)
        r->check[r->checks++] = (check){r->updates, nigh_selection_size(r->selection), greedy.calls, ours.chosen.value, greedy.value, sieve.value, seconds};
    nigh_chosen_free(r->ctx, &ours.chosen);
    nigh_chosen_free(r->ctx, &greedy);
    nigh_chosen_free(r->ctx, &sieve);
    return status;
}

static void print_receipt_json(const run *r, int64_t fed)
{
    printf("{\"receipt\": {\"items\": %lld, \"k\": %lld, \"epsilon\": %.17g, \"updates\": %lld, \"calls\": %lld, \"seconds\": %.6g, \"answers\": %lld, \"answer_calls\": %lld, "
           "\"checkpoints\": [",
           (long long)r->it.count, (long long)r->options.k, r->options.epsilon, (long long)fed, (long long)r->update_calls, r->update_seconds, (long long)r->answers,
           (long long)r->answer_calls);
    for (int64_t i = 0; i < r->checks; i++) {
        const check *c = &r->check[i];
        printf("%s{\"update\": %lld, \"there\": %lld, \"value\": %.17g, \"greedy\": %.17g, \"sieve\": %.17g, \"greedy_calls\": %lld, \"greedy_seconds\": %.6g}", i ? ", " : "",
               (long long)c->update, (long long)c->there, c->ours, c->greedy, c->sieve, (long long)c->greedy_calls, c->seconds);
    }
    puts("]}}");
}

static void print_receipt(const run *r)
{
    int64_t fed = r->updates - r->resumed;
    double each = fed ? 1.0 / (double)fed : 0, calls = 0, seconds = 0;
    if (cli_json) {
        print_receipt_json(r, fed);
        return;
    }
    printf("# %lld items, %s; k %lld, epsilon %g\n", (long long)r->it.count, r->it.what, (long long)r->options.k, r->options.epsilon);
    printf("# %lld updates: %.1f evaluations and %.3g us each", (long long)fed, (double)r->update_calls * each, r->update_seconds * 1e6 * each);
    if (r->answers) printf("; %lld answers of %.0f evaluations", (long long)r->answers, (double)r->answer_calls / (double)r->answers);
    printf(" (measured)\n");
    if (!r->checks) return;
    printf("#%9s %9s %12s %12s %7s %12s %7s %12s\n", "update", "there", "value", "greedy", "ratio", "sieve", "ratio", "evaluations");
    for (int64_t i = 0; i < r->checks; i++) {
        const check *c = &r->check[i];
        printf("#%9lld %9lld %12.6g %12.6g %7.4f %12.6g %7.4f %12lld\n", (long long)c->update, (long long)c->there, c->ours, c->greedy, c->greedy > 0 ? c->ours / c->greedy : 1,
               c->sieve, c->greedy > 0 ? c->sieve / c->greedy : 1, (long long)c->greedy_calls);
        calls += (double)c->greedy_calls / (double)r->checks;
        seconds += c->seconds / (double)r->checks;
    }
    printf("# lazy greedy run anew: %.0f evaluations and %.3g us each time; sieve-streaming: %.1f evaluations and %.3g us an update (measured)\n", calls, seconds * 1e6,
           (double)r->sieve_calls * each, r->sieve_seconds * 1e6 * each);
}

/* ---- the stream ------------------------------------------------------------------------------------------------- */

static nigh_status feed_sieve(run *r, int64_t item)
{
    if (!r->rivals || r->seen[item]) return NIGH_OK;
    r->seen[item] = 1;
    int64_t before = nigh_submodular_count(r->it.f);
    double began = nigh_clock();
    nigh_status status = nigh_sieve_insert(r->sieve, item);
    if (r->skip) return status;
    r->sieve_seconds += nigh_clock() - began;
    r->sieve_calls += nigh_submodular_count(r->it.f) - before;
    return status;
}

/* What the state file holds already is read again for the sieve, and to see that it is the same stream. */
static nigh_status skipped(run *r)
{
    char hex[65];
    if (--r->skip > 0) return NIGH_OK;
    history_hex(r, hex);
    if (memcmp(hex, r->resumed_history, 64) == 0) return NIGH_OK;
    return nigh_fail(r->ctx, NIGH_INVALID, "the first %lld updates are not those that '%s' was saved after", (long long)r->resumed, r->state);
}

static nigh_status update(run *r, bool insert, int64_t item)
{
    if (insert == (bool)r->there[item]) {
        char room[24];
        return nigh_fail(r->ctx, NIGH_INVALID, insert ? "'%s' comes but it is there already" : "'%s' goes but it is not there", items_name(&r->it, item, room));
    }
    const int64_t word[2] = {insert, item};
    nigh_sha256_add(&r->history, word, sizeof word);
    r->there[item] = insert;
    r->updates++;
    nigh_status status = insert ? feed_sieve(r, item) : NIGH_OK;
    if (status) return status;
    if (r->skip) return skipped(r);
    int64_t before = nigh_submodular_count(r->it.f);
    double began = nigh_clock();
    status = insert ? nigh_selection_insert(r->selection, item) : nigh_selection_delete(r->selection, item);
    r->update_seconds += nigh_clock() - began;
    r->update_calls += nigh_submodular_count(r->it.f) - before;
    if (!status && r->every && r->updates % r->every == 0) status = answer(r);
    if (!status && r->updates == r->next_check) status = compare(r);
    if (!status && r->state && r->updates % r->save_every == 0) status = save(r);
    return status;
}

static nigh_status take_line(run *r, char *line)
{
    char *rest = NULL, *sign = strtok_r(line, " \t\r\n", &rest), *word = sign ? strtok_r(NULL, " \t\r\n", &rest) : NULL, *more = word ? strtok_r(NULL, " \t\r\n", &rest) : NULL;
    if (!sign || *sign == '#') return NIGH_OK;
    if (strcmp(sign, "?") == 0 && !word) return answer(r);
    bool plus = strcmp(sign, "+") == 0;
    if ((!plus && strcmp(sign, "-") != 0) || !word || more)
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s%s%s' ...; '+ ITEM', '- ITEM' or '?' is allowed", sign, word ? " " : "", word ? word : "");
    int64_t item = items_find(&r->it, word);
    if (item < 0) return nigh_fail(r->ctx, NIGH_INVALID, "'%s' is none of the %lld items of '%s'", word, (long long)r->it.count, r->it.path);
    while (r->next_check <= r->updates) r->next_check *= 2;
    return update(r, plus, item);
}

static nigh_status take_stream(run *r)
{
    bool standard = strcmp(r->stream, "-") == 0;
    FILE *file = standard ? stdin : fopen(r->stream, "r");
    if (!file) return nigh_file_fail(r->ctx, "open", r->stream, errno);
    char *line = NULL;
    size_t room = 0;
    nigh_status status = NIGH_OK;
    for (long long number = 1; !status && getline(&line, &room, file) > 0; number++) {
        status = take_line(r, line);
        if (!status) status = nigh_poll(r->ctx);
        if (status == NIGH_INVALID || status == NIGH_FORMAT) status = nigh_within(r->ctx, status, "'%s' line %lld", standard ? "standard input" : r->stream, number);
        if (!status && number % 1000 == 0) nigh_progress(r->ctx, "updates", (double)r->updates, 0);
    }
    if (!status && ferror(file)) status = nigh_file_fail(r->ctx, "read", r->stream, errno);
    free(line);
    if (!standard) fclose(file);
    if (!status && r->skip)
        status = nigh_fail(r->ctx, NIGH_INVALID, "the stream ends before the %lld updates that '%s' holds", (long long)r->resumed, r->state);
    return status;
}

static nigh_status work(run *r, const items_words *words, const char *path)
{
    nigh_status status = items_open(r->ctx, words, path, &r->it);
    if (status) return status;
    r->there = nigh_alloc_zero(r->ctx, (size_t)r->it.count, 1);
    r->seen = nigh_alloc_zero(r->ctx, (size_t)r->it.count, 1);
    status = r->there && r->seen ? NIGH_OK : NIGH_MEMORY;
    if (!status && r->state && access(r->state, F_OK) == 0) status = load(r);
    else if (!status) status = nigh_selection_new(r->ctx, r->it.f, &r->options, &r->selection);
    if (!status && r->rivals) status = nigh_sieve_new(r->ctx, r->it.f, r->options.k, r->options.epsilon, &r->sieve);
    if (!status && !cli_json) printf("# update\tthere\tchosen\tvalue\tbound\titems\n");
    if (!status) status = take_stream(r);
    bool answered = r->every && r->updates && r->updates % r->every == 0;
    if (!status && !answered) status = answer(r);
    if (!status && (!r->checks || r->check[r->checks - 1].update != r->updates)) status = compare(r);
    if (!status) status = save(r);
    if (!status) print_receipt(r);
    return status;
}

static void run_end(run *r)
{
    nigh_selection_free(r->selection);
    nigh_sieve_free(r->sieve);
    nigh_free(r->ctx, r->there);
    nigh_free(r->ctx, r->seen);
    if (r->it.ctx) items_close(&r->it);
}

int reduce_select(nigh_context *ctx, int argc, char **argv)
{
    run r = {.ctx = ctx, .save_every = 10000, .next_check = 100, .options = {.epsilon = 0.2}};
    items_words w = {.function = "coverage", .near = "gaussian", .times = 1, .noise = 1};
    bool alone = false;
    const cli_flag flags[] = {{"function", 0, CLI_TEXT, &w.function, "F", "", 0, 0},
                              {"graph", 0, CLI_SWITCH, &w.graph, NULL, "", 0, 0},
                              {"directed", 0, CLI_SWITCH, &w.directed, NULL, "", 0, 0},
                              {"times", 0, CLI_INT, &w.times, "C", "", 1, 65535},
                              {"clients", 0, CLI_TEXT, &w.clients, "FILE", "", 0, 0},
                              {"near", 0, CLI_TEXT, &w.near, "KIND", "", 0, 0},
                              {"width", 0, CLI_REAL, &w.width, "W", "", 1e-300, 1e300},
                              {"noise", 0, CLI_REAL, &w.noise, "V", "", 1e-300, 1e300},
                              {"k", 'k', CLI_INT, &r.options.k, "K", "", 1, 1e6},
                              {"epsilon", 0, CLI_REAL, &r.options.epsilon, "E", "", 0.01, 0.5},
                              {"every", 0, CLI_INT, &r.every, "M", "", 1, 9007199254740992.0},
                              {"plain", 0, CLI_SWITCH, &r.plain, NULL, "", 0, 0},
                              {"no-rivals", 0, CLI_SWITCH, &alone, NULL, "", 0, 0},
                              {"state", 0, CLI_TEXT, &r.state, "FILE", "", 0, 0},
                              {"save-every", 0, CLI_INT, &r.save_every, "N", "", 1, 9007199254740992.0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    const char *words[2];
    int count;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
    int code = cli_parse(ctx, "reduce", argc, argv, flags, words, 2, &count);
    if (code >= 0) return code;
    if (count != 2) return cli_misuse(ctx, "nigh reduce select takes ITEMS and STREAM, not %d arguments (nigh reduce select --help)", count);
    if (r.options.k == 0) return cli_misuse(ctx, "-k K is missing: how many items an answer may have");
    r.stream = words[1];
    r.rivals = !alone;
    r.options.seed = nigh_context_seed(ctx);
    nigh_sha256_init(&r.history);
    cli_progress_start(ctx);
    nigh_status status = work(&r, &w, words[0]);
    cli_progress_stop(ctx);
    run_end(&r);
    code = cli_print(ctx, "", 0);
    return code ? code : status ? cli_fail(ctx, status) : 0;
}
