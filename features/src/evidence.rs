//! What rules of fraud are shown of a conversion: one way of filling it, for serving and for jobs.
//!
//! What a rule reads comes from five places: the vector of the feature set `rules` at the moment of the decision, the
//! conversion with its click, what the program's records say, what a job found out about the source, and a table of
//! networks. What none of them says stays unknown, and rules that need it stay silent.

use std::sync::LazyLock;

use domain::{
    click::{Asked, Click, host},
    event::{Conversion, Event, Visit},
    fraud::{
        Evidence, Networks,
        evidence::{KeyedHash, Told},
        search,
        statistics::{Excess, TimeShape},
    },
};

use crate::{
    defs::sets::SETS,
    entity::{self, Entity, Key, Keys},
    fact::Request,
    set::FeatureSet,
    value::Value,
};

/// What the program's records say of a conversion's partner, campaign and order. What is none is not known; an empty list
/// is known to be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Hosts that the partner has registered.
    pub affiliate_sites: Option<Vec<String>>,
    /// Keyed hashes of the normalised e-mail addresses of the partner and its people.
    pub affiliate_email_hashes: Option<Vec<KeyedHash>>,
    /// Keyed hash of the account that the partner is paid to.
    pub affiliate_account_hash: Option<KeyedHash>,
    /// Devices that the partner signed in from in the last 30 days.
    pub affiliate_device_ids: Option<Vec<String>>,
    /// Keyed hashes of the addresses that the partner signed in from in the last 30 days.
    pub affiliate_address_hashes: Option<Vec<KeyedHash>>,
    /// Partners who are paid to the same account, this one among them.
    pub payout_account_affiliates: Option<u64>,
    /// Whether the partner is a declared agency, or a sub-account of one.
    pub declared_agency: Option<bool>,
    /// Whether the partner may advertise in search engines under the advertiser's name.
    pub licensed_search: Option<bool>,
    /// ISO 3166 codes of the countries that the campaign is for; all of them when there are none.
    pub targeted_countries: Option<Vec<String>>,
    /// Reports, each with a message id of its own, that name the advertiser's order.
    pub order_reports: Option<u64>,
}

/// What a job of the worker found out about the source of a conversion
/// ([`sources`](domain::fraud::statistics::sources)).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Findings {
    /// How its times from click to conversion differ from those of others.
    pub time_shape: Option<TimeShape>,
    /// How much more often its clicks convert.
    pub rate_excess: Option<Excess>,
    /// How much less its clicks follow the day.
    pub hour_excess: Option<Excess>,
    /// How many more conversions it has than is usual and its clicks explain.
    pub burst_excess: Option<Excess>,
}

/// A vector that is not one of the set `rules`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the set rules has {expected} features and the vector {found}: read the vector of features::evidence::set()"
)]
pub struct WrongVector {
    expected: usize,
    found: usize,
}

/// The set `rules`: what rules read of features.
///
/// # Panics
/// Never: the list of sets makes it, and a test holds it against the fields of [`Evidence`].
#[must_use]
pub fn set() -> &'static FeatureSet {
    static SET: LazyLock<&'static FeatureSet> =
        LazyLock::new(|| SETS.iter().find(|set| set.name == "rules").expect("there is a set of rules"));
    *SET
}

/// Whom features are asked about: everything that the conversion is about, the address of its click, as rules mean it,
/// and, where its report does not tell them, the visit and the device of its click.
#[must_use]
pub fn keys(request: &Request<'_>) -> Keys {
    let keys = Keys::of(request.event);
    let Some(Visit { seen, device_id }) = request.click else { return keys };
    let clicked = [
        (Entity::Address, Some(Key::one(u128::from_be_bytes(seen.address_hash)))),
        (Entity::Journey, keys.get(Entity::Journey).or(Some(Key::one(seen.session.uuid().as_u128())))),
        (Entity::Device, keys.get(Entity::Device).or_else(|| entity::device_key(device_id))),
    ];
    let told = clicked.into_iter().filter_map(|(entity, key)| Some((entity, key?)));
    told.fold(keys, |keys, (entity, key)| keys.with(entity, key))
}

/// Puts together what is known of a conversion. `values` are those of the set [`rules`](set), in its order.
///
/// # Errors
/// When there are not as many values as the set has features.
pub fn gather(
    values: &[Value],
    request: &Request<'_>,
    records: &Records,
    findings: &Findings,
    networks: &Networks,
) -> Result<Evidence, WrongVector> {
    let mut seen = Evidence::default();
    from_features(&mut seen, values)?;
    if let Event::Conversion(conversion) = request.event {
        from_conversion(&mut seen, conversion, records);
    }
    if let Some(visit) = request.click {
        from_click(&mut seen, &visit.seen);
        if seen.device_id.is_none() {
            seen.device_id = known(&visit.device_id);
        }
    }
    seen.address_class = seen.network.and_then(|network| networks.class(network));
    from_records(&mut seen, records);
    let Findings { time_shape, rate_excess, hour_excess, burst_excess } = *findings;
    Ok(Evidence { time_shape, rate_excess, hour_excess, burst_excess, ..seen })
}

/// Each value goes into the field of its feature, by place: the set has the fields' order.
fn from_features(seen: &mut Evidence, values: &[Value]) -> Result<(), WrongVector> {
    let expected = set().features.len();
    if values.len() != expected {
        return Err(WrongVector { expected, found: values.len() });
    }
    let readers = Evidence::FIELDS.iter().filter_map(|field| field.read);
    for (read, value) in readers.zip(values) {
        match value {
            Value::Null => {}
            Value::Whole(whole) => read(seen, Told::Whole(*whole)),
            Value::Real(real) => read(seen, Told::Real(*real)),
        }
    }
    Ok(())
}

fn from_conversion(seen: &mut Evidence, conversion: &Conversion, records: &Records) {
    seen.network = conversion.network;
    seen.address_hash = conversion.address_hash.map(KeyedHash);
    seen.device_id = known(&conversion.device_id);
    seen.email_domain = known(&conversion.email_domain);
    seen.email_hash = conversion.email_hash.map(KeyedHash);
    seen.customer_account_hash = conversion.account_hash.map(KeyedHash);
    seen.time_on_site_seconds = conversion.checks.time_on_site_seconds.map(u64::from);
    seen.email_check = conversion.checks.email;
    seen.captcha_check = conversion.checks.captcha;
    let targeted = records.targeted_countries.as_ref().filter(|_| !conversion.country.is_empty());
    seen.country_targeted = targeted.map(|countries| {
        countries.is_empty()
            || countries.iter().any(|country| country.eq_ignore_ascii_case(&conversion.country))
    });
}

/// What the click tells; its address and network stand before those of the report.
fn from_click(seen: &mut Evidence, click: &Click) {
    seen.network = Some(click.network);
    seen.address_hash = Some(KeyedHash(click.address_hash));
    seen.referrer_host = Some(host(&click.referrer).to_owned());
    seen.user_agent = Some(click.user_agent.clone());
    let Asked { destination, by_user, hints_match } = click.asked;
    (seen.fetch_destination, seen.fetch_by_user, seen.client_hints_match) =
        (destination, by_user, hints_match);
    seen.search_terms = search::terms(click);
    seen.paid_search_click = search::is_paid(click);
}

fn from_records(seen: &mut Evidence, records: &Records) {
    // Named one by one, so that a new one cannot be forgotten.
    let Records {
        affiliate_sites,
        affiliate_email_hashes,
        affiliate_account_hash,
        affiliate_device_ids,
        affiliate_address_hashes,
        payout_account_affiliates,
        declared_agency,
        licensed_search,
        targeted_countries: _,
        order_reports,
    } = records;
    seen.affiliate_sites.clone_from(affiliate_sites);
    seen.affiliate_email_hashes.clone_from(affiliate_email_hashes);
    seen.affiliate_account_hash = *affiliate_account_hash;
    seen.affiliate_device_ids.clone_from(affiliate_device_ids);
    seen.affiliate_address_hashes.clone_from(affiliate_address_hashes);
    seen.payout_account_affiliates = *payout_account_affiliates;
    seen.declared_agency = *declared_agency;
    seen.licensed_search = *licensed_search;
    seen.order_reports = *order_reports;
}

fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
