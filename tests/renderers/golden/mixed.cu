static __device__ __forceinline__ float pg_f16_to_f32(unsigned short x) {
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(x));
  return r;
}
#define INLINE static __device__ __forceinline__
INLINE float max_f32(float a, float b) {
  const float r = a > b ? a : b;
  return a != a ? a : r;
}
INLINE unsigned short f32_to_bf16(float x) {
  const unsigned u = __float_as_uint(x), near = (u + 0x7fff + (u >> 16 & 1)) >> 16;
  return (unsigned short)(x != x ? u >> 16 | 0x40 : near);
}

extern "C" __global__ void __launch_bounds__(1) pg_mixed_types(unsigned short *__restrict__ out, const unsigned short *__restrict__ x, const int *__restrict__ ids, const bool *__restrict__ keep, const long long n_wide) {
  const int n = (int)n_wide;
  const int t0 = (n + 7) / 8;
  #pragma unroll 1
  for (int i = 0; i < t0; ++i) {
    const int t1 = i * 8;
    const bool t2_0 = t1 + 0 < n;
    const bool t2_1 = t1 + 1 < n;
    const bool t2_2 = t1 + 2 < n;
    const bool t2_3 = t1 + 3 < n;
    const bool t2_4 = t1 + 4 < n;
    const bool t2_5 = t1 + 5 < n;
    const bool t2_6 = t1 + 6 < n;
    const bool t2_7 = t1 + 7 < n;
    const bool keep_v3_0 = t2_0 ? keep[t1] : 0;
    const bool keep_v3_1 = t2_1 ? keep[t1 + 1] : 0;
    const bool keep_v3_2 = t2_2 ? keep[t1 + 2] : 0;
    const bool keep_v3_3 = t2_3 ? keep[t1 + 3] : 0;
    const bool keep_v3_4 = t2_4 ? keep[t1 + 4] : 0;
    const bool keep_v3_5 = t2_5 ? keep[t1 + 5] : 0;
    const bool keep_v3_6 = t2_6 ? keep[t1 + 6] : 0;
    const bool keep_v3_7 = t2_7 ? keep[t1 + 7] : 0;
    const int ids_v4_0 = t2_0 ? ids[t1] : 0;
    const int ids_v4_1 = t2_1 ? ids[t1 + 1] : 0;
    const int ids_v4_2 = t2_2 ? ids[t1 + 2] : 0;
    const int ids_v4_3 = t2_3 ? ids[t1 + 3] : 0;
    const int ids_v4_4 = t2_4 ? ids[t1 + 4] : 0;
    const int ids_v4_5 = t2_5 ? ids[t1 + 5] : 0;
    const int ids_v4_6 = t2_6 ? ids[t1 + 6] : 0;
    const int ids_v4_7 = t2_7 ? ids[t1 + 7] : 0;
    const unsigned short x_v5_0 = t2_0 ? x[ids_v4_0] : 0;
    const unsigned short x_v5_1 = t2_1 ? x[ids_v4_1] : 0;
    const unsigned short x_v5_2 = t2_2 ? x[ids_v4_2] : 0;
    const unsigned short x_v5_3 = t2_3 ? x[ids_v4_3] : 0;
    const unsigned short x_v5_4 = t2_4 ? x[ids_v4_4] : 0;
    const unsigned short x_v5_5 = t2_5 ? x[ids_v4_5] : 0;
    const unsigned short x_v5_6 = t2_6 ? x[ids_v4_6] : 0;
    const unsigned short x_v5_7 = t2_7 ? x[ids_v4_7] : 0;
    const float t6_0 = pg_f16_to_f32(x_v5_0);
    const float t6_1 = pg_f16_to_f32(x_v5_1);
    const float t6_2 = pg_f16_to_f32(x_v5_2);
    const float t6_3 = pg_f16_to_f32(x_v5_3);
    const float t6_4 = pg_f16_to_f32(x_v5_4);
    const float t6_5 = pg_f16_to_f32(x_v5_5);
    const float t6_6 = pg_f16_to_f32(x_v5_6);
    const float t6_7 = pg_f16_to_f32(x_v5_7);
    if (t2_0) out[t1] = f32_to_bf16(keep_v3_0 ? __fsqrt_rn(max_f32(t6_0, -t6_0)) : 0.1f);
    if (t2_1) out[t1 + 1] = f32_to_bf16(keep_v3_1 ? __fsqrt_rn(max_f32(t6_1, -t6_1)) : 0.1f);
    if (t2_2) out[t1 + 2] = f32_to_bf16(keep_v3_2 ? __fsqrt_rn(max_f32(t6_2, -t6_2)) : 0.1f);
    if (t2_3) out[t1 + 3] = f32_to_bf16(keep_v3_3 ? __fsqrt_rn(max_f32(t6_3, -t6_3)) : 0.1f);
    if (t2_4) out[t1 + 4] = f32_to_bf16(keep_v3_4 ? __fsqrt_rn(max_f32(t6_4, -t6_4)) : 0.1f);
    if (t2_5) out[t1 + 5] = f32_to_bf16(keep_v3_5 ? __fsqrt_rn(max_f32(t6_5, -t6_5)) : 0.1f);
    if (t2_6) out[t1 + 6] = f32_to_bf16(keep_v3_6 ? __fsqrt_rn(max_f32(t6_6, -t6_6)) : 0.1f);
    if (t2_7) out[t1 + 7] = f32_to_bf16(keep_v3_7 ? __fsqrt_rn(max_f32(t6_7, -t6_7)) : 0.1f);
  }
}
