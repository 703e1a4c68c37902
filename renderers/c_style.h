#pragma once
// What all C-like dialects share: statements, scopes, names, and scalar arithmetic. A dialect adds vectors, memory access
// and the function's head; see clang.cpp.
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "renderers/c_text.h"
#include "renderers/program_shape.h"
#include "uops/lower.h"

namespace pg {

class CStyle {
 public:
  explicit CStyle(const UOp& linear);
  virtual ~CStyle() = default;

 protected:
  /// The statements of the body, at one indent, with what they need from the hooks below.
  std::string body();

  // ---- what a dialect says ----
  virtual std::string type(DType) = 0;
  /// The name of a function for an op that C has no sign for (Max, Min, Sqrt, Floor, Fma, IDiv, Mod; comparisons of
  /// vectors).
  virtual std::string function(Op, DType operands) = 0;
  virtual CText convert(DType from, DType to, const CText& x) = 0;
  virtual CText bitcast(DType from, DType to, const CText& x) = 0;
  /// Broadcast, Stack, Shuffle.
  virtual CText vector(const UOp& u, const std::vector<CText>& operands) = 0;
  /// The vector 0, 1, ..
  virtual CText lane_numbers(DType) = 0;
  /// Lane by lane `condition ? then : otherwise`.
  virtual CText select(DType, const CText& condition, const CText& then, const CText& otherwise) = 0;
  /// An access to `buffer[index]`; gate null: always.
  virtual CText load(const UOp& u, const std::string& buffer, const CText& index, const CText* gate) = 0;
  /// A whole statement, without indent.
  virtual std::string store(const UOp& u, const std::string& buffer, const CText& index, const CText& value,
                            const CText* gate) = 0;
  /// A whole statement: `buffer[index]` will be written soon.
  virtual std::string prefetch(const std::string& buffer, const CText& index, bool to_write) = 0;
  /// The head of the loop over the launch's items; `first`: how many items come before (empty: none), `trips`: how many
  /// there are (empty: unknown, and no others follow).
  virtual std::string grid_head(const std::string& range, const CText& first, const CText& trips) = 0;

  // ---- what a dialect may use ----
  CText zero(DType);
  const std::string& param_name(const UOp& param) const { return names_of_.at(param.id()); }
  const std::string& variable_name(const UOp& v) const { return names_of_.at(v.id()); }
  const UOp& linear() const { return linear_; }
  const ProgramShape& shape() const { return shape_; }
  const LaunchInfo& launch() const { return launch_; }
  /// Of a private memory that is an array.
  const std::string& array_name(const UOp& memory);
  bool in_scratch(const UOp& memory) const;

 private:
  struct Scope {
    std::vector<std::pair<const void*, CText>> hidden;  // restored when it closes; precedence of an empty text: was unbound
    std::string range;                                  // name to release
    std::vector<const void*> declared = {};             // Memories
  };
  CText operand(const UOp& u);
  CText value(const UOp& u);
  CText elementwise(const UOp& u, const std::vector<CText>& x);
  CText logic(Op, DType, const std::vector<CText>& x);
  CText division(const UOp& u, const std::vector<CText>& x);
  void entry(size_t i);
  void bind(const UOp& u, CText);
  void value_entry(size_t i);
  void memory(const UOp&);
  void store_entry(const UOp&);
  void prefetch_entry(const UOp&);
  void open_for(const UOp&);
  void open_scope(std::string head, std::string range = {});
  void close_scope();
  void line(std::string_view text);
  std::string temporary(const UOp& u);
  const std::string& register_name(const UOp& memory, int64_t place);
  CText load_entry(const UOp& u);

  UOp linear_;
  LaunchInfo launch_;
  ProgramShape shape_;
  Names names_;
  std::unordered_map<const void*, std::string> names_of_;             // Params, Variables, arrays, open Ranges
  std::map<std::pair<const void*, int64_t>, std::string> registers_;  // of a Memory, by place
  std::unordered_map<const void*, CText> bound_;
  std::vector<Scope> scopes_;
  std::string out_;
  int temporaries_ = 0;
  CText phase_begin_ = {""};
};

}  // namespace pg
