"""One kernel searched for by tinygrad's BEAM on one core of this CPU: a JSON object on stdout.

    python3 tinygrad_beam.py KIND SHAPE LAYOUT BEAM LIMIT

KIND, SHAPE and LAYOUT as of `picograd bench kernel`; LIMIT: seconds after which the search is given up. Nothing comes from a cache.
{"version", "seconds" of the search, "ms" (median of a run), "spread"}; {"version", "gave_up"}; {"missing": why}.
"""
import json, os, signal, statistics, sys, time

os.environ.update(DEV="CPU", THREADS="0", CACHELEVEL="0", BEAM=sys.argv[4], PARALLEL="0")
kind, shape, layout, limit = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[5])


def say(**what):
    print(json.dumps(what), flush=True)
    sys.stdout.flush()
    os._exit(0)


try:
    from importlib.metadata import version
    from tinygrad import Device, Tensor, TinyJit
    name = version("tinygrad")
except Exception as e:  # whatever is wrong with it, there is no peer
    say(missing=f"{type(e).__name__}: {e}")

extents = [int(x) for x in shape.split(",")[0].split("x")]
random = lambda *s: (Tensor.rand(*s) - 0.5).realize()
if kind == "gemm":
    m, n, k = extents
    a, b = (random(k, m) if layout[:1] == "t" else random(m, k)), (random(n, k) if layout[1:] == "t" else random(k, n))
    run = lambda: (a.T if layout[:1] == "t" else a) @ (b.T if layout[1:] == "t" else b)
elif kind in ("softmax", "layernorm", "rmsnorm"):
    x = random(*extents)
    run = {"softmax": lambda: x.softmax(), "layernorm": lambda: x.layernorm(),
           "rmsnorm": lambda: x * ((x * x).mean(-1, keepdim=True) + 1e-5).rsqrt()}[kind]
elif kind == "conv2d":
    parts = shape.split(",")
    weights = [int(x) for x in parts[1].split("x")]
    if any(not p.startswith("p") or ":" in p for p in parts[2:]) or layout not in ("", "nchw"):
        say(missing="only plain convolutions in nchw are compared")
    pad = int(parts[2][1:]) if len(parts) > 2 else 0
    x, w = random(*([1] + extents)[-4:]), random(weights[0], extents[-3], *weights[1:])
    run = lambda: x.conv2d(w, padding=pad)
else:
    say(missing=f"{kind} is not compared")

signal.signal(signal.SIGALRM, lambda *_: say(version=name, gave_up=limit))
signal.alarm(int(limit) + 1)
step = TinyJit(lambda: run().realize())
start = time.perf_counter()
step()  # searches
seconds = time.perf_counter() - start
step(), step()
signal.alarm(0)
times = []
while len(times) < 9 or (sum(times) < 2 and len(times) < 2000):
    start = time.perf_counter()
    step()
    Device[Device.DEFAULT].synchronize()
    times.append(time.perf_counter() - start)
quarters = statistics.quantiles(times, n=4)
say(version=name, seconds=seconds, ms=1e3 * quarters[1], spread=(quarters[2] - quarters[0]) / 2 / quarters[1])
