//! The floor under a recorded click: axum, and all of a click but the log. The link is looked up in a directory, the
//! query and the visitor are understood, the click, its landing page and its cookie are made; nothing is kept.

use std::{env, error::Error, hint::black_box, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
    serve::ListenerExt,
};
use domain::{Chance, ClickId, Clock, SessionId};
use mimalloc::MiMalloc;
use tokio::net::TcpListener;
use tracking::{
    directory::{CampaignEntry, Contents, Directory, LinkEntry},
    event::BorrowedClick,
    redirect::{
        cookie::{Cookies, Visit},
        parameters::Parameters,
        visitor::{Said, Visitors},
    },
    secret::Secret,
};

// The tracker's own, so that a floor is not slow by its allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What requests share.
struct Floor {
    clock: Clock,
    chance: Chance,
    directory: Directory,
    visitors: Visitors,
    cookies: Cookies,
}

// One thread, because it is measured on one core.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(address), Some(links)) = (arguments.next(), arguments.next()) else {
        return Err(
            "say where to listen and how many links there are: click_without_log 127.0.0.1:8081 10000".into(),
        );
    };
    let secret = Secret::new(&env::var("TRIBUTARY_SECRET")?)?;
    let floor = Floor {
        clock: Clock::system(),
        chance: Chance::system(),
        directory: Directory::new(&contents(links.parse()?)),
        visitors: Visitors::new(vec!["127.0.0.1/32".parse()?], None, &secret),
        cookies: Cookies::new("affiliate_id", &secret)?,
    };
    let router = Router::new().route("/c/{code}", get(follow)).with_state(Arc::new(floor));
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        // A connection that is gone keeps nothing waiting.
        stream.set_nodelay(true).ok();
    });
    Ok(axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await?)
}

async fn follow(
    State(floor): State<Arc<Floor>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(code): Path<String>,
    request: Request,
) -> Response {
    let (at, chance) = (floor.clock.now(), &floor.chance);
    let parameters = Parameters::parse(request.uri().query().unwrap_or_default());
    let link = floor.directory.by_code(&code).filter(|link| link.check_open().is_ok());
    let Some(link) = link else { return StatusCode::NOT_FOUND.into_response() };
    let said = Said::in_map(request.headers());
    let Ok(browser) = floor.visitors.recognize(request.method(), &said) else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let earlier = floor.cookies.read(said.cookies());
    let session = earlier.map_or_else(|| SessionId::new_at(at, chance), |earlier| earlier.session);
    let visit = Visit { session, click: ClickId::new_at(at, chance) };
    let location = link.landing.url(&parameters.tags, Some(visit.click));
    let cookie = floor.cookies.write(visit, link.campaign.cookie_days);
    let visitor = floor.visitors.describe(Some(peer.ip()), &said, browser);
    black_box(BorrowedClick {
        id: visit.click,
        occurred_at_us: at.timestamp_micros(),
        link: link.id,
        affiliate: link.affiliate,
        campaign: link.campaign.id,
        advertiser: link.campaign.advertiser,
        session: visit.session,
        tags: link.landing.complete(&parameters.tags),
        address_hash: visitor.address_hash,
        network: visitor.network,
        country: &visitor.country,
        device: visitor.device,
        user_agent: &visitor.user_agent,
        referrer: &visitor.referrer,
        asked: visitor.asked,
    });
    answer(location, cookie).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn answer(location: String, cookie: String) -> Result<Response, header::InvalidHeaderValue> {
    let mut response = StatusCode::FOUND.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::LOCATION, HeaderValue::try_from(location)?);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
    headers.insert(header::SET_COOKIE, HeaderValue::try_from(cookie)?);
    Ok(response)
}

/// As many links as the benchmark has in its database, under the same codes (`xtask/src/bench/program.rs`).
fn contents(links: u32) -> Contents {
    fn id<T: From<uuid::Uuid>>(kind: u32, number: u32) -> T {
        uuid::Uuid::from_u64_pair(u64::from(kind), u64::from(number)).into()
    }
    let campaign = |number: u32| CampaignEntry {
        id: id(1, number),
        advertiser: id(2, number % 5),
        click_param: "clickid".into(),
        status: "active".into(),
        landing_url: format!("https://shop{number}.example/products?utm_source=partner"),
        allowed_hosts: Vec::new(),
        fallback_url: None,
        cookie_days: 30,
    };
    let link = |number: u32| {
        let own = [("sub3", "shelf")].into_iter().filter(|_| number.is_multiple_of(3));
        let (param_names, param_values) =
            own.map(|(name, value)| (name.to_owned(), value.to_owned())).unzip();
        LinkEntry {
            id: id(3, number),
            code: format!("link{number:05}"),
            affiliate: id(4, number % 500),
            campaign: id(1, number % 20),
            landing_url: None,
            param_names,
            param_values,
            takes_part: true,
        }
    };
    Contents { campaigns: (0..20).map(campaign).collect(), links: (0..links).map(link).collect() }
}
