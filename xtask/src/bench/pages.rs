//! How long pages take of a program with millions of clicks, how soon an open page shows what happens, and what a thousand
//! open pages cost.

mod browser;
mod fill;

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use client::{Browser as Visitor, Client};
use domain::{AffiliateId, ConversionId};
use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use self::{browser::Browser, fill::Last};
use super::{
    figure::{Bound, Figure, Promise, Report, count, readable},
    program, watch,
};
use crate::{
    cluster::{Cluster, Plan, Profile},
    database::Server,
    demo::traffic::BROWSERS,
};

const DATABASE: &str = "tributary_bench_pages";
const PASSWORD: &str = "a benchmark reads pages";
/// How often each page is asked for before and while it is measured.
const WARM_UP: usize = 5;
const ASKED: usize = 100;
/// How long a page of the server may take, nineteen times of twenty.
const PAGE_AT_MOST_MS: f64 = 50.0;
/// Pages that are left open, and of how many affiliates.
const OPEN: usize = 1_000;
const READERS: usize = 100;
const OPEN_AT_MOST_MIB: f64 = 200.0;
/// How often somebody clicks while a page is open, and how soon that has to be seen.
const SEEN: usize = 20;
const SEEN_AT_MOST_MS: f64 = 1_000.0;
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a service may take to read what it decides by, and how often it is asked whether it has.
const CATCHING_UP: Duration = Duration::from_mins(10);
const PAUSE: Duration = Duration::from_millis(500);
/// What an affiliate and the team look at.
const OF_AFFILIATE: [&str; 18] = [
    "/my",
    "/my/traffic?by=campaign",
    "/my/traffic?by=page",
    "/my/traffic?by=sub1",
    "/my/traffic?by=material",
    "/my/traffic.csv?by=sub1",
    "/my/conversions",
    "/my/conversions/{conversion}",
    "/my/holds",
    "/my/rates",
    "/my/rates/{campaign}",
    "/my/balance",
    "/my/links",
    "/my/links/{link}",
    "/my/campaigns",
    "/my/campaigns/{campaign}/materials",
    "/my/connections",
    "/settings",
];
const OF_TEAM: [&str; 15] = [
    "/team",
    "/team/partners",
    "/team/partners/{affiliate}",
    "/team/campaigns",
    "/team/campaigns/{campaign}",
    "/team/campaigns/{campaign}/attribution",
    "/team/campaigns/{campaign}/materials",
    "/team/rates",
    "/team/rates/decisions",
    "/team/rates/shadows",
    "/team/models",
    "/team/cases",
    "/team/rings",
    "/team/rules",
    "/team/lists",
];

/// How much
#[derive(Args)]
pub struct Options {
    /// How many clicks the database holds, of thirty days
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u32).range(30_000..=100_000_000))]
    clicks: u32,
    /// How the programs are built
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
}

impl Options {
    /// Whether nothing is left out.
    pub fn is_complete(&self) -> bool {
        10_000_000 <= self.clicks && self.profile == Profile::Release
    }
}

/// Fills a database, and looks at pages.
pub async fn run(options: &Options) -> Result<Report> {
    let (folder, server) = (tempfile::tempdir()?, Server::find_or_start()?);
    let database_url = server.empty_database(DATABASE).await?;
    program::create(&database_url).await?;
    let affiliates = fill::fill(&database_url, options.clicks).await?;
    let plan = Plan {
        folder: folder.path().to_owned(),
        database_url: database_url.clone(),
        port: embedded::free_port()?,
        profile: options.profile,
        flags: ["--requests-per-minute", "1000000000", "--trusted-proxy", "127.0.0.1/32"]
            .map(str::to_owned)
            .to_vec(),
    };
    let cluster = Cluster::start(plan, "bench").await?;
    let mut report = Report::default();
    let [largest, middle] = [affiliates[0], affiliates[250]];
    let largest_last = Last::of(&database_url, largest).await?;
    let middle_last = Last::of(&database_url, middle).await?;
    caught_up(&cluster, largest_last.conversion()).await?;
    let who = [("the largest partner", largest, &largest_last), ("one in the middle", middle, &middle_last)];
    for (number, (who, affiliate, last)) in who.into_iter().enumerate() {
        let reader = reader(&cluster, number, Some(affiliate)).await?;
        measure(&reader, who, (&OF_AFFILIATE, last), &mut report).await?;
    }
    let team = reader(&cluster, 2, None).await?;
    measure(&team, "the team", (&OF_TEAM, &largest_last), &mut report).await?;
    seen(&cluster, largest, &mut report).await?;
    open(&cluster, &affiliates[..READERS], &mut report).await?;
    cluster.stop()?;
    server.remove_database(DATABASE).await?;
    report.notes.push(format!(
        "The database holds {} clicks of thirty days on {} links of 500 affiliates, an eighth of them of the largest, about \
         four of a visit, and a conversion, a commission and a balanced transaction for about every {}th. Each page is asked \
         for {ASKED} times in a row over one connection, after {WARM_UP} times that do not count, from its request to its last \
         byte; server, database and browser share the machine's cores.",
        readable(f64::from(options.clicks)),
        readable(f64::from(program::LINKS)),
        fill::CLICKS_A_CONVERSION
    ));
    Ok(report)
}

/// A service that has just begun reads what it decides by into memory; pages are looked at once it has.
async fn caught_up(cluster: &Cluster, conversion: ConversionId) -> Result<()> {
    let client = Client::new(&cluster.base_url(), &cluster.base_url(), cluster.api_key.clone())?;
    let asked = json!({"conversions": [{"conversion_id": conversion}]});
    let deadline = Instant::now() + CATCHING_UP;
    while client.post("/score/conversions", &asked).await?["scores"][0]["features_as_of"].is_null() {
        ensure!(Instant::now() < deadline, "the service does not catch up with what is stored");
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Somebody who may sign in, of the team or of an affiliate, and did.
async fn reader(cluster: &Cluster, number: usize, affiliate: Option<AffiliateId>) -> Result<Browser> {
    let email = format!("reader{number}@bench.example");
    let mut command = cluster.command();
    let role = if affiliate.is_some() { "affiliate" } else { "admin" };
    command.args(["users", "add", "--email", &email, "--role", role, "--password-stdin"]);
    if let Some(affiliate) = affiliate {
        command.args(["--affiliate", &affiliate.to_string()]);
    }
    let mut added = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    writeln!(added.stdin.take().context("it is piped")?, "{PASSWORD}")?;
    ensure!(added.wait()?.success(), "{email} could not be added");
    // Each comes from a network of its own, because tries to sign in are counted by networks.
    let address = format!("198.51.{}.7", 1 + number);
    Browser::sign_in(&cluster.base_url(), (&email, PASSWORD), &address).await
}

/// Asks for each page, and says how long the slowest one of twenty took.
async fn measure(
    reader: &Browser,
    who: &str,
    (pages, last): (&[&str], &Last),
    report: &mut Report,
) -> Result<()> {
    for page in pages {
        let path = last.path(page);
        for _ in 0..WARM_UP {
            reader.get(&path).await?;
        }
        let mut took = Vec::with_capacity(ASKED);
        for _ in 0..ASKED {
            let begin = Instant::now();
            reader.get(&path).await?;
            took.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        took.sort_by(f64::total_cmp);
        let (case, p95) = (format!("{page}, {who}"), took[ASKED * 95 / 100]);
        report.figures.push(Figure::new(format!("{case}: median"), "ours", took[ASKED / 2], "ms"));
        report.figures.push(Figure::new(format!("{case}: one in twenty"), "ours", p95, "ms"));
        let says = format!("{case}: 19 of 20 within {PAGE_AT_MOST_MS} ms");
        report.promises.push(Promise { says, value: p95, unit: "ms", bound: Bound::AtMost(PAGE_AT_MOST_MS) });
    }
    Ok(())
}

/// Somebody clicks, and an open page is told.
async fn seen(cluster: &Cluster, affiliate: AffiliateId, report: &mut Report) -> Result<()> {
    let reader = reader(cluster, 3, Some(affiliate)).await?;
    let mut page = Stream::open(cluster, &reader)?;
    let mut known = page.next()?;
    let client = Client::new(&cluster.base_url(), &cluster.base_url(), cluster.api_key.clone())?;
    let url = format!("{}/c/{}", cluster.base_url(), program::code(0));
    let mut took = Vec::new();
    for number in 0..SEEN {
        let address = format!("203.0.113.{}", 1 + number);
        let visitor = Visitor { user_agent: BROWSERS[0], address: &address, cookie: "" };
        let begin = Instant::now();
        client.click(Method::GET, &url, visitor).await?;
        while known == page.latest {
            page.next()?;
        }
        took.push(begin.elapsed().as_secs_f64() * 1e3);
        known.clone_from(&page.latest);
    }
    let longest = took.iter().copied().fold(0.0, f64::max);
    report.figures.push(Figure::median("a click on an open page", "ours", &took, "ms"));
    let says = format!("{SEEN} clicks, each seen on an open page within a second: the longest");
    let bound = Bound::AtMost(SEEN_AT_MOST_MS);
    report.promises.push(Promise { says, value: longest, unit: "ms", bound });
    Ok(())
}

/// A thousand pages are left open.
async fn open(cluster: &Cluster, affiliates: &[AffiliateId], report: &mut Report) -> Result<()> {
    let process = cluster.process().context("the server runs")?;
    let mut readers = Vec::new();
    for (number, affiliate) in affiliates.iter().enumerate() {
        readers.push(reader(cluster, 10 + number, Some(*affiliate)).await?);
    }
    let before = watch::resident_mib(process)?;
    let mut pages = Vec::with_capacity(OPEN);
    for number in 0..OPEN {
        let mut page = Stream::open(cluster, &readers[number % READERS])?;
        page.next()?;
        pages.push(page);
    }
    let cost = watch::resident_mib(process)? - before;
    report.figures.push(Figure::new(
        format!("{} open pages", readable(count(OPEN as u64))),
        "ours",
        cost,
        "MiB",
    ));
    let says = format!("{} open pages of {READERS} partners", readable(count(OPEN as u64)));
    let bound = Bound::AtMost(OPEN_AT_MOST_MIB);
    report.promises.push(Promise { says, value: cost, unit: "MiB", bound });
    Ok(())
}

/// What an open page is told.
struct Stream {
    lines: BufReader<TcpStream>,
    latest: String,
}

impl Stream {
    fn open(cluster: &Cluster, reader: &Browser) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, cluster.port()));
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (cookie, from) = (reader.cookie(), reader.address());
        write!(
            stream,
            "GET /my/live HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nCookie: {cookie}\r\nX-Forwarded-For: {from}\r\n\r\n",
            cluster.port()
        )?;
        Ok(Self { lines: BufReader::new(stream), latest: String::new() })
    }

    /// What is said next.
    fn next(&mut self) -> Result<String> {
        let mut line = String::new();
        loop {
            line.clear();
            ensure!(self.lines.read_line(&mut line)? != 0, "an open page was closed");
            if let Some(said) = line.strip_prefix("data:") {
                said.trim().clone_into(&mut self.latest);
                return Ok(self.latest.clone());
            }
        }
    }
}
