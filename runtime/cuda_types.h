#pragma once
// The types and numbers of the CUDA Driver API that picograd uses, declared here so that no CUDA header is needed to build.
// Names without their prefix, values from the Driver API's reference manual: they are its binary interface and never change.
#include <cstddef>
#include <cstdint>

namespace pg::cu {

/// CUresult, those values that are told apart; any other is told by the driver's own name and words.
enum class Result : int {
  Success = 0,
  InvalidValue = 1,
  OutOfMemory = 2,
  NotInitialized = 3,
  StubLibrary = 34,
  CallRequiresNewerDriver = 36,
  DeviceUnavailable = 46,
  NoDevice = 100,
  InvalidDevice = 101,
  InvalidImage = 200,
  InvalidContext = 201,
  NoBinaryForGpu = 209,
  EccUncorrectable = 214,
  InvalidPtx = 218,
  NvlinkUncorrectable = 220,
  UnsupportedPtxVersion = 222,
  Contained = 226,
  InvalidHandle = 400,
  NotFound = 500,
  IllegalAddress = 700,
  LaunchOutOfResources = 701,
  LaunchTimeout = 702,
  ContextIsDestroyed = 709,
  Assert = 710,
  HardwareStackError = 714,
  IllegalInstruction = 715,
  MisalignedAddress = 716,
  InvalidAddressSpace = 717,
  InvalidPc = 718,
  LaunchFailed = 719,
  TensorMemoryLeak = 721,
  SystemNotReady = 802,
  SystemDriverMismatch = 803,
  CompatNotSupportedOnDevice = 804,
  Unknown = 999,
};

using DeviceId = int;              // CUdevice
using DevicePointer = uint64_t;    // CUdeviceptr
using Context = struct Context_*;  // CUcontext and so on: opaque
using Module = struct Module_*;
using Function = struct Function_*;
using Stream = struct Stream_*;
using Event = struct Event_*;
using Graph = struct Graph_*;
using GraphNode = struct GraphNode_*;
using GraphExec = struct GraphExec_*;

/// CUdevice_attribute
enum class DeviceAttribute : int {
  MaxThreadsPerBlock = 1,
  WarpSize = 10,
  ClockRate = 13,  // kHz
  MultiprocessorCount = 16,
  MemoryClockRate = 36,       // kHz
  GlobalMemoryBusWidth = 37,  // bits
  L2CacheSize = 38,
  MaxThreadsPerMultiprocessor = 39,
  ComputeCapabilityMajor = 75,
  ComputeCapabilityMinor = 76,
  MaxSharedMemoryPerMultiprocessor = 81,
  MaxRegistersPerMultiprocessor = 82,
  MaxSharedMemoryPerBlockOptin = 97,
};

/// CUfunction_attribute
enum class FunctionAttribute : int {
  MaxThreadsPerBlock = 0,
  SharedSizeBytes = 1,  // static
  LocalSizeBytes = 3,   // a thread's: stack and spills
  NumRegs = 4,
  MaxDynamicSharedSizeBytes = 8,
};

inline constexpr unsigned kStreamNonBlocking = 1;   // CU_STREAM_NON_BLOCKING: does not wait for the legacy stream
inline constexpr unsigned kCaptureRelaxed = 2;      // CU_STREAM_CAPTURE_MODE_RELAXED: memory may be asked for meanwhile
inline constexpr unsigned kEventDefault = 0;        // CU_EVENT_DEFAULT: takes the time
inline constexpr unsigned kEventDisableTiming = 2;  // CU_EVENT_DISABLE_TIMING
inline constexpr unsigned kEventBlockingSync = 1;   // CU_EVENT_BLOCKING_SYNC
inline constexpr unsigned kHostAllocPortable = 1;   // CU_MEMHOSTALLOC_PORTABLE

/// CUDA_KERNEL_NODE_PARAMS_v1
struct KernelNodeParams {
  Function function = nullptr;
  unsigned grid_x = 1, grid_y = 1, grid_z = 1;
  unsigned block_x = 1, block_y = 1, block_z = 1;
  unsigned shared_bytes = 0;
  void** params = nullptr;  // the address of each argument
  void** extra = nullptr;
};

}  // namespace pg::cu
