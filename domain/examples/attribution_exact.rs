//! What a Markov chain of order 1 exactly credits each channel with, of the journeys that the tests generate, as a list in
//! JSON. `cargo run --release -p domain --example attribution_exact 1000000 200`.
#![expect(clippy::print_stdout, reason = "a program that answers")]

use std::env;

use domain::attribution::{Statistics, markov::FirstOrderStatistics};

#[path = "../tests/attribution/synthetic.rs"]
mod synthetic;

fn main() {
    let mut numbers = env::args().skip(1).filter_map(|number| number.parse().ok());
    let (count, channels) = (numbers.next().unwrap_or(1_000_000), numbers.next().unwrap_or(200));
    let mut chain = FirstOrderStatistics::default();
    chain.add(&synthetic::journeys(count, channels).all());
    let credit: Vec<f64> = chain.credit().iter().map(|credit| credit.conversions).collect();
    println!("{credit:?}");
}
