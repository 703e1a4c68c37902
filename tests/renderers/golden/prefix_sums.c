#define INLINE static inline __attribute__((always_inline))
INLINE long mod_i64(long a, long b) {
  const long r = a % b;
  return r + ((r != 0) & ((r ^ b) < 0) ? b : 0);
}

INLINE void body_of_prefix_sums(int *restrict out, const int *restrict in, const long count, const long step, long begin, long end) {
  for (long only = begin; only < end; ++only) {
    int total0_0;
    total0_0 = 0;
    const long t0 = (count + 1) / 2;
    for (long i = 0; i < t0; ++i) {
      const long t1 = i * 2;
      const int in_v2 = in[t1];
      total0_0 = total0_0 + in_v2;
      out[t1] = total0_0;
      const long t3 = t1 + 1;
      if (t3 < count) {
        if (mod_i64(t1 - 5, step) == 0) {
          total0_0 = total0_0 * -1;
        }
        const int in_v4 = in[t3];
        total0_0 = total0_0 + in_v4;
        out[t3] = total0_0;
      }
    }
  }
}

void prefix_sums(void *const *buffers, const long *variables, void *scratch, long begin, long end) {
  body_of_prefix_sums(buffers[0], buffers[1], variables[0], variables[1], begin, end);
}
