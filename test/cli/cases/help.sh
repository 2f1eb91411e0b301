# shellcheck shell=bash
# Help and version, everywhere; words that are nearly right.
run 0 nigh --help
out '^nigh replaces an expensive computation'
out '^  plan '
for command in $(nigh --help | sed -n 's/^  \([a-z]\{2,\}\) .*/\1/p'); do
    run 0 nigh "$command" --help
    out "nigh $command|[Uu]sage"
    no_err .
    run 0 nigh "$command" -h
done
run 0 nigh plan --help
out '--error E'
out '--knob NAME=LOW:HIGH'
out '--seed N'
run 0 nigh help plan
out '--error E'
run 0 nigh --version
out "^nigh $(sed -n 's/.*define NIGH_VERSION "\(.*\)"/\1/p' "$source/include/nigh/core.h")\$"
out 'OpenBLAS'
out '^cpu: .*kernels (scalar|avx2|avx512)$'
NIGH_CPU=scalar run 0 nigh --version
out 'kernels scalar'
run 0 nigh help --man
out '^\.TH NIGH 1'
run 0 nigh help --completion
out 'complete .*nigh$'

run 2 nigh
err '^usage: nigh'
run 2 nigh plann exp
err "no command 'plann'; did you mean 'plan'\?"
run 2 nigh help plann
err "no command 'plann'"
run 2 nigh plan exp --on -1:1 --eror 1e-3
err 'plan has no option --eror; did you mean --error\?'
run 2 nigh plan exp --on -1:1 --errors=1e-3
err 'did you mean --error\?'
run 2 nigh apply --strct a b
err 'did you mean --strict\?'
run 2 nigh plan exp --on
err '--on needs a value'
run 2 nigh plan exp cos --on -1:1 --error 1
err "'cos' is one word too many"
run 2 nigh plan exp --on -1:1 --error 1e-3 --quiet=yes
err '--quiet takes no value'

run 0 nigh list methods
out '^minimax '
out '^pod-ridge '
run 0 nigh list problems
out '^function '
run 0 nigh list measures
out '^relative-l2 '
run 0 nigh list papers
out 'adaptive-data-analysis'
run 2 nigh list nonsense
err "'nonsense' cannot be listed"
run 0 nigh explain minimax
out '^minimax: '
out 'degree'
run 2 nigh explain minmax
err "no method 'minmax'.*minimax"
