#include "runtime/xgboost.h"

#include <limits>

namespace pg {

namespace {

constexpr const char* kLibraries[] = {"libxgboost.so.0", "libxgboost.so"};  // Debian's, and one that was built by hand
constexpr const char* kInstall = "./picograd setup --full, or install Debian's libxgboost0";

/// The rows as the library wants them.
class Rows {
 public:
  Rows(const Xgboost& library, const Table& table) : library_(library) {
    constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();
    if (library_->matrix_create(table.values.data(), table.rows(), table.columns, kMissing, &matrix_, 1) != 0)
      matrix_ = nullptr;
  }
  ~Rows() {
    if (matrix_) library_->matrix_free(matrix_);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  Xgboost::Matrix get() const { return matrix_; }

 private:
  const Xgboost& library_;
  Xgboost::Matrix matrix_ = nullptr;
};

}  // namespace

FoundXgboost Xgboost::find(const std::string& library) {
  if (library == "none") return {nullptr, "XGBoost is switched off", "unset PICOGRAD_XGBOOST"};
  const std::shared_ptr<Xgboost> found(new Xgboost);
  std::vector<std::string> names(std::begin(kLibraries), std::end(kLibraries));
  if (!library.empty()) names = {library};
  std::string first_words;
  for (const std::string& name : names) {
    std::string words;
    if ((found->library_ = DynamicLibrary::open(name, words))) break;
    if (first_words.empty()) first_words = words;
  }
  if (!found->library_) {
    const bool absent = first_words.find("No such file") != first_words.npos;
    return {nullptr, absent ? names[0] + " not found" : names[0] + " cannot be loaded: " + first_words, kInstall};
  }
  Functions& f = found->functions_;
#define XGBOOST(member, entry, parameters)                    \
  if (void* address = found->library_->symbol(#entry))        \
    f.member = reinterpret_cast<decltype(f.member)>(address); \
  else                                                        \
    return {nullptr, names[0] + " is no XGBoost of version 1.4 or later: it has no " #entry, kInstall};
  XGBOOST(get_last_error, XGBGetLastError, ())
#include "runtime/xgboost_functions.def"
#undef XGBOOST
  f.set_global_config(R"({"verbosity": 0})");
  return {found};
}

std::shared_ptr<const Trees> Trees::fit(std::shared_ptr<const Xgboost> library, const Table& table,
                                        std::span<const float> labels, const TreeOptions& options, std::string& why) {
  const Xgboost& x = *library;
  const auto refused = [&] {
    const char* words = x->get_last_error();
    why = std::string("XGBoost refuses: ") + (words ? words : "");
    why.resize(std::min(why.size(), why.find('\n')));
    return nullptr;
  };
  const Rows rows(x, table);
  if (!rows.get()) return refused();
  if (x->matrix_set_floats(rows.get(), "label", labels.data(), labels.size()) != 0) return refused();
  const std::shared_ptr<Trees> trees(new Trees(library));
  const Xgboost::Matrix matrix = rows.get();
  if (x->booster_create(&matrix, 1, &trees->booster_) != 0) return refused();
  std::vector<std::pair<std::string, std::string>> parameters = {{"nthread", "1"}, {"seed", "1"}, {"verbosity", "0"}};
  parameters.insert(parameters.end(), options.parameters.begin(), options.parameters.end());
  for (const auto& [name, value] : parameters)
    if (x->booster_set(trees->booster_, name.c_str(), value.c_str()) != 0) return refused();
  for (int round = 0; round < options.rounds; ++round)
    if (x->booster_update(trees->booster_, round, rows.get()) != 0) return refused();
  return trees;
}

Trees::~Trees() {
  if (booster_) (*library_)->booster_free(booster_);
}

std::vector<float> Trees::predict(const Table& table) const {
  const Xgboost& x = *library_;
  const Rows rows(x, table);
  if (!rows.get()) return {};
  const uint64_t* shape = nullptr;
  uint64_t dimensions = 0;
  const float* values = nullptr;
  constexpr const char* kPlain =
      R"({"type": 0, "training": false, "iteration_begin": 0, "iteration_end": 0, "strict_shape": false})";
  if (x->booster_predict(booster_, rows.get(), kPlain, &shape, &dimensions, &values) != 0) return {};
  return std::vector<float>(values, values + table.rows());
}

}  // namespace pg
