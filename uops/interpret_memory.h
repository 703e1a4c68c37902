#pragma once
// Loads and stores of the interpreter: bounds checked, and watched for races. Internal to it.
#include "uops/program.h"

namespace pg {

/// Who is at work: a grid item when races among items are looked for, a thread when a block of them runs.
struct Watch {
  const Cell* item = nullptr;
  int thread = -1;
  int64_t epoch = 0;  // begun by each barrier and each block

  /// Notes an access and complains about an earlier one of somebody else that it must not overtake.
  void touch(Place&, int64_t i, bool writes) const;
};

void poison(Place&);
/// The element that a lane touches, or -1 where its gate is false. InternalError beyond the end.
int64_t place_of(const Instruction&, int lane);
int64_t checked(const Place&, int64_t i);
Cell read(const Place&, int64_t i);
void write(Place&, int64_t i, Cell);
void load(const Instruction&, const Watch&);
void store(const Instruction&, const Watch&);

}  // namespace pg
