#pragma once
// A driver of CUDA without a GPU: a library with the Driver API's names, over the host's memory, which it hands out at
// addresses that the host cannot use. A test says what should go wrong and reads what was asked for. Work is done as late as
// is legal: when somebody waits for it.
//
// In a process that no test is in, kernels go by their names, each thread with one element of two buffers of floats:
// "doubles" writes twice the second one's to the first one, "doubles_fast" in a tenth of the time, "overruns" one element
// too many, "faults" has an illegal address instead.
#include <map>
#include <string>
#include <vector>

#include "runtime/cuda_types.h"

struct FakeLaunch {
  std::string kernel;
  unsigned grid = 0, block = 0, shared = 0;
  std::vector<uint64_t> arguments;
  bool in_graph = false;
};

/// Where in the host's memory an address of the device's is. No pointer of x86-64 or of ARM has this bit.
inline constexpr uint64_t kFakeDeviceBit = uint64_t{1} << 62;
inline void* fake_host(uint64_t device) { return reinterpret_cast<void*>(device & ~kFakeDeviceBit); }

struct FakeCuda {
  // The machine
  int devices = 1, driver_version = 13000, major = 9, minor = 0;
  size_t memory = size_t{1} << 30;          // bytes that allocations may take
  size_t pinned = size_t{1} << 30;          // the same of the host's
  int registers = 32, most_threads = 1024;  // of every kernel
  int static_shared = 0;
  double kernel_ms = 0.25, copy_ms = 0.5;   // a copy: on the device
  void (*kernel)(const FakeLaunch&) = nullptr;  // what a kernel does

  // What goes wrong
  pg::cu::Result init = pg::cu::Result::Success;
  pg::cu::Result retain = pg::cu::Result::Success;
  pg::cu::Result load = pg::cu::Result::Success;          // of modules
  pg::cu::Result launch = pg::cu::Result::Success;        // what cuLaunchKernel says at once
  pg::cu::Result kernel_error = pg::cu::Result::Success;  // sticky, when a kernel runs
  std::string refuses;                                    // a symbol that says InvalidValue and does nothing
  bool reset_works = true;                                // whether a sticky error ends with a reset

  // What happened
  std::vector<FakeLaunch> launches;
  std::map<std::string, int> calls;                // by symbol
  std::map<std::string, int> function_attributes;  // the dynamic shared memory that a kernel may have
  std::vector<std::string> misuse;                 // dead handles, no context, a graph that is no chain
  size_t allocated = 0;                            // bytes
  int contexts = 0, resets = 0;                    // how often the primary context is retained
  size_t objects = 0;                              // modules, streams, events, graphs, pinned buffers that live
};

/// The library's state, and its beginning. Nothing of before may be used afterwards.
extern "C" FakeCuda* fake_cuda();
extern "C" void fake_cuda_reset();
