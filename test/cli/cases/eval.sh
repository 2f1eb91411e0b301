# shellcheck shell=bash
# nigh eval: named functions, expressions, plans; words, lines, files.
run 0 nigh eval exp 1
out '^2\.7182818284590451$'
run 0 nigh eval lgamma 0.5 3
out '^0\.5723649429247'
out '^0\.693147180559945'
run 0 nigh eval hypot 3 -4
out '^5$'
run 0 nigh eval 'sin(x2)*exp(x10)' 0.5 1
out '^1\.3032137296869'
run 0 nigh eval 2*pi
out '^6\.28318530717958'
run 2 nigh eval gamma_p 1 2 1,3
run 2 nigh eval gamma_p 1 2,3
err "argument 2 is '2,3'; a number is needed"
printf '# a x\n1 2\n\n3,4\n' >points.txt
run 0 sh -c 'nigh eval gamma_p < points.txt'
out '^0\.8646647167633'
out '^0\.7618966944464'
printf '1 2\n5 x\n' >bad.txt
run 2 sh -c 'nigh eval gamma_p < bad.txt'
err "standard input, line 2: 'x' is no number"
printf '1 2 3\n' >bad.txt
run 2 sh -c 'nigh eval gamma_p < bad.txt'
err "line 1: 3 numbers; gamma_p takes 2 \(a x\)"
run 0 sh -c 'nigh eval exp < /dev/null'
no_out .

run 0 nigh plan tanh --on -2:2 --error 1e-3 --no-clock -o t.nigh
run 0 nigh eval t.nigh 0.5 -0.5
out '^0\.462'
out '^-0\.462'
run 0 nigh eval t.nigh 3
err 'outside the range'
printf '0.25\n0.5\n1\n' >x.csv
run 0 nigh eval tanh x.csv
out '^0\.46211715726000'
run 0 nigh eval tanh x.csv -o y.npy
check test -s y.npy
run 2 nigh eval hypot x.csv
err 'a row of the file has 1 number; hypot takes 2'
run 2 nigh eval tanh 1 -o y.npy
err '-o y.npy is for the answers of a file'

run 2 nigh eval
err 'NAME is missing'
run 2 nigh eval lgama 3
err "'lgama' is no function, no expression and no plan; did you mean 'lgamma'\?"
run 2 nigh eval beta_p 1 2
err '2 numbers; beta_p takes 3 \(a b x\)'
run 2 nigh eval exp one
err "argument 1 is 'one'; a number is needed"
run 2 nigh eval gone.nigh 1
err 'gone\.nigh: there is no such plan file'
run 0 nigh list functions
out '^gamma_p +a x'
out '^exp +x'

# Expressions of several variables as problems.
run 0 nigh plan 'sin(x)*exp(y); x - y' --box 0:1,-1:1 --error 1e-3 --no-clock --methods polynomial-ridge -o m.nigh
out '^MET'
run 0 nigh eval m.nigh 0.5 0
out '^0\.479.* 0\.(5|49)'
run 0 nigh receipt m.nigh --recheck
run 2 nigh plan 'sin(x)*exp(y)' --box 0:1 --error 1e-3
err 'the box has 1 intervals, but .* has 2 variables: x, y'
run 2 nigh plan 'log(x+y)' --box -1:1,0:1 --error 1e-3
err 'log\(x\+y\) is not finite at \(-1, 0\)'
run 2 nigh plan 'x+y' --box 0:1,1:1 --error 1e-3
err 'the interval of y is 1:1'

run 0 nigh eval log_bessel_k 2.5 1e-3
out '^18\.59379167210153'
printf '2.5 1\n1000 3\n' >points.txt
run 0 sh -c 'nigh eval log_bessel_k < points.txt'
out '^5499\.05991567074'
run 0 nigh eval log_bessel_i 3 -1
out '^-?nan$'
