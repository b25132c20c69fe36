//! Four numbers in a vector register, and the one operation that products of matrices are made of.
//!
//! Written with intrinsics where there are any: LLVM 21's own vectors were some 5 % slower in Chromium 156 on x86-64. The build makes a
//! second core whose inner loops of `gemm` multiply and add in one instruction (`scripts/fuse.mjs`): 42–46 GFLOP/s there, not 36–37.

#[cfg(target_arch = "wasm32")]
use core::arch::wasm32 as wasm;

#[derive(Clone, Copy)]
#[cfg(target_arch = "wasm32")]
pub struct F32x4(wasm::v128);

#[cfg(target_arch = "wasm32")]
impl F32x4 {
    #[inline(always)]
    pub fn splat(x: f32) -> F32x4 {
        F32x4(wasm::f32x4_splat(x))
    }

    #[inline(always)]
    pub fn load(x: &[f32; 4]) -> F32x4 {
        F32x4(bytemuck::cast(*x))
    }

    #[inline(always)]
    pub fn store(self, to: &mut [f32; 4]) {
        *to = bytemuck::cast(self.0);
    }

    /// Element j of the i-th becomes element i of the j-th.
    #[inline(always)]
    pub fn transpose([a, b, c, d]: [F32x4; 4]) -> [F32x4; 4] {
        use wasm::i32x4_shuffle as shuffle;
        let (ab, cd) = (shuffle::<0, 4, 1, 5>(a.0, b.0), shuffle::<0, 4, 1, 5>(c.0, d.0));
        let (ba, dc) = (shuffle::<2, 6, 3, 7>(a.0, b.0), shuffle::<2, 6, 3, 7>(c.0, d.0));
        let (first, second) = (shuffle::<0, 1, 4, 5>(ab, cd), shuffle::<2, 3, 6, 7>(ab, cd));
        let (third, fourth) = (shuffle::<0, 1, 4, 5>(ba, dc), shuffle::<2, 3, 6, 7>(ba, dc));
        [F32x4(first), F32x4(second), F32x4(third), F32x4(fourth)]
    }

    /// self + a · b
    #[inline(always)]
    pub fn add_product(self, a: F32x4, b: F32x4) -> F32x4 {
        F32x4(wasm::f32x4_add(self.0, wasm::f32x4_mul(a.0, b.0)))
    }
}

/// The compiler finds the host's registers.
#[derive(Clone, Copy)]
#[cfg(not(target_arch = "wasm32"))]
pub struct F32x4([f32; 4]);

#[cfg(not(target_arch = "wasm32"))]
impl F32x4 {
    #[inline(always)]
    pub fn splat(x: f32) -> F32x4 {
        F32x4([x; 4])
    }

    #[inline(always)]
    pub fn load(x: &[f32; 4]) -> F32x4 {
        F32x4(*x)
    }

    #[inline(always)]
    pub fn store(self, to: &mut [f32; 4]) {
        *to = self.0;
    }

    #[inline(always)]
    pub fn transpose(rows: [F32x4; 4]) -> [F32x4; 4] {
        std::array::from_fn(|j| F32x4(rows.map(|row| row.0[j])))
    }

    #[inline(always)]
    pub fn add_product(self, a: F32x4, b: F32x4) -> F32x4 {
        F32x4(std::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
    }
}
