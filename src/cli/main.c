/* nigh: the command. Finds the subcommand; Ctrl-C asks running work to stop and a second one ends at once. */
#include "cli/cli.h"

#include "core/words.h"
#include "plan/host.h"

#include <cblas.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

const cli_command cli_commands[] = {
    {"plan", "PROBLEM|FILE --error E [options]", "find the cheapest approximation that meets an error",
     "PROBLEM is a function of x on an interval, by name or expression:\n"
     "  nigh plan exp --on -1:1 --error 1e-6\n"
     "  nigh plan 'exp(-x*x)*cos(3*x)' --on 0:4 --type f64 --error 1e-9 -o f.nigh\n"
     "or of several variables on a box, a part between semicolons for every output:\n"
     "  nigh plan 'sin(x)*exp(y); x/(1+y*y)' --box 0:3,-1:1 --error 1e-4\n"
     "or your own program, started once for every input, in a private folder, with limits, without a shell:\n"
     "  nigh plan --exact './solver {in} {out}' --box 0:1,2:5 --error 1e-2 -o s.nigh\n"
     "  nigh plan --exact 'python3 model.py {1} {2}' --inputs samples.npy --error 1e-2\n"
     "  nigh plan --exact './pde {in} {out} {n}' --knob n=32:512 --box 0:1,0:1 --error 1e-3\n"
     "{in} and {out} are text files of numbers, {in.npy} {out.npy} npy files, {1} {2} ... the numbers themselves; without {in}\n"
     "and {1} the numbers come on standard input, without {out} the answer is read from standard output.\n"
     "FILE is a table of pairs: npz with arrays `inputs` and `outputs`, or csv with --outputs COLUMNS:\n"
     "  nigh plan data.npz --error 0.02        nigh plan table.csv --outputs y,z --error 0.05\n"
     "With a loss, FILE is a set of rows that a model is to be fitted to, and the answer the smallest weighted subset that will do:\n"
     "  nigh plan data.csv --loss logistic --error 0.05 -o subset.csv        nigh plan --loss x --help\n"
     "\n"
     "The receipt goes to standard output, progress to standard error. A killed run with -o resumes where it was. Exit code 1:\n"
     "no method met the error.",
     cli_plan},
    {"apply", "PLAN IN -o OUT", "apply a plan to inputs",
     "IN is npy, csv or npz with one array; its first dimension counts samples. OUT is npy, or csv by its name; - is standard output.\n"
     "Warns when inputs lie outside what the plan was made for; with --strict that is an error.",
     cli_apply},
    {"audit", "NETWORK|PLAN [--grid N] [options]", "which grids a network on fields is safe on",
     "NETWORK is a file of nigh_network_save, PLAN one whose method trains a network on fields. Says for every layer whether it acts on functions, does so when it\n"
     "is rewritten, or goes by the index of points; then how far answers on half, two and four times the trained grid are from those on eight times\n"
     "of it, for smooth random inputs: rewritten, as it is, and between two resamplings (the wrapper). Exit code 1: a layer that cannot be\n"
     "rewritten.\n"
     "  nigh audit model.safetensors --grid 64 --points periodic        nigh audit flow.nigh --json",
     cli_audit},
    {"receipt", "PLAN [--recheck]", "show the receipt of a plan, or measure it again",
     "What a file says is `as stated`; --recheck draws new inputs, makes the exact computation again and measures error and time.\n"
     "A stored --exact command is shown and run only with --allow-exec.",
     cli_receipt},
    {"export", "PLAN -o FILE.c", "write a plan as one dependency-free C99 file",
     "The file has a function `void NAME(long n, const T *in, T *out)` and the receipt as the comment on top. It carries no licence\n"
     "of nigh's.",
     cli_export},
    {"report", "OUTCOME.json... [-o report.html]", "one HTML page with plots from outcomes of `nigh plan --outcome`",
     "The page needs no network, works on a phone, in light and dark.", cli_report},
    {"sample", "PROBLEM|--exact CMD --n N -o FILE.npz | --design KIND --box A:B,C:D -o FILE", "exact inputs and outputs of a problem; or good points for a program",
     "Arrays `inputs` and `outputs`, first dimension samples. Takes the same problem options as `nigh plan`.\n\n"
     "With --design: the points at which a fit of a polynomial (--basis, --set, --degree) needs the fewest evaluations, one a row with its\n"
     "weight, for a program that nigh cannot run itself. Fit by weighted least squares (nigh_weighted_least_squares). `nigh plan` takes\n"
     "points and answers as a file of pairs: name the answers by --outputs and leave the weights out by --columns. It then fits without\n"
     "weights, to a part of the rows, and its receipt speaks of inputs that lie as densely as these points do: near the ends of the box.\n"
     "A program that nigh can run needs none of this: nigh plan --exact asks at such points by itself (weighted-least-squares-dpp).\n\n"
     "  nigh sample --box -1:1,0:2 --design dpp --degree 8 --times 2 -o points.csv",
     cli_sample},
    {"eval", "NAME|EXPRESSION|PLAN [ARGUMENTS... | FILE]", "values of a function that nigh knows, of an expression, or of a plan",
     "Arguments stand on the command line, one call after the other, or on the lines of standard input, one call a line, or in the rows\n"
     "of a file (npy, csv). Answers have 17 digits; with -o those to a file are written as npy.\n"
     "  nigh eval log_bessel_k 2.5 1e-3          nigh eval log_bessel_k < points.txt\n"
     "  nigh eval 'sin(x)*exp(y)' 0.5 1 0.7 2    nigh eval tanh.nigh inputs.npy -o outputs.npy\n"
     "Expressions (variables in natural order) are computed in quadruple precision and rounded once. `nigh list functions` names the rest.",
     cli_eval},
    {"list", "[functions|methods|problems|papers|measures]", "what nigh knows", "", cli_list},
    {"explain", "METHOD", "what a method does, its options, and what was learnt of it here", "", cli_explain},
    {"reduce", "WHAT ...", "fewer rows, smaller graphs, faster string counts", "nigh reduce --help lists what there is.", cli_reduce},
    {"verify", "NETWORK.onnx PROPERTY.vnnlib | --instances FILE.csv | bounds|local-lipschitz|lipschitz|train|tightness ...", "bounds of networks that are proofs, and counterexamples",
     "Is there an input in the property's box for which what it calls unsafe holds? The first line says sat (there is one; it follows), unsat (proved:\n"
     "there is none), timeout or unknown, as in the verification competitions. Exit code 0 unsat, 1 sat, 4 timeout or unknown.\n"
     "  nigh verify net.onnx prop.vnnlib --timeout 116           nigh verify --instances instances.csv --journal done --report page.html\n"
     "\n"
     "unsat is about the real function of the stored weights on the real box that is written in the file, all rounding accounted for; with\n"
     "--semantics f32 about whatever an evaluation in f32 gives, in any order of additions. sat needs a point that violates in arithmetic rounded\n"
     "outward and in an evaluation in f32; where the two disagree the answer is unknown (borderline). Files may be gzipped.\n"
     "A last softmax is allowed where a property only compares outputs of one row with each other (not with --semantics f32).\n"
     "\n"
     "Besides files, each with --help:\n"
     "  nigh verify bounds NET.onnx --low X --high X         how far outputs can move on a box\n"
     "  nigh verify local-lipschitz NET.onnx --at x.npy      how fast outputs can change near an input\n"
     "  nigh verify lipschitz NET.onnx                       how fast they can change anywhere\n"
     "  nigh verify train DATA --radius E -o net.onnx        a classifier that can be certified\n"
     "  nigh verify tightness NET.onnx DATA --radius E       what intervals prove of a classifier",
     cli_verify},
    {"generate", "MODEL [PROMPT] [options]", "answers of a language model: the same tokens sooner, or under a rule",
     "MODEL is a GGUF file or a directory of Hugging Face's form; PROMPT a text, - or nothing standard input. Models with a chat template get the\n"
     "prompt as a user's message (--raw: as it is). MODEL may be recipe:TEXT, a small model trained on that file when it is first asked for. Text\n"
     "goes to standard output as it comes, a receipt to standard error.\n"
     "  nigh generate model.gguf 'Why is the sky blue?' -n 200           nigh generate model.gguf --raw 'Once upon a time' --temperature 0.8 --seed 7\n"
     "Drafts (lookahead): what was read and written before is tried as a continuation, several tokens a pass; the answer is the same, token for\n"
     "token. It is on when its measured acceptance pays. --trie FILE keeps what it learnt.\n"
     "Rules: --regex, --json-schema, --grammar mask what cannot lead to a member; --particles N draws samples from the model's own law given\n"
     "that the rule is obeyed (adaptive-rejection-sampling), with weights.\n"
     "  nigh generate model.gguf 'A date:' --raw --regex '[12][0-9]{3}-[01][0-9]-[0-3][0-9]'\n"
     "Length: --window W keeps the last W tokens and the first few in sight: texts without end in bounded memory (lm-infinite). What is older than W\n"
     "tokens is not read.\n"
     "  nigh generate model.gguf -f book.txt --window 2048 -n 100000",
     cli_generate},
    {"perplexity", "MODEL TEXT [options]", "how well a language model foretells a text",
     "MODEL as in nigh generate. Windows of --context tokens, each from nothing, the later half of which counts; or, with\n"
     "--window W, one stream of any length in bounded memory.\n"
     "  nigh perplexity model.gguf book.txt           nigh perplexity model.gguf book.txt --window 1024",
     cli_perplexity},
    {"release", "holdout ...", "statistics that may be asked again and again",
     "nigh release holdout: a hold-out set that can be reused: questions are chosen after seeing earlier answers, and the answers still\n"
     "hold for fresh data. See nigh release --help.",
     cli_release},
    {"tokenize", "MODEL [TEXT...|-] [options]", "texts to a language model's tokens and back",
     "MODEL is a GGUF file, a tokenizer.json or the directory it lies in, or the word bytes. Each TEXT gives one line of numbers; without TEXT, or with -, standard\n"
     "input is read. --json gives the pieces too.\n\n"
     "  nigh tokenize model.gguf \"Hello world\"\n"
     "  nigh tokenize model.gguf --decode 19556 905\n"
     "  nigh tokenize model.gguf --chat --answer \"system:Be brief.\" \"user:What is 2+2?\"", cli_tokenize},
#ifdef NIGH_HAVE_CLAIMS
    {"claims", "[--quick] [--sabotage] [SLUG...]", "run the papers' claims beside their baselines", "", cli_claims},
#endif
    {"help", "[COMMAND]", "this overview, or the help of a command; --man, --completion for their files", "", cli_help},
    {NULL, NULL, NULL, NULL, NULL},
};

static nigh_context *running;

static void on_signal(int number)
{
    static volatile sig_atomic_t times;
    if (times++ || !running) _exit(128 + number);
    nigh_context_cancel(running);
}

static void print_overview(FILE *to)
{
    fprintf(to, "nigh replaces an expensive computation by a cheap one that is near enough, and says how near.\n\n"
                "usage: nigh COMMAND ...\n\n");
    for (const cli_command *c = cli_commands; c->name; c++) fprintf(to, "  %-9s %s\n", c->name, c->summary);
    fprintf(to, "\nnigh COMMAND --help tells more; nigh --version prints libraries and CPU level.\n");
}

static int print_version(void)
{
    printf("nigh %s\n%s\ncpu: %s, kernels %s\n", nigh_version(), host_libraries(), nigh_cpu_model(), nigh_cpu_level_name(nigh_cpu()));
    return 0;
}

/* Every option of every command as "--name", for the completion file. */
static void print_completion(void)
{
    printf("# bash completion for nigh\n_nigh() {\n    local word=${COMP_WORDS[COMP_CWORD]}\n    if [ \"$COMP_CWORD\" = 1 ]; then\n"
           "        COMPREPLY=($(compgen -W \"");
    for (const cli_command *c = cli_commands; c->name; c++) printf("%s ", c->name);
    printf("--help --version\" -- \"$word\"))\n    elif [ \"${word:0:1}\" = - ]; then\n"
           "        COMPREPLY=($(compgen -W \"$(nigh \"${COMP_WORDS[1]}\" --help 2>/dev/null | grep -o -- '--[a-z][a-z-]*' | sort -u)\" -- \"$word\"))\n"
           "    else\n        COMPREPLY=($(compgen -f -- \"$word\"))\n    fi\n}\ncomplete -o filenames -F _nigh nigh\n");
}

/* The man page: the overview and, set off as examples, the texts of all commands. */
static void print_man(void)
{
    printf(".TH NIGH 1 \"\" \"nigh %s\"\n.SH NAME\nnigh \\- cheap approximations with a receipt\n.SH SYNOPSIS\n.B nigh\nCOMMAND ...\n"
           ".SH DESCRIPTION\nnigh replaces an expensive computation by a cheap one that is near enough, and says how near: it tries the\n"
           "approximations it knows, chooses the cheapest that meets the error asked for, and hands out a receipt.\n.SH COMMANDS\n",
           nigh_version());
    for (const cli_command *c = cli_commands; c->name; c++) {
        printf(".SS nigh %s %s\n%s.\n", c->name, c->usage, c->summary);
        if (!*c->text) continue;
        printf(".PP\n.nf\n");
        for (const char *p = c->text; *p; p++) {
            if ((p == c->text || p[-1] == '\n') && (*p == '.' || *p == '\'')) printf("\\&");
            if (*p == '\\') putchar('\\');
            putchar(*p);
        }
        printf("\n.fi\n");
    }
    printf(".SH EXIT STATUS\n0 done; 1 the error could not be met, or a claim fell short; 2 bad usage or input; 3 out of a resource;\n"
           "4 undecided; 130 interrupted.\n.SH ENVIRONMENT\nNIGH_CPU=scalar|avx2|avx512 caps the kernels. XDG_STATE_HOME holds ledger and wisdom,\n"
           "XDG_CACHE_HOME results of programs.\n");
}

int cli_help(nigh_context *ctx, int argc, char **argv)
{
    const char *words[1];
    int count;
    bool man = false, completion = false;
    const cli_flag flags[] = {{"man", 0, CLI_SWITCH, &man, NULL, "the man page, as troff", 0, 0},
                              {"completion", 0, CLI_SWITCH, &completion, NULL, "the completion file for bash", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    int code = cli_parse(ctx, "help", argc, argv, flags, words, 1, &count);
    if (code >= 0) return code;
    if (man)
        print_man();
    else if (completion)
        print_completion();
    else if (count) {
        for (const cli_command *c = cli_commands; c->name; c++)
            if (strcmp(c->name, words[0]) == 0) return c->run(ctx, 2, (char *[]){(char *)words[0], "--help", NULL});
        return cli_misuse(ctx, "no command '%s'", words[0]);
    } else
        print_overview(stdout);
    return 0;
}

static int no_command(nigh_context *ctx, const char *name)
{
    const char *near = NULL;
    for (const cli_command *c = cli_commands; c->name; c++) near = word_nearer(name, strlen(name), c->name, near);
    return cli_misuse(ctx, "no command '%s'%s%s%s; see nigh --help", name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int dispatch(nigh_context *ctx, int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_overview(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) return print_version();
    for (const cli_command *c = cli_commands; c->name; c++)
        if (strcmp(argv[1], c->name) == 0) return c->run(ctx, argc - 1, argv + 1);
    return no_command(ctx, argv[1]);
}

/*
 * An OpenBLAS older than the CPU falls back to kernels of twenty years ago. It reads its choice from the environment
 * before main, so the command starts itself once more with the core that the CPU level allows. What the user set stays.
 */
static void choose_blas_core(char **argv)
{
    static const char *const slow[] = {"Prescott", "Core2", "Katmai", "Coppermine", "Northwood", "Banias", "Penryn", "Dunnington", "Nehalem", "Generic"};
    const char *core = openblas_get_corename();
    if (getenv("OPENBLAS_CORETYPE") || nigh_cpu() == NIGH_CPU_SCALAR) return;
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++) {
        if (strcasecmp(core, slow[i]) != 0) continue;
        setenv("OPENBLAS_CORETYPE", nigh_cpu() == NIGH_CPU_AVX512 ? "SkylakeX" : "Haswell", 1);
        execv("/proc/self/exe", argv); /* on failure the slow kernels will do */
        return;
    }
}

int main(int argc, char **argv)
{
    choose_blas_core(argv);
    nigh_context *ctx;
    if (nigh_context_new(&ctx) != NIGH_OK) {
        fprintf(stderr, "nigh: out of memory\n");
        return 3;
    }
    running = ctx;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    int code = dispatch(ctx, argc, argv);
    running = NULL;
    nigh_context_free(ctx);
    return code;
}
