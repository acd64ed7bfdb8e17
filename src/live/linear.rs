//! Matrix products with weights.
//!
//! On the CPU candle's product packs the weights whenever there is more than one row, and streams them with one core when there
//! is one. Decoding does little else, so products of few rows have a kernel of their own: every weight is read once, by all
//! cores. On two cores of an AMD Milan it was about twice as fast as candle's for one row and for eight, with weights that no cache
//! holds.

use candle_core::{CpuStorage, CustomOp2, DType, Device, Layout, Shape, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::error::Result;

/// Up to so many rows the kernel for few rows is the faster one.
const FEW_ROWS: usize = 16;

/// Elements of a product below which threads cost more than they spare.
const PARALLEL_FROM: usize = 1 << 16;

/// Weights `[out, in]`; no bias.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    weight: Tensor,
}

impl Linear {
    pub fn new(weight: Tensor) -> Self {
        Self { weight }
    }

    /// `x·Wᵀ` over the last of three dimensions, of which the first is 1.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, rows, width) = x.dims3()?;
        let x = x.reshape((rows, width))?;
        let few = matches!(x.device(), Device::Cpu) && rows <= FEW_ROWS && x.dtype() == DType::F32;
        let y =
            if few { x.contiguous()?.apply_op2_no_bwd(&self.weight, &FewRows)? } else { x.matmul(&self.weight.t()?)? };
        Ok(y.unsqueeze(0)?)
    }
}

/// `[m, k]` times `[n, k]` transposed, for small m.
struct FewRows;

impl CustomOp2 for FewRows {
    fn name(&self) -> &'static str {
        "few-rows-product"
    }

    fn cpu_fwd(
        &self,
        rows: &CpuStorage,
        rows_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (m, k) = rows_layout.shape().dims2()?;
        let (n, _) = weights_layout.shape().dims2()?;
        let product = few_rows(contiguous(rows, rows_layout)?, contiguous(weights, weights_layout)?, m, k, n);
        Ok((CpuStorage::F32(product), (m, n).into()))
    }
}

fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => candle_core::bail!("few-rows-product takes contiguous f32"),
    }
}

/// `y[i][j] = Σ x[i][k]·w[j][k]`.
fn few_rows(x: &[f32], w: &[f32], m: usize, k: usize, n: usize) -> Vec<f32> {
    // Columns first, so that each thread writes its own stretch; for one row that is the result already.
    let mut columns = vec![0.0; n * m];
    let sweep = |first: usize, columns: &mut [f32]| {
        Arch::new().dispatch(Sweep { weights: &w[first * k..], rows: x, columns, m, k });
    };
    if n * k * m < PARALLEL_FROM {
        sweep(0, &mut columns);
    } else {
        let piece = n.div_ceil(4 * rayon::current_num_threads());
        columns.par_chunks_mut(piece * m).enumerate().for_each(|(index, columns)| sweep(index * piece, columns));
    }
    if m == 1 {
        return columns;
    }
    let mut y = vec![0.0; n * m];
    for (i, row) in y.chunks_exact_mut(n).enumerate() {
        for (j, value) in row.iter_mut().enumerate() {
            *value = columns[j * m + i];
        }
    }
    y
}

/// Dot products of consecutive weight rows with all rows, in the widest vectors that the machine has.
struct Sweep<'a> {
    weights: &'a [f32],
    rows: &'a [f32],
    columns: &'a mut [f32],
    m: usize,
    k: usize,
}

impl WithSimd for Sweep<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { weights, rows, columns, m, k } = self;
        for (column, w) in columns.chunks_exact_mut(m).zip(weights.chunks_exact(k)) {
            let mut done = 0;
            while done < m {
                let row = |i: usize| &rows[(done + i) * k..(done + i + 1) * k];
                let out = &mut column[done..];
                done += match m - done {
                    1 => copy(out, dots::<S, 1>(simd, w, [row(0)])),
                    2 | 3 => copy(out, dots::<S, 2>(simd, w, std::array::from_fn(row))),
                    4..8 => copy(out, dots::<S, 4>(simd, w, std::array::from_fn(row))),
                    _ => copy(out, dots::<S, 8>(simd, w, std::array::from_fn(row))),
                };
            }
        }
    }
}

#[inline(always)]
fn copy<const M: usize>(out: &mut [f32], values: [f32; M]) -> usize {
    out[..M].copy_from_slice(&values);
    M
}

/// Dot products of one weight row with M rows.
#[inline(always)]
fn dots<S: Simd, const M: usize>(simd: S, weights: &[f32], rows: [&[f32]; M]) -> [f32; M] {
    let (blocks, rest) = S::as_simd_f32s(weights);
    let row_blocks = rows.map(|row| &S::as_simd_f32s(row).0[..blocks.len()]);
    let mut sums = [simd.splat_f32s(0.0); M];
    if M == 1 {
        // One sum would wait for each addition; four do not.
        sums[0] = dot(simd, blocks, row_blocks[0]);
    } else {
        for (place, w) in blocks.iter().enumerate() {
            for (sum, row) in sums.iter_mut().zip(&row_blocks) {
                *sum = simd.mul_add_f32s(*w, row[place], *sum);
            }
        }
    }
    let tail = weights.len() - rest.len();
    std::array::from_fn(|i| {
        let rest: f32 = rest.iter().zip(&rows[i][tail..]).map(|(w, x)| w * x).sum();
        simd.reduce_sum_f32s(sums[i]) + rest
    })
}

#[inline(always)]
fn dot<S: Simd>(simd: S, weights: &[S::f32s], row: &[S::f32s]) -> S::f32s {
    let mut sums = [simd.splat_f32s(0.0); 4];
    let ((weights, weights_rest), (row, row_rest)) = (weights.as_chunks::<4>(), row.as_chunks::<4>());
    for (w, x) in weights.iter().zip(row) {
        for ((sum, w), x) in sums.iter_mut().zip(w).zip(x) {
            *sum = simd.mul_add_f32s(*w, *x, *sum);
        }
    }
    for (w, x) in weights_rest.iter().zip(row_rest) {
        sums[0] = simd.mul_add_f32s(*w, *x, sums[0]);
    }
    simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.5 - 1.0).collect()
    }

    #[test]
    fn the_kernel_agrees_with_a_plain_sum_for_every_number_of_rows_and_odd_widths() {
        for (n, k) in [(1, 1), (3, 7), (70, 33), (5, 64), (300, 257)] {
            let w = numbers(n * k, 1);
            for m in 1..=FEW_ROWS {
                let x = numbers(m * k, 2);
                let got = few_rows(&x, &w, m, k, n);
                for i in 0..m {
                    for j in 0..n {
                        let want: f64 = (0..k).map(|c| f64::from(x[i * k + c]) * f64::from(w[j * k + c])).sum();
                        assert!((f64::from(got[i * n + j]) - want).abs() < 1e-4, "{m} {n} {k}");
                    }
                }
            }
        }
    }

    #[test]
    fn few_and_many_rows_agree_with_each_other() {
        let linear = Linear::new(Tensor::from_vec(numbers(300 * 64, 3), (300, 64), &Device::Cpu).unwrap());
        let x = Tensor::from_vec(numbers(40 * 64, 4), (1, 40, 64), &Device::Cpu).unwrap();
        let many = linear.forward(&x).unwrap();
        let few = linear.forward(&x.narrow(1, 5, 9).unwrap()).unwrap();
        let difference = (many.narrow(1, 5, 9).unwrap() - few).unwrap().abs().unwrap().max_all().unwrap();
        assert!(difference.to_scalar::<f32>().unwrap() < 1e-4);
    }
}
