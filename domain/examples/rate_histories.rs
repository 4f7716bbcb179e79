//! A million partners of two years each: their rates decided month after month, every bound and every reason checked.
//! `cargo run --release -p domain --example rate_histories [histories]` prints how many went wrong, which must be none.
#![expect(clippy::print_stdout, reason = "a measurement speaks to whoever runs it")]

use std::{env, time::Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[path = "../tests/rates/histories.rs"]
mod histories;

const MONTHS: u32 = 24;

fn main() {
    let count: u64 = env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let begin = Instant::now();
    let (mut wrong, mut sum) = (0_u64, histories::Tally::default());
    for seed in 0..count {
        match histories::check(MONTHS, &mut ChaCha8Rng::seed_from_u64(seed)) {
            Ok(tally) => {
                sum.decisions += tally.decisions;
                sum.changes += tally.changes;
                sum.explored += tally.explored;
            }
            Err(why) => {
                wrong += 1;
                println!("seed {seed}: {why}");
            }
        }
    }
    let histories::Tally { decisions, changes, explored } = sum;
    println!(
        "{{\"histories\": {count}, \"decisions\": {decisions}, \"changes\": {changes}, \"explored\": {explored}, \"wrong\": {wrong}, \"wall_s\": {:.1}}}",
        begin.elapsed().as_secs_f64()
    );
}
