//! What a batch of decisions is held against: contracts, terms, and what was decided before, one decision after the other.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, RateContractId,
    commission::{
        Rule, Timeline, Version,
        dynamic::{RateDecision, Refusal, Standing},
    },
};
use sqlx::PgConnection;

use super::NewRateDecision;
use crate::store::{
    self,
    campaigns::Plan,
    rate_contracts::RateContract,
    rate_decisions::{Occasion, known},
};

/// Whose rate, and in which campaign.
pub(super) type Place = (AffiliateId, CampaignId);

/// Why one decision of a batch is not taken up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Misfit {
    /// Nobody agreed to a rate that moves, or there is no such affiliate or campaign.
    #[error("{0} has no contract about its rate in {1}; enter one under /campaigns/{{id}}/rate-contracts")]
    NoContract(AffiliateId, CampaignId),
    /// There is no rate to move.
    #[error("the plan in force pays no single rate of the order, which a decision could move")]
    NoRate,
    /// An own plan would beat what the campaign has announced for everybody.
    #[error(
        "the campaign's plan changes more than the rate on {0}, which the affiliate's own plan would keep out; let the decision take effect then or later"
    )]
    KeepsOut(DateTime<Utc>),
    /// The batch has it twice, or it was recorded before.
    #[error("what this policy decided then is recorded already, or comes twice")]
    Twice,
    /// It is not what the contract admits.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Misfit {
    /// The field of the decision that it is about.
    pub(super) const fn field(&self) -> &'static str {
        match self {
            Self::NoContract(..) => "affiliate_id",
            Self::NoRate => "campaign_id",
            Self::KeepsOut(_) => "effective_at",
            Self::Twice => "decided_at",
            Self::Refused(refusal) => refusal.field(),
        }
    }
}

/// What becomes of a decision.
pub(super) struct TakenUp {
    /// The contract that it keeps.
    pub(super) contract: RateContractId,
    /// How many days of notice that says.
    pub(super) notice_days: u16,
    /// The rules of the next version of the affiliate's own plan, if it makes one.
    pub(super) next: Option<Next>,
}

/// The next version of an affiliate's own plan.
pub(super) struct Next {
    pub(super) version: i32,
    pub(super) rules: Vec<Rule>,
    pub(super) effective_from: DateTime<Utc>,
}

/// All that is known of those whom a batch is about, while nobody else may change their terms.
pub(super) struct Book {
    contracts: BTreeMap<Place, RateContract>,
    timelines: BTreeMap<Place, Timeline>,
    standings: BTreeMap<Place, Standing>,
    recorded: BTreeSet<Occasion>,
}

impl Book {
    /// Locks the campaigns of a batch and reads what concerns it.
    pub(super) async fn open(tx: &mut PgConnection, batch: &[NewRateDecision]) -> sqlx::Result<Self> {
        store::campaigns::lock_all(tx, &campaigns(batch)).await?;
        Self::read(tx, batch).await
    }

    /// Reads what concerns a batch, to see what would become of it.
    pub(super) async fn read(db: &mut PgConnection, batch: &[NewRateDecision]) -> sqlx::Result<Self> {
        let campaigns = campaigns(batch);
        let affiliates: BTreeSet<_> = batch.iter().map(|new| new.affiliate_id).collect();
        let affiliates: Vec<_> = affiliates.into_iter().collect();
        let contracts = store::rate_contracts::in_force(db, &affiliates, &campaigns).await?;
        let plans = store::campaigns::plans_for(db, &campaigns, &affiliates).await?;
        // The database cannot look up moments that its calendar does not have; those are refused anyway.
        let has_moment = |new: &&NewRateDecision| 0 <= new.decision.decided_at.timestamp();
        let occasions: Vec<_> = batch.iter().filter(has_moment).map(NewRateDecision::occasion).collect();
        let places = contracts.iter().map(|contract| (contract.affiliate_id, contract.campaign_id));
        Ok(Self {
            timelines: timelines(places, plans),
            contracts: contracts.into_iter().map(|one| ((one.affiliate_id, one.campaign_id), one)).collect(),
            standings: BTreeMap::new(),
            recorded: known(db, &occasions).await?.into_iter().collect(),
        })
    }

    /// Takes a decision up: what follows in the batch is held against the standing after it.
    pub(super) fn take_up(&mut self, new: &NewRateDecision, now: DateTime<Utc>) -> Result<TakenUp, Misfit> {
        let place = (new.affiliate_id, new.campaign_id);
        let is_new = self.recorded.insert(new.occasion());
        let (contract, timeline, standing) = self.stands(place, now)?;
        let (contract, notice_days) = (contract.id, contract.notice_days);
        let admitted = if is_new {
            standing.admit(&new.decision, now).map_err(Misfit::Refused)
        } else {
            Err(Misfit::Twice)
        };
        let next = admitted.and_then(|()| next(timeline, &new.decision));
        let standing = if next.is_ok() { standing.after(&new.decision) } else { standing };
        self.standings.insert(place, standing);
        Ok(TakenUp { contract, notice_days, next: next? })
    }

    /// Makes of what a shadow decided a live decision of now, and takes that up.
    pub(super) fn take_over(
        &mut self,
        shadow: &mut NewRateDecision,
        now: DateTime<Utc>,
    ) -> Result<TakenUp, Misfit> {
        let (_, _, standing) = self.stands((shadow.affiliate_id, shadow.campaign_id), now)?;
        shadow.decision = standing.taken_up(&shadow.decision, now)?;
        self.take_up(shadow, now)
    }

    /// The contract that a decision has to keep.
    pub(super) fn contract(&self, new: &NewRateDecision) -> Option<&RateContract> {
        self.contracts.get(&(new.affiliate_id, new.campaign_id))
    }

    /// What an affiliate agreed to, its terms, and where it stands after what was taken up so far.
    fn stands(
        &self,
        place: Place,
        now: DateTime<Utc>,
    ) -> Result<(&RateContract, &Timeline, Standing), Misfit> {
        let contract = self.contracts.get(&place).ok_or(Misfit::NoContract(place.0, place.1))?;
        let timeline = self.timelines.get(&place).ok_or(Misfit::NoRate)?;
        let standing = match self.standings.get(&place) {
            Some(standing) => standing.clone(),
            None => timeline.standing(contract.terms(), now).ok_or(Misfit::NoRate)?,
        };
        Ok((contract, timeline, standing))
    }
}

/// The campaigns of a batch, each once.
fn campaigns(batch: &[NewRateDecision]) -> Vec<CampaignId> {
    let campaigns: BTreeSet<_> = batch.iter().map(|new| new.campaign_id).collect();
    campaigns.into_iter().collect()
}

/// The version that a decision makes of the terms that would hold from its date on; none if it makes none. It would beat the
/// campaign's later versions for ever, so that those which are announced may differ in nothing but the rate.
fn next(timeline: &Timeline, decision: &RateDecision) -> Result<Option<Next>, Misfit> {
    let (Some(terms), Some(effective_from)) = (decision.terms(), decision.effective_at) else {
        return Ok(None);
    };
    let base = timeline.at(effective_from).ok_or(Misfit::NoRate)?;
    let rules = base.at_rate(terms.clone()).ok_or(Misfit::NoRate)?;
    let differs = |version: &Version| version.at_rate(terms.clone()).as_ref() != Some(&rules);
    let is_kept_out = |(from, version): &(DateTime<Utc>, &Version)| {
        effective_from < *from && !version.is_own && differs(version)
    };
    if let Some((from, _)) = timeline.stretches().into_iter().find(is_kept_out) {
        return Err(Misfit::KeepsOut(from));
    }
    let version = i32::try_from(timeline.last_own()).unwrap_or(i32::MAX).saturating_add(1);
    Ok(Some(Next { version, rules, effective_from }))
}

/// The terms of each place: the campaign's and the affiliate's own.
pub(super) fn timelines(places: impl Iterator<Item = Place>, plans: Vec<Plan>) -> BTreeMap<Place, Timeline> {
    let mut versions = BTreeMap::<_, Vec<_>>::new();
    for plan in plans {
        versions.entry((plan.affiliate_id, plan.campaign_id)).or_default().push(plan.into_version());
    }
    let of = |affiliate, campaign| versions.get(&(affiliate, campaign)).cloned().unwrap_or_default();
    let timeline = |(affiliate, campaign)| {
        let (mut all, own) = (of(None, campaign), of(Some(affiliate), campaign));
        all.extend(own);
        ((affiliate, campaign), Timeline::new(all))
    };
    places.map(timeline).collect()
}
