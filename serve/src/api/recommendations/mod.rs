//! Who suits whom: campaigns for an affiliate, affiliates for a campaign, affiliates like those whom a campaign has, and
//! where affiliates are missing.

mod feedback;
mod log;
pub(crate) mod said;
pub(crate) mod team;
#[cfg(test)]
mod tests;

use std::sync::{Arc, atomic::Ordering::Relaxed};

use axum::{Json, extract::State};
use domain::{AdvertiserId, AffiliateId, CampaignId, Currency, RecommendationId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::said::{AffiliateMatch, AffiliateMatches, CampaignMatch, CampaignMatches, Head, Matched};
use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    query::{Query, malformed},
    text::{Country, Label},
};
use crate::{
    app::App,
    matching::{Asked, For, Joined, Known, Listed, METERS, ServedVersion},
    store::recommendations::{Around, KeptList, KeptPlace},
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(for_affiliate))
        .routes(routes!(for_campaign))
        .merge(team::routes())
        .merge(feedback::routes())
        .merge(log::routes())
}

/// How many places a list has, unless told.
const LIMIT: u32 = 10;
const MOST: u32 = 100;

fn places(limit: Option<u32>) -> Result<usize, Failure> {
    let limit = limit.unwrap_or(LIMIT);
    let wrong = || malformed("/limit", format!("it must be a whole number from 1 to {MOST}"));
    (1..=MOST).contains(&limit).then_some(limit as usize).ok_or_else(wrong)
}

/// Which campaigns are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CampaignsWanted {
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 10)]
    pub(crate) limit: Option<u32>,
    /// Only campaigns that count in this currency.
    pub(crate) currency: Option<Currency>,
    /// Only this advertiser's.
    pub(crate) advertiser_id: Option<AdvertiserId>,
}

impl CampaignsWanted {
    fn is_any(&self) -> bool {
        self.currency.is_some() || self.advertiser_id.is_some()
    }
}

/// Which affiliates are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AffiliatesWanted {
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 10)]
    pub(crate) limit: Option<u32>,
    /// Only affiliates in this country.
    pub(crate) country: Option<Country>,
    /// Only those whose visitors come from there.
    pub(crate) traffic_source: Option<Label>,
    /// Only those who publish this.
    pub(crate) content_type: Option<Label>,
}

impl AffiliatesWanted {
    fn is_any(&self) -> bool {
        self.country.is_some() || self.traffic_source.is_some() || self.content_type.is_some()
    }
}

/// List the campaigns that suit an affiliate best, with reasons: active ones that it has nothing to do with yet and that
/// nobody dismissed. Each list is logged with the chance of each place. An affiliate's own key sees its own, without scores.
#[utoipa::path(get, path = "/affiliates/{id}/recommendations", tag = "recommendations", operation_id = "for_affiliate",
    params(("id" = AffiliateId, Path), CampaignsWanted),
    responses((status = 200, description = "The list, best first.", body = CampaignMatches)),
    security(("key" = ["matches:read"])))]
async fn for_affiliate(
    app: State<App>,
    by: Caller,
    Id(id): Id<AffiliateId>,
    Query(wanted): Query<CampaignsWanted>,
) -> Result<Json<CampaignMatches>, Failure> {
    if by.affiliate.is_some_and(|own| own != id) {
        return Err(Failure::not_found(id));
    }
    campaigns(&app, id, &wanted, by.affiliate.is_some()).await.map(Json)
}

/// The campaigns that suit an affiliate best, logged; what they are worth to the platform may be hidden.
pub(crate) async fn campaigns(
    app: &App,
    id: AffiliateId,
    wanted: &CampaignsWanted,
    hidden: bool,
) -> Result<CampaignMatches, Failure> {
    let limit = places(wanted.limit)?;
    let (known, around) = look(app, For::Affiliate(id)).await?;
    let one = known.affiliate(id).ok_or_else(|| Failure::not_found(id))?;
    let is_wanted = |place: usize| {
        let card = &known.campaigns()[place];
        wanted.currency.is_none_or(|currency| currency == card.currency)
            && wanted.advertiser_id.is_none_or(|advertiser| advertiser == card.advertiser_id)
    };
    let asked = Asked {
        known: &known,
        one,
        holds_campaigns: true,
        around: &around,
        wanted: wanted.is_any().then_some(&is_wanted),
        limit,
        exploring: app.matching.exploring,
    };
    let (head, listed) = list(app, &asked, &known).await?;
    let ids: Vec<_> = listed.places.iter().map(|it| known.campaigns()[it.other].id.uuid()).collect();
    keep(app, &head, ("campaigns", id.uuid()), (&listed, &ids));
    let data = (1..).zip(&listed.places).map(|(rank, place)| {
        let card = &known.campaigns()[place.other];
        let at = Matched::new(rank, place, (&head, hidden));
        CampaignMatch { campaign_id: card.id, name: card.name.clone(), advertiser_id: card.advertiser_id, at }
    });
    Ok(CampaignMatches { affiliate_id: id, data: data.collect(), head: head.shown(hidden) })
}

/// List the affiliates that suit a campaign best, with reasons: approved ones that have nothing to do with it yet and that
/// nobody dismissed. Each list is logged with the chance of each place.
#[utoipa::path(get, path = "/campaigns/{id}/recommendations", tag = "recommendations", operation_id = "for_campaign",
    params(("id" = CampaignId, Path), AffiliatesWanted),
    responses((status = 200, description = "The list, best first.", body = AffiliateMatches)),
    security(("key" = ["matches:read"])))]
async fn for_campaign(
    app: State<App>,
    by: Caller,
    Id(id): Id<CampaignId>,
    Query(wanted): Query<AffiliatesWanted>,
) -> Result<Json<AffiliateMatches>, Failure> {
    by.must_be_operator()?;
    affiliates(&app, id, &wanted).await.map(Json)
}

/// The affiliates that suit a campaign best, logged.
pub(crate) async fn affiliates(
    app: &App,
    id: CampaignId,
    wanted: &AffiliatesWanted,
) -> Result<AffiliateMatches, Failure> {
    let limit = places(wanted.limit)?;
    let (known, around) = look(app, For::Campaign(id)).await?;
    let one = known.campaign(id).ok_or_else(|| Failure::not_found(id))?;
    let is =
        |wanted: Option<&str>, found: &Option<String>| wanted.is_none_or(|it| found.as_deref() == Some(it));
    let is_wanted = |place: usize| {
        let card = &known.affiliates()[place];
        is(wanted.country.as_ref().map(Country::as_str), &card.country)
            && is(wanted.traffic_source.as_ref().map(Label::as_str), &card.traffic_source)
            && is(wanted.content_type.as_ref().map(Label::as_str), &card.content_type)
    };
    let asked = Asked {
        known: &known,
        one,
        holds_campaigns: false,
        around: &around,
        wanted: wanted.is_any().then_some(&is_wanted),
        limit,
        exploring: app.matching.exploring,
    };
    let (head, listed) = list(app, &asked, &known).await?;
    let ids: Vec<_> = listed.places.iter().map(|it| known.affiliates()[it.other].id.uuid()).collect();
    keep(app, &head, ("affiliates", id.uuid()), (&listed, &ids));
    let data = (1..).zip(&listed.places).map(|(rank, place)| {
        let card = &known.affiliates()[place.other];
        let at = Matched::new(rank, place, (&head, false));
        AffiliateMatch { affiliate_id: card.id, name: card.name.clone(), country: card.country.clone(), at }
    });
    Ok(AffiliateMatches { campaign_id: id, data: data.collect(), head: head.shown(false) })
}

async fn look(app: &App, whose: For) -> Result<(Arc<Known>, Around), Failure> {
    Ok(app.matching.look(&mut *app.db.acquire().await?, whose).await?)
}

/// The version that lists are made by, or why there is none.
fn version(app: &App) -> Result<Arc<ServedVersion>, String> {
    let nothing = || match (app.models.fault(), app.models.has_looked(), app.models.registry()) {
        (Some(fault), _, _) => fault,
        (None, _, None) => "this service has no registry of models: start it with --registry".to_owned(),
        (None, false, _) => "the models are not loaded yet".to_owned(),
        (None, true, _) => {
            "no version of match is champion: promote one with tributary-train models promote".to_owned()
        }
    };
    app.models.matches().version().map_err(|fault| fault.unwrap_or_else(nothing))
}

/// Makes a list by the version that serves, or else by the records, and says which.
async fn list(app: &App, asked: &Asked<'_>, known: &Arc<Known>) -> Result<(Head, Listed), Failure> {
    let broken = |error: models::explore::RateError| Failure::Broken(error.into());
    let why = match version(app) {
        Err(why) => why,
        Ok(version) => {
            let joined: Arc<Joined> = app.matching.joined(&version, known);
            if let Some(listed) = asked.by_version(&joined, &app.chance).map_err(broken)? {
                return Ok((Head::by_version(app, &version, listed.basis), listed));
            }
            format!("{} {} knows nothing that it could compare it by", version.model, version.version)
        }
    };
    METERS.degraded.fetch_add(1, Relaxed);
    let records = app.matching.records(app, known).await?;
    let listed = asked.by_records(&records, &app.chance).map_err(broken)?;
    Ok((Head::by_records(app, why), listed))
}

/// Notes what was served, to be written down without this request.
fn keep(
    app: &App,
    head: &Head,
    (holds, for_id): (&'static str, uuid::Uuid),
    (listed, ids): (&Listed, &[uuid::Uuid]),
) {
    METERS.served.fetch_add(1, Relaxed);
    let places = listed.places.iter().zip(ids).map(|(place, id)| KeptPlace {
        id: *id,
        score: place.score,
        propensity: place.propensity,
        explored: place.explored,
    });
    let kept = KeptList {
        id: head.list_id,
        holds,
        for_id,
        model: head.model_name().to_owned(),
        model_version: head.model_version(),
        exploring: app.matching.exploring,
        places: places.collect(),
        served_at: head.at,
    };
    app.matching.journal.note(kept, &app.db);
}

/// The id of a new list.
fn list_id(app: &App) -> RecommendationId {
    RecommendationId::new(&app.clock, &app.chance)
}
