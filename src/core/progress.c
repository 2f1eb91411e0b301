/* The progress bar. Declared in nigh/progress.h. */
#include "nigh/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WHAT_ROOM = 64, NOTE_ROOM = 32, LINE_ROOM = 4096 };

struct nigh_bar {
    nigh_context *ctx;
    FILE *file;
    nigh_bar_options options; /* defaults filled in */
    char what[WHAT_ROOM], note[NOTE_ROOM]; /* the note with the spaces before it */
    double begun, shown;     /* when this work began, when it was last drawn */
    double wrote;            /* when the last plain line was written, of any work */
    double last_time, last_done;
    double rate, weight;     /* smoothed steps per second; the share of it that rests on measurements */
    int steps;
    bool drawn; /* a line stands there to be erased */
};

static double clock_of_machine(void *user)
{
    (void)user;
    return nigh_clock();
}

static bool speaks_utf8(void)
{
    const char *set = getenv("LC_ALL");
    if (!set || !set[0]) set = getenv("LC_CTYPE");
    if (!set || !set[0]) set = getenv("LANG");
    return set && (strcasestr(set, "utf-8") || strcasestr(set, "utf8"));
}

static bool is_terminal(FILE *file)
{
    int fd = fileno(file); /* -1 for a file in memory */
    const char *kind = getenv("TERM");
    return fd >= 0 && isatty(fd) && !(kind && strcmp(kind, "dumb") == 0);
}

nigh_status nigh_bar_new(nigh_context *ctx, FILE *file, const nigh_bar_options *options, nigh_bar **out)
{
    nigh_bar_options o = options ? *options : (nigh_bar_options){0};
    if (o.columns && (o.columns < 20 || o.columns > 1000))
        return nigh_fail(ctx, NIGH_INVALID, "columns is %d; 20 to 1000 is allowed, 0 asks the terminal", o.columns);
    nigh_bar *bar = nigh_alloc_zero(ctx, 1, sizeof *bar);
    if (!bar) return NIGH_MEMORY;
    if (!o.terminal) o.terminal = is_terminal(file) ? 1 : -1;
    if (!o.text) o.text = speaks_utf8() ? 1 : -1;
    if (o.delay == 0) o.delay = 0.5;
    if (o.every == 0) o.every = o.terminal > 0 ? 0.1 : 5;
    if (!o.clock) o.clock = clock_of_machine;
    bar->ctx = ctx;
    bar->file = file;
    bar->options = o;
    bar->begun = -INFINITY; /* not yet */
    bar->wrote = o.clock(o.user);
    *out = bar;
    return NIGH_OK;
}

static int columns_now(const nigh_bar *bar)
{
    struct winsize size;
    if (bar->options.columns) return bar->options.columns;
    int fd = fileno(bar->file);
    if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col < 20) return 80;
    return size.ws_col > 1000 ? 1000 : size.ws_col;
}

/* ---- measuring ---- */

static void begin(nigh_bar *bar, const char *what, double now, double done)
{
    size_t length = strcspn(what, "\t");
    if (length >= WHAT_ROOM)
        for (length = WHAT_ROOM - 1; length && ((unsigned char)what[length] & 0xc0) == 0x80;) length--;
    memcpy(bar->what, what, length);
    bar->what[length] = 0;
    bar->begun = bar->last_time = now;
    bar->shown = -INFINITY;
    bar->last_done = done;
    bar->rate = bar->weight = 0;
    bar->steps = 0;
}

/* The name kept may be the beginning of a long one. */
static bool same_work(const nigh_bar *bar, const char *what)
{
    size_t kept = strlen(bar->what);
    return !isinf(bar->begun) && strncmp(what, bar->what, kept) == 0 && (!what[kept] || what[kept] == '\t' || kept >= WHAT_ROOM - 4);
}

/*
 * Exponential smoothing in time: a measurement over dt weighs 1 - exp(-dt / window). The window grows with the time spent, so
 * that the estimate settles, and follows when the work changes its pace. weight corrects for the start from zero.
 */
static void measure(nigh_bar *bar, double now, double done)
{
    double dt = now - bar->last_time;
    if (dt < 0.02 && bar->steps) return; /* gather what comes faster */
    if (!(dt > 0)) return;
    double window = fmax(1, 0.1 * (now - bar->begun)), keep = exp(-dt / window);
    bar->rate = keep * bar->rate + (1 - keep) * (done - bar->last_done) / dt;
    bar->weight = keep * bar->weight + 1 - keep;
    bar->last_time = now;
    bar->last_done = done;
    bar->steps++;
}

/* ---- drawing ---- */

typedef struct line {
    char text[LINE_ROOM];
    size_t size;
    int columns; /* that it takes on the screen */
} line;

/* What a terminal would act on is shown as '?'; whole UTF-8 characters count one column. */
static void put(line *l, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p && l->size + 1 < LINE_ROOM; p++) {
        l->text[l->size++] = (char)(*p < ' ' || *p == 127 ? '?' : *p);
        l->columns += (*p & 0xc0) != 0x80;
    }
    l->text[l->size] = 0;
}

static void put_count(char *room, size_t size, double x)
{
    static const char unit[] = " kMGTPE";
    int k = 0;
    while (x >= 9999.5 && unit[k + 1]) x /= 1000, k++;
    if (k)
        snprintf(room, size, "%.3g %c", x, unit[k]);
    else
        snprintf(room, size, x >= 100 || x == floor(x) ? "%.0f" : "%.3g", x);
}

static void put_time(char *room, size_t size, double seconds)
{
    double s = round(seconds);
    if (s < 60)
        snprintf(room, size, "%.0f s", s);
    else if (s < 3600)
        snprintf(room, size, "%d:%02d min", (int)s / 60, (int)s % 60);
    else if (s < 360000)
        snprintf(room, size, "%d:%02d h", (int)s / 3600, (int)s % 3600 / 60);
    else
        snprintf(room, size, "%.0f days", s / 86400);
}

/* " 42%  1.2 k/s  3:10 min left" */
static void figures(const nigh_bar *bar, double now, double done, double total, char *room, size_t size)
{
    char rate[32] = "", left[48] = "", part[32];
    bool measured = bar->weight > 0 && bar->rate > 0;
    double pace = measured ? bar->rate / bar->weight : 0;
    if (measured) {
        put_count(part, sizeof part, pace);
        snprintf(rate, sizeof rate, "  %.20s/s", part);
    }
    if (total > 0 && done >= total) {
        put_time(part, sizeof part, now - bar->begun);
        snprintf(left, sizeof left, "  done in %s", part);
    } else if (total > 0 && measured && bar->steps >= 3) {
        put_time(part, sizeof part, (total - done) / pace);
        snprintf(left, sizeof left, "  %s left", part);
    }
    if (total > 0)
        snprintf(room, size, "%3.0f%%%s%s", 100 * fmin(1, fmax(0, done / total)), rate, left);
    else
        put_count(part, sizeof part, done), snprintf(room, size, "%s%s", part, rate);
}

/* A bar of `width` columns: eighths of a block in UTF-8, '#' and '-' in ASCII. */
static void put_bar(line *l, int width, double share, bool utf8)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int cells = (int)floor(share * width * 8 + 1e-9), full = cells / 8, part = cells % 8;
    put(l, utf8 ? "▕" : "[");
    for (int i = 0; i < width; i++)
        if (i < full)
            put(l, utf8 ? "█" : "#");
        else if (utf8)
            put(l, i == full && part ? eighths[part] : " ");
        else
            put(l, "-");
    put(l, utf8 ? "▏" : "]");
}

static void draw_line(nigh_bar *bar, double now, double done, double total)
{
    line l = {.size = 0};
    char tail[128];
    figures(bar, now, done, total, tail, sizeof tail);
    int columns = columns_now(bar) - 1; /* the last column would wrap on some terminals */
    put(&l, bar->what);
    put(&l, " ");
    int room = columns - l.columns - (int)strlen(tail) - (int)strlen(bar->note) - 3;
    if (total > 0 && room >= 6) put_bar(&l, room < 40 ? room : 40, fmin(1, fmax(0, done / total)), bar->options.text > 0);
    put(&l, " ");
    put(&l, tail);
    put(&l, bar->note);
    if (l.columns > columns) { /* cut behind the last whole character that fits */
        int seen = 0;
        size_t cut = 0;
        while (cut < l.size && (seen += ((unsigned char)l.text[cut] & 0xc0) != 0x80) <= columns) cut++;
        l.text[cut] = 0;
    }
    fprintf(bar->file, "\r\033[K%s", l.text);
    fflush(bar->file);
    bar->drawn = true;
}

static void write_line(nigh_bar *bar, double now, double done, double total)
{
    line l = {.size = 0};
    char tail[128];
    figures(bar, now, done, total, tail, sizeof tail);
    put(&l, bar->what);
    put(&l, ": ");
    put(&l, tail + strspn(tail, " "));
    put(&l, bar->note);
    fprintf(bar->file, "%s\n", l.text);
    fflush(bar->file);
}

void nigh_bar_show(void *user, const char *what, double done, double total)
{
    nigh_bar *bar = user;
    double now = bar->options.clock(bar->options.user);
    if (!what) what = "";
    if (!(done >= 0)) done = 0;
    if (!same_work(bar, what) || done < bar->last_done) {
        nigh_bar_hide(bar);
        begin(bar, what, now, done);
    }
    const char *note = strchr(what, '\t');
    snprintf(bar->note, sizeof bar->note, "%s%s", note ? "  " : "", note ? note + 1 : "");
    measure(bar, now, done);
    bool finished = total > 0 && done >= total, terminal = bar->options.terminal > 0;
    if (now - bar->begun < bar->options.delay) return;
    if (finished && terminal) {
        nigh_bar_hide(bar);
        return;
    }
    double since = terminal ? now - bar->shown : now - bar->wrote; /* many short works in a row show a line now and then, too */
    if (since < bar->options.every && !(finished && !isinf(bar->shown))) return;
    bar->shown = now;
    if (terminal)
        draw_line(bar, now, done, total);
    else
        write_line(bar, now, done, total), bar->wrote = now;
}

void nigh_bar_hide(nigh_bar *bar)
{
    if (!bar || !bar->drawn) return;
    fputs("\r\033[K", bar->file);
    fflush(bar->file);
    bar->drawn = false;
}

void nigh_bar_free(nigh_bar *bar)
{
    if (!bar) return;
    nigh_bar_hide(bar);
    nigh_free(bar->ctx, bar);
}
