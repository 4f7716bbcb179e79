//! What happened becomes what addresses are told: each event once for each address that wants it, with its macros filled in.

use chrono::{DateTime, Utc};
use domain::{
    Chance, ConversionId, DeliveryId,
    money::decimal,
    postback::{Macro, Template, Values},
};
use sqlx::{PgConnection, PgPool};
use tracking::store::begin;

use crate::store::{
    partner_deliveries::{self, NewDelivery},
    partner_news::{self, Announced, Clicked, Events, News},
    partner_postbacks::are_any,
};

/// So many announcements are looked at in one transaction.
pub const BATCH: i64 = 200;
/// So many deliveries are kept by one statement.
const KEPT_AT_ONCE: usize = 500;

/// What was passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassedOn {
    /// So many announcements.
    pub announced: u64,
    /// So many deliveries came of them.
    pub deliveries: u64,
}

/// Passes on what was announced since the last time, up to a number.
///
/// # Errors
/// When the database fails: what was not passed on is passed on the next time.
pub async fn pass_on(db: &PgPool, at: DateTime<Utc>, chance: &Chance) -> sqlx::Result<PassedOn> {
    let mut tx = begin(db).await?;
    let announced = partner_news::announced(&mut tx, BATCH).await?;
    let mut passed_on = PassedOn { announced: announced.len() as u64, deliveries: 0 };
    if announced.is_empty() {
        return Ok(passed_on);
    }
    if are_any(&mut tx).await? {
        let new = deliveries(&mut tx, &announced, (at, chance)).await?;
        for some in new.chunks(KEPT_AT_ONCE) {
            passed_on.deliveries += partner_deliveries::insert(&mut tx, some, at).await?;
        }
    }
    let positions: Vec<_> = announced.iter().map(|one| one.position).collect();
    partner_news::passed_on(&mut tx, &positions, at).await?;
    tx.commit().await?;
    Ok(passed_on)
}

async fn deliveries(
    db: &mut PgConnection,
    announced: &[Announced],
    (at, chance): (DateTime<Utc>, &Chance),
) -> sqlx::Result<Vec<NewDelivery>> {
    let mut events = Events::default();
    for one in announced {
        let Ok(conversion) = one.subject.parse::<ConversionId>() else { continue };
        events.ids.push(one.id.uuid());
        events.kinds.push(&one.kind);
        events.conversions.push(conversion.uuid());
        events.moments.push(one.created_at);
    }
    let news = partner_news::news(db, &events).await?;
    let clicks = partner_news::clicks(db, news.iter().filter_map(|one| one.click_id).collect()).await?;
    let delivery = |one: News| {
        let click = one.click_id.and_then(|id| clicks.get(&id));
        delivery(one, click, (at, chance))
    };
    Ok(news.into_iter().map(delivery).collect())
}

fn delivery(news: News, click: Option<&Clicked>, (at, chance): (DateTime<Utc>, &Chance)) -> NewDelivery {
    let template = news.url.parse::<Template>();
    let filled = template.ok().and_then(|template| template.fill(&values(&news, click)));
    let due_at = match filled {
        Some(_) => Ok(at),
        None => Err("What it is to be told makes the address too long, or none."),
    };
    NewDelivery {
        id: DeliveryId::new_at(at, chance),
        postback: news.postback_id,
        event: Some(news.event_id),
        conversion: Some(news.conversion_id),
        url: filled.map_or(news.url, String::from),
        kind: news.kind,
        due_at,
    }
}

fn values(news: &News, click: Option<&Clicked>) -> Values {
    let seconds = |moment: DateTime<Utc>| moment.timestamp().to_string();
    let amount = |minor: i64| decimal(minor.into(), news.currency);
    let of_click = |read: fn(&Clicked) -> String| click.map(read).unwrap_or_default();
    let payout = news.payout_minor.zip(news.payout_currency);
    let mut values = vec![
        (Macro::EventId, news.event_id.to_string()),
        (Macro::Type, news.kind.clone()),
        (Macro::ConversionId, news.conversion_id.to_string()),
        (Macro::ClickId, news.click_id.map(|id| id.to_string()).unwrap_or_default()),
        (Macro::ExternalClickId, of_click(|click| click.external_click_id.clone())),
        (Macro::Event, news.event.clone()),
        (Macro::EventKind, news.event_kind.name().to_owned()),
        (Macro::Status, news.status.name().to_owned()),
        (Macro::Reason, news.reason.map(|reason| reason.name().to_owned()).unwrap_or_default()),
        (Macro::Amount, amount(news.amount_minor)),
        (Macro::Reversed, amount(news.reversed_minor)),
        (Macro::Currency, news.currency.to_string()),
        (
            Macro::Payout,
            payout.map_or_else(|| "0".to_owned(), |(minor, currency)| decimal(minor.into(), currency)),
        ),
        (Macro::PayoutCurrency, payout.map(|(_, currency)| currency.to_string()).unwrap_or_default()),
        (Macro::AttributionWeight, weight(news.share_ppm)),
        (Macro::AttributionModel, news.model.clone()),
        (Macro::AffiliateId, news.affiliate_id.to_string()),
        (Macro::CampaignId, news.campaign_id.to_string()),
        (Macro::CampaignName, news.campaign_name.clone()),
        (Macro::LinkId, news.link_id.to_string()),
        (Macro::LinkCode, news.link_code.clone()),
        (Macro::Source, of_click(|click| click.source.clone())),
        (Macro::Uid, of_click(|click| click.uid.clone())),
        (Macro::Coupon, news.coupon.clone().unwrap_or_default()),
        (Macro::Country, of_click(|click| click.country.clone())),
        (Macro::Device, of_click(|click| click.device.name().to_owned())),
        (Macro::ClickTs, of_click(|click| click.occurred_at.timestamp().to_string())),
        (Macro::ConversionTs, seconds(news.occurred_at)),
        (Macro::Ts, seconds(news.happened_at)),
    ];
    values.extend(Macro::SUBS.into_iter().zip(click.iter().flat_map(|click| click.subs.iter().cloned())));
    values.extend(Macro::UTM.into_iter().zip(click.iter().flat_map(|click| click.utm.iter().cloned())));
    Values::of(values)
}

/// A part of the credit as a decimal number from 0 to 1.
fn weight(share_ppm: i64) -> String {
    let text = format!("{}.{:06}", share_ppm / 1_000_000, share_ppm % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use domain::{
        AffiliateId, CampaignId, ClickId, EventId, LinkId, PartnerPostbackId, campaign::EventKind,
        click::Device, conversion::ConversionStatus,
    };

    use super::*;

    fn news(at: DateTime<Utc>, chance: &Chance) -> News {
        let euro = "EUR".parse().unwrap();
        News {
            postback_id: PartnerPostbackId::new_at(at, chance),
            url: "https://t.example/".to_owned(),
            event_id: EventId::new_at(at, chance),
            kind: "conversion.created".to_owned(),
            happened_at: at,
            conversion_id: ConversionId::new_at(at, chance),
            affiliate_id: AffiliateId::new_at(at, chance),
            campaign_id: CampaignId::new_at(at, chance),
            campaign_name: "Spring".to_owned(),
            event: "sale".to_owned(),
            event_kind: EventKind::Sale,
            status: ConversionStatus::Pending,
            reason: None,
            amount_minor: 10_000,
            reversed_minor: 0,
            currency: euro,
            coupon: None,
            occurred_at: at,
            share_ppm: 500_000,
            model: "linear".to_owned(),
            payout_minor: Some(-250),
            payout_currency: Some(euro),
            click_id: Some(ClickId::new_at(at, chance)),
            link_id: LinkId::new_at(at, chance),
            link_code: "spring".to_owned(),
        }
    }

    fn click(id: ClickId, at: DateTime<Utc>) -> Clicked {
        let text = |text: &str| text.to_owned();
        Clicked {
            id,
            occurred_at: at,
            external_click_id: text("theirs"),
            subs: (1..=10).map(|number| format!("sub {number}")).collect(),
            utm: ["source", "medium", "campaign", "term", "content"].map(text).into(),
            source: text("mail"),
            uid: text("7"),
            country: text("DE"),
            device: Device::Desktop,
        }
    }

    #[test]
    fn every_macro_stands_for_something_and_is_in_the_manual() {
        let (at, chance) = (DateTime::from_timestamp(1_769_947_200, 0).unwrap(), Chance::seeded(1));
        let news = news(at, &chance);
        let values = values(&news, Some(&click(news.click_id.unwrap(), at)));
        let manual = include_str!("../../../docs/partner-postbacks.md");
        for name in Macro::ALL {
            assert!(values.get(*name).is_some(), "{name} stands for nothing");
            let is_told = Macro::SUBS.contains(name) || manual.contains(&format!("`{name}`"));
            assert!(is_told, "docs/partner-postbacks.md does not tell of {name}");
        }
        let told = [
            Macro::Amount,
            Macro::Payout,
            Macro::AttributionWeight,
            Macro::Sub10,
            Macro::UtmContent,
            Macro::ClickTs,
        ];
        let told = told.map(|name| values.get(name).unwrap().as_str());
        assert_eq!(told, ["100.00", "-2.50", "0.5", "sub 10", "content", "1769947200"]);
    }

    #[test]
    fn weights_are_decimal_numbers() {
        let all = [(1_000_000, "1"), (333_334, "0.333334"), (500_000, "0.5"), (0, "0")];
        for (ppm, text) in all {
            assert_eq!(weight(ppm), text);
        }
    }
}
