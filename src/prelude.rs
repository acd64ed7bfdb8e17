//! What most programs that use the library need.
//!
//! ```
//! use perfmodel::prelude::*;
//!
//! let catalog = Catalog::built_in();
//! let system = SystemRequest {
//!     model: Some("qwen3_32b".to_owned()),
//!     hardware: Some("H200".to_owned()), // a name that people type; the answer says what it was taken for
//!     placement: PlacementRequest { tp: Some(2), ..PlacementRequest::default() },
//!     ..SystemRequest::default()
//! };
//! let request = PredictRequest {
//!     system,
//!     input_tokens: "1000".parse()?,
//!     output_tokens: "200".parse()?,
//!     concurrency: "1,8,64".parse()?,
//!     ..PredictRequest::default()
//! };
//! let answer = app::predict(&catalog, &request)?;
//! assert!(answer.predictions.iter().all(|row| row.status == Status::Ok && row.itl_ms > 0.0));
//!
//! let unknown = catalog.hardware("h20").unwrap_err();
//! assert_eq!(unknown.kind(), ErrorKind::UnknownName);
//! # Ok::<(), Error>(())
//! ```

pub use crate::app::{
    self, EvaluateRequest, FitRequest, MeasuredRequest, ParametersRequest, PlacementRequest, PlanRequest,
    PredictRequest, RooflineRequest, Status, SystemRequest, from_json,
};
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::serving::{ServingModel, ServingParameters};
pub use crate::spec::{Catalog, Deployment, Hardware, ModelArchitecture, Precision, System};
pub use crate::workload::{Lengths, Load, LoadKind, Workload};
