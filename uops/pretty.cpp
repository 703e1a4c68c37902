#include "uops/fold.h"
#include "uops/text.h"

namespace pg {

namespace {
constexpr size_t kLongest = 1200;  // a graph may be exponentially longer as a tree
constexpr int kDeepest = 60;

struct Infix {
  const char* sign;
  int strength;  // C's precedence
};
Infix infix(Op op) {
  switch (op) {
    case Op::Mul: return {"*", 10};
    case Op::Div:
    case Op::IDiv: return {"/", 10};
    case Op::Mod: return {"%", 10};
    case Op::Add: return {" + ", 9};
    case Op::Sub: return {" - ", 9};
    case Op::Shl: return {" << ", 8};
    case Op::Shr: return {" >> ", 8};
    case Op::Lt: return {" < ", 7};
    case Op::Eq: return {" == ", 6};
    case Op::Ne: return {" != ", 6};
    case Op::And: return {" & ", 5};
    case Op::Xor: return {" ^ ", 4};
    case Op::Or: return {" | ", 3};
    default: return {nullptr, 0};
  }
}
constexpr int kUnary = 11, kSelect = 2;

class Printer {
 public:
  std::string out;

  void print(const UOp& u, int outer = 0) {
    if (out.size() > kLongest || depth_ > kDeepest) {
      if (!out.ends_with("…")) out += "…";
      return;
    }
    ++depth_;
    node(u, outer);
    --depth_;
  }

 private:
  void list(std::span<const UOp> items, const char* separator = ", ") {
    for (size_t i = 0; i < items.size() && out.size() <= kLongest; ++i) {
      if (i) out += separator;
      print(items[i]);
    }
  }
  void call(const std::string& name, std::span<const UOp> items) {
    out += name + '(';
    list(items);
    out += ')';
  }
  void gate(const UOp& u, size_t i) {
    if (u.src().size() <= i) return;
    out += " if ";
    print(u.src(i), kSelect + 1);
  }
  void constant(const UOp& c) {
    if (const int64_t* i = std::get_if<int64_t>(&c.arg()))
      out += c.dtype().is_bool() ? (*i ? "true" : "false") : std::to_string(*i);
    else if (const double* d = std::get_if<double>(&c.arg()))
      out += number_text(*d);
    else
      out += "Const";
  }
  void node(const UOp& u, int outer) {
    if (!u) {
      out += "null";
      return;
    }
    if (const UOp* c = scalar_const(u)) return constant(*c);
    const auto src = u.src();
    if (const auto [sign, strength] = infix(u.op()); sign && src.size() == 2) {
      if (strength < outer) out += '(';
      print(src[0], strength);
      out += sign;
      print(src[1], strength + 1);
      if (strength < outer) out += ')';
      return;
    }
    switch (u.op()) {
      case Op::Variable:
        if (const auto* v = std::get_if<VariableArg>(&u.arg())) {
          out += v->name;
          return;
        }
        break;
      case Op::Range:
        if (const auto* r = std::get_if<RangeArg>(&u.arg())) {
          out += r->tile ? r->axis + ':' + std::to_string(r->tile) : r->axis;
          return;
        }
        break;
      case Op::Param:
      case Op::Memory:
        if (const auto* p = std::get_if<ParamArg>(&u.arg())) {
          out += p->name.empty() ? 'p' + std::to_string(p->slot) : p->name;
          return;
        }
        break;
      case Op::Buffer:
        if (const auto* n = std::get_if<int64_t>(&u.arg())) {
          out += "buffer" + std::to_string(*n);
          return;
        }
        break;
      case Op::Lanes: out += "lanes" + std::to_string(u.dtype().lanes); return;
      case Op::Neg:
      case Op::Not: out += u.is(Op::Neg) ? '-' : '!'; return print(src[0], kUnary);
      case Op::Cast: return call(text(u.dtype()), src);
      case Op::Bitcast: return call("bits_" + text(u.dtype()), src);
      case Op::Broadcast: return call('x' + std::to_string(u.dtype().lanes), src);
      case Op::Where:
        if (kSelect < outer) out += '(';
        print(src[0], kSelect + 1);
        out += " ? ";
        print(src[1], kSelect + 1);
        out += " : ";
        print(src[2], kSelect);
        if (kSelect < outer) out += ')';
        return;
      case Op::Index:
        print(src[0], kUnary);
        out += '[';
        list(src.subspan(1));
        out += ']';
        return;
      case Op::Load:
        if (src.size() > 1 && outer) out += '(';
        print(src[0]);
        gate(u, 1);
        if (src.size() > 1 && outer) out += ')';
        return;
      case Op::Store:
        print(src[0]);
        out += " = ";
        print(src[1]);
        return gate(u, 2);
      case Op::Define:
        if (const auto* name = std::get_if<std::string>(&u.arg())) {
          out += *name;
          if (depth_ > 1) return;  // its value is printed where it is the subject
          out += "[";
          list(src.subspan(1));
          out += "] = ";
          return print(src[0]);
        }
        break;
      case Op::Reduce:
        if (const auto* r = std::get_if<ReduceArg>(&u.arg())) return call(r->reducer, src);
        break;
      case Op::ReduceAxis:
        if (const auto* r = std::get_if<ReduceArg>(&u.arg())) return call(r->reducer, src);
        break;
      case Op::For:
        out += "for ";
        print(src[0]);
        out += " < ";
        print(src[0].src().empty() ? src[0] : src[0].src(0));
        if (src.size() < 2) return;
        out += ": ";
        return print(src[1]);
      case Op::If:
        out += "if ";
        print(src[0]);
        if (src.size() < 2) return;
        out += ": ";
        return print(src[1]);
      case Op::Directive:
        if (const auto* s = std::get_if<std::string>(&u.arg())) out += *s;
        return;
      case Op::Nest:
        if (const auto* s = std::get_if<std::string>(&u.arg())) return call(*s, src);
        break;
      case Op::Block:
        out += "{ ";
        list(src, "; ");
        out += " }";
        return;
      default: break;
    }
    std::string name = info(u.op()).name;
    if (info(u.op()).has(op_flag::Elementwise)) name[0] = static_cast<char>(name[0] - 'A' + 'a');
    call(name, src);
  }

  int depth_ = 0;
};
}  // namespace

std::string pretty(const UOp& u) {
  Printer p;
  p.print(u);
  return std::move(p.out);
}

}  // namespace pg
