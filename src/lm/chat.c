/* Messages to text by a chat template. */
#include "lm/jinja.h"
#include "nigh/tokens.h"

static void set(jinja *j, jinja_map *map, const char *name, jinja_value value) { jinja_map_set(j, map, jinja_text(name, strlen(name)), value); }

static void set_token(jinja *j, jinja_map *map, const char *name, const nigh_tokenizer *t, int32_t id)
{
    const char *text = t && id >= 0 ? nigh_token_name(t, id) : "";
    set(j, map, name, jinja_text(text, strlen(text)));
}

static jinja_value messages_of(jinja *j, const nigh_chat_message *messages, int64_t count)
{
    jinja_value list = jinja_list_new(j, JINJA_LIST);
    for (int64_t i = 0; i < count && !j->status; i++) {
        jinja_value message = jinja_map_new(j, JINJA_MAP);
        if (j->status) break;
        set(j, message.map, "role", jinja_text(messages[i].role, strlen(messages[i].role)));
        set(j, message.map, "content", jinja_text(messages[i].content, strlen(messages[i].content)));
        jinja_list_add(j, list.list, message);
    }
    return list;
}

static void render(jinja *j, const nigh_tokenizer *t, const char *source, const nigh_chat_message *messages, int64_t count, bool answer)
{
    if (!jinja_lex(j, source, strlen(source))) return;
    jinja_node *tree = jinja_parse(j);
    j->depth = j->loops = 0;
    jinja_scope scope = {0};
    j->scope = &scope;
    set(j, &scope.vars, "messages", messages_of(j, messages, count));
    set(j, &scope.vars, "add_generation_prompt", jinja_bool(answer));
    set(j, &scope.vars, "tools", jinja_none());
    set(j, &scope.vars, "documents", jinja_none());
    set_token(j, &scope.vars, "bos_token", t, t ? nigh_tokenizer_begin(t) : -1);
    set_token(j, &scope.vars, "eos_token", t, t ? nigh_tokenizer_end(t) : -1);
    if (!j->status) jinja_run(j, tree);
}

nigh_status nigh_chat_render(nigh_context *ctx, const nigh_tokenizer *t, const char *source, const nigh_chat_message *messages, int64_t count, bool answer,
                             nigh_buffer *out)
{
    if (!source && t) source = nigh_tokenizer_chat_template(t);
    if (!source) return nigh_fail(ctx, NIGH_INVALID, "source is NULL and the tokenizer has no chat template");
    if (count < 0) return nigh_fail(ctx, NIGH_INVALID, "%lld messages", (long long)count);
    for (int64_t i = 0; i < count; i++)
        if (!messages[i].role || !messages[i].content) return nigh_fail(ctx, NIGH_INVALID, "messages[%lld]: role or content is NULL", (long long)i);
    nigh_buffer text = {.ctx = ctx};
    jinja j = {.ctx = ctx, .out = &text};
    nigh_status status = nigh_arena_new(ctx, &j.arena);
    if (!status) {
        render(&j, t, source, messages, count, answer);
        status = j.status;
    }
    if (!status && text.size) status = nigh_buffer_add(out, text.data, text.size);
    nigh_free(ctx, j.token);
    nigh_buffer_free(&text);
    nigh_arena_free(j.arena);
    return status;
}
