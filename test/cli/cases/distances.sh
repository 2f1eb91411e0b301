# shellcheck shell=bash
# nigh reduce distances: places, receipts, kinds of symbols, bad input.
printf 'the cat sat on the mat, the bat and the rat' >text
run 0 nigh reduce distances text --pattern-text 'bat' --best 3
out '^text +43 symbols, pattern 3 with 3 distinct, 41 shifts$'
out '^28	0	0$'
out '^4	1	0\.33'
out '^error +none$'
printf 'mat' >pattern
run 0 nigh reduce distances text pattern --at-most 1 -o out.npy
out '^within +5 shifts of distance 1 or less$'
check python3 - <<'PY'
import struct
data = open('out.npy', 'rb').read()
assert data[:6] == b'\x93NUMPY' and len(data) == 128 + 4 * 41, len(data)
text, pattern = open('text').read(), 'mat'
wanted = [min(2, sum(a != b for a, b in zip(text[i:], pattern))) for i in range(41)]
assert list(struct.unpack('<41I', data[128:])) == wanted
PY
run 0 nigh reduce distances text --pattern-text 'the hat' --symbols words
out 'pattern 2 with 2 distinct, 10 shifts'
out '^0	1	0\.5$'
run 0 nigh reduce distances text pattern --error 0.1 --json
out '"variant": "[a-z-]+".*"best": \[\[19, 0\]'
for variant in direct sliced transform heavy-light; do
    run 0 nigh reduce distances text pattern --variant $variant --best 1
    out '^19	0	0$'
done
head -c 3000000 /dev/zero | tr '\0' 'a' >long
run 0 nigh reduce distances long --pattern-text aaaaaaaaaaaaaaaaaaaaaaab --json
out '"shifts": 2999977'
out '\[0, 1\]'
run 0 nigh reduce distances pattern text
out 'the pattern is longer than the text: no shifts'
run 2 nigh reduce distances text pattern --symbols u16
err "'text' has 43 bytes; --symbols u16 takes whole symbols of 2 bytes, and byte 42 begins one that is cut"
run 2 nigh reduce distances text pattern --alphabet 100
err 'text: symbol 116 at position 0; 0 to 99 is allowed'
run 2 nigh reduce distances text pattern --error 1.5
err 'error is 1.5; above 0 and below 1 is allowed'
run 2 nigh reduce distances text pattern --error 0
err 'error is 0; above 0'
run 2 nigh reduce distances text pattern --error 0.1 --at-most 3
err 'one of both is allowed'
run 2 nigh reduce distances text pattern --variant fast
err "variant is 'fast'"
run 2 nigh reduce distances text pattern --variant pieces
err 'pieces needs at_most'
run 2 nigh reduce distances text --pattern-text ''
err 'the pattern has 0 symbols'
run 2 nigh reduce distances text
err 'distances takes TEXT PATTERN'
run 2 nigh reduce distances none pattern
err "'none'"
run 0 nigh reduce distances --help
out '--at-most K'
