//! From the `config.json` of Hugging Face to rooflines: the operators of a decode step with what binds each, and the batch
//! from which decode is compute bound.
//!
//! `cargo run --release --example roofline_of_a_config`

use perfmodel::engine::memory::free_bytes;
use perfmodel::engine::{Phase, StepLoad, StepModel};
use perfmodel::error::Result;
use perfmodel::roofline::{Crossing, Step, Sweep};
use perfmodel::serving::{ServingModel, ServingParameters};
use perfmodel::spec::{Catalog, Deployment, Precision, SpecFile, System, read_hf_config};

/// As it lies beside the weights of Qwen3-30B-A3B; a file is read with [`perfmodel::spec::hf_config_at`].
const CONFIG: &str = r#"{
  "architectures": ["Qwen3MoeForCausalLM"],
  "hidden_size": 2048, "num_hidden_layers": 48, "vocab_size": 151936, "max_position_embeddings": 40960,
  "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 6144,
  "num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768, "norm_topk_prob": true,
  "decoder_sparse_step": 1, "mlp_only_layers": [], "tie_word_embeddings": false, "torch_dtype": "bfloat16"
}"#;

fn main() -> Result<()> {
    let file = SpecFile { label: "config.json".to_owned(), text: CONFIG.to_owned() };
    let model = read_hf_config("qwen3_moe", &file)?;
    let deployment = Deployment::new(1, Precision::Bf16)?;
    let system = System::new(Catalog::built_in().hardware("h100_sxm_80gb")?, model, deployment)?;
    println!("{}, {:.2} billion parameters", system.title(), system.model().parameters() as f64 / 1e9);

    // What steps reach of the peaks: the medians of the priors.
    let efficiencies = ServingModel::new(&system)?.efficiencies(&ServingParameters::default());
    let steps = StepModel::new(&system)?;
    for batch in [1.0, 64.0] {
        let step = Step::new(&steps, &StepLoad { phase: Phase::Decode, batch, tokens: 2000.0 }, &efficiencies);
        println!("\nDecode of {batch} sequences at 2000 tokens: {:.2} ms", step.total().as_ms());
        println!("{:18} {:>10} {:>8} {:>10} {:>8}  bound by", "operator", "GFLOP", "GB", "FLOP/byte", "ms");
        for operator in &step.operators {
            println!(
                "{:18} {:>10.2} {:>8.3} {:>10.1} {:>8.3}  {}",
                operator.name,
                operator.work.flops.get() / 1e9,
                operator.work.bytes.get() / 1e9,
                operator.intensity().unwrap_or(0.0),
                operator.time.total().as_ms(),
                operator.bound().name(),
            );
        }
        for (other, time) in &step.others {
            println!("{:47}  {:>8.3}", other.label(), time.as_ms());
        }
    }

    let (contexts, kv_cache) = ([200.0, 2000.0, 20_000.0], free_bytes(&system)?);
    let sweep = Sweep::run(&system, &steps, Phase::Decode, &[1.0], &contexts, kv_cache, &efficiencies);
    println!("\n{:>8} {:>22} {:>13}", "context", "compute bound from", "memory holds");
    for line in &sweep.contexts {
        let from = match line.crossing {
            Crossing::Always => "1 sequence".to_owned(),
            Crossing::At(batch) => format!("{batch:.0} sequences"),
            Crossing::Never => "never".to_owned(),
        };
        println!("{:>8} {from:>22} {:>13.0}", line.tokens, line.capacity);
    }
    Ok(())
}
