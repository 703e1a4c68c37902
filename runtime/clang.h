#pragma once
// Clang, C text → shared object, by one of two routes: as a library in this process, or as a child process. What either
// makes of a kernel computes the same to the bit, is loaded and cached in the same way, and needs neither to run.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/config.h"

namespace pg {

/// A position-independent ELF object, and what it cost. A child process tells one time for all, as codegen_ms.
struct CompiledObject {
  std::string bytes;
  double frontend_ms = 0, passes_ms = 0, codegen_ms = 0;
};

class Clang {
 public:
  virtual ~Clang() = default;
  /// "clang 19.1.7", "clang 19.1.7 in process, passes 1f0c52aa": part of every key, as code may differ with it.
  virtual const std::string& version() const = 0;
  /// How it is reached, for people: "clang-19, a process for each batch".
  virtual std::string route() const = 0;
  /// Throws InternalError with the compiler's words. May be called from several threads.
  virtual CompiledObject compile(const std::string& source, const std::vector<std::string>& flags) const = 0;
};

/// What Config::compiler asks for, and why not where it is not to be had.
struct FoundClang {
  std::shared_ptr<const Clang> clang;  // null: none
  std::string missing;                 // what is wrong and what to do, for a UserError; empty when there is one
  std::string note;                    // why the route in process is not the one that was found; may be empty
};
FoundClang find_clang(const Config&);

/// The options that decide the code, for the database and the cache.
std::vector<std::string> clang_flags(const std::string& isa);

/// The bytes of a shared object. Throws what Clang::compile throws; UserError when there is no linker.
std::string compile_shared_object(const Clang&, const std::string& isa, const std::string& source);

/// The same for an object: links it and nothing else, so that all it needs must be in it.
std::string link_shared_object(std::string_view object);

}  // namespace pg
