#define INLINE static __device__ __forceinline__

extern "C" __global__ void __launch_bounds__(128) pg_block_sums(float *__restrict__ out, const float *__restrict__ in) {
  extern __shared__ __align__(128) unsigned char smem[];
  const int g = (int)blockIdx.x;
  float *const sums0 = (float *)(smem + 0);
  const int t = (int)threadIdx.x;
  const float in_v0 = in[g * 128 + t];
  const float t1 = __shfl_xor_sync(0xffffffffu, in_v0, 16);
  const float t2 = in_v0 + t1;
  const float t3 = __shfl_xor_sync(0xffffffffu, t2, 8);
  const float t4 = t2 + t3;
  const float t5 = __shfl_xor_sync(0xffffffffu, t4, 4);
  const float t6 = t4 + t5;
  const float t7 = __shfl_xor_sync(0xffffffffu, t6, 2);
  const float t8 = t6 + t7;
  const float t9 = __shfl_xor_sync(0xffffffffu, t8, 1);
  if (t % 32 == 0) sums0[t / 32] = t8 + t9;
  __syncthreads();
  const float sums0_v10 = sums0[0];
  const float sums0_v11 = sums0[1];
  const float sums0_v12 = sums0[2];
  const float sums0_v13 = sums0[3];
  if (t == 0) out[g] = 0.0f + sums0_v10 + sums0_v11 + sums0_v12 + sums0_v13;
}
