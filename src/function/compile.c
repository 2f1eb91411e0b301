/* See compile.h. */
#include "function/compile.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "function/export.h"
#include "nigh/process.h"

typedef void compiled_fn(long n, const void *x, void *y);

struct function_compiled {
    nigh_context *ctx;
    void *library;
    compiled_fn *function[];
};

static nigh_status write_sources(nigh_context *ctx, int count, const function_core *const *cores, const char *path)
{
    nigh_buffer text = {.ctx = ctx};
    char name[32];
    nigh_status status = NIGH_OK;
    for (int i = 0; i < count && status == NIGH_OK; i++) {
        snprintf(name, sizeof name, "core_%d", i);
        status = function_core_export(ctx, cores[i], name, &text);
    }
    if (status == NIGH_OK) status = nigh_file_put(ctx, path, text.data, text.size);
    nigh_buffer_free(&text);
    return status;
}

static nigh_status run_compiler(nigh_context *ctx, const char *source, const char *library)
{
    const char *argv[] = {"cc", "-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC", source, "-o", library, "-lm", NULL};
    nigh_run run = {0};
    nigh_status status = nigh_process_run(ctx, argv, NULL, NULL, NULL, 0, NULL, &run);
    if (status == NIGH_FAILED) return nigh_fail(ctx, NIGH_UNSUPPORTED, "there is no C compiler to time with: %s", nigh_message(ctx));
    if (status == NIGH_OK) status = nigh_run_check(ctx, "cc", &run);
    nigh_run_free(ctx, &run);
    return status;
}

static nigh_status load(nigh_context *ctx, int count, const char *path, function_compiled *made)
{
    made->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!made->library) return nigh_fail(ctx, NIGH_FAILED, "compiled kernels cannot be loaded: %s", dlerror());
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "core_%d", i);
        void *symbol = dlsym(made->library, name);
        if (!symbol) return nigh_fail(ctx, NIGH_FAILED, "compiled kernels have no '%s'", name);
        memcpy(&made->function[i], &symbol, sizeof symbol);
    }
    return NIGH_OK;
}

nigh_status function_compile(nigh_context *ctx, int count, const function_core *const *cores, function_compiled **out)
{
    nigh_folder folder = {0};
    char *source = NULL, *library = NULL;
    function_compiled *made = nigh_alloc_zero(ctx, 1, sizeof *made + (size_t)count * sizeof *made->function);
    nigh_status status = made ? nigh_folder_temp(ctx, &folder) : NIGH_MEMORY;
    if (status == NIGH_OK) {
        made->ctx = ctx;
        source = nigh_format(ctx, "%s/cores.c", folder.path);
        library = nigh_format(ctx, "%s/cores.so", folder.path);
        if (!source || !library) status = NIGH_MEMORY;
    }
    if (status == NIGH_OK) status = write_sources(ctx, count, cores, source);
    if (status == NIGH_OK) status = run_compiler(ctx, source, library);
    if (status == NIGH_OK) status = load(ctx, count, library, made);
    nigh_free(ctx, source);
    nigh_free(ctx, library);
    nigh_folder_remove(ctx, &folder);
    if (status == NIGH_OK) *out = made;
    else if (made) {
        made->ctx = ctx;
        function_compiled_free(made);
    }
    return status;
}

void function_compiled_free(function_compiled *compiled)
{
    if (!compiled) return;
    if (compiled->library) dlclose(compiled->library);
    nigh_free(compiled->ctx, compiled);
}

void function_compiled_apply(const function_compiled *compiled, int i, int64_t n, const void *x, void *y)
{
    compiled->function[i]((long)n, x, y);
}

/* ---- timing ---------------------------------------------------------------------------------------------- */

void function_bench_init(function_bench *bench, const function_compiled *compiled, int which, const function_core *core, double low, double high)
{
    bench->compiled = compiled;
    bench->which = which;
    bench->core = core;
    memset(bench->y, 0, sizeof bench->y);
    for (int i = 0; i < FUNCTION_BENCH; i++) {
        double x = low + (high - low) * fmod((i + .5) * 0.6180339887498949, 1);
        if (core->type == NIGH_F32) ((float *)bench->x)[i] = (float)x;
        else bench->x[i] = x;
    }
}

nigh_status function_bench_run(nigh_context *ctx, void *user, int64_t samples)
{
    function_bench *bench = user;
    for (int64_t done = 0; done < samples; done += FUNCTION_BENCH) {
        if (bench->compiled) function_compiled_apply(bench->compiled, bench->which, FUNCTION_BENCH, bench->x, bench->y);
        else function_core_apply(bench->core, FUNCTION_BENCH, bench->x, bench->y);
    }
    return NIGH_OK;
}

nigh_status function_bench_seconds(nigh_context *ctx, int count, function_bench *benches, double *seconds)
{
    enum { ROUNDS = 20 };
    static const double PASS = 2e-4;
    for (int i = 0; i < count; i++) seconds[i] = INFINITY;
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < count; i++) {
            nigh_status status = nigh_poll(ctx);
            if (status != NIGH_OK) return status;
            int64_t samples = isfinite(seconds[i]) ? (int64_t)(PASS / seconds[i]) : FUNCTION_BENCH;
            samples = (samples + FUNCTION_BENCH - 1) / FUNCTION_BENCH * FUNCTION_BENCH;
            double start = nigh_clock();
            status = function_bench_run(ctx, &benches[i], samples);
            if (status != NIGH_OK) return status;
            seconds[i] = fmin(seconds[i], (nigh_clock() - start) / (double)samples);
        }
    return NIGH_OK;
}
