#pragma once
// Drops what nothing needs. Only cache/ includes this.
#include "cache/sqlite.h"
#include "cache/store.h"

namespace pg {

/// One transaction, then a vacuum; a dry run rolls back instead.
PruneReport prune_database(Connection&, const PruneOptions&);

}  // namespace pg
