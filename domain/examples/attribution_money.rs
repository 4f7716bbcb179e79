//! Ten million random orders: each credited by a random rule, divided, refunded in steps, and counted back to the minor unit.
//! `cargo run --release -p domain --example attribution_money [orders]` prints how many came out wrong, which must be none.
#![expect(clippy::print_stdout, reason = "a measurement speaks to whoever runs it")]

use std::{env, time::Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[path = "../tests/attribution/orders.rs"]
mod orders;

fn main() {
    let count: u64 = env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(10_000_000);
    let begin = Instant::now();
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    let (mut wrong, mut lines, mut minor) = (0_u64, 0_u64, 0_i64);
    for _ in 0..count {
        let order = orders::Order::random(&mut chance);
        wrong += u64::from(!order.is_right());
        lines += order.lines.len() as u64;
        minor += order.amount.minor;
    }
    println!(
        "{{\"orders\": {count}, \"lines\": {lines}, \"minor_units\": {minor}, \"mismatches\": {wrong}, \"wall_s\": {:.1}}}",
        begin.elapsed().as_secs_f64()
    );
}
