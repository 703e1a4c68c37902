#!/usr/bin/env bash
# Everything there is to know of a GPU in one call: whether kernels are right there, whether compute-sanitizer finds anything, how fast
# the eight priority shapes become by a search, beside cuBLAS and the GPU's copy bandwidth. Results are added to those of earlier
# runs, and what the searches measured to search.db, from where a later run goes on.
#
#   bench/gpu.sh [--out DIR] [--minutes N] [--program FILE] [--device CUDA:N] [--dry-run]
#
# Build where there is a compiler, run where there is a GPU:  cmake --preset gpu && cmake --build --preset gpu
# A part that fails is recorded and the rest goes on. Exit status: 0: all was right; 1: something failed; 2: the call makes no sense.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=bench/results/gpu minutes=8 program= device=CUDA dry=
while [ $# -gt 0 ]; do
  case $1 in
    --out | --minutes | --program | --device)
      [ $# -ge 2 ] || { echo "gpu.sh: $1 needs a value" >&2; exit 2; }
      printf -v "${1#--}" %s "$2"; shift 2 ;;
    --dry-run) dry=1; shift ;;
    *) echo "gpu.sh: unknown option $1; known are --out DIR, --minutes N, --program FILE, --device CUDA:N, --dry-run" >&2; exit 2 ;;
  esac
done
[[ $minutes =~ ^[1-9][0-9]*$ ]] || { echo "gpu.sh: --minutes is a number, 1 or more, not '$minutes'" >&2; exit 2; }
if [ -z "$program" ]; then
  program=build/gpu/picograd
  [ -x "$program" ] || program=build/release/picograd
fi
[ -x "$program" ] || { echo "gpu.sh: no $program: build it (cmake --preset gpu && cmake --build --preset gpu), or name it with --program" >&2; exit 2; }

started=$SECONDS
left() { echo $((minutes * 60 - (SECONDS - started))); }
failures=0
facts=  # of this run, in every line

quoted() {  # as a JSON string
  local s=${1//\\/\\\\}
  s=${s//\"/\\\"}; s=${s//$'\t'/ }; s=${s//$'\r'/ }
  printf '"%s"' "${s//$'\n'/\\n}"
}
record() {  # record FILE [PART] < lines of JSON objects: each with this run's facts in front
  local line more=${2:+,\"part\":$(quoted "${2:-}")}
  while IFS= read -r line; do
    case $line in "{"*) printf '{%s%s,%s\n' "$facts" "$more" "${line#\{}" >>"$out/$1" ;; esac
  done
}
failed() {  # failed PART STATUS WORDS
  failures=$((failures + 1))
  echo "gpu.sh: $1 failed ($2)${3:+: ${3%%$'\n'*}}" >&2
  printf '{"part":%s,"status":%s,"words":%s}\n' "$(quoted "$1")" "$2" "$(quoted "${3:0:2000}")" | record failures.jsonl
}
# part NAME FILE SECONDS COMMAND..: lines of JSON on its stdout go to FILE. At most so many seconds, and never past the end.
part() {
  local name=$1 file=$2 most=$3 status=0
  shift 3
  if [ -n "$dry" ]; then printf '%-24s %4ss  %-16s' "$name" "$most" "$file"; printf ' %q' "$@"; echo; return; fi
  local rest; rest=$(left)
  if [ "$rest" -lt 10 ]; then failed "$name" 125 "left out: $minutes minutes are over"; return; fi
  [ "$most" -le "$rest" ] || most=$rest
  local began=$SECONDS
  echo "gpu.sh: $name" >&2
  timeout --kill-after=5 "$most" "$@" >"$work/stdout" 2>"$work/stderr" || status=$?
  record "$file" "$name" <"$work/stdout"
  printf '{"part":%s,"status":%s,"seconds":%s}\n' "$(quoted "$name")" "$status" $((SECONDS - began)) | record parts.jsonl
  # What a sanitizer has to say stands on stdout, between the lines of JSON.
  [ "$status" = 0 ] || failed "$name" "$status" "$(tail -n 20 "$work/stderr"; grep -v '^{' "$work/stdout" | head -n 20)"
}

if [ -z "$dry" ]; then
  mkdir -p "$out" || exit 2
  work=$(mktemp -d) || exit 2
  trap 'rm -rf "$work"' EXIT
  export PICOGRAD_DB=${PICOGRAD_DB:-$out/search.db} PICOGRAD_CACHE=${PICOGRAD_CACHE:-$work/kernels}
  run=1
  [ ! -f "$out/parts.jsonl" ] || run=$(($(sed -n 's/^{"run":\([0-9]*\),.*/\1/p' "$out/parts.jsonl" | sort -n | tail -n 1) + 1))
  number=${device#CUDA}
  export PICOGRAD_PRETUNED=none  # what is measured here is the search
  smi() { nvidia-smi -i "${number#:}" --query-gpu="$1" --format=csv,noheader 2>/dev/null | head -n 1; }
  [ -n "$number" ] || number=:0
  gpu=$(smi name) driver=$(smi driver_version)
  facts="\"run\":$run,\"gpu\":$(quoted "${gpu:-unknown}"),\"driver\":$(quoted "${driver:-unknown}"),\"date\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\""
  devices=$("$program" devices 2>&1)
  printf '{"part":"devices","status":%s,"words":%s}\n' $? "$(quoted "$devices")" | record parts.jsonl
  case $devices in
    *"CUDA:"*" found "*) ;;
    *) failed devices 1 "$(grep -A1 CUDA <<<"$devices")"; exit 1 ;;
  esac
fi

# ---- (a) right
part selftest selftest.jsonl 150 "$program" selftest --device "$device" --json

# ---- (b) clean
sanitizer=$(command -v compute-sanitizer || ls "${CUDA_HOME:-/usr/local/cuda}"/bin/compute-sanitizer 2>/dev/null)
for tool in memcheck racecheck; do
  if [ -n "$sanitizer" ] || [ -n "$dry" ]; then
    part "$tool" sanitizer.jsonl 60 "${sanitizer:-compute-sanitizer}" --tool "$tool" --error-exitcode 99 \
      "$program" selftest --device "$device" --brief --json
  else
    echo "gpu.sh: $tool left out: no compute-sanitizer on PATH or in CUDA_HOME/bin" >&2
    printf '{"part":"%s","status":null,"words":"left out: no compute-sanitizer"}\n' "$tool" | record parts.jsonl
  fi
done

# ---- (c) fast: what the search finds in its share of the time, beside cuBLAS
most_search=20 beside=15 shapes=8  # seconds of a shape's search; of its buffers, checks, peers and rounds; shapes to come
shape() {  # shape KIND SHAPE [LAYOUT]
  local layout=() search=$(($(left) / shapes - beside))
  [ -z "${3:-}" ] || layout=(--layout "$3")
  [ "$search" -le "$most_search" ] || search=$most_search
  [ "$search" -ge 5 ] || search=5  # the default, a few seeds
  shapes=$((shapes - 1))
  part "$1-$2" bench.jsonl 60 "$program" bench kernel --kind "$1" --shape "$2" "${layout[@]}" --device "$device" \
    --precision fp32 --beam 4 --budget "${search}s" --vs cublas --rounds 15 --json
}
shape gemm 4096x4096x4096 nn
shape gemm 1024x1024x1024 nn
shape gemm 512x4096x4096 nn
shape gemm 77x768x768 nn
shape gemv 4096x4096 nt
shape softmax 1024x4096
shape layernorm 512x4096
shape sum 16777216

[ -z "$dry" ] || exit 0
echo "gpu.sh: run $run, $((SECONDS - started)) s, $failures failures; results in $out" >&2
[ "$failures" = 0 ]
