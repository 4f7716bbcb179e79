//! What lists say.

use chrono::{DateTime, Utc};
use domain::{AdvertiserId, AffiliateId, CampaignId, RecommendationId};
use models::matching::Reason;
use serde::Serialize;
use utoipa::ToSchema;

use super::list_id;
use crate::{
    app::App,
    matching::{Basis, Place, ServedVersion},
};

/// What a list by the records is called in the log.
const RECORDS: &str = "records";

/// The version that a list is made by.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MatchModel {
    /// What the model is called.
    pub name: String,
    /// Which of its versions.
    pub version: u32,
    /// By which family of models.
    pub family: String,
    /// The first instant that it does not know of.
    pub as_of: DateTime<Utc>,
}

impl MatchModel {
    pub(super) fn of(version: &ServedVersion) -> Self {
        Self {
            name: version.model.to_string(),
            version: version.version.0,
            family: version.family.clone(),
            as_of: version.as_of,
        }
    }
}

/// What holds for all places of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Head {
    /// The list, for feedback and in the log.
    pub list_id: RecommendationId,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// By which version; null where the records alone say it.
    pub model: Option<MatchModel>,
    /// Whether no version could be asked.
    pub degraded: bool,
    /// Why not.
    pub because: Option<String>,
    /// What the list rests on.
    pub basis: Basis,
    /// The same in a sentence.
    pub basis_words: &'static str,
    /// What scores are; null where they only put into an order.
    pub unit: Option<String>,
    /// What expected values are in.
    pub currency: Option<String>,
    /// The rate at which chance fills places.
    pub exploring: f64,
    #[serde(skip)]
    is_value: bool,
}

fn words(basis: Basis) -> &'static str {
    match basis {
        Basis::History => "by what it has brought so far and what is told of it",
        Basis::Profile => "it is too new for a history: by what its record tells of it",
        Basis::Popular => {
            "it is too new for a history, and its record tells nothing that the model knows: what suits most"
        }
        Basis::Records => "by the counters of links, and what affiliates have in common",
    }
}

impl Head {
    pub(super) fn by_version(app: &App, version: &ServedVersion, basis: Basis) -> Self {
        let (ranker, matches) = (&version.ranker, version.ranker.matches());
        let is_value = ranker.is_value();
        Self {
            list_id: list_id(app),
            at: app.clock.now(),
            model: Some(MatchModel::of(version)),
            degraded: false,
            because: None,
            basis,
            basis_words: words(basis),
            unit: is_value.then(|| matches.unit.clone()),
            currency: matches.currency.clone().filter(|_| is_value),
            exploring: app.matching.exploring,
            is_value,
        }
    }

    pub(super) fn by_records(app: &App, because: String) -> Self {
        Self {
            list_id: list_id(app),
            at: app.clock.now(),
            model: None,
            degraded: true,
            because: Some(because),
            basis: Basis::Records,
            basis_words: words(Basis::Records),
            unit: Some("conversions per click".to_owned()),
            currency: None,
            exploring: app.matching.exploring,
            is_value: false,
        }
    }

    pub(super) fn model_name(&self) -> &str {
        self.model.as_ref().map_or(RECORDS, |model| &model.name)
    }

    pub(super) fn model_version(&self) -> Option<i32> {
        self.model.as_ref().and_then(|model| i32::try_from(model.version).ok())
    }

    /// What an affiliate sees says nothing of what clicks are worth to the platform.
    pub(super) fn shown(self, hidden: bool) -> Self {
        if hidden { Self { unit: None, currency: None, because: None, ..self } } else { self }
    }
}

/// A part of a score.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MatchReason {
    /// What it comes from.
    pub(crate) words: String,
    /// How much of the score comes from it; null in what an affiliate sees.
    pub(crate) adds: Option<f64>,
}

/// A place of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Matched {
    /// From 1 on.
    pub(crate) rank: u32,
    /// The higher the better: scores of one list compare with each other. Null where chance chose whom nobody can score, and
    /// in what an affiliate sees.
    pub(crate) score: Option<f64>,
    /// What the pair is expected to be worth, where the model predicts that.
    pub(crate) expected_value: Option<f64>,
    /// Why, in a line.
    pub(crate) why: String,
    /// What adds most to the score.
    pub(crate) reasons: Vec<MatchReason>,
    /// The chance that the place had this one, given those before it.
    pub(crate) propensity: f64,
    /// Whether chance chose it rather than the score.
    pub(crate) explored: bool,
    /// Whether it is too new for the model to have learned from it.
    pub(crate) newcomer: bool,
}

impl Matched {
    pub(super) fn new(rank: u32, place: &Place, (head, hidden): (&Head, bool)) -> Self {
        let reason = |reason: &Reason| MatchReason {
            words: reason.words.clone(),
            adds: Some(reason.adds).filter(|_| !hidden),
        };
        let score = place.score.filter(|_| !hidden);
        let briefly = if place.briefly.is_empty() {
            "nothing sets it apart".to_owned()
        } else {
            format!("because of {}", place.briefly.join(", "))
        };
        Self {
            rank,
            score,
            expected_value: score.filter(|_| head.is_value),
            why: if hidden { briefly } else { place.why.clone() },
            reasons: place.reasons.iter().map(reason).collect(),
            propensity: place.propensity,
            explored: place.explored,
            newcomer: place.is_new,
        }
    }
}

/// A campaign that suits an affiliate.
#[derive(Debug, Serialize, ToSchema)]
pub struct CampaignMatch {
    /// Which.
    pub campaign_id: CampaignId,
    /// What it is called.
    pub name: String,
    /// Whose it is.
    pub advertiser_id: AdvertiserId,
    #[serde(flatten)]
    pub at: Matched,
}

/// An affiliate that suits a campaign.
#[derive(Debug, Serialize, ToSchema)]
pub struct AffiliateMatch {
    /// Which.
    pub affiliate_id: AffiliateId,
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub country: Option<String>,
    #[serde(flatten)]
    pub at: Matched,
}

/// Campaigns that suit an affiliate, best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct CampaignMatches {
    /// For whom.
    pub affiliate_id: AffiliateId,
    #[serde(flatten)]
    pub head: Head,
    /// The places.
    pub data: Vec<CampaignMatch>,
}

/// Affiliates that suit a campaign, best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AffiliateMatches {
    /// For which.
    pub campaign_id: CampaignId,
    #[serde(flatten)]
    pub head: Head,
    /// The places.
    pub data: Vec<AffiliateMatch>,
}
