#!/bin/sh
# Runs the model checker over a model, in the current directory.
#   check.sh MODEL holds|fails FLAG...
# `holds`: every state was visited and none violates an assertion. `fails`: some state does.
set -e
model=$1 expected=$2
shift 2

spin -a "$@" "$model"
cc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=3800 -o pan pan.c
./pan -m10000 -w26 >pan.out 2>&1 || true
grep -E 'assertion violated|errors:|states, stored|out of memory|too small|not completed|total actual|elapsed' pan.out

case $expected in
holds) grep -q 'errors: 0' pan.out && ! grep -qE 'out of memory|too small|not completed' pan.out ;;
fails) grep -q 'assertion violated' pan.out ;;
esac
