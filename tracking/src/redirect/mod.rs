//! A click: who follows which link, and where they go; and an impression: who was shown it.

pub mod address;
mod answer;
mod asked;
pub mod cookie;
pub(crate) mod impression;
pub mod landing;
pub mod parameters;
pub mod visitor;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use axum::extract::{ConnectInfo, Path, Request, State};
use chrono::{DateTime, Utc};
use domain::{AffiliateId, ClickId, Clock, SessionId};
use http::Method;

pub(crate) use self::answer::Reply;
use self::{
    cookie::Visit,
    landing::Landing,
    parameters::Parameters,
    visitor::{Browser, Said},
};
use crate::{
    directory::{Closed, Directory, Link},
    event::BorrowedClick,
    meters::Reason,
    problem::Problem,
    tracker::Tracker,
    wal::Append,
};

/// `GET /c/{code}`: sends a visitor to where the link leads, and remembers that they came.
pub(crate) async fn follow_code(
    State(tracker): State<Tracker>,
    Path(code): Path<String>,
    request: Request,
) -> Reply {
    let peer = peer(&request);
    click(&tracker, Some(&code), &Arrival::of(&tracker.0.clock, &request, peer)).await
}

/// `GET /c?ref=…`: the same for a link or an affiliate named in the query.
pub(crate) async fn follow_query(State(tracker): State<Tracker>, request: Request) -> Reply {
    let peer = peer(&request);
    click(&tracker, None, &Arrival::of(&tracker.0.clock, &request, peer)).await
}

/// `GET /landing?ref=…`: the same for a visitor who already is on the advertiser's page.
pub(crate) async fn capture(State(tracker): State<Tracker>, request: Request) -> Reply {
    let arrival = Arrival::of(&tracker.0.clock, &request, peer(&request));
    let reply = match capture_landing(&tracker, &arrival) {
        Ok(answer) => answer.once_kept(&tracker, &arrival).await,
        Err(refusal) => answer::refuse_capture(&tracker, refusal),
    };
    tracker.0.meters.told(reply.status());
    reply
}

/// Answers a click, once it is as durable as was configured.
pub(crate) async fn click(tracker: &Tracker, code: Option<&str>, arrival: &Arrival<'_>) -> Reply {
    let reply = match follow(tracker, code, arrival) {
        Ok(answer) => answer.once_kept(tracker, arrival).await,
        Err(refusal) => answer::refuse(tracker, refusal, arrival),
    };
    tracker.0.meters.told(reply.status());
    reply
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

/// What a request brings along.
pub(crate) struct Arrival<'a> {
    /// When it came, and where the measuring of its answer begins.
    at: DateTime<Utc>,
    began: Instant,
    method: &'a Method,
    query: &'a str,
    said: Said<'a>,
    peer: Option<IpAddr>,
}

impl<'a> Arrival<'a> {
    /// A request that comes now from whoever opened the connection.
    pub(crate) fn new(
        clock: &Clock,
        method: &'a Method,
        query: &'a str,
        said: Said<'a>,
        peer: Option<IpAddr>,
    ) -> Self {
        Self { at: clock.now(), began: Instant::now(), method, query, said, peer }
    }

    /// The same, as hyper has read it, whatever its body.
    pub(crate) fn of<Body>(clock: &Clock, request: &'a http::Request<Body>, peer: Option<IpAddr>) -> Self {
        let (query, said) = (request.uri().query().unwrap_or_default(), Said::in_map(request.headers()));
        Self::new(clock, request.method(), query, said, peer)
    }

    /// When it came.
    pub(crate) fn at(&self) -> DateTime<Utc> {
        self.at
    }
}

/// An answer, and the event that must be kept before anybody hears it.
struct Answer {
    reply: Reply,
    kept: Option<Append>,
}

impl Answer {
    async fn once_kept(self, tracker: &Tracker, arrival: &Arrival<'_>) -> Reply {
        let Some(kept) = self.kept else { return self.reply };
        let kept = kept.await;
        tracker.0.meters.answered(arrival.began.elapsed());
        match kept {
            Ok(()) => self.reply,
            Err(error) => answer::refused_by_log(error).into(),
        }
    }
}

/// Why a visitor is not sent to a landing page.
enum Refusal {
    /// The link takes no clicks; its campaign may have a page for that.
    Closed(Closed, Option<Arc<Link>>),
    /// The request cannot be served, now or at all.
    Problem(Problem),
}

fn follow(tracker: &Tracker, code: Option<&str>, arrival: &Arrival<'_>) -> Result<Answer, Refusal> {
    let parameters = Parameters::parse(arrival.query);
    let link = find(tracker, code, &parameters)?;
    let landing = match &parameters.target {
        Some(target) => Some(deep_landing(tracker, &link, target)?),
        None => None,
    };
    let landing = landing.as_ref().unwrap_or(&link.landing);
    let browser = match tracker.0.visitors.recognize(arrival.method, &arrival.said) {
        Ok(browser) => browser,
        Err(uncounted) => {
            tracker.0.meters.count(uncounted);
            let reply = answer::redirect(landing.url(&parameters.tags, None), None);
            return Ok(Answer { reply, kept: None });
        }
    };
    let visit = tracker.visit(arrival);
    let location = landing.url(&parameters.tags, Some(visit.click));
    let cookie = tracker.0.cookies.write(visit, link.campaign.cookie_days);
    let click = tracker.keep(visit, (&link, landing), &parameters, arrival, browser);
    Ok(Answer { reply: answer::redirect(location, Some(cookie)), kept: Some(click) })
}

fn capture_landing(tracker: &Tracker, arrival: &Arrival<'_>) -> Result<Answer, Refusal> {
    let parameters = Parameters::parse(arrival.query);
    let link = find(tracker, None, &parameters)?;
    let origin = answer::allowed_origin(arrival.said.origin(), &link.campaign);
    let browser = match tracker.0.visitors.recognize(arrival.method, &arrival.said) {
        Ok(browser) => browser,
        Err(uncounted) => {
            tracker.0.meters.count(uncounted);
            return Ok(Answer { reply: answer::captured(None, origin), kept: None });
        }
    };
    let visit = tracker.visit(arrival);
    let cookie = tracker.0.cookies.write(visit, link.campaign.cookie_days);
    let click = tracker.keep(visit, (&link, &link.landing), &parameters, arrival, browser);
    Ok(Answer { reply: answer::captured(Some((visit.click, cookie)), origin), kept: Some(click) })
}

/// The link that is meant, if it takes clicks.
fn find(tracker: &Tracker, code: Option<&str>, parameters: &Parameters<'_>) -> Result<Arc<Link>, Refusal> {
    let directory = tracker.0.directory.load();
    let directory = directory.as_ref().ok_or_else(|| Refusal::Problem(answer::starting()))?;
    let named = code.or(parameters.partner.as_deref());
    let campaign = parameters.campaign.as_deref();
    let found = named.and_then(|named| look_up(directory, named, campaign));
    let link = found.ok_or(Refusal::Closed(Closed::Unknown, None))?.clone();
    match link.check_open() {
        Ok(()) => Ok(link),
        Err(closed) => Err(Refusal::Closed(closed, Some(link))),
    }
}

/// A link by its code, or by whose it is and what it advertises.
fn look_up<'a>(directory: &'a Directory, named: &str, campaign: Option<&str>) -> Option<&'a Arc<Link>> {
    if let Some(link) = directory.by_code(named) {
        return Some(link);
    }
    let affiliate: AffiliateId = named.parse().ok()?;
    // A campaign that is named but does not exist is not any campaign.
    let campaign = campaign.map(str::parse).transpose().ok()?;
    directory.of_affiliate(affiliate, campaign)
}

fn deep_landing(tracker: &Tracker, link: &Link, target: &str) -> Result<Landing, Refusal> {
    let campaign = &link.campaign;
    match landing::deep_link(target, &campaign.allowed_hosts, &campaign.landing_url) {
        Ok(page) => Ok(Landing::new(&page, &link.params, &campaign.click_param)),
        Err(error) => {
            tracker.0.meters.count(Reason::DeepLink);
            Err(Refusal::Problem(answer::target_refused(error)))
        }
    }
}

impl Tracker {
    /// The click is new; the visit goes on if the browser still has its cookie.
    fn visit(&self, arrival: &Arrival<'_>) -> Visit {
        let chance = &self.0.chance;
        let earlier = self.0.cookies.read(arrival.said.cookies());
        Visit {
            session: earlier.map_or_else(|| SessionId::new_at(arrival.at, chance), |earlier| earlier.session),
            click: ClickId::new_at(arrival.at, chance),
        }
    }

    /// Writes the click to the log; what comes back resolves once it is as durable as was configured.
    fn keep(
        &self,
        visit: Visit,
        (link, landing): (&Link, &Landing),
        parameters: &Parameters<'_>,
        arrival: &Arrival<'_>,
        browser: Browser<'_>,
    ) -> Append {
        let visitor = self.0.visitors.describe(arrival.peer, &arrival.said, browser);
        let click = BorrowedClick {
            id: visit.click,
            occurred_at_us: arrival.at.timestamp_micros(),
            link: link.id,
            affiliate: link.affiliate,
            campaign: link.campaign.id,
            advertiser: link.campaign.advertiser,
            session: visit.session,
            tags: landing.complete(&parameters.tags),
            address_hash: visitor.address_hash,
            network: visitor.network,
            country: &visitor.country,
            device: visitor.device,
            user_agent: &visitor.user_agent,
            referrer: &visitor.referrer,
            asked: visitor.asked,
        };
        self.0.wal.append_with(|bytes| click.encode_into(bytes))
    }
}
