//! An event becomes a row and a row an event: for each kind, its values in the order of its table's columns.

use domain::{
    click::{Asked, Click},
    event::{
        Checks, Conversion, Decision, Event, Impression, Kind, Known, RateChange, Refund, Review,
        StatusChange, Visit,
    },
    fraud::evidence::{CheckResult, FetchDestination},
    money::Rate,
};

use super::columns::{CellError, NewRow, OldRow};

/// Gives a new row of the event's table its values.
pub(super) fn write(known: &Known<Event>, row: &mut NewRow<'_>) {
    let when = |row: &mut NewRow<'_>| {
        row.whole(known.event.occurred_at_us()).whole(known.known_at_us);
    };
    match &known.event {
        Event::Click(visit) => write_click(visit, when, row),
        Event::Impression(visit) => write_impression(visit, when, row),
        Event::Conversion(event) => write_conversion(event, when, row),
        Event::Refund(event) => write_refund(event, when, row),
        Event::StatusChange(event) => write_status_change(event, when, row),
        Event::Review(event) => {
            when(row.id(event.id));
            row.id(event.conversion).id(event.campaign).id_or_null(event.affiliate);
            row.text(event.verdict.name());
        }
        Event::RateChange(event) => {
            when(row.id(event.id));
            row.id(event.campaign).id_or_null(event.affiliate).whole(i64::from(event.rate.ppm));
        }
        Event::Decision(event) => write_decision(event, when, row),
    }
    row.end();
}

fn write_decision(event: &Decision, when: impl Fn(&mut NewRow<'_>), row: &mut NewRow<'_>) {
    when(row.id(event.id));
    row.text(event.decided.name());
    row.id_or_null(event.conversion).id_or_null(event.campaign).id_or_null(event.affiliate);
    row.text_or_null(&event.verdict).text_or_null(&event.mode).text_or_null(&event.version);
    row.text(&event.record);
}

fn write_click(visit: &Visit<Click>, when: impl Fn(&mut NewRow<'_>), row: &mut NewRow<'_>) {
    let click = &visit.seen;
    when(row.id(click.id));
    row.id(click.link).id(click.affiliate).id(click.campaign).id(click.advertiser).id(click.session);
    for sub in &click.tags.subs {
        row.text_or_null(sub);
    }
    row.text_or_null(&click.tags.source);
    row.text_or_null(&click.tags.uid).text_or_null(&click.tags.external_click_id);
    for value in &click.tags.utm {
        row.text_or_null(value);
    }
    row.hash(&click.address_hash).network(click.network);
    row.text_or_null(&click.country).text(click.device.name()).text_or_null(&visit.device_id);
    row.text_or_null(&click.user_agent).text_or_null(&click.referrer);
    row.text_or_null(click.asked.destination.map_or("", FetchDestination::name));
    row.whole_or_null(click.asked.by_user.map(i64::from))
        .whole_or_null(click.asked.hints_match.map(i64::from));
}

fn write_impression(visit: &Visit<Impression>, when: impl Fn(&mut NewRow<'_>), row: &mut NewRow<'_>) {
    let shown = &visit.seen;
    when(row.id(shown.id));
    row.id(shown.link).id(shown.affiliate).id(shown.campaign).id(shown.advertiser);
    row.id_or_null(shown.session);
    row.hash(&shown.address_hash).network(shown.network);
    row.text_or_null(&shown.country).text(shown.device.name()).text_or_null(&visit.device_id);
    row.text_or_null(&shown.user_agent).text_or_null(&shown.referrer);
}

fn write_conversion(event: &Conversion, when: impl Fn(&mut NewRow<'_>), row: &mut NewRow<'_>) {
    when(row.id(event.id));
    row.id(event.campaign).id(event.advertiser).text(&event.name).text(event.kind.name());
    row.money(event.amount);
    row.id_or_null(event.click).id_or_null(event.session);
    row.id_or_null(event.link).id_or_null(event.affiliate);
    row.text_or_null(&event.order_id).text_or_null(&event.customer).text_or_null(&event.coupon);
    row.hash_or_null(event.address_hash.as_ref()).network_or_null(event.network);
    row.text_or_null(&event.country).text(event.device.name()).text_or_null(&event.device_id);
    row.hash_or_null(event.email_hash.as_ref()).text_or_null(&event.email_domain);
    row.hash_or_null(event.account_hash.as_ref());
    row.whole_or_null(event.checks.time_on_site_seconds.map(i64::from));
    for check in [event.checks.email, event.checks.captcha] {
        row.text_or_null(check.map_or("", CheckResult::name));
    }
}

fn write_refund(event: &Refund, when: impl Fn(&mut NewRow<'_>), row: &mut NewRow<'_>) {
    when(row.id(event.id));
    row.id(event.conversion).id(event.campaign).id_or_null(event.affiliate);
    row.id(event.advertiser).text_or_null(&event.customer);
    row.money(event.amount).text(event.reason.name());
}

fn write_status_change(event: &StatusChange, when: impl Fn(&mut NewRow<'_>), row: &mut NewRow<'_>) {
    when(row.id(event.id));
    row.id(event.conversion).id(event.campaign).id_or_null(event.affiliate);
    row.text(event.to.name()).text_or_null(event.reason.map_or("", |reason| reason.name()));
}

/// The event of a row of `kind`'s table.
pub(super) fn read(kind: Kind, row: &mut OldRow<'_>) -> Result<Known<Event>, CellError> {
    match kind {
        Kind::Click => read_click(row),
        Kind::Impression => read_impression(row),
        Kind::Conversion => read_conversion(row),
        Kind::Refund => read_refund(row),
        Kind::StatusChange => read_status_change(row),
        Kind::Review => read_review(row),
        Kind::RateChange => read_rate_change(row),
        Kind::Decision => read_decision(row),
    }
}

fn read_click(row: &mut OldRow<'_>) -> Result<Known<Event>, CellError> {
    let id = row.parsed()?;
    let (occurred_at_us, known_at_us) = (row.whole()?, row.whole()?);
    let (link, affiliate, campaign) = (row.parsed()?, row.parsed()?, row.parsed()?);
    let (advertiser, session) = (row.parsed()?, row.parsed()?);
    let tags = domain::click::Tags {
        subs: std::array::from_fn(|_| row.text_or_empty()),
        source: row.text_or_empty(),
        uid: row.text_or_empty(),
        external_click_id: row.text_or_empty(),
        utm: std::array::from_fn(|_| row.text_or_empty()),
    };
    let (address_hash, network) = (row.hash()?, row.network()?);
    let (country, device, device_id) = (row.text_or_empty(), row.parsed()?, row.text_or_empty());
    let (user_agent, referrer) = (row.text_or_empty(), row.text_or_empty());
    let asked = Asked {
        destination: row.parsed_or_none()?,
        by_user: row.yes_or_none()?,
        hints_match: row.yes_or_none()?,
    };
    let seen = Click {
        id,
        occurred_at_us,
        link,
        affiliate,
        campaign,
        advertiser,
        session,
        tags,
        address_hash,
        network,
        country,
        device,
        user_agent,
        referrer,
        asked,
    };
    Ok(Known { event: Event::Click(Visit { seen, device_id }), known_at_us })
}

fn read_impression(row: &mut OldRow<'_>) -> Result<Known<Event>, CellError> {
    let id = row.parsed()?;
    let (occurred_at_us, known_at_us) = (row.whole()?, row.whole()?);
    let (link, affiliate, campaign) = (row.parsed()?, row.parsed()?, row.parsed()?);
    let (advertiser, session) = (row.parsed()?, row.parsed_or_none()?);
    let (address_hash, network) = (row.hash()?, row.network()?);
    let (country, device, device_id) = (row.text_or_empty(), row.parsed()?, row.text_or_empty());
    let (user_agent, referrer) = (row.text_or_empty(), row.text_or_empty());
    let seen = Impression {
        id,
        occurred_at_us,
        link,
        affiliate,
        campaign,
        advertiser,
        session,
        address_hash,
        network,
        country,
        device,
        user_agent,
        referrer,
    };
    Ok(Known { event: Event::Impression(Visit { seen, device_id }), known_at_us })
}

fn read_conversion(row: &mut OldRow<'_>) -> Result<Known<Event>, CellError> {
    let id = row.parsed()?;
    let (occurred_at_us, known_at_us) = (row.whole()?, row.whole()?);
    // The fields of a literal are computed in the order in which they stand, which is that of the columns.
    let event = Conversion {
        id,
        occurred_at_us,
        campaign: row.parsed()?,
        advertiser: row.parsed()?,
        name: row.text()?,
        kind: row.parsed()?,
        amount: row.money()?,
        click: row.parsed_or_none()?,
        session: row.parsed_or_none()?,
        link: row.parsed_or_none()?,
        affiliate: row.parsed_or_none()?,
        order_id: row.text_or_empty(),
        customer: row.text_or_empty(),
        coupon: row.text_or_empty(),
        address_hash: row.hash_or_none()?,
        network: row.network_or_none()?,
        country: row.text_or_empty(),
        device: row.parsed()?,
        device_id: row.text_or_empty(),
        email_hash: row.hash_or_none()?,
        email_domain: row.text_or_empty(),
        account_hash: row.hash_or_none()?,
        checks: Checks {
            time_on_site_seconds: row.whole_or_none()?,
            email: row.parsed_or_none()?,
            captcha: row.parsed_or_none()?,
        },
    };
    Ok(Known { event: Event::Conversion(event), known_at_us })
}

fn read_refund(row: &mut OldRow<'_>) -> Result<Known<Event>, CellError> {
    let id = row.parsed()?;
    let (occurred_at_us, known_at_us) = (row.whole()?, row.whole()?);
    let event = Refund {
        id,
        occurred_at_us,
        conversion: row.parsed()?,
        campaign: row.parsed()?,
        affiliate: row.parsed_or_none()?,
        advertiser: row.parsed()?,
        customer: row.text_or_empty(),
        amount: row.money()?,
        reason: row.parsed()?,
    };
    Ok(Known { event: Event::Refund(event), known_at_us })
}

fn read_status_change(row: &mut OldRow<'_>) -> Result<Known<Event>, CellError> {
    let id = row.parsed()?;
    let (occurred_at_us, known_at_us) = (row.whole()?, row.whole()?);
    let event = StatusChange {
        id,
        occurred_at_us,
        conversion: row.parsed()?,
        campaign: row.parsed()?,
        affiliate: row.parsed_or_none()?,
        to: row.parsed()?,
        reason: row.parsed_or_none()?,
    };
    Ok(Known { event: Event::StatusChange(event), known_at_us })
}

fn read_review(row: &mut OldRow<'_>) -> Result<Known<Event>, CellError> {
    let id = row.parsed()?;
    let (occurred_at_us, known_at_us) = (row.whole()?, row.whole()?);
    let event = Review {
        id,
        occurred_at_us,
        conversion: row.parsed()?,
        campaign: row.parsed()?,
        affiliate: row.parsed_or_none()?,
        verdict: row.parsed()?,
    };
    Ok(Known { event: Event::Review(event), known_at_us })
}

fn read_decision(row: &mut OldRow<'_>) -> Result<Known<Event>, CellError> {
    let id = row.parsed()?;
    let (occurred_at_us, known_at_us) = (row.whole()?, row.whole()?);
    let event = Decision {
        id,
        occurred_at_us,
        decided: row.parsed()?,
        conversion: row.parsed_or_none()?,
        campaign: row.parsed_or_none()?,
        affiliate: row.parsed_or_none()?,
        verdict: row.text_or_empty(),
        mode: row.text_or_empty(),
        version: row.text_or_empty(),
        record: row.text()?,
    };
    Ok(Known { event: Event::Decision(event), known_at_us })
}

fn read_rate_change(row: &mut OldRow<'_>) -> Result<Known<Event>, CellError> {
    let id = row.parsed()?;
    let (occurred_at_us, known_at_us) = (row.whole()?, row.whole()?);
    let (campaign, affiliate) = (row.parsed()?, row.parsed_or_none()?);
    let ppm = row.whole()?;
    let wrong = |_| CellError { column: "rate_ppm", why: format!("{ppm} is not a rate: expected 0 or more") };
    let rate = Rate { ppm: u32::try_from(ppm).map_err(wrong)? };
    let event = RateChange { id, occurred_at_us, campaign, affiliate, rate };
    Ok(Known { event: Event::RateChange(event), known_at_us })
}
