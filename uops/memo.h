#pragma once
#include <cstdint>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// A small open-addressing table UOp → T, for passes that visit each node once. Keys are kept alive.
template <class T>
class Memo {
 public:
  const T* find(const UOp& u) const {
    for (size_t i = start(u);; i = (i + 1) & mask()) {
      if (!slots_[i].key) return nullptr;
      if (slots_[i].key == u) return &slots_[i].value;
    }
  }
  void set(const UOp& u, T value) {
    if (2 * ++size_ > slots_.size()) grow();
    place(u, std::move(value));
  }

 private:
  struct Slot {
    UOp key;
    T value;
  };
  size_t mask() const { return slots_.size() - 1; }
  size_t start(const UOp& u) const { return (reinterpret_cast<uintptr_t>(u.id()) * 0x9e3779b97f4a7c15u >> 32) & mask(); }
  void place(const UOp& u, T value) {
    size_t i = start(u);
    while (slots_[i].key && !(slots_[i].key == u)) i = (i + 1) & mask();
    slots_[i] = {u, std::move(value)};
  }
  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (Slot& s : old)
      if (s.key) place(s.key, std::move(s.value));
  }

  std::vector<Slot> slots_ = std::vector<Slot>(32);
  size_t size_ = 0;
};

}  // namespace pg
