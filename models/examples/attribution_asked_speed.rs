//! How long a file of learned attribution takes for one journey of 4, 16 and 64 touches with 300 channels, as a line of JSON
//! for each: `cargo run --release -p models --example attribution_asked_speed`.
#![expect(clippy::print_stdout, reason = "a measurement speaks to whoever runs it")]

use std::{env, error::Error, path::Path, time::Instant};

use models::graph::{
    Dim, ElementType, Graph, GraphError, Metadata, TensorType,
    attribution::{AdditiveHazard, Rule, Touches},
};
use ort::{
    environment::Environment,
    session::{Session, builder::GraphOptimizationLevel},
    value::TensorRef,
};

const CHANNELS: usize = 300;
const CAMPAIGNS: usize = 40;
const RUNS: usize = 5000;

fn main() -> Result<(), Box<dyn Error>> {
    let library = env::var_os("ORT_DYLIB_PATH").ok_or("ORT_DYLIB_PATH is not set; run this with cargo")?;
    let environment = ort::init_from(Path::new(&library))?.with_name("attribution_asked_speed").build()?;
    for (decay, name) in [(None, "deciding"), (Some(0.5), "decaying")] {
        for touches in [4, 16, 64] {
            let bytes = file(touches, decay)?;
            let (p50_us, p99_us) = measure(&environment, &bytes, touches)?;
            println!(
                "{{\"case\": \"{name}, {touches} touches\", \"p50_us\": {p50_us:.1}, \"p99_us\": {p99_us:.1}}}"
            );
        }
    }
    Ok(())
}

fn file(touches: usize, decay: Option<f64>) -> Result<Vec<u8>, GraphError> {
    let mut graph = Graph::new("attribution");
    let numbers = TensorType::rows(ElementType::I64, touches);
    let channel = graph.input("channel", numbers.clone(), "a number")?;
    let age = graph.input("age", TensorType::rows(ElementType::F64, touches), "seconds")?;
    let campaign = graph.input("campaign", TensorType::new(ElementType::I64, &[Dim::Batch]), "a number")?;
    let device = graph.input("device", numbers, "a number")?;
    let hazard = AdditiveHazard {
        organic: vec![0.005; CAMPAIGNS + 1],
        effect: vec![0.02; CAMPAIGNS + 1],
        later: vec![0.9; CAMPAIGNS + 1],
        repeat: vec![1.0, 0.8, 0.7, 0.6],
        factors: vec![("device".to_owned(), vec![1.0; 4])],
        channel: vec![1.0; CHANNELS + 1],
        decay_per_day: decay.map(|decay| vec![decay; CHANNELS + 1]),
        nothing: 1e-290,
        rule: Rule::LastClick,
    };
    let credit = hazard.add(&mut graph, &Touches { channel, age, campaign, factors: vec![device] })?;
    graph.output("weights", &credit.weights, "of each touch")?;
    graph.output("organic", &credit.organic, "of nobody")?;
    graph.output("fallback", &credit.by_rule, "whether the rule divided the credit")?;
    graph.finish(&Metadata { properties: hazard.properties(), ..Metadata::default() })
}

/// The median and the 99th percentile of a journey, in microseconds.
fn measure(environment: &Environment, bytes: &[u8], touches: usize) -> Result<(f64, f64), Box<dyn Error>> {
    let builder = Session::builder(environment)?.with_intra_threads(1)?;
    let mut session =
        builder.with_optimization_level(GraphOptimizationLevel::Level3)?.commit_from_memory(bytes)?;
    let numbers: Vec<i64> = (0..touches).map(|place| (place * 7 % 11) as i64).collect();
    let ages: Vec<f64> = (0..touches).map(|place| (touches - place) as f64 * 3600.0).collect();
    let devices: Vec<i64> = (0..touches).map(|place| (place % 4) as i64).collect();
    let shape = [1, touches];
    let mut took_us = Vec::new();
    for run in 0..RUNS + 500 {
        let begin = Instant::now();
        session.run(ort::inputs![
            "channel" => TensorRef::from_array_view((shape, numbers.as_slice()))?,
            "age" => TensorRef::from_array_view((shape, ages.as_slice()))?,
            "campaign" => TensorRef::from_array_view(([1], [3_i64].as_slice()))?,
            "device" => TensorRef::from_array_view((shape, devices.as_slice()))?,
        ])?;
        if 500 <= run {
            took_us.push(begin.elapsed().as_secs_f64() * 1e6);
        }
    }
    took_us.sort_unstable_by(f64::total_cmp);
    Ok((took_us[RUNS / 2], took_us[RUNS * 99 / 100]))
}
