//! What a page is about: its head, and what the front page of all results says of it.

use serde::{Deserialize, Serialize};

/// Kinds of results, in the order of the front page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResultKind {
    /// An estimator fitted to measurements.
    Fit,
    /// A scenario predicted by a calibration that never saw it.
    Transfer,
    /// Predicted workloads.
    Prediction,
    /// Devices for a demand.
    Plan,
    /// Operators under the roofs.
    Roofline,
    /// Compared runs.
    Comparison,
    /// Attention variants.
    Insights,
    /// A live run.
    LiveRun,
    /// A fit to live runs.
    LiveFit,
    /// Measured roofs of a machine.
    Probe,
}

impl ResultKind {
    /// The heading of such results.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Fit => "Fits",
            Self::Transfer => "Transfers",
            Self::Prediction => "Predictions",
            Self::Plan => "Plans",
            Self::Roofline => "Rooflines",
            Self::Comparison => "Comparisons",
            Self::Insights => "Attention insights",
            Self::LiveRun => "Live runs",
            Self::LiveFit => "Fits to live runs",
            Self::Probe => "Probed machines",
        }
    }
}

/// What a page is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct About {
    /// Kind.
    pub kind: ResultKind,
    /// Heading.
    pub title: String,
    /// The line below it: system and basis.
    pub below: String,
    /// What was found, in sentences; the first tell most.
    pub findings: Vec<String>,
    /// What to beware of.
    pub cautions: Vec<String>,
}

/// What stands around the JSON of an [`About`] in a page.
const BEFORE: &str = "<script type=\"application/json\" id=\"about\">";
const BEHIND: &str = "</script>";

impl About {
    /// The element of a page's head that the front page reads.
    pub fn to_html(&self) -> String {
        let json = serde_json::to_string(self).expect("an about holds only texts");
        // No text may end the element.
        format!("{BEFORE}{}{BEHIND}", json.replace('<', "\\u003c"))
    }

    /// What a page says of itself; `None` where it is not one of ours, or older.
    pub fn of_html(html: &str) -> Option<Self> {
        let (_, rest) = html.split_once(BEFORE)?;
        serde_json::from_str(rest.split_once(BEHIND)?.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_what_it_is_about_whatever_its_texts_are() {
        let about = About {
            kind: ResultKind::Comparison,
            title: "</script><b>\u{2028}&\"".to_owned(),
            below: String::new(),
            findings: vec!["a < b".to_owned()],
            cautions: Vec::new(),
        };
        let html = format!("<head>{}</head><script></script>", about.to_html());
        assert_eq!(html.matches("</script>").count(), 2);
        assert_eq!(About::of_html(&html), Some(about));
        assert_eq!(About::of_html("<head></head>"), None);
    }
}
