/* See words.h. Damerau-Levenshtein distance, optimal string alignment. */
#include "core/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST = 64 };

int word_distance(const char *a, size_t n, const char *b, size_t m)
{
    if (n > MOST || m > MOST) return MOST;
    int rows[3][MOST + 1];
    for (size_t j = 0; j <= m; j++) rows[0][j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && above2[j - 2] + 1 < best)
                best = above2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *word_nearer(const char *word, size_t size, const char *other, const char *best)
{
    int distance = word_distance(word, size, other, strlen(other));
    int far = (int)size / 3 + 1;
    if (distance > far) return best;
    return !best || distance < word_distance(word, size, best, strlen(best)) ? other : best;
}

void number_text(double value, bool single, char text[32])
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, value);
        if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value) return;
    }
}

bool word_ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcasecmp(text + n - m, end) == 0;
}

bool word_listed(const char *list, const char *name)
{
    size_t size = strlen(name);
    for (const char *p = list; p && *p;) {
        size_t word = strcspn(p, ",");
        if (word == size && strncmp(p, name, size) == 0) return true;
        p += word + (p[word] == ',');
    }
    return !list;
}
