#pragma once
// Loads and stores of the interpreter: bounds checked, and watched for races. Internal to it.
#include "uops/program.h"

namespace pg {

/// Who is at work: a grid item when races among items are looked for, a thread when a block of them runs.
struct Watch {
  const Cell* item = nullptr;
  bool threads = false;  // races among the threads of a block are looked for
  int thread = -1;
  uint32_t epoch = 0;  // begun by each barrier and each block

  bool watches(const Place& p) const { return (item && p.shared) || (threads && (p.shared || p.block)); }
  /// Notes an access and complains about an earlier one of somebody else that it must not overtake. For what `watches` says.
  void touch(Place& p, int64_t i, bool writes) const {
    if (item && p.shared) item_touches(p, i, writes);
    if (threads) thread_touches(p, i, writes);
  }

 private:
  void item_touches(Place&, int64_t i, bool writes) const;
  void check_flights(const Place&, int64_t i, bool writes) const;
  [[noreturn]] static void complain(const Place&, int64_t i, bool writes, int other, const char* did);

  /// Others must not have touched it since the last barrier if one of both writes.
  void thread_touches(Place& p, int64_t i, bool writes) const {
    if (p.uses.empty()) p.uses.resize(static_cast<size_t>(p.elements * p.lanes));
    if (!p.flights.empty() || !p.sources.empty()) check_flights(p, i, writes);
    ThreadUse& u = p.uses[static_cast<size_t>(i)];
    if (u.written_at == epoch && u.writer != thread) complain(p, i, writes, u.writer, "wrote");
    const bool read = u.read_at == epoch;
    if (writes) {
      if (const int32_t other = u.reader != thread ? u.reader : u.another; read && other >= 0)
        complain(p, i, writes, other, "read");
      u.writer = thread, u.written_at = epoch;
    } else if (!read) {
      u.reader = thread, u.another = Touched::kNobody, u.read_at = epoch;
    } else if (u.reader != thread) {
      u.another = thread;
    }
  }
};

inline Cell zero(Scalar t) { return t >= Scalar::Float16 ? cell(0.0) : cell(int64_t{0}); }

/// `cells`: where the place's data are.
void poison(Place&, Cell* cells);
/// InternalError beyond the end.
int64_t checked(const Place&, int64_t i);
Cell read(Place&, int64_t i, Cell* frame);
void write(Place&, int64_t i, Cell, Cell* frame);
void load(const Instruction&, Cell* frame, const Watch&);
void store(const Instruction&, Cell* frame, const Watch&);

}  // namespace pg
