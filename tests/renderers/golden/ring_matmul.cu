template <int bytes>
static __device__ __forceinline__ void pg_copy_async(void *to, const void *from, int read = bytes) {
  const unsigned at = (unsigned)__cvta_generic_to_shared(to);
  if (bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(read) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(at), "l"(from), "n"(bytes), "r"(read) : "memory");
}
static __device__ __forceinline__ void pg_copy_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int groups>
static __device__ __forceinline__ void pg_copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
}
#define INLINE static __device__ __forceinline__
struct __align__(16) f32x4 {
  float l[4];
};

extern "C" __global__ void __launch_bounds__(32) pg_ring_matmul(float *__restrict__ c, const float *__restrict__ a, const float *__restrict__ b) {
  extern __shared__ __align__(128) unsigned char smem[];
  const int g = (int)blockIdx.x;
  float *const as0 = (float *)(smem + 0);
  float *const bs1 = (float *)(smem + 1536);
  const int t = (int)threadIdx.x;
  float acc2_0, acc2_1, acc2_2, acc2_3, acc2_4, acc2_5, acc2_6, acc2_7;
  acc2_0 = 0.0f;
  acc2_1 = 0.0f;
  acc2_2 = 0.0f;
  acc2_3 = 0.0f;
  acc2_4 = 0.0f;
  acc2_5 = 0.0f;
  acc2_6 = 0.0f;
  acc2_7 = 0.0f;
  const int t0 = t / 2;
  const int t1 = t0 * 8;
  const int t2 = t % 2 * 4;
  const int t3 = t1 + t2;
  const int t4 = g / 3;
  const int t5 = t4 * 16;
  const int t6 = t5 + t0;
  const int t7 = t6 * 20;
  const bool t8 = t6 < 32;
  const bool t9 = t2 < 20;
  pg_copy_async<16>(&as0[t3], &a[t7 + t2], t8 & t9 ? 16 : 0);
  const int t10 = g % 3 * 16;
  const int t11 = t10 + t0;
  const int t12 = t11 * 20;
  const bool t13 = t11 < 36;
  pg_copy_async<16>(&bs1[t3], &b[t12 + t2], t13 & t9 ? 16 : 0);
  pg_copy_commit();
  const int t14 = 128 + t1 + t2;
  const int t15 = 8 + t2;
  const bool t16 = t15 < 20;
  pg_copy_async<16>(&as0[t14], &a[t7 + t15], t8 & t16 ? 16 : 0);
  pg_copy_async<16>(&bs1[t14], &b[t12 + t15], t13 & t16 ? 16 : 0);
  pg_copy_commit();
  #pragma unroll 1
  for (int turn = 0; turn < 3; ++turn) {
    pg_copy_wait<1>();
    __syncthreads();
    const int t17 = turn + 2;
    const int t18 = t17 % 3 * 128 + t1 + t2;
    const int t19 = t17 * 8 + t2;
    const bool t20 = t19 < 20;
    pg_copy_async<16>(&as0[t18], &a[t7 + t19], t8 & t20 ? 16 : 0);
    pg_copy_async<16>(&bs1[t18], &b[t12 + t19], t13 & t20 ? 16 : 0);
    pg_copy_commit();
    const int t21 = turn % 3 * 128;
    const int t22 = t21 + t / 4 * 2 * 8;
    const f32x4 as0_v23 = *(const f32x4 *)&as0[t22];
    const int t24 = t21 + t % 4 * 4 * 8;
    const f32x4 bs1_v25 = *(const f32x4 *)&bs1[t24];
    acc2_0 = fmaf(as0_v23.l[0], bs1_v25.l[0], acc2_0);
    acc2_0 = fmaf(as0_v23.l[1], bs1_v25.l[1], acc2_0);
    acc2_0 = fmaf(as0_v23.l[2], bs1_v25.l[2], acc2_0);
    acc2_0 = fmaf(as0_v23.l[3], bs1_v25.l[3], acc2_0);
    const int t26 = t24 + 8;
    const f32x4 bs1_v27 = *(const f32x4 *)&bs1[t26];
    acc2_1 = fmaf(as0_v23.l[0], bs1_v27.l[0], acc2_1);
    acc2_1 = fmaf(as0_v23.l[1], bs1_v27.l[1], acc2_1);
    acc2_1 = fmaf(as0_v23.l[2], bs1_v27.l[2], acc2_1);
    acc2_1 = fmaf(as0_v23.l[3], bs1_v27.l[3], acc2_1);
    const int t28 = t24 + 16;
    const f32x4 bs1_v29 = *(const f32x4 *)&bs1[t28];
    acc2_2 = fmaf(as0_v23.l[0], bs1_v29.l[0], acc2_2);
    acc2_2 = fmaf(as0_v23.l[1], bs1_v29.l[1], acc2_2);
    acc2_2 = fmaf(as0_v23.l[2], bs1_v29.l[2], acc2_2);
    acc2_2 = fmaf(as0_v23.l[3], bs1_v29.l[3], acc2_2);
    const int t30 = t24 + 24;
    const f32x4 bs1_v31 = *(const f32x4 *)&bs1[t30];
    acc2_3 = fmaf(as0_v23.l[0], bs1_v31.l[0], acc2_3);
    acc2_3 = fmaf(as0_v23.l[1], bs1_v31.l[1], acc2_3);
    acc2_3 = fmaf(as0_v23.l[2], bs1_v31.l[2], acc2_3);
    acc2_3 = fmaf(as0_v23.l[3], bs1_v31.l[3], acc2_3);
    const int t32 = t22 + 8;
    const f32x4 as0_v33 = *(const f32x4 *)&as0[t32];
    acc2_4 = fmaf(as0_v33.l[0], bs1_v25.l[0], acc2_4);
    acc2_4 = fmaf(as0_v33.l[1], bs1_v25.l[1], acc2_4);
    acc2_4 = fmaf(as0_v33.l[2], bs1_v25.l[2], acc2_4);
    acc2_4 = fmaf(as0_v33.l[3], bs1_v25.l[3], acc2_4);
    acc2_5 = fmaf(as0_v33.l[0], bs1_v27.l[0], acc2_5);
    acc2_5 = fmaf(as0_v33.l[1], bs1_v27.l[1], acc2_5);
    acc2_5 = fmaf(as0_v33.l[2], bs1_v27.l[2], acc2_5);
    acc2_5 = fmaf(as0_v33.l[3], bs1_v27.l[3], acc2_5);
    acc2_6 = fmaf(as0_v33.l[0], bs1_v29.l[0], acc2_6);
    acc2_6 = fmaf(as0_v33.l[1], bs1_v29.l[1], acc2_6);
    acc2_6 = fmaf(as0_v33.l[2], bs1_v29.l[2], acc2_6);
    acc2_6 = fmaf(as0_v33.l[3], bs1_v29.l[3], acc2_6);
    acc2_7 = fmaf(as0_v33.l[0], bs1_v31.l[0], acc2_7);
    acc2_7 = fmaf(as0_v33.l[1], bs1_v31.l[1], acc2_7);
    acc2_7 = fmaf(as0_v33.l[2], bs1_v31.l[2], acc2_7);
    acc2_7 = fmaf(as0_v33.l[3], bs1_v31.l[3], acc2_7);
    const int t34 = t22 + 4;
    const f32x4 as0_v35 = *(const f32x4 *)&as0[t34];
    const int t36 = t24 + 4;
    const f32x4 bs1_v37 = *(const f32x4 *)&bs1[t36];
    acc2_0 = fmaf(as0_v35.l[0], bs1_v37.l[0], acc2_0);
    acc2_0 = fmaf(as0_v35.l[1], bs1_v37.l[1], acc2_0);
    acc2_0 = fmaf(as0_v35.l[2], bs1_v37.l[2], acc2_0);
    acc2_0 = fmaf(as0_v35.l[3], bs1_v37.l[3], acc2_0);
    const int t38 = t24 + 12;
    const f32x4 bs1_v39 = *(const f32x4 *)&bs1[t38];
    acc2_1 = fmaf(as0_v35.l[0], bs1_v39.l[0], acc2_1);
    acc2_1 = fmaf(as0_v35.l[1], bs1_v39.l[1], acc2_1);
    acc2_1 = fmaf(as0_v35.l[2], bs1_v39.l[2], acc2_1);
    acc2_1 = fmaf(as0_v35.l[3], bs1_v39.l[3], acc2_1);
    const int t40 = t24 + 20;
    const f32x4 bs1_v41 = *(const f32x4 *)&bs1[t40];
    acc2_2 = fmaf(as0_v35.l[0], bs1_v41.l[0], acc2_2);
    acc2_2 = fmaf(as0_v35.l[1], bs1_v41.l[1], acc2_2);
    acc2_2 = fmaf(as0_v35.l[2], bs1_v41.l[2], acc2_2);
    acc2_2 = fmaf(as0_v35.l[3], bs1_v41.l[3], acc2_2);
    const int t42 = t24 + 28;
    const f32x4 bs1_v43 = *(const f32x4 *)&bs1[t42];
    acc2_3 = fmaf(as0_v35.l[0], bs1_v43.l[0], acc2_3);
    acc2_3 = fmaf(as0_v35.l[1], bs1_v43.l[1], acc2_3);
    acc2_3 = fmaf(as0_v35.l[2], bs1_v43.l[2], acc2_3);
    acc2_3 = fmaf(as0_v35.l[3], bs1_v43.l[3], acc2_3);
    const int t44 = t22 + 12;
    const f32x4 as0_v45 = *(const f32x4 *)&as0[t44];
    acc2_4 = fmaf(as0_v45.l[0], bs1_v37.l[0], acc2_4);
    acc2_4 = fmaf(as0_v45.l[1], bs1_v37.l[1], acc2_4);
    acc2_4 = fmaf(as0_v45.l[2], bs1_v37.l[2], acc2_4);
    acc2_4 = fmaf(as0_v45.l[3], bs1_v37.l[3], acc2_4);
    acc2_5 = fmaf(as0_v45.l[0], bs1_v39.l[0], acc2_5);
    acc2_5 = fmaf(as0_v45.l[1], bs1_v39.l[1], acc2_5);
    acc2_5 = fmaf(as0_v45.l[2], bs1_v39.l[2], acc2_5);
    acc2_5 = fmaf(as0_v45.l[3], bs1_v39.l[3], acc2_5);
    acc2_6 = fmaf(as0_v45.l[0], bs1_v41.l[0], acc2_6);
    acc2_6 = fmaf(as0_v45.l[1], bs1_v41.l[1], acc2_6);
    acc2_6 = fmaf(as0_v45.l[2], bs1_v41.l[2], acc2_6);
    acc2_6 = fmaf(as0_v45.l[3], bs1_v41.l[3], acc2_6);
    acc2_7 = fmaf(as0_v45.l[0], bs1_v43.l[0], acc2_7);
    acc2_7 = fmaf(as0_v45.l[1], bs1_v43.l[1], acc2_7);
    acc2_7 = fmaf(as0_v45.l[2], bs1_v43.l[2], acc2_7);
    acc2_7 = fmaf(as0_v45.l[3], bs1_v43.l[3], acc2_7);
  }
  pg_copy_wait<0>();
  const float acc2_v46 = acc2_0;
  const int t47 = t / 4;
  const int t48 = t % 4 * 4;
  const int t49 = t4 * 576 + t47 * 72 + t10 + t48;
  const int t50 = t5 + t47 * 2;
  const bool t51 = t10 + t48 < 36;
  const bool t52 = (t50 < 32) & t51;
  const float acc2_v53 = acc2_1;
  const float acc2_v54 = acc2_2;
  const float acc2_v55 = acc2_3;
  const float acc2_v56 = acc2_4;
  const bool t57 = (t50 + 1 < 32) & t51;
  const float acc2_v58 = acc2_5;
  const float acc2_v59 = acc2_6;
  const float acc2_v60 = acc2_7;
  if (t52) *(f32x4 *)&c[t49] = f32x4{{acc2_v46, acc2_v53, acc2_v54, acc2_v55}};
  const int t61 = t49 + 36;
  if (t57) *(f32x4 *)&c[t61] = f32x4{{acc2_v56, acc2_v58, acc2_v59, acc2_v60}};
}
