# shellcheck shell=bash
# What a plan for fields tells: the discretisation error of the reference, samples and spectra in the report.
run 0 nigh plan darcy --grid 32 --methods coarse-grid --error 0.2 --fit 20 --screen 30 --test 100 --no-clock -o d.nigh --report d.html --outcome d.json
out "^reference +the exact computation's own discretisation error: 0\.[0-9]+ in the mean of 8 inputs"
check grep -q 'A typical input' d.html
check grep -q 'answer − truth' d.html
check grep -q 'Spectrum' d.html
check grep -q '"grid": "cell"' d.json
run 0 nigh report d.json -o again.html
check cmp d.html again.html
run 0 nigh receipt d.nigh
out '^reference '

# More than a third of E: a warning.
run '[01]' nigh plan darcy --grid 32 --methods coarse-grid --error 0.01 --fit 20 --screen 30 --test 100 --no-clock
out 'WARNING: that is more than a third'

# A network that holds on any grid says how it fares there.
run '[01]' nigh plan burgers --grid 64 --methods fno --settings width=8,modes=8,layers=1,epochs=20 --fit 60 --screen 20 --test 60 --error 0.9 --no-clock --threads 1
out '^other grids +32: .*, 64: .*, 128: .*the receipt speaks'
