//! Tensors in safetensors files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::Deserialize;

use crate::error::{Error, Result, nearest_hint};
use crate::live::read_json;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Largest header, as the format has it.
const MOST_HEADER_BYTES: u64 = 100_000_000;

/// One file, of which only the header is held.
#[derive(Debug)]
pub(super) struct TensorFile {
    path: PathBuf,
    header: Metadata,
    /// First byte behind the header.
    data: u64,
}

impl TensorFile {
    /// Reads the header.
    pub fn open(path: &Path) -> Result<Self> {
        let broken = |what: &str| {
            Error::input(format!("is not a whole safetensors file: {what}"))
                .at(path)
                .help("copy it again; a Git LFS pointer is a short text that stands for the file")
        };
        let unreadable = |error: std::io::Error| Error::input(format!("cannot read the file ({error})")).at(path);
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(|_| broken("it ends within its first 8 bytes"))?;
        let length = u64::from_le_bytes(length);
        if length > MOST_HEADER_BYTES || length + 8 > size {
            return Err(broken("the length of its header is impossible"));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(unreadable)?;
        let header: Metadata =
            serde_json::from_slice(&header).map_err(|error| broken(&format!("its header cannot be read ({error})")))?;
        let data = length + 8;
        let end = header.tensors().values().map(|info| info.data_offsets.1 as u64).max().unwrap_or(0);
        if data + end != size {
            return Err(broken(&format!("its tensors end at byte {}, the file at byte {size}", data + end)));
        }
        Ok(Self { path: path.to_owned(), header, data })
    }

    /// Names of its tensors.
    pub fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    /// Whether it has a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    /// Rows of a tensor; 0 of one that is not there.
    pub fn rows(&self, name: &str) -> usize {
        self.header.info(name).and_then(|info| info.shape.first().copied()).unwrap_or(0)
    }

    /// A tensor of a shape, in 32 bit on the host.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let info = self.header.info(name).ok_or_else(|| missing(&self.path, name, &self.names()))?;
        if info.shape != shape {
            return Err(Error::input(format!("`{name}` has the shape {:?}; the model wants {shape:?}", info.shape))
                .at(&self.path)
                .help("the weights must belong to the configuration beside them"));
        }
        let bytes = self.bytes(info).map_err(|error| {
            Error::input(format!("cannot read `{name}` ({error})")).at(&self.path).help("copy the file again")
        })?;
        let dtype = candle_dtype(info.dtype).ok_or_else(|| {
            Error::input(format!("`{name}` is stored as {:?}", info.dtype))
                .at(&self.path)
                .help("store weights as float32, float16 or bfloat16")
        })?;
        Ok(Tensor::from_raw_buffer(&bytes, dtype, &info.shape, &Device::Cpu)?.to_dtype(DType::F32)?)
    }

    fn bytes(&self, info: &TensorInfo) -> std::io::Result<Vec<u8>> {
        let (start, end) = info.data_offsets;
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.data + start as u64))?;
        let mut bytes = vec![0; end - start];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

const fn candle_dtype(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        Dtype::F64 => Some(DType::F64),
        _ => None,
    }
}

fn missing(at: &Path, name: &str, known: &[String]) -> Error {
    let near = nearest_hint(name, known.iter().map(String::as_str));
    Error::input(format!("has no tensor `{name}`"))
        .at(at)
        .help(format!("{near}the weights must be those of an OLMo-2 model of this many layers"))
}

/// All files of a model.
#[derive(Debug)]
pub(super) struct Checkpoint {
    folder: PathBuf,
    files: Vec<TensorFile>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// The files of a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        let index = folder.join(INDEX);
        let names: Vec<String> = if index.is_file() {
            let parsed: Index = read_json(&index, "an index of weights")?;
            let mut names: Vec<String> = parsed.weight_map.into_values().collect();
            names.sort();
            names.dedup();
            names
        } else if folder.join(SINGLE).is_file() {
            vec![SINGLE.to_owned()]
        } else {
            return Err(Error::input("there are no weights")
                .at(folder)
                .help(format!("the folder must hold {SINGLE}, or {INDEX} and the files that it names")));
        };
        let files = names.iter().map(|name| TensorFile::open(&folder.join(name))).collect::<Result<_>>()?;
        Ok(Self { folder: folder.to_owned(), files })
    }

    fn file_of(&self, name: &str) -> Result<&TensorFile> {
        self.files.iter().find(|file| file.has(name)).ok_or_else(|| {
            let known: Vec<String> = self.files.iter().flat_map(TensorFile::names).collect();
            missing(&self.folder, name, &known)
        })
    }

    /// A tensor of a shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.file_of(name)?.tensor(name, shape)
    }

    /// A matrix that may have fewer rows than asked for.
    pub fn rows_up_to(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let file = self.file_of(name)?;
        let rows = file.rows(name).min(shape[0]);
        file.tensor(name, &[&[rows], &shape[1..]].concat())
    }
}
