#!/bin/sh
# A trainer in a container of its own:   make bench TRAINER='examples/in_docker.sh IMAGE python3 train.py'
#
# What the harness tells in BENCH_ variables is passed on, and what they name is mounted under the same paths. `exec`, so
# that TERM reaches docker, which passes it on; `--init`, so that the program ends by it.
set -eu
image=$1
shift

run=$(dirname "$BENCH_EVENTS") # the FIFO, and where predictions.u8 goes
data=$(dirname "$BENCH_DATA_FLAT")
options=
for name in $(env | sed -n '/^BENCH_/ s/=.*//p'); do
    options="$options --env $name"
done
if [ -n "${CUDA_VISIBLE_DEVICES:-}" ]; then
    options="$options --gpus device=$CUDA_VISIBLE_DEVICES"
fi
# shellcheck disable=SC2086 # several words, none of which has a space
exec docker run --rm --init --network=none --user "$(id -u):$(id -g)" --workdir "$PWD" \
    --volume "$PWD:$PWD:ro" --volume "$run:$run" --volume "$data:$data:ro" $options "$image" "$@"
