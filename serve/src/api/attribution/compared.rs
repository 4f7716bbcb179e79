//! How the credit for a campaign's conversions would have been divided between partners by each model there is, side by side.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AffiliateId, CampaignId, ConversionId, Currency, Money,
    attribution::{CLOCK_TOLERANCE, RuleName, Touch, TouchPath},
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tracking::{intake::credit, store::conversions::Share};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    query::{Query, malformed},
    text::Day,
};
use super::{NAME, said::parted, shares_of, travelled};
use crate::{
    app::App,
    attribution::{Divided, Journey, Travelled},
    store::{
        self,
        attribution::{Clicked, Counted},
        campaigns::Campaign,
    },
};

/// So many conversions are divided, those that were taken in last: more would take longer than somebody waits for a page.
pub(crate) const MOST: usize = 1_000;
/// How many days are looked at, unless told, and at most.
const DAYS: i64 = 30;
const MOST_DAYS: i64 = 400;
/// What the model that has learned does, whatever it knows of a journey.
const WORDS: &str = "What each touch added to the chance that the customer buys, as journeys have shown; everything to the \
                     last click where it has never seen one of the partners.";

/// The routes of this resource.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(compare))
}

/// Of which days.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ComparisonWanted {
    /// Of whom converted on this day or later; thirty days before the end, unless told.
    #[param(required = false, value_type = Day)]
    from: Option<Day>,
    /// Of whom converted on this day or earlier; until now, unless told.
    #[param(required = false, value_type = Day)]
    to: Option<Day>,
}

impl ComparisonWanted {
    /// The moments that the days lie between.
    fn span(&self, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Failure> {
        let before = self.to.map_or(now + CLOCK_TOLERANCE, Day::end);
        let from = self.from.map_or_else(|| before - TimeDelta::days(DAYS), Day::start);
        if before <= from {
            return Err(malformed("/to", "the last day is before the first one"));
        }
        if TimeDelta::days(MOST_DAYS) < before - from {
            return Err(malformed("/from", format!("at most {MOST_DAYS} days are compared at once")));
        }
        Ok((from, before))
    }
}

/// How each model would have divided the credit for a campaign's conversions between partners.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttributionComparison {
    /// In which campaign.
    pub(crate) campaign_id: CampaignId,
    /// Of whom converted from this moment on.
    pub(crate) from: DateTime<Utc>,
    /// Of whom converted before this moment.
    pub(crate) before: DateTime<Utc>,
    /// The campaign's rule as it is now.
    pub(crate) rule: RuleName,
    /// How many conversions were divided: pending, approved and on hold, with a touch within the campaign's window.
    pub(crate) conversions: u32,
    /// Whether there are more of them: only those that were taken in last are divided.
    pub(crate) has_more: bool,
    /// How many were left out beside them because nobody touched the customer within the window.
    pub(crate) untouched: u32,
    /// Of how many the clicks are not kept any more, so that only the touches that were credited are known.
    pub(crate) incomplete: u32,
    /// The models, in the order of each partner's `credits`.
    pub(crate) models: Vec<ComparedModel>,
    /// The partners, those first whom the model in force gives most; at last what is nobody's, where a model says so.
    pub(crate) partners: Vec<ComparedPartner>,
    /// What each model gives in all, in the order of `models`: each gives the same.
    pub(crate) totals: Vec<ComparedCredit>,
    /// What could not be asked, each in a sentence.
    pub(crate) degraded: Vec<String>,
}

/// A model that was asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedModel {
    /// A rule that campaigns choose from, or `learned`.
    #[schema(example = "linear")]
    pub(crate) model: String,
    /// Which version, of a model that has learned.
    pub(crate) version: Option<u32>,
    /// What it does, in a sentence.
    pub(crate) words: String,
    /// Whether the campaign divides by it.
    pub(crate) in_force: bool,
}

/// What a partner would have been credited with.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedPartner {
    /// Who; null for what would have happened anyway, and is nobody's.
    pub(crate) affiliate_id: Option<AffiliateId>,
    /// What it is called.
    pub(crate) name: Option<String>,
    /// By each model, in the order of `models`.
    pub(crate) credits: Vec<ComparedCredit>,
}

/// What one model gives somebody.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedCredit {
    /// Which model.
    pub(crate) model: String,
    /// Millionths of a conversion: the sum of the parts per million.
    pub(crate) conversions_ppm: i64,
    /// The same of what is left of the conversions' amounts, in each currency that there are any in.
    pub(crate) value: Vec<Money>,
    /// How many millionths of a conversion that is above what the model in force gives.
    pub(crate) difference_ppm: i64,
    /// How much that is above what the model in force gives.
    pub(crate) difference: Vec<Money>,
}

/// Compare the attribution models of a campaign: how each would have divided the credit for its conversions of some days
/// between partners, in conversions and in what was left of their amounts, and how far that is from what the model in force
/// gives. Counted are conversions that are pending, approved or on hold.
#[utoipa::path(get, path = "/campaigns/{id}/attribution-comparison", tag = "campaigns",
    operation_id = "attribution_comparison", params(("id" = CampaignId, Path), ComparisonWanted),
    responses((status = 200, description = "The comparison.", body = AttributionComparison)),
    security(("key" = ["conversions:read"])))]
async fn compare(
    app: State<App>,
    by: Caller,
    Id(id): Id<CampaignId>,
    Query(wanted): Query<ComparisonWanted>,
) -> Result<Json<AttributionComparison>, Failure> {
    by.must_be_operator()?;
    let span = wanted.span(app.clock.now())?;
    let mut db = app.db.acquire().await?;
    let campaign = store::campaigns::find(&mut db, id, None).await?.ok_or_else(|| Failure::not_found(id))?;
    of_campaign(&app, &mut db, &campaign, span).await.map(Json)
}

/// The same, of whom converted from a moment on and before another. It takes four statements at most, however many conversions and
/// partners there are.
pub(crate) async fn of_campaign(
    app: &App,
    db: &mut PgConnection,
    campaign: &Campaign,
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<AttributionComparison, Failure> {
    let reach = i64::try_from(MOST + 1).unwrap_or(i64::MAX);
    let mut counted = store::attribution::counted(db, campaign.id, span, reach).await?;
    let has_more = MOST < counted.len();
    counted.truncate(MOST);
    let all = counted.len();
    let mut sales = travels(db, campaign, counted).await?;
    sales.retain(|sale| !sale.path.touches().is_empty());
    let (learned, degraded) = match by_learned(app, campaign.id, &sales).await {
        Ok(learned) => (learned, None),
        Err(why) => (None, Some(why)),
    };
    let told = told(&sales, campaign.attribution, learned.as_deref());
    let whose: BTreeSet<AffiliateId> =
        told.iter().flat_map(|(_, tally)| tally.0.keys().copied().flatten()).collect();
    let ids: Vec<_> = whose.into_iter().map(AffiliateId::uuid).collect();
    let names = store::rings::names(db, &ids).await?;
    let currencies = currencies(campaign.currency, &sales);
    let (partners, totals) = table(&told, &names, &currencies);
    Ok(AttributionComparison {
        campaign_id: campaign.id,
        from: span.0,
        before: span.1,
        rule: campaign.attribution,
        conversions: many(sales.len()),
        has_more,
        untouched: many(all - sales.len()),
        incomplete: many(sales.iter().filter(|sale| sale.is_incomplete).count()),
        models: told.into_iter().map(|(model, _)| model).collect(),
        partners,
        totals,
        degraded: degraded.into_iter().collect(),
    })
}

fn many(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A conversion with the touches before it.
struct Travel {
    /// What is left of its amount.
    value: Money,
    path: TouchPath,
    /// What is kept of those touches.
    clicks: Vec<Clicked>,
    /// Whether its clicks are not kept any more.
    is_incomplete: bool,
}

/// The conversions with the touches before them, all read at once.
async fn travels(
    db: &mut PgConnection,
    campaign: &Campaign,
    counted: Vec<Counted>,
) -> sqlx::Result<Vec<Travel>> {
    let window = campaign.window_days.length();
    let mut clicked = store::attribution::journeys(db, (campaign.id, &counted), window).await?;
    let without = counted.iter().map(|one| one.id).filter(|id| !clicked.contains_key(id));
    let without: Vec<ConversionId> = without.collect();
    let mut credited = match without.is_empty() {
        true => BTreeMap::new(),
        false => store::attribution::credited(db, &without).await?,
    };
    let travel = |one: Counted| {
        let clicks = clicked.remove(&one.id).unwrap_or_default();
        let mut touches = credited.remove(&one.id).unwrap_or_default();
        touches.extend(clicks.iter().map(touch));
        Travel {
            value: one.value,
            path: TouchPath::within(window, one.occurred_at, touches),
            is_incomplete: one.click_id.is_some() && clicks.is_empty(),
            clicks,
        }
    };
    Ok(counted.into_iter().map(travel).collect())
}

fn touch(click: &Clicked) -> Touch {
    Touch { click: Some(click.id), link: click.link_id, affiliate: click.affiliate_id, at: click.occurred_at }
}

/// What the champion of `attribution` says of each conversion, if there is one; or why it cannot be asked.
async fn by_learned(
    app: &App,
    campaign: CampaignId,
    sales: &[Travel],
) -> Result<Option<Vec<Divided>>, String> {
    let touched = |sale: &Travel| -> Vec<Travelled> {
        sale.path.touches().iter().map(|touch| travelled(touch, &sale.clicks)).collect()
    };
    let touched: Vec<Vec<Travelled>> = sales.iter().map(touched).collect();
    let journeys: Vec<Journey<'_>> = sales
        .iter()
        .zip(&touched)
        .map(|(sale, touches)| Journey { campaign, converted_at: sale.path.converted_at(), touches })
        .collect();
    app.learned.divide_all(&app.models, &journeys).await
}

/// What somebody is given.
#[derive(Clone, Debug, Default)]
struct Sum {
    ppm: i64,
    minor: BTreeMap<Currency, i64>,
}

impl Sum {
    fn add(&mut self, ppm: u32, value: Money) {
        self.ppm += i64::from(ppm);
        let minor = self.minor.entry(value.currency).or_default();
        *minor = minor.saturating_add(value.minor);
    }

    fn of(&self, currency: Currency) -> i64 {
        self.minor.get(&currency).copied().unwrap_or_default()
    }

    fn join(mut self, other: &Self) -> Self {
        self.ppm += other.ppm;
        for (currency, more) in &other.minor {
            let minor = self.minor.entry(*currency).or_default();
            *minor = minor.saturating_add(*more);
        }
        self
    }
}

/// What a model gives whom; nobody's is under none.
#[derive(Debug, Default)]
struct Tally(BTreeMap<Option<AffiliateId>, Sum>);

impl Tally {
    /// Adds one conversion, to the minor unit as [`parted`] divides it.
    fn add(&mut self, value: Money, shares: &[Share], nobody: Option<u32>) {
        let values = parted(value, shares.iter(), nobody);
        let credited = shares.iter().map(|share| (Some(share.affiliate), share.ppm));
        let credited = credited.chain(nobody.map(|ppm| (None, ppm)));
        for ((whose, ppm), value) in credited.zip(values) {
            self.0.entry(whose).or_default().add(ppm, value);
        }
    }

    fn of(&self, whose: Option<AffiliateId>) -> Sum {
        self.0.get(&whose).cloned().unwrap_or_default()
    }

    fn all(&self) -> Sum {
        self.0.values().fold(Sum::default(), Sum::join)
    }
}

/// What each model gives whom of these conversions: every rule, and the model that has learned where it was asked.
fn told(sales: &[Travel], in_force: RuleName, learned: Option<&[Divided]>) -> Vec<(ComparedModel, Tally)> {
    let by_rule = |name: &RuleName| {
        let (name, rule, mut tally) = (*name, name.rule(), Tally::default());
        for sale in sales {
            tally.add(sale.value, &credit::divide(rule, &sale.path), None);
        }
        let (model, words) = (name.name().to_owned(), rule.doc().to_owned());
        (ComparedModel { model, version: None, words, in_force: name == in_force }, tally)
    };
    let mut all: Vec<_> = RuleName::ALL.iter().map(by_rule).collect();
    if let Some((first, divided)) = learned.and_then(|all| Some((all.first()?, all))) {
        let mut tally = Tally::default();
        for (sale, divided) in sales.iter().zip(divided) {
            let shares = shares_of(divided, &sale.path).into_iter().map(|(_, share)| share);
            tally.add(sale.value, &shares.collect::<Vec<_>>(), Some(divided.nobody));
        }
        let (model, words) = (NAME.to_owned(), WORDS.to_owned());
        all.push((ComparedModel { model, version: Some(first.version), words, in_force: false }, tally));
    }
    all
}

/// What conversions are worth is counted in these: the campaign's own first.
fn currencies(own: Currency, sales: &[Travel]) -> Vec<Currency> {
    let used: BTreeSet<Currency> = sales.iter().map(|sale| sale.value.currency).collect();
    let others = used.iter().copied().filter(|currency| *currency != own);
    used.get(&own).copied().into_iter().chain(others).collect()
}

/// A line for each partner, whom the model in force gives most first, and what each model gives in all.
fn table(
    told: &[(ComparedModel, Tally)],
    names: &BTreeMap<AffiliateId, String>,
    currencies: &[Currency],
) -> (Vec<ComparedPartner>, Vec<ComparedCredit>) {
    let in_force = told.iter().find(|(model, _)| model.in_force).map(|(_, tally)| tally);
    let line = |sum: &dyn Fn(&Tally) -> Sum| -> Vec<ComparedCredit> {
        let base = in_force.map(sum).unwrap_or_default();
        told.iter().map(|(model, tally)| credited(model, (&sum(tally), &base), currencies)).collect()
    };
    let whose = told.iter().flat_map(|(_, tally)| tally.0.iter());
    let whose: BTreeSet<_> = whose.filter(|(_, sum)| sum.ppm != 0).map(|(whose, _)| *whose).collect();
    let partner = |affiliate_id: Option<AffiliateId>| ComparedPartner {
        affiliate_id,
        name: affiliate_id.and_then(|id| names.get(&id).cloned()),
        credits: line(&|tally: &Tally| tally.of(affiliate_id)),
    };
    let mut partners: Vec<ComparedPartner> = whose.into_iter().map(partner).collect();
    let given = |partner: &ComparedPartner| {
        let own = partner.credits.iter().zip(told).find(|(_, (model, _))| model.in_force);
        own.map_or(0, |(credit, _)| credit.conversions_ppm)
    };
    partners.sort_by(|one, other| {
        let of = |partner: &ComparedPartner| (partner.affiliate_id.is_none(), -given(partner));
        of(one).cmp(&of(other)).then_with(|| one.name.cmp(&other.name))
    });
    (partners, line(&Tally::all))
}

fn credited(model: &ComparedModel, (sum, base): (&Sum, &Sum), currencies: &[Currency]) -> ComparedCredit {
    let above = |currency: Currency| sum.of(currency).saturating_sub(base.of(currency));
    ComparedCredit {
        model: model.model.clone(),
        conversions_ppm: sum.ppm,
        value: currencies.iter().map(|currency| Money::new(sum.of(*currency), *currency)).collect(),
        difference_ppm: sum.ppm - base.ppm,
        difference: currencies.iter().map(|currency| Money::new(above(*currency), *currency)).collect(),
    }
}
