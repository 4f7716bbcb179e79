//! What happened becomes what addresses are told: each event once for each address that wants it, with its macros filled in.

use chrono::{DateTime, Utc};
use domain::{
    Chance, ConversionId, DeliveryId,
    money::decimal,
    postback::{Macro, Occasion, Template, Values},
};
use sqlx::{PgConnection, PgPool};
use tracking::store::begin;

use crate::store::{
    partner_deliveries::{self, NewDelivery},
    partner_news::{self, Announced, Events, News},
    partner_postbacks::are_any,
};

/// So many announcements are looked at in one transaction.
const BATCH: i64 = 1_000;

/// Passes on what was announced since the last time; says how many deliveries that makes.
///
/// # Errors
/// When the database fails: what was not passed on is passed on the next time.
pub async fn pass_on(db: &PgPool, at: DateTime<Utc>, chance: &Chance) -> sqlx::Result<u64> {
    let mut made = 0;
    loop {
        let mut tx = begin(db).await?;
        let announced = partner_news::announced(&mut tx, BATCH).await?;
        if announced.is_empty() {
            return Ok(made);
        }
        if are_any(&mut tx).await? {
            let new = deliveries(&mut tx, &announced, (at, chance)).await?;
            made += partner_deliveries::insert(&mut tx, &new, at).await?;
        }
        let positions: Vec<_> = announced.iter().map(|one| one.position).collect();
        partner_news::told(&mut tx, &positions, at).await?;
        tx.commit().await?;
    }
}

async fn deliveries(
    db: &mut PgConnection,
    announced: &[Announced],
    (at, chance): (DateTime<Utc>, &Chance),
) -> sqlx::Result<Vec<NewDelivery>> {
    let mut events = Events::default();
    for one in announced.iter().filter(|one| one.kind.parse::<Occasion>().is_ok()) {
        let Ok(conversion) = one.subject.parse::<ConversionId>() else { continue };
        events.ids.push(one.id.uuid());
        events.kinds.push(&one.kind);
        events.conversions.push(conversion.uuid());
        events.moments.push(one.created_at);
    }
    if events.ids.is_empty() {
        return Ok(Vec::new());
    }
    let news = partner_news::news(db, &events).await?;
    Ok(news.into_iter().filter_map(|one| delivery(one, at, chance)).collect())
}

/// None where a partner's address is none with what it is to be told.
fn delivery(news: News, at: DateTime<Utc>, chance: &Chance) -> Option<NewDelivery> {
    let filled = news.url.parse::<Template>().ok().and_then(|template| template.fill(&values(&news)));
    if filled.is_none() {
        let (postback, event) = (news.postback_id, news.event_id);
        tracing::warn!(%postback, %event, "the address of {postback} is none when it is filled in for {event}");
    }
    Some(NewDelivery {
        id: DeliveryId::new_at(at, chance),
        postback: news.postback_id,
        event: Some(news.event_id),
        conversion: Some(news.conversion_id),
        url: filled?.into(),
        kind: news.kind,
        due_at: at,
    })
}

fn values(news: &News) -> Values {
    let seconds = |moment: DateTime<Utc>| moment.timestamp().to_string();
    let amount = |minor: i64| decimal(minor.into(), news.currency);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let payout = news.payout_minor.zip(news.payout_currency);
    let mut values = vec![
        (Macro::EventId, news.event_id.to_string()),
        (Macro::Type, news.kind.clone()),
        (Macro::ConversionId, news.conversion_id.to_string()),
        (Macro::ClickId, news.click_id.map(|id| id.to_string()).unwrap_or_default()),
        (Macro::ExternalClickId, text(&news.external_click_id)),
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
        (Macro::Source, text(&news.source)),
        (Macro::Uid, text(&news.uid)),
        (Macro::Coupon, text(&news.coupon)),
        (Macro::Country, text(&news.country)),
        (Macro::Device, news.device.map(|device| device.name().to_owned()).unwrap_or_default()),
        (Macro::ClickTs, news.clicked_at.map(seconds).unwrap_or_default()),
        (Macro::ConversionTs, seconds(news.occurred_at)),
        (Macro::Ts, seconds(news.happened_at)),
    ];
    values.extend(Macro::SUBS.into_iter().zip(news.subs.iter().flatten().cloned()));
    values.extend(Macro::UTM.into_iter().zip(news.utm.iter().flatten().cloned()));
    Values::of(values)
}

/// A part of the credit as a decimal number from 0 to 1.
fn weight(share_ppm: i64) -> String {
    let text = format!("{}.{:06}", share_ppm / 1_000_000, share_ppm % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn weights_are_decimal_numbers() {
        let all = [(1_000_000, "1"), (333_334, "0.333334"), (500_000, "0.5"), (0, "0")];
        for (ppm, text) in all {
            assert_eq!(weight(ppm), text);
        }
    }
}
