#include "uops/swizzle.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <tuple>

#include "uops/simplify.h"
#include "uops/sum.h"

namespace pg {

namespace {
int log2_exact(int64_t v) { return std::countr_zero(static_cast<uint64_t>(v)); }
/// Elements whose addresses differ in banks only: 128 bytes.
int64_t bank_elements(int element_bytes) { return kBanks * kBankBytes / element_bytes; }

int widest(std::span<const WarpAccess> accesses) {
  int width = 1;
  for (const WarpAccess& a : accesses) width = std::max(width, a.width);
  return width;
}

/// What candidates are ranked by; smaller is better.
struct Cost {
  int64_t product = 1;
  std::vector<int64_t> ways;
  int64_t spread = 1;

  void add(int64_t w, int64_t s) {
    product *= w;
    ways.push_back(w);
    spread *= s;
  }
  friend bool operator<(const Cost& a, const Cost& b) {
    return std::tie(a.product, a.ways, a.spread) < std::tie(b.product, b.ways, b.spread);
  }
};
}  // namespace

// ---- choosing ----
LinearLayout Swizzle::layout(int address_bits) const {
  std::vector<int64_t> columns;
  for (int i = 0; i < address_bits; ++i) columns.push_back(apply(int64_t{1} << i));
  return LinearLayout({{"address", std::move(columns)}});
}

Swizzle Swizzle::in_bytes(int element_bytes) const { return {bits, base + log2_exact(element_bytes), shift}; }

SolvedSwizzle solve_swizzle(int tile_bits, std::span<const WarpAccess> accesses, int element_bytes) {
  std::vector<std::optional<LaneColumns>> linear;
  for (const WarpAccess& a : accesses) {
    for (int64_t at : a.addresses)
      if (at < 0 || at >> tile_bits)
        throw InternalError("address " + std::to_string(at) + " in a tile of 2^" + std::to_string(tile_bits));
    linear.push_back(lane_columns(a.addresses));
  }
  const auto cost = [&](const Swizzle& s) {
    Cost c;
    for (size_t i = 0; i < accesses.size(); ++i) {
      const int width = accesses[i].width;
      if (linear[i]) {
        LaneColumns columns = *linear[i];
        for (int64_t& x : columns) x = s.apply(x);
        c.add(conflict_ways(columns, width, element_bytes), warp_spread(columns, width, element_bytes));
      } else {
        auto addresses = accesses[i].addresses;
        for (int64_t& x : addresses) x = s.apply(x);
        c.add(conflict_ways(addresses, width, element_bytes), warp_spread(addresses, width, element_bytes));
      }
    }
    return c;
  };
  Swizzle best;
  Cost least = cost(best);
  const int whole = log2_exact(widest(accesses)), bank_bits = log2_exact(bank_elements(element_bytes));
  // From few bits to many, so that of equal ones the first stays.
  for (int bits = 1; bits <= bank_bits - whole; ++bits)
    for (int base = whole; base + bits <= bank_bits; ++base)  // bits above the banks' own would change no bank
      for (int shift = bits; base + shift + bits <= tile_bits; ++shift) {
        const Swizzle s{bits, base, shift};
        if (Cost c = cost(s); c < least) best = s, least = std::move(c);
      }
  return {best, std::move(least.ways)};
}

SolvedPadding solve_padding(int64_t row, std::span<const WarpAccess> accesses, int element_bytes) {
  const int64_t width = widest(accesses), first = (width - floor_mod(row, width)) % width;
  SolvedPadding best;
  int64_t least = std::numeric_limits<int64_t>::max();
  // Banks repeat: paddings that differ by 128 bytes are as good as each other.
  for (int64_t padding = first; padding < first + bank_elements(element_bytes); padding += width) {
    Cost c;
    for (const WarpAccess& a : accesses) {
      auto addresses = a.addresses;
      for (int64_t& x : addresses) x += x / row * padding;
      c.add(conflict_ways(addresses, a.width, element_bytes), 1);
    }
    if (c.product < least) least = c.product, best = {padding, std::move(c.ways)};
  }
  return best;
}

// ---- the index expression ----
namespace {
/// A part of the address, and the bits it can set.
struct Piece {
  Sum sum;
  int64_t mask;
};
/// All bits where the sum may be negative or has no bound.
int64_t bits_of(const Sum& s) {
  const Interval i = s.interval();
  if (i.lo < 0 || i.hi == std::numeric_limits<int64_t>::max() || !s.exact()) return -1;
  const auto zeros = [](int64_t v) { return std::countr_zero(static_cast<uint64_t>(v)); };
  int low = zeros(s.constant);
  for (const Sum::Term& t : s.terms) low = std::min(low, zeros(t.factor) + zeros(divisor(t.value)));
  const uint64_t top = (uint64_t{1} << std::bit_width(static_cast<uint64_t>(i.hi))) - 1;
  return low >= 63 ? 0 : static_cast<int64_t>(top >> low << low);
}
/// Parts that share no bit: their sum is their XOR. Those that share some are added up.
void add_piece(std::vector<Piece>& pieces, Sum sum) {
  int64_t mask = bits_of(sum);
  for (size_t i = 0; i < pieces.size();)
    if (pieces[i].mask & mask) {
      for (const Sum::Term& t : pieces[i].sum.terms) sum.add_term(t.value, t.factor);
      sum.constant += pieces[i].sum.constant;
      mask = bits_of(sum);
      pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(i));
      i = 0;  // the wider sum may now meet the others
    } else {
      ++i;
    }
  if (mask) pieces.push_back({std::move(sum), mask});
}
UOp divided(Sum s, int64_t by) {
  for (Sum::Term& t : s.terms) t.factor /= by;
  s.constant /= by;
  return s.build();
}
}  // namespace

UOp Swizzle::apply(const UOp& address) const {
  if (is_identity()) return address;
  if (address.dtype() != dt::index) throw InternalError("a swizzled address of type " + text(address.dtype()));
  const Sum whole = Sum::of(simplify(address));
  const int64_t run = int64_t{1} << base, line = int64_t{1} << (base + shift), fold = int64_t{1} << bits;
  // address = outside + terms + low. Whole blocks change nothing; nor does what stays within a run.
  Sum outside(whole.dtype), low(whole.dtype);
  std::vector<Sum::Term> terms;
  for (const Sum::Term& t : whole.terms)
    (t.factor % block() == 0 ? outside.terms : t.factor % run == 0 ? terms : low.terms).push_back(t);
  outside.constant = floor_div(whole.constant, block()) * block();
  low.constant = floor_mod(whole.constant, run);
  const bool runs = low.exact() && low.interval().lo >= 0 && low.interval().hi < run;
  std::vector<Piece> pieces;
  const auto single = [&](const Sum::Term& t) {
    Sum s(whole.dtype);
    s.terms.push_back(t);
    return s;
  };
  for (const Sum::Term& t : terms) add_piece(pieces, single(t));
  Sum rest(whole.dtype);
  rest.constant = whole.constant - outside.constant - low.constant;
  add_piece(pieces, rest);
  if (!runs) add_piece(pieces, low);

  const int64_t unit = runs ? run : 1;  // in units, the XOR's bounds do not reach into the run
  const int64_t read = (fold - 1) * line, changed = (fold - 1) * run;
  UOp mixed;
  const auto mix = [&](const UOp& x) { mixed = mixed ? alu(Op::Xor, mixed, x) : x; };
  UOp sum = outside.build();
  for (const Piece& p : pieces) {
    if (p.mask & changed)
      mix(divided(p.sum, unit));
    else
      sum = sum + p.sum.build();
    if (p.mask & read) mix(mod(idiv(p.sum.build(), iconst(line)), iconst(fold)) * iconst(run / unit));
  }
  if (mixed) sum = sum + mixed * iconst(unit);
  return simplify(runs ? sum + low.build() : sum);
}

}  // namespace pg
