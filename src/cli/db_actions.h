#pragma once
// The actions of `picograd db`, and what they share.
#include "cache/rows_json.h"
#include "src/cli/db.h"

namespace pg::db {

inline constexpr size_t kShortId = 12;  // digits of an id that `list` shows and `show` takes

std::string fixed(double x, int digits);
/// "threads=2 fp32 pos=512"
std::string key_text(const WinnerKey&);
void print(std::ostream&, const nlohmann::json&);
/// The kernel of a winner; one that says so where it is missing.
KernelRow kernel_of(Store&, const WinnerRow&);

int export_contents(const DbOptions&, std::ostream&);
int import_files(const DbOptions&, std::ostream&);
int merge_databases(const DbOptions&, std::ostream&);
int verify(const DbOptions&, std::ostream&, const Reverify&);
int prune(const DbOptions&, std::ostream&);
int migrate(const DbOptions&, std::ostream&);

}  // namespace pg::db
