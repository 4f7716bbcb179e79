//! An impression: which advertisement was shown to whom, told by a picture of one pixel that the affiliate puts beside
//! it.

use axum::extract::{Path, Request, State};
use domain::{EventId, event::Impression};

use super::{Answer, Arrival, Refusal, Reply, answer, find, parameters::Parameters, peer, visitor::Browser};
use crate::{directory::Link, event::Event, tracker::Tracker, wal::Append};

/// `GET /i/{code}`: remembers that the link's advertisement was shown, and answers with an invisible picture. A visit
/// that has a cookie is recognised; nobody is given one for having looked.
pub(crate) async fn show_code(
    State(tracker): State<Tracker>,
    Path(code): Path<String>,
    request: Request,
) -> Reply {
    let peer = peer(&request);
    show(&tracker, Some(&code), &Arrival::of(&tracker.0.clock, &request, peer)).await
}

/// `GET /i?ref=…`: the same for a link or an affiliate named in the query.
pub(crate) async fn show_query(State(tracker): State<Tracker>, request: Request) -> Reply {
    let peer = peer(&request);
    show(&tracker, None, &Arrival::of(&tracker.0.clock, &request, peer)).await
}

async fn show(tracker: &Tracker, code: Option<&str>, arrival: &Arrival<'_>) -> Reply {
    let reply = match look(tracker, code, arrival) {
        Ok(answer) => answer.once_kept(tracker, arrival).await,
        Err(refusal) => answer::refuse_capture(tracker, refusal),
    };
    tracker.0.meters.told(reply.status());
    reply
}

fn look(tracker: &Tracker, code: Option<&str>, arrival: &Arrival<'_>) -> Result<Answer, Refusal> {
    let link = find(tracker, code, &Parameters::parse(arrival.query))?;
    let kept = match tracker.0.visitors.recognize(arrival.method, &arrival.said) {
        Ok(browser) => {
            tracker.0.meters.saw_impression();
            let impression = impression(tracker, &link, arrival, browser);
            Some(keep(tracker, impression))
        }
        Err(uncounted) => {
            tracker.0.meters.count(uncounted);
            None
        }
    };
    Ok(Answer { reply: answer::pixel(), kept })
}

fn impression(tracker: &Tracker, link: &Link, arrival: &Arrival<'_>, browser: Browser<'_>) -> Impression {
    let visitor = tracker.0.visitors.describe(arrival.peer, &arrival.said, browser);
    Impression {
        id: EventId::new_at(arrival.at, &tracker.0.chance),
        occurred_at_us: arrival.at.timestamp_micros(),
        link: link.id,
        affiliate: link.affiliate,
        campaign: link.campaign.id,
        advertiser: link.campaign.advertiser,
        session: tracker.0.cookies.read(arrival.said.cookies()).map(|visit| visit.session),
        address_hash: visitor.address_hash,
        network: visitor.network,
        country: visitor.country.into_owned(),
        device: visitor.device,
        user_agent: visitor.user_agent.into_owned(),
        referrer: visitor.referrer.into_owned(),
    }
}

fn keep(tracker: &Tracker, impression: Impression) -> Append {
    let event = Event::Impression(impression);
    tracker.0.wal.append_with(|bytes| event.encode_into(bytes))
}
