#include "uops/interpret_blocks.h"

#include <algorithm>
#include <set>

#include "uops/text.h"

namespace pg {

namespace {
constexpr size_t kWarp = 32;
bool is_meeting(const Instruction& in) { return in.op == Op::Barrier || in.op == Op::LaneXor; }
}  // namespace

BlockRun::BlockRun(const InterpretedProgram& program, const InterpretOptions& options, Watch& watch, size_t at)
    : program_(program), options_(options), watch_(watch), code_(program.instructions()), begin_(at + 1),
      end_(static_cast<size_t>(code_[at].jump) - 1), random_(options.seed) {
  for (size_t i = 0; i < end_; ++i)
    if (code_[i].op == Op::Memory) (i < begin_ ? code_[i].place->block = true : (private_.push_back(code_[i].place), true));
  std::sort(private_.begin(), private_.end());
  private_.erase(std::unique(private_.begin(), private_.end()), private_.end());
  ++watch_.epoch;
  const int64_t trips = code_[at].src[0]->i;
  threads_.resize(static_cast<size_t>(trips));
  for (int64_t t = 0; t < trips; ++t) {
    Thread& thread = threads_[static_cast<size_t>(t)];
    thread.at = begin_;
    code_[at].result[0] = cell(t);
    program_.save(thread.values);
    for (const Place* p : private_) thread.memories.emplace_back(p->cells.size());
  }
}
BlockRun::~BlockRun() { watch_.thread = -1; }

void BlockRun::swap_memories(Thread& t) {
  for (size_t i = 0; i < private_.size(); ++i) std::swap(private_[i]->cells, t.memories[i]);
}

void BlockRun::leave(size_t at) {
  Thread& t = threads_[static_cast<size_t>(current_)];
  t.at = at;
  program_.save(t.values);
  swap_memories(t);
  current_ = -1;
}

size_t BlockRun::next() {
  for (;;) {
    std::vector<size_t> ready;
    for (size_t t = 0; t < threads_.size(); ++t)
      if (!threads_[t].waits && threads_[t].at != end_) ready.push_back(t);
    if (ready.empty()) {
      if (std::all_of(threads_.begin(), threads_.end(), [&](const Thread& t) { return t.at == end_; })) return kDone;
      if (!release()) throw InternalError("threads wait in vain: " + where());
      continue;
    }
    size_t which = ready.front();
    if (options_.threads == InterpretOptions::Order::Reverse) which = ready.back();
    if (options_.threads == InterpretOptions::Order::Random) which = ready[random_() % ready.size()];
    until_handover_ = options_.threads == InterpretOptions::Order::Random ? static_cast<int64_t>(1 + random_() % 64) : -1;
    Thread& t = threads_[which];
    current_ = watch_.thread = static_cast<int>(which);
    program_.restore(t.values);
    swap_memories(t);
    if (t.arrived && code_[t.at].op == Op::LaneXor) {
      std::copy(t.exchanged.begin(), t.exchanged.end(), code_[t.at].result);
    }
    if (t.arrived) t.arrived = false, ++t.at;
    return t.at;
  }
}

bool BlockRun::goes_on(size_t& at) {
  for (;;) {
    if (at == end_) {
      const Thread& t = threads_[static_cast<size_t>(current_)];
      bool left = !t.issued.empty();
      for (const auto& g : t.groups) left |= !g.empty();
      if (left) throw InternalError("copies are left that nobody waited for");
      leave(at);
      return false;
    }
    const Instruction& in = code_[at];
    if (is_meeting(in)) {
      Thread& t = threads_[static_cast<size_t>(current_)];
      t.waits = true;
      if (in.op == Op::LaneXor) t.exchanged.assign(in.src[0], in.src[0] + in.lanes);
      leave(at);
      return false;
    }
    if (until_handover_ > 0 && --until_handover_ == 0) {
      leave(at);
      return false;
    }
    switch (in.op) {
      case Op::CopyAsync: issue(in); break;
      case Op::CopyCommit: {
        Thread& t = threads_[static_cast<size_t>(current_)];
        t.groups.push_back(std::move(t.issued));
        t.issued.clear();
        break;
      }
      case Op::CopyWait: wait(in.node.arg_as<int64_t>()); break;
      default: return true;
    }
    ++at;
  }
}

/// All threads at one Barrier, or all lanes of a warp at one LaneXor, go on.
bool BlockRun::release() {
  const auto at_barrier = [&](const Thread& t) {
    return t.at == threads_[0].at && t.at != end_ && code_[t.at].op == Op::Barrier;
  };
  if (std::all_of(threads_.begin(), threads_.end(), at_barrier)) {
    ++watch_.epoch;
    for (Thread& t : threads_) t.waits = false, t.arrived = true;
    return true;
  }
  bool any = false;
  for (size_t w = 0; w < threads_.size(); w += kWarp) {
    const size_t last = std::min(w + kWarp, threads_.size());
    const size_t at = threads_[w].at;
    if (at == end_ || code_[at].op != Op::LaneXor) continue;
    if (std::any_of(threads_.begin() + static_cast<long>(w), threads_.begin() + static_cast<long>(last),
                    [&](const Thread& t) { return t.at != at; }))
      continue;
    exchange(w);
    any = true;
  }
  return any;
}

void BlockRun::exchange(size_t warp) {
  const size_t last = std::min(warp + kWarp, threads_.size());
  const auto mask = static_cast<size_t>(code_[threads_[warp].at].node.arg_as<int64_t>());
  std::vector<std::vector<Cell>> given;
  for (size_t t = warp; t < last; ++t) given.push_back(threads_[t].exchanged);
  for (size_t t = warp; t < last; ++t) {
    const size_t other = (t - warp) ^ mask;
    if (other >= given.size())
      throw InternalError("lane " + std::to_string(other) + " has no thread: " + pretty(code_[threads_[t].at].node));
    threads_[t].exchanged = given[other];
    threads_[t].waits = false, threads_[t].arrived = true;
  }
}

// ---- copies ----------------------------------------------------------------------------------------------------------

void BlockRun::issue(const Instruction& in) {
  Thread& t = threads_[static_cast<size_t>(current_)];
  const int64_t to = in.src[0]->i, bytes = in.lanes * in.node.src(0).dtype().element_bytes();
  const bool open = !in.src[2] || in.src[2]->i;
  const int64_t from = open ? in.src[1]->i : -1;
  const auto aligned = [&](int64_t i) { return i * in.node.src(0).dtype().element_bytes() % bytes == 0; };
  if (bytes != 4 && bytes != 8 && bytes != 16) throw InternalError("a copy of " + std::to_string(bytes) + " bytes");
  if (!aligned(to) || (open && !aligned(from))) throw InternalError("a copy is not aligned to its size");
  if (!in.place->block) throw InternalError("a copy goes to shared memory");
  for (int lane = 0; lane < in.lanes; ++lane) {
    watch_.touch(*in.place, checked(*in.place, to + lane), true);
    if (open) watch_.touch(*in.from, checked(*in.from, from + lane), false);
  }
  if (in.place->flights.empty()) in.place->flights.resize(static_cast<size_t>(in.place->elements));
  for (int lane = 0; lane < in.lanes; ++lane) in.place->flights[static_cast<size_t>(to + lane)] = current_ + 1;
  Copy copy{&in, to, from, false};
  const bool early = options_.copies == InterpretOptions::Landing::Early ||
                     (options_.copies == InterpretOptions::Landing::Random && random_() % 2);
  if (early) land(copy);
  t.issued.push_back(copy);
}

void BlockRun::land(Copy& c) {
  if (c.landed) return;
  const Instruction& in = *c.by;
  for (int lane = 0; lane < in.lanes; ++lane)
    write(*in.place, c.to + lane,
          c.from < 0 ? (in.place->scalar >= Scalar::Float16 ? cell(0.0) : cell(int64_t{0})) : read(*in.from, c.from + lane));
  c.landed = true;
}

/// All but the newest groups of the current thread have landed; what they wrote counts as written now.
void BlockRun::wait(int64_t newest) {
  Thread& t = threads_[static_cast<size_t>(current_)];
  while (static_cast<int64_t>(t.groups.size()) > newest) {
    for (Copy& c : t.groups.front()) {
      land(c);
      for (int lane = 0; lane < c.by->lanes; ++lane) {
        c.by->place->flights[static_cast<size_t>(c.to + lane)] = 0;
        watch_.touch(*c.by->place, c.to + lane, true);
      }
    }
    t.groups.erase(t.groups.begin());
  }
}

std::string BlockRun::where() const {
  std::string s;
  std::set<size_t> places;
  for (const Thread& t : threads_) places.insert(t.at);
  for (const size_t at : places) {
    int64_t count = 0, first = -1;
    for (size_t t = 0; t < threads_.size(); ++t)
      if (threads_[t].at == at) count += 1, first = first < 0 ? static_cast<int64_t>(t) : first;
    s += (s.empty() ? "" : "; ") + std::to_string(count) + " threads (the first is " + std::to_string(first) + ") " +
         (at == end_ ? "have left" : "at entry " + std::to_string(at) + ", " + pretty(code_[at].node));
  }
  return s;
}

}  // namespace pg
