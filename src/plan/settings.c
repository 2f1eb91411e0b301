/* Options of methods: defaults, text, checks, grids. Declared in nigh/plan.h. */
#include "core/words.h"
#include "nigh/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int option_count(const nigh_method *method)
{
    int count = 0;
    while (method->options && method->options[count].name) count++;
    return count;
}

nigh_settings nigh_settings_default(const nigh_method *method)
{
    nigh_settings settings = {{0}};
    for (int i = 0; i < option_count(method) && i < NIGH_MAX_OPTIONS; i++) settings.value[i] = method->options[i].value;
    return settings;
}

/* Index of `word` in "none,native", or -1. */
static int choice_index(const char *choices, const char *word, size_t size)
{
    int index = 0;
    for (const char *p = choices;; index++) {
        size_t length = strcspn(p, ",");
        if (length == size && strncmp(p, word, size) == 0) return index;
        if (!p[length]) return -1;
        p += length + 1;
    }
}

static int choice_count(const char *choices)
{
    int count = 1;
    for (const char *p = choices; *p; p++) count += *p == ',';
    return count;
}

static const char *choice_name(const char *choices, int index, int *size)
{
    const char *p = choices;
    for (; index > 0; index--) p += strcspn(p, ",") + 1;
    *size = (int)strcspn(p, ",");
    return p;
}

static nigh_status read_value(nigh_context *ctx, const nigh_method *method, const nigh_option *option, const char *text,
                              size_t size, double *value)
{
    if (option->type == NIGH_OPTION_CHOICE) {
        int index = choice_index(option->choices, text, size);
        if (index < 0)
            return nigh_fail(ctx, NIGH_INVALID, "%s of %s is '%.*s'; one of %s is allowed", option->name, method->name, (int)size,
                             text, option->choices);
        *value = index;
        return NIGH_OK;
    }
    char number[64], *end;
    if (size == 0 || size >= sizeof number)
        return nigh_fail(ctx, NIGH_INVALID, "%s of %s needs a number, not '%.*s'", option->name, method->name, (int)size, text);
    memcpy(number, text, size);
    number[size] = 0;
    *value = strtod(number, &end);
    if (*end) return nigh_fail(ctx, NIGH_INVALID, "%s of %s is '%s', which is no number", option->name, method->name, number);
    return NIGH_OK;
}

nigh_status nigh_settings_parse(nigh_context *ctx, const nigh_method *method, const char *text, nigh_settings *settings)
{
    nigh_settings read = *settings;
    for (const char *p = text + strspn(text, " ,"); *p; p += strspn(p, " ,")) {
        size_t name = strcspn(p, "=, ");
        if (p[name] != '=') return nigh_fail(ctx, NIGH_INVALID, "'%.*s' is no setting; write NAME=VALUE", (int)name, p);
        size_t size = strcspn(p + name + 1, ", ");
        int i = 0, count = option_count(method);
        while (i < count && (strlen(method->options[i].name) != name || strncmp(method->options[i].name, p, name) != 0)) i++;
        if (i == count) {
            const char *near = NULL;
            for (int j = 0; j < count; j++) near = word_nearer(p, name, method->options[j].name, near);
            return nigh_fail(ctx, NIGH_INVALID, "%s has no option '%.*s'%s%s%s", method->name, (int)name, p,
                             near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        nigh_status status = read_value(ctx, method, &method->options[i], p + name + 1, size, &read.value[i]);
        if (status) return status;
        p += name + 1 + size;
    }
    nigh_status status = nigh_settings_check(ctx, method, &read);
    if (status == NIGH_OK) *settings = read;
    return status;
}

nigh_status nigh_settings_check(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings)
{
    for (int i = 0; i < option_count(method); i++) {
        const nigh_option *option = &method->options[i];
        double v = settings->value[i], low = option->low, high = option->high;
        if (option->type == NIGH_OPTION_CHOICE) low = 0, high = choice_count(option->choices) - 1;
        if (!(v >= low && v <= high))
            return nigh_fail(ctx, NIGH_INVALID, "%s of %s is %g; %g to %g is allowed", option->name, method->name, v, low, high);
        if (option->type != NIGH_OPTION_REAL && v != floor(v))
            return nigh_fail(ctx, NIGH_INVALID, "%s of %s is %g; a whole number is needed", option->name, method->name, v);
    }
    return NIGH_OK;
}

nigh_status nigh_settings_print(const nigh_method *method, const nigh_settings *settings, nigh_buffer *text)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < option_count(method) && !status; i++) {
        const nigh_option *option = &method->options[i];
        const char *space = i ? " " : "";
        if (option->type == NIGH_OPTION_CHOICE) {
            int size;
            const char *name = choice_name(option->choices, (int)settings->value[i], &size);
            status = nigh_buffer_print(text, "%s%s=%.*s", space, option->name, size, name);
        } else {
            char number[32];
            number_text(settings->value[i], false, number);
            status = nigh_buffer_print(text, "%s%s=%s", space, option->name, number);
        }
    }
    return status;
}

double nigh_setting(const nigh_method *method, const nigh_settings *settings, const char *name)
{
    for (int i = 0; i < option_count(method); i++)
        if (strcmp(method->options[i].name, name) == 0) return settings->value[i];
    return NAN;
}

enum { MOST_GRID = 256 };

/* "1:20", "1e-8*10:1e2" or "4,8,16"; numbers only. */
static int numeric_grid(const char *text, double *values)
{
    char *end;
    int count = 0;
    double from = strtod(text, &end);
    if (*end == ':' || *end == '*') {
        double times = 0, step = 1;
        if (*end == '*') times = strtod(end + 1, &end);
        double to = strtod(end + 1, &end);
        for (double v = from; count < MOST_GRID && v <= to * (1 + 1e-12) + 1e-300; v = times ? v * times : v + step)
            values[count++] = v;
        return count;
    }
    for (const char *p = text; *p && count < MOST_GRID; p = *end == ',' ? end + 1 : end) {
        values[count] = strtod(p, &end);
        if (end == p) break;
        count++;
    }
    return count;
}

nigh_status nigh_option_grid(nigh_context *ctx, const nigh_option *option, double **out, int *count)
{
    double *values = nigh_alloc(ctx, MOST_GRID * sizeof *values);
    if (!values) return NIGH_MEMORY;
    int n = 0;
    if (!option->grid) {
        values[n++] = option->value;
    } else if (option->type == NIGH_OPTION_CHOICE && choice_index(option->choices, option->grid, strcspn(option->grid, ",")) >= 0) {
        for (const char *p = option->grid; n < MOST_GRID;) {
            size_t size = strcspn(p, ",");
            int index = choice_index(option->choices, p, size);
            if (index >= 0) values[n++] = index;
            if (!p[size]) break;
            p += size + 1;
        }
    } else {
        n = numeric_grid(option->grid, values);
    }
    if (n == 0) {
        nigh_free(ctx, values);
        return nigh_fail(ctx, NIGH_INTERNAL, "the grid '%s' of option %s is empty", option->grid, option->name);
    }
    *out = values;
    *count = n;
    return NIGH_OK;
}
