#pragma once
// Work that several processes share out, on one machine or many, without a word to each other.
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/config.h"

namespace pg {

struct Shard {
  int number = 1, of = 1;  // 1 .. of
  bool whole() const { return of == 1; }
};
/// "2/8". UserError unless 1 <= i <= n.
Shard parse_shard(const std::string& text);

/// What a launcher of many processes says of this one in its environment.
struct Launched {
  Shard shard;
  std::string job;  // the same in all processes of one launch, and in no other launch
};
/// OpenMPI's mpirun, what speaks PMI (MPICH, Intel MPI), Slurm's srun; nothing where it was none of them.
std::optional<Launched> launched(const Environment& variable);

/// Which of these pieces of work are this shard's, in their order. The heaviest goes first, to whom has least so far: all shards
/// that are given the same weights agree, and none has more than the lightest one and a piece.
std::vector<size_t> share_of(std::span<const double> weights, const Shard&);

}  // namespace pg
