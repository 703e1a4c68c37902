#pragma once
// XGBoost, found at run time: boosted trees fitted to rows of numbers. Nothing needs it to be there.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/dynamic_library.h"

namespace pg {

class Xgboost;

/// The library, or why there is none that can be used and what to do about it.
struct FoundXgboost {
  std::shared_ptr<const Xgboost> library;
  std::string what = {}, remedy = {};  // empty when there is one
};

class Xgboost {
 public:
  /// `library` names another file than the system's; "none" is never found.
  static FoundXgboost find(const std::string& library = "");

  using Matrix = void*;
  using Booster = void*;
#define XGBOOST(member, entry, parameters) int(*member) parameters = nullptr;
  struct Functions {
    using Matrix = Xgboost::Matrix;
    using Booster = Xgboost::Booster;
    const char* (*get_last_error)() = nullptr;
#include "runtime/xgboost_functions.def"
  };
#undef XGBOOST
  const Functions* operator->() const { return &functions_; }

 private:
  Xgboost() = default;
  std::shared_ptr<DynamicLibrary> library_;
  Functions functions_;
};

/// Rows of equal length, one after the other.
struct Table {
  size_t columns = 0;
  std::vector<float> values = {};
  size_t rows() const { return columns ? values.size() / columns : 0; }
  std::span<const float> row(size_t i) const { return std::span(values).subspan(i * columns, columns); }
  void add(std::span<const float> row) { values.insert(values.end(), row.begin(), row.end()); }
};

struct TreeOptions {
  int rounds = 60;
  std::vector<std::pair<std::string, std::string>> parameters = {};  // XGBoost's, by name
};

/// Fitted trees. One thread and no chance: the same rows give the same trees.
class Trees {
 public:
  /// Null when the library refuses; then `why` holds its words.
  static std::shared_ptr<const Trees> fit(std::shared_ptr<const Xgboost>, const Table&, std::span<const float> labels,
                                          const TreeOptions&, std::string& why);
  ~Trees();
  Trees(const Trees&) = delete;
  Trees& operator=(const Trees&) = delete;
  /// A number a row; none when the library refuses.
  std::vector<float> predict(const Table&) const;

 private:
  explicit Trees(std::shared_ptr<const Xgboost> library) : library_(std::move(library)) {}
  std::shared_ptr<const Xgboost> library_;
  Xgboost::Booster booster_ = nullptr;
};

}  // namespace pg
