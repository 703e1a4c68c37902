#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// A small open-addressing table UOp → T, for passes that visit each node once. It does not keep its keys alive.
template <class T>
class Memo {
 public:
  const T* find(const UOp& u) const {
    for (size_t i = start(u.id());; i = (i + 1) & mask()) {
      if (slots_[i].first == u.id()) return &slots_[i].second;
      if (!slots_[i].first) return nullptr;
    }
  }
  /// Whether the key is new; if it is not, its value stays.
  bool add(const UOp& u, T value) {
    T& slot = place(u.id());
    if (!fresh_) return false;
    slot = std::move(value);
    return true;
  }
  void set(const UOp& u, T value) { place(u.id()) = std::move(value); }

 private:
  using Slot = std::pair<const void*, T>;
  size_t mask() const { return slots_.size() - 1; }
  size_t start(const void* key) const { return (reinterpret_cast<uintptr_t>(key) * 0x9e3779b97f4a7c15u >> 32) & mask(); }
  T& place(const void* key) {
    if (2 * size_ >= slots_.size()) grow();
    size_t i = start(key);
    while (slots_[i].first && slots_[i].first != key) i = (i + 1) & mask();
    fresh_ = !slots_[i].first;
    size_ += fresh_;
    slots_[i].first = key;
    return slots_[i].second;
  }
  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    size_ = 0;
    for (Slot& s : old)
      if (s.first) place(s.first) = std::move(s.second);
  }

  std::vector<Slot> slots_ = std::vector<Slot>(32);
  size_t size_ = 0;
  bool fresh_ = false;
};

}  // namespace pg
