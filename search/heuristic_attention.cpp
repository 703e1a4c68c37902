#include "search/heuristic_attention.h"

#include <algorithm>

#include "search/attention_parts.h"
#include "search/chains.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr int64_t kFewRows = 16;     // that share their keys: then a block of rows is all of them
constexpr int64_t kBlockRows = 60;   // whose scores stay near
constexpr int64_t kBlockKeys = 256;  // of which there are no more at a time
constexpr int64_t kShortRow = 1024;  // of scores: kept whole, as rescaling costs more than it saves

int64_t longest(const UOp& axis) { return bounds(axis.src(0)).hi; }

class AttentionHeuristic {
 public:
  AttentionHeuristic(const UOp& kernel, const Target& target, AttentionParts parts)
      : kernel_(kernel), target_(target), p_(std::move(parts)), lanes_(target.lanes_f32()) {}

  std::optional<Schedule> run() {
    if (p_.rows <= kFewRows)
      if (auto s = few_rows()) return s;
    return many_rows();
  }

 private:
  // The text of a schedule is as good a way to write one down as any, and easier to read.
  void tile(const std::string& axis, int64_t size, const char* kind) {
    text_ += " tile(" + axis + "," + std::to_string(size) + (*kind ? std::string(",") + kind : "") + ")";
  }
  void vectors(const std::string& axis, int64_t most, int64_t extent) {
    int64_t lanes = lanes_;
    while (lanes > 2 && lanes / 2 >= extent) lanes /= 2;
    while (most > 1 && most * lanes > extent) --most;
    if (most > 1) tile(axis, most * lanes, "upcast");
    tile(axis, lanes, "vec");
  }
  void stage(const std::string& what, const std::string& at) {
    text_ += " stage(" + what + "," + (at.empty() ? "top" : at) + ")";
  }
  std::string names(const std::vector<UOp>& axes) const {
    std::string s;
    for (const UOp& a : axes) s += axis_of(a) + " ";
    return s;
  }
  std::optional<Schedule> parsed() const {
    const Expected<Schedule> s = Schedule(kernel_, target_).apply(parse_opts(text_));
    return s ? std::optional(*s) : std::nullopt;
  }
  bool many_registers() const { return target_.registers >= 32; }
  int64_t row_block(int64_t rows) const { return std::min<int64_t>(rows, many_registers() ? 6 : 4); }
  int64_t column_vectors() const { return many_registers() ? 4 : 2; }
  void softmax(int64_t count) {
    for (const std::string& nest : {p_.maximum, p_.weights, p_.total}) vectors(nest + "." + p_.j, count, p_.key_count);
  }
  /// Which rows are shared out; all that moves the keys, and the other rows where these are few.
  std::string grid(std::string* last) const {
    std::string axes;
    int64_t items = 1;
    for (const UOp& a : p_.outer) {
      if (items >= 2 * target_.cores && !moves(kernel_, p_.values, axis_of(a))) break;
      axes += axis_of(a) + " ", items *= longest(a);
      *last = axis_of(a);
    }
    return axes.empty() ? "" : " grid(" + axes + ")";
  }

  /// Decoding: a few rows look at many keys. Blocks of keys are turned round, so that lanes are keys and no sum need be
  /// merged across lanes; where one row looks at them, that would cost more than the merges.
  std::optional<Schedule> few_rows() {
    text_.clear();
    std::string at;
    const std::string shared = grid(&at);
    for (const UOp& a : p_.outer) at = axis_of(a);
    const int64_t rows = p_.rows;
    vectors(p_.output + "." + p_.d, column_vectors(), p_.columns);
    if (rows > 1) tile(p_.output + "." + p_.i, row_block_of(rows), "upcast");
    if (!p_.scores.empty()) {
      const std::string s = p_.scores + ".";
      if (rows > 1 && !lies_along(kernel_, p_.keys, p_.j)) {
        vectors(s + p_.j, 2, p_.key_count);
        tile(s + p_.i, std::min<int64_t>(rows, 8), "upcast");
        text_ += " order(" + s + p_.j + e() + " " + p_.i + ")";
        stage(p_.keys, s + p_.j);
      } else {
        vectors(s + p_.e.back(), 1, p_.depth);
        tile(s + p_.j, 4, "upcast");
      }
    }
    softmax(2);
    text_ += shared;
    keep(at);
    return parsed();
  }
  static int64_t row_block_of(int64_t rows) {  // of equal blocks
    const int64_t blocks = (rows + 5) / 6;
    return (rows + blocks - 1) / blocks;
  }
  std::string e() const {
    std::string s;
    for (const std::string& a : p_.e) s += " " + a;
    return s;
  }
  void keep(const std::string& at) {
    for (const std::string& q : p_.in_place) stage(q, at);
    if (!p_.scores.empty()) stage(p_.scores, at);
    stage(p_.weights, at);
  }

  /// Blocks of rows by blocks of keys: scores and weights of one such block are all that there is of them.
  std::optional<Schedule> many_rows() {
    if (p_.i.empty()) return std::nullopt;
    for (const bool whole : {p_.key_count <= kShortRow, false}) {
      text_.clear();
      std::string at;
      const std::string shared = grid(&at), i = p_.output + "." + p_.i;
      const int64_t block = row_block(p_.rows);
      const bool blocks = p_.rows > kBlockRows;
      if (!whole) text_ += "online(" + p_.j + "," + std::to_string(kBlockKeys) + ")";
      if (blocks) tile(i, kBlockRows / block * block, "");
      tile(i, block, "upcast");
      vectors(p_.output + "." + p_.d, column_vectors(), p_.columns);
      if (!p_.scores.empty()) {
        vectors(p_.scores + "." + p_.j, column_vectors(), p_.key_count);
        tile(p_.scores + "." + p_.i, block, "upcast");
        text_ += " order(" + p_.scores + "." + p_.j + " " + p_.i + e() + ")";
      }
      softmax(column_vectors());
      text_ += shared;
      const std::string rows = p_.i, keys = p_.j, near = p_.i + ":" + std::to_string(kBlockRows / block * block);
      // Columns innermost: scores are for all of them.
      text_ += " order(" + rows + (whole ? "" : " " + keys) + (blocks ? " " + near : "") + " " + p_.d + " " + keys +
               (whole ? "" : ":" + std::to_string(kBlockKeys)) + ")";
      const int64_t panel = p_.key_count * p_.depth * int64_t{sizeof(float)};
      if (!p_.scores.empty() && !lies_along(kernel_, p_.keys, p_.j)) {
        std::string far;  // the innermost outer loop that moves the keys
        for (const UOp& a : p_.outer)
          if (moves(kernel_, p_.keys, axis_of(a))) far = axis_of(a);
        stage(p_.keys, panel <= target_.l2_bytes ? far : whole ? rows : keys);
      }
      const std::string kept = whole ? rows : keys;
      for (const std::string& q : p_.in_place) stage(q, rows);
      if (!p_.scores.empty()) stage(p_.scores, kept);
      stage(p_.weights, kept);
      if (auto s = parsed()) return s;
    }
    return std::nullopt;
  }

  const UOp& kernel_;
  const Target& target_;
  const AttentionParts p_;
  const int64_t lanes_;
  std::string text_;
};

}  // namespace

std::optional<Schedule> attention_heuristic(const UOp& kernel, const Target& target) {
  const auto parts = attention_parts(kernel);
  return parts ? AttentionHeuristic(kernel, target, *parts).run() : std::nullopt;
}

}  // namespace pg
