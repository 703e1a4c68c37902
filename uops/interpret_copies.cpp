#include "uops/interpret_copies.h"

namespace pg {

namespace {
void mark(std::vector<int>& of, const Place& p, int64_t first, int lanes, auto&& change) {
  if (of.empty()) of.resize(static_cast<size_t>(p.elements * p.lanes));
  for (int lane = 0; lane < lanes; ++lane) change(of[static_cast<size_t>(first + lane)]);
}
void check_run(const Place& p, int64_t first, const Instruction& in) {
  checked(p, first), checked(p, p.elements - in.lanes < first ? p.elements : first);
  if (first % in.lanes != 0)  // buffers and Memories begin aligned
    throw InternalError("a copy of " + std::to_string(in.lanes * DType(p.scalar).element_bytes()) + " bytes at element " +
                        std::to_string(first) + " of " + p.name + " is not aligned");
}
}  // namespace

/// Written and read in the current epoch. Noted at the issue and at the wait: it may happen at either.
void Copies::touch(const Copy& c, const Watch& watch) {
  Place &to = *c.by->place, &from = *c.by->from;
  for (int lane = 0; lane < c.by->lanes; ++lane) {
    if (watch.watches(to)) watch.touch(to, c.to + lane, true);
    if (c.from >= 0 && watch.watches(from)) watch.touch(from, c.from + lane, false);
  }
}

void Copies::issue(const Instruction& in, Cell* frame, const Watch& watch, bool early) {
  const bool open = in.src[2] < 0 || frame[in.src[2]].i;
  Copy copy{&in, frame[in.src[0]].i, open ? frame[in.src[1]].i : -1, early};
  check_run(*in.place, copy.to, in);
  if (open) check_run(*in.from, copy.from, in);
  touch(copy, watch);
  if (watch.threads) {
    mark(in.place->flights, *in.place, copy.to, in.lanes, [&](int& thread) { thread = watch.thread + 1; });
    if (open) mark(in.from->sources, *in.from, copy.from, in.lanes, [](int& copies) { ++copies; });
  }
  if (early) land(copy, frame);
  copies_.push_back(copy);
}

void Copies::land(const Copy& c, Cell* frame) {
  Place &to = *c.by->place, &from = *c.by->from;
  for (int lane = 0; lane < c.by->lanes; ++lane)
    write(to, c.to + lane, c.from < 0 ? zero(to.scalar) : read(from, c.from + lane, frame), frame);
}

void Copies::wait(int64_t newest, Cell* frame, const Watch& watch) {
  const auto covered = static_cast<int64_t>(groups_.size()) - newest;
  if (covered <= 0) return;
  const size_t end = groups_[static_cast<size_t>(covered - 1)];
  for (size_t i = 0; i < end; ++i) {
    const Copy& c = copies_[i];
    if (!c.landed) land(c, frame);
    if (!watch.threads) continue;
    mark(c.by->place->flights, *c.by->place, c.to, c.by->lanes, [](int& thread) { thread = 0; });
    if (c.from >= 0) mark(c.by->from->sources, *c.by->from, c.from, c.by->lanes, [](int& copies) { --copies; });
    touch(c, watch);
  }
  copies_.erase(copies_.begin(), copies_.begin() + static_cast<long>(end));
  groups_.erase(groups_.begin(), groups_.begin() + static_cast<long>(covered));
  for (size_t& g : groups_) g -= end;
}

}  // namespace pg
