#define INLINE static inline __attribute__((always_inline))
typedef float f32x4 __attribute__((ext_vector_type(4)));
typedef f32x4 f32x4_u __attribute__((aligned(4), may_alias));
#define load_f32x4(p) (*(const f32x4_u *)(p))
typedef signed char boolx4 __attribute__((ext_vector_type(4)));
INLINE boolx4 lt_f32x4(f32x4 a, f32x4 b) {
  return __builtin_convertvector(a < b, boolx4);
}
typedef int i32x4 __attribute__((ext_vector_type(4)));
INLINE f32x4 select_f32x4(boolx4 m, f32x4 a, f32x4 b) {
  return __builtin_convertvector(m, i32x4) ? a : b;
}
#if __has_builtin(__builtin_elementwise_fma)
#define fma_f32x4 __builtin_elementwise_fma
#else
INLINE f32x4 fma_f32x4(f32x4 a, f32x4 b, f32x4 c) {
  f32x4 r;
  _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) r[l] = __builtin_fmaf(a[l], b[l], c[l]);
  return r;
}
#endif
typedef unsigned u32x4 __attribute__((ext_vector_type(4)));
INLINE u32x4 select_u32x4(boolx4 m, u32x4 a, u32x4 b) {
  return __builtin_convertvector(m, i32x4) ? a : b;
}
#define store_f32x4(p, v) (*(f32x4_u *)(p) = (v))
INLINE boolx4 eq_f32x4(f32x4 a, f32x4 b) {
  return __builtin_convertvector(a == b, boolx4);
}
#if __has_builtin(__builtin_elementwise_floor)
#define floor_f32x4 __builtin_elementwise_floor
#else
INLINE f32x4 floor_f32x4(f32x4 a) {
  f32x4 r;
  _Pragma("clang loop unroll(full)") for (int l = 0; l < 4; ++l) r[l] = __builtin_floorf(a[l]);
  return r;
}
#endif
INLINE boolx4 ne_u32x4(u32x4 a, u32x4 b) {
  return __builtin_convertvector(a != b, boolx4);
}
typedef unsigned long u64x4 __attribute__((ext_vector_type(4)));
typedef long i64x4 __attribute__((ext_vector_type(4)));

INLINE void body_of_elementary(float *restrict out, const float *restrict x, long begin, long end) {
  for (long only = begin; only < end; ++only) {
    const f32x4 x_v0 = load_f32x4(&x[0]);
    const f32x4 t1 = select_f32x4(lt_f32x4(x_v0, (f32x4)89.0f), x_v0, (f32x4)89.0f);
    const f32x4 t2 = select_f32x4(lt_f32x4((f32x4)-104.0f, t1), t1, (f32x4)-104.0f);
    const u32x4 t3 = (u32x4)fma_f32x4(t2, (f32x4)1.442695f, (f32x4)12582911.0f);
    const f32x4 t4 = (f32x4)t3 - (f32x4)12582911.0f;
    const f32x4 t5 = fma_f32x4(t4, (f32x4)1.9046542e-09f, fma_f32x4(t4, (f32x4)-0.6931472f, t2));
    const f32x4 t6 = fma_f32x4(fma_f32x4((f32x4)0.0013821055f, t5, (f32x4)0.008368675f), t5, (f32x4)0.041668262f);
    const f32x4 t7 = fma_f32x4(fma_f32x4(fma_f32x4(t6, t5, (f32x4)0.16666521f), t5, (f32x4)0.49999994f), t5, (f32x4)1.0f);
    const boolx4 t8 = lt_f32x4(x_v0, (f32x4)-62.0f);
    const u32x4 t9 = t3 << (u32x4)23u;
    const u32x4 t10 = (u32x4)fma_f32x4(t7, t5, (f32x4)1.0f) + select_u32x4(t8, t9 + (u32x4)276824064u, t9);
    const f32x4 t11 = select_f32x4(lt_f32x4((f32x4)-104.0f, x_v0), select_f32x4(t8, (f32x4)2.3283064e-10f, (f32x4)2.0f), select_f32x4(lt_f32x4(x_v0, (f32x4)0.0f), (f32x4)0.0f, x_v0));
    store_f32x4(&out[0], (f32x4)t10 * t11);
    const boolx4 t12 = lt_f32x4(x_v0, (f32x4)1.1754944e-38f);
    const u32x4 t13 = (u32x4)select_f32x4(t12, x_v0 * (f32x4)8388608.0f, x_v0);
    const u32x4 t14 = t13 - (u32x4)1060439283u & (u32x4)4286578688u;
    const f32x4 t15 = __builtin_convertvector((i32x4)t14 >> (i32x4)23, f32x4);
    const f32x4 t16 = select_f32x4(t12, t15 - (f32x4)23.0f, t15);
    const f32x4 t17 = (f32x4)(t13 - t14) - (f32x4)1.0f;
    const f32x4 t18 = fma_f32x4(fma_f32x4((f32x4)-0.076363996f, t17, (f32x4)0.127622f), t17, (f32x4)-0.13159613f);
    const f32x4 t19 = fma_f32x4(fma_f32x4(fma_f32x4(t18, t17, (f32x4)0.14201581f), t17, (f32x4)-0.16623409f), t17, (f32x4)0.20001242f);
    const f32x4 t20 = fma_f32x4(fma_f32x4(fma_f32x4(t19, t17, (f32x4)-0.2500082f), t17, (f32x4)0.3333333f), t17, (f32x4)-0.5f);
    const f32x4 t21 = fma_f32x4(t16, (f32x4)0.6931472f, t17 + fma_f32x4(t17 * t17, t20, t16 * (f32x4)-1.9046542e-09f));
    const f32x4 t22 = select_f32x4(eq_f32x4(x_v0, (f32x4)0.0f), (f32x4)-__builtin_inff(), (f32x4)__builtin_nanf(""));
    const f32x4 t23 = select_f32x4(lt_f32x4((f32x4)0.0f, x_v0), select_f32x4(lt_f32x4(x_v0, (f32x4)__builtin_inff()), t21, x_v0), t22);
    store_f32x4(&out[4], t23);
    const u32x4 t24 = (u32x4)x_v0;
    const f32x4 t25 = (f32x4)(t24 & (u32x4)2147483647u);
    const boolx4 t26 = lt_f32x4(t25, (f32x4)__builtin_inff());
    const boolx4 t27 = lt_f32x4(t25, (f32x4)131072.0f);
    const f32x4 t28 = select_f32x4(t27, t25, (f32x4)0.0f);
    const f32x4 t29 = floor_f32x4(fma_f32x4(t28, (f32x4)0.63661975f, (f32x4)0.5f));
    const u32x4 t30 = (u32x4)t25;
    const u32x4 t31 = (t30 >> (u32x4)23u) - (u32x4)143u;
    const boolx4 t32 = ne_u32x4(t31 & (u32x4)32u, (u32x4)0u);
    const boolx4 t33 = ne_u32x4(t31 & (u32x4)64u, (u32x4)0u);
    const u32x4 t34 = select_u32x4(t33, (u32x4)3908737646u, (u32x4)3072795146u);
    const u32x4 t35 = t31 & (u32x4)31u;
    const u32x4 t36 = select_u32x4(t32, t34, select_u32x4(t33, (u32x4)2499679147u, (u32x4)5340353u)) << t35;
    const u32x4 t37 = select_u32x4(t33, (u32x4)3765285194u, (u32x4)2499679147u);
    const u32x4 t38 = select_u32x4(t32, t37, t34);
    const u32x4 t39 = (u32x4)31u - t35;
    const u64x4 t40 = __builtin_convertvector((t30 & (u32x4)8388607u) | (u32x4)8388608u, u64x4);
    const u64x4 t41 = __builtin_convertvector(t36 | ((t38 >> (u32x4)1u) >> t39), u64x4) * t40 << (u64x4)32ul;
    const u32x4 t42 = select_u32x4(t33, (u32x4)3432915400u, (u32x4)3908737646u);
    const u32x4 t43 = select_u32x4(t32, t42, t37);
    const u64x4 t44 = t41 + __builtin_convertvector((t38 << t35) | ((t43 >> (u32x4)1u) >> t39), u64x4) * t40;
    const u32x4 t45 = select_u32x4(t32, select_u32x4(t33, (u32x4)553593009u, (u32x4)3765285194u), t42) >> (u32x4)1u;
    const u64x4 t46 = t44 + (__builtin_convertvector((t43 << t35) | (t45 >> t39), u64x4) * t40 >> (u64x4)32ul);
    const u32x4 t47 = __builtin_convertvector(t46 + (u64x4)2305843009213693952ul >> (u64x4)62ul, u32x4);
    const u32x4 t48 = select_u32x4(t27, (u32x4)__builtin_convertvector(t29, i32x4), t47);
    const f32x4 t49 = fma_f32x4(t29, (f32x4)4.371139e-08f, fma_f32x4(t29, (f32x4)-1.5707964f, t28));
    const f32x4 t50 = fma_f32x4(t29, (f32x4)1.7151245e-15f, t49);
    const f32x4 t51 = __builtin_convertvector((i64x4)(t46 << (u64x4)2ul), f32x4);
    const f32x4 t52 = fma_f32x4(t51, (f32x4)8.515304e-20f, t51 * (f32x4)-2.3695991e-27f);
    const f32x4 t53 = select_f32x4(t27, t50, t52);
    const f32x4 t54 = t53 * t53;
    const f32x4 t55 = fma_f32x4(fma_f32x4((f32x4)2.4432327e-05f, t54, (f32x4)-0.001388731f), t54, (f32x4)0.041666646f);
    const f32x4 t56 = fma_f32x4(t54, fma_f32x4(t55, t54, (f32x4)-0.5f), (f32x4)1.0f);
    const f32x4 t57 = fma_f32x4(fma_f32x4((f32x4)-0.00019518098f, t54, (f32x4)0.008332188f), t54, (f32x4)-0.16666655f);
    const f32x4 t58 = fma_f32x4(t51, (f32x4)-2.3695991e-27f, fma_f32x4(t51, (f32x4)8.515304e-20f, -t52));
    const f32x4 t59 = fma_f32x4(t57, t54 * t53, select_f32x4(t27, fma_f32x4(t29, (f32x4)1.7151245e-15f, t49 - t50), t58));
    const f32x4 t60 = t53 + t59;
    const u32x4 t61 = t24 & (u32x4)2147483648u;
    const u32x4 t62 = (u32x4)select_f32x4(ne_u32x4(t48 & (u32x4)1u, (u32x4)0u), t56, t60) ^ (((t48 & (u32x4)2u) << (u32x4)30u) ^ t61);
    const f32x4 t63 = t25 - t25;
    store_f32x4(&out[8], select_f32x4(t26, (f32x4)t62, t63));
    const u32x4 t64 = t48 + (u32x4)1u;
    const u32x4 t65 = (u32x4)select_f32x4(ne_u32x4(t64 & (u32x4)1u, (u32x4)0u), t56, t60) ^ ((t64 & (u32x4)2u) << (u32x4)30u);
    store_f32x4(&out[12], select_f32x4(t26, (f32x4)t65, t63));
    const f32x4 t66 = select_f32x4(lt_f32x4(t25, (f32x4)10.0f), t25, (f32x4)10.0f) * (f32x4)2.0f;
    const u32x4 t67 = (u32x4)fma_f32x4(t66, (f32x4)1.442695f, (f32x4)12582912.0f);
    const f32x4 t68 = (f32x4)t67 - (f32x4)12582912.0f;
    const f32x4 t69 = fma_f32x4(t68, (f32x4)1.9046542e-09f, fma_f32x4(t68, (f32x4)-0.6931472f, t66));
    const f32x4 t70 = fma_f32x4(fma_f32x4((f32x4)0.0013821055f, t69, (f32x4)0.008368675f), t69, (f32x4)0.041668262f);
    const f32x4 t71 = fma_f32x4(fma_f32x4(fma_f32x4(t70, t69, (f32x4)0.16666521f), t69, (f32x4)0.49999994f), t69, (f32x4)1.0f);
    const f32x4 t72 = (f32x4)((u32x4)fma_f32x4(t71, t69, (f32x4)1.0f) + (t67 << (u32x4)23u)) + (f32x4)1.0f;
    const f32x4 t73 = t25 * t25;
    const f32x4 t74 = fma_f32x4(fma_f32x4((f32x4)-0.0062428494f, t73, (f32x4)0.021050714f), t73, (f32x4)-0.053847548f);
    const f32x4 t75 = fma_f32x4(fma_f32x4(fma_f32x4(t74, t73, (f32x4)0.13332544f), t73, (f32x4)-0.33333316f), t73 * t25, t25);
    const u32x4 t76 = (u32x4)select_f32x4(lt_f32x4((f32x4)0.55f, t25), (f32x4)1.0f - (f32x4)2.0f / t72, t75);
    store_f32x4(&out[16], (f32x4)(t76 ^ t61));
    const f32x4 t77 = select_f32x4(lt_f32x4(t25, (f32x4)4.0f), t25, (f32x4)4.0f);
    const f32x4 t78 = fma_f32x4(fma_f32x4((f32x4)-0.00021522967f, t77, (f32x4)0.0032251538f), t77, (f32x4)-0.022922458f);
    const f32x4 t79 = fma_f32x4(fma_f32x4(fma_f32x4(t78, t77, (f32x4)0.10531218f), t77, (f32x4)0.6356804f), t77, (f32x4)1.1285255f);
    const f32x4 t80 = -(t77 * t79);
    const u32x4 t81 = (u32x4)fma_f32x4(t80, (f32x4)1.442695f, (f32x4)12582912.0f);
    const f32x4 t82 = (f32x4)t81 - (f32x4)12582912.0f;
    const f32x4 t83 = fma_f32x4(t82, (f32x4)1.9046542e-09f, fma_f32x4(t82, (f32x4)-0.6931472f, t80));
    const f32x4 t84 = fma_f32x4(fma_f32x4((f32x4)0.0013821055f, t83, (f32x4)0.008368675f), t83, (f32x4)0.041668262f);
    const f32x4 t85 = fma_f32x4(fma_f32x4(fma_f32x4(t84, t83, (f32x4)0.16666521f), t83, (f32x4)0.49999994f), t83, (f32x4)1.0f);
    const f32x4 t86 = (f32x4)1.0f - (f32x4)((u32x4)fma_f32x4(t85, t83, (f32x4)1.0f) + (t81 << (u32x4)23u));
    const f32x4 t87 = fma_f32x4(fma_f32x4((f32x4)-0.0006020382f, t73, (f32x4)0.004998918f), t73, (f32x4)-0.026770484f);
    const f32x4 t88 = fma_f32x4(fma_f32x4(fma_f32x4(t87, t73, (f32x4)0.11281922f), t73, (f32x4)-0.37612504f), t73, (f32x4)0.12837915f);
    const u32x4 t89 = (u32x4)select_f32x4(lt_f32x4((f32x4)0.875f, t25), t86, fma_f32x4(t88, t25, t25)) ^ t61;
    store_f32x4(&out[20], (f32x4)t89);
  }
}

void elementary(void *const *buffers, const long *variables, void *scratch, long begin, long end) {
  body_of_elementary(buffers[0], buffers[1], begin, end);
}
