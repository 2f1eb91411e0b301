/*
 * Every number that a clock gave, and every finished step, under a key. Planning is a pure function of the request and
 * of this log: a killed run that finds its log again takes the same decisions, and a plan whose record holds the log
 * can be repeated without timing.
 */
#include "core/file.h"
#include "plan/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct clocklog {
    nigh_context *ctx;
    json_t *values;
    nigh_journal *journal;
    char *path;
    bool frozen;
    bool header_ok;
    char request[65];
};

/* What must be the same for a journal to be this run's: all that decides but the clock. */
static void request_hash(const plan_run *run, char hex[65])
{
    const nigh_request *r = run->request;
    char text[512];
    snprintf(text, sizeof text, "%s|%s|%.17g|%d|%.17g|%.17g|%.17g|%.17g|%lld|%lld|%lld|%d|%d|%llu|%d|%s", nigh_version(),
             nigh_cpu_level_name(nigh_cpu()), r->error, (int)r->statistic, r->confidence, r->outliers, r->uses, r->seconds,
             (long long)r->fit, (long long)r->screen, (long long)r->test, (int)r->no_clock, (int)r->brute,
             (unsigned long long)nigh_context_seed(run->ctx), nigh_context_threads(run->ctx), run->problem->measure->name);
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_text(&hash, run->problem->identity);
    nigh_sha256_text(&hash, text);
    nigh_sha256_text(&hash, r->methods ? r->methods : "");
    nigh_sha256_text(&hash, r->settings ? r->settings : "");
    nigh_sha256_hex(&hash, hex);
}

static nigh_status take_record(void *user, const void *bytes, size_t size)
{
    clocklog *log = user;
    json_error_t error;
    json_t *record = json_loadb(bytes, size, 0, &error);
    const char *request = json_string_value(json_object_get(record, "request"));
    const char *key = json_string_value(json_object_get(record, "key"));
    json_t *value = json_object_get(record, "value");
    if (request) {
        log->header_ok = strcmp(request, log->request) == 0;
        if (!log->header_ok) json_object_clear(log->values);
    } else if (log->header_ok && key && value) {
        json_object_set(log->values, key, value);
    }
    json_decref(record);
    return NIGH_OK;
}

static nigh_status add_record(clocklog *log, json_t *record)
{
    char *text = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(record);
    if (!text) return nigh_fail(log->ctx, NIGH_MEMORY, "out of memory for the journal");
    nigh_status status = nigh_journal_add(log->journal, text, strlen(text));
    free(text);
    return status;
}

static nigh_status open_journal(clocklog *log, const char *path)
{
    log->path = nigh_strdup(log->ctx, path);
    if (!log->path) return NIGH_MEMORY;
    nigh_status status = nigh_journal_open(log->ctx, path, take_record, log, &log->journal);
    if (status) return status;
    if (log->header_ok) {
        nigh_log(log->ctx, NIGH_LOG_NOTE, "resuming from %s (%zu finished steps)", path, json_object_size(log->values));
        return NIGH_OK;
    }
    return add_record(log, json_pack("{s:s}", "request", log->request));
}

nigh_status clocklog_open(plan_run *run)
{
    nigh_context *ctx = run->ctx;
    clocklog *log = nigh_alloc_zero(ctx, 1, sizeof *log);
    if (!log) return NIGH_MEMORY;
    run->clock = log;
    log->ctx = ctx;
    request_hash(run, log->request);
    const nigh_plan *replay = run->request->replay;
    if (replay) {
        json_error_t error;
        json_t *record = json_loads(replay->record, 0, &error);
        log->values = json_deep_copy(json_object_get(record, "clock"));
        json_decref(record);
        log->frozen = true;
        if (!json_is_object(log->values))
            return nigh_fail(ctx, NIGH_INVALID, "the plan to be replayed has no record of its decisions");
    } else {
        log->values = json_object();
        if (!log->values) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for the journal");
    }
    return run->request->journal ? open_journal(log, run->request->journal) : NIGH_OK;
}

void clocklog_close(clocklog *log, bool keep)
{
    if (!log) return;
    nigh_journal_close(log->journal);
    if (log->journal && !keep) {
        char *fit = nigh_format(log->ctx, "%s.fit", log->path); /* the training kept beside it */
        if (fit) remove(fit);
        nigh_free(log->ctx, fit);
        remove(log->path);
    }
    nigh_free(log->ctx, log->path);
    json_decref(log->values);
    nigh_free(log->ctx, log);
}

bool clocklog_get(clocklog *log, const char *key, json_t **value)
{
    *value = json_incref(json_object_get(log->values, key));
    return *value != NULL;
}

nigh_status clocklog_put(clocklog *log, const char *key, json_t *value)
{
    if (!value || json_object_set_new(log->values, key, value))
        return nigh_fail(log->ctx, NIGH_MEMORY, "out of memory for the record of '%s'", key);
    if (!log->journal) return NIGH_OK;
    json_t *record = json_pack("{s:s, s:O}", "key", key, "value", value);
    return record ? add_record(log, record) : nigh_fail(log->ctx, NIGH_MEMORY, "out of memory for the journal");
}

bool clocklog_get_real(clocklog *log, const char *key, double *value)
{
    json_t *found = json_object_get(log->values, key);
    if (!json_is_number(found)) return false;
    *value = json_number_value(found);
    return true;
}

nigh_status clocklog_put_real(clocklog *log, const char *key, double value) { return clocklog_put(log, key, json_real(value)); }

bool clocklog_frozen(const plan_run *run) { return run->clock->frozen || run->request->no_clock; }

json_t *clocklog_all(clocklog *log) { return log->values; }
