//! How long it takes to make a training set from a lake: `cargo xtask bench features` runs it and reads the line of JSON
//! that it prints.
//!
//! `training_build prepare FOLDER [CLICKS]` writes a lake; `training_build make FOLDER` makes fraud_v1 for each of its
//! conversions.
#![expect(clippy::print_stdout, reason = "what it measured is what it is for")]

use std::{error::Error, path::Path, time::Instant};

use chrono::DateTime;
use domain::{
    Chance, ClickId, ConversionId, Money,
    campaign::EventKind,
    click::{Asked, Click, Device, Tags},
    event::{Checks, Conversion, Event, Known, Visit},
};
use features::{
    defs::sets::SETS,
    lake::Lake,
    offline::{
        History, Source,
        training::{Order, TrainingSet},
    },
    window::DAY,
};
use mimalloc::MiMalloc;
use uuid::Uuid;

/// As in the services.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const SEED: u64 = 1;
const BEGIN_US: i64 = 1_769_904_000_000_000;
const DAYS: i64 = 30;
const AFFILIATES: u64 = 300;
const CAMPAIGNS: u64 = 40;
/// One click in so many converts, some hours later.
const CONVERSION_OF: u64 = 50;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["prepare", folder] => prepare(Path::new(folder), 10_000_000),
        ["prepare", folder, clicks] => prepare(Path::new(folder), clicks.parse()?),
        ["make", folder] => make(Path::new(folder)),
        _ => Err("training_build prepare FOLDER [CLICKS] | make FOLDER".into()),
    }
}

fn make(folder: &Path) -> Outcome<()> {
    let history = History::of(&Lake::at(folder))?;
    let set = SETS.iter().find(|set| set.name == "fraud").ok_or("there is no such set")?;
    let range_us = i64::MIN..i64::MAX;
    let order = Order {
        set,
        labels: Source::Events(domain::event::Kind::Conversion),
        range_us,
        views: Vec::new(),
        verdicts: false,
    };
    let begun = Instant::now();
    let mut made = TrainingSet::make(&history, &order, |_| {})?;
    let made_seconds = begun.elapsed().as_secs_f64();
    let out = folder.join("_bench.parquet");
    made.write(&out, "training_build")?;
    let seconds = begun.elapsed().as_secs_f64();
    std::fs::remove_file(&out)?;
    std::fs::remove_file(features::offline::training::profile_of(&out))?;
    println!(
        "{{\"seconds\":{seconds:.3},\"made_seconds\":{made_seconds:.3},\"peak_kib\":{},\"rows\":{},\"features\":{}}}",
        peak_kib(),
        made.frame.height(),
        set.features.len()
    );
    Ok(())
}

/// The most memory that this process ever had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// A number below `limit`, small ones more often: a few partners and visitors bring much of the traffic.
fn few(chance: &Chance, limit: u64) -> u64 {
    chance.below(chance.below(limit) + 1)
}

fn prepare(folder: &Path, clicks: u64) -> Outcome<()> {
    let chance = Chance::seeded(SEED);
    let lake = Lake::at(folder);
    let mut writer = lake.rewrite()?;
    let step_us = DAYS * DAY / i64::try_from(clicks)?;
    let mut waiting: Vec<Known<Event>> = Vec::new();
    for number in 0..i64::try_from(clicks)? {
        let occurred_at_us = BEGIN_US + number * step_us;
        let click = click(&chance, occurred_at_us, clicks);
        if chance.below(CONVERSION_OF) == 0 {
            waiting.push(conversion(&chance, &click));
        }
        // Stored a moment later; one in a hundred much later, when a tracker was cut off.
        let late_us =
            if chance.below(100) == 0 { chance.below(7_200_000_000) } else { chance.below(400_000) };
        writer.push(&Known { event: Event::Click(click), known_at_us: occurred_at_us + late_us as i64 })?;
    }
    waiting.sort_by_key(|known| known.event.occurred_at_us());
    for known in &waiting {
        writer.push(known)?;
    }
    let written = writer.finish()?;
    println!("{{\"events\":{},\"files\":{},\"bytes\":{}}}", written.events, written.files, written.bytes);
    Ok(())
}

fn id(kind: u128, number: u64) -> Uuid {
    Uuid::from_u128((kind << 96) + u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c))
}

fn click(chance: &Chance, occurred_at_us: i64, clicks: u64) -> Visit<Click> {
    let made_at = DateTime::from_timestamp_micros(occurred_at_us).unwrap_or_default();
    let (affiliate, campaign, visitor) =
        (few(chance, AFFILIATES), few(chance, CAMPAIGNS), few(chance, clicks / 4 + 1));
    let source = ["search", "social", "mail", "blog"][chance.below(4) as usize].to_owned();
    let mut tags = Tags { source, ..Tags::default() };
    tags.subs[0] = format!("placement-{}", chance.below(30));
    let seen = Click {
        id: ClickId::new_at(made_at, chance),
        occurred_at_us,
        link: id(1, affiliate * CAMPAIGNS + campaign).into(),
        affiliate: id(2, affiliate).into(),
        campaign: id(3, campaign).into(),
        advertiser: id(4, campaign / 2).into(),
        session: id(5, visitor).into(),
        tags,
        address_hash: *id(6, visitor / 2).as_bytes(),
        network: [203, 0, (visitor % 256) as u8, 0].into(),
        country: ["DE", "FR", "PL", "US", "BR"][chance.below(5) as usize].to_owned(),
        device: Device::ALL[chance.below(3) as usize],
        user_agent: format!(
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/{}",
            100 + visitor % 40
        ),
        referrer: format!("https://blog{}.example/posts/{}", affiliate, chance.below(100)),
        asked: Asked::default(),
    };
    let device_id = if visitor % 3 == 0 { format!("device-{visitor:016x}") } else { String::new() };
    Visit { seen, device_id }
}

fn conversion(chance: &Chance, visit: &Visit<Click>) -> Known<Event> {
    let click = &visit.seen;
    let occurred_at_us = click.occurred_at_us + few(chance, 86_400_000_000) as i64;
    let made_at = DateTime::from_timestamp_micros(occurred_at_us).unwrap_or_default();
    let event = Conversion {
        id: ConversionId::new_at(made_at, chance),
        occurred_at_us,
        campaign: click.campaign,
        advertiser: click.advertiser,
        name: "sale".to_owned(),
        kind: EventKind::Sale,
        amount: Money::new(few(chance, 50_000) as i64, "EUR".parse().expect("it is a currency")),
        click: Some(click.id),
        session: Some(click.session),
        link: Some(click.link),
        affiliate: Some(click.affiliate),
        order_id: format!("N-{}", chance.below(1 << 40)),
        customer: format!("customer-{}", chance.below(1 << 18)),
        coupon: String::new(),
        address_hash: Some(click.address_hash),
        network: Some(click.network),
        country: click.country.clone(),
        device: click.device,
        device_id: visit.device_id.clone(),
        email_hash: Some(*id(7, chance.below(1 << 18)).as_bytes()),
        email_domain: "gmail.com".to_owned(),
        account_hash: None,
        checks: Checks::default(),
    };
    Known {
        event: Event::Conversion(event),
        known_at_us: occurred_at_us + chance.below(3_600_000_000) as i64,
    }
}
