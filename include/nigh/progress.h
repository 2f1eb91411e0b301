/*
 * nigh/progress.h: a ready-made display for nigh_context_set_progress.
 *
 *   nigh_bar *bar;
 *   nigh_bar_new(ctx, stderr, NULL, &bar);
 *   nigh_context_set_progress(ctx, nigh_bar_show, bar);
 *   ... work ...
 *   nigh_bar_free(bar);
 *
 * On a terminal one line is drawn over and over: what is done, a bar, per cent, steps per second and the time left; it is
 * erased at the end. Elsewhere (a log file, a pipe) there are plain lines, one every few seconds. Work that is done within
 * the delay shows nothing at all.
 *
 * The time left divides what is left by a rate that is smoothed over the last tenth of the work or so, and is shown only once
 * it rests on some measurements.
 */
#ifndef NIGH_PROGRESS_H
#define NIGH_PROGRESS_H
#include "nigh/core.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nigh_bar nigh_bar;

/* Zero in a field asks for its default. */
typedef struct nigh_bar_options {
    int terminal;  /* 1 yes, -1 no; default: whether the file is a terminal (and TERM is not "dumb")        */
    int text;      /* 1 UTF-8, -1 ASCII; default: the character set of LC_ALL, LC_CTYPE or LANG            */
    int columns;   /* 20 to 1000; default: asked of the terminal at every drawing, else 80                 */
    double delay;  /* seconds before anything is shown; default 0.5 (negative: none)                       */
    double every;  /* seconds between drawings; default 0.1 on a terminal, 5 elsewhere (negative: always)  */
    double (*clock)(void *user); /* seconds; default nigh_clock */
    void *user;
} nigh_bar_options;

/* file is borrowed and must outlive the bar. options may be NULL. NIGH_INVALID: columns out of range; NIGH_MEMORY. */
NIGH_API nigh_status nigh_bar_new(nigh_context *ctx, FILE *file, const nigh_bar_options *options, nigh_bar **bar);

/* A nigh_progress_fn; `bar` is the nigh_bar. A new `what` (up to its tab), or a `done` that went back, begins a new measurement. The note behind a tab stands at the end of the line. */
NIGH_API void nigh_bar_show(void *bar, const char *what, double done, double total);

/* Erases the line, so that something else can be written; the next step draws it again. NULL is fine. */
NIGH_API void nigh_bar_hide(nigh_bar *bar);

/* Hides and frees. NULL is fine. Call nigh_context_set_progress(ctx, NULL, NULL) first when the context lives on. */
NIGH_API void nigh_bar_free(nigh_bar *bar);

#ifdef __cplusplus
}
#endif
#endif
