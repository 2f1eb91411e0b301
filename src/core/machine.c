/* CPU level, CPU name, clocks. Declared in nigh/core.h. */
#include "nigh/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static nigh_cpu_level detect(void)
{
    nigh_cpu_level level = NIGH_CPU_SCALAR;
#if defined(__x86_64__)
    __builtin_cpu_init(); /* asks the operating system's support too */
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        level = NIGH_CPU_AVX2;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
            level = NIGH_CPU_AVX512;
    }
#endif
    const char *mask = getenv("NIGH_CPU");
    for (nigh_cpu_level lower = NIGH_CPU_SCALAR; mask && lower < level; lower++)
        if (strcmp(mask, nigh_cpu_level_name(lower)) == 0) return lower;
    return level;
}

nigh_cpu_level nigh_cpu(void)
{
    static int known = -1; /* two threads may both write the same value */
    int level = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (level < 0) {
        level = (int)detect();
        __atomic_store_n(&known, level, __ATOMIC_RELAXED);
    }
    return (nigh_cpu_level)level;
}

const char *nigh_cpu_level_name(nigh_cpu_level level)
{
    static const char *const names[] = {"scalar", "avx2", "avx512"};
    return (unsigned)level < 3 ? names[level] : "unknown";
}

const char *nigh_cpu_model(void)
{
    static _Thread_local char model[128];
    if (model[0]) return model;
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "model name", 10) != 0) continue;
        char *colon = strchr(line, ':');
        if (colon) snprintf(model, sizeof model, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file) fclose(file);
    if (!model[0]) strcpy(model, "unknown CPU");
    return model;
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double nigh_clock(void) { return seconds(CLOCK_MONOTONIC); }
double nigh_clock_cpu(void) { return seconds(CLOCK_PROCESS_CPUTIME_ID); }
