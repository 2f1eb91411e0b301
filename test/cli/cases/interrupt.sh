# shellcheck shell=bash
# Ctrl-C, a termination, and full disks.
slow="python3 $programs/slow.py 0.15 {1} {2}"
plan=(nigh plan --exact "$slow" --box 0:1,1:2 --error 0.05 -o s.nigh --no-clock --fit 24 --screen 20 --test 59)

# A second of work, then SIGINT: 130, nobody left, the journal kept; the next run takes up what was done.
"${plan[@]}" >"$stdout" 2>"$stderr" &
pid=$!
sleep 3
kill -INT $pid
wait $pid
code=$? last="${plan[*]} (SIGINT after 3 s)"
[ $code = 130 ] || complain "the exit code must be 130"
err 'interrupted|cancel'
check no_child_left
check no_folder_left
check test -s s.nigh.journal
check missing s.nigh
run 0 "${plan[@]}"
check missing s.nigh.journal
cp s.nigh resumed.nigh
rm s.nigh
run 0 "${plan[@]}"
check cmp s.nigh resumed.nigh

"${plan[@]}" --no-cache >"$stdout" 2>"$stderr" &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
code=$? last="${plan[*]} (SIGTERM)"
[ $code = 130 ] || [ $code = 143 ] || complain "the exit code must be 130 or 143"
check no_child_left

# Standard output on a full device: said, code 3 or 2, and the plan file is whole or absent.
run '[23]' sh -c 'exec nigh plan exp --on 0.25:1 --error 1e-3 --no-clock >/dev/full'
err 'cannot write to standard output: No space left on device'
run '[23]' sh -c 'exec nigh list methods >/dev/full'
err 'No space left on device'

# Files on a full disk (needs root for a small file system).
disk=$folder/disk
mkdir "$disk"
if mount -t tmpfs -o size=64k none "$disk" 2>/dev/null; then
    trap 'umount "$disk"; rm -rf "$folder"' EXIT
    head -c 80000 /dev/zero >"$disk/filler" 2>/dev/null
    run 3 nigh plan exp --on 0.25:1 --error 1e-3 --no-clock -o "$disk/e.nigh"
    err 'No space left on device'
    check missing "$disk/e.nigh"
    run 0 nigh plan exp --on 0.25:1 --error 1e-3 --no-clock -o e.nigh
    run 3 nigh export e.nigh -o "$disk/e.c"
    err 'No space left on device'
    check missing "$disk/e.c"
    printf '0.5\n' >in.csv
    run 3 nigh apply e.nigh in.csv -o "$disk/out.npy"
    err 'No space left on device'
    # Caches and ledgers on a full disk do not stop a plan.
    XDG_CACHE_HOME=$disk/cache XDG_STATE_HOME=$disk/state run 0 nigh plan exp --on 0.25:1 --error 1e-3 --no-clock
else
    echo "no small file system can be mounted here: the cases of full disks are left out"
fi
run '[23]' nigh plan exp --on 0.25:1 --error 1e-3 --no-clock -o /nowhere/at/all/e.nigh
err '/nowhere/at/all'
