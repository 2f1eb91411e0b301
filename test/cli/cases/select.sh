# shellcheck shell=bash
# The best k of items that come and go.
awk 'BEGIN { srand(7); for (i = 0; i < 300; i++) { printf "doc%d", i; m = 2 + int(12 * rand()); for (j = 0; j < m; j++) printf " w%d", int(200 * rand() * rand()); print "" } }' >sets.txt
awk 'BEGIN { srand(8); for (u = 0; u < 2500; u++) { i = int(300 * rand()); print (there[i] ? "- " : "+ ") "doc" i; there[i] = !there[i]; if (u == 999) print "?" } }' >stream.txt
run 0 nigh reduce select sets.txt stream.txt -k 8
out '^# update	there	chosen	value	bound	items$'
out '^1000	[0-9]+	8	[0-9]+	[0-9.]+	doc[0-9]+( doc[0-9]+){7}$'
out '^2500	[0-9]+	8	'
out '^# 2500 updates: [0-9.]+ evaluations and .* 2 answers of [0-9]+ evaluations'
out '^# lazy greedy run anew: [0-9]+ evaluations'
check awk '/^#  / && $2 ~ /^[0-9]+$/ { n++; if ($6 < 0.8 || $6 > 1.3) bad = 1 } END { exit !(n == 6 && !bad) }' "$stdout"
# what is chosen is there, and covers what is said
check awk -F'\t' 'FILENAME == "sets.txt" { split($0, w, " "); s[w[1]] = $0; next } FILENAME == "stream.txt" { split($0, w, " "); there[w[2]] = w[1] == "+"; next }
    $1 == 2500 { m = split($6, c, " "); for (i = 1; i <= m; i++) { if (!there[c[i]]) exit 1; e = split(s[c[i]], w, " "); for (j = 2; j <= e; j++) seen[w[j]] = 1 } for (x in seen) n++; exit n != $4 }' sets.txt stream.txt "$stdout"
run 0 nigh reduce select sets.txt stream.txt -k 8 --plain --no-rivals --every 500 --json
check python3 -c 'import json,sys; a=[json.loads(l) for l in open(sys.argv[1])]; assert [x["update"] for x in a[:-1]]==[500,1000,1000,1500,2000,2500], a; assert a[-1]["receipt"]["updates"]==2500; assert all(x["value"]<=x["bound"] for x in a[:-1])' "$stdout"
gzip -k sets.txt
run 0 sh -c 'nigh reduce select sets.txt.gz stream.txt -k 8 --no-rivals >gz.out && nigh reduce select sets.txt - -k 8 --no-rivals <stream.txt >plain.out && grep -v "^#" gz.out >a && grep -v "^#" plain.out >b && cmp a b'
run 0 nigh reduce select sets.txt stream.txt -k 8 --times 3 --epsilon 0.4 --seed 4
run 2 nigh reduce select sets.txt stream.txt -k 8 --epsilon 0.6

# A state: in two parts as in one; killed, too.
head -n 1200 stream.txt >first.txt
run 0 nigh reduce select sets.txt first.txt -k 8 --state s.bin --no-rivals
run 0 nigh reduce select sets.txt stream.txt -k 8 --state s.bin --no-rivals
cp "$stdout" two.out
run 0 nigh reduce select sets.txt stream.txt -k 8 --no-rivals
check sh -c 'grep "^2500" "$1" >a; grep "^2500" two.out >b; cmp a b' sh "$stdout"
run 2 nigh reduce select sets.txt first.txt -k 8 --state s.bin
err "stream ends before the 2500 updates that 's.bin' holds"
sed '5s/.*/+ doc299/' first.txt >other.txt
run 2 nigh reduce select sets.txt other.txt -k 8 --state s.bin
run 2 nigh reduce select sets.txt stream.txt -k 9 --state s.bin
err "'s.bin' was saved with -k 8"
run 2 nigh reduce select sets.txt.gz stream.txt -k 8 --state stream.txt
err "'stream.txt': this is no state"
for after in 0.02 0.05 0.1 0.2; do
    timeout -s KILL $after nigh reduce select sets.txt stream.txt -k 8 --state k.bin --save-every 50 >/dev/null 2>&1
done
run 0 nigh reduce select sets.txt stream.txt -k 8 --state k.bin --save-every 50
check sh -c 'grep "^2500" "$1" >b; cmp a b' sh "$stdout"

# Graphs and points.
printf '10 20\n10 30\n20 30\n40 50\n# a comment\n50 50\n' >graph.txt
printf '+ 10\n+ 40\n+ 20\n?\n- 10\n' >few.txt
run 0 nigh reduce select graph.txt few.txt -k 2 --graph
out '^3	3	2	5	'
run 0 nigh reduce select graph.txt few.txt -k 2 --graph --directed
out '^4	2	2	4	'
awk 'BEGIN { srand(3); for (i = 0; i < 200; i++) print rand() "," rand() }' >points.csv
awk 'BEGIN { for (i = 0; i < 150; i++) print "+ " i; for (i = 0; i < 100; i++) print "- " i }' >rows.txt
run 0 nigh reduce select points.csv rows.txt -k 5 --function facility --near parabola --width 0.3
out '^250	50	5	'
out 'facility location for 200 clients, parabola of width 0.3'
run 0 nigh reduce select points.csv rows.txt -k 5 --function logdet --noise 0.1
out '# 200 items, log-determinant, gaussian of width 0\.'
run 0 nigh reduce select points.csv rows.txt -k 5 --function facility --clients points.csv --width 0.3

# Bad input, with its line.
printf '+ doc1\n\n# x\n- doc2\n' >bad.txt
run 2 nigh reduce select sets.txt bad.txt -k 3
err "'bad.txt' line 4: 'doc2' goes but it is not there"
printf '+ doc1\n+ doc1\n' >bad.txt
run 2 nigh reduce select sets.txt bad.txt -k 3
err "'bad.txt' line 2: 'doc1' comes but it is there already"
printf '+ doc1 doc2\n' >bad.txt
run 2 nigh reduce select sets.txt bad.txt -k 3
err "'bad.txt' line 1: '\+ doc1' ...; '\+ ITEM', '- ITEM' or '\?' is allowed"
printf '+ doc1\n* doc2\n' >bad.txt
run 2 nigh reduce select sets.txt bad.txt -k 3
err "'bad.txt' line 2: '\* doc2'"
printf '+ nothing\n' >bad.txt
run 2 nigh reduce select sets.txt bad.txt -k 3
err "'bad.txt' line 1: 'nothing' is none of the 300 items of 'sets.txt'"
printf 'a 1 2\nb 2\na 3\n' >twice.txt
run 2 nigh reduce select twice.txt bad.txt -k 3
err "'twice.txt' line 3: item 'a' has a line already"
: >empty.txt
run 2 nigh reduce select empty.txt bad.txt -k 3
err "'empty.txt' has no items"
run 0 nigh reduce select sets.txt empty.txt -k 3
out '^0	0	0	0	0	$'
run 2 nigh reduce select sets.txt missing.txt -k 3
err "'missing.txt'"
run 2 nigh reduce select sets.txt stream.txt
err '-k K is missing'
run 2 nigh reduce select sets.txt -k 3
err 'takes ITEMS and STREAM, not 1 arguments'
run 2 nigh reduce select points.csv rows.txt -k 5 --function distance
err "--function is 'distance'; coverage, facility, logdet are allowed"
run 2 nigh reduce select points.csv rows.txt -k 5 --function logdet --near cone
err 'positive definite'
run 2 nigh reduce select points.csv rows.txt -k 5 --function facility --graph
err 'are for --function coverage'
run 0 nigh reduce select --help
out '--epsilon E'
run 0 nigh reduce --help
out '  select  '
