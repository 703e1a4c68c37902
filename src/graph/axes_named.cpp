#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "src/graph/axes.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"
#include "uops/text.h"

namespace pg {

namespace {
bool is_param_load(const UOp& u) { return u.is(Op::Load) && u.src(0).src(0).is(Op::Param); }
bool loads(const UOp& u) { return !collect(u, is_param_load).empty(); }

/// The factors of a product that read memory, casts looked through.
UOps loading_factors(UOp body) {
  while (body.is(Op::Cast)) body = body.src(0);
  if (!body.is(Op::Mul)) return loads(body) ? UOps{body} : UOps{};
  UOps factors = loading_factors(body.src(0));
  for (const UOp& f : loading_factors(body.src(1))) factors.push_back(f);
  return factors;
}

bool has(const UOp& expression, const UOp& range) {
  const UOps ranges = free_ranges(expression);
  return std::find(ranges.begin(), ranges.end(), range) != ranges.end();
}

/// The two factors of a kernel that is a sum of products; empty when it is none.
UOps summed_factors(const std::vector<Definition>& all) {
  const Definition& out = all.back();
  if (!out.reduce || out.reduce.arg_as<ReduceArg>().reducer != "sum") return {};
  UOps factors = loading_factors(out.bodies[0]);
  return factors.size() == 2 ? factors : UOps{};
}

/// A sum of products A[b.., m.., k..] * B[b.., n.., k..]: which factor each output axis belongs to.
struct Product {
  UOp a, b;
  char letter(const UOp& range) const {
    const bool in_a = has(a, range), in_b = has(b, range);
    return in_a == in_b ? 'b' : in_a ? 'm' : 'n';
  }
};
std::optional<Product> product(const std::vector<Definition>& all) {
  const UOps factors = summed_factors(all);
  if (factors.empty()) return std::nullopt;
  Product p{factors[0], factors[1]};
  // A is the factor of the first axis that only one factor has; a factor without an axis of its own is A too (1 x K by K x
  // N).
  bool own[2] = {false, false}, decided = false;
  for (const UOp& range : all.back().ranges) {
    const char letter = p.letter(range);
    if (letter == 'b') continue;
    own[letter == 'n'] = true;
    if (!decided && letter == 'n') {
      std::swap(p.a, p.b);
      std::swap(own[0], own[1]);
    }
    decided = true;
  }
  if (!decided) return std::nullopt;
  if (!own[1]) std::swap(p.a, p.b);
  return p;
}

/// A sum of products X[b.., g.., c.., y*stride + ky*dilation ..] * W[g.., o.., c.., ky..]: some dimension of X is walked by
/// an output axis that W lacks together with a reduce axis that W has for itself.
struct Convolution {
  UOp x, w;
  UOps spatial;                               // output axes y, x, in the order of X's dimensions; windows or not
  std::vector<std::pair<UOp, UOp>> windowed;  // (output axis, reduce axis)
};
std::optional<Convolution> convolution_of(const UOp& x, const UOp& w, const Definition& out) {
  constexpr size_t kMostSpatial = 3;
  Convolution c{x, w, {}, {}};
  const auto accesses = [](const UOp& factor) { return collect(factor, is_param_load); };
  const auto in = [](const UOps& list, const UOp& range) {
    return std::find(list.begin(), list.end(), range) != list.end();
  };
  UOps own;  // indices of W that are an axis
  for (const UOp& read : accesses(w))
    for (const UOp& i : read.src(0).src().subspan(1))
      if (i.is(Op::Range)) own.push_back(i);
  size_t filters = 0;  // output axes up to the first that W has
  while (filters < out.ranges.size() && !has(w, out.ranges[filters])) ++filters;
  for (const UOp& read : accesses(x))
    for (const UOp& i : read.src(0).src().subspan(1))
      for (const UOp& range : free_ranges(i)) {
        const auto at = std::find(out.ranges.begin(), out.ranges.end(), range);
        if (at == out.ranges.end() || has(w, range) || in(c.spatial, range)) continue;
        UOps window;
        for (const UOp& reduced : out.reduce_ranges)
          if (has(i, reduced) && in(own, reduced) && coefficient(i, reduced)) window.push_back(reduced);
        if (window.size() > 1 || !coefficient(i, range)) return std::nullopt;
        if (!window.empty()) c.windowed.emplace_back(range, window[0]);
        if (!window.empty() || static_cast<size_t>(at - out.ranges.begin()) > filters) c.spatial.push_back(range);
      }
  if (c.windowed.empty() || c.spatial.size() > kMostSpatial) return std::nullopt;
  return c;
}
std::optional<Convolution> convolution(const std::vector<Definition>& all) {
  const UOps factors = summed_factors(all);
  if (factors.empty()) return std::nullopt;
  if (auto c = convolution_of(factors[0], factors[1], all.back())) return c;
  return convolution_of(factors[1], factors[0], all.back());
}

std::string extent_text(const UOp& extent) {
  std::string s = pretty(extent);
  s.erase(std::remove(s.begin(), s.end(), ' '), s.end());
  return s;
}
std::string joined(const UOps& extents) {
  std::string s;
  for (const UOp& e : extents) s += (s.empty() ? "" : "x") + extent_text(e);
  return s.empty() ? "1" : s;
}

/// What the kernel is called before its extents.
std::string kind(const std::vector<Definition>& all) {
  const Definition& out = all.back();
  if (out.reduce) return out.reduce.arg_as<ReduceArg>().reducer;
  if (all.size() > 1) {
    std::unordered_set<std::string> reducers;
    for (const Definition& d : all)
      if (d.reduce) reducers.insert(d.reduce.arg_as<ReduceArg>().reducer);
    return !reducers.contains("sum") ? "rows" : reducers.contains("max") ? "softmax" : "norm";
  }
  const auto is_gather = [](const UOp& u) {
    return u.is(Op::Index) && std::any_of(u.src().begin() + 1, u.src().end(), loads);
  };
  if (!collect(out.node, is_gather).empty()) return "gather";
  return out.value.is(Op::Load) ? "copy" : "elementwise";
}

/// Gives out `letters` one by one, then numbers the last of them: i, j, .. w, w1, w2.
class Letters {
 public:
  explicit Letters(std::string letters) : letters_(std::move(letters)) {}
  std::string next() {
    const size_t n = used_++;
    return n < letters_.size() ? letters_.substr(n, 1) : letters_.back() + std::to_string(n - letters_.size() + 1);
  }

 private:
  std::string letters_;
  size_t used_ = 0;
};

class Namer {
 public:
  explicit Namer(const UOp& kernel)
      : kernel_(kernel), all_(definitions(kernel)), convolution_(convolution(all_)), product_(product(all_)) {}

  UOp named() {
    const std::string name = convolution_ ? convolution_axes() : product_ ? product_axes() : other_axes();
    name_params();
    const UOp renamed = kernel_simplified(substitute(kernel_, names_));
    return UOp(Op::Kernel, dt::kVoid, name, renamed.src());
  }

 private:
  void rename(const UOp& r, std::string name) {
    if (done_.insert(r).second) names_.emplace_back(r, range(std::move(name), r.src(0)));
  }

  std::string convolution_axes() {
    const Definition& out = all_.back();
    const UOps& spatial = convolution_->spatial;
    std::unordered_map<UOp, std::string> names;
    for (size_t i = 0; i < spatial.size(); ++i) names[spatial[i]] = std::string(1, "xyz"[spatial.size() - 1 - i]);
    for (const auto& [place, window] : convolution_->windowed) names[window] = "k" + names[place];
    Letters b("b"), g("g"), o("o"), c("c");
    UOps outputs, reduces;
    for (const UOp& r : out.ranges) {
      const bool in_x = has(convolution_->x, r), in_w = has(convolution_->w, r);
      rename(r, names.contains(r) ? names[r] : (in_x == in_w ? g : in_w ? o : b).next());
      outputs.push_back(r.src(0));
    }
    for (const UOp& r : out.reduce_ranges) {
      rename(r, names.contains(r) ? names[r] : c.next());
      reduces.push_back(r.src(0));
    }
    return "conv_" + joined(outputs) + "_" + joined(reduces);
  }

  /// Of a product; where it weighs by a softmax, by the letters of the attention literature.
  std::string product_axes() {
    const bool attends = is_attention();
    std::unordered_map<char, Letters> letters;
    std::unordered_map<char, UOp> extent;
    auto give = [&](const UOp& r, char letter) {
      constexpr std::string_view kProduct = "bmnk", kAttention = "hidj";
      const size_t known = kProduct.find(letter);
      const char name = attends && known != kProduct.npos ? kAttention[known] : letter;
      rename(r, letters.try_emplace(letter, std::string(1, name)).first->second.next());
      auto [it, first] = extent.emplace(letter, r.src(0));
      if (!first) it->second = simplify(it->second * r.src(0));
    };
    for (const UOp& r : all_.back().ranges) give(r, product_->letter(r));
    for (const UOp& r : all_.back().reduce_ranges) give(r, 'k');
    for (const Definition& d : all_)
      for (const UOp& r : d.reduce_ranges)
        if (!done_.contains(r)) give(r, 'e');
    auto size = [&](char letter) { return extent.contains(letter) ? extent_text(extent[letter]) : std::string("1"); };
    return (attends ? "attention_" : "matmul_") + (extent.contains('b') ? "b" + size('b') + "_" : "") + size('m') + "x" +
           size('n') + "x" + size('k');
  }
  bool is_attention() const {
    return std::any_of(all_.begin(), all_.end(), [](const Definition& d) {
      return !d.store && d.reduce && d.reduce.arg_as<ReduceArg>().reducer == "max";
    });
  }

  std::string other_axes() {
    Letters outputs("ijlpqstuvw"), reduces("r");
    UOps extents;
    for (const UOp& r : all_.back().ranges) {
      rename(r, outputs.next());
      extents.push_back(r.src(0));
    }
    for (const Definition& d : all_)
      for (const UOp& r : d.reduce_ranges)
        if (!done_.contains(r)) {
          rename(r, reduces.next());
          extents.push_back(r.src(0));
        }
    return kind(all_) + "_" + joined(extents);
  }

  void name_params() {
    const bool matmul = product_ && !convolution_;
    Letters others(convolution_ ? "B" : matmul ? "DEFGHJKNOPQTUVW" : "X");
    const bool attends = matmul && is_attention();
    std::unordered_map<UOp, std::string> names{{all_.back().store.src(0).src(0), attends ? "O" : matmul ? "C" : "Y"}};
    if (convolution_) {
      name_factor(convolution_->x, "X", names);
      name_factor(convolution_->w, definition_reads(convolution_->w).empty() ? "W" : "V", names);  // W: what it unpacks to
    } else if (attends) {
      name_attention(names);
    } else if (product_) {
      name_factor(product_->a, "A", names);
      name_factor(product_->b, "B", names);
    }
    std::unordered_set<std::string> taken;  // a schedule tells buffers and definitions apart by their names alone
    for (const Definition& d : all_)
      if (!d.store) taken.insert(d.node.arg_as<std::string>());
    for (const auto& [param, name] : names) taken.insert(name);
    for (const UOp& p : params_of(kernel_)) {
      auto [it, is_new] = names.emplace(p, "");
      while (is_new && (it->second.empty() || taken.contains(it->second))) it->second = others.next();
      const UOps extents(p.src().begin(), p.src().end());
      names_.emplace_back(p, UOp(Op::Param, p.dtype(), ParamArg{p.arg_as<ParamArg>().slot, it->second}, extents));
    }
  }
  /// V is what the weights are for; K and Q are multiplied for the scores, K has the axis that is summed.
  void name_attention(std::unordered_map<UOp, std::string>& names) const {
    const UOp& summed = all_.back().reduce_ranges[0];
    for (const UOp& u : expression_nodes(all_.back().bodies[0]))
      if (is_param_load(u)) names.emplace(u.src(0).src(0), "V");
    for (const Definition& d : all_)
      if (!d.store && d.reduce && has_axis(d.ranges, summed))
        for (const UOp& u : expression_nodes(d.bodies[0]))
          if (is_param_load(u)) names.emplace(u.src(0).src(0), has(u, summed) ? "K" : "Q");
  }
  /// The first buffer that a factor reads.
  static void name_factor(const UOp& factor, const char* name, std::unordered_map<UOp, std::string>& names) {
    for (const UOp& u : collect(factor, is_param_load))
      if (names.emplace(u.src(0).src(0), name).second) return;
  }

  const UOp& kernel_;
  const std::vector<Definition> all_;
  const std::optional<Convolution> convolution_;
  const std::optional<Product> product_;
  Substitution names_;
  std::unordered_set<UOp> done_;
};
}  // namespace

UOp axes_named(const UOp& kernel) { return Namer(kernel).named(); }

}  // namespace pg
