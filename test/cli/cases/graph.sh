# shellcheck shell=bash
# A list of edges as a summary, and questions to the summary.
awk 'BEGIN { for (b = 0; b < 6; b++) for (i = 0; i < 20; i++) for (j = 0; j < i; j++) if ((i * j + b) % 5) print 100 + 20 * b + i, 100 + 20 * b + j; for (b = 1; b < 6; b++) print 100 + 20 * b, 81 + 20 * b; print 7, 7; print 101, 100 }' >edges.txt
run 0 nigh reduce graph edges.txt --bits 30% -o s.npz --report r.html
out '^graph +115 nodes, [0-9]+ edges; self loops dropped: 1'
out '^summary +[0-9]+ supernodes, [0-9]+ superedges: [0-9]+ bits of [0-9]+ \((2[0-9]|30)\.[0-9]+%'
out '^error +RE_1 [0-9.e-]+, RE_2 [0-9.e-]+; random merges in as many bits: '
out '^PageRank +L1 error'
check test -s s.npz
check grep -q '<circle class="s1"' r.html
check grep -q 'Error against size' r.html
run 0 nigh reduce graph edges.txt --bits 30% -o t.npz --quiet
check cmp s.npz t.npz
check [ ! -s "$stdout" ]
run 0 nigh reduce graph edges.txt --bits 2000 --norm 1 --cost description -o t.npz --json
out '"bits": [0-9.]+'
out '"self_loops": 1'
check python3 -c "import json, sys; d = json.load(open(sys.argv[1])); assert d['bits'] <= 2000 and d['norm'] == 1 and d['re1'] < d['random_re1']" "$stdout"
run 0 nigh reduce graph s.npz
out '^summary of 115 nodes and [0-9]+ edges: [0-9]+ supernodes'
run 0 nigh reduce graph s.npz --degree 106
out '^106	1[0-9]\.?[0-9]*$'
run 0 nigh reduce graph s.npz --neighbours 106 -n 3
check [ "$(wc -l <"$stdout")" = 3 ]
out '^1[01][0-9]	[0-9.]+$'
run 0 nigh reduce graph s.npz --pagerank -n 2 --json
check python3 -c "import json, sys; d = json.load(open(sys.argv[1])); assert len(d) == 2 and d[0]['rank'] >= d[1]['rank'] > 1 / 200" "$stdout"
gzip -k edges.txt
run 0 nigh reduce graph edges.txt.gz --bits 30% -o t.npz
check cmp s.npz t.npz

run 2 nigh reduce graph s.npz --degree 7000
err '7000, which is no node of the summary'
run 2 nigh reduce graph s.npz --degree x
err "--degree is 'x'; the number of a node"
run 2 nigh reduce graph edges.txt --degree 106
err 'edges.txt'
run 2 nigh reduce graph s.npz --bits 30% -o t.npz
err "'s.npz' is a summary already"
run 2 nigh reduce graph edges.txt -o t.npz
err '--bits is missing'
run 2 nigh reduce graph edges.txt --bits 30%
err '-o FILE is missing'
run 2 nigh reduce graph edges.txt --bits lots -o t.npz
err "--bits is 'lots'"
run 2 nigh reduce graph edges.txt --bits 3 -o t.npz
err '3 bits cannot be reached: one supernode with its superedge takes [0-9.]+, the minimum'
printf '1 2\n2 x\n' >bad.txt
run 2 nigh reduce graph bad.txt --bits 30% -o t.npz
err "'bad.txt': line 2"
printf '1 2\n2 1\n2 3\n' >directed.txt
run 2 nigh reduce graph directed.txt --bits 80% -o t.npz
err '1 of 2 edges stand in both directions.*--symmetrise'
run 0 nigh reduce graph directed.txt --bits 200% --symmetrise -o t.npz
out 'repeated edges dropped: 1'
printf '1 2 0.5\n2 3 1\n' >weighted.txt
run 2 nigh reduce graph weighted.txt --bits 80% -o t.npz
err '--ignore-weights'
run 0 nigh reduce graph weighted.txt --bits 200% --ignore-weights -o t.npz
: >empty.txt
run 2 nigh reduce graph empty.txt --bits 30% -o t.npz
err 'no edges'
run 0 nigh reduce graph --help
out 'usage: nigh reduce graph EDGES'
