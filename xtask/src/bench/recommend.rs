//! Lists of recommendations over HTTP: filtered, ranked, explained and logged, beside a bare loop that answers the same bytes.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use domain::{AffiliateId, CampaignId, Chance};
use rustix::thread::sched_getaffinity;
use sqlx::{Connection, Executor, PgConnection, migrate::Migrator};

use super::{
    figure::{Bound, Figure, Promise, Report, count, readable},
    load::{Load, Pace, Seen},
};
use crate::{
    cluster::{self, Cluster, Plan, Profile},
    database::Server,
    external, workspace,
};

const DATABASE: &str = "tributary_bench_recommend";
const CAMPAIGNS: u32 = 200;
/// In how many campaigns each affiliate has brought clicks before.
const KNOWN: u64 = 4;
const SEED: u64 = 8;
const COUNTRIES: [&str; 8] = ["DE", "FR", "ES", "PL", "GB", "IT", "NL", "SE"];
const SOURCES: [&str; 5] = ["search", "social", "mail", "blog", "video"];
const KINDS: [&str; 10] =
    ["finance", "travel", "games", "pets", "garden", "food", "sport", "tech", "health", "home"];
const WARM_UP: Duration = Duration::from_secs(2);
/// How many connections ask at once where requests a second are counted.
const CONNECTIONS: usize = 8;

/// How much
#[derive(Args)]
pub struct Options {
    /// How many affiliates there are beside two hundred campaigns
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1_000..=200_000))]
    affiliates: u32,
    /// How long each case is measured, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=120))]
    seconds: u64,
    /// How the programs are built
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
}

impl Options {
    /// Whether nothing is left out.
    pub fn is_complete(&self) -> bool {
        self.affiliates == 10_000 && self.profile == Profile::Release
    }
}

/// Makes the market, learns from it, serves it, and asks.
pub async fn run(options: &Options) -> Result<Report> {
    let trainer = cluster::build(&["--bin", "tributary-train"], options.profile, "tributary-train")?;
    let folder = tempfile::tempdir()?;
    let server = Server::find_or_start()?;
    let database_url = server.empty_database(DATABASE).await?;
    let (affiliates, campaigns) = market(&database_url, options.affiliates, folder.path()).await?;
    learn(&trainer, folder.path())?;
    let plan = Plan {
        folder: folder.path().to_owned(),
        database_url,
        port: embedded::free_port()?,
        profile: options.profile,
        flags: ["--registry", &folder.path().join("registry").display().to_string()]
            .into_iter()
            .chain(["--requests-per-minute", "1000000000", "--exploring", "0.05"])
            .map(str::to_owned)
            .collect(),
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.port));
    let cluster = Cluster::start(plan, "bench").await?;
    let get = |path: String| {
        format!(
            "GET /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
            cluster.api_key
        )
    };
    let of_campaigns: Vec<String> =
        campaigns.iter().map(|id| get(format!("campaigns/{id}/recommendations"))).collect();
    let of_affiliates: Vec<String> =
        affiliates.iter().take(1_024).map(|id| get(format!("affiliates/{id}/recommendations"))).collect();
    let answer = ready(address, &of_affiliates[0])?;
    let asker = Asker { seconds: options.seconds };
    let floor = Echo::start(answer.clone())?;
    let mut found = Vec::new();
    for connections in [1, CONNECTIONS] {
        for (case, requests) in [(0, &of_affiliates), (1, &of_campaigns)] {
            found.push((case, connections, asker.ask(address, requests.clone(), connections)?));
        }
        found.push((2, connections, asker.ask(floor.0, of_affiliates.clone(), connections)?));
    }
    cluster.stop()?;
    Ok(report(options, &found, answer.len()))
}

/// Who asks, and for how long.
struct Asker {
    seconds: u64,
}

impl Asker {
    fn ask(&self, address: SocketAddr, requests: Vec<String>, connections: usize) -> Result<Seen> {
        let load = Load {
            address,
            requests,
            expected_status: 200,
            connections,
            warm_up: WARM_UP,
            length: Duration::from_secs(self.seconds),
            pace: Pace::Closed,
            at_most: None,
            ids: None,
            bodies: Vec::new(),
        };
        let cores = sched_getaffinity(None).context("the machine does not say which cores we may use")?;
        let seen = load.run(&cores)?;
        ensure!(seen.unexpected() == 0 && seen.broken == 0, "{seen:?}: not every request had its list");
        Ok(seen)
    }
}

/// Fills a database with affiliates and campaigns, and writes down who brought what.
async fn market(
    database_url: &str,
    affiliates: u32,
    folder: &Path,
) -> Result<(Vec<AffiliateId>, Vec<CampaignId>)> {
    let mut db = PgConnection::connect(database_url).await?;
    let migrations = workspace::root().join("migrations");
    Migrator::new(migrations).await?.run(&mut db).await.context("the migrations cannot be applied")?;
    db.execute("INSERT INTO advertisers (id, name, created_at) VALUES (md5('shop')::uuid, 'Shop', now())")
        .await?;
    let (countries, sources) = (COUNTRIES.map(str::to_owned), SOURCES.map(str::to_owned));
    sqlx::query(
        "INSERT INTO affiliates (id, name, email, status, country, traffic_source, created_at, updated_at)
         SELECT md5('affiliate' || number)::uuid, 'Affiliate ' || number, number || '@partners.example', 'approved',
                $2[1 + number % cardinality($2)], $3[1 + number % cardinality($3)], now(), now()
         FROM generate_series(0, $1 - 1) AS number",
    )
    .bind(affiliates.cast_signed())
    .bind(&countries[..])
    .bind(&sources[..])
    .execute(&mut db)
    .await?;
    sqlx::query(
        "INSERT INTO campaigns (id, advertiser_id, name, currency, landing_url, events, created_at, updated_at)
         SELECT md5('campaign' || number)::uuid, md5('shop')::uuid, 'Campaign ' || number, 'EUR',
                'https://shop.example/', '[]', now(), now()
         FROM generate_series(0, $1 - 1) AS number",
    )
    .bind(CAMPAIGNS.cast_signed())
    .execute(&mut db)
    .await?;
    db.execute("ANALYZE").await?;
    let ids = |text: &'static str| sqlx::query_as::<_, (uuid::Uuid, String)>(text);
    let mut people = ids("SELECT id, name FROM affiliates").fetch_all(&mut db).await?;
    let mut offers = ids("SELECT id, name FROM campaigns").fetch_all(&mut db).await?;
    db.close().await?;
    people.sort_by_key(|it| number(&it.1));
    offers.sort_by_key(|it| number(&it.1));
    let people: Vec<AffiliateId> = people.into_iter().map(|it| it.0.into()).collect();
    let offers: Vec<CampaignId> = offers.into_iter().map(|it| it.0.into()).collect();
    write(folder, &people, &offers)?;
    Ok((people, offers))
}

fn number(name: &str) -> u32 {
    name.split(' ').next_back().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// What is told of both sides, and what pairs were worth: more where country and kind agree.
fn write(folder: &Path, people: &[AffiliateId], offers: &[CampaignId]) -> Result<()> {
    let chance = Chance::seeded(SEED);
    let pick = |all: &[&'static str], number: usize| all[number % all.len()];
    let (mut users, mut items) = ("user,country,source,kind\n".to_owned(), "item,country,kind\n".to_owned());
    let mut seen = "user,item,value,weight\n".to_owned();
    for (at, id) in people.iter().enumerate() {
        let kind = pick(&KINDS, at * 7);
        writeln!(users, "{id},{},{},{kind}", pick(&COUNTRIES, at), pick(&SOURCES, at))?;
        for _ in 0..KNOWN {
            let other = usize::try_from(chance.below(u64::from(CAMPAIGNS)))?;
            let fits = [pick(&COUNTRIES, at) == pick(&COUNTRIES, other), kind == pick(&KINDS, other)];
            let worth: f64 = fits.map(|fits| if fits { 0.5 } else { 0.0 }).iter().sum();
            let noise = count(chance.below(1_000)) / 2_000.0;
            writeln!(seen, "{id},{},{},{}", offers[other], worth + noise, 20 + chance.below(200))?;
        }
    }
    for (at, id) in offers.iter().enumerate() {
        writeln!(items, "{id},{},{}", pick(&COUNTRIES, at), pick(&KINDS, at))?;
    }
    for (name, text) in [("users.csv", users), ("items.csv", items), ("seen.csv", seen)] {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// Publishes a version by value and makes it champion.
fn learn(trainer: &Path, folder: &Path) -> Result<()> {
    let told = "match --interactions seen.csv --user-features users.csv --item-features items.csv --objective value \
                --model value --registry registry --out lists";
    external::read(Command::new(trainer).current_dir(folder).args(told.split_whitespace()))?;
    let moved = "models promote match 1 --registry registry --by bench --why bench";
    external::read(Command::new(trainer).current_dir(folder).args(moved.split_whitespace()))?;
    Ok(())
}

/// Asks until a version makes the list; the whole answer.
fn ready(address: SocketAddr, request: &str) -> Result<String> {
    for _ in 0..300 {
        let answer = whole(address, request)?;
        if answer.contains("\"degraded\":false") {
            return Ok(answer);
        }
        thread::sleep(Duration::from_millis(200));
    }
    anyhow::bail!("no version serves after a minute")
}

fn whole(address: SocketAddr, request: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.replace("connection: close\r\n", ""))
}

/// What answers the same bytes to whatever it is asked, on a thread for each connection.
struct Echo(SocketAddr);

impl Echo {
    fn start(answer: String) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = answer.clone();
                thread::spawn(move || answer_all(stream, answer.as_bytes()));
            }
        });
        Ok(Self(address))
    }
}

fn answer_all(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut received, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        received.extend_from_slice(&buffer[..read]);
        while let Some(end) = received.windows(4).position(|part| part == b"\r\n\r\n") {
            received.drain(..end + 4);
            stream.write_all(answer)?;
        }
    }
}

fn report(options: &Options, found: &[(usize, usize, Seen)], bytes: usize) -> Report {
    let mut report = Report::default();
    let people = readable(f64::from(options.affiliates));
    let cases = [
        format!("{CAMPAIGNS} campaigns ranked for an affiliate"),
        format!("{people} affiliates filtered for a campaign, 200 ranked"),
        "the same bytes answered by a bare loop".to_owned(),
    ];
    for (case, connections, seen) in found {
        let (case, of) = (&cases[*case], if *case == 2 { "floor" } else { "ours" });
        let says = if *connections == 1 { "one after the other" } else { "eight at once" };
        let case = format!("{case}, {says}");
        report.figures.push(Figure::new(format!("{case}: a second"), of, seen.per_second(), "req/s"));
        report.figures.push(Figure::new(format!("{case}: median"), of, seen.latency.p50_ms, "ms"));
        report.figures.push(Figure::new(format!("{case}: one in a hundred"), of, seen.latency.p99_ms, "ms"));
    }
    let of = |case: usize, connections: usize| {
        found.iter().find(|it| (it.0, it.1) == (case, connections)).map(|it| &it.2)
    };
    let most_ms = if options.affiliates <= 10_000 { 3.0 } else { 50.0 };
    for case in [0, 1] {
        if let Some(seen) = of(case, 1) {
            let says = format!("{}: 99 of 100 within {most_ms} ms, one after the other", cases[case]);
            let bound = Bound::AtMost(most_ms);
            report.promises.push(Promise { says, value: seen.latency.p99_ms, unit: "ms", bound });
        }
        if let Some(seen) = of(case, CONNECTIONS).filter(|_| options.affiliates <= 10_000) {
            let says = format!("{}: at least 1,000 a second", cases[case]);
            let bound = Bound::AtLeast(1_000.0);
            report.promises.push(Promise { says, value: seen.per_second(), unit: "req/s", bound });
        }
    }
    report.notes.push(format!(
        "A version by value of {people} affiliates in four of {CAMPAIGNS} campaigns each; ten places with reasons, five in a \
         hundred by chance, each list logged; an answer has {} bytes. Server, database and load share the machine's cores.",
        readable(count(bytes as u64))
    ));
    report
}
