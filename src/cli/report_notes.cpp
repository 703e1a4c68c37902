#include <fmt/format.h>

#include <algorithm>

#include "src/cli/report_tables.h"

namespace pg {

std::string report_sentence() {
  return "What the search found for each kernel: how far its winner is from what the machine could do at most, what it "
         "gained "
         "over the default schedule, and which schedules were tried on the way.";
}

std::vector<std::string> state_notes(const Report& r) {
  std::vector<std::string> notes;
  if (r.searches.empty() && r.others.empty())
    notes.push_back(
        "The database is empty: nothing was searched yet. `picograd tune llama`, or a run with BEAM=4, fills it.");
  else if (r.searches.empty())
    notes.push_back("Nothing in the database was measured on this device: what it knows is of other devices.");
  size_t running = 0, imported = 0;
  for (const Search& s : r.searches) {
    running += !s.winner;
    imported += s.measured.empty();
  }
  if (running) notes.push_back(fmt::format("Searches that did not end, so that there is no winner: {}.", running));
  if (imported)
    notes.push_back(fmt::format("Winners without measurements in the database, brought in from elsewhere: {}.", imported));
  return notes;
}

std::vector<std::string> roofline_notes(const Report& r) {
  if (r.searches.empty()) return {};
  std::vector<std::string> notes = {
      "An arrow goes from a kernel's default schedule, a ring, up to its winner, a dot; both have the same operations and "
      "bytes. Bytes are those of inputs and outputs, each counted once. Numbers are those of the table of kernels, where a "
      "name had no room."};
  if (r.roofs.empty())
    notes.push_back("No ceilings are drawn: " + r.no_roofs + ".");
  else
    notes.push_back(
        "Flat: multiply-adds from registers. Sloping: reads of more memory than the caches hold. A kernel whose "
        "buffers lie in the caches may stand above the slope. Both are the best of several runs a moment ago, "
        "too low where other programs kept the machine busy; kernels were timed when they were searched.");
  const auto left_out =
      std::count_if(r.searches.begin(), r.searches.end(), [](const Search& s) { return s.winner && !s.on_roofline(); });
  if (left_out)
    notes.push_back(fmt::format(
        "Kernels that have no place in it, because they compute nothing or their time is not known: {}.", left_out));
  return notes;
}

std::vector<std::string> search_notes() {
  return {
      "Measurements that were stored together are a batch: the default, the seeds, one round of the beam, the final; in "
      "which "
      "order they were made within a batch is not recorded. The line is the best time after each batch, the broken one "
      "joins the schedules that led to the winner. Times of the rounds "
      "are short looks; the winner's and the default's above are those of the final, in which they ran in turns.",
      "Marks: a dot was timed, a pale dot was slow and given up, a cross was wrong, a triangle crashed, a square ran out of "
      "time, a diamond did not compile. What has no time stands above the curve.",
      "The beam is a tree: the thin lines lead from each schedule to those that one move made from it. A search begins with "
      "the default, with what earlier runs measured, with winners of other toolchains and of neighbouring shapes, and with "
      "templates. What an older picograd measured has no recorded origin.",
  };
}

}  // namespace pg
