//! A click: who follows which link, and where they go.

mod answer;
pub mod cookie;
pub mod landing;
pub mod parameters;
pub mod visitor;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use axum::{
    extract::{ConnectInfo, Path, Request, State},
    response::Response,
};
use domain::{AffiliateId, ClickId, SessionId, click::Click};
use http::{HeaderMap, Method, header};

use self::{cookie::Visit, landing::Landing, parameters::Parameters};
use crate::{
    directory::{Closed, Directory, Link},
    event::Event,
    meters::Reason,
    problem::Problem,
    tracker::Tracker,
};

/// `GET /c/{code}`: sends a visitor to where the link leads, and remembers that they came.
pub(crate) async fn follow_code(
    State(tracker): State<Tracker>,
    Path(code): Path<String>,
    request: Request,
) -> Response {
    let arrival = Arrival::of(&request);
    let answer = follow(&tracker, Some(&code), &arrival).await;
    answer.unwrap_or_else(|refusal| answer::refuse(&tracker, refusal, &arrival))
}

/// `GET /c?ref=…`: the same for a link or an affiliate named in the query.
pub(crate) async fn follow_query(State(tracker): State<Tracker>, request: Request) -> Response {
    let arrival = Arrival::of(&request);
    let answer = follow(&tracker, None, &arrival).await;
    answer.unwrap_or_else(|refusal| answer::refuse(&tracker, refusal, &arrival))
}

/// `GET /landing?ref=…`: the same for a visitor who already is on the advertiser's page.
pub(crate) async fn capture(State(tracker): State<Tracker>, request: Request) -> Response {
    let arrival = Arrival::of(&request);
    let answer = capture_landing(&tracker, &arrival).await;
    answer.unwrap_or_else(|refusal| answer::refuse_capture(&tracker, refusal))
}

/// What a request brings along.
struct Arrival<'a> {
    began: Instant,
    method: &'a Method,
    headers: &'a HeaderMap,
    query: &'a str,
    peer: Option<IpAddr>,
}

impl<'a> Arrival<'a> {
    fn of(request: &'a Request) -> Self {
        Self {
            began: Instant::now(),
            method: request.method(),
            headers: request.headers(),
            query: request.uri().query().unwrap_or_default(),
            peer: request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip()),
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

async fn follow(tracker: &Tracker, code: Option<&str>, arrival: &Arrival<'_>) -> Result<Response, Refusal> {
    let parameters = Parameters::parse(arrival.query);
    let link = find(tracker, code, &parameters)?;
    let landing = match &parameters.target {
        Some(target) => Some(deep_landing(tracker, &link, target)?),
        None => None,
    };
    let landing = landing.as_ref().unwrap_or(&link.landing);
    if let Some(uncounted) = tracker.0.visitors.uncounted(arrival.method, arrival.headers) {
        tracker.0.meters.count(uncounted);
        return Ok(answer::redirect(&landing.url(&parameters.tags, None), None));
    }
    let visit = tracker.visit(arrival);
    let location = landing.url(&parameters.tags, Some(visit.click));
    let cookie = tracker.0.cookies.write(visit, link.campaign.cookie_days);
    tracker.keep(visit, &link, landing, parameters, arrival).await?;
    Ok(answer::redirect(&location, Some(&cookie)))
}

async fn capture_landing(tracker: &Tracker, arrival: &Arrival<'_>) -> Result<Response, Refusal> {
    let parameters = Parameters::parse(arrival.query);
    let link = find(tracker, None, &parameters)?;
    let origin = answer::allowed_origin(arrival.headers, &link.campaign);
    if let Some(uncounted) = tracker.0.visitors.uncounted(arrival.method, arrival.headers) {
        tracker.0.meters.count(uncounted);
        return Ok(answer::captured(None, origin));
    }
    let visit = tracker.visit(arrival);
    let cookie = tracker.0.cookies.write(visit, link.campaign.cookie_days);
    tracker.keep(visit, &link, &link.landing, parameters, arrival).await?;
    Ok(answer::captured(Some((visit.click, &cookie)), origin))
}

/// The link that is meant, if it takes clicks.
fn find(tracker: &Tracker, code: Option<&str>, parameters: &Parameters) -> Result<Arc<Link>, Refusal> {
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
        let (clock, chance) = (&self.0.clock, &self.0.chance);
        let cookies = arrival.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let earlier = self.0.cookies.read(cookies);
        Visit {
            session: earlier.map_or_else(|| SessionId::new(clock, chance), |earlier| earlier.session),
            click: ClickId::new(clock, chance),
        }
    }

    /// Writes the click to the log; when this returns it is as durable as was configured.
    async fn keep(
        &self,
        visit: Visit,
        link: &Link,
        landing: &Landing,
        parameters: Parameters,
        arrival: &Arrival<'_>,
    ) -> Result<(), Refusal> {
        let visitor = self.0.visitors.describe(arrival.peer, arrival.headers);
        let click = Click {
            id: visit.click,
            occurred_at_us: self.0.clock.now().timestamp_micros(),
            link: link.id,
            affiliate: link.affiliate,
            campaign: link.campaign.id,
            advertiser: link.campaign.advertiser,
            session: visit.session,
            tags: landing.complete(parameters.tags),
            address_hash: visitor.address_hash,
            network: visitor.network,
            country: visitor.country,
            device: visitor.device,
            user_agent: visitor.user_agent,
            referrer: visitor.referrer,
        };
        let kept = self.0.wal.append(Event::Click(click).encode()).await;
        self.0.meters.answered(arrival.began.elapsed());
        kept.map_err(|error| Refusal::Problem(answer::refused_by_log(error)))
    }
}
