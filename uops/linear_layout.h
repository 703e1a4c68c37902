#pragma once
// Layouts as linear maps over GF(2): each input bit (of a lane, a register, a chunk ..) XORs one column into the output, an
// element address or a coordinate. Fragments of matrix atoms and swizzled tiles are such maps, and what is asked of them
// (bank conflicts, vectors, inverses) is a rank.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pg {

/// Dimension of what the vectors span, bits as components.
int gf2_rank(std::span<const int64_t> vectors);

class LinearLayout {
 public:
  /// The bits of one input, lowest first: what each XORs into the output.
  struct Group {
    std::string name;
    std::vector<int64_t> columns;
    friend bool operator==(const Group&, const Group&) = default;
  };
  /// The first group holds the lowest bits of the input as a whole. At most 62 bits each way, columns not negative.
  explicit LinearLayout(std::vector<Group> groups);
  /// The map whose value at i is values[i] (2^n values), or null where they follow no linear map.
  static std::optional<LinearLayout> through(std::string group, std::span<const int64_t> values);

  const std::vector<Group>& groups() const { return groups_; }
  std::vector<int64_t> columns() const;
  int input_bits() const;
  int output_bits() const;  // the least n that holds all outputs

  int64_t operator()(int64_t input) const;
  /// Groups by name; those not named are 0.
  int64_t at(std::initializer_list<std::pair<std::string_view, int64_t>> inputs) const;

  /// The map of these groups alone, in this order: what is left where the others are constant, but for an offset.
  LinearLayout only(std::initializer_list<std::string_view> names) const;
  /// `next` after this one. InternalError where this one's outputs are more than next's inputs.
  LinearLayout then(const LinearLayout& next) const;

  int rank() const;
  bool is_injective() const { return rank() == input_bits(); }
  std::vector<int64_t> kernel() const;  // a basis of the inputs that give 0
  std::vector<int64_t> image() const;   // a basis of the outputs
  /// Null unless the map is a bijection of [0, 2^input_bits). The inverse has one group.
  std::optional<LinearLayout> inverse(std::string group = "address") const;

  friend bool operator==(const LinearLayout&, const LinearLayout&) = default;

 private:
  std::vector<Group> groups_;
};

}  // namespace pg
