#pragma once
// Databases united: the rules by which two of them become one, whichever comes first. Only cache/ includes this.
#include "cache/sqlite.h"
#include "cache/store.h"

namespace pg {

Contents read_contents(Connection&);
/// Within a transaction of the caller.
MergeReport merge_contents(Connection&, const Contents&);
/// Whether `a` stays where both stand at one key: a total order, so that merging in any order ends alike.
bool better(const WinnerRow& a, const WinnerRow& b);

}  // namespace pg
