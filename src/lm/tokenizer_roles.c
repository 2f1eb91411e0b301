/* Tokens with a part to play: which ones end an answer, as llama.cpp finds them by their names. */
#include "lm/tokenizer.h"

/* Names by which llama.cpp knows tokens; `ends`: they end an answer whatever the keys say. */
static const struct {
    const char *name;
    token_role role;
    bool ends;
} known[] = {
    {"<|eot_id|>", ROLE_TURN, true}, {"<|im_end|>", ROLE_TURN, true}, {"<|end|>", ROLE_TURN, true}, {"<end_of_turn>", ROLE_TURN, true},
    {"<|endoftext|>", ROLE_TURN, true}, {"<|end_of_text|>", ROLE_TURN, true}, {"<EOT>", ROLE_TURN, true}, {"_<EOT>", ROLE_TURN, true},
    {"[EOT]", ROLE_TURN, true}, {"<\uff5cend\u2581of\u2581sentence\uff5c>", ROLE_TURN, true}, {"<end_of_utterance>", ROLE_TURN, true},
    {"<|eom_id|>", ROLE_MESSAGE, true}, {"<|return|>", ROLE_NONE, true}, {"<|call|>", ROLE_NONE, true}, {"<|flush|>", ROLE_NONE, true},
    {"<|calls|>", ROLE_NONE, true}, {"</s>", ROLE_NONE, true}, {"[EOS]", ROLE_NONE, true}, {"<eos>", ROLE_NONE, true}, {"<turn|>", ROLE_NONE, true},
    {"<|tool_response>", ROLE_NONE, true}, {"[e~[", ROLE_NONE, true},
    {"<|fim_pad|>", ROLE_PAD, false}, {"<fim-pad>", ROLE_PAD, false}, {"<fim_pad>", ROLE_PAD, false}, {"<PAD>", ROLE_PAD, false}, {"[PAD]", ROLE_PAD, false},
    {"<|fim_repo|>", ROLE_REPOSITORY, false}, {"<|repo_name|>", ROLE_REPOSITORY, false}, {"<fim-repo>", ROLE_REPOSITORY, false},
    {"<REPO>", ROLE_REPOSITORY, false}, {"<reponame>", ROLE_REPOSITORY, false}, {"<|file_sep|>", ROLE_FILE, false},
    {"<|fim_prefix|>", ROLE_PREFIX, false}, {"<fim-prefix>", ROLE_PREFIX, false}, {"<fim_prefix>", ROLE_PREFIX, false}, {"<PRE>", ROLE_PREFIX, false},
    {"<|fim_suffix|>", ROLE_SUFFIX, false}, {"<fim-suffix>", ROLE_SUFFIX, false}, {"<fim_suffix>", ROLE_SUFFIX, false}, {"<SUF>", ROLE_SUFFIX, false},
    {"<|fim_middle|>", ROLE_MIDDLE, false}, {"<fim-middle>", ROLE_MIDDLE, false}, {"<fim_middle>", ROLE_MIDDLE, false}, {"<MID>", ROLE_MIDDLE, false},
};

static void set_end(nigh_tokenizer *t, int32_t id)
{
    if (id >= 0) t->flags[id] |= TOKEN_ENDS;
}

static void make_plain(nigh_tokenizer *t, const char *name, unsigned flags)
{
    int32_t id = nigh_token_find(t, name);
    if (id >= 0) t->flags[id] = (uint8_t)flags;
}

static bool ends(const nigh_tokenizer *t, const char *name) { return nigh_token_ends(t, nigh_token_find(t, name)); }

void tokenizer_find_ends(nigh_tokenizer *t, int32_t id_of[ROLES])
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        int32_t id = nigh_token_find(t, known[i].name), *mine = id_of + known[i].role;
        if (id < 0) continue;
        bool first = known[i].role != ROLE_NONE && *mine < 0;
        if (first) *mine = id;
        if ((first || known[i].ends) && !t->json) t->flags[id] |= TOKEN_CONTROL;
        if (known[i].ends) set_end(t, id);
    }
    for (int32_t i = 0; i < t->count; i++)
        if (t->flags[i] & TOKEN_CONTROL && strstr(nigh_token_name(t, i), "unused")) t->flags[i] |= TOKEN_UNUSED;
    static const char *const shown[] = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) make_plain(t, shown[i], TOKEN_USER);
    set_end(t, t->end);
    for (int r = ROLE_TURN; r <= ROLE_FILE; r++) set_end(t, id_of[r]);
    bool call = ends(t, "<|call|>") || ends(t, "<|calls|>");
    if (call && ends(t, "<|end|>") && (ends(t, "<|return|>") || ends(t, "<|flush|>"))) make_plain(t, "<|end|>", TOKEN_USER);
    if (ends(t, "<|tool_response>") && ends(t, "</s>")) make_plain(t, "</s>", 0);
}
