#define INLINE static __device__ __forceinline__
struct __align__(8) f32x2 {
  float l[2];
};

extern "C" __global__ void __launch_bounds__(64) pg_two_phases(const float *__restrict__ out, const float *__restrict__ in, float *__restrict__ parts) {
  const int g = (int)blockIdx.x;
  const int t = (int)threadIdx.x;
  const int t0 = g * 64 + t;
  const int t1 = t0 * 2;
  const f32x2 in_v2 = *(const f32x2 *)&in[t1];
  parts[t0] = in_v2.l[0] + in_v2.l[1];
}

extern "C" __global__ void __launch_bounds__(64) pg_two_phases_phase1(float *__restrict__ out, const float *__restrict__ in, const float *__restrict__ parts) {
  extern __shared__ __align__(128) unsigned char smem[];
  if ((int)threadIdx.x >= 32) return;
  const int h = (int)blockIdx.x;
  float *const tile0 = (float *)(smem + 0);
  const int u = (int)threadIdx.x;
  const int t0 = u + h;
  const float parts_v1 = parts[t0];
  const float parts_v2 = parts[t0 + 32];
  const float parts_v3 = parts[t0 + 64];
  const float parts_v4 = parts[t0 + 96];
  const float parts_v5 = parts[t0 + 128];
  const float parts_v6 = parts[t0 + 160];
  const float parts_v7 = parts[t0 + 192];
  const float t8 = 0.0f + parts_v1 + parts_v2 + parts_v3 + parts_v4 + parts_v5 + parts_v6 + parts_v7;
  const float parts_v9 = parts[t0 + 224];
  tile0[u] = t8 + parts_v9;
  __syncthreads();
  const float tile0_v10 = tile0[31 - u];
  out[u] = tile0_v10;
}
