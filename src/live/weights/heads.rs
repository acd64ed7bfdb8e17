//! Heads by a manifest.
//!
//! ```toml
//! [[head]]                                    # head 0: the base's last layers as they are
//!
//! [[head]]                                    # head 1: two adapters, merged one after the other
//! adapters = ["security", "robustness"]       # folders of PEFT, or .safetensors files
//!
//! [[head]]                                    # head 2: whole layers, heads.2.layers.{i}.self_attn.q_proj.weight …
//! layers = "hydra_heads.safetensors"
//! ```
//!
//! Paths are relative to the manifest. An adapter has `…layers.{i}.mlp.gate_proj.lora_A.weight` `[r, in]` and `lora_B` `[out, r]`, i
//! being the layer in the base model; merging gives `W + s·B·A`. The scale s is `lora_alpha/r` of `adapter_config.json` if there is
//! one, else `scale` of the head, else 2.

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use serde::Deserialize;
use serde_json::Value;

use super::checkpoint::TensorFile;
use crate::error::{Error, Result};
use crate::live::read_json;
use crate::spec::SpecFile;

/// Scale of an adapter that does not say it: α = 2·r.
const SCALE: f64 = 2.0;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestFile {
    #[serde(default)]
    head: Vec<HeadFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadFile {
    #[serde(default)]
    adapters: Vec<PathBuf>,
    scale: Option<f64>,
    layers: Option<PathBuf>,
}

#[derive(Debug)]
struct Adapter {
    file: TensorFile,
    scale: f64,
}

#[derive(Debug)]
struct Head {
    adapters: Vec<Adapter>,
    layers: Option<TensorFile>,
}

/// What each head is made of.
#[derive(Debug)]
pub(super) struct Manifest {
    path: PathBuf,
    heads: Vec<Head>,
}

impl Manifest {
    /// Reads a manifest and the headers of the files that it names.
    pub fn open(path: &Path) -> Result<Self> {
        let raw: ManifestFile = SpecFile::open(path)?.parse()?;
        if raw.head.is_empty() {
            return Err(Error::input("the manifest has no head").at(path).help("add a [[head]] for each head"));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let heads = raw
            .head
            .into_iter()
            .map(|head| {
                let scale = head.scale.unwrap_or(SCALE);
                let adapters = head
                    .adapters
                    .iter()
                    .map(|adapter| Adapter::open(&folder.join(adapter), scale))
                    .collect::<Result<_>>()?;
                let layers = head.layers.map(|file| TensorFile::open(&folder.join(file))).transpose()?;
                Ok(Head { adapters, layers })
            })
            .collect::<Result<_>>()?;
        Ok(Self { path: path.to_owned(), heads })
    }

    /// A tensor of a head's layer: `own` is its place in the head, `index` that of the base's layer.
    pub fn tensor(
        &self,
        head: usize,
        own: usize,
        index: usize,
        name: &str,
        shape: &[usize],
        base: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let described = self.heads.get(head).ok_or_else(|| {
            Error::input(format!("describes {} heads; head {head} is wanted", self.heads.len()))
                .at(&self.path)
                .help("add a [[head]], or give fewer --heads")
        })?;
        let mut tensor = match &described.layers {
            Some(file) => file.tensor(&format!("heads.{head}.layers.{own}.{name}"), shape)?,
            None => base()?,
        };
        for adapter in &described.adapters {
            if let Some(delta) = adapter.delta(index, name, shape)? {
                tensor = (tensor + delta)?;
            }
        }
        Ok(tensor)
    }
}

impl Adapter {
    fn open(path: &Path, scale: f64) -> Result<Self> {
        let (weights, config) = if path.is_dir() {
            (path.join("adapter_model.safetensors"), Some(path.join("adapter_config.json")))
        } else {
            (path.to_owned(), None)
        };
        let scale = match config.filter(|config| config.is_file()) {
            Some(config) => configured_scale(&config)?.unwrap_or(scale),
            None => scale,
        };
        Ok(Self { file: TensorFile::open(&weights)?, scale })
    }

    /// `s·B·A` for a matrix of a layer, if the adapter changes it.
    fn delta(&self, index: usize, name: &str, shape: &[usize]) -> Result<Option<Tensor>> {
        let Some(stem) = name.strip_suffix(".weight") else { return Ok(None) };
        let names = self.file.names();
        let part = |which: &str| {
            let ending = format!("layers.{index}.{stem}.{which}.weight");
            let is_it = |full: &&String| full.as_str() == ending || full.ends_with(&format!(".{ending}"));
            names.iter().find(is_it)
        };
        let (Some(a), Some(b)) = (part("lora_A"), part("lora_B")) else { return Ok(None) };
        let rank = self.file.rows(a);
        let (a, b) = (self.file.tensor(a, &[rank, shape[1]])?, self.file.tensor(b, &[shape[0], rank])?);
        Ok(Some((b.matmul(&a)? * self.scale)?))
    }
}

/// `lora_alpha / r` of a PEFT configuration.
fn configured_scale(path: &Path) -> Result<Option<f64>> {
    let json: Value = read_json(path, "JSON")?;
    Ok(json["lora_alpha"].as_f64().zip(json["r"].as_f64()).map(|(alpha, rank)| alpha / rank))
}
