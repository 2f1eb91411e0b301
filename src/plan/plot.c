/* The frame of a plot and its marks. See plot.h. */
#include "plan/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 440, HEIGHT = 300, LOW_HEIGHT = 170, LEFT = 72, RIGHT = 16, TOP = 16, BOTTOM = 48, TICKS_X = 6, TICKS_Y = 7, TICKS_LOW = 4, LABEL_ROOM = 34 };
static const double letter_width = 6.4, letter_height = 13;

nigh_status nigh_html_text(nigh_buffer *html, const char *text, size_t room)
{
    nigh_status s = NIGH_OK;
    size_t letters = 0;
    for (const unsigned char *c = (const unsigned char *)(text ? text : ""); !s && *c; c++) {
        bool starts = (*c & 0xc0) != 0x80;
        if (starts && letters++ == room) return nigh_buffer_add(html, "\u2026", strlen("\u2026"));
        switch (*c) {
        case '&': s = nigh_buffer_add(html, "&amp;", 5); break;
        case '<': s = nigh_buffer_add(html, "&lt;", 4); break;
        case '>': s = nigh_buffer_add(html, "&gt;", 4); break;
        case '"': s = nigh_buffer_add(html, "&quot;", 6); break;
        case '\'': s = nigh_buffer_add(html, "&#39;", 5); break;
        default: s = nigh_buffer_add(html, *c < 0x20 || *c == 0x7f ? (const unsigned char *)" " : c, 1);
        }
    }
    return s;
}

/* ---- writing with the first failure kept ---- */

static void put(nigh_plot *plot, const char *format, ...) NIGH_PRINTF(2, 3);
static void put(nigh_plot *plot, const char *format, ...)
{
    char line[512];
    if (plot->status) return;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof line) plot->status = nigh_fail(plot->html->ctx, NIGH_INTERNAL, "a piece of a plot is too long");
    else plot->status = nigh_buffer_add(plot->html, line, (size_t)size);
}

static void put_text(nigh_plot *plot, const char *text, size_t room)
{
    if (!plot->status) plot->status = nigh_html_text(plot->html, text, room);
}

/* A coordinate to a tenth of a unit, whatever the locale: at most 5 figures. */
typedef struct coordinate {
    char text[24];
} coordinate;

static coordinate at(double value)
{
    coordinate c;
    long tenths = lround(value * 10);
    snprintf(c.text, sizeof c.text, "%s%ld.%ld", tenths < 0 ? "-" : "", labs(tenths) / 10, labs(tenths) % 10);
    return c;
}

/* Closes an element, with a text to show on hover where there is one. */
static void close_element(nigh_plot *plot, const char *element, const char *title)
{
    if (!title || !*title) {
        put(plot, "/>");
        return;
    }
    put(plot, "><title>");
    put_text(plot, title, 400);
    put(plot, "</title></%s>", element);
}

/* ---- data to view box ---- */

static double along(const nigh_axis *axis, double value)
{
    double share = axis->log ? value <= 0 ? 0 : (log(value) - log(axis->low)) / (log(axis->high) - log(axis->low))
                             : (value - axis->low) / (axis->high - axis->low);
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

static double x_at(const nigh_plot *p, double x) { return p->area.left + along(&p->x, x) * (p->area.right - p->area.left); }
static double y_at(const nigh_plot *p, double y) { return p->area.bottom - along(&p->y, y) * (p->area.bottom - p->area.top); }

static void take(nigh_plot *plot, nigh_plot_box box)
{
    if (plot->boxes < NIGH_PLOT_BOXES) plot->taken[plot->boxes++] = box;
}

static bool is_free(const nigh_plot *plot, nigh_plot_box b)
{
    if (b.left < plot->area.left || b.right > plot->area.right || b.top < plot->area.top || b.bottom > plot->area.bottom) return false;
    for (int i = 0; i < plot->boxes; i++) {
        const nigh_plot_box *t = &plot->taken[i];
        if (b.left < t->right && t->left < b.right && b.top < t->bottom && t->top < b.bottom) return false;
    }
    return true;
}

/* ---- frame ---- */

static size_t letters_of(const char *text)
{
    size_t letters = 0;
    for (; *text; text++) letters += ((unsigned char)*text & 0xc0) != 0x80;
    return letters < LABEL_ROOM ? letters : LABEL_ROOM;
}

static void put_ticks(nigh_plot *plot)
{
    double ticks[NIGH_TICKS_MAX];
    char text[48];
    int count = nigh_axis_ticks(&plot->x, TICKS_X, ticks), most = plot->area.bottom - plot->area.top < 150 ? TICKS_LOW : TICKS_Y;
    for (int i = 0; i < count; i++) {
        double x = x_at(plot, ticks[i]);
        put(plot, "<path class=\"grid\" d=\"M%s %sV%s\"/>", at(x).text, at(plot->area.top).text, at(plot->area.bottom).text);
        nigh_axis_text(&plot->x, ticks[i], text);
        bool last = x + 0.5 * letter_width * (double)letters_of(text) > WIDTH - 4; /* a centred text would leave the picture */
        put(plot, "<text class=\"tick\" text-anchor=\"%s\" x=\"%s\" y=\"%s\">", last ? "end" : "middle", at(last ? WIDTH - 2 : x).text,
            at(plot->area.bottom + 17).text);
        put_text(plot, text, 24);
        put(plot, "</text>");
    }
    count = nigh_axis_ticks(&plot->y, most, ticks);
    for (int i = 0; i < count; i++) {
        double y = y_at(plot, ticks[i]);
        put(plot, "<path class=\"grid\" d=\"M%s %sH%s\"/>", at(plot->area.left).text, at(y).text, at(plot->area.right).text);
        put(plot, "<text class=\"tick\" text-anchor=\"end\" x=\"%s\" y=\"%s\">", at(plot->area.left - 6).text, at(y + 4).text);
        put_text(plot, nigh_axis_text(&plot->y, ticks[i], text), 24);
        put(plot, "</text>");
    }
}

static void begin(nigh_plot *plot, nigh_buffer *html, const char *title, const nigh_axis *x, const nigh_axis *y, int height)
{
    *plot = (nigh_plot){.html = html, .x = *x, .y = *y, .area = {LEFT, TOP, WIDTH - RIGHT, height - BOTTOM}};
    put(plot, "<svg class=\"plot\" role=\"img\" viewBox=\"0 0 %d %d\" aria-label=\"", WIDTH, height);
    put_text(plot, title, 400);
    put(plot, "\">");
    put_ticks(plot);
    put(plot, "<path class=\"axis\" d=\"M%s %sV%sH%s\"/>", at(plot->area.left).text, at(plot->area.top).text, at(plot->area.bottom).text,
        at(plot->area.right).text);
    put(plot, "<text class=\"name\" text-anchor=\"middle\" x=\"%s\" y=\"%d\">", at((plot->area.left + plot->area.right) / 2).text, height - 10);
    put_text(plot, x->label, 60);
    put(plot, "</text><text class=\"name\" text-anchor=\"middle\" transform=\"translate(12 %s) rotate(-90)\">",
        at((plot->area.top + plot->area.bottom) / 2).text);
    put_text(plot, y->label, 44);
    put(plot, "</text>");
}

void nigh_plot_begin(nigh_plot *plot, nigh_buffer *html, const char *title, const nigh_axis *x, const nigh_axis *y) { begin(plot, html, title, x, y, HEIGHT); }

void nigh_plot_begin_low(nigh_plot *plot, nigh_buffer *html, const char *title, const nigh_axis *x, const nigh_axis *y) { begin(plot, html, title, x, y, LOW_HEIGHT); }

nigh_status nigh_plot_end(nigh_plot *plot)
{
    put(plot, "</svg>");
    return plot->status;
}

/* ---- marks ---- */

static void path(nigh_plot *plot, const char *classes, const char *kind, int64_t n, const double *x, const double *y, bool steps,
                 const char *title)
{
    put(plot, "<path class=\"%s %s\" d=\"", kind, classes);
    bool down = false;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i])) {
            down = false;
            continue;
        }
        double px = x_at(plot, x[i]), py = y_at(plot, y[i]);
        if (!down) put(plot, "M%s %s", at(px).text, at(py).text);
        else if (steps) put(plot, "H%sV%s", at(px).text, at(py).text);
        else put(plot, "L%s %s", at(px).text, at(py).text);
        down = true;
    }
    put(plot, "\"");
    close_element(plot, "path", title);
}

void nigh_plot_line(nigh_plot *plot, const char *classes, int64_t n, const double *x, const double *y, const char *title)
{
    path(plot, classes, "line", n, x, y, false, title);
}

void nigh_plot_steps(nigh_plot *plot, const char *classes, int64_t n, const double *x, const double *y, const char *title)
{
    path(plot, classes, "line", n, x, y, true, title);
}

void nigh_plot_band(nigh_plot *plot, const char *classes, int64_t n, const double *x, const double *low, const double *high)
{
    put(plot, "<path class=\"band %s\" d=\"", classes);
    bool down = false;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i]) && isfinite(low[i]) && isfinite(high[i])) {
            put(plot, "%s%s %s", down ? "L" : "M", at(x_at(plot, x[i])).text, at(y_at(plot, high[i])).text);
            down = true;
        }
    for (int64_t i = n - 1; i >= 0; i--)
        if (isfinite(x[i]) && isfinite(low[i]) && isfinite(high[i]))
            put(plot, "L%s %s", at(x_at(plot, x[i])).text, at(y_at(plot, low[i])).text);
    put(plot, "%s\"/>", down ? "Z" : "");
}

void nigh_plot_bar(nigh_plot *plot, const char *classes, double left, double right, double height, const char *title)
{
    if (!isfinite(left) || !isfinite(right) || !isfinite(height)) return;
    double base = y_at(plot, plot->y.log ? plot->y.low : 0), top = y_at(plot, height), from = x_at(plot, left), to = x_at(plot, right);
    put(plot, "<rect class=\"bar %s\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"", classes, at(from).text, at(fmin(base, top)).text,
        at(fmax(to - from - 0.6, 0.4)).text, at(fabs(base - top)).text);
    close_element(plot, "rect", title);
}

void nigh_plot_mark(nigh_plot *plot, const char *classes, nigh_mark mark, double x, double y, const char *title)
{
    if (!isfinite(x) || !isfinite(y)) return;
    double px = x_at(plot, x), py = y_at(plot, y);
    static const char *const shapes[] = {
        [NIGH_MARK_DISC] = "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z",       [NIGH_MARK_RING] = "M-6.5 0a6.5 6.5 0 1 0 13 0a6.5 6.5 0 1 0-13 0Z",
        [NIGH_MARK_SQUARE] = "M-3.5-3.5h7v7h-7Z",                       [NIGH_MARK_TRIANGLE] = "M0-4.6L4.4 3.4h-8.8Z",
        [NIGH_MARK_DIAMOND] = "M0-5.4L5.4 0L0 5.4L-5.4 0Z",             [NIGH_MARK_CROSS] = "M-3.4-3.4l6.8 6.8M3.4-3.4l-6.8 6.8",
    };
    bool open = mark == NIGH_MARK_RING || mark == NIGH_MARK_CROSS;
    put(plot, "<path class=\"%s %s\" transform=\"translate(%s %s)\" d=\"%s\"", open ? "mark open" : "mark", classes, at(px).text, at(py).text,
        shapes[mark]);
    close_element(plot, "path", title);
    take(plot, (nigh_plot_box){px - 5, py - 5, px + 5, py + 5});
}

void nigh_plot_dots(nigh_plot *plot, const char *classes, double width, int64_t n, const double *x, const double *y)
{
    put(plot, "<path class=\"dots %s\" stroke-width=\"%s\" d=\"", classes, at(width).text);
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i]) && isfinite(y[i])) put(plot, "M%s %sh0", at(x_at(plot, x[i])).text, at(y_at(plot, y[i])).text);
    put(plot, "\"/>");
}

/* `ends`: anchored at its right end, for texts left of something; a larger font (phones) then grows away from it. */
static bool label_at(nigh_plot *plot, const char *classes, double left, double base, const char *text, bool ends)
{
    nigh_plot_box box = {left, base - letter_height + 2, left + letter_width * (double)letters_of(text), base + 3};
    if (!is_free(plot, box)) return false;
    take(plot, box);
    put(plot, "<text class=\"label %s\"%s x=\"%s\" y=\"%s\">", classes, ends ? " text-anchor=\"end\"" : "", at(ends ? box.right : left).text,
        at(base).text);
    put_text(plot, text, LABEL_ROOM - 1);
    put(plot, "</text>");
    return true;
}

bool nigh_plot_label(nigh_plot *plot, const char *classes, double x, double y, const char *text)
{
    if (!isfinite(x) || !isfinite(y) || !text) return false;
    double px = x_at(plot, x), py = y_at(plot, y), width = letter_width * (double)letters_of(text);
    const double places[][2] = {{px + 8, py + 4},          {px - 8 - width, py + 4},   {px - width / 2, py - 9},  {px - width / 2, py + 18},
                                {px + 6, py - 8},          {px + 6, py + 17},          {px - 6 - width, py - 8},  {px - 6 - width, py + 17},
                                {px - width / 2, py - 24}, {px - width / 2, py + 33},  {px + 14, py - 20},        {px - 14 - width, py + 29},
                                {px + 14, py + 29},        {px - 14 - width, py - 20}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (label_at(plot, classes, places[i][0], places[i][1], text, places[i][0] + width < px)) return true;
    return false;
}

void nigh_plot_level(nigh_plot *plot, const char *classes, double y, const char *text)
{
    if (!isfinite(y)) return;
    double py = y_at(plot, y);
    put(plot, "<path class=\"rule %s\" d=\"M%s %sH%s\"/>", classes, at(plot->area.left).text, at(py).text, at(plot->area.right).text);
    if (!text) return;
    double width = letter_width * (double)letters_of(text);
    for (double left = plot->area.right - width - 3; left > plot->area.left; left -= 20) /* above or below the line, as far right as there is room */
        if (label_at(plot, classes, left, py - 5, text, true) || label_at(plot, classes, left, py + 14, text, true)) break;
    take(plot, (nigh_plot_box){plot->area.left, py - 1, plot->area.right, py + 1});
}

void nigh_plot_upright(nigh_plot *plot, const char *classes, double x, const char *text)
{
    if (!isfinite(x)) return;
    double px = x_at(plot, x);
    put(plot, "<path class=\"rule %s\" d=\"M%s %sV%s\"/>", classes, at(px).text, at(plot->area.top).text, at(plot->area.bottom).text);
    if (!text) return;
    double width = letter_width * (double)letters_of(text);
    for (double base = plot->area.top + letter_height; base < plot->area.bottom; base += letter_height + 2)
        if (label_at(plot, classes, px + 5, base, text, false) || label_at(plot, classes, px - 5 - width, base, text, true)) break;
    take(plot, (nigh_plot_box){px - 1, plot->area.top, px + 1, plot->area.bottom});
}
