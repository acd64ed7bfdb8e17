//! `evaluate --table`: every row of a table of many systems predicted, and how far off that is, pooled and by cell.

use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::measured::{none_left, table_member};
use super::remarks::Remarks;
use super::request::is_chosen;
use super::system::{ParametersRequest, default_estimator};
use crate::calibration::Target;
use crate::dataset::{Measurement, RowTrust, read_table};
use crate::error::{Error, Result};
use crate::estimator;
use crate::evaluation::{MetricErrors, StudyMember};
use crate::forecast::{Forecast, Forecaster};
use crate::spec::{Catalog, Kind, Precision, SpecFile};
use crate::workload::LoadKind;

/// Which table is predicted, and from what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct EvaluateTableRequest {
    /// CSV of measurements of many systems, whose columns say what each row ran on.
    pub table: PathBuf,
    /// Systems of the table to take, as patterns of their names, such as `*_fp8_*`; all by default.
    pub only: Vec<String>,
    /// Systems of the table to leave out, as patterns of their names.
    pub without: Vec<String>,
    /// How requests reached the engines.
    pub load: LoadKind,
    /// Where parameter values come from; a calibration is named, or `uncalibrated` is true.
    #[serde(flatten)]
    pub parameters: ParametersRequest,
    /// Name of the estimator.
    pub estimator: String,
}

impl Default for EvaluateTableRequest {
    fn default() -> Self {
        Self {
            table: PathBuf::new(),
            only: Vec::new(),
            without: Vec::new(),
            load: LoadKind::default(),
            parameters: ParametersRequest::default(),
            estimator: default_estimator().name().to_owned(),
        }
    }
}

/// How well the rows of a table are predicted; `--format json` prints it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct EvaluateTableAnswer {
    /// Rows of the table.
    pub rows: usize,
    /// Rows that were predicted.
    pub predicted: usize,
    /// Rows that were not, with the reason.
    pub refused: Vec<RefusedRow>,
    /// Errors over all rows that count.
    pub errors: TableErrors,
    /// Rows of one model in one format on one device with one engine.
    pub cells: Vec<TableCell>,
    /// Name of the estimator.
    pub estimator: &'static str,
    /// Path of the calibration; null: the priors alone.
    pub calibration: Option<PathBuf>,
    /// What names were taken for.
    pub remarks: Vec<String>,
    /// What was read from where.
    pub notes: Vec<String>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// Time it took, files included.
    pub elapsed_s: f64,
    /// Every predicted row, in the order of the table.
    #[serde(skip)]
    pub predictions: Vec<PredictedRow>,
}

/// A row that cannot be predicted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RefusedRow {
    /// Its line in the table, from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// Errors of rows; null where none counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TableErrors {
    /// Mean absolute relative error of ITL.
    pub itl_mape_pct: Option<f64>,
    /// Median absolute relative error of ITL.
    pub itl_median_ape_pct: Option<f64>,
    /// Mean signed relative error of ITL; above 0 the prediction is too large.
    pub itl_bias_pct: Option<f64>,
    /// Mean absolute relative error of TTFT.
    pub ttft_mape_pct: Option<f64>,
    /// Median absolute relative error of TTFT.
    pub ttft_median_ape_pct: Option<f64>,
    /// Mean signed relative error of TTFT.
    pub ttft_bias_pct: Option<f64>,
}

/// Rows of one model in one format on one device with one engine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TableCell {
    /// Id of the model.
    pub model: String,
    /// Id of the device.
    pub hardware: String,
    /// The engine; null where the table does not tell.
    pub engine: Option<String>,
    /// Format of the weights.
    pub weight_precision: Precision,
    /// Rows that were predicted.
    pub rows: usize,
    /// Their errors.
    pub errors: TableErrors,
}

/// A row with its prediction.
#[derive(Debug, Clone)]
pub struct PredictedRow {
    /// Id of the system.
    pub system: String,
    /// Place of its cell among those of the answer.
    pub cell: usize,
    /// The row.
    pub measured: Measurement,
    /// What to make of it.
    pub trust: RowTrust,
    /// What is predicted.
    pub forecast: Forecast,
}

impl TableErrors {
    /// Of the rows that count: a row that nothing explains does not, nor does a TTFT that is not trusted.
    fn of<'a>(rows: impl Iterator<Item = &'a PredictedRow>) -> Self {
        let (mut itl, mut ttft) = (Vec::new(), Vec::new());
        for row in rows.filter(|row| row.trust.explained) {
            let prediction = &row.forecast.prediction;
            itl.push((prediction.itl.get(), row.measured.itl.get()));
            if row.trust.ttft {
                ttft.push((prediction.ttft.get(), row.measured.ttft.get()));
            }
        }
        let (itl, ttft) = (MetricErrors::of(&itl), MetricErrors::of(&ttft));
        Self {
            itl_mape_pct: itl.map(|errors| errors.mape_pct),
            itl_median_ape_pct: itl.map(|errors| errors.median_ape_pct),
            itl_bias_pct: itl.map(|errors| errors.bias_pct),
            ttft_mape_pct: ttft.map(|errors| errors.mape_pct),
            ttft_median_ape_pct: ttft.map(|errors| errors.median_ape_pct),
            ttft_bias_pct: ttft.map(|errors| errors.bias_pct),
        }
    }
}

/// Predicts every row of a table. A row that cannot be predicted is named with the reason, and no error.
///
/// # Errors
/// No calibration is named, or the table cannot be read or holds nothing that is asked for.
pub fn evaluate_table(catalog: &Catalog, request: &EvaluateTableRequest) -> Result<EvaluateTableAnswer> {
    let started = Instant::now();
    let estimator = estimator::by_name(&request.estimator)?;
    let opened = request.parameters.open_named(estimator)?;
    let file = SpecFile::open(&request.table)?;
    let table = read_table(&file, request.load)?;
    let mut remarks = Remarks::new(catalog);
    let mut answer = EvaluateTableAnswer {
        rows: table.refused.len() + table.groups.iter().map(|group| group.dataset.rows.len()).sum::<usize>(),
        predicted: 0,
        refused: table.refused.iter().map(|(line, error)| refused(*line, error)).collect(),
        errors: TableErrors::of(std::iter::empty()),
        cells: Vec::new(),
        estimator: estimator.name(),
        calibration: opened.calibration.as_ref().map(|(path, _)| path.clone()),
        remarks: Vec::new(),
        notes: opened.notes,
        files: Vec::new(),
        elapsed_s: 0.0,
        predictions: Vec::new(),
    };
    let record = opened.calibration.as_ref().map(|(_, record)| record);
    let mut left_out = 0;
    for group in table.groups {
        remarks = remarks.names(Kind::Hardware, [&group.key.hardware]).names(Kind::Model, [&group.key.model]);
        let lines: Vec<usize> = group.dataset.rows.iter().map(|row| row.line).collect();
        let (trust, engine) = (group.trust.clone(), group.key.engine.clone());
        let forecaster = |member: &StudyMember| -> Result<Forecaster> {
            let target = Target { scenario: None, system: &member.system, load: member.load, campaign: None };
            Forecaster::new(estimator, &target, record)?.given(&request.parameters.set)
        };
        let member = table_member(catalog, group, request.load);
        if let Ok(member) = &member
            && !is_chosen(&member.id, &request.only, &request.without)
        {
            left_out += lines.len();
            continue;
        }
        match member.and_then(|member| Ok((forecaster(&member)?, member))) {
            Ok((forecaster, member)) => add(&mut answer, &member, engine, &trust, &forecaster),
            Err(error) => answer.refused.extend(lines.iter().map(|line| refused(*line, &error))),
        }
    }
    answer.rows -= left_out;
    if answer.rows == 0 {
        return Err(none_left(&request.table));
    }
    answer.predictions.sort_by_key(|row| row.measured.line);
    answer.refused.sort_by_key(|row| row.line);
    answer.predicted = answer.predictions.len();
    answer.errors = TableErrors::of(answer.predictions.iter());
    for (place, cell) in answer.cells.iter_mut().enumerate() {
        cell.errors = TableErrors::of(answer.predictions.iter().filter(|row| row.cell == place));
    }
    answer.remarks = remarks.said();
    answer.elapsed_s = started.elapsed().as_secs_f64();
    Ok(answer)
}

fn refused(line: usize, error: &Error) -> RefusedRow {
    RefusedRow { line, reason: error.message().to_owned() }
}

/// Adds the rows of a system.
fn add(
    answer: &mut EvaluateTableAnswer,
    member: &StudyMember,
    engine: Option<String>,
    trust: &[RowTrust],
    forecaster: &Forecaster,
) {
    let (model, hardware) = (&member.system.model().id, &member.system.hardware().id);
    let weight_precision = member.system.deployment().formats.weights;
    let known = answer.cells.iter().position(|cell| {
        cell.model == *model
            && cell.hardware == *hardware
            && cell.engine == engine
            && cell.weight_precision == weight_precision
    });
    let cell = known.unwrap_or_else(|| {
        answer.cells.push(TableCell {
            model: model.clone(),
            hardware: hardware.clone(),
            engine,
            weight_precision,
            rows: 0,
            errors: TableErrors::of(std::iter::empty()),
        });
        answer.cells.len() - 1
    });
    answer.cells[cell].rows += member.dataset.rows.len();
    answer.predictions.extend(member.dataset.rows.iter().zip(trust).map(|(row, trust)| PredictedRow {
        system: member.id.clone(),
        cell,
        measured: *row,
        trust: *trust,
        forecast: forecaster.forecast(&row.workload),
    }));
}
