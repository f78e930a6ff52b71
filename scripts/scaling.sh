#!/usr/bin/env bash
# Measures the speed of several processes:  scripts/scaling.sh [--slow-link] [ROUNDS]
# Default: two ranks with one thread each against one process with two threads, alternating, for the base recipe (batch 8) and the
# demo's recipe (batch 32). Prints images/s of each round and the ratio of the medians. Needs a machine with two free cores.
# --slow-link (as root): two ranks in two network namespaces whose link is limited to 1 and to 10 Gbit/s with 1 ms latency. Prints
# the time of the gradient all-reduce alone, the time a step waits for it, and the share hidden behind backward. Draws the timeline
# of one step to build/timeline-GBITS.svg.
set -euo pipefail
cd "$(dirname "$0")/.."
slow_link=0
[[ "${1:-}" == --slow-link ]] && slow_link=1 && shift
rounds=${1:-3}
program=build/bin/fastconvmae

# Prints a number of the JSON on stdin: that of the first key $2 inside the first object $1.
number() { sed -n "/\"$1\"/,/}/s/.*\"$2\": \([-0-9.e+]*\).*/\1/p" | head -n 1; }
median() { sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
step_of() { step=(bench step --recipe "$1" --batch "$2" --steps "$3" --implementation fast --device cpu --json --quiet); }

compare() {  # recipe, batch, steps
  local one=() two=() round
  step_of "$@"
  for ((round = 0; round < rounds; ++round)); do
    one+=("$("$program" "${step[@]}" --threads 2 | number images_per_second median)")
    two+=("$("$program" launch --processes 2 "${step[@]}" --threads 1 | number images_per_second median)")
  done
  printf '%s, batch %s\n  one process, two threads: %s images/s\n  two ranks, one thread each: %s images/s\n' \
    "$1" "$2" "${one[*]}" "${two[*]}"
  awk -v one="$(printf '%s\n' "${one[@]}" | median)" -v two="$(printf '%s\n' "${two[@]}" | median)" \
    'BEGIN {printf "  ratio of the medians: %.3f\n", two / one}'
}

remove_namespaces() {
  ip netns del fcm-first 2>/dev/null || true
  ip netns del fcm-second 2>/dev/null || true
}

# Limits the speed of a namespace's end of the link. Kernels without netem cannot add latency.
shape() {  # namespace, gigabits
  local shaped=(ip netns exec "$1" tc qdisc add dev fcm0 root)
  delay="1 ms"
  "${shaped[@]}" netem delay 1ms rate "$2gbit" limit 100000 2>/dev/null && return
  delay="no delay (this kernel has no netem)"
  "${shaped[@]}" tbf rate "$2gbit" burst "$(($2 * 500))kb" latency 50ms
}

over_link() {  # gigabits, recipe, batch, steps
  local gigabits=$1 name place=1 result
  shift
  step_of "$@"
  step+=(--timeline "build/timeline-$gigabits.svg")
  remove_namespaces
  ip netns add fcm-first
  ip netns add fcm-second
  ip link add fcm0 netns fcm-first type veth peer name fcm0 netns fcm-second
  for name in fcm-first fcm-second; do
    ip -n $name addr add 10.77.0.$place/24 dev fcm0
    ip -n $name link set fcm0 up
    ip -n $name link set lo up
    shape "$name" "$gigabits"
    place=$((place + 1))
  done
  local rank=(env WORLD_SIZE=2 MASTER_ADDR=10.77.0.1 MASTER_PORT=29500)
  ip netns exec fcm-second "${rank[@]}" RANK=1 "$program" "${step[@]}" --threads 1 &
  result=$(ip netns exec fcm-first "${rank[@]}" RANK=0 "$program" "${step[@]}" --threads 1)
  wait $!
  printf '%s, batch %s, %s Gbit/s, %s\n' "$1" "$2" "$gigabits" "$delay"
  awk -v step="$(number seconds_per_step median <<< "$result")" -v alone="$(number communication alone <<< "$result")" \
    -v waited="$(number communication waited <<< "$result")" -v backward="$(number parts backward <<< "$result")" 'BEGIN {
      most = alone < backward ? alone : backward
      printf "  step %.3f s, backward %.3f s; all-reduce alone %.3f s, waited %.3f s; hidden %.3f s (%.2f of what can be)\n",
        step, backward, alone, waited, alone - waited, (alone - waited) / most}'
}

if ((slow_link)); then
  trap remove_namespaces EXIT
  for gigabits in 1 10; do over_link "$gigabits" fastconvmae_base_in1k_50ep 8 3; done
else
  compare fastconvmae_base_in1k_50ep 8 3
  compare demo 32 60
fi
