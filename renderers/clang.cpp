// The dialect of Clang: vectors are ext_vector_types, bools in vectors are masks, and the program is one function.
#include <algorithm>

#include "renderers/c_style.h"
#include "renderers/clang_prelude.h"
#include "renderers/render.h"

namespace pg {

namespace {

class ClangC final : public CStyle {
 public:
  ClangC(const UOp& linear, ClangPrelude& prelude) : CStyle(linear, launch_info(linear)), prelude_(prelude) {}

  /// The kernel's functions; what they stand on is in the prelude afterwards.
  std::string functions(const std::string& name) {
    const std::string statements = body();
    std::string parameters, arguments;
    for (size_t i = 0; i < launch().params.size(); ++i) {
      const UOp& p = launch().params[i];
      parameters +=
          (shape().is_written(p) ? "" : "const ") + ClangPrelude::element(p.dtype()) + " *restrict " + param_name(p) + ", ";
      arguments += "buffers[" + std::to_string(i) + "], ";
    }
    for (size_t i = 0; i < launch().workspaces.size(); ++i) {
      const UOp& p = launch().workspaces[i];
      parameters += ClangPrelude::element(p.dtype()) + " *restrict " + param_name(p) + ", ";
      arguments += "buffers[" + std::to_string(launch().params.size() + i) + "], ";
    }
    for (const auto& [memory, offset] : launch().scratch) {
      parameters += type(memory.dtype()) + " *restrict " + array_name(memory) + ", ";
      arguments += "(void *)((char *)scratch + " + std::to_string(offset) + "), ";
    }
    for (size_t i = 0; i < launch().variables.size(); ++i) {
      parameters += "const long " + variable_name(launch().variables[i]) + ", ";
      arguments += "variables[" + std::to_string(i) + "], ";
    }
    // restrict means something to Clang on parameters only, hence two functions.
    return "\nINLINE void body_of_" + name + "(" + parameters + "long begin, long end) {\n" + statements + "}\n\nvoid " +
           name + "(void *const *buffers, const long *variables, void *scratch, long begin, long end) {\n  body_of_" + name +
           "(" + arguments + "begin, end);\n}\n";
  }

 private:
  std::string type(DType t) override { return prelude_.type(t); }
  std::string function(Op op, DType t) override { return prelude_.function(op, t); }

  std::string grid_head(const UOp&, const std::string& range, const CText& first, const CText& trips) override {
    if (launch().phases.size() == 1) return "for (long " + range + " = begin; " + range + " < end; ++" + range + ") {";
    // Ids of a phase begin where those of the last one end.
    const std::string shift = first.text.empty() ? "" : " - " + first.at(Precedence::Product);
    const std::string from = shift.empty() ? "begin" : "begin" + shift + " < 0 ? 0 : begin" + shift, to = "end" + shift;
    return "for (long " + range + " = " + from + "; " + range + " < " + to + " && " + range + " < " +
           trips.at(Precedence::Shift) + "; ++" + range + ") {";
  }

  std::string prefetch(const std::string& buffer, const CText& index, bool to_write) override {
    return "__builtin_prefetch(&" + buffer + "[" + index.text + (to_write ? "], 1);" : "]);");
  }

  CText convert(DType from, DType to, const CText& x) override {
    const int lanes = to.lanes;
    const DType f32 = dt::f32.vec(lanes), i32 = dt::i32.vec(lanes), i64 = dt::i64.vec(lanes);
    if (from == to) return x;
    if (from.scalar == Scalar::BFloat16) {
      const CText wide = c_call(prelude_.convert(from, f32), {x});
      return convert(f32, to, wide);
    }
    if (to.scalar == Scalar::BFloat16) return c_call(prelude_.convert(f32, to), {convert(from, f32, x)});
    // Integers reach f16 by way of f32, and narrow integers are reached by way of a wide one, as everywhere in picograd.
    if (to.scalar == Scalar::Float16 && from != f32) return plain_convert(to, convert(from, f32, x));
    if (to.is_bool()) {
      if (lanes == 1) return {x.at(Precedence::Sum) + " != 0", Precedence::Equality};
      return c_call(function(Op::Ne, from), {x, zero(from)});
    }
    if (from.is_bool() && lanes != 1) return plain_convert(to, {"-" + x.at(Precedence::Unary), Precedence::Unary});
    if (from.is_float() && to.is_int()) {
      if (to.element_bytes() < 4) return plain_convert(to, plain_convert(i32, x));
      if (to.scalar == Scalar::UInt32) return plain_convert(to, plain_convert(i64, x));
    }
    return plain_convert(to, x);
  }

  CText bitcast(DType from, DType to, const CText& x) override {
    if (from.is_bool() || to.is_bool()) return convert(from, to, x);
    if (to.lanes != 1) return {"(" + type(to) + ")" + x.at(Precedence::Unary), Precedence::Unary};
    return c_call(prelude_.bitcast(from, to), {x});
  }

  CTexts vector(const UOp& u, const std::vector<CTexts>& sources) override {
    std::vector<CText> x;
    for (const CTexts& s : sources) x.push_back(s[0]);
    return {vector_of(u, x)};
  }
  CText vector_of(const UOp& u, const std::vector<CText>& x) {
    const DType t = u.dtype();
    const auto mask = [&](const CText& c) { return t.is_bool() ? "-" + c.at(Precedence::Unary) : c.text; };
    if (u.is(Op::Broadcast))
      return {"(" + type(t) + ")" + (t.is_bool() ? "(signed char)" + mask(x[0]) : x[0].at(Precedence::Unary)),
              Precedence::Unary};
    if (u.is(Op::Stack)) {
      std::string s = "((" + type(t) + "){";  // in parentheses, as some of the prelude's names are macros
      for (size_t i = 0; i < x.size(); ++i) s += (i ? ", " : "") + mask(x[i]);
      return {s + "})"};
    }
    const auto& lanes = u.arg_as<Ints>();
    if (t.lanes == 1) {
      const int64_t of_first = u.src(0).dtype().lanes, number = lanes.at(0);
      const std::string lane = x.at(static_cast<size_t>(number / of_first)).at(Precedence::Postfix) + "[" +
                               std::to_string(number % of_first) + "]";
      return t.is_bool() ? CText{lane + " != 0", Precedence::Equality} : CText{lane};
    }
    std::string s = "__builtin_shufflevector(" + x[0].text + ", " + x.back().text;
    for (int64_t l : lanes) s += ", " + std::to_string(l);
    return {s + ")"};
  }

  CTexts lane_numbers(DType t) override { return {{prelude_.lane_numbers(t)}}; }

  CText select(DType t, const CText& c, const CText& a, const CText& b) override {
    if (t.lanes == 1)
      return {c.at(Precedence::Or) + " ? " + a.at(Precedence::Or) + " : " + b.at(Precedence::Or), Precedence::Ternary};
    return c_call(prelude_.select(t), {c, a, b});
  }

  CTexts load(const UOp& u, const std::string& buffer, const CTexts& index, const CTexts* gate) override {
    return {load_of(u, buffer, index[0], gate ? &gate->front() : nullptr)};
  }
  CText load_of(const UOp& u, const std::string& buffer, const CText& index, const CText* gate) {
    const DType t = u.dtype();
    const UOp& at = u.src(0).src(1);
    const std::string element = buffer + "[" + index.text + "]";
    if (at.dtype().lanes != 1) {
      const std::string f = prelude_.gather(t, gate != nullptr);
      return gate ? c_call(f, {{buffer}, index, *gate}) : c_call(f, {{buffer}, index});
    }
    if (t.lanes == 1) return gate ? select(t, *gate, {element}, zero(t)) : CText{element};
    const DType of = accessed(u).dtype();
    if (of.lanes != 1) return gate ? c_call(prelude_.load(t, true), {lanes_of(of, element), *gate}) : CText{element};
    const CText address{"&" + element, Precedence::Unary};
    return gate ? c_call(prelude_.load(t, true), {address, *gate}) : c_call(prelude_.load(t, false), {address});
  }

  void store(const UOp& u, const std::string& buffer, const CTexts& index, const CTexts& value,
             const CTexts* gate) override {
    line(store_of(u, buffer, index[0], value[0], gate ? &gate->front() : nullptr));
  }
  std::string store_of(const UOp& u, const std::string& buffer, const CText& index, const CText& v, const CText* gate) {
    const DType t = u.src(1).dtype();
    const UOp& at = u.src(0).src(1);
    const std::string element = buffer + "[" + index.text + "]";
    const auto call = [](const std::string& f, std::initializer_list<CText> arguments) {
      return c_call(f, arguments).text + ";";
    };
    if (at.dtype().lanes != 1) {
      const std::string f = prelude_.scatter(t, gate != nullptr);
      return gate ? call(f, {{buffer}, index, v, *gate}) : call(f, {{buffer}, index, v});
    }
    const DType of = accessed(u).dtype();
    if (t.lanes == 1) return (gate ? "if (" + gate->text + ") " : "") + element + " = " + v.text + ";";
    if (of.lanes != 1)
      return gate ? call(prelude_.store(t, true), {lanes_of(of, element), v, *gate}) : element + " = " + v.text + ";";
    const CText address{"&" + element, Precedence::Unary};
    return gate ? call(prelude_.store(t, true), {address, v, *gate}) : call(prelude_.store(t, false), {address, v});
  }

  std::string array(const UOp& memory, const std::string& name, int64_t elements) override {
    if (in_scratch(memory)) return "";
    return type(memory.dtype()) + " " + name + "[" + std::to_string(elements) + "] __attribute__((aligned(64)));";
  }
  bool in_scratch(const UOp& memory) const {
    const auto& places = launch().scratch;
    return std::any_of(places.begin(), places.end(), [&](const auto& place) { return place.first == memory; });
  }

  /// The address of a vector register in memory as that of its first lane.
  CText lanes_of(DType t, const std::string& element) {
    if (t.is_bool()) throw InternalError("rendering: a gated access to an array of bool vectors");
    return {"(" + ClangPrelude::element(t) + " *)&" + element, Precedence::Unary};
  }
  CText plain_convert(DType to, const CText& x) {
    if (to.lanes == 1) return {"(" + type(to) + ")" + x.at(Precedence::Unary), Precedence::Unary};
    return {"__builtin_convertvector(" + x.text + ", " + type(to) + ")"};
  }

  ClangPrelude& prelude_;
};

}  // namespace

std::string render_c_unit(std::span<const UOp> linears, std::span<const std::string> symbols) {
  ClangPrelude prelude;
  std::string kernels;
  for (size_t i = 0; i < linears.size(); ++i)
    with_context("rendering " + symbols[i], [&] { kernels += ClangC(linears[i], prelude).functions(symbols[i]); });
  return prelude.text() + kernels;
}

Source render_c(const UOp& linear) {
  LaunchInfo launch = launch_info(linear);
  std::string symbol = Names().take(launch.name);
  std::string text = render_c_unit({&linear, 1}, {&symbol, 1});
  return {std::move(symbol), std::move(text), linear, std::move(launch)};
}

}  // namespace pg
