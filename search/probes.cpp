#include "search/probes.h"

#include <algorithm>

#include "uops/kernel_writer.h"

namespace pg {

namespace {

constexpr int64_t kMostBytes = 128 << 20;      // of a CPU's probe: more is L3 on no desktop, and takes long to fill
constexpr int64_t kLeastDram = 256 << 20;      // of a GPU's: long beside a launch
constexpr int64_t kWidth = 4, kWarp = 32;      // elements of a thread's read; threads of a warp
constexpr int64_t kProcessorBlocks = 2;        // side by side
constexpr int64_t kBlockTile = 128;            // rows and columns of a product in a block, 8 by 8 a thread
constexpr int64_t kReaders = 512, kAhead = 2;  // threads of a block that reads, reads of each without waiting
constexpr int64_t kElement = 4;

std::string tile(const std::string& axis, int64_t size, const char* kind) {
  return "tile(" + axis + "," + std::to_string(size) + "," + kind + ") ";
}
/// One core's axis is none.
std::string over_cores(const Target& t) { return t.cores > 1 ? "grid(c) " : ""; }
double vectors(int64_t elements, int64_t lanes) { return static_cast<double>(elements) / static_cast<double>(lanes); }

/// Rows of a product on every core, from registers as far as possible.
Probe cpu_math(const Target& t) {
  const int64_t lanes = t.lanes_f32(), rows = t.registers >= 32 ? 6 : 4, wide = (t.registers >= 32 ? 4 : 2) * lanes;
  const UOp cores = iconst(t.cores), m = iconst(rows * 8), n = iconst(wide), k = iconst(256);
  KernelWriter w;
  const UOp c = w.axis("c", cores), i = w.axis("m", m), j = w.axis("n", n), r = w.axis("k", k);
  const UOp out = w.param("out", dt::f32, {cores, m, n}), a = w.param("A", dt::f32, {cores, m, k}),
            b = w.param("B", dt::f32, {k, n});
  const UOp product = KernelWriter::read(a, {c, i, r}) * KernelWriter::read(b, {r, j});
  return {w.output("calibrate_math", KernelWriter::at(out, {c, i, j}), w.reduce("sum", product, {r}), {c, i, j}),
          parse_opts(over_cores(t) + tile("m", rows, "upcast") + tile("n", wide, "upcast") + tile("n", lanes, "vec") +
                     tile("k", 4, "unroll")),
          vectors(rows * 8 * wide * 256, lanes)};
}

/// Every core reads `bytes` of its own some times over.
Probe cpu_read(const std::string& name, const Target& t, int64_t bytes, int64_t times) {
  const int64_t lanes = t.lanes_f32(), elements = bytes / (32 * lanes) * 8 * lanes;
  const UOp cores = iconst(t.cores), repeat = iconst(times), n = iconst(elements);
  KernelWriter w;
  const UOp c = w.axis("c", cores), r = w.axis("r", repeat), j = w.axis("j", n);
  const UOp out = w.param("out", dt::f32, {cores, repeat}), x = w.param("X", dt::f32, {cores, n});
  return {w.output("calibrate_" + name, KernelWriter::at(out, {c, r}), w.reduce("sum", KernelWriter::read(x, {c, j}), {j}),
                   {c, r}),
          parse_opts(over_cores(t) + tile("j", 8 * lanes, "upcast") + tile("j", lanes, "vec")),
          vectors(elements * times, lanes)};
}

/// Blocks that multiply the same two operands, which the L1 has: a thread's sums take four times what its reads take.
Probe gpu_math(const Target& t) {
  const UOp blocks = iconst(kProcessorBlocks * t.sms), m = iconst(kBlockTile), n = iconst(kBlockTile), k = iconst(1024);
  KernelWriter w;
  const UOp c = w.axis("c", blocks), i = w.axis("m", m), j = w.axis("n", n), r = w.axis("k", k);
  const UOp out = w.param("out", dt::f32, {blocks, m, n}), a = w.param("A", dt::f32, {k, m}),
            b = w.param("B", dt::f32, {k, n});
  const UOp product = KernelWriter::read(a, {r, i}) * KernelWriter::read(b, {r, j});
  return {w.output("calibrate_math", KernelWriter::at(out, {c, i, j}), w.reduce("sum", product, {r}), {c, i, j}),
          parse_opts(tile("m", kBlockTile, "upcast") + tile("m", kBlockTile / 2, "local") + tile("m", kWidth, "upcast") +
                     tile("n", kBlockTile, "upcast") + tile("n", kBlockTile / 2, "local") + tile("n", kWidth, "vec") +
                     tile("k", 4, "unroll") + "grid(c)"),
          vectors(kProcessorBlocks * kBlockTile * kBlockTile * 1024, kWarp)};
}

/// Each of `parts` of the data is read by so many blocks, by each some times over: from four elements further on each time,
/// or a compiler would keep what it has read.
Probe gpu_read(const std::string& name, const Target& t, int64_t parts, int64_t sharers, int64_t bytes, int64_t times) {
  const int64_t turn = kReaders * kWidth * kAhead, elements = std::max(bytes / kElement / turn, int64_t{1}) * turn;
  const UOp p = iconst(parts), s = iconst(sharers), repeat = iconst(times), n = iconst(elements);
  KernelWriter w;
  const UOp q = w.axis("q", s), c = w.axis("c", p), r = w.axis("r", repeat), j = w.axis("j", n);
  const UOp out = w.param("out", dt::f32, {s, p}), x = w.param("X", dt::f32, {p, iconst(elements + kWidth * times)});
  const UOp sum = w.reduce("sum", KernelWriter::read(x, {c, r * iconst(kWidth) + j}), {r, j});
  return {w.output("calibrate_" + name, KernelWriter::at(out, {q, c}), sum, {q, c}),
          parse_opts(tile("j", turn, "upcast") + tile("j", kReaders * kWidth, "local") + tile("j", kWidth, "vec") + "grid(" +
                     (sharers > 1 ? "q " : "") + (parts > 1 ? "c)" : ")")),
          vectors(sharers * parts * elements * times, kWarp * t.sms)};
}

}  // namespace

Probe math_probe(const Target& t) { return t.gpu ? gpu_math(t) : cpu_math(t); }

Probe near_probe(const Target& t) {
  if (!t.gpu) return cpu_read("l1", t, t.l1_bytes / 2, 64);
  return gpu_read("l1", t, kProcessorBlocks * t.sms, 1, t.l1_bytes / (2 * kProcessorBlocks), 256);  // first from memory
}

std::vector<Probe> far_probes(const Target& t) {
  if (t.gpu) {
    // Parts of the L2 that no L1 holds, and that blocks on other processors read too.
    const int64_t few = std::max(1, t.sms / 4), many = kProcessorBlocks * t.sms;
    const Probe l2 = gpu_read("l2", t, few, 4 * kProcessorBlocks, t.l2_bytes / 4 / few, 8);
    return {l2, l2, gpu_read("dram", t, many, 1, std::max(kLeastDram, 4 * t.l2_bytes) / many, 1)};
  }
  // A level's data must be too large for the one before. Where the next cache is hardly larger, its own cost is not seen.
  return {cpu_read("l2", t, std::max(t.l2_bytes / 2, 2 * t.l1_bytes), 8),
          cpu_read("l3", t, std::clamp(t.l3_bytes / t.cores / 2, 2 * t.l2_bytes, 16 * t.l2_bytes), 1),
          cpu_read("dram", t, std::min(2 * t.l3_bytes, kMostBytes) / t.cores, 1)};
}

Probe launch_probe() {
  const UOp n = iconst(kWarp);
  KernelWriter w;
  const UOp i = w.axis("i", n);
  const UOp out = w.param("out", dt::f32, {n}), x = w.param("X", dt::f32, {n});
  return {w.output("calibrate_launch", KernelWriter::at(out, {i}), KernelWriter::read(x, {i}), {i}),
          parse_opts(tile("i", kWarp, "local"))};
}

}  // namespace pg
