//! What a result file says of one load.

/// Mean and median over requests, in ms; what a file does not tell is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Latency {
    /// Arithmetic mean.
    pub mean: Option<f64>,
    /// Median.
    pub median: Option<f64>,
}

impl Latency {
    /// Both times a factor.
    pub fn scaled(self, factor: f64) -> Self {
        Self { mean: self.mean.map(|mean| mean * factor), median: self.median.map(|median| median * factor) }
    }
}

/// How requests reached the server.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Load {
    /// So many clients, each waiting for its answer.
    Clients(f64),
    /// So many requests a second, whatever the server does.
    Rate(f64),
    /// All at once, or as fast as the client can.
    Unlimited,
    /// At times of their own: a ramp, or those of a trace.
    Scheduled,
    /// The file does not tell.
    Unknown,
}

/// One load with its latencies.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Where it was read, for messages: file and what distinguishes it there.
    pub origin: String,
    /// How requests arrived.
    pub load: Load,
    /// Mean length of the prompts in tokens.
    pub input_tokens: Option<f64>,
    /// Mean length of the answers in tokens.
    pub output_tokens: Option<f64>,
    /// Time to first token.
    pub ttft: Latency,
    /// Time per later token.
    pub itl: Latency,
    /// Output tokens a second of all clients.
    pub throughput: Option<f64>,
    /// Answered requests.
    pub completed: Option<f64>,
    /// Failed requests.
    pub failed: Option<f64>,
    /// What its file says of the system.
    pub facts: Facts,
}

impl Point {
    /// A point of which nothing is known but where it stands.
    pub fn at(origin: impl Into<String>, load: Load) -> Self {
        Self {
            origin: origin.into(),
            load,
            input_tokens: None,
            output_tokens: None,
            ttft: Latency::default(),
            itl: Latency::default(),
            throughput: None,
            completed: None,
            failed: None,
            facts: Facts::default(),
        }
    }
}

/// What result files say of the system, as they say it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Model.
    pub model: Option<String>,
    /// Serving engine.
    pub engine: Option<String>,
    /// Device.
    pub hardware: Option<String>,
    /// The name of a whole family of devices (`h100`), of which `hardware` is a guess.
    pub family: Option<String>,
    /// Devices that share every layer.
    pub tensor_parallel: Option<u32>,
    /// Format of the weights.
    pub precision: Option<String>,
    /// Format of the KV cache.
    pub kv_precision: Option<String>,
}

/// What to beware of where answers were drafted: by what.
pub fn drafted(origin: &str, by: &str) -> String {
    format!(
        "{origin}: measured with speculative decoding ({by}), which the model of serving does not know: a step gives more than one token, \
         so ITL is shorter than a step"
    )
}

/// What to beware of where a server did what the model does not know.
pub fn unmodelled(origin: &str, what: &str) -> String {
    format!("{origin}: measured with {what}, which is not taken over")
}
