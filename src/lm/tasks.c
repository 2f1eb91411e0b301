/* Texts and problems for small language models. */
#include "lm/tasks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A text under construction, with its generator. */
typedef struct writing {
    nigh_rng rng;
    nigh_buffer *out;
    nigh_status status;
    int64_t clock; /* seconds, of logs */
} writing;

/* ---- grammars: $x is one of the alternatives of rule x, # a digit ------------------------------------------ */

static const char *const rules[128] = {
    ['a'] = "old|young|grey|silent|golden|hungry|proud|little|broken|quiet|bright|wild|tired|clever|cold",
    ['n'] = "king|miller|fox|sailor|child|baker|wolf|queen|shepherd|raven|tailor|soldier|bear|gardener|hunter|stranger|widow|smith",
    ['t'] = "lantern|ring|loaf of bread|kettle|boat|letter|key|sword|basket of apples|drum|map|cloak|bell|silver coin|rope|ladder",
    ['p'] = "forest|harbour|mill|market|castle|bridge|river|well|garden|tower|village|mountain|inn|orchard|cave",
    ['N'] = "Anna|Bertram|Clara|David|Edith|Felix|Greta|Henry|Ida|Jonas|Klara|Ludwig|Martha|Niklas",
    ['v'] = "found|carried|sold|hid|wanted|stole|mended|forgot|kept|lost|painted|buried",
    ['w'] = "walked to|ran to|looked at|waited near|slept in|came back from|sang in|dreamed of",
    ['d'] = "In the morning|At noon|In the evening|Late at night|On the third day|When the rain had stopped|Before the winter came|Long ago",
    ['q'] = "Where is my $t?|Give me the $t and I will help you.|I have seen the $n near the $p.|Nobody knows the way to the $p.|The $n is not what he seems.|"
            "Come with me to the $p.|I shall never sell the $t.|What would you do with a $t?",
    ['s'] = "The $a $n $v the $t.|$d the $n $w the $p.|$N said to the $n: \"$q\"|\"$q\" said $N.|$d $N $v a $t and $w the $p.|The $t was $a, but the $n $v it.|"
            "$N and $N $w the $p with the $a $n.|There was a $a $t in the $p, and nobody $v it.",
    ['h'] = "home|away|again|alone|no more|for you|in the rain|by the sea",
    ['l'] = "The $n $w the $p|I $v my $t $h|Oh $a $n, come $h|My $t is $a, my heart is $a|$d I $w the $p|They $v the $t $h",
    ['r'] = "So ring the bell, $N, ring the bell $h,\nand $n and $n will dance to the $p.\n|Row, my $a $n, row to the $p,\nthe $t will bring us $h.\n|"
            "Sing, $N, sing of the $a $n,\nsing of the $t that we $v $h.\n",
    ['i'] = "job #### finished in ## ms|job #### queued by $u|user $u logged in from 10.0.#.##|user $u logged out|GET /$f/#### 200 in # ms|"
            "GET /$f/index.html 304 in # ms|POST /$f 201 in ## ms|cache of $f holds ### entries",
    ['e'] = "cannot open /var/lib/$f/#.dat: no such file or directory|job #### failed with exit code #|GET /$f/#### 404 in # ms|connection to $f.local timed out after ## s",
    ['u'] = "anna|bertram|clara|david|edith|felix|greta|root",
    ['f'] = "orders|images|users|reports|stock|search",
    ['k'] = "tools|toys|books|food|garden|music",
    ['b'] = "true|false",
    ['z'] = "The grass is green. |The sky is blue. |The sun is yellow. |Here we go. |There and back again. ",
};

static void put(writing *w, const char *text, size_t size)
{
    if (!w->status) w->status = nigh_buffer_add(w->out, text, size);
}

/* One of the alternatives of a rule, by equal chance. */
static const char *choose(writing *w, const char *rule, size_t *size)
{
    uint64_t count = 1;
    for (const char *c = rule; *c; c++) count += *c == '|';
    uint64_t pick = nigh_rng_below(&w->rng, count);
    for (; pick; rule++) pick -= *rule == '|';
    *size = strcspn(rule, "|");
    return rule;
}

static void expand(writing *w, const char *text, size_t size)
{
    for (size_t i = 0, from = 0; i <= size; i++) {
        bool ends = i == size;
        if (!ends && text[i] != '$' && text[i] != '#') continue;
        put(w, text + from, i - from);
        if (ends) break;
        if (text[i] == '#') {
            char digit = (char)('0' + nigh_rng_below(&w->rng, 10));
            put(w, &digit, 1);
        } else {
            size_t length;
            const char *choice = choose(w, rules[(unsigned char)text[++i]], &length);
            expand(w, choice, length);
        }
        from = i + 1;
    }
}

static void write_rule(writing *w, const char *text) { expand(w, text, strlen(text)); }

/* ---- items ------------------------------------------------------------------------------------------------- */

static void write_paragraph(writing *w)
{
    uint64_t sentences = 4 + nigh_rng_below(&w->rng, 6);
    for (uint64_t i = 0; i < sentences; i++) write_rule(w, i + 1 < sentences ? "$s " : "$s\n\n");
}

static void write_log(writing *w)
{
    char text[64];
    w->clock += 1 + (int64_t)nigh_rng_below(&w->rng, 5);
    int day = (int)(w->clock / 86400 % 28) + 1, second = (int)(w->clock % 86400);
    int size = snprintf(text, sizeof text, "2031-04-%02d %02d:%02d:%02d ", day, second / 3600, second / 60 % 60, second % 60);
    put(w, text, (size_t)size);
    write_rule(w, nigh_rng_below(&w->rng, 8) ? "INFO $i\n" : "ERROR $e\n");
}

static void write_record(writing *w)
{
    write_rule(w, "{\"id\": 1###, \"name\": \"$a $n\", \"kind\": \"$k\", \"open\": $b, \"stock\": {\"place\": \"$p\", \"count\": 2#, \"price\": 1#.5#}}\n");
}

/* A line of a song begins with a capital and ends with a comma or a full stop; the refrain is made once. */
static void write_song(writing *w)
{
    nigh_buffer *song = w->out, refrain = {.ctx = song->ctx};
    w->out = &refrain;
    write_rule(w, "$r");
    w->out = song;
    write_rule(w, "THE SONG OF $N AND THE $n\n\n");
    uint64_t verses = 3 + nigh_rng_below(&w->rng, 3);
    for (uint64_t v = 0; v < verses; v++) {
        write_rule(w, "$l,\n$l,\n$l,\n$l.\n\n");
        put(w, refrain.data, refrain.size);
        put(w, "\n", 1);
    }
    nigh_buffer_free(&refrain);
}

static void write_sum(writing *w, int digits)
{
    char room[TASKS_SUM_ROOM];
    tasks_sum sum = tasks_sum_draw(&w->rng, digits);
    put(w, room, (size_t)tasks_sum_print(&sum, true, room));
    put(w, "\n", 1);
}

/* ---- sums -------------------------------------------------------------------------------------------------- */

tasks_sum tasks_sum_draw(nigh_rng *rng, int digits)
{
    uint64_t bound = 1;
    for (int i = 0; i < digits; i++) bound *= 10;
    tasks_sum sum = {.a = (int64_t)nigh_rng_below(rng, bound)};
    sum.b = (int64_t)nigh_rng_below(rng, bound);
    return sum;
}

int tasks_sum_print(const tasks_sum *sum, bool answered, char room[TASKS_SUM_ROOM])
{
    int size = snprintf(room, TASKS_SUM_ROOM, "%" PRId64 "+%" PRId64 "=", sum->a, sum->b);
    if (answered) size += snprintf(room + size, TASKS_SUM_ROOM - (size_t)size, "%" PRId64, sum->a + sum->b);
    return size;
}

/* A number at *at as its shortest decimal form; moves on behind it. */
static bool take_number(const char *text, size_t size, size_t *at, int64_t *value)
{
    size_t first = *at;
    for (*value = 0; *at < size && *at - first < 17 && text[*at] >= '0' && text[*at] <= '9'; ++*at) *value = *value * 10 + (text[*at] - '0');
    return *at > first && (text[first] != '0' || *at == first + 1);
}

bool tasks_sum_right(const char *text, size_t size)
{
    int64_t a, b, c;
    size_t at = 0;
    if (!take_number(text, size, &at, &a) || at >= size || text[at++] != '+') return false;
    if (!take_number(text, size, &at, &b) || at >= size || text[at++] != '=') return false;
    return take_number(text, size, &at, &c) && at == size && a + b == c;
}

/* ---- a key in a haystack ----------------------------------------------------------------------------------- */

static void write_filler(writing *w, size_t size)
{
    for (size_t first = w->out->size; !w->status && w->out->size - first < size;) write_rule(w, "$z");
}

nigh_status tasks_passkey(nigh_rng *rng, int digits, size_t before, size_t after, nigh_buffer *out, int64_t *key)
{
    writing w = {.rng = *rng, .out = out};
    int64_t low = 1;
    for (int i = 1; i < digits; i++) low *= 10;
    int64_t n = low + (int64_t)nigh_rng_below(&w.rng, (uint64_t)(9 * low));
    char text[128];
    write_filler(&w, before);
    int size = snprintf(text, sizeof text, "The pass key is %" PRId64 ". Remember it. %" PRId64 " is the pass key. ", n, n);
    put(&w, text, (size_t)size);
    write_filler(&w, after);
    write_rule(&w, "What is the pass key? The pass key is ");
    *rng = w.rng;
    if (!w.status) *key = n;
    return w.status;
}

static void write_key(writing *w, int digits)
{
    char answer[32];
    int64_t key = 0;
    size_t before = nigh_rng_below(&w->rng, 65), after = nigh_rng_below(&w->rng, 65);
    if (!w->status) w->status = tasks_passkey(&w->rng, digits, before, after, w->out, &key);
    put(w, answer, (size_t)snprintf(answer, sizeof answer, "%" PRId64 ".\n", key));
}

/* ---- whole texts ------------------------------------------------------------------------------------------- */

nigh_status tasks_text(tasks_kind kind, uint64_t seed, int digits, size_t size, nigh_buffer *out)
{
    writing w = {.rng = nigh_rng_new(seed, (uint64_t)kind), .out = out};
    size_t first = out->size;
    while (!w.status && out->size - first < size) switch (kind) {
        case TASKS_SUMS: write_sum(&w, digits); break;
        case TASKS_STORY: write_paragraph(&w); break;
        case TASKS_LOG: write_log(&w); break;
        case TASKS_JSON: write_record(&w); break;
        case TASKS_KEY: write_key(&w, digits); break;
        default: write_song(&w); break;
        }
    return w.status;
}
