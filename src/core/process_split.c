/* A command to words, with a shell's quoting and none of its expansion. Declared in nigh/process.h. */
#include "nigh/process.h"

#include <string.h>

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Copies the word at *p to out and ends it by 0; the position of an open quote or a lone backslash in *bad, else NULL. */
static char *copy_word(const char **p, char *out, const char **bad)
{
    const char *s = *p, *opened = NULL;
    char quote = 0;
    *bad = NULL;
    for (; *s && (quote || !blank(*s)); s++) {
        bool escape = *s == '\\' && quote != '\'' && (!quote || (s[1] && strchr("\"\\$`", s[1])));
        if (escape) {
            if (!s[1]) {
                *bad = s;
                break;
            }
            *out++ = *++s;
        } else if (*s == quote) {
            quote = 0;
        } else if (!quote && (*s == '\'' || *s == '"')) {
            quote = *s;
            opened = s;
        } else {
            *out++ = *s;
        }
    }
    if (quote) *bad = opened;
    *out++ = 0;
    *p = s;
    return out;
}

nigh_status nigh_process_split(nigh_context *ctx, const char *command, char ***argv)
{
    size_t length = strlen(command), most = length / 2 + 1; /* words and blanks alternate */
    char **words = nigh_alloc(ctx, (most + 1) * sizeof *words + length + most + 1);
    if (!words) return NIGH_MEMORY;
    char *out = (char *)(words + most + 1);
    size_t count = 0;
    const char *bad = NULL;
    for (const char *p = command; !bad;) {
        while (blank(*p)) p++;
        if (!*p) break;
        words[count++] = out;
        out = copy_word(&p, out, &bad);
    }
    words[count] = NULL;
    if (!bad && count) {
        *argv = words;
        return NIGH_OK;
    }
    nigh_free(ctx, words);
    if (!bad) return nigh_fail(ctx, NIGH_INVALID, "the command is empty");
    if (*bad == '\\') return nigh_fail(ctx, NIGH_INVALID, "the command '%s' ends in a lone backslash; double it", command);
    return nigh_fail(ctx, NIGH_INVALID, "the quote %c at position %td of the command '%s' is never closed", *bad, bad - command + 1, command);
}
