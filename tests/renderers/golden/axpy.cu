#define INLINE static __device__ __forceinline__

extern "C" __global__ void __launch_bounds__(64) pg_axpy(float *__restrict__ y, const float *__restrict__ x, const float *__restrict__ a, const long long n_wide) {
  const int n = (int)n_wide;
  const int g = (int)blockIdx.x;
  const int t = (int)threadIdx.x;
  const float a_v0 = a[0];
  const int t1 = g * 256 + t * 4;
  const bool t2_0 = t1 + 0 < n;
  const bool t2_1 = t1 + 1 < n;
  const bool t2_2 = t1 + 2 < n;
  const bool t2_3 = t1 + 3 < n;
  const float x_v3_0 = t2_0 ? x[t1] : 0;
  const float x_v3_1 = t2_1 ? x[t1 + 1] : 0;
  const float x_v3_2 = t2_2 ? x[t1 + 2] : 0;
  const float x_v3_3 = t2_3 ? x[t1 + 3] : 0;
  const float y_v4_0 = t2_0 ? y[t1] : 0;
  const float y_v4_1 = t2_1 ? y[t1 + 1] : 0;
  const float y_v4_2 = t2_2 ? y[t1 + 2] : 0;
  const float y_v4_3 = t2_3 ? y[t1 + 3] : 0;
  if (t2_0) y[t1] = fmaf(a_v0, x_v3_0, y_v4_0);
  if (t2_1) y[t1 + 1] = fmaf(a_v0, x_v3_1, y_v4_1);
  if (t2_2) y[t1 + 2] = fmaf(a_v0, x_v3_2, y_v4_2);
  if (t2_3) y[t1 + 3] = fmaf(a_v0, x_v3_3, y_v4_3);
}
