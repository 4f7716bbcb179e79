//! What is true, and what an operator knows of the network: tables of which evaluation reads the former and everybody the
//! latter.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use domain::Money;
use serde::Serialize;

use super::{
    NETWORK, Sink, TRUTH,
    table::{
        Cell, Plan, Table,
        Type::{Flag, Number, Text, Time, Whole},
    },
};
use crate::{
    rhythm::COUNTRIES,
    truth::Truth,
    world::{World, affiliate::Source, campaign::REGIONS},
};

const LABELS: Plan = Plan {
    name: "labels",
    columns: &[
        ("event", Text),
        ("kind", Text),
        ("pattern", Text),
        ("nature", Text),
        ("affiliate", Text),
        ("group", Whole),
    ],
};
const CREDITS: Plan = Plan {
    name: "credits",
    columns: &[
        ("conversion", Text),
        ("real", Flag),
        ("person", Whole),
        ("channel", Text),
        ("organic_ppm", Whole),
        ("visits", Whole),
        ("together", Text),
        ("lost", Text),
        ("won_by", Text),
    ],
};
const CREDIT_VISITS: Plan = Plan {
    name: "credit_visits",
    columns: &[
        ("conversion", Text),
        ("place", Whole),
        ("visit", Text),
        ("touch", Text),
        ("device", Text),
        ("affiliate", Text),
        ("occurred_at", Time),
        ("ppm", Whole),
    ],
};
const CUSTOMERS: Plan = Plan {
    name: "customers",
    columns: &[
        ("customer", Text),
        ("person", Whole),
        ("campaign", Text),
        ("affiliate", Text),
        ("since", Time),
        ("until", Time),
        ("orders_in_a_year", Whole),
        ("revenue_in_a_year_minor", Whole),
        ("value_in_a_year_minor", Whole),
        ("expected_value_minor", Whole),
        ("currency", Text),
    ],
};
const AFFILIATES: Plan = Plan {
    name: "affiliates",
    columns: &[
        ("affiliate", Text),
        ("scheme", Text),
        ("ring", Whole),
        ("quality", Number),
        ("steadiness", Number),
        ("size", Number),
    ],
};
const CAMPAIGNS: Plan =
    Plan { name: "campaigns", columns: &[("campaign", Text), ("organic", Number), ("together", Text)] };
const MATCHES: Plan = Plan {
    name: "matches",
    columns: &[
        ("affiliate", Text),
        ("campaign", Text),
        ("linked", Flag),
        ("converts", Number),
        ("caused", Number),
        ("earns_per_thousand_minor", Number),
        ("brings_per_thousand_minor", Number),
    ],
};
const PAUSES: Plan = Plan { name: "pauses", columns: &[("campaign", Text), ("from", Time), ("until", Time)] };

static TABLES: [Plan; 8] =
    [LABELS, CREDITS, CREDIT_VISITS, CUSTOMERS, AFFILIATES, CAMPAIGNS, MATCHES, PAUSES];

/// The tables of the truth.
pub struct Facts(BTreeMap<&'static str, Table>);

impl Facts {
    /// Tables below `folder`.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn create(folder: &Path) -> Result<Self> {
        let folder = folder.join(TRUTH);
        let table = |plan: &'static Plan| Ok((plan.name, Table::create(&folder, plan)?));
        Ok(Self(TABLES.iter().map(table).collect::<Result<_>>()?))
    }

    fn row(&mut self, table: &'static str, cells: impl IntoIterator<Item = Cell>) -> Result<()> {
        self.0.get_mut(table).context("every fact has a table")?.row(cells)
    }
}

impl Sink for Facts {
    fn truth(&mut self, truth: &Truth) -> Result<()> {
        if let Truth::Credit(credit) = truth {
            for (place, part) in credit.visits.iter().enumerate() {
                let cells = [
                    Cell::text(credit.conversion),
                    Cell::count(place as u64),
                    Cell::text_or_null(part.visit),
                    Cell::Text(word(part.touch)),
                    Cell::text(part.device),
                    Cell::text(part.affiliate),
                    Cell::whole(part.occurred_at_us),
                    Cell::whole(part.ppm),
                ];
                self.row(CREDIT_VISITS.name, cells)?;
            }
        }
        self.row(truth.table(), cells(truth))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.0.into_values().try_for_each(Table::finish)
    }
}

fn cells(truth: &Truth) -> Vec<Cell> {
    match truth {
        Truth::Label(it) => vec![
            Cell::text(it.event),
            Cell::text(it.kind),
            Cell::text(it.pattern),
            Cell::text(it.nature.name()),
            Cell::text(it.affiliate),
            Cell::count(it.group),
        ],
        Truth::Credit(it) => vec![
            Cell::text(it.conversion),
            Cell::Flag(it.real),
            Cell::count(it.person),
            Cell::Text(word(it.channel)),
            Cell::whole(it.organic_ppm),
            Cell::count(it.visits.len() as u64),
            Cell::Text(word(it.together)),
            Cell::Text(it.lost.and_then(word)),
            Cell::text_or_null(it.won_by),
        ],
        Truth::Customer(it) => vec![
            Cell::text(&it.customer),
            Cell::count(it.person),
            Cell::text(it.campaign),
            Cell::text_or_null(it.affiliate),
            Cell::whole(it.since_us),
            Cell::whole(it.until_us),
            Cell::whole(it.orders_in_a_year),
            Cell::whole(it.revenue_in_a_year.minor),
            Cell::whole(it.value_in_a_year.minor),
            Cell::whole(it.expected_value.minor),
            Cell::text(it.expected_value.currency),
        ],
        Truth::Affiliate(it) => vec![
            Cell::text(it.affiliate),
            Cell::text_or_null(it.scheme),
            Cell::Whole(it.ring.and_then(|ring| i64::try_from(ring).ok())),
            Cell::Number(it.quality),
            Cell::Number(it.steadiness),
            Cell::Number(it.size),
        ],
        Truth::Campaign(it) => {
            vec![Cell::text(it.campaign), Cell::Number(it.organic), Cell::Text(word(it.together))]
        }
        Truth::Match(it) => vec![
            Cell::text(it.affiliate),
            Cell::text(it.campaign),
            Cell::Flag(it.linked),
            Cell::Number(it.converts),
            Cell::Number(it.caused),
            Cell::Number(it.earns_per_thousand_minor),
            Cell::Number(it.brings_per_thousand_minor),
        ],
        Truth::Pause(it) => {
            vec![Cell::text(it.campaign), Cell::whole(it.from_us), Cell::whole(it.until_us)]
        }
    }
}

/// The word that stands for a value in files.
fn word(value: impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned))
}

static KNOWN_ADVERTISERS: Plan = Plan {
    name: "advertisers",
    columns: &[
        ("id", Text),
        ("name", Text),
        ("tells_buyer", Flag),
        ("reports_nightly", Flag),
        ("whole_seconds", Flag),
    ],
};
static KNOWN_CAMPAIGNS: Plan = Plan {
    name: "campaigns",
    columns: &[
        ("id", Text),
        ("advertiser", Text),
        ("name", Text),
        ("vertical", Text),
        ("countries", Text),
        ("audience", Text),
        ("price_minor", Whole),
        ("monthly_budget_minor", Whole),
        ("currency", Text),
        ("since", Time),
        ("rate_ppm", Whole),
        ("window_days", Whole),
        ("takes_fingerprints", Flag),
    ],
};
static KNOWN_AFFILIATES: Plan = Plan {
    name: "affiliates",
    columns: &[
        ("id", Text),
        ("name", Text),
        ("joined_at", Time),
        ("parent", Text),
        ("source", Text),
        ("content", Text),
        ("audience", Text),
        ("account_hash", Text),
        ("email_hash", Text),
        ("email_domain", Text),
        ("licensed_search", Flag),
    ],
};
static KNOWN_LINKS: Plan = Plan {
    name: "links",
    columns: &[
        ("id", Text),
        ("affiliate", Text),
        ("campaign", Text),
        ("rate_ppm", Whole),
        ("page", Text),
        ("coupon", Text),
        ("sub1", Text),
    ],
};

/// Writes what an operator knows of the network: advertisers, campaigns, affiliates, links, and classes of addresses.
///
/// # Errors
/// When a file cannot be written.
pub fn write_network(folder: &Path, world: &World) -> Result<()> {
    let folder = folder.join(NETWORK);
    write_advertisers(&folder, world)?;
    write_campaigns(&folder, world)?;
    write_affiliates(&folder, world)?;
    write_links(&folder, world)?;
    let path = folder.join("networks.csv");
    fs::write(&path, CLASSES).with_context(|| format!("cannot write {}", path.display()))
}

/// What operators buy from somebody who knows the net: the class of each network that people and machines are in.
const CLASSES: &str = "network,class
10.0.0.0/8,residential
100.64.0.0/10,mobile
172.16.0.0/12,corporate
192.168.0.0/16,campus
198.18.0.0/15,data_centre
";

fn write_advertisers(folder: &Path, world: &World) -> Result<()> {
    let mut table = Table::create(folder, &KNOWN_ADVERTISERS)?;
    for it in &world.advertisers {
        let flags = [it.tells_buyer, it.reports_nightly, it.whole_seconds].map(Cell::Flag);
        table.row([Cell::text(it.id), Cell::text(&it.name)].into_iter().chain(flags))?;
    }
    table.finish()
}

fn write_campaigns(folder: &Path, world: &World) -> Result<()> {
    let minor = |money: Option<Money>| Cell::Whole(money.map(|money| money.minor));
    let mut table = Table::create(folder, &KNOWN_CAMPAIGNS)?;
    for it in &world.campaigns {
        let countries: Vec<&str> = REGIONS[it.region].iter().map(|&place| COUNTRIES[place].code).collect();
        table.row([
            Cell::text(it.id),
            Cell::text(it.advertiser_id),
            Cell::text(&it.name),
            Cell::text(it.vertical.name),
            Cell::text(countries.join(" ")),
            Cell::Text(word(it.audience)),
            minor(Some(it.price)),
            minor(it.monthly_budget),
            Cell::text(it.currency()),
            Cell::whole(it.since_us),
            Cell::whole(it.rate.ppm),
            Cell::whole(it.window_days),
            Cell::Flag(it.takes_fingerprints),
        ])?;
    }
    table.finish()
}

fn write_affiliates(folder: &Path, world: &World) -> Result<()> {
    let hex = |hash: [u8; 16]| Cell::Text(Some(format!("{:032x}", u128::from_be_bytes(hash))));
    let mut table = Table::create(folder, &KNOWN_AFFILIATES)?;
    for it in &world.affiliates {
        table.row([
            Cell::text(it.id),
            Cell::text(&it.name),
            Cell::whole(it.joined_at_us),
            Cell::text_or_null(it.parent),
            Cell::Text(word(it.source)),
            Cell::Text(word(it.content)),
            Cell::Text(word(it.audience)),
            hex(it.account_hash),
            hex(it.email_hash),
            Cell::text(it.email_domain),
            Cell::Flag(it.source == Source::Search),
        ])?;
    }
    table.finish()
}

fn write_links(folder: &Path, world: &World) -> Result<()> {
    let said = |text: &str| Cell::Text((!text.is_empty()).then(|| text.to_owned()));
    let mut table = Table::create(folder, &KNOWN_LINKS)?;
    for it in &world.links {
        table.row([
            Cell::text(it.id),
            Cell::text(it.affiliate_id),
            Cell::text(it.campaign_id),
            Cell::whole(it.rate.ppm),
            said(&it.page),
            said(&it.coupon),
            said(&it.sub1),
        ])?;
    }
    table.finish()
}
