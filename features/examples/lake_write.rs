//! How fast whole partitions of clicks are written: `cargo run --release --example lake_write [CLICKS]`.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::time::Instant;

use chrono::DateTime;
use domain::{
    Chance, ClickId,
    click::{Asked, Click, Device, Tags},
    event::{Event, Known, Visit},
};
use features::lake::{Lake, LakeError};

/// The first of March 2026, midnight UTC, in microseconds.
const MARCH_US: i64 = 1_772_323_200_000_000;

fn main() -> Result<(), LakeError> {
    let clicks: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(2_000_000);
    let folder = std::env::temp_dir().join(format!("lake_write-{}", std::process::id()));
    let made = templates();
    let lake = Lake::at(&folder);
    // Five hundred clicks a second, so that an hour's partition has 1.8 million.
    let mut writer = lake.rewrite()?;
    let begun = Instant::now();
    for (number, template) in made.iter().cycle().take(clicks).enumerate() {
        let occurred_at_us = MARCH_US + number as i64 * 2_000;
        let mut event = template.clone();
        if let Event::Click(visit) = &mut event.event {
            visit.seen.occurred_at_us = occurred_at_us;
            visit.seen.id =
                uuid::Uuid::from_u128(visit.seen.id.uuid().as_u128() ^ ((number as u128) << 20)).into();
        }
        event.known_at_us = occurred_at_us + 40_000;
        writer.push(&event)?;
    }
    let written = writer.finish()?;
    let seconds = begun.elapsed().as_secs_f64();
    let (events, bytes, files) = (written.events, written.bytes, written.files);
    println!("{{\"seconds\": {seconds}, \"events\": {events}, \"bytes\": {bytes}, \"files\": {files}}}");
    drop(std::fs::remove_dir_all(folder));
    Ok(())
}

/// Clicks of a thousand visitors on fifty links.
fn templates() -> Vec<Known<Event>> {
    let chance = Chance::seeded(1);
    let now = DateTime::from_timestamp_micros(MARCH_US).unwrap_or_default();
    let id = || ClickId::new_at(now, &chance).uuid();
    let links: Vec<[uuid::Uuid; 4]> = (0..50).map(|_| [id(), id(), id(), id()]).collect();
    let template = |visitor: usize| {
        let [link, affiliate, campaign, advertiser] = links[visitor % links.len()];
        let mut tags = Tags::default();
        tags.subs[0] = format!("placement-{}", visitor % 20);
        tags.utm[0] = "newsletter".to_owned();
        let seen = Click {
            id: id().into(),
            occurred_at_us: 0,
            link: link.into(),
            affiliate: affiliate.into(),
            campaign: campaign.into(),
            advertiser: advertiser.into(),
            session: id().into(),
            tags,
            address_hash: chance.bytes(),
            network: [203, 0, (visitor % 256) as u8, 0].into(),
            country: "DE".to_owned(),
            device: Device::Mobile,
            user_agent: format!(
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/{}",
                120 + visitor % 20
            ),
            referrer: format!("https://blog.example/posts/{}", visitor % 100),
            asked: Asked::default(),
        };
        Known { event: Event::Click(Visit { seen, device_id: String::new() }), known_at_us: 0 }
    };
    (0..1_000).map(template).collect()
}
