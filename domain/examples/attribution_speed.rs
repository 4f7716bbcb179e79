//! What attribution costs: ten million journeys over 200 channels by rules, the sum game and a chain of order 1; a million
//! over 50 by a chain of order 3; a game of 20 players. One line of JSON each, with wall and processor seconds.
//! `cargo run --release -p domain --example attribution_speed [journeys]`.
#![expect(clippy::print_stdout, reason = "a measurement speaks to whoever runs it")]

use std::{env, fs, hint::black_box, thread, time::Instant};

use domain::attribution::{
    Chunk, FirstClick, Journeys, LastClick, Linear, Rule, RuleStatistics, Statistics, TimeDecay, UShaped,
    journeys::Row,
    markov::{FirstOrderStatistics, HigherOrderStatistics},
    shapley::{CoalitionStatistics, Game, SumGameStatistics, exact, sampled::SampledGame},
};

#[path = "../tests/attribution/synthetic.rs"]
mod synthetic;

fn main() {
    let count = env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(10_000_000);
    let journeys = measure("generate 200 channels", || synthetic::journeys(count, 200));
    let all = journeys.all();
    measure("five rules and the sum game", || rules_and_sum_game(&all));
    let mut first_order = FirstOrderStatistics::default();
    measure("markov 1, statistics", || first_order.add(&all));
    measure("markov 1, solution", || black_box(first_order.credit()));
    memory("columns");
    measure("sets of channels", || {
        let mut coalitions = CoalitionStatistics::default();
        coalitions.add(&all);
        println!("{{\"sets\": {}}}", coalitions.sets().len());
    });
    let converted = all_converted(&journeys, count / 10);
    measure("five rules and the sum game, a tenth, all converted", || rules_and_sum_game(&converted.all()));
    drop((journeys, converted));

    let journeys = measure("generate 50 channels", || synthetic::journeys(count / 10, 50));
    let mut third_order = HigherOrderStatistics::new(3).expect("3 is an order");
    measure("markov 3, statistics", || third_order.add(&journeys.all()));
    let chain = measure("markov 3, chain", || third_order.chain());
    println!("{{\"states\": {}}}", chain.states());
    let effects = measure("markov 3, effects on two threads", || {
        thread::scope(|scope| {
            let second = scope.spawn(|| chain.effects(24..50));
            let first = chain.effects(0..24);
            [first, second.join().expect("a thread that computes does not panic")].concat()
        })
    });
    println!("{{\"conversion_rate\": {}}}", chain.complete(effects).conversion_rate);
    let mut coalitions = CoalitionStatistics::default();
    coalitions.add(&journeys.all());
    let game = SampledGame::new(Game::ConversionRate, &coalitions);
    measure("50 players, 100 pairs of orders", || black_box(game.sample(1, 0..100)));

    let mut coalitions = CoalitionStatistics::default();
    coalitions.add(&synthetic::journeys(count / 10, 20).all());
    let credit = measure("20 players exactly", || exact::credit(Game::ConversionRate, &coalitions));
    black_box(credit.expect("twenty players are not too many"));
    memory("at most");
}

fn rules_and_sum_game(journeys: &Chunk<'_>) {
    let rules: [&'static dyn Rule; 5] = [&FirstClick, &LastClick, &Linear, &TimeDecay::WEEK, &UShaped];
    for rule in rules {
        let mut statistics = RuleStatistics::new(rule);
        statistics.add(journeys);
        black_box(statistics.credit());
    }
    let mut statistics = SumGameStatistics::default();
    statistics.add(journeys);
    black_box(statistics.credit());
}

/// The first of these journeys, as if all had converted.
fn all_converted(journeys: &Journeys, count: usize) -> Journeys {
    let mut converted = Journeys::default();
    for row in journeys.slice(0..count).iter() {
        let (touches, seconds_before) = (row.journey.touches, row.journey.seconds_before);
        let row = Row { touches, seconds_before, conversions: 1.0, ..Row::default() };
        converted.push(row).expect("these journeys were taken before");
    }
    converted
}

fn measure<T>(case: &str, work: impl FnOnce() -> T) -> T {
    let (begin, cpu) = (Instant::now(), cpu_s());
    let done = work();
    println!(
        "{{\"case\": \"{case}\", \"wall_s\": {:.3}, \"cpu_s\": {:.2}}}",
        begin.elapsed().as_secs_f64(),
        cpu_s() - cpu
    );
    done
}

/// User seconds of this process, where the system tells: the 14th field of its stat, in hundredths.
fn cpu_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name
        .split_whitespace()
        .nth(11)
        .and_then(|ticks| ticks.parse::<f64>().ok())
        .map_or(f64::NAN, |ticks| ticks / 100.0)
}

fn memory(case: &str) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown").trim().to_owned();
    println!("{{\"case\": \"peak memory, {case}\", \"VmHWM\": \"{peak}\"}}");
}
