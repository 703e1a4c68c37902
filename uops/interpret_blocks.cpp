#include "uops/interpret_blocks.h"

#include <algorithm>
#include <map>

#include "uops/text.h"

namespace pg {

namespace {
constexpr size_t kWarp = 32;
constexpr int64_t kLongestTurn = 64;  // instructions that a thread runs before another may take over, at random

/// Numbers of threads: "0..15, 17".
std::string runs(const std::vector<size_t>& threads) {
  std::string s;
  for (size_t i = 0; i < threads.size();) {
    size_t last = i;
    while (last + 1 < threads.size() && threads[last + 1] == threads[last] + 1) ++last;
    s += (s.empty() ? "" : ", ") + std::to_string(threads[i]) + (last > i ? ".." + std::to_string(threads[last]) : "");
    i = last + 1;
  }
  return s;
}
}  // namespace

BlockRun::BlockRun(const InterpretedProgram& program, const InterpretOptions& options, size_t at)
    : program_(program),
      options_(options),
      code_(program.instructions()),
      begin_(at + 1),
      end_(static_cast<size_t>(code_[at].jump) - 1),
      random_(options.seed) {
  std::vector<size_t> marks;  // what is bound in a scope dies with it
  for (size_t i = 0; i < begin_; ++i) {
    const Instruction& in = code_[i];
    if (in.op == Op::End) outer_.resize(marks.back()), marks.pop_back();
    if (in.op == Op::For || in.op == Op::If) marks.push_back(outer_.size());
    if (in.op != Op::End && in.result >= 0) outer_.emplace_back(in.result, in.op == Op::For ? 2 : in.lanes);
  }
  std::vector<int> counters;
  turns_.resize(end_ - begin_);
  for (size_t i = begin_; i < end_; ++i) {
    const Instruction& in = code_[i];
    if (in.op == Op::For) counters.push_back(in.result);
    if (in.op == Op::End && in.result >= 0) counters.pop_back();
    if (in.op == Op::Barrier || in.op == Op::LaneXor) turns_[i - begin_] = counters;
  }
}

void BlockRun::begin(const Cell* outer, int64_t threads) {
  const size_t n = static_cast<size_t>(std::max<int64_t>(threads, 0));
  if (threads_.size() != n) {
    threads_.resize(n);
    frames_.clear();
    frames_.reserve(n * program_.frame().size());
    for (size_t t = 0; t < n; ++t) frames_.insert(frames_.end(), program_.frame().begin(), program_.frame().end());
  }
  ready_.clear();
  warp_waits_.assign((n + kWarp - 1) / kWarp, 0);
  barrier_waits_ = done_ = 0;
  for (size_t t = 0; t < n; ++t) {
    for (const auto& [first, cells] : outer_) std::copy_n(outer + first, cells, frame(t) + first);
    frame(t)[code_[begin_ - 1].result] = cell(static_cast<int64_t>(t));
    threads_[t].at = begin_;
    threads_[t].copies.clear();
    ready_.push_back(options_.threads == InterpretOptions::Order::Forward ? n - 1 - t : t);
  }
}

void BlockRun::run(const Cell* outer, int64_t block, Watch& watch, StepLimit& limit) {
  watch_ = &watch, limit_ = &limit;
  watch.threads = options_.thread_races;
  ++watch.epoch;
  begin(outer, outer[code_[begin_ - 1].src[0]].i);
  const std::string what = "block " + std::to_string(block);
  while (!ready_.empty()) {
    const size_t t = pick();
    try {
      go(t);
    } catch (const InternalError& e) {
      throw InternalError(what + ", thread " + std::to_string(t) + ": " + e.what() + ": " +
                          pretty(code_[threads_[t].at].node));
    }
  }
  if (done_ < threads_.size()) throw InternalError(what + ": threads wait in vain: " + waiting());
  watch.threads = false, watch.thread = -1;
}

/// The thread that goes on: the last one of ready_.
size_t BlockRun::pick() {
  if (options_.threads == InterpretOptions::Order::Random) std::swap(ready_.back(), ready_[random_() % ready_.size()]);
  return ready_.back();
}

/// Runs the thread until it waits, is through or, at random, has run for a while.
void BlockRun::go(size_t t) {
  Thread& thread = threads_[t];
  Cell* const values = frame(t);
  watch_->thread = static_cast<int>(t);
  const Instruction* const code = code_.data();
  const bool exact = options_.exact;
  int64_t turn = limit_->left();
  if (options_.threads == InterpretOptions::Order::Random)
    turn = std::min(turn, 1 + static_cast<int64_t>(random_() % kLongestTurn));
  if (turn == 0) limit_->count();  // the limit is reached
  int64_t left = turn;
  size_t& at = thread.at;
  for (bool goes_on = true; goes_on && left > 0; --left)
    if (const Instruction& in = code[at]; !in.special)
      at = execute(in, at, values, *watch_, exact);
    else
      goes_on = special(in, at);
  limit_->count(turn - left);
}

bool BlockRun::lands_early() {
  return options_.copies == InterpretOptions::Landing::Early ||
         (options_.copies == InterpretOptions::Landing::Random && random_() % 2);
}

bool BlockRun::special(const Instruction& in, size_t& at) {
  const size_t t = ready_.back();
  Thread& thread = threads_[t];
  switch (in.op) {
    case Op::CopyAsync: thread.copies.issue(in, frame(t), *watch_, lands_early()); break;
    case Op::CopyCommit: thread.copies.commit(); break;
    case Op::CopyWait: thread.copies.wait(in.node.arg_as<int64_t>(), frame(t), *watch_); break;
    case Op::End:  // of the body
      check_left(thread);
      ++done_;
      ready_.pop_back();
      return false;
    default: return meet(in, at);
  }
  ++at;
  return true;
}

void BlockRun::check_left(const Thread& thread) const {
  if (const Instruction* copy = thread.copies.left()) throw InternalError("nobody waited for a copy: " + pretty(copy->node));
}

/// Waits; the last one of the block, or of the warp, lets all go on.
bool BlockRun::meet(const Instruction& in, size_t at) {
  const size_t t = ready_.back();
  ready_.pop_back();
  size_t first = 0, last = threads_.size();
  size_t* waits = &barrier_waits_;
  if (in.op == Op::LaneXor) {
    first = t / kWarp * kWarp, last = std::min(first + kWarp, threads_.size());
    waits = &warp_waits_[t / kWarp];
  }
  if (++*waits < last - first) return false;
  for (size_t other = first; other < last; ++other)
    if (threads_[other].at != at) return false;
  check_together(first, last);
  *waits = 0;
  if (in.op == Op::LaneXor)
    exchange(in, first, last);
  else
    ++watch_->epoch;
  for (size_t i = first; i < last; ++i) {
    const size_t other = options_.threads == InterpretOptions::Order::Forward ? first + last - 1 - i : i;
    ++threads_[other].at;
    ready_.push_back(other);
  }
  return false;
}

/// Conditions and trips around a meeting are the same for all, so all are in the same turn of each loop.
void BlockRun::check_together(size_t first, size_t last) const {
  for (const int counter : turns_[threads_[first].at - begin_])
    for (size_t t = first + 1; t < last; ++t)
      if (frame(t)[counter].i != frame(first)[counter].i)
        throw InternalError("thread " + std::to_string(first) + " is in turn " + std::to_string(frame(first)[counter].i) +
                            " of a loop where thread " + std::to_string(t) + " is in turn " +
                            std::to_string(frame(t)[counter].i));
}

void BlockRun::exchange(const Instruction& in, size_t first, size_t last) {
  const auto mask = static_cast<size_t>(in.node.arg_as<int64_t>());
  const auto lanes = static_cast<size_t>(in.lanes);
  given_.clear();
  for (size_t t = first; t < last; ++t) given_.insert(given_.end(), frame(t) + in.src[0], frame(t) + in.src[0] + lanes);
  for (size_t t = first; t < last; ++t) {
    const size_t other = (t - first) ^ mask;
    if (other >= last - first) throw InternalError("lane " + std::to_string(other) + " has no thread");
    std::copy_n(given_.begin() + static_cast<long>(other * lanes), lanes, frame(t) + in.result);
  }
}

std::string BlockRun::waiting() const {
  std::map<size_t, std::vector<size_t>> places;
  for (size_t t = 0; t < threads_.size(); ++t) places[threads_[t].at].push_back(t);
  std::string s;
  for (const auto& [at, threads] : places)
    s += (s.empty() ? "" : "; ") + std::string(threads.size() > 1 ? "threads " : "thread ") + runs(threads) +
         (at == end_ ? " through" : " at entry " + std::to_string(at) + ", " + pretty(code_[at].node));
  return s;
}

}  // namespace pg
