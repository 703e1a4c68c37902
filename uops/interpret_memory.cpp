#include "uops/interpret_memory.h"

#include <algorithm>
#include <limits>

namespace pg {

namespace {
template <class T>
T& element(const Place& p, int64_t i) {
  return static_cast<T*>(p.host)[i];
}

Cell load_host(const Place& p, int64_t i) {
  switch (p.scalar) {
    case Scalar::Bool: return cell(element<uint8_t>(p, i) != 0);
    case Scalar::Int8: return cell(int64_t{element<int8_t>(p, i)});
    case Scalar::UInt8: return cell(int64_t{element<uint8_t>(p, i)});
    case Scalar::Int16: return cell(int64_t{element<int16_t>(p, i)});
    case Scalar::UInt16: return cell(int64_t{element<uint16_t>(p, i)});
    case Scalar::Int32: return cell(int64_t{element<int32_t>(p, i)});
    case Scalar::UInt32: return cell(int64_t{element<uint32_t>(p, i)});
    case Scalar::Float32: return cell(double{element<float>(p, i)});
    case Scalar::Float16: return cell(double{from_f16(element<uint16_t>(p, i))});
    case Scalar::BFloat16: return cell(double{from_bf16(element<uint16_t>(p, i))});
    default: return cell(element<int64_t>(p, i));
  }
}

void store_host(const Place& p, int64_t i, Cell v) {
  switch (p.scalar) {
    case Scalar::Bool:
    case Scalar::Int8:
    case Scalar::UInt8: element<uint8_t>(p, i) = static_cast<uint8_t>(v.i); return;
    case Scalar::Int16:
    case Scalar::UInt16: element<uint16_t>(p, i) = static_cast<uint16_t>(v.i); return;
    case Scalar::Int32:
    case Scalar::UInt32: element<uint32_t>(p, i) = static_cast<uint32_t>(v.i); return;
    case Scalar::Float32: element<float>(p, i) = static_cast<float>(v.f); return;
    case Scalar::Float16: element<uint16_t>(p, i) = to_f16(static_cast<float>(v.f)); return;
    case Scalar::BFloat16: element<uint16_t>(p, i) = to_bf16(static_cast<float>(v.f)); return;
    default: element<int64_t>(p, i) = v.i; return;
  }
}

void touched_by_item(Place& p, int64_t i, int64_t item, bool writes) {
  if (p.touched.empty()) p.touched.resize(p.elements);
  Touched& t = p.touched[i];
  const auto other = [item](int64_t who) { return who != Touched::kNobody && who != item; };
  const auto complain = [&](int64_t who, const char* did) {
    throw InternalError("item " + std::to_string(item) + (writes ? " writes" : " reads") + " element " + std::to_string(i) +
                        " that " + (who == Touched::kSeveral ? "others " : "item " + std::to_string(who) + " ") + did);
  };
  if (other(t.writer)) complain(t.writer, "wrote");
  if (writes && other(t.reader)) complain(t.reader, "read");
  if (writes)
    t.writer = item;
  else
    t.reader = other(t.reader) ? Touched::kSeveral : item;
}

/// A thread of a block: what others did since the last barrier.
void touched_by_thread(Place& p, int64_t i, int thread, int64_t epoch, bool writes) {
  if (p.uses.empty()) p.uses.resize(static_cast<size_t>(p.elements));
  ThreadUse& u = p.uses[static_cast<size_t>(i)];
  const auto complain = [&](int32_t who, const char* did) {
    throw InternalError(std::string(writes ? "writes" : "reads") + " element " + std::to_string(i) + " that " +
                        (who == Touched::kSeveral ? "others " : "thread " + std::to_string(who) + " ") + did +
                        " since the last barrier");
  };
  if (u.written_at == epoch && u.writer != thread) complain(u.writer, "wrote");
  if (writes && u.read_at == epoch && u.reader != thread) complain(u.reader, "read");
  if (writes) {
    u.writer = thread, u.written_at = epoch;
  } else {
    u.reader = u.read_at == epoch && u.reader != thread ? static_cast<int32_t>(Touched::kSeveral) : thread;
    u.read_at = epoch;
  }
}
}  // namespace

void Watch::touch(Place& p, int64_t i, bool writes) const {
  if (item && p.shared) touched_by_item(p, i, item->i, writes);
  if (thread < 0 || (!p.shared && !p.block)) return;
  if (!p.flights.empty() && p.flights[static_cast<size_t>(i)])
    throw InternalError(std::string(writes ? "writes" : "reads") + " element " + std::to_string(i) +
                        " to which a copy of thread " + std::to_string(p.flights[static_cast<size_t>(i)] - 1) +
                        " is on its way");
  touched_by_thread(p, i, thread, epoch, writes);
}

void poison(Place& p) {
  const bool floats = p.scalar >= Scalar::Float16;
  const Cell bad =
      floats ? cell(std::numeric_limits<double>::quiet_NaN()) : settled(p.scalar, cell(int64_t{0x5a5a5a5a5a5a5a5a}), false);
  std::fill(p.cells.begin(), p.cells.end(), bad);
}

/// The element that a lane touches, or -1 where its gate is false.
int64_t place_of(const Instruction& in, int lane) {
  if (in.src[2] && !in.src[2][lane].i) return -1;
  const Place& p = *in.place;
  const int64_t first = in.src[0][in.gather ? lane : 0].i;
  const int64_t i = in.gather || p.lanes != 1 ? first : static_cast<int64_t>(static_cast<uint64_t>(first) + lane);
  checked(p, i);
  return p.lanes == 1 ? i : i * p.lanes + lane;
}

int64_t checked(const Place& p, int64_t i) {
  if (i < 0 || i >= p.elements)
    throw InternalError("index " + std::to_string(i) + " is outside of 0 .. " + std::to_string(p.elements - 1));
  return i;
}

Cell read(const Place& p, int64_t i) { return p.host ? load_host(p, i) : p.cells[static_cast<size_t>(i)]; }
void write(Place& p, int64_t i, Cell v) {
  if (p.host)
    store_host(p, i, v);
  else
    p.cells[static_cast<size_t>(i)] = v;
}

void load(const Instruction& in, const Watch& watch) {
  const bool watched = watch.item || watch.thread >= 0;
  for (int lane = 0; lane < in.lanes; ++lane) {
    const int64_t i = place_of(in, lane);
    if (i < 0) {
      in.result[lane] = in.out >= Scalar::Float16 ? cell(0.0) : cell(int64_t{0});
    } else {
      if (watched) watch.touch(*in.place, i, false);
      in.result[lane] = read(*in.place, i);
    }
  }
}

void store(const Instruction& in, const Watch& watch) {
  const bool watched = watch.item || watch.thread >= 0;
  for (int lane = 0; lane < in.lanes; ++lane) {
    const int64_t i = place_of(in, lane);
    if (i < 0) continue;
    if (watched) watch.touch(*in.place, i, true);
    write(*in.place, i, in.src[1][lane]);
  }
}

}  // namespace pg
