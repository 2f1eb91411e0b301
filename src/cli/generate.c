/* nigh generate: answers of a language model. */
#include "cli/lm.h"
#include "core/file.h"
#include "core/json.h"
#include "nigh/controlled.h"
#include "nigh/generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_STOPS = 16, MOST_TEXT = 1 << 28, MOST_SCHEMA = 1 << 24 };

typedef struct arguments {
    const char *model, *prompt, *prompt_file, *system, *drafts, *trie, *kv, *regex, *schema, *grammar, *rule, *stop;
    int64_t most, top_k, penalty_window, particles, top, context;
    double temperature, top_p, min_p, typical, repeat, presence, frequency;
    bool chat, raw, past_end;
    nigh_lm_infinite stream;
} arguments;

typedef struct work {
    nigh_context *ctx;
    const arguments *a;
    nigh_lm *lm;
    nigh_cache *cache;
    nigh_lookahead *lookahead;
    nigh_constraint *constraint;
    nigh_token_list prompt;
    const char *stop[MOST_STOPS];
    int stops;
    char *stop_text;
    bool broken; /* standard output is gone */
} work;

/* ---- files ------------------------------------------------------------------------------------------------- */

/* The text itself, or with @FILE that file's. */
static nigh_status text_or_file(nigh_context *ctx, const char *text, size_t cap, char **data, size_t *size)
{
    if (*text == '@') return nigh_file_read(ctx, text + 1, cap, data, size);
    *data = nigh_strdup(ctx, text);
    *size = strlen(text);
    return *data ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status read_constraint(work *w)
{
    const arguments *a = w->a;
    const char *const all[] = {a->regex, a->schema, a->grammar, a->rule};
    int given = 0;
    for (int i = 0; i < 4; i++) given += all[i] != NULL;
    if (!given) return NIGH_OK;
    if (given > 1) return nigh_fail(w->ctx, NIGH_INVALID, "--regex, --json-schema, --grammar and --rule: one of them is allowed");
    if (a->rule) return nigh_constraint_program(w->ctx, a->rule, &w->constraint);
    if (a->regex) return nigh_constraint_regex(w->ctx, a->regex, 0, &w->constraint);
    char *data;
    size_t size;
    nigh_status status = text_or_file(w->ctx, a->schema ? a->schema : a->grammar, MOST_SCHEMA, &data, &size);
    if (status) return status;
    status = a->schema ? nigh_constraint_json_schema(w->ctx, data, size, false, &w->constraint) : nigh_constraint_grammar(w->ctx, data, size, &w->constraint);
    nigh_free(w->ctx, data);
    return nigh_within(w->ctx, status, a->schema ? "--json-schema" : "--grammar");
}

/* Several stops are parted by a bar; \n, \t, \| and \\ are what they look like. */
static nigh_status read_stops(work *w)
{
    if (!w->a->stop) return NIGH_OK;
    char *to = w->stop_text = nigh_strdup(w->ctx, w->a->stop);
    if (!to) return NIGH_MEMORY;
    w->stop[w->stops++] = to;
    for (const char *from = w->a->stop; *from; from++) {
        if (*from == '|') {
            *to++ = 0;
            if (w->stops == MOST_STOPS) return nigh_fail(w->ctx, NIGH_INVALID, "--stop has more than %d texts", MOST_STOPS);
            w->stop[w->stops++] = to;
        } else if (*from == '\\' && from[1]) {
            from++;
            *to++ = *from == 'n' ? '\n' : *from == 't' ? '\t' : *from;
        } else *to++ = *from;
    }
    *to = 0;
    for (int i = 0; i < w->stops; i++)
        if (!*w->stop[i]) return nigh_fail(w->ctx, NIGH_INVALID, "--stop '%s' has an empty text", w->a->stop);
    return NIGH_OK;
}

/* The prompt as the model is to see it: rendered by its chat template where it has one. */
static nigh_status read_prompt(work *w)
{
    const arguments *a = w->a;
    const nigh_tokenizer *t = nigh_lm_tokenizer(w->lm);
    char *text = NULL;
    size_t size = 0;
    nigh_buffer rendered = {.ctx = w->ctx};
    nigh_status status = NIGH_OK;
    if (a->prompt_file) status = nigh_file_read(w->ctx, a->prompt_file, MOST_TEXT, &text, &size);
    else if (a->prompt && strcmp(a->prompt, "-")) status = (text = nigh_strdup(w->ctx, a->prompt)) ? (size = strlen(text), NIGH_OK) : NIGH_MEMORY;
    else status = nigh_file_read(w->ctx, "-", MOST_TEXT, &text, &size);
    bool chat = !a->raw && (a->chat || a->system || nigh_tokenizer_chat_template(t));
    if (!status && chat) {
        nigh_chat_message messages[2] = {{"system", a->system}, {"user", text}};
        if (memchr(text, 0, size)) status = nigh_fail(w->ctx, NIGH_INVALID, "the prompt holds a zero byte; --raw takes any bytes");
        else status = nigh_chat_render(w->ctx, t, NULL, messages + !a->system, 1 + (a->system != NULL), true, &rendered);
        if (!status) status = nigh_tokenize(t, rendered.data, rendered.size, NIGH_TOKENS_SPECIAL, &w->prompt);
    } else if (!status) status = nigh_tokenize(t, text, size, NIGH_TOKENS_BEGIN, &w->prompt);
    if (!status && !w->prompt.count) {
        int32_t begin = nigh_tokenizer_begin(t) >= 0 ? nigh_tokenizer_begin(t) : nigh_tokenizer_end(t);
        status = begin < 0 ? nigh_fail(w->ctx, NIGH_INVALID, "the prompt is empty; one token is needed") : nigh_token_list_add(&w->prompt, &begin, 1);
    }
    nigh_buffer_free(&rendered);
    nigh_free(w->ctx, text);
    return status;
}

/* ---- settings ----------------------------------------------------------------------------------------------- */

static nigh_status read_kv(const work *w, nigh_kv_type *type)
{
    static const char *const names[] = {"f16", "f32", "q8"};
    for (int i = 0; w->a->kv && i < 3; i++)
        if (!strcmp(w->a->kv, names[i])) return *type = (nigh_kv_type)i, NIGH_OK;
    return w->a->kv ? nigh_fail(w->ctx, NIGH_INVALID, "--kv is '%s'; f16, f32 and q8 are allowed", w->a->kv) : NIGH_OK;
}

static nigh_status read_drafts(const work *w, nigh_draft_use *use)
{
    const char *d = w->a->drafts;
    *use = NIGH_DRAFTS_AUTO;
    if (!d || !strcmp(d, "auto")) return NIGH_OK;
    if (strcmp(d, "on") && strcmp(d, "off")) return nigh_fail(w->ctx, NIGH_INVALID, "--drafts is '%s'; auto, on and off are allowed", d);
    *use = strcmp(d, "on") ? NIGH_DRAFTS_OFF : NIGH_DRAFTS_ON;
    return NIGH_OK;
}

static nigh_status open_trie(work *w)
{
    nigh_status status = nigh_lookahead_new(w->ctx, NULL, &w->lookahead);
    struct stat about;
    if (status || !w->a->trie || stat(w->a->trie, &about)) return status;
    return nigh_lookahead_load(w->lookahead, w->a->trie, nigh_tokenizer_vocabulary(nigh_lm_tokenizer(w->lm)));
}

static nigh_status open_all(work *w)
{
    nigh_cache_options options = {.tokens = w->a->context};
    nigh_status status = read_kv(w, &options.type);
    if (!status) status = read_stops(w);
    if (!status) status = read_constraint(w);
    if (!status) status = cli_lm_load(w->ctx, w->a->model, &w->lm);
    if (!status) status = read_prompt(w);
    if (!status) status = nigh_cache_new(w->ctx, w->lm, &options, &w->cache);
    return status ? status : open_trie(w);
}

static void close_all(work *w)
{
    nigh_lookahead_free(w->lookahead);
    nigh_cache_free(w->cache);
    nigh_constraint_free(w->constraint);
    nigh_token_list_free(&w->prompt);
    nigh_lm_free(w->lm);
    nigh_free(w->ctx, w->stop_text);
}

static nigh_sampling sampling_of(const work *w)
{
    const arguments *a = w->a;
    nigh_sampling s = nigh_sampling_default();
    s.temperature = a->temperature, s.top_k = a->top_k, s.top_p = a->top_p, s.min_p = a->min_p, s.typical = a->typical;
    s.repeat_penalty = a->repeat, s.presence_penalty = a->presence, s.frequency_penalty = a->frequency, s.penalty_window = a->penalty_window;
    s.seed = nigh_context_seed(w->ctx);
    return s;
}

/* ---- one answer ------------------------------------------------------------------------------------------------ */

static bool show(void *user, const char *bytes, size_t size)
{
    work *w = user;
    cli_clear();
    w->broken = fwrite(bytes, 1, size, stdout) != size || fflush(stdout) != 0;
    return !w->broken;
}

static nigh_status print_json(const work *w, const nigh_answer *answer)
{
    static const char *const finish[] = {"not", "end", "stop", "length", "caller", "context"};
    const nigh_tokenizer *t = nigh_lm_tokenizer(w->lm);
    json_t *top = json_object(), *tokens = json_array();
    nigh_status status = top && tokens ? NIGH_OK : NIGH_MEMORY;
    if (!status) status = nj_set(w->ctx, top, "text", json_stringn(answer->text.data ? answer->text.data : "", answer->text.size));
    if (status) status = nj_set(w->ctx, top, "text", json_null()); /* not UTF-8: the tokens say what it is */
    for (int64_t i = 0; !status && i < answer->tokens.count; i++) {
        json_t *one = json_object();
        status = one ? nj_set_int(w->ctx, one, "id", answer->tokens.id[i]) : NIGH_MEMORY;
        if (!status) status = nj_set_text(w->ctx, one, "token", nigh_token_name(t, answer->tokens.id[i]));
        if (!status && answer->log_p) status = nj_set_real(w->ctx, one, "logprob", answer->log_p[i]);
        if (status || json_array_append_new(tokens, one)) return json_decref(top), status ? status : NIGH_MEMORY;
    }
    if (!status) status = nj_set(w->ctx, top, "tokens", tokens);
    if (!status) status = nj_set_text(w->ctx, top, "finish", finish[answer->finish]);
    if (!status) status = nj_set_int(w->ctx, top, "prompt_tokens", w->prompt.count);
    if (!status) status = nj_set_int(w->ctx, top, "passes", answer->passes);
    if (!status) status = nj_set_int(w->ctx, top, "drafted", answer->drafted);
    if (!status) status = nj_set_int(w->ctx, top, "accepted", answer->accepted);
    if (!status) status = nj_set_real(w->ctx, top, "prompt_seconds", answer->prompt_seconds);
    if (!status) status = nj_set_real(w->ctx, top, "seconds", answer->seconds);
    if (!status) status = nj_set_int(w->ctx, top, "kv_bytes", (int64_t)answer->kv_bytes);
    nigh_buffer text = {.ctx = w->ctx};
    if (!status) status = nj_dump(w->ctx, top, NJ_INDENTED, &text);
    if (!status) status = nigh_buffer_add(&text, "\n", 1);
    if (!status && cli_print(w->ctx, text.data, text.size)) status = NIGH_IO;
    nigh_buffer_free(&text);
    json_decref(top);
    return status;
}

/* How it went: what drafts saved is measured against passes over one token. */
static void say_receipt(const work *w, const nigh_answer *answer)
{
    double tokens = (double)answer->tokens.count;
    if (cli_quiet) return;
    fprintf(stderr, "\nprompt: %lld tokens in %.3f s (%.0f a second)\n", (long long)w->prompt.count, answer->prompt_seconds,
            (double)w->prompt.count / fmax(answer->prompt_seconds, 1e-9));
    fprintf(stderr, "answer: %lld tokens in %.3f s (%.1f a second), %lld passes, %.2f tokens a pass; %lld of %lld drafts accepted; the same tokens as without drafts\n",
            (long long)answer->tokens.count, answer->seconds, tokens / fmax(answer->seconds, 1e-9), (long long)answer->passes,
            tokens / fmax((double)answer->passes, 1), (long long)answer->accepted, (long long)answer->drafted);
    fprintf(stderr, "memory: %.1f MB of keys and values at the end\n", 1e-6 * (double)answer->kv_bytes);
}

static nigh_status answer_one(work *w)
{
    const arguments *a = w->a;
    nigh_question request = {.prompt = w->prompt.id, .prompt_count = w->prompt.count, .most = a->most, .sampling = sampling_of(w), .stop = w->stop, .stops = w->stops,
                            .past_end = a->past_end, .constraint = w->constraint,
                            .log_p = cli_json, .top = (int)a->top, .piece = cli_json ? NULL : show, .user = w};
    nigh_answer answer = {0};
    nigh_lm_infinite stream;
    nigh_status status = read_drafts(w, &request.drafts);
    if (!status) status = cli_lm_stream(w->ctx, w->lm, &a->stream, &stream);
    request.window = stream.window, request.sinks = stream.sinks, request.limit = stream.limit;
    if (!status) status = nigh_generate(w->cache, w->lookahead, &request, &answer);
    if (!status && w->broken) status = nigh_fail(w->ctx, NIGH_IO, "cannot write to standard output");
    if (!status && cli_json) status = print_json(w, &answer);
    else if (!status && cli_print(w->ctx, "\n", 1)) status = NIGH_IO;
    if (!status) say_receipt(w, &answer);
    if (!status && a->trie) status = nigh_lookahead_save(w->lookahead, a->trie);
    nigh_answer_free(&answer);
    return status;
}

/* ---- samples that obey a rule ---------------------------------------------------------------------------------- */

static int by_weight(const void *x, const void *y)
{
    double a = ((const nigh_particle *)x)->log_weight, b = ((const nigh_particle *)y)->log_weight;
    return (a < b) - (a > b);
}

static nigh_status answer_particles(work *w)
{
    const arguments *a = w->a;
    if (!w->constraint) return nigh_fail(w->ctx, NIGH_INVALID, "--particles needs a rule: --regex, --json-schema, --grammar or --rule");
    nigh_controlled_options options = {.particles = (int)a->particles, .most = a->most, .temperature = a->temperature, .seed = nigh_context_seed(w->ctx)};
    nigh_controlled result = {0};
    nigh_status status = nigh_controlled_generate(w->cache, w->constraint, w->prompt.id, w->prompt.count, &options, &result);
    if (status) return status;
    double total = 0, most = -INFINITY;
    for (int i = 0; i < result.count; i++) most = fmax(most, result.particles[i].log_weight);
    for (int i = 0; i < result.count; i++) total += exp(result.particles[i].log_weight - most);
    qsort(result.particles, (size_t)result.count, sizeof *result.particles, by_weight);
    json_t *list = json_array();
    for (int i = 0; !status && i < result.count; i++) {
        const nigh_particle *p = &result.particles[i];
        double share = exp(p->log_weight - most) / total;
        if (cli_json) {
            json_t *one = json_pack("{s:f,s:b}", "weight", share, "finished", p->finished);
            if (one && json_object_set_new(one, "text", json_stringn(p->text.data ? p->text.data : "", p->text.size))) json_object_set_new(one, "text", json_null());
            status = list && one && !json_array_append_new(list, one) ? NIGH_OK : NIGH_MEMORY;
        } else if (p->finished) {
            printf("%.4f\t%.*s\n", share, (int)p->text.size, p->text.data ? p->text.data : "");
        }
    }
    if (!status && cli_json) {
        json_t *top = json_pack("{s:o,s:f,s:I,s:I}", "samples", list, "log_z", result.log_z, "calls", (json_int_t)result.calls, "tokens", (json_int_t)result.tokens);
        nigh_buffer text = {.ctx = w->ctx};
        list = NULL;
        status = top ? nj_dump(w->ctx, top, NJ_INDENTED, &text) : NIGH_MEMORY;
        if (!status && (cli_print(w->ctx, text.data, text.size) || cli_print(w->ctx, "\n", 1))) status = NIGH_IO;
        nigh_buffer_free(&text);
        json_decref(top);
    }
    json_decref(list);
    if (!status && !cli_quiet)
        fprintf(stderr, "log probability that an answer obeys the rule: %.3f (estimate); %.1f tests a token; %lld of %d answers not finished\n", result.log_z,
                (double)result.calls / fmax((double)result.tokens, 1), (long long)result.unfinished, result.count);
    nigh_controlled_free(&result);
    return status;
}

int cli_generate(nigh_context *ctx, int argc, char **argv)
{
    arguments a = {.most = 256, .top_p = 1, .typical = 1, .repeat = 1, .stream = nigh_lm_infinite_default()};
    const cli_flag flags[] = {
        {"most", 'n', CLI_INT, &a.most, "N", "tokens of the answer at most (256)", 1, 1e9},
        {"prompt-file", 'f', CLI_TEXT, &a.prompt_file, "FILE", "the prompt is this file", 0, 0},
        {"system", 0, CLI_TEXT, &a.system, "TEXT", "the system's message of a chat", 0, 0},
        {"chat", 0, CLI_SWITCH, &a.chat, NULL, "the prompt is a user's message (as it is when the model has a chat template)", 0, 0},
        {"raw", 0, CLI_SWITCH, &a.raw, NULL, "the prompt is a text to be continued", 0, 0},
        {"temperature", 't', CLI_REAL, &a.temperature, "T", "0 (default): the likeliest token each time", 0, 100},
        {"top-k", 0, CLI_INT, &a.top_k, "K", "draw from the K likeliest; 0: all", 0, 1e9},
        {"top-p", 0, CLI_REAL, &a.top_p, "P", "from the fewest with this probability", 1e-9, 1},
        {"min-p", 0, CLI_REAL, &a.min_p, "P", "from those with at least this share of the likeliest", 0, 0.999999},
        {"typical", 0, CLI_REAL, &a.typical, "P", "from those nearest to the entropy, with this probability", 1e-9, 1},
        {"repeat-penalty", 0, CLI_REAL, &a.repeat, "R", "logits of seen tokens are divided by this", 1e-3, 1e3},
        {"presence-penalty", 0, CLI_REAL, &a.presence, "A", "taken off logits of seen tokens", -100, 100},
        {"frequency-penalty", 0, CLI_REAL, &a.frequency, "A", "taken off for each time a token was seen", -100, 100},
        {"penalty-window", 0, CLI_INT, &a.penalty_window, "N", "the last N tokens count as seen; 0: all", 0, 1e9},
        {"stop", 0, CLI_TEXT, &a.stop, "A|B", "texts that end the answer", 0, 0},
        {"past-end", 0, CLI_SWITCH, &a.past_end, NULL, "go on after the model's end token", 0, 0},
        {"regex", 0, CLI_TEXT, &a.regex, "PATTERN", "the whole answer matches", 0, 0},
        {"json-schema", 0, CLI_TEXT, &a.schema, "TEXT|@FILE", "the answer is JSON of this schema", 0, 0},
        {"grammar", 0, CLI_TEXT, &a.grammar, "TEXT|@FILE", "the answer belongs to this grammar (GBNF)", 0, 0},
        {"rule", 0, CLI_TEXT, &a.rule, "COMMAND", "a program that answers 'P HEX' (can it still become one?) and 'C HEX' (is it one?) with 1 or 0", 0, 0},
        {"particles", 0, CLI_INT, &a.particles, "N", "N weighted samples given that the rule is obeyed, not a masked answer", 1, 4096},
        {"drafts", 0, CLI_TEXT, &a.drafts, "auto|on|off", "draft ahead from what was read and written; never changes a token", 0, 0},
        {"trie", 0, CLI_TEXT, &a.trie, "FILE", "keep what drafts come from in this file", 0, 0},
        {"window", 0, CLI_INT, &a.stream.window, "W", "see the last W tokens and the first ones: answers of any length in bounded memory", 1, 1 << 24},
        {"sinks", 0, CLI_INT, &a.stream.sinks, "G", "first tokens that stay in sight (4)", 0, 4096},
        {"limit", 0, CLI_INT, &a.stream.limit, "D", "distance at which they are seen beyond the window (W); 0: their own", 0, 1 << 30},
        {"kv", 0, CLI_TEXT, &a.kv, "f16|f32|q8", "keys and values", 0, 0},
        {"context", 0, CLI_INT, &a.context, "N", "most positions in memory; 0: as needed", 0, 1e12},
        {"top", 0, CLI_INT, &a.top, "K", "log-probabilities of the K likeliest tokens at each place (--json)", 0, 20},
        {0}};
    const char *words[2];
    int count;
    int code = cli_parse(ctx, "generate", argc, argv, flags, words, 2, &count);
    if (code >= 0) return code;
    if (count < 1) return cli_misuse(ctx, "nigh generate needs a model: a GGUF file or a directory with config.json");
    if (count > 1 && a.prompt_file) return cli_misuse(ctx, "a prompt and --prompt-file: one of them is allowed");
    if (a.chat && a.raw) return cli_misuse(ctx, "--chat and --raw: one of them is allowed");
    if (a.particles && a.stream.window >= 0) return cli_misuse(ctx, "--particles and --window: one of them is allowed");
    a.model = words[0], a.prompt = count > 1 ? words[1] : NULL;
    work w = {.ctx = ctx, .a = &a, .prompt = {.ctx = ctx}};
    nigh_status status = open_all(&w);
    if (!status) status = a.particles ? answer_particles(&w) : answer_one(&w);
    close_all(&w);
    return status ? cli_fail(ctx, status) : 0;
}
