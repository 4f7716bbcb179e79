//! What partnership teams ask besides: who is like a campaign's best affiliates, and where affiliates are missing.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{AffiliateId, CampaignId};
use models::{best::Eligible, matching::Part};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Query, look, places, said::MatchModel, version};
use crate::{
    api::{body::Id, failure::Failure, gate::Caller},
    app::App,
    matching::{Asked, For, Joined, Known, ServedVersion},
};

/// The routes of this resource.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(lookalikes)).routes(routes!(coverage_gaps))
}

/// How many are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TeamWanted {
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 10)]
    limit: Option<u32>,
}

/// An affiliate like a campaign's best ones.
#[derive(Debug, Serialize, ToSchema)]
pub struct Lookalike {
    /// Who.
    pub(crate) affiliate_id: AffiliateId,
    /// What it is called.
    pub(crate) name: String,
    /// From 0 to 1: half by what is told of both, half by what both had to do with.
    pub(crate) likeness: f64,
    /// Whom it is like.
    pub(crate) like: Vec<String>,
    /// What both have, and how much of the likeness that is.
    pub(crate) why: String,
}

/// Affiliates like a campaign's best ones, most alike first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Lookalikes {
    /// Of which.
    campaign_id: CampaignId,
    /// By which version; null where nothing is known.
    model: Option<MatchModel>,
    /// Up to when that knows what happened.
    as_of: Option<DateTime<Utc>>,
    /// Why nothing is known, if so.
    pub(crate) because: Option<String>,
    /// Those who are approved, have nothing to do with the campaign yet, and were not dismissed.
    pub(crate) data: Vec<Lookalike>,
}

/// List affiliates who are like the best ones of a campaign and have nothing to do with it yet, as the version that serves
/// found them.
#[utoipa::path(get, path = "/campaigns/{id}/lookalikes", tag = "recommendations", operation_id = "lookalikes",
    params(("id" = CampaignId, Path), TeamWanted),
    responses((status = 200, description = "The affiliates.", body = Lookalikes)),
    security(("key" = ["matches:read"])))]
async fn lookalikes(
    app: State<App>,
    by: Caller,
    Id(id): Id<CampaignId>,
    Query(wanted): Query<TeamWanted>,
) -> Result<Json<Lookalikes>, Failure> {
    by.must_be_operator()?;
    like_its_best(&app, id, places(wanted.limit)?).await.map(Json)
}

/// Who is like the best ones of a campaign, as the version that serves found them.
pub(crate) async fn like_its_best(app: &App, id: CampaignId, limit: usize) -> Result<Lookalikes, Failure> {
    let (known, around) = look(app, For::Campaign(id)).await?;
    let one = known.campaign(id).ok_or_else(|| Failure::not_found(id))?;
    let nothing = |model: Option<MatchModel>, because: String| {
        let as_of = model.as_ref().map(|model| model.as_of);
        Ok(Lookalikes { campaign_id: id, model, as_of, because: Some(because), data: Vec::new() })
    };
    let version = match version(app) {
        Ok(version) => version,
        Err(why) => return nothing(None, why),
    };
    let model = MatchModel::of(&version);
    let ranker = &version.ranker;
    let table = ranker.matches().lookalikes.as_ref().filter(|_| version.affiliates == Part::User);
    let Some(table) = table else {
        let why = "the version has none: train it with --lookalikes, and affiliates as its users".to_owned();
        return nothing(Some(model), why);
    };
    let Some(number) = ranker.known(Part::Item, &id.to_string()).and_then(|party| party.number()) else {
        return nothing(Some(model), "the campaign is newer than the version".to_owned());
    };
    let joined = app.matching.joined(&version, &known);
    let asked = Asked {
        known: &known,
        one,
        holds_campaigns: false,
        around: &around,
        wanted: None,
        limit,
        exploring: 0.0,
    };
    let open = asked.open_now(&joined);
    let like = |like: &models::matching::Like| lookalike(like, (&joined, &known), &open);
    let data = table[number as usize].iter().filter_map(like).take(limit).collect();
    Ok(Lookalikes { campaign_id: id, as_of: Some(model.as_of), model: Some(model), because: None, data })
}

/// Somebody who is like others; none where it may not be shown.
fn lookalike(
    like: &models::matching::Like,
    (joined, known): (&Joined, &Known),
    open: &Eligible,
) -> Option<Lookalike> {
    let place = |user: &u32| joined.side(false).places.get(user).map(|place| *place as usize);
    let shown = place(&like.user).filter(|place| open.contains(*place))?;
    let card = &known.affiliates()[shown];
    let name = |user: &u32| Some(known.affiliates()[place(user)?].name.clone());
    Some(Lookalike {
        affiliate_id: card.id,
        name: card.name.clone(),
        likeness: like.likeness,
        like: like.like.iter().filter_map(name).collect(),
        why: like.reason.clone(),
    })
}

/// A part of the description of a segment.
#[derive(Debug, Serialize, ToSchema)]
pub struct SegmentWord {
    /// What it is about, such as a country.
    pub(crate) column: String,
    /// What it says of that.
    pub(crate) word: String,
}

/// What those have whose pairs were worth more.
#[derive(Debug, Serialize, ToSchema)]
pub struct Recruit {
    /// What they have.
    pub(crate) words: String,
    /// By how much their pairs were worth more.
    pub(crate) adds: f64,
}

/// A segment that more campaigns ask for than affiliates serve.
#[derive(Debug, Serialize, ToSchema)]
pub struct CoverageGap {
    /// Which.
    pub(crate) segment: Vec<SegmentWord>,
    /// How many campaigns ask for it.
    pub(crate) campaigns: u32,
    /// How many affiliates have it.
    pub(crate) affiliates: u32,
    /// How many more campaigns than affiliates.
    pub(crate) missing: u32,
    /// What pairs of these campaigns are worth.
    pub(crate) expected_value: f64,
    /// Whom to recruit: what else the affiliates had whose pairs were worth more.
    pub(crate) recruit: Vec<Recruit>,
}

/// Segments that more campaigns ask for than affiliates serve, those first that miss most.
#[derive(Debug, Serialize, ToSchema)]
pub struct CoverageGaps {
    /// By which version; null where nothing is known.
    model: Option<MatchModel>,
    /// Up to when that knows what happened.
    as_of: Option<DateTime<Utc>>,
    /// Why nothing is known, if so.
    pub(crate) because: Option<String>,
    /// The segments.
    pub(crate) data: Vec<CoverageGap>,
}

/// List the segments that more campaigns ask for than affiliates serve, with the profile to recruit, as the version that
/// serves found them.
#[utoipa::path(get, path = "/coverage-gaps", tag = "recommendations", operation_id = "coverage_gaps",
    params(TeamWanted),
    responses((status = 200, description = "The segments.", body = CoverageGaps)),
    security(("key" = ["matches:read"])))]
async fn coverage_gaps(
    app: State<App>,
    by: Caller,
    Query(wanted): Query<TeamWanted>,
) -> Result<Json<CoverageGaps>, Failure> {
    by.must_be_operator()?;
    Ok(Json(missing(&app, places(wanted.limit)?)))
}

/// The segments that more campaigns ask for than affiliates serve, as the version that serves found them.
pub(crate) fn missing(app: &App, limit: usize) -> CoverageGaps {
    let version = match version(app) {
        Ok(version) => version,
        Err(why) => {
            return CoverageGaps { model: None, as_of: None, because: Some(why), data: Vec::new() };
        }
    };
    let (model, as_of) = (Some(MatchModel::of(&version)), Some(version.as_of));
    let Some(data) = gaps(&version, limit) else {
        let why = "the version has none: train it with --gaps, and affiliates as its users".to_owned();
        return CoverageGaps { model, as_of, because: Some(why), data: Vec::new() };
    };
    CoverageGaps { model, as_of, because: None, data }
}

fn gaps(version: &ServedVersion, limit: usize) -> Option<Vec<CoverageGap>> {
    let gaps = version.ranker.matches().gaps.as_ref().filter(|_| version.affiliates == Part::User)?;
    let gap = |gap: &models::matching::Gap| CoverageGap {
        segment: gap
            .segment
            .iter()
            .map(|(column, word)| SegmentWord { column: column.clone(), word: word.clone() })
            .collect(),
        campaigns: gap.items,
        affiliates: gap.users,
        missing: gap.items.saturating_sub(gap.users),
        expected_value: gap.expected_value,
        recruit: gap
            .recruit
            .iter()
            .map(|(words, adds)| Recruit { words: words.clone(), adds: *adds })
            .collect(),
    };
    Some(gaps.iter().take(limit).map(gap).collect())
}
