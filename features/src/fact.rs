//! What can be told from a request alone: the event that is being judged, and the click that led to it.

use domain::{
    click::{Click, Device},
    event::{Event, Visit},
};

use crate::{
    field::{click_to_conversion_seconds, hour_of_day},
    mail,
    named::named,
    value::Value,
    window::DAY,
};

/// An event that is being judged.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What happened.
    pub event: &'a Event,
    /// The click that led to it, where there is one and it is known.
    pub click: Option<&'a Visit<Click>>,
}

named! {
    /// Something that a request says by itself.
    Fact {
        /// Whole seconds from the click, by its id, to the conversion; below zero when clocks disagree.
        ClickToConversionSeconds = "click_to_conversion_seconds",
        /// The hour of the day of the event, in UTC, from 0 to 23.
        HourOfDay = "hour_of_day",
        /// The day of the week of the event, in UTC, from 0 for Monday to 6 for Sunday.
        DayOfWeek = "day_of_week",
        /// Whether the click came from the same country as the conversion; null when one is unknown.
        IpCountryMatch = "ip_country_match",
        /// Whether the event, or else its click, came from a telephone or tablet; null when both are unknown.
        IsMobile = "is_mobile",
        /// Whether the event, or else its click, brought a device's fingerprint.
        HasFingerprint = "has_fingerprint",
        /// Whether the device of the conversion is that of its click; null when one is unknown.
        SameDeviceAsClick = "same_device_as_click",
        /// Whether the address of the conversion is that of its click; null when one is unknown.
        SameAddressAsClick = "same_address_as_click",
        /// Whether the customer's e-mail is with a provider that gives addresses away; null when it is not known.
        EmailDomainFree = "email_domain_free",
        /// Whether the customer's e-mail is with a provider of throw-away addresses; null when it is not known.
        EmailDomainDisposable = "email_domain_disposable",
        /// What the conversion was worth, in minor units of its own currency.
        Amount = "amount",
        /// Whether a coupon was used.
        HasCoupon = "has_coupon",
        /// Whether a conversion names the click that led to it.
        HasClick = "has_click",
    }
}

impl Fact {
    /// What the request says; null where it says nothing of the kind.
    #[must_use]
    pub fn of(self, request: &Request<'_>) -> Value {
        let conversion = match request.event {
            Event::Conversion(conversion) => Some(conversion),
            _ => None,
        };
        let told = match self {
            Self::ClickToConversionSeconds => {
                conversion.and_then(click_to_conversion_seconds).map(Value::Whole)
            }
            Self::HourOfDay => Some(Value::count(hour_of_day(request.event.occurred_at_us()))),
            Self::DayOfWeek => Some(Value::Whole(day_of_week(request.event.occurred_at_us()))),
            Self::IpCountryMatch => conversion
                .and_then(|it| same(Some(&*it.country), request.click.map(|click| &*click.seen.country))),
            Self::IsMobile => device_type(request)
                .map(|it| matches!(it, Device::Mobile | Device::Tablet))
                .map(Value::yes_or_no),
            Self::HasFingerprint => Some(Value::yes_or_no(has_fingerprint(request))),
            Self::SameDeviceAsClick => conversion
                .and_then(|it| same(Some(&*it.device_id), request.click.map(|click| &*click.device_id))),
            Self::SameAddressAsClick => conversion.and_then(|it| {
                let (own, clicked) = (it.address_hash?, request.click?.seen.address_hash);
                Some(Value::yes_or_no(own == clicked))
            }),
            Self::EmailDomainFree => {
                conversion.and_then(|it| known(&it.email_domain)).map(mail::is_free).map(Value::yes_or_no)
            }
            Self::EmailDomainDisposable => conversion
                .and_then(|it| known(&it.email_domain))
                .map(mail::is_disposable)
                .map(Value::yes_or_no),
            Self::Amount => conversion.map(|it| Value::Whole(it.amount.minor)),
            Self::HasCoupon => conversion.map(|it| Value::yes_or_no(!it.coupon.is_empty())),
            Self::HasClick => conversion.map(|it| Value::yes_or_no(it.click.is_some())),
        };
        told.unwrap_or(Value::Null)
    }
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Whether two texts are the same, where both are known.
fn same(one: Option<&str>, other: Option<&str>) -> Option<Value> {
    Some(Value::yes_or_no(known(one?)? == known(other?)?))
}

/// 1970-01-01 was a Thursday.
fn day_of_week(at_us: i64) -> i64 {
    (at_us.div_euclid(DAY) + 3).rem_euclid(7)
}

/// The kind of machine, where it could be told.
fn device_type(request: &Request<'_>) -> Option<Device> {
    let of_event = match request.event {
        Event::Click(visit) => Some(visit.seen.device),
        Event::Impression(visit) => Some(visit.seen.device),
        Event::Conversion(conversion) => Some(conversion.device),
        _ => None,
    };
    let of_click = request.click.map(|click| click.seen.device);
    of_event.into_iter().chain(of_click).find(|device| *device != Device::Unknown)
}

fn has_fingerprint(request: &Request<'_>) -> bool {
    let of_click = request.click.is_some_and(|click| !click.device_id.is_empty());
    of_click || crate::entity::device(request.event).is_some()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    fn check(at: &str, day: i64, hour: u64) {
        let at_us = at.parse::<DateTime<Utc>>().unwrap().timestamp_micros();
        assert_eq!((day_of_week(at_us), hour_of_day(at_us)), (day, hour), "{at}");
    }

    #[test]
    fn the_week_begins_on_monday() {
        check("2026-02-02T00:00:00Z", 0, 0);
        check("2026-02-01T23:59:59.999999Z", 6, 23);
        check("1969-12-31T12:00:00Z", 2, 12);
    }
}
