#pragma once
namespace pg {

/// While it lives, the first Ctrl-C is noted (and ends a search under way at its next candidate) instead of ending the
/// program; the second ends it as usual.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  static bool requested();

 private:
  struct Saved;
  Saved* saved_;
};

}  // namespace pg
