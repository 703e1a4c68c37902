#pragma once
// What the search found, as a database holds it: read once into plain structs, from which the page and its tables are made.
// Nothing here is text of a page yet.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cache/store.h"
#include "runtime/device.h"

namespace pg {

/// A measurement in its search.
struct Measured {
  MeasurementRow row;
  size_t batch = 0;              // index into Search::batches
  std::optional<size_t> parent;  // the one of the same run whose schedule this one's was made from, by index
  std::optional<size_t> again;   // the first one of the same schedule in the same run: this one timed it once more
  bool timed() const;            // it ran, was right, and has a time
};
/// Measurements that were stored together: the default, the seeds, one round of the beam, the final. In which order they
/// were made within a batch is not recorded.
struct Batch {
  size_t first = 0, count = 0;  // of Search::measured
  bool new_run = false;         // the first of a tuning run
  bool final = false;           // it times again what was measured before
  double best_ms = 0;           // of all batches up to this one; 0: nothing was timed yet
};
/// All that is known of one kernel under one key.
struct Search {
  WinnerKey key;
  KernelRow kernel;
  std::optional<WinnerRow> winner;
  std::vector<Measured> measured;
  std::vector<Batch> batches;
  std::vector<size_t> line;  // from where it began to the winner, each the parent of the next; empty: not known

  double default_ms() const { return winner ? winner->default_ms : 0; }  // 0: not known
  double winner_ms() const { return winner ? winner->median_ms : 0; }
  double saved_ms() const;   // 0: not known
  bool on_roofline() const;  // the winner's time, operations and bytes are all known
  double intensity() const;  // operations a byte
  double gflops(double ms) const;
  double gbytes(double ms) const;
};
/// A kernel of which nothing is known on this device.
struct Elsewhere {
  KernelRow kernel;
  size_t winners = 0, measurements = 0;  // of other devices
};
/// What the machine could do at most.
struct Roof {
  int threads = 1;
  double flops = 0, bytes = 0;             // a second: multiply-adds from registers; reads from main memory
  double reached(double intensity) const;  // operations a second that it allows
};
/// Whose report it is.
struct ReportSubject {
  DeviceInfo device;
  ToolchainInfo toolchain;
  std::string name;  // of the device: "CPU"
  std::string date;
};
struct Report {
  ReportSubject subject;
  StoreStats stats;
  std::string only;               // the id of the one kernel that was asked for; empty: all
  std::vector<Search> searches;   // by time saved, most first; those without a winner last
  std::vector<Elsewhere> others;  // by name
  std::vector<Roof> roofs;        // by thread count
  std::string no_roofs;           // why there are none
  size_t winners = 0, measurements = 0, foreign_winners = 0;
  const Roof* roof(int threads) const;  // null: not known
};

/// `kernel`: the id of the only one to look at; empty: all.
Report gather(Store&, const ReportSubject&, const std::string& kernel = "");

/// A kernel with Variables is one row, whose shape, operations and bytes are those of whoever stored it first: they become
/// those of this search.
void size_kernel(Search&);
/// The opts of a schedule's text, whether or not this picograd knows them.
std::vector<std::string> split_opts(const std::string& schedule);
/// By what the search stored; none for what it began with, and for what an older picograd stored.
void find_parents(Search&);

}  // namespace pg
