//! `probe` as it runs.

use chrono::Local;

use super::probe::{ProbeAnswer, ProbeRequest};
use crate::bench::Watch;
use crate::error::{Error, Result};
use crate::live::{LiveDevice, ProbePlan, probe as measure};

/// A device that is ready to be measured.
#[derive(Debug)]
pub struct ProbeRun {
    /// The device.
    pub device: LiveDevice,
    /// Its id.
    pub id: String,
    plan: ProbePlan,
}

impl ProbeRun {
    /// Opens the device.
    ///
    /// # Errors
    /// It cannot be used, or the name cannot be an id.
    pub fn open(request: &ProbeRequest) -> Result<Self> {
        let device = LiveDevice::open(request.device)?;
        let id = request.name.clone().unwrap_or_else(|| slug(&device.name));
        if id.is_empty() || slug(&id) != id {
            return Err(Error::input(format!("`{id}` cannot be an id"))
                .help("give --name in small letters, digits and underscores, such as my_machine"));
        }
        Ok(Self { plan: ProbePlan::full(&device), device, id })
    }

    /// Points that will be measured.
    pub fn points(&self) -> usize {
        self.plan.points()
    }

    /// Measures them.
    ///
    /// # Errors
    /// The device failed, or it was stopped.
    pub fn run(&self, watch: &mut dyn Watch) -> Result<ProbeAnswer> {
        let probe = measure(&self.device, &self.plan, watch)?;
        let date = Local::now().format("%Y-%m-%d").to_string();
        Ok(ProbeAnswer::new(probe, self.id.clone(), &date))
    }
}

/// Measures the roofs of a device.
///
/// # Errors
/// It cannot be used or failed, the name cannot be an id, or it was stopped.
pub fn probe(request: &ProbeRequest, watch: &mut dyn Watch) -> Result<ProbeAnswer> {
    ProbeRun::open(request)?.run(watch)
}

/// A name as an id: small letters and digits, everything else one underscore.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('_') && !slug.is_empty() {
            slug.push('_');
        }
    }
    slug.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_ids() {
        for (name, want) in [
            ("AMD EPYC (2 threads)", "amd_epyc_2_threads"),
            ("NVIDIA H100 80GB HBM3", "nvidia_h100_80gb_hbm3"),
            ("my_gpu", "my_gpu"),
        ] {
            assert_eq!(slug(name), want);
        }
    }
}
