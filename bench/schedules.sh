#!/usr/bin/env bash
# The schedules of bench/results: each kernel under an explicit schedule on one core, beside the multiply-add peak, the read bandwidth
# and the libraries that are installed, interleaved in one run each. Usage: bench/schedules.sh [OUT.jsonl]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-/dev/stdout}
export PICOGRAD_DB=${PICOGRAD_DB:-$(mktemp -d)/bench.db}
run() {  # run KIND SHAPE LAYOUT PEERS OPTS [more]
  local layout=()
  [ -z "$3" ] || layout=(--layout "$3")
  ./picograd bench kernel --kind "$1" --shape "$2" "${layout[@]}" --vs $4 --threads 1 --rounds "${ROUNDS:-15}" --json --opts "$5" "${@:6}" >>"$out"
}
packed() {  # packed ROWS BLOCK COLUMNS DEPTH: B in panels of 64 columns, blocks of rows between
  echo "tile(m,$2) tile(m,$1,upcast) tile(n,$3) tile(n,64,upcast) tile(n,16,vec) tile(k,$4) tile(k,8,unroll) order(n k m n:$3 m:$2 k:$4) stage(B,k)"
}
whole="tile(m,6,upcast) tile(n,256) tile(n,64,upcast) tile(n,16,vec) tile(k,4,unroll) order(n m n:256 k) stage(B,n)"
run gemm 1024x1024x1024 nn onednn,openblas "$(packed 6 30 256 1024)"
run gemm 2048x2048x2048 nn onednn,openblas "$(packed 6 30 256 1024) prefetch(B,k)"
run gemm 512x4096x4096 nn onednn,openblas "$(packed 6 60 256 512) prefetch(B,k)"
run gemm 77x768x768 nn onednn,openblas "tile(m,6,upcast) tile(n,64,upcast) tile(n,16,vec) tile(k,4,unroll) order(n m k)"
run gemm 777x1031x513 nn onednn,openblas "$whole"
run gemm 776x1024x512 nn onednn,openblas "$whole"
run gemm 1024x1024x1024 nt onednn,openblas "$(packed 6 60 256 512)"
run gemm 1024x1024x1024 tn onednn,openblas "$(packed 6 60 256 512) stage(A,m)"
run gemv 4096x4096 nt onednn,openblas "tile(n,4,upcast) tile(k,64,upcast) tile(k,16,vec)" --cold
run gemv 4096x4096 nn openblas "tile(n,64,upcast) tile(n,16,vec) tile(k,8,unroll) order(k n)" --cold
run conv2d 320x64x64,320x3x3,p1 nchw onednn "tile(x,64,upcast) tile(x,16,vec) tile(o,6,upcast) tile(y,4) order(y o y:4 c ky kx) stage(X,y)"
run conv2d 320x64x64,320x3x3,p1 nchw16c onednn "tile(oi,16,vec) tile(o,2,upcast) tile(x,11,upcast) tile(y,4) order(y o y:4 x c ky kx ci) stage(X,y)"
run conv2d 640x16x16,640x3x3,p1 nchw onednn "tile(x,16,vec) tile(y,4,upcast) tile(o,6,upcast) tile(c,128) order(c o y c:128 ky kx) stage(X,c)"
run softmax 1024x1024 "" eigen,onednn "tile(j,64,upcast) tile(j,16,vec) stage(E,i) prefetch(X,i)"
run layernorm 512x4096 "" eigen,onednn "tile(j,64,upcast) tile(j,16,vec)"
run rmsnorm 512x4096 "" eigen "tile(j,64,upcast) tile(j,16,vec)"
nests="tile(M.j,64,upcast) tile(M.j,16,vec) tile(P.j,64,upcast) tile(P.j,16,vec) tile(L.j,64,upcast) tile(L.j,16,vec)"
blocks="tile(O.i,6,upcast) tile(O.d,64,upcast) tile(O.d,16,vec) tile(S.i,6,upcast) tile(S.j,64,upcast) tile(S.j,16,vec) order(S.i j e)"
run attention 8x1500x64 "" eigen "tile(O.i,18) $blocks $nests order(h i i:18 j) stage(K,h) stage(S,i) stage(M,i) stage(P,i) stage(L,i)"
run attention 8x1500x64 "" eigen "online(j,512) tile(O.i,36) $blocks $nests order(h i j i:36 j:512) stage(K,h) stage(S,j) stage(P,j)"
