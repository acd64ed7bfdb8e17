//! Where weights come from: random with a seed, or a local folder in the layout of Hugging Face; heads as copies of the base's
//! last layers, perturbed copies, or by a manifest. Nothing is downloaded.

mod checkpoint;
mod heads;
mod random;

use std::path::Path;

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};
use checkpoint::Checkpoint;
use heads::Manifest;
use random::normal;

/// A layer of a model with heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// A layer of the trunk.
    Base(usize),
    /// A layer of a head.
    Head {
        /// Which head.
        head: usize,
        /// The layer of the base model that it stems from.
        base: usize,
        /// Its place in the head, from 0.
        own: usize,
    },
}

impl Layer {
    pub const fn of_head(head: usize, base: usize, trunk_layers: usize) -> Self {
        Self::Head { head, base, own: base - trunk_layers }
    }

    const fn base(self) -> usize {
        match self {
            Self::Base(base) | Self::Head { base, .. } => base,
        }
    }
}

/// A vocabulary matrix, padded to the model's vocabulary.
pub(super) struct Vocabulary {
    pub tensor: Tensor,
    /// Rows that were given; the others are zeros.
    pub rows: usize,
}

#[derive(Debug)]
enum Base {
    Random { seed: u64 },
    Checkpoint(Checkpoint),
}

/// How heads differ from the base's last layers.
#[derive(Debug)]
enum HeadSource {
    Copies,
    Perturbed { scale: f64, seed: u64 },
    Manifest(Manifest),
}

/// The weights of a model on a device.
#[derive(Debug)]
pub struct Weights {
    base: Base,
    heads: HeadSource,
    dtype: DType,
    device: Device,
}

impl Weights {
    /// Random weights of a seed, the same on every machine and device: matrices that keep the scale of their input, norms of 1, and
    /// an output matrix whose logits spread by 3, so that predictions are neither flat nor certain.
    pub const fn random(seed: u64, dtype: DType, device: Device) -> Self {
        Self { base: Base::Random { seed }, heads: HeadSource::Copies, dtype, device }
    }

    /// A folder with `model.safetensors`, or with several files and `model.safetensors.index.json`.
    ///
    /// # Errors
    /// No such file, or one whose header cannot be read.
    pub fn from_folder(folder: &Path, dtype: DType, device: Device) -> Result<Self> {
        Ok(Self { base: Base::Checkpoint(Checkpoint::open(folder)?), heads: HeadSource::Copies, dtype, device })
    }

    /// With heads 1, 2, … that differ from the base by seeded Gaussian noise on the three matrices of each feed-forward
    /// block, of `scale` times the standard deviation of the matrix. Head 0 stays the base. The scale sets how often heads agree.
    ///
    /// # Errors
    /// A scale that is negative or not finite.
    pub fn perturbed(mut self, scale: f64, seed: u64) -> Result<Self> {
        if !(scale >= 0.0 && scale.is_finite()) {
            return Err(Error::input(format!("heads perturbed by {scale}")).help("give a number of 0 or more"));
        }
        self.heads = HeadSource::Perturbed { scale, seed };
        Ok(self)
    }

    /// With heads by a manifest: whole layers, or low-rank adapters that are merged into the base's last layers.
    ///
    /// # Errors
    /// The manifest or a file that it names cannot be read.
    pub fn with_heads(mut self, manifest: &Path) -> Result<Self> {
        self.heads = HeadSource::Manifest(Manifest::open(manifest)?);
        Ok(self)
    }

    /// A tensor of the base by its name, in 32 bit on the host, where merging happens.
    ///
    /// # Errors
    /// A checkpoint has none of this name, or one of another shape.
    pub fn named(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        match &self.base {
            Base::Random { seed } => random::tensor(name, shape, *seed),
            Base::Checkpoint(checkpoint) => checkpoint.tensor(name, shape),
        }
    }

    /// What kind they are, for the record of a measurement.
    pub fn kind(&self) -> &'static str {
        match (&self.base, &self.heads) {
            (Base::Checkpoint(_), HeadSource::Copies | HeadSource::Manifest(_)) => "real",
            (_, HeadSource::Perturbed { .. }) => "perturbed",
            (Base::Random { .. }, _) => "random",
        }
    }

    pub(super) const fn dtype(&self) -> DType {
        self.dtype
    }

    pub(super) const fn device(&self) -> &Device {
        &self.device
    }

    fn placed(&self, tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.to_device(&self.device)?.to_dtype(self.dtype)?)
    }

    /// A tensor outside of the layers.
    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.placed(&self.named(name, shape)?)
    }

    /// A matrix with one row for each id; missing rows are zeros.
    pub(super) fn vocabulary(&self, name: &str, shape: &[usize]) -> Result<Vocabulary> {
        let given = match &self.base {
            Base::Random { seed } => random::tensor(name, shape, *seed)?,
            Base::Checkpoint(checkpoint) => checkpoint.rows_up_to(name, shape)?,
        };
        let rows = given.dim(0)?;
        let tensor = if rows < shape[0] { given.pad_with_zeros(0, 0, shape[0] - rows)? } else { given };
        Ok(Vocabulary { tensor: self.placed(&tensor)?, rows })
    }

    /// A tensor of a layer.
    pub(super) fn layer(&self, layer: Layer, name: &str, shape: &[usize]) -> Result<Tensor> {
        let base = || self.named(&format!("model.layers.{}.{name}", layer.base()), shape);
        let host = match (layer, &self.heads) {
            (Layer::Base(_), _) | (_, HeadSource::Copies) => base()?,
            (Layer::Head { head, own, .. }, HeadSource::Perturbed { scale, seed }) => {
                let base = base()?;
                if head == 0 || !name.starts_with("mlp.") {
                    base
                } else {
                    let noise = normal(&format!("heads.{head}.layers.{own}.{name}"), shape, *seed)?;
                    let spread = f64::from((base.sqr()?.mean_all()?).to_scalar::<f32>()?).sqrt();
                    (base + (noise * (scale * spread))?)?
                }
            }
            (Layer::Head { head, base: index, own }, HeadSource::Manifest(manifest)) => {
                manifest.tensor(head, own, index, name, shape, base)?
            }
        };
        self.placed(&host)
    }
}
