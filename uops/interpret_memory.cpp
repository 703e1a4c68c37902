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
  if (p.touched.empty()) p.touched.resize(static_cast<size_t>(p.elements * p.lanes));
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

}  // namespace

void Watch::item_touches(Place& p, int64_t i, bool writes) const { touched_by_item(p, i, item->i, writes); }

void Watch::complain(const Place& p, int64_t i, bool writes, int other, const char* did) {
  throw InternalError(std::string(writes ? "writes" : "reads") + " element " + std::to_string(i) + " of " + p.name +
                      " that thread " + std::to_string(other) + " " + did + " since the last barrier");
}

void Watch::check_flights(const Place& p, int64_t i, bool writes) const {
  const int copier = p.flights.empty() ? 0 : p.flights[static_cast<size_t>(i)];
  const bool source = writes && !p.sources.empty() && p.sources[static_cast<size_t>(i)];
  if (!copier && !source) return;
  throw InternalError(std::string(writes ? "writes" : "reads") + " element " + std::to_string(i) + " of " + p.name +
                      (copier ? " to which a copy of thread " + std::to_string(copier - 1) : " from which a copy") +
                      " is on its way");
}

void poison(Place& p, Cell* cells) {
  const bool floats = p.scalar >= Scalar::Float16;
  const Cell bad =
      floats ? cell(std::numeric_limits<double>::quiet_NaN()) : settled(p.scalar, cell(int64_t{0x5a5a5a5a5a5a5a5a}), false);
  std::fill_n(cells, p.elements * p.lanes, bad);
}

int64_t checked(const Place& p, int64_t i) {
  if (i < 0 || i >= p.elements)
    throw InternalError("index " + std::to_string(i) + " is outside of 0 .. " + std::to_string(p.elements - 1));
  return i;
}

namespace {
/// The element that a lane touches, or -1 where its gate is false.
int64_t place_of(const Instruction& in, const Cell* frame, int lane) {
  if (in.src[2] >= 0 && !frame[in.src[2] + lane].i) return -1;
  const Place& p = *in.place;
  const int64_t first = frame[in.src[0] + (in.gather ? lane : 0)].i;
  const int64_t i = in.gather || p.lanes != 1 ? first : static_cast<int64_t>(static_cast<uint64_t>(first) + lane);
  checked(p, i);
  return p.lanes == 1 ? i : i * p.lanes + lane;
}

/// Nearly all accesses: ungated runs within their memory. The number of the first element, or -1.
int64_t run_of(const Instruction& in, const Cell* frame) {
  if (in.src[2] >= 0 || in.gather) return -1;
  const Place& p = *in.place;
  const int64_t first = frame[in.src[0]].i, elements = p.lanes == 1 ? in.lanes : 1;
  return first >= 0 && first <= p.elements - elements ? first * p.lanes : -1;
}
}  // namespace

Cell read(Place& p, int64_t i, Cell* frame) { return p.host ? load_host(p, i) : p.data(frame)[i]; }
void write(Place& p, int64_t i, Cell v, Cell* frame) {
  if (p.host)
    store_host(p, i, v);
  else
    p.data(frame)[i] = v;
}

void load(const Instruction& in, Cell* frame, const Watch& watch) {
  Place& p = *in.place;
  Cell* to = frame + in.result;
  const bool watched = watch.watches(p);
  if (const int64_t first = run_of(in, frame); first >= 0) {
    if (watched)
      for (int lane = 0; lane < in.lanes; ++lane) watch.touch(p, first + lane, false);
    if (p.host)
      for (int lane = 0; lane < in.lanes; ++lane) to[lane] = load_host(p, first + lane);
    else
      for (int lane = 0; lane < in.lanes; ++lane) to[lane] = p.data(frame)[first + lane];
    return;
  }
  for (int lane = 0; lane < in.lanes; ++lane) {
    const int64_t i = place_of(in, frame, lane);
    if (i < 0) {
      to[lane] = zero(in.out);
    } else {
      if (watched) watch.touch(p, i, false);
      to[lane] = read(p, i, frame);
    }
  }
}

void store(const Instruction& in, Cell* frame, const Watch& watch) {
  Place& p = *in.place;
  const Cell* from = frame + in.src[1];
  const bool watched = watch.watches(p);
  if (const int64_t first = run_of(in, frame); first >= 0) {
    for (int lane = 0; lane < in.lanes; ++lane) {
      if (watched) watch.touch(p, first + lane, true);
      write(p, first + lane, from[lane], frame);
    }
    return;
  }
  for (int lane = 0; lane < in.lanes; ++lane) {
    const int64_t i = place_of(in, frame, lane);
    if (i < 0) continue;
    if (watched) watch.touch(p, i, true);
    write(p, i, from[lane], frame);
  }
}

}  // namespace pg
