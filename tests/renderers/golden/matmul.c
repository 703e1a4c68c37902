#define INLINE static inline __attribute__((always_inline))
typedef float f32x16 __attribute__((ext_vector_type(16)));
typedef long i64x16 __attribute__((ext_vector_type(16)));
static const i64x16 lanes_i64x16 = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
typedef signed char boolx16 __attribute__((ext_vector_type(16)));
INLINE boolx16 lt_i64x16(i64x16 a, i64x16 b) {
  return __builtin_convertvector(a < b, boolx16);
}
typedef float f32x8 __attribute__((ext_vector_type(8)));
typedef signed char boolx8 __attribute__((ext_vector_type(8)));
INLINE unsigned long bits_boolx8(boolx8 m) {
  typedef char chars __attribute__((vector_size(16)));
  return __builtin_ia32_cvtb2mask128((chars)__builtin_shufflevector(m, (boolx8)0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8, 8, 8, 8));
}
typedef int i32x8 __attribute__((ext_vector_type(8)));
INLINE f32x8 load_masked_f32x8(const float *p, boolx8 m) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  typedef int ints __attribute__((vector_size(32)));
  return (f32x8)__builtin_ia32_loaddqusi256_mask((const void *)p, (ints)(f32x8)0, bits_boolx8(m));
#elif defined(__AVX2__)
  typedef int ints __attribute__((vector_size(32)));
  return (f32x8)__builtin_ia32_maskloadd256((const void *)p, (ints)__builtin_convertvector(m, i32x8));
#else
  f32x8 r = 0;
  _Pragma("clang loop unroll(full)") for (int l = 0; l < 8; ++l) if (m[l]) r[l] = p[l];
  return r;
#endif
}
INLINE unsigned long bits_boolx16(boolx16 m) {
  typedef char chars __attribute__((vector_size(16)));
  return __builtin_ia32_cvtb2mask128((chars)m);
}
INLINE f32x16 load_masked_f32x16(const float *p, boolx16 m) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  typedef int ints __attribute__((vector_size(64)));
  return (f32x16)__builtin_ia32_loaddqusi512_mask((const void *)p, (ints)(f32x16)0, bits_boolx16(m));
#elif defined(__AVX2__)
  f32x16 r;
  r.lo = load_masked_f32x8(p, m.lo);
  r.hi = load_masked_f32x8(p + 8, m.hi);
  return r;
#else
  f32x16 r = 0;
  _Pragma("clang loop unroll(full)") for (int l = 0; l < 16; ++l) if (m[l]) r[l] = p[l];
  return r;
#endif
}
#if __has_builtin(__builtin_elementwise_fma)
#define fma_f32x16 __builtin_elementwise_fma
#else
INLINE f32x16 fma_f32x16(f32x16 a, f32x16 b, f32x16 c) {
  f32x16 r;
  _Pragma("clang loop unroll(full)") for (int l = 0; l < 16; ++l) r[l] = __builtin_fmaf(a[l], b[l], c[l]);
  return r;
}
#endif
INLINE f32x16 max_f32x16(f32x16 a, f32x16 b) {
  const f32x16 r = a > b ? a : b;
  return a != a ? a : r;
}
INLINE void store_masked_f32x8(float *p, f32x8 v, boolx8 m) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  typedef int ints __attribute__((vector_size(32)));
  __builtin_ia32_storedqusi256_mask((void *)p, (ints)v, bits_boolx8(m));
#elif defined(__AVX2__)
  typedef int ints __attribute__((vector_size(32)));
  __builtin_ia32_maskstored256((void *)p, (ints)__builtin_convertvector(m, i32x8), (ints)v);
#else
  _Pragma("clang loop unroll(full)") for (int l = 0; l < 8; ++l) if (m[l]) p[l] = v[l];
#endif
}
INLINE void store_masked_f32x16(float *p, f32x16 v, boolx16 m) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  typedef int ints __attribute__((vector_size(64)));
  __builtin_ia32_storedqusi512_mask((void *)p, (ints)v, bits_boolx16(m));
#elif defined(__AVX2__)
  store_masked_f32x8(p, v.lo, m.lo);
  store_masked_f32x8(p + 8, v.hi, m.hi);
#else
  _Pragma("clang loop unroll(full)") for (int l = 0; l < 16; ++l) if (m[l]) p[l] = v[l];
#endif
}

INLINE void body_of_matmul(float *restrict c, const float *restrict a, const float *restrict b, long begin, long end) {
  for (long m = begin; m < end; ++m) {
    for (long n = 0; n < 3; ++n) {
      f32x16 acc0_0, acc0_1, acc0_2, acc0_3;
      const long t0 = n * 32;
      const boolx16 t1 = lt_i64x16((i64x16)t0 + lanes_i64x16, (i64x16)77);
      const long t2 = t0 + 16;
      const boolx16 t3 = lt_i64x16((i64x16)t2 + lanes_i64x16, (i64x16)77);
      acc0_0 = (f32x16)0.0f;
      acc0_1 = (f32x16)0.0f;
      acc0_2 = (f32x16)0.0f;
      acc0_3 = (f32x16)0.0f;
      for (long k = 0; k < 9; ++k) {
        const long t4 = m * 2;
        const float a_v5 = a[t4 * 9 + k];
        const f32x16 t6 = (f32x16)a_v5;
        const long t7 = k * 77;
        const f32x16 b_v8 = load_masked_f32x16(&b[t7 + t0], t1);
        acc0_0 = fma_f32x16(t6, b_v8, acc0_0);
        const f32x16 b_v9 = load_masked_f32x16(&b[t7 + t2], t3);
        acc0_1 = fma_f32x16(t6, b_v9, acc0_1);
        const float a_v10 = a[(t4 + 1) * 9 + k];
        const f32x16 t11 = (f32x16)a_v10;
        acc0_2 = fma_f32x16(t11, b_v8, acc0_2);
        acc0_3 = fma_f32x16(t11, b_v9, acc0_3);
      }
      const long t12 = m * 2;
      const long t13 = t12 * 77;
      store_masked_f32x16(&c[t13 + t0], max_f32x16((f32x16)0.0f, acc0_0), t1);
      store_masked_f32x16(&c[t13 + t2], max_f32x16((f32x16)0.0f, acc0_1), t3);
      const long t14 = (t12 + 1) * 77;
      store_masked_f32x16(&c[t14 + t0], max_f32x16((f32x16)0.0f, acc0_2), t1);
      store_masked_f32x16(&c[t14 + t2], max_f32x16((f32x16)0.0f, acc0_3), t3);
    }
  }
}

void matmul(void *const *buffers, const long *variables, void *scratch, long begin, long end) {
  body_of_matmul(buffers[0], buffers[1], buffers[2], begin, end);
}
