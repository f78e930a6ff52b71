#!/usr/bin/env bash
# The full series behind RELIABILITY.md, one row or several:
#   scripts/reliability.sh ROW...     ROW: G1 G2 .. as in the table; all; list: prints the tests of each row
#   FASTCONVMAE_CASES=N FASTCONVMAE_SEED=S scripts/reliability.sh G1     N cases; S repeats the cases of an earlier series
#   FASTCONVMAE_CASES=3600 scripts/reliability.sh G28                    an hour of kills, every 20 s on average
# Builds the tests of a row and runs them. Appends tests, figures, seed, seconds, machine and revision to
# build/reliability/results.txt; test output goes to build/reliability/ROW.log. Exit status 1: a row failed.
set -euo pipefail
cd "$(dirname "$0")/.."

# Row, test program, filter; a row can have several lines.
series='
G1  test_tasks_slow       KillsSlow.AtAnyTime*
G2  test_checkpoint       CrashTest.KilledAtEveryPoint*
G2  test_tasks_slow       KillsSlow.AtEveryFailpoint*
G3  test_checkpoint_slow  PowerLossSlow.*
G4  test_loader           LoaderProperty.*
G6  test_tasks_slow       RepeatsSlow.*
G8  test_checkpoint       CrashTest.*
G8  test_train_slow       SaveFailuresSlow.*
G8  test_tasks_slow       FullDiskSlow.*
G9  test_checkpoint_slow  SeriesSlow.RandomDamage*
G10 test_tasks_slow       SignalsSlow.*
G12 test_train_slow       NotFiniteSlow.*
G13 test_train            Spikes*
G13 test_tasks_slow       LongRunsSlow.CleanRuns*
G14 test_image_slow       DamageSlow.Cuts*:DamageSlow.FlippedBits
G15 test_tasks_slow       BombsSlow.*
G16 test_formats_slow     MutantsSlow.*
G16 test_checkpoint_slow  SeriesSlow.Mutants*
G16 test_loader_slow      MutantsSlow.*
G16 test_image_slow       DamageSlow.Mutants
G16 test_config_slow      MutantsSlow.*
G17 test_formats          Attacks.*:FileAttacks.*:Pth*Attacks.*
G18 test_loader           TarSamples.*:TarShards.*
G19 test_config_slow      MutantsSlow.*
G22 test_tasks_slow       LongRunsSlow.ThousandsOfSteps*
G22 test_checkpoint_slow  SeriesSlow.Reloads*
G24 test_tasks            Resume.*Refused*:RunFolder.*:Run.AFolder*
G24 test_checkpoint       SaveTest.AllDamaged*
G25 test_train            SaveInterval.*:Loop.Saves*:Loop.ARecipeThatNames*:Ranks.SaveWhen*
G25 test_checkpoint       SaveTest.CheckpointsInBetween*
G27 test_tasks_slow       LittleMemorySlow.*
G28 test_tasks_slow       LongRunsSlow.Unattended*
'
case "${1:-}" in
  "" | -*) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  list) printf '%s' "$series"; exit 0 ;;
  all) mapfile -t rows < <(awk 'NF && !seen[$1]++ {print $1}' <<< "$series") ;;
  *) rows=("$@") ;;
esac

export OMP_WAIT_POLICY=passive  # waiting threads sleep, so they do not disturb the measurement
out=build/reliability
mkdir -p "$out"
machine=$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)
# RapidCheck draws the cases of G4.
rapidcheck="max_success=${FASTCONVMAE_CASES:-10000} seed=${FASTCONVMAE_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}"
status=0
for row in "${rows[@]}"; do
  mapfile -t lines < <(awk -v row="$row" '$1 == row' <<< "$series")
  ((${#lines[@]})) || { echo "reliability: no row $row; scripts/reliability.sh list" >&2; exit 2; }
  : > "$out/$row.log"
  for line in "${lines[@]}"; do
    read -r _ program filter <<< "$line"
    cmake --build build --target "$program" >/dev/null
    before=$(wc -l < "$out/$row.log") begin=$SECONDS
    parameters=""
    [[ "$row" != G4 ]] || parameters="$rapidcheck"
    if RC_PARAMS="$parameters" "build/bin/$program" --gtest_filter="$filter" >> "$out/$row.log" 2>&1; then
      verdict=passed
    else
      verdict=FAILED status=1
    fi
    said=$(tail -n "+$((before + 1))" "$out/$row.log")
    figures=$(sed -n 's/^series: //p' <<< "$said" | paste -sd, | sed 's/,/, /g')
    [[ -z "$parameters" ]] || figures="$parameters"
    tests=$(grep -c '^\[       OK \]' <<< "$said" || true)
    printf '%s %s %s: %s, %s tests, %s; %d s; %s; %s; %s\n' "$row" "$program" "$filter" "$verdict" "$tests" \
      "${figures:-no random cases}" "$((SECONDS - begin))" "$(date -u +%F)" "$(git rev-parse --short HEAD)" "$machine" |
      tee -a "$out/results.txt"
    [[ "$verdict" == passed ]] || tail -n 20 "$out/$row.log" >&2
  done
done
exit "$status"
