//! What an event says: numbers that can be added, and categories that can be counted and compared.

use std::net::IpAddr;

use domain::{
    click::host,
    event::{Conversion, Event},
};

use crate::{
    entity,
    hash::{mix, of_bits, of_text},
    named::named,
    window::{DAY, HOUR, SECOND},
};

named! {
    /// A whole number that events carry.
    Number {
        /// When it happened, in microseconds since the epoch.
        OccurredAt = "occurred_at",
        /// What a conversion was worth or a refund gave back, in minor units of its own currency, never exchanged.
        Amount = "amount",
        /// Whole seconds from a conversion's click, by the click's id, to the conversion; below zero when clocks disagree.
        ClickToConversion = "click_to_conversion_seconds",
        /// Whole seconds that the customer was on the advertiser's site before a conversion, where its page told.
        TimeOnSite = "time_on_site_seconds",
        /// A rate change's new rate, in parts per million.
        Rate = "rate_ppm",
    }
}

named! {
    /// A category that events fall into.
    Category {
        /// The partner.
        Affiliate = "affiliate",
        /// The offer.
        Campaign = "campaign",
        /// The partner's link.
        Link = "link",
        /// The browser's visit.
        Journey = "journey",
        /// The address, by its keyed hash.
        Address = "address",
        /// The network of the address.
        Network = "network",
        /// The device, by its fingerprint's keyed hash.
        Device = "device",
        /// What kind of machine.
        DeviceType = "device_type",
        /// The country of the address.
        Country = "country",
        /// The browser's user agent.
        UserAgent = "user_agent",
        /// The host of the page that the visitor came from.
        ReferrerHost = "referrer_host",
        /// Where the affiliate says that a click comes from.
        TrafficSource = "traffic_source",
        /// The affiliate's first sub-id of a click.
        Sub1 = "sub1",
        /// The advertiser's name for the customer.
        Customer = "customer",
        /// The customer's e-mail address, by its keyed hash.
        Email = "email",
        /// The part of the customer's e-mail address behind the @.
        EmailDomain = "email_domain",
        /// The coupon that was used.
        Coupon = "coupon",
        /// What kind of conversion: lead, trial, sale, recurring or deposit.
        ConversionKind = "conversion_kind",
        /// Where a status change took its conversion.
        Status = "status",
        /// Why it was rejected, reversed or refunded.
        Reason = "reason",
        /// What a review found.
        Verdict = "verdict",
        /// The conversion that it is about.
        Conversion = "conversion",
        /// The hour of the day, in UTC, from 0 to 23.
        HourOfDay = "hour_of_day",
        /// The day, in UTC.
        Date = "date",
    }
}

impl Number {
    /// The number, where an event has it.
    #[must_use]
    pub fn of(self, event: &Event) -> Option<i64> {
        match (self, event) {
            (Self::OccurredAt, event) => Some(event.occurred_at_us()),
            (Self::Amount, Event::Conversion(event)) => Some(event.amount.minor),
            (Self::Amount, Event::Refund(event)) => Some(event.amount.minor),
            (Self::ClickToConversion, Event::Conversion(event)) => click_to_conversion_seconds(event),
            (Self::TimeOnSite, Event::Conversion(event)) => event.checks.time_on_site_seconds.map(i64::from),
            (Self::Rate, Event::RateChange(event)) => Some(i64::from(event.rate.ppm)),
            _ => None,
        }
    }
}

/// Whole seconds from the click to the conversion, rounded down; the click's id says when it was, to the millisecond.
#[must_use]
pub fn click_to_conversion_seconds(conversion: &Conversion) -> Option<i64> {
    let clicked_at_us = conversion.click?.made_at()?.timestamp_micros();
    Some(conversion.occurred_at_us.saturating_sub(clicked_at_us).div_euclid(SECOND))
}

impl Category {
    /// The category's bits, where an event falls into one.
    #[must_use]
    pub fn of(self, event: &Event) -> Option<u64> {
        match self {
            Self::Affiliate => entity::affiliate(event).map(|id| of_bits(id.as_u128())),
            Self::Campaign => event.campaign().map(|id| of_bits(id.uuid().as_u128())),
            Self::Journey => entity::journey(event).map(|id| of_bits(id.as_u128())),
            Self::Address => entity::address(event).map(|hash| of_bits(u128::from_be_bytes(*hash))),
            Self::Device => entity::device(event).and_then(text),
            Self::Conversion => conversion_of(event),
            Self::HourOfDay => Some(mix(hour_of_day(event.occurred_at_us()))),
            Self::Date => Some(mix(event.occurred_at_us().div_euclid(DAY).cast_unsigned())),
            Self::Status | Self::Reason | Self::Verdict => decision(self, event).and_then(text),
            _ => match event {
                Event::Click(visit) => click(self, &visit.seen),
                Event::Impression(visit) => impression(self, &visit.seen),
                Event::Conversion(event) => conversion(self, event),
                Event::Refund(event) if self == Self::Customer => text(&event.customer),
                _ => None,
            },
        }
    }
}

/// The hour of the day, in UTC.
pub(crate) fn hour_of_day(at_us: i64) -> u64 {
    (at_us.rem_euclid(DAY) / HOUR).cast_unsigned()
}

/// A text's bits; an empty text says nothing.
fn text(text: &str) -> Option<u64> {
    (!text.is_empty()).then(|| of_text(text))
}

fn network(address: IpAddr) -> u64 {
    let bits = match address.to_canonical() {
        IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
        IpAddr::V6(six) => six.to_bits(),
    };
    of_bits(bits)
}

fn click(category: Category, click: &domain::click::Click) -> Option<u64> {
    match category {
        Category::Link => Some(of_bits(click.link.uuid().as_u128())),
        Category::Network => Some(network(click.network)),
        Category::DeviceType => text(click.device.name()),
        Category::Country => text(&click.country),
        Category::UserAgent => text(&click.user_agent),
        Category::ReferrerHost => text(host(&click.referrer)),
        Category::TrafficSource => text(&click.tags.source),
        Category::Sub1 => text(&click.tags.subs[0]),
        _ => None,
    }
}

fn impression(category: Category, impression: &domain::event::Impression) -> Option<u64> {
    match category {
        Category::Link => Some(of_bits(impression.link.uuid().as_u128())),
        Category::Network => Some(network(impression.network)),
        Category::DeviceType => text(impression.device.name()),
        Category::Country => text(&impression.country),
        Category::UserAgent => text(&impression.user_agent),
        Category::ReferrerHost => text(host(&impression.referrer)),
        _ => None,
    }
}

fn conversion(category: Category, conversion: &Conversion) -> Option<u64> {
    match category {
        Category::Link => Some(of_bits(conversion.link?.uuid().as_u128())),
        Category::Network => conversion.network.map(network),
        Category::DeviceType => text(conversion.device.name()),
        Category::Country => text(&conversion.country),
        Category::Customer => text(&conversion.customer),
        Category::Email => conversion.email_hash.map(|hash| of_bits(u128::from_be_bytes(hash))),
        Category::EmailDomain => text(&conversion.email_domain),
        Category::Coupon => text(&conversion.coupon),
        Category::ConversionKind => text(conversion.kind.name()),
        _ => None,
    }
}

fn conversion_of(event: &Event) -> Option<u64> {
    let id = match event {
        Event::Conversion(event) => event.id,
        Event::Refund(event) => event.conversion,
        Event::StatusChange(event) => event.conversion,
        Event::Review(event) => event.conversion,
        _ => return None,
    };
    Some(of_bits(id.uuid().as_u128()))
}

fn decision(category: Category, event: &Event) -> Option<&'static str> {
    match (category, event) {
        (Category::Status, Event::StatusChange(event)) => Some(event.to.name()),
        (Category::Reason, Event::StatusChange(event)) => event.reason.map(|reason| reason.name()),
        (Category::Reason, Event::Refund(event)) => Some(event.reason.name()),
        (Category::Verdict, Event::Review(event)) => Some(event.verdict.name()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_counted_from_midnight_before_the_epoch_too() {
        assert_eq!(hour_of_day(0), 0);
        assert_eq!(hour_of_day(-1), 23);
        assert_eq!(hour_of_day(DAY + 5 * HOUR + 1), 5);
    }
}
