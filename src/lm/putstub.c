#include "nigh/tokens.h"
#include <stdio.h>
#include <string.h>
__attribute__((weak)) nigh_status nigh_tokenizer_put(const nigh_tokenizer *t, nigh_gguf_writer *w){ static char room[258][16]; nigh_gguf_string s[258]; int extra=0; int32_t type[258];
 for(int b=0;b<256;b++){ int ok=(b>=33&&b<=126)||(b>=161&&b<=172)||(b>=174&&b<=255); int c=ok?b:256+extra++; int n=0; if(c<128) room[b][n++]=c; else {room[b][n++]=0xC0|c>>6; room[b][n++]=0x80|(c&63);} s[b].bytes=room[b]; s[b].size=n; type[b]=1;}
 s[256]=(nigh_gguf_string){"<|begin|>",9}; s[257]=(nigh_gguf_string){"<|end|>",7}; type[256]=type[257]=3;
 nigh_gguf_put_text(w,"tokenizer.ggml.model","gpt2"); nigh_gguf_put_text(w,"tokenizer.ggml.pre","smollm"); nigh_gguf_put_texts(w,"tokenizer.ggml.tokens",s,258); nigh_gguf_put_integers(w,"tokenizer.ggml.token_type",type,258); nigh_gguf_put_texts(w,"tokenizer.ggml.merges",s,0); nigh_gguf_put_integer(w,"tokenizer.ggml.bos_token_id",256); nigh_gguf_put_integer(w,"tokenizer.ggml.eos_token_id",257); return 0;}
#include "nigh/constraint.h"
__attribute__((weak)) nigh_status nigh_chat_render(nigh_context *ctx, const nigh_tokenizer *t, const char *source, const nigh_chat_message *m, int64_t count, bool answer, nigh_buffer *out){ for(int i=0;i<count;i++) nigh_buffer_print(out,"<|im_start|>%s\n%s<|im_end|>\n",m[i].role,m[i].content); nigh_buffer_print(out,"<|im_start|>assistant\n"); return 0;}
__attribute__((weak)) nigh_status nigh_constraint_json_schema(nigh_context *ctx, const char *schema, size_t size, bool compact, nigh_constraint **c){return NIGH_UNSUPPORTED;}
