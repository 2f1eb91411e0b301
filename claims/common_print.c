/* Verdicts of claims, for people and as JSON. See common.h. */
#include "common_inside.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char *relation_text(claim_relation relation)
{
    switch (relation) {
    case CLAIM_AT_LEAST: return ">=";
    case CLAIM_AT_MOST: return "<=";
    case CLAIM_WITHIN: return "in";
    }
    return "?";
}

static int widest_name(const claim_run *run)
{
    size_t width = 6;
    for (int i = 0; i < run->count; i++)
        if (strlen(run->results[i].name) > width) width = strlen(run->results[i].name);
    return (int)width;
}

void claims_print(const claim_run *run, bool fell, double seconds, FILE *out)
{
    int width = widest_name(run);
    fprintf(out, "%s: %s\n", run->claim->slug, run->claim->title);
    fprintf(out, "  %s, seed %" PRIu64 "%s%s\n", run->quick ? "quick" : "full", run->seed, run->sabotage ? ", sabotaged: " : "",
            run->sabotage ? run->sabotage : "");
    for (int i = 0; i < run->count; i++) {
        const claim_result *r = &run->results[i];
        char interval[64] = "", bar[64];
        if (!isnan(r->low)) snprintf(interval, sizeof interval, "[%.4g, %.4g]", r->low, r->high);
        if (r->relation == CLAIM_WITHIN) snprintf(bar, sizeof bar, "%.4g to %.4g", r->threshold, r->upper);
        else snprintf(bar, sizeof bar, "%.4g", r->threshold);
        fprintf(out, "  %-*s %9.4g %-20s %s %-12s %s\n", width, r->name, r->value, interval, relation_text(r->relation), bar,
                r->holds ? "holds" : "FALLS SHORT");
        if (r->note) fprintf(out, "  %*s   %s\n", 4, "", r->note);
    }
    for (int i = 0; i < run->notes; i++) fprintf(out, "  %s\n", run->note_lines[i]);
    int held = 0;
    for (int i = 0; i < run->count; i++) held += run->results[i].holds;
    fprintf(out, "  %d of %d bars hold", held, run->count);
    if (run->sabotage) fprintf(out, fell ? "; the sabotaged form fell short, as it must" : "; the sabotage went UNNOTICED");
    fprintf(out, " (%.1f s)\n", seconds);
}

static void json_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') fprintf(out, "\\%c", *p);
        else if (*p < 0x20) fprintf(out, "\\u%04x", *p);
        else fputc(*p, out);
    }
    fputc('"', out);
}

static void json_number(const char *key, double value, FILE *out)
{
    if (isfinite(value)) fprintf(out, ", \"%s\": %.10g", key, value);
    else fprintf(out, ", \"%s\": null", key);
}

void claims_print_json(const claim_run *run, bool fell, double seconds, bool first, FILE *out)
{
    fputs(first ? "\n {\"slug\": " : ",\n {\"slug\": ", out);
    json_text(run->claim->slug, out);
    fprintf(out, ", \"mode\": \"%s\", \"seed\": \"%" PRIu64 "\", \"sabotage\": ", run->quick ? "quick" : "full", run->seed);
    if (run->sabotage) json_text(run->sabotage, out);
    else fputs("null", out);
    fprintf(out, ", \"holds\": %s, \"seconds\": %.3f,\n  \"bars\": [", fell ? "false" : "true", seconds);
    for (int i = 0; i < run->count; i++) {
        const claim_result *r = &run->results[i];
        fputs(i ? ",\n   {\"name\": " : "\n   {\"name\": ", out);
        json_text(r->name, out);
        json_number("value", r->value, out);
        json_number("low", r->low, out);
        json_number("high", r->high, out);
        fprintf(out, ", \"relation\": \"%s\"", relation_text(r->relation));
        json_number("threshold", r->threshold, out);
        json_number("upper", r->upper, out);
        fprintf(out, ", \"holds\": %s, \"note\": ", r->holds ? "true" : "false");
        if (r->note) json_text(r->note, out);
        else fputs("null", out);
        fputs("}", out);
    }
    fputs("\n  ],\n  \"notes\": [", out);
    for (int i = 0; i < run->notes; i++) {
        fputs(i ? ", " : "", out);
        json_text(run->note_lines[i], out);
    }
    fputs("]}", out);
}
