/* Numbers for people; see figures.h. */
#include "plan/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The C library writes the locale's decimal sign; we always want a point. */
static void point(char *text)
{
    for (; *text; text++)
        if (*text == ',') *text = '.';
}

/* "8.13e-07" -> "8.13e-7", "1.20e+09" -> "1.2e9". */
static void shorten_exponent(char *text)
{
    char *e = strchr(text, 'e');
    if (!e) return;
    int exponent = atoi(e + 1);
    char *end = e;
    if (memchr(text, '.', (size_t)(e - text))) {
        while (end[-1] == '0') end--;
        if (end[-1] == '.') end--;
    }
    snprintf(end, FIGURE_ROOM - (size_t)(end - text), "e%d", exponent);
}

static const char *not_finite(double value, char *out)
{
    snprintf(out, FIGURE_ROOM, "%s", isnan(value) ? "unknown" : value > 0 ? "unbounded" : "-unbounded");
    return out;
}

const char *nigh_figure_number(double value, int digits, char out[FIGURE_ROOM])
{
    if (!isfinite(value)) return not_finite(value, out);
    if (digits < 1) digits = 1;
    if (digits > 17) digits = 17;
    if (value == 0) return strcpy(out, "0");
    snprintf(out, FIGURE_ROOM, "%.*e", digits - 1, value);
    int exponent = atoi(strchr(out, 'e') + 1);
    point(out);
    if (exponent < -3 || exponent > 4) {
        shorten_exponent(out);
        return out;
    }
    int decimals = digits - 1 - exponent;
    if (decimals < 0) { /* round first: %.0f alone would show digits that were not asked for */
        double unit = pow(10, -decimals);
        snprintf(out, FIGURE_ROOM, "%.0f", round(value / unit) * unit);
        return out;
    }
    snprintf(out, FIGURE_ROOM, "%.*f", decimals, value);
    point(out);
    if (strchr(out, '.')) {
        char *end = out + strlen(out);
        while (end[-1] == '0') *--end = 0;
        if (end[-1] == '.') *--end = 0;
    }
    return out;
}

static const char *with_unit(double value, const char *unit, char *out)
{
    nigh_figure_number(value, 3, out);
    size_t used = strlen(out);
    snprintf(out + used, FIGURE_ROOM - used, " %s", unit);
    return out;
}

const char *nigh_figure_seconds(double seconds, char out[FIGURE_ROOM])
{
    if (!isfinite(seconds)) return not_finite(seconds, out);
    double size = fabs(seconds);
    if (size == 0) return strcpy(out, "0 s");
    if (size < 0.9995e-6) return with_unit(seconds * 1e9, "ns", out);
    if (size < 0.9995e-3) return with_unit(seconds * 1e6, "us", out);
    if (size < 0.9995) return with_unit(seconds * 1e3, "ms", out);
    if (size < 120) return with_unit(seconds, "s", out);
    if (size < 7200) return with_unit(seconds / 60, "min", out);
    return with_unit(seconds / 3600, "h", out);
}

const char *nigh_figure_bytes(double bytes, char out[FIGURE_ROOM])
{
    if (!isfinite(bytes)) return not_finite(bytes, out);
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int i = 0;
    while (i < 4 && fabs(bytes) >= 1023.5) bytes /= 1024, i++;
    return with_unit(bytes, units[i], out);
}

const char *nigh_figure_percent(double share, int digits, char out[FIGURE_ROOM])
{
    if (!isfinite(share)) return not_finite(share, out);
    nigh_figure_number(100 * share, digits, out);
    strcat(out, "%");
    return out;
}

const char *nigh_figure_count(double count, char out[FIGURE_ROOM])
{
    if (!isfinite(count)) return not_finite(count, out);
    if (fabs(count) >= 1e6 || count != floor(count)) return nigh_figure_number(count, 3, out);
    double unit = fabs(count) < 1e4 ? 1 : fabs(count) < 1e5 ? 100 : 1000;
    snprintf(out, FIGURE_ROOM, "%.0f", round(count / unit) * unit);
    return out;
}

const char *nigh_figure_exact(double value, char out[FIGURE_ROOM])
{
    if (value == 0) return strcpy(out, signbit(value) ? "-0.0" : "0");
    snprintf(out, FIGURE_ROOM, "%.17g", value);
    point(out);
    return out;
}

double nigh_figure_two_digits(double value, int direction)
{
    if (!isfinite(value) || value == 0) return value;
    if (value < 0) return -nigh_figure_two_digits(-value, -direction);
    char text[FIGURE_ROOM];
    snprintf(text, sizeof text, "%.1e", value);
    double nearest = strtod(text, NULL);
    if (direction == 0 || nearest == value || (direction > 0) == (nearest > value)) return nearest;
    /* One step of the second digit further, by way of decimal text: the result is again the double nearest to it. */
    int tenths = 10 * (text[0] - '0') + (text[2] - '0') + direction;
    snprintf(text, sizeof text, "%de%d", tenths, atoi(strchr(text, 'e') + 1) - 1);
    return strtod(text, NULL);
}
