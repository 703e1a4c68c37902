#define INLINE static inline __attribute__((always_inline))
typedef long i64x8 __attribute__((ext_vector_type(8)));
static const i64x8 lanes_i64x8 = {0, 1, 2, 3, 4, 5, 6, 7};
typedef signed char boolx8 __attribute__((ext_vector_type(8)));
INLINE boolx8 lt_i64x8(i64x8 a, i64x8 b) {
  return __builtin_convertvector(a < b, boolx8);
}
typedef signed char i8x8 __attribute__((ext_vector_type(8)));
typedef signed char i8x16 __attribute__((ext_vector_type(16)));
INLINE unsigned long bits_boolx8(boolx8 m) {
  typedef char chars __attribute__((vector_size(16)));
  return __builtin_ia32_cvtb2mask128((chars)__builtin_shufflevector(m, (boolx8)0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8, 8, 8, 8));
}
INLINE i8x8 load_masked_i8x8(const signed char *p, boolx8 m) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  typedef char ints __attribute__((vector_size(16)));
  const i8x16 r = (i8x16)__builtin_ia32_loaddquqi128_mask((const void *)p, (ints)(i8x16)0, bits_boolx8(m));
  return __builtin_shufflevector(r, r, 0, 1, 2, 3, 4, 5, 6, 7);
#else
  i8x8 r = 0;
  _Pragma("clang loop unroll(full)") for (int l = 0; l < 8; ++l) if (m[l]) r[l] = p[l];
  return r;
#endif
}
INLINE boolx8 load_masked_boolx8(const _Bool *p, boolx8 m) {
  return -load_masked_i8x8((const signed char *)p, m);
}
typedef int i32x8 __attribute__((ext_vector_type(8)));
INLINE i32x8 load_masked_i32x8(const int *p, boolx8 m) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  typedef int ints __attribute__((vector_size(32)));
  return (i32x8)__builtin_ia32_loaddqusi256_mask((const void *)p, (ints)(i32x8)0, bits_boolx8(m));
#elif defined(__AVX2__)
  typedef int ints __attribute__((vector_size(32)));
  return (i32x8)__builtin_ia32_maskloadd256((const void *)p, (ints)__builtin_convertvector(m, i32x8));
#else
  i32x8 r = 0;
  _Pragma("clang loop unroll(full)") for (int l = 0; l < 8; ++l) if (m[l]) r[l] = p[l];
  return r;
#endif
}
typedef _Float16 f16x8 __attribute__((ext_vector_type(8)));
INLINE f16x8 gather_masked_f16x8(const _Float16 *p, i64x8 i, boolx8 m) {
  f16x8 r = 0;
  _Pragma("clang loop unroll(full)") for (int l = 0; l < 8; ++l) if (m[l]) r[l] = p[i[l]];
  return r;
}
typedef float f32x8 __attribute__((ext_vector_type(8)));
INLINE f32x8 max_f32x8(f32x8 a, f32x8 b) {
  const f32x8 r = a > b ? a : b;
  return a != a ? a : r;
}
#if __has_builtin(__builtin_elementwise_sqrt)
#define sqrt_f32x8 __builtin_elementwise_sqrt
#else
INLINE f32x8 sqrt_f32x8(f32x8 a) {
  f32x8 r;
  _Pragma("clang loop unroll(full)") for (int l = 0; l < 8; ++l) r[l] = __builtin_sqrtf(a[l]);
  return r;
}
#endif
INLINE f32x8 select_f32x8(boolx8 m, f32x8 a, f32x8 b) {
  return __builtin_convertvector(m, i32x8) ? a : b;
}
typedef unsigned short bf16x8 __attribute__((ext_vector_type(8)));
typedef unsigned u32x8 __attribute__((ext_vector_type(8)));
INLINE bf16x8 f32x8_to_bf16x8(f32x8 x) {
  const u32x8 u = (u32x8)x, near = (u + 0x7fff + (u >> 16 & 1)) >> 16;
  return __builtin_convertvector(x != x ? u >> 16 | 0x40 : near, bf16x8);
}
INLINE void store_masked_bf16x8(unsigned short *p, bf16x8 v, boolx8 m) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  typedef short ints __attribute__((vector_size(16)));
  __builtin_ia32_storedquhi128_mask((void *)p, (ints)v, bits_boolx8(m));
#else
  _Pragma("clang loop unroll(full)") for (int l = 0; l < 8; ++l) if (m[l]) p[l] = v[l];
#endif
}

INLINE void body_of_mixed_types(unsigned short *restrict out, const _Float16 *restrict x, const int *restrict ids, const _Bool *restrict keep, const long n, long begin, long end) {
  for (long only = begin; only < end; ++only) {
    const long t0 = (n + 7) / 8;
    for (long i = 0; i < t0; ++i) {
      const long t1 = i * 8;
      const boolx8 t2 = lt_i64x8((i64x8)t1 + lanes_i64x8, (i64x8)n);
      const boolx8 keep_v3 = load_masked_boolx8(&keep[t1], t2);
      const i32x8 ids_v4 = load_masked_i32x8(&ids[t1], t2);
      const f16x8 x_v5 = gather_masked_f16x8(x, __builtin_convertvector(ids_v4, i64x8), t2);
      const f32x8 t6 = __builtin_convertvector(x_v5, f32x8);
      const bf16x8 t7 = f32x8_to_bf16x8(select_f32x8(keep_v3, sqrt_f32x8(max_f32x8(t6, -t6)), (f32x8)0.1f));
      store_masked_bf16x8(&out[t1], t7, t2);
    }
  }
}

void mixed_types(void *const *buffers, const long *variables, void *scratch, long begin, long end) {
  body_of_mixed_types(buffers[0], buffers[1], buffers[2], buffers[3], variables[0], begin, end);
}
