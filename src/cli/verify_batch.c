/* nigh verify --instances: many instances, one after another, with a journal, a table, and what was expected beside it. */
#include "cli/verify.h"

#include "core/file.h"
#include "core/json.h"
#include "core/words.h"

#include <math.h>
#include <string.h>

enum { MOST_FIELDS = 8, MOST_FILE = 1 << 26 };

typedef struct batch {
    nigh_context *ctx;
    verify_words *w;
    nigh_arena *arena;
    nigh_journal *journal;
    nigh_instances list;
    verify_line *line;
    int64_t lines, known; /* known: from the journal */
    double seconds, cpu;
} batch;

/* ---- csv of words ------------------------------------------------------------------------------------- */

typedef struct words_file {
    char *text, *at;
    int64_t line;
    int fields;
    char *field[MOST_FIELDS];
} words_file;

static nigh_status open_words(nigh_context *ctx, const char *path, words_file *f)
{
    size_t size;
    *f = (words_file){0};
    nigh_status status = nigh_file_read(ctx, path, MOST_FILE, &f->text, &size);
    f->at = f->text;
    if (!status && strlen(f->text) != size) status = nigh_fail(ctx, NIGH_FORMAT, "'%s': a byte 0 at offset %zu; text is needed", path, strlen(f->text));
    return status;
}

/* The next line that is not empty, cut at commas, blanks around fields taken off. */
static bool next_words(words_file *f)
{
    while (f->at && *f->at) {
        char *line = f->at, *end = line + strcspn(line, "\n");
        f->at = *end ? end + 1 : end;
        *end = 0;
        f->line++;
        f->fields = 0;
        for (char *field = line; field && f->fields < MOST_FIELDS;) {
            char *comma = strchr(field, ',');
            if (comma) *comma = 0;
            field += strspn(field, " \t\r");
            for (size_t n = strlen(field); n && strchr(" \t\r", field[n - 1]); n--) field[n - 1] = 0;
            f->field[f->fields++] = field;
            field = comma ? comma + 1 : NULL;
        }
        if (f->fields > 1 || f->field[0][0]) return true;
    }
    return false;
}

/* ---- instances ---------------------------------------------------------------------------------------- */

static nigh_status read_instances(batch *b)
{
    nigh_status status = nigh_instances_read(b->ctx, b->w->instances, &b->list);
    if (!status && !(b->line = nigh_arena_alloc(b->arena, (size_t)(b->list.count + 1) * sizeof *b->line))) status = NIGH_MEMORY;
    for (int64_t i = 0; i < b->list.count && !status; i++) {
        const nigh_instance *item = &b->list.item[i];
        const char *only = b->w->only;
        if (only && !strstr(item->network_text, only) && !strstr(item->property_text, only)) continue;
        b->line[b->lines++] = (verify_line){.network = item->network, .property = item->property, .limit = b->w->timeout > 0 ? b->w->timeout : item->seconds};
    }
    if (!status && !b->lines) status = nigh_fail(b->ctx, NIGH_INVALID, b->w->only ? "'%s' has no line with '%s'" : "'%s' has no instances", b->w->instances, b->w->only);
    return status;
}

static const char *tail(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The name of a file without folder and ".gz". */
static void plain_name(const char *path, size_t room, char *name)
{
    path = tail(path);
    size_t n = strlen(path);
    snprintf(name, room, "%.*s", (int)(word_ends(path, ".gz") ? n - 3 : n), path);
}

static bool same_file(const char *a, const char *b)
{
    char one[256], other[256];
    plain_name(a, sizeof one, one), plain_name(b, sizeof other, other);
    return strcmp(one, other) == 0;
}

static nigh_status read_expected(batch *b)
{
    words_file f;
    int column[3] = {-1, -1, -1};
    static const char *const names[3] = {"network", "property", "expected"};
    nigh_status status = open_words(b->ctx, b->w->expected, &f);
    if (!status && next_words(&f))
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < f.fields; i++)
                if (strcmp(f.field[i], names[k]) == 0) column[k] = i;
    for (int k = 0; k < 3 && !status; k++)
        if (column[k] < 0) status = nigh_fail(b->ctx, NIGH_FORMAT, "'%s': the first line has no column '%s'", b->w->expected, names[k]);
    while (!status && next_words(&f)) {
        if (f.fields <= column[0] || f.fields <= column[1] || f.fields <= column[2])
            status = nigh_fail(b->ctx, NIGH_FORMAT, "'%s': line %lld has %d fields", b->w->expected, (long long)f.line, f.fields);
        for (int64_t i = 0; i < b->lines && !status; i++) {
            verify_line *line = &b->line[i];
            if (!same_file(line->network, f.field[column[0]]) || !same_file(line->property, f.field[column[1]])) continue;
            if (!(line->expected = nigh_arena_strdup(b->arena, f.field[column[2]]))) status = NIGH_MEMORY;
        }
    }
    nigh_free(b->ctx, f.text);
    return status;
}

/* ---- journal ------------------------------------------------------------------------------------------ */

static nigh_status key_of(batch *b, const verify_line *line, nigh_buffer *key)
{
    const nigh_verify_options *o = &b->w->options;
    return nigh_buffer_print(key, "%s %s %.17g %d %d %d", line->network, line->property, line->limit, (int)o->semantics, (int)o->fast, (int)o->splitting);
}

static nigh_status recall(void *user, const void *bytes, size_t size)
{
    batch *b = user;
    json_t *record = json_loadb(bytes, size, 0, NULL);
    const char *key = json_string_value(json_object_get(record, "key")), *verdict = json_string_value(json_object_get(record, "verdict"));
    const char *how = json_string_value(json_object_get(record, "how"));
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; key && verdict && how && i < b->lines && !status; i++) {
        nigh_buffer mine = {.ctx = b->ctx};
        verify_line *line = &b->line[i];
        status = key_of(b, line, &mine);
        if (!status && !line->done && strcmp(mine.data, key) == 0) {
            line->done = true;
            snprintf(line->verdict, sizeof line->verdict, "%s", verdict);
            snprintf(line->how, sizeof line->how, "%s", how);
            line->seconds = json_number_value(json_object_get(record, "seconds")), line->cpu = json_number_value(json_object_get(record, "cpu"));
            line->domains = (int64_t)json_number_value(json_object_get(record, "domains"));
            b->known++;
            nigh_buffer_free(&mine);
            break;
        }
        nigh_buffer_free(&mine);
    }
    json_decref(record);
    return status;
}

static nigh_status remember(batch *b, const verify_line *line)
{
    nigh_buffer key = {.ctx = b->ctx}, text = {.ctx = b->ctx};
    nigh_status status = key_of(b, line, &key);
    json_t *record = status ? NULL
                            : json_pack("{s:s,s:s,s:s,s:f,s:f,s:f}", "key", key.data, "verdict", line->verdict, "how", line->how, "seconds", line->seconds, "cpu", line->cpu,
                                        "domains", (double)line->domains);
    if (!status && !record) status = nigh_fail(b->ctx, NIGH_MEMORY, "out of memory for the journal");
    if (!status) status = nj_dump(b->ctx, record, NJ_SORTED, &text);
    if (!status) status = nigh_journal_add(b->journal, text.data, text.size);
    json_decref(record);
    nigh_buffer_free(&key), nigh_buffer_free(&text);
    return status;
}

/* ---- running ------------------------------------------------------------------------------------------ */

static bool wrong(const verify_line *line)
{
    bool decided = strcmp(line->verdict, "sat") == 0 || strcmp(line->verdict, "unsat") == 0;
    return decided && line->expected && (strcmp(line->expected, "sat") == 0 || strcmp(line->expected, "unsat") == 0) && strcmp(line->expected, line->verdict) != 0;
}

static void show(batch *b, int64_t i)
{
    const verify_line *line = &b->line[i];
    if (cli_json) return;
    cli_clear();
    char network[64], property[64];
    plain_name(line->network, sizeof network, network), plain_name(line->property, sizeof property, property);
    printf("%-34s %-22s %-8s%s %9.2f s %9.2f CPU %10lld  %s%s%s\n", network, property, line->verdict, wrong(line) ? " WRONG" : "", line->seconds, line->cpu,
           (long long)line->domains, line->how, line->message[0] ? ": " : "", line->message);
    fflush(stdout);
}

static nigh_status run_line(batch *b, int64_t i)
{
    verify_line *line = &b->line[i];
    nigh_verify_options options = b->w->options;
    options.seconds = line->limit;
    nigh_property property = {0};
    nigh_verify_result r = {0};
    double start = nigh_clock(), start_cpu = nigh_clock_cpu();
    nigh_status status = verify_one(b->ctx, line->network, line->property, &options, &property, &r);
    if (status == NIGH_INTERRUPTED || status == NIGH_MEMORY) return status;
    line->done = true, line->failed = status != NIGH_OK;
    line->seconds = nigh_clock() - start, line->cpu = nigh_clock_cpu() - start_cpu, line->domains = r.domains, line->bound = r.bound;
    snprintf(line->verdict, sizeof line->verdict, "%s", status ? "error" : verify_verdict_word(r.verdict));
    snprintf(line->how, sizeof line->how, "%s", status ? "failed" : r.how ? r.how : "");
    snprintf(line->message, sizeof line->message, "%s", status ? nigh_message(b->ctx) : r.why ? r.why : "");
    nigh_verify_result_free(b->ctx, &r);
    nigh_property_free(&property);
    return b->journal && !line->failed ? remember(b, line) : NIGH_OK;
}

static nigh_status run_all(batch *b)
{
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < b->lines && !status; i++) {
        nigh_progress(b->ctx, "instances", (double)i, (double)b->lines);
        if (!b->line[i].done) status = run_line(b, i);
        if (!status) show(b, i), b->seconds += b->line[i].seconds, b->cpu += b->line[i].cpu;
    }
    return status;
}

/* ---- the end ------------------------------------------------------------------------------------------ */

typedef struct tally {
    int64_t sat, unsat, timeout, unknown, failed, wrong, compared;
    double worst;
} tally;

static tally count_all(const batch *b)
{
    tally t = {0};
    for (int64_t i = 0; i < b->lines; i++) {
        const verify_line *line = &b->line[i];
        if (strcmp(line->verdict, "sat") == 0) t.sat++;
        else if (strcmp(line->verdict, "unsat") == 0) t.unsat++;
        else if (strcmp(line->verdict, "timeout") == 0) t.timeout++;
        else if (strcmp(line->verdict, "unknown") == 0) t.unknown++;
        else t.failed++;
        t.wrong += wrong(line);
        t.compared += line->expected != NULL;
        t.worst = fmax(t.worst, line->seconds);
    }
    return t;
}

static nigh_status say_json(batch *b, const tally *t, nigh_buffer *text)
{
    json_t *list = json_array(), *object = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f}", "sat", (json_int_t)t->sat, "unsat", (json_int_t)t->unsat, "timeout", (json_int_t)t->timeout,
                                                     "unknown", (json_int_t)t->unknown, "failed", (json_int_t)t->failed, "wrong", (json_int_t)t->wrong, "compared",
                                                     (json_int_t)t->compared, "seconds", b->seconds, "cpu_seconds", b->cpu);
    nigh_status status = list && object ? NIGH_OK : nigh_fail(b->ctx, NIGH_MEMORY, "out of memory for JSON");
    for (int64_t i = 0; i < b->lines && !status; i++) {
        const verify_line *line = &b->line[i];
        json_t *item = json_pack("{s:s,s:s,s:s,s:s?,s:f,s:f,s:f,s:s,s:s}", "network", line->network, "property", line->property, "verdict", line->verdict, "expected", line->expected,
                                 "seconds", line->seconds, "cpu_seconds", line->cpu, "domains", (double)line->domains, "how", line->how, "message", line->message);
        if (!item || json_array_append_new(list, item)) status = nigh_fail(b->ctx, NIGH_MEMORY, "out of memory for JSON");
    }
    if (!status) status = nj_set(b->ctx, object, "instances", json_incref(list));
    if (!status) status = nj_dump(b->ctx, object, NJ_INDENTED, text);
    if (!status) status = nigh_buffer_print(text, "\n");
    json_decref(list), json_decref(object);
    return status;
}

static nigh_status write_csv(batch *b)
{
    nigh_buffer text = {.ctx = b->ctx};
    nigh_status status = nigh_buffer_print(&text, "network,property,verdict,expected,seconds,cpu_seconds,domains,how\n");
    for (int64_t i = 0; i < b->lines && !status; i++) {
        const verify_line *line = &b->line[i];
        status = nigh_buffer_print(&text, "%s,%s,%s,%s,%.3f,%.3f,%lld,%s\n", line->network, line->property, line->verdict, line->expected ? line->expected : "", line->seconds,
                                   line->cpu, (long long)line->domains, line->how);
    }
    if (!status) status = nigh_file_write(b->ctx, b->w->out, text.data, text.size);
    nigh_buffer_free(&text);
    return status;
}

static nigh_status finish(batch *b, tally *t)
{
    *t = count_all(b);
    nigh_buffer text = {.ctx = b->ctx};
    nigh_status status = NIGH_OK;
    if (cli_json) status = say_json(b, t, &text);
    else {
        status = nigh_buffer_print(&text, "%lld instances: %lld unsat, %lld sat, %lld timeout, %lld unknown, %lld failed; %.1f s (%.1f s of CPU), the longest %.2f s", (long long)b->lines,
                                   (long long)t->unsat, (long long)t->sat, (long long)t->timeout, (long long)t->unknown, (long long)t->failed, b->seconds, b->cpu, t->worst);
        if (!status && b->w->expected)
            status = nigh_buffer_print(&text, "; %lld of %lld verdicts that are known are contradicted", (long long)t->wrong, (long long)t->compared);
        if (!status) status = nigh_buffer_print(&text, "\n");
    }
    if (!status && b->w->out) status = write_csv(b);
    if (!status && b->w->report) status = verify_report(b->ctx, b->w, b->lines, b->line);
    if (!status && cli_print(b->ctx, text.data, text.size)) status = NIGH_IO;
    nigh_buffer_free(&text);
    return status;
}

int verify_batch(nigh_context *ctx, verify_words *w)
{
    batch b = {.ctx = ctx, .w = w};
    tally t = {0};
    nigh_status status = nigh_arena_new(ctx, &b.arena);
    if (!status) status = read_instances(&b);
    if (!status && w->expected) status = read_expected(&b);
    if (!status && w->journal) status = nigh_journal_open(ctx, w->journal, recall, &b, &b.journal);
    if (!status && b.known && !cli_quiet) fprintf(stderr, "nigh: %lld of %lld verdicts are in %s\n", (long long)b.known, (long long)b.lines, w->journal);
    cli_progress_start(ctx);
    if (!status) status = run_all(&b);
    cli_progress_stop(ctx);
    if (!status) status = finish(&b, &t);
    int code = status ? cli_fail(ctx, status) : t.wrong || t.sat ? 1 : t.failed ? 2 : t.timeout + t.unknown ? cli_exit_code(NIGH_UNDECIDED) : 0;
    nigh_journal_close(b.journal);
    nigh_instances_free(&b.list);
    nigh_arena_free(b.arena);
    return code;
}
