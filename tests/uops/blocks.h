#pragma once
// Runs of a Linear with blocks of threads under every order of threads and landing of copies, and whether they agree.
#include <cstring>
#include <string>
#include <vector>

#include "uops/interpret.h"
#include "uops/kernel.h"
#include "uops/lower.h"

namespace pg::test {

struct BlockMode {
  InterpretOptions::Order threads;
  InterpretOptions::Landing copies;
  uint64_t seed = 1;
  std::string text() const {
    constexpr const char *orders[] = {"forward", "reverse", "random"}, *landings[] = {"early", "late", "random"};
    return std::string(orders[static_cast<int>(threads)]) + ", " + landings[static_cast<int>(copies)] + ", seed " +
           std::to_string(seed);
  }
  bool early() const { return copies == InterpretOptions::Landing::Early; }
  bool late() const { return copies == InterpretOptions::Landing::Late; }
};

/// Every order with copies that land early and with late ones, then both at random `random` times.
inline std::vector<BlockMode> block_modes(int random = 2, uint64_t seed = 1) {
  using Order = InterpretOptions::Order;
  using Landing = InterpretOptions::Landing;
  std::vector<BlockMode> modes;
  for (const Order order : {Order::Forward, Order::Reverse, Order::Random})
    for (const Landing landing : {Landing::Early, Landing::Late}) modes.push_back({order, landing, seed});
  for (int i = 0; i < random; ++i) modes.push_back({Order::Random, Landing::Random, seed + 1 + static_cast<uint64_t>(i)});
  return modes;
}

/// The bytes of each Param, by launch_info.
using BlockBuffers = std::vector<std::vector<unsigned char>>;

template <class T>
std::vector<unsigned char> bytes_of(const std::vector<T>& v) {
  std::vector<unsigned char> bytes(v.size() * sizeof(T));
  std::memcpy(bytes.data(), v.data(), bytes.size());
  return bytes;
}
template <class T>
std::vector<T> elements_of(const std::vector<unsigned char>& bytes) {
  std::vector<T> v(bytes.size() / sizeof(T));
  std::memcpy(v.data(), bytes.data(), v.size() * sizeof(T));
  return v;
}

/// What one mode made of copies of the buffers.
struct BlockResult {
  BlockMode mode;
  std::string error;  // of interpret
  BlockBuffers buffers;
};

inline BlockResult run_block(const UOp& linear, const BlockMode& mode, const BlockBuffers& buffers,
                             const std::vector<int64_t>& variables = {}, InterpretOptions options = {.races = true}) {
  BlockResult result{mode, "", buffers};
  options.threads = mode.threads, options.copies = mode.copies, options.seed = mode.seed;
  const UOps params = launch_info(linear).params;
  if (params.size() != buffers.size())
    throw InternalError(std::to_string(buffers.size()) + " buffers for " + std::to_string(params.size()) + " Params");
  std::vector<HostBuffer> host;
  for (size_t i = 0; i < params.size(); ++i)
    host.push_back({result.buffers[i].data(), static_cast<int64_t>(buffers[i].size()) / params[i].dtype().element_bytes()});
  try {
    interpret(linear, host, variables, options);
  } catch (const InternalError& e) {
    result.error = e.what();
  }
  return result;
}

/// Runs it in every mode; "" if all agree in every bit, else the mode and its error or difference. `buffers` then hold the
/// result.
inline std::string check_blocks(const UOp& linear, BlockBuffers& buffers, const std::vector<int64_t>& variables = {},
                                const InterpretOptions& options = {.races = true},
                                const std::vector<BlockMode>& modes = block_modes()) {
  std::vector<BlockResult> results;
  for (const BlockMode& mode : modes) {
    const BlockResult& r = results.emplace_back(run_block(linear, mode, buffers, variables, options));
    if (!r.error.empty()) return mode.text() + ": " + r.error;
    for (size_t b = 0; b < buffers.size(); ++b) {
      const auto &first = results[0].buffers[b], &now = r.buffers[b];
      size_t i = 0;
      while (i < now.size() && now[i] == first[i]) ++i;
      if (i < now.size())
        return mode.text() + ": byte " + std::to_string(i) + " of buffer " + std::to_string(b) + " differs from " +
               results[0].mode.text();
    }
  }
  buffers = results[0].buffers;
  return "";
}

}  // namespace pg::test
