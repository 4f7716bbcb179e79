//! How many events a second can be had at best: some thousands of them, cloned over and over. `cargo xtask bench sim`
//! measures the simulator beside it.
#![expect(clippy::print_stdout, reason = "what it measured is what it is for")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use mimalloc::MiMalloc;
use sim::{Settings, World};

/// As in the simulator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// For how long.
const LENGTH: Duration = Duration::from_secs(3);

fn main() -> anyhow::Result<()> {
    let world = World::new(Settings::new(1, 300, 3, 5_000))?;
    let events: Vec<_> = world.run().events().collect();
    let (begun, mut cloned) = (Instant::now(), 0_usize);
    while begun.elapsed() < LENGTH {
        for known in &events {
            black_box(known.clone());
        }
        cloned += events.len();
    }
    println!("{cloned} events in {:.2} s", begun.elapsed().as_secs_f64());
    Ok(())
}
