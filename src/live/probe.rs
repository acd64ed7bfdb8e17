//! Measuring the roofs of a device: reading and copying over sizes, matrix products over sizes and formats, launch latency.

use candle_core::{DType, Device, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use super::LiveDevice;
use super::device::candle_dtype;
use crate::bench::{Budget, Clock, DataType, GemmRates, Probe, RatePoint, Subject, Watch, bench};
use crate::error::{Error, Result};

/// Time for a point.
const BUDGET: Budget = Budget { warmup_ms: 20.0, rep_ms: 150.0 };

/// Elements that one task of a parallel read or copy takes.
const PIECE: usize = 1 << 16;

/// Columns of the matrix that a GPU reads.
const COLUMNS: usize = 4096;

/// Small operations in one timed window; on a GPU they queue up.
const LAUNCHES: usize = 100;

/// What to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbePlan {
    /// Bytes to read and copy.
    pub bytes: Vec<u64>,
    /// Rows of square matrices.
    pub rows: Vec<usize>,
    /// Formats of their elements.
    pub dtypes: Vec<DataType>,
}

impl ProbePlan {
    /// Everything a device has.
    pub fn full(device: &LiveDevice) -> Self {
        let powers = |from: u32, to: u32| (from..=to).step_by(2).map(|power| 1_u64 << power).collect();
        if device.is_cpu() {
            Self { bytes: powers(14, 30), rows: vec![64, 128, 256, 512, 1024, 2048], dtypes: vec![DataType::Float32] }
        } else {
            Self {
                bytes: powers(20, 32),
                rows: vec![256, 512, 1024, 2048, 4096, 8192],
                dtypes: vec![DataType::Float32, DataType::BFloat16, DataType::Float16],
            }
        }
    }

    /// Some seconds' worth: the largest size that the memory holds, and one product.
    ///
    /// # Errors
    /// The free memory is not known.
    pub fn quick(device: &LiveDevice, dtype: DataType) -> Result<Self> {
        let free = device.free_bytes()?;
        let largest = Self::full(device).bytes.into_iter().rfind(|bytes| fits(*bytes, free));
        Ok(Self { bytes: largest.into_iter().collect(), rows: vec![1024], dtypes: vec![dtype] })
    }

    /// Points that will be measured.
    pub fn points(&self) -> usize {
        2 * self.bytes.len() + self.rows.len() * self.dtypes.len() + 1
    }
}

/// Whether so many bytes and their copy leave half of the free memory alone.
const fn fits(bytes: u64, free: u64) -> bool {
    4 * bytes < free
}

/// A closure as a subject.
struct Repeat<F: FnMut() -> Result<()>>(F);

impl<F: FnMut() -> Result<()>> Subject for Repeat<F> {
    fn setup(&mut self, _: Option<usize>) -> Result<()> {
        Ok(())
    }

    fn call(&mut self) -> Result<()> {
        (self.0)()
    }
}

struct Prober<'a> {
    device: &'a Device,
    clock: Box<dyn Clock>,
    watch: &'a mut dyn Watch,
}

impl Prober<'_> {
    /// Seconds of the fastest call.
    fn fastest(&mut self, name: &str, call: impl FnMut() -> Result<()>) -> Result<f64> {
        self.watch.row(name);
        let timed = bench(&mut Repeat(call), self.clock.as_mut(), BUDGET, self.watch)?;
        if timed.stopped {
            return Err(Error::failed("stopped; a part of the roofs is no probe"));
        }
        Ok(timed.raw_ms.into_iter().fold(f64::INFINITY, f64::min) / 1e3)
    }

    fn read(&mut self, bytes: u64) -> Result<RatePoint> {
        let count = (bytes / 4) as usize;
        let name = format!("reading {bytes} bytes");
        let seconds = if matches!(self.device, Device::Cpu) {
            let data = vec![1.0_f32; count];
            self.fastest(&name, || {
                std::hint::black_box(sum(&data));
                Ok(())
            })?
        } else {
            // A vector times a matrix, as in a decode step: candle sums all elements in one block, which reads 41 GB/s on an H100.
            let matrix = Tensor::ones((count * 2 / COLUMNS, COLUMNS), DType::BF16, self.device)?;
            let vector = Tensor::ones((1, COLUMNS), DType::BF16, self.device)?;
            self.fastest(&name, || Ok(vector.matmul(&matrix.t()?).map(|_| ())?))?
        };
        Ok(RatePoint { size: bytes, rate: bytes as f64 / seconds / 1e9 })
    }

    fn copy(&mut self, bytes: u64) -> Result<RatePoint> {
        let count = (bytes / 4) as usize;
        let name = format!("copying {bytes} bytes");
        let seconds = if matches!(self.device, Device::Cpu) {
            let source = vec![1.0_f32; count];
            let mut target = vec![0.0_f32; count];
            self.fastest(&name, || {
                copy(&mut target, &source);
                std::hint::black_box(&mut target);
                Ok(())
            })?
        } else {
            let source = Tensor::ones(count, DType::F32, self.device)?;
            // Into memory that is there: to find some takes longer than to copy.
            let target = source.zeros_like()?;
            self.fastest(&name, || Ok(target.slice_set(&source, 0, 0)?))?
        };
        Ok(RatePoint { size: bytes, rate: 2.0 * bytes as f64 / seconds / 1e9 })
    }

    fn gemm(&mut self, rows: usize, dtype: DataType) -> Result<RatePoint> {
        let matrix = || -> Result<Tensor> {
            let values = (0..rows * rows).map(|i| (i % 17) as f32 / 16.0 - 0.5).collect::<Vec<f32>>();
            Ok(Tensor::from_vec(values, (rows, rows), self.device)?.to_dtype(candle_dtype(dtype))?)
        };
        let (a, b) = (matrix()?, matrix()?);
        let name = format!("{} products of {rows} rows", dtype.name());
        let seconds = self.fastest(&name, || Ok(a.matmul(&b).map(|_| ())?))?;
        Ok(RatePoint { size: rows as u64, rate: 2.0 * (rows as f64).powi(3) / seconds / 1e12 })
    }

    fn launch_us(&mut self) -> Result<f64> {
        let one = Tensor::ones(1, DType::F32, self.device)?;
        let seconds = self.fastest("launches", || {
            for _ in 0..LAUNCHES {
                std::hint::black_box((&one + 1.0)?);
            }
            Ok(())
        })?;
        Ok(seconds * 1e6 / LAUNCHES as f64)
    }
}

/// Sum of all elements by all threads, in the widest vectors of the machine: as fast as memory delivers them.
fn sum(data: &[f32]) -> f32 {
    let piece = |values: &[f32]| Arch::new().dispatch(Sum(values));
    if data.len() <= PIECE { piece(data) } else { data.par_chunks(PIECE).map(piece).sum() }
}

struct Sum<'a>(&'a [f32]);

impl WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (vectors, rest) = S::as_simd_f32s(self.0);
        let (blocks, vectors_rest) = vectors.as_chunks::<8>();
        let mut sums = [simd.splat_f32s(0.0); 8];
        for block in blocks {
            for (sum, vector) in sums.iter_mut().zip(block) {
                *sum = simd.add_f32s(*sum, *vector);
            }
        }
        for vector in vectors_rest {
            sums[0] = simd.add_f32s(sums[0], *vector);
        }
        sums.iter().map(|sum| simd.reduce_sum_f32s(*sum)).sum::<f32>() + rest.iter().sum::<f32>()
    }
}

/// Copies by all threads, small pieces by one.
fn copy(target: &mut [f32], source: &[f32]) {
    if source.len() <= PIECE {
        target.copy_from_slice(source);
    } else {
        target.par_chunks_mut(PIECE).zip(source.par_chunks(PIECE)).for_each(|(to, from)| to.copy_from_slice(from));
    }
}

/// Measures the roofs of a device.
///
/// # Errors
/// The device failed, or the watch stopped it.
pub fn probe(device: &LiveDevice, plan: &ProbePlan, watch: &mut dyn Watch) -> Result<Probe> {
    let free = device.free_bytes()?;
    let mut prober = Prober { device: &device.device, clock: device.clock()?, watch };
    let fitting: Vec<u64> = plan.bytes.iter().copied().filter(|bytes| fits(*bytes, free)).collect();
    if fitting.is_empty() {
        return Err(Error::input(format!("{free} bytes of memory are free: too few to measure it")).help("free memory"));
    }
    let read = fitting.iter().map(|bytes| prober.read(*bytes)).collect::<Result<_>>()?;
    let copy = fitting.iter().map(|bytes| prober.copy(*bytes)).collect::<Result<_>>()?;
    let mut gemm = Vec::new();
    for &dtype in &plan.dtypes {
        let points = plan.rows.iter().map(|rows| prober.gemm(*rows, dtype)).collect::<Result<_>>()?;
        gemm.push(GemmRates { dtype, points });
    }
    let launch_us = prober.launch_us()?;
    let gpu = device.properties()?;
    let (vendor, memory) = if gpu.is_some() { ("NVIDIA".to_owned(), 0) } else { host() };
    Ok(Probe {
        device: device.id.clone(),
        name: device.name.clone(),
        vendor,
        threads: device.threads.map(|threads| threads as u64),
        memory_bytes: gpu.map_or(memory, |gpu| gpu.memory_bytes),
        l2_cache_bytes: gpu.map(|gpu| gpu.l2_cache_bytes),
        multiprocessors: gpu.map(|gpu| u64::from(gpu.multiprocessors)),
        clocks: gpu.map(|gpu| {
            format!(
                "The driver reports {:.0} MHz, memory at {:.0} MHz over {} bits",
                gpu.clock_mhz, gpu.memory_clock_mhz, gpu.memory_bus_bits
            )
        }),
        read,
        copy,
        gemm,
        launch_us,
    })
}

/// Maker of the CPU, and memory of the machine.
fn host() -> (String, u64) {
    let refresh =
        RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()).with_memory(MemoryRefreshKind::everything());
    let system = System::new_with_specifics(refresh);
    let id = system.cpus().first().map_or("", |cpu| cpu.vendor_id());
    let vendor = match id {
        "AuthenticAMD" => "AMD",
        "GenuineIntel" => "Intel",
        "" => "unknown",
        other => other,
    };
    (vendor.to_owned(), system.total_memory())
}
