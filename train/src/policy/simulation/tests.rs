//! What policies come to in worlds whose truth is known.

use super::*;

fn settings(spend: Spend) -> Settings {
    Settings::new(Shape::default(), spend)
}

/// The mean and its standard error.
fn mean(numbers: &[f64]) -> (f64, f64) {
    let many = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / many;
    let squares: f64 = numbers.iter().map(|one| (one - mean) * (one - mean)).sum();
    (mean, (squares / (many - 1.0) / many).sqrt())
}

/// Prints what each policy comes to beside the flat one, over seeds, and gives the means of the learned one: by how much its
/// return is above the flat one's, its profit, its spend, and which share of good partners it cut.
fn table(settings: &Settings, seeds: std::ops::Range<u64>) -> [f64; 4] {
    let worlds: Vec<Comparison> = seeds.map(|seed| compare(settings, seed).unwrap()).collect();
    let relative = |place: usize, number: &dyn Fn(&Outcome) -> f64| {
        let one = |world: &Comparison| number(&world.outcomes[place]) / number(&world.outcomes[0]) - 1.0;
        mean(&worlds.iter().map(one).collect::<Vec<f64>>())
    };
    for place in 0..4 {
        let name = worlds[0].outcomes[place].name;
        let (roi, per_spent) =
            (relative(place, &Outcome::roi), relative(place, &|one| one.value / one.spend));
        let (profit, spend) = (relative(place, &Outcome::profit), relative(place, &|one| one.spend));
        println!(
            "{name:8} ROI {:+.1} ± {:.1} %, value per spend {:+.1} ± {:.1} %, profit {:+.1} ± {:.1} %, spend {:+.1} ± {:.1} %",
            100.0 * roi.0,
            100.0 * roi.1,
            100.0 * per_spent.0,
            100.0 * per_spent.1,
            100.0 * profit.0,
            100.0 * profit.1,
            100.0 * spend.0,
            100.0 * spend.1,
        );
    }
    let flat = mean(&worlds.iter().map(|world| world.outcomes[0].roi()).collect::<Vec<f64>>());
    let cut = [1.0, 1.25, 1.5]
        .map(|better| mean(&worlds.iter().map(|world| world.good_cut(better)).collect::<Vec<f64>>()));
    let shown = cut.map(|(cut, error)| format!("{:.1} ± {:.1} %", 100.0 * cut, 100.0 * error));
    println!(
        "flat ROI {:.2}, cut of partners who deserve 1, 1.25, 1.5 times the flat rate: {shown:?}",
        flat.0
    );
    [relative(2, &Outcome::roi).0, relative(2, &Outcome::profit).0, relative(2, &|one| one.spend).0, cut[1].0]
}

#[test]
fn at_the_spend_of_a_flat_rate_the_learned_policy_earns_more() {
    let [roi, _, spend, _] = table(&settings(Spend::AsFlat), 1..21);
    assert!(0.18 < roi && spend < 0.005, "ROI {roi}, spend {spend}");
}

#[test]
fn without_a_limit_the_learned_policy_earns_more() {
    let [_, profit, _, cut] = table(&settings(Spend::Free), 1..21);
    assert!(0.14 < profit && cut < 0.05, "profit {profit}, cut {cut}");
}

#[test]
fn few_conversions_and_late_knowledge_leave_the_learned_policy_ahead() {
    let shape = Shape::few_and_late();
    let [roi, _, spend, _] = table(&Settings { shape, ..settings(Spend::AsFlat) }, 1..11);
    assert!(0.05 < roi && spend < 0.005, "ROI {roi}, spend {spend}");
}

#[test]
fn the_same_seed_gives_the_same_numbers() {
    let of = |seed: u64| {
        let comparison = compare(&Settings { months: 3, ..settings(Spend::AsFlat) }, seed).unwrap();
        comparison.outcomes.iter().map(|one| (one.value.to_bits(), one.spend.to_bits())).collect::<Vec<_>>()
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}
