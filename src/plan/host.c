/*
 * What this machine does in a second, measured once and kept as wisdom; and by how much each method was slower than its
 * count. Wisdom is a JSON file in the user's cache keyed by CPU, level, nigh and library versions; a corrupt one is
 * ignored with a message.
 */
#include "core/file.h"
#include "plan/host.h"
#include "plan/run.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Used when nothing may be timed: a modest core. */
static const double PLAIN_FLOPS = 1e10, PLAIN_BYTES = 1e10;

const char *host_libraries(void)
{
    static _Thread_local char text[256];
    char openblas[128];
    snprintf(openblas, sizeof openblas, "%s", openblas_get_config());
    snprintf(text, sizeof text, "%.*s, core %s; jansson %s", (int)strcspn(openblas + 9, " ") + 9, openblas, openblas_get_corename(),
             jansson_version_str());
    return text;
}

static void wisdom_key(char key[65])
{
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_text(&hash, nigh_cpu_model());
    nigh_sha256_text(&hash, nigh_cpu_level_name(nigh_cpu()));
    nigh_sha256_text(&hash, nigh_version());
    nigh_sha256_text(&hash, host_libraries());
    nigh_sha256_hex(&hash, key);
}

static nigh_status wisdom_path(plan_run *run, char **path)
{
    char *folder = NULL;
    *path = NULL;
    nigh_status status = plan_state_folder(run->ctx, run->request->state, &folder);
    if (status || !folder) return status;
    *path = nigh_format(run->ctx, "%s/wisdom.json", folder);
    nigh_free(run->ctx, folder);
    return *path ? NIGH_OK : NIGH_MEMORY;
}

/* The whole wisdom file, of all machines (a new reference; an empty object when there is none). */
static json_t *wisdom_load(plan_run *run, const char *path)
{
    char *text = NULL;
    size_t size;
    json_error_t error;
    json_t *all = NULL;
    if (path && access(path, F_OK) == 0 && nigh_file_read(run->ctx, path, 1 << 22, &text, &size) == NIGH_OK) {
        all = json_loadb(text, size, 0, &error);
        if (!json_is_object(all))
            nigh_log(run->ctx, NIGH_LOG_WARNING, "%s is corrupt (%s); it is ignored and will be written anew", path, all ? "no object" : error.text);
        nigh_free(run->ctx, text);
    }
    if (json_is_object(all)) return all;
    json_decref(all);
    return json_object();
}

/* The object `key` of `parent`, made when there is none (borrowed; NULL when memory is short). */
static json_t *object_of(json_t *parent, const char *key)
{
    json_t *there = json_object_get(parent, key);
    if (json_is_object(there)) return there;
    return json_object_set_new(parent, key, json_object()) ? NULL : json_object_get(parent, key);
}

/*
 * Lets `change` alter what is known of this machine, under a lock, so that of two writers both are heard. Best effort:
 * planning does not depend on it.
 */
static void wisdom_change(plan_run *run, const char *path, void (*change)(json_t *mine, const void *user), const void *user)
{
    char key[65];
    nigh_lock *lock = NULL;
    char *lock_path = nigh_format(run->ctx, "%s.lock", path);
    if (lock_path && nigh_lock_take(run->ctx, lock_path, 1, &lock) == NIGH_OK) {
        wisdom_key(key);
        json_t *all = wisdom_load(run, path), *mine = object_of(all, key);
        if (mine) change(mine, user);
        char *text = mine ? json_dumps(all, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) : NULL;
        if (text) nigh_file_write(run->ctx, path, text, strlen(text));
        free(text);
        json_decref(all);
    }
    nigh_lock_release(lock);
    nigh_free(run->ctx, lock_path);
}

static void spin(int rounds, int64_t n, float *x)
{
    if (nigh_cpu() == NIGH_CPU_AVX512)
        host_spin_f32_avx512(rounds, n, x);
    else if (nigh_cpu() == NIGH_CPU_AVX2)
        host_spin_f32_avx2(rounds, n, x);
    else
        host_spin_f32_scalar(rounds, n, x);
}

static _Thread_local volatile double sum_sink; /* so that the sum is made */

static void sum(int64_t n, const double *x)
{
    if (nigh_cpu() == NIGH_CPU_AVX512)
        sum_sink = host_sum_f64_avx512(n, x);
    else if (nigh_cpu() == NIGH_CPU_AVX2)
        sum_sink = host_sum_f64_avx2(n, x);
    else
        sum_sink = host_sum_f64_scalar(n, x);
}

/* A multiply-add over an array in L1, and a sum over one in L2: batches of samples and plans live in the caches. */
static void measure_rates(nigh_context *ctx, double *flops, double *bytes)
{
    enum { SMALL = 2048, ROUNDS = 1000, LARGE = 1 << 14, PASSES = 200 };
    *flops = PLAIN_FLOPS;
    *bytes = PLAIN_BYTES;
    float *small = nigh_alloc_zero(ctx, SMALL, sizeof *small);
    double *large = nigh_alloc_zero(ctx, LARGE, sizeof *large);
    if (small && large) {
        for (int r = 0; r < 5; r++) { /* CPU time and the best of five: what the core can do when it is ours */
            double start = nigh_clock_cpu();
            spin(ROUNDS, SMALL, small);
            *flops = fmax(*flops, 16.0 * ROUNDS * SMALL / fmax(nigh_clock_cpu() - start, 1e-6));
            start = nigh_clock_cpu();
            for (int pass = 0; pass < PASSES; pass++) sum(LARGE, large);
            *bytes = fmax(*bytes, 8.0 * LARGE * PASSES / fmax(nigh_clock_cpu() - start, 1e-6));
        }
    }
    nigh_free(ctx, large);
    nigh_free(ctx, small);
}

static void put_rates(json_t *mine, const void *user)
{
    const double *rates = user;
    json_object_set_new(mine, "flops", json_real(rates[0]));
    json_object_set_new(mine, "bytes", json_real(rates[1]));
}

nigh_status host_calibrate(plan_run *run)
{
    if (clocklog_get_real(run->clock, "host flops", &run->flops_rate) && clocklog_get_real(run->clock, "host bytes", &run->bytes_rate) &&
        run->flops_rate > 0 && run->bytes_rate > 0)
        return NIGH_OK;
    run->flops_rate = PLAIN_FLOPS, run->bytes_rate = PLAIN_BYTES;
    if (clocklog_frozen(run)) return NIGH_OK;
    char *path = NULL, machine[65];
    nigh_status status = wisdom_path(run, &path);
    if (status) return status;
    wisdom_key(machine);
    json_t *all = wisdom_load(run, path), *wisdom = json_object_get(all, machine);
    double known[2] = {json_number_value(json_object_get(wisdom, "flops")), json_number_value(json_object_get(wisdom, "bytes"))};
    if (known[0] > 0 && known[1] > 0) {
        run->flops_rate = known[0], run->bytes_rate = known[1];
    } else {
        measure_rates(run->ctx, &run->flops_rate, &run->bytes_rate);
        if (path) wisdom_change(run, path, put_rates, (double[]){run->flops_rate, run->bytes_rate});
    }
    const char *name;
    json_t *factor, *factors = json_object_get(wisdom, "factors");
    json_object_foreach(factors, name, factor)
    {
        char key[128];
        snprintf(key, sizeof key, "factor %s", name);
        if (json_is_number(factor) && !status) status = clocklog_put_real(run->clock, key, json_number_value(factor));
    }
    json_decref(all);
    nigh_free(run->ctx, path);
    if (!status) status = clocklog_put_real(run->clock, "host flops", run->flops_rate);
    if (!status) status = clocklog_put_real(run->clock, "host bytes", run->bytes_rate);
    return status;
}

double host_seconds(const plan_run *run, const nigh_work *work)
{
    return work->flops / run->flops_rate + work->bytes / run->bytes_rate + work->seconds;
}

double wisdom_factor(const plan_run *run, const nigh_method *method)
{
    char key[128];
    double factor;
    snprintf(key, sizeof key, "factor %s/%s", method->problem, method->name);
    return clocklog_get_real(run->clock, key, &factor) && factor > 0 && isfinite(factor) ? factor : 1;
}

typedef struct lesson {
    const char *method;
    double factor;
} lesson;

static void put_factor(json_t *mine, const void *user)
{
    const lesson *l = user;
    json_t *factors = object_of(mine, "factors");
    double old = json_number_value(json_object_get(factors, l->method));
    if (factors) json_object_set_new(factors, l->method, json_real(old > 0 ? sqrt(old * l->factor) : l->factor)); /* settles slowly: timings scatter */
}

void wisdom_learn(plan_run *run, const nigh_method *method, double counted, double measured)
{
    char *path = NULL, name[128];
    if (!(counted > 0 && measured > 0 && isfinite(measured / counted)) || clocklog_frozen(run) || wisdom_path(run, &path) || !path) return;
    snprintf(name, sizeof name, "%s/%s", method->problem, method->name);
    wisdom_change(run, path, put_factor, &(lesson){name, measured / counted});
    nigh_free(run->ctx, path);
}

nigh_status plan_state_folder(nigh_context *ctx, const char *state, char **path)
{
    *path = NULL;
    if (!state) {
        nigh_status status = nigh_folder_user(ctx, NIGH_PLACE_STATE, NULL, path);
        if (status == NIGH_MEMORY || status == NIGH_INTERRUPTED) return status;
        if (status) nigh_log(ctx, NIGH_LOG_WARNING, "no folder for ledger and wisdom (%s): they start anew", nigh_message(ctx));
        return NIGH_OK;
    }
    if (!*state) return NIGH_OK;
    nigh_status status = nigh_folder_make(ctx, state);
    if (status) return status;
    *path = nigh_strdup(ctx, state);
    return *path ? NIGH_OK : NIGH_MEMORY;
}
