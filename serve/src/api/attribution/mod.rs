//! How the credit for a conversion is divided: under the campaign's rule, to the cent, and by each other model there is.

mod asked;
pub(crate) mod compared;
pub(crate) mod said;
#[cfg(test)]
mod tests;

use axum::{extract::State, http::StatusCode, response::Response};
use domain::{
    AffiliateId, ClickId, ConversionId,
    attribution::{RuleName, Touch, TouchPath},
    click::Device,
};
use sqlx::PgConnection;
use tracking::{
    intake::credit::{self, Sold, Terms},
    store::{conversions::Share, plans::Campaign},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    asked::{Meant, ToAttribute},
    said::{AttributedTouch, Attribution, Says},
};
use super::{failure::Failure, once::Once};
use crate::{
    app::App,
    attribution::{Divided, Journey, Travelled},
    store::{self, attribution::Clicked},
};

/// What the model that has learned is called among the others.
const NAME: &str = "learned";

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(attribute)).merge(compared::routes())
}

/// Divide the credit for a conversion: the touches before it, each one's share and money under the campaign's rule, and what
/// each other model would have said and paid. Of a stored conversion, or of one that is told with its touches. Nothing is
/// recorded but the answer to a request with an idempotency key. An affiliate's own key asks about conversions that it has
/// credit for, and sees others' touches without their names.
#[utoipa::path(post, path = "/attribute", tag = "conversions", request_body = ToAttribute,
    responses((status = 200, description = "The division.", body = Attribution)),
    security(("key" = ["conversions:read"])))]
async fn attribute(app: State<App>, once: Once<ToAttribute>) -> Result<Response, Failure> {
    let Once { by, body, mut effect } = once;
    let meant = body.find(&mut effect, &by).await?;
    let answer = divided(&app, &mut effect, meant, by.affiliate).await?;
    effect.answer(StatusCode::OK, &answer).await
}

/// The same of a stored conversion, as an affiliate who has credit for it may see it.
pub(crate) async fn of_stored(
    app: &App,
    db: &mut PgConnection,
    id: ConversionId,
    seen_by: AffiliateId,
) -> Result<Attribution, Failure> {
    let meant = ToAttribute::default().stored(db, id, Some(seen_by)).await?;
    divided(app, db, meant, Some(seen_by)).await
}

async fn divided(
    app: &App,
    db: &mut PgConnection,
    meant: Meant,
    seen_by: Option<AffiliateId>,
) -> Result<Attribution, Failure> {
    let Meant { conversion_id, campaign, event: (event, kind), amount, path, recorded, incomplete_because } =
        meant;
    let converted_at = path.converted_at();
    let sold = Sold { campaign: campaign.id, event: &event, kind, amount, at: converted_at };
    let touchers = path.touches().iter().map(|touch| touch.affiliate);
    let terms = Terms::read(db, sold, touchers, &[]).await?;
    let mut says: Vec<Says> =
        RuleName::ALL.iter().map(|rule| by_rule(*rule, campaign.attribution, &path)).collect();
    let mut degraded = Vec::new();
    match by_learned(app, db, &campaign, &path).await? {
        Ok(learned) => says.extend(learned),
        Err(why) => degraded.push(why),
    }
    let models = says.into_iter().map(|says| says.worth((sold, &terms), seen_by)).collect();
    let shown = |(touch, number)| AttributedTouch::new(number, touch, (converted_at, seen_by));
    let touches = path.touches().iter().zip(1..).map(shown).collect();
    Ok(Attribution {
        conversion_id,
        campaign_id: campaign.id,
        amount,
        converted_at,
        window_days: campaign.window.days(),
        rule: campaign.attribution,
        touches,
        incomplete_because,
        recorded,
        models,
        degraded,
        event,
    })
}

fn by_rule(rule: RuleName, in_force: RuleName, path: &TouchPath) -> Says {
    let shares = credit::divide(rule.rule(), path).into_iter();
    Says {
        model: rule.name().to_owned(),
        version: None,
        words: rule.rule().doc().to_owned(),
        in_force: rule == in_force,
        shares: shares.map(|share| (number(path, &share), share)).collect(),
        nobody: None,
    }
}

/// Which of the touches it is the share of, from 1 on.
fn number(path: &TouchPath, share: &Share) -> u32 {
    let is = |touch: &Touch| touch.click == share.click && Some(touch.at) == share.touched_at;
    let place = path.touches().iter().position(is).unwrap_or_default();
    u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1)
}

/// What the champion of `attribution` says, if there is one; or why it cannot be asked. A coupon's order is the coupon's.
async fn by_learned(
    app: &App,
    db: &mut PgConnection,
    campaign: &Campaign,
    path: &TouchPath,
) -> sqlx::Result<Result<Option<Says>, String>> {
    let clicks: Vec<ClickId> = path.touches().iter().filter_map(|touch| touch.click).collect();
    if path.touches().is_empty() {
        return Ok(Ok(None));
    }
    let seen = store::attribution::clicks(db, &clicks).await?;
    let touches: Vec<Travelled> = path.touches().iter().map(|touch| travelled(touch, &seen)).collect();
    let journey = Journey { campaign: campaign.id, converted_at: path.converted_at(), touches: &touches };
    let divided = match app.learned.divide(&app.models, &journey).await {
        Ok(Some(divided)) => divided,
        Ok(None) => return Ok(Ok(None)),
        Err(why) => return Ok(Err(why)),
    };
    let words = if divided.is_by_rule {
        "It has never seen one of these partners, and gives everything to the last click."
    } else {
        "What each touch added to the chance that the customer buys, as journeys like this one have shown."
    };
    Ok(Ok(Some(Says {
        model: NAME.to_owned(),
        version: Some(divided.version),
        words: words.to_owned(),
        in_force: false,
        shares: shares_of(&divided, path),
        nobody: Some(divided.nobody),
    })))
}

/// Who gets how much as the model that has learned divides a journey, with the numbers of touches.
fn shares_of(divided: &Divided, path: &TouchPath) -> Vec<(u32, Share)> {
    let parts = path.touches().iter().zip(&divided.touches).zip(1..).filter(|((_, ppm), _)| 0 < **ppm);
    parts.map(|((touch, ppm), number)| (number, credit::share_of(NAME, touch, *ppm))).collect()
}

fn travelled(touch: &Touch, seen: &[Clicked]) -> Travelled {
    let click = seen.iter().find(|click| Some(click.id) == touch.click);
    Travelled {
        affiliate: touch.affiliate,
        source: click.map(|click| click.source.clone()).unwrap_or_default(),
        device: click.map_or(Device::Unknown, |click| click.device),
        at: touch.at,
    }
}
