#pragma once
// What all C-like dialects share: statements, scopes, names, and scalar arithmetic. A dialect adds vectors, memory access
// and the function's head; see clang.cpp, cuda.cpp.
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "renderers/c_text.h"
#include "renderers/program_shape.h"
#include "uops/lower.h"

namespace pg {

class CStyle {
 public:
  using Vectors = ProgramShape::Vectors;
  /// `reserved`: words that no name may be, beside C's.
  explicit CStyle(const UOp& linear, LaunchInfo launch, Vectors = Vectors::Whole,
                  std::span<const std::string_view> reserved = {});
  virtual ~CStyle() = default;

 protected:
  /// The statements of the body, at one indent, with what they need from the hooks below.
  std::string body();

  // ---- what a dialect says ----
  virtual std::string type(DType) = 0;
  virtual CText literal(DType t, const Arg& value) { return c_literal(t, value); }
  /// The name of a function for an op that C has no sign for (Max, Min, Sqrt, Floor, Fma, IDiv, Mod; comparisons of
  /// vectors).
  virtual std::string function(Op, DType operands) = 0;
  virtual CText convert(DType from, DType to, const CText& x) = 0;
  virtual CText bitcast(DType from, DType to, const CText& x) = 0;
  /// Broadcast, Stack, Shuffle.
  virtual CTexts vector(const UOp& u, const std::vector<CTexts>& operands) = 0;
  /// The vector 0, 1, ..
  virtual CTexts lane_numbers(DType) = 0;
  /// Lane by lane `condition ? then : otherwise`.
  virtual CText select(DType, const CText& condition, const CText& then, const CText& otherwise) = 0;
  /// An access to `buffer[index]`; gate null: always.
  virtual CTexts load(const UOp& u, const std::string& buffer, const CTexts& index, const CTexts* gate) = 0;
  /// Writes the statements.
  virtual void store(const UOp& u, const std::string& buffer, const CTexts& index, const CTexts& value,
                     const CTexts* gate) = 0;
  /// A whole statement: `buffer[index]` will be written soon. Empty: there is none.
  virtual std::string prefetch(const std::string& buffer, const CText& index, bool to_write) = 0;
  /// The declaration of a memory that is an array of so many elements. Empty: it is a parameter.
  virtual std::string array(const UOp& memory, const std::string& name, int64_t elements) = 0;
  /// The head of the loop over the launch's items; `range` null: there is one item. `first`: how many items come before
  /// (empty: none), `trips`: how many there are (empty: unknown, and no others follow). Empty: nothing is opened.
  virtual std::string grid_head(const UOp& range, const std::string& name, const CText& first, const CText& trips) = 0;

  // ---- what a dialect for the threads of a block says ----
  virtual std::string threads_head(const UOp& range, const std::string& name);
  /// LaneXor.
  virtual CText exchange(const UOp& u, const CText& x);
  /// Barrier, CopyAsync, CopyCommit, CopyWait; as a whole statement.
  virtual std::string block_statement(const UOp&);

  // ---- what a dialect may say ----
  /// Writes what stands before the first entry.
  virtual void prologue() {}
  /// Writes what stands before a loop.
  virtual void before_loop(const UOp& /*range*/) {}
  /// The type that a value is in: an i64 that is known to fit may be an i32.
  virtual DType held(const UOp& u) const { return u.dtype(); }
  /// Whether signed arithmetic must be done on unsigned numbers to wrap.
  virtual bool wraps_by_hand(const UOp&) const { return false; }

  // ---- what a dialect may use ----
  CText zero(DType);
  CTexts operand(const UOp& u);
  void line(std::string_view text);
  /// The text, or the name of a constant of this type that it was given, so that it may be written several times.
  CText named(const CText&, DType);
  /// A fresh name for what the entry computes.
  std::string temporary(const UOp& u);
  const std::string& param_name(const UOp& param) const { return names_of_.at(param.id()); }
  const std::string& variable_name(const UOp& v) const { return names_of_.at(v.id()); }
  std::string fresh_name(std::string_view wish) { return names_.take(wish); }
  const UOp& linear() const { return linear_; }
  const ProgramShape& shape() const { return shape_; }
  const LaunchInfo& launch() const { return launch_; }
  /// The name of a buffer, or of a memory that is an array.
  const std::string& array_name(const UOp& buffer);
  /// How many C values make up a value of this type, and the type of each.
  int parts(DType t) const { return vectors_ == Vectors::ByLanes ? t.lanes : 1; }
  DType part(DType t) const { return vectors_ == Vectors::ByLanes ? t.element() : t; }

 private:
  struct Scope {
    std::vector<std::pair<const void*, CTexts>> hidden;  // restored when it closes; no texts: was unbound
    std::string range;                                   // name to release
    bool is_open = true;                                 // there is a brace to close
    std::vector<const void*> declared = {};              // Memories
  };
  CTexts value(const UOp& u);
  CText elementwise(const UOp& u, std::vector<CText> x);
  CText arithmetic(const UOp& u, DType in, const std::vector<CText>& x);
  CText logic(Op, DType, const std::vector<CText>& x);
  CText division(const UOp& u, DType in, const std::vector<CText>& x);
  DType computed_in(const UOp& u, std::vector<CText>& x);
  void entry(size_t i);
  void bind(const UOp& u, CTexts);
  void value_entry(size_t i);
  void memory(const UOp&);
  void store_entry(const UOp&);
  void prefetch_entry(const UOp&);
  void open_for(const UOp&);
  void open_scope(const std::string& head, std::string range = {});
  void close_scope();
  const std::string& register_name(const UOp& memory, int64_t place);
  CTexts registers_of(const UOp& access);
  CTexts load_entry(const UOp& u);

  UOp linear_;
  LaunchInfo launch_;
  Vectors vectors_;
  ProgramShape shape_;
  Names names_;
  std::unordered_map<const void*, std::string> names_of_;             // Params, Variables, arrays, open Ranges
  std::map<std::pair<const void*, int64_t>, std::string> registers_;  // of a Memory, by place
  std::unordered_map<const void*, CTexts> bound_;
  std::vector<Scope> scopes_;
  std::string out_;
  int indent_ = 1;
  int temporaries_ = 0;
  CText phase_begin_ = {""};
};

}  // namespace pg
