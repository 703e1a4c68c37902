#pragma once
// What libpicograd-clang.so offers: Clang as a function, C text → object. Plain C, because host and module may each have a
// C++ library of their own; the module is loaded with dlopen and never unloaded. All functions are thread-safe.
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Bumped with every change of this file; the host refuses a module that says otherwise.
#define PICOGRAD_CLANG_INTERFACE 1

struct picograd_clang_object {
  char* bytes;  // of an ELF object, or of the words of the error
  size_t size;
  double frontend_ms, passes_ms, codegen_ms;
};

int picograd_clang_interface(void);
/// "clang 19.1.7 in process, passes 1f0c52aa": changes whenever the code for the same source and flags may.
const char* picograd_clang_version(void);
/// `flags` are those of the clang program, "-O2", "-march=native", ..; 0: `out` holds an object, else it holds why not.
int picograd_clang_compile(const char* source, size_t size, const char* const* flags, size_t flag_count,
                           struct picograd_clang_object* out);
void picograd_clang_free(struct picograd_clang_object*);

#ifdef __cplusplus
}
#endif
