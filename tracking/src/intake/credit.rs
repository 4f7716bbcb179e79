//! Who gets how much of the credit for a conversion, and what that earns: the same for what is taken in and for whoever
//! only asks.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, Money,
    affiliate::AffiliateStatus,
    attribution::{self, Rule, Touch, TouchPath},
    campaign::{EventKind, QualifyingEvent, WindowDays},
    commission::{Credit, Line, Plan, Sale, Upline, settle},
};
use sqlx::PgConnection;

use crate::store::{
    conversions::{Conversion, Share},
    ledger::Earned,
    plans::{self, Standing},
    touches::{self, SeenClick, Step},
};

/// What was sold.
#[derive(Debug, Clone, Copy)]
pub struct Sold<'a> {
    /// In which campaign.
    pub campaign: CampaignId,
    /// The event's name in the campaign's list.
    pub event: &'a str,
    /// What kind of thing it was.
    pub kind: EventKind,
    /// What it was worth.
    pub amount: Money,
    /// When the customer converted.
    pub at: DateTime<Utc>,
}

impl<'a> From<&'a Conversion> for Sold<'a> {
    fn from(conversion: &'a Conversion) -> Self {
        let Conversion { campaign, ref event, kind, amount, occurred_at: at, .. } = *conversion;
        Self { campaign, event, kind, amount, at }
    }
}

/// The touches before a conversion that this click led to: its visit's clicks on the campaign up to it; and what else is known
/// of each of them.
///
/// # Errors
/// When the database fails.
pub async fn path_of(
    db: &mut PgConnection,
    click: &SeenClick,
    window: WindowDays,
    converted_at: DateTime<Utc>,
) -> Result<(TouchPath, Vec<Step>), sqlx::Error> {
    let window = window.length();
    let mut steps = touches::path(db, click, converted_at - window).await?;
    let path = TouchPath::within(window, converted_at, steps.iter().map(Step::touch).collect());
    steps.retain(|step| path.touches().contains(&step.touch()));
    Ok((path, steps))
}

/// How a rule divides the credit for a conversion.
#[must_use]
pub fn divide(rule: &dyn Rule, path: &TouchPath) -> Vec<Share> {
    let shares = attribution::share(rule, path).into_iter();
    shares.map(|share| share_of(rule.name(), &path.touches()[share.touch], share.ppm)).collect()
}

/// A touch's part of the credit, as a model gives it.
#[must_use]
pub fn share_of(model: &str, touch: &Touch, ppm: u32) -> Share {
    Share {
        model: model.to_owned(),
        click: touch.click,
        link: touch.link,
        affiliate: touch.affiliate,
        ppm,
        touched_at: Some(touch.at),
    }
}

/// What a conversion earns, line by line, and why somebody or everybody earns nothing, if so.
pub type Earnings = (Vec<Line>, Option<&'static str>);

/// The plan that pays an affiliate, and who shares in what it earns; or why nothing does.
type Paid = Result<(Plan, Vec<Upline>), &'static str>;

/// By what a conversion earns, whoever is credited with it.
#[derive(Debug)]
pub struct Terms {
    is_enough: bool,
    of: BTreeMap<AffiliateId, Paid>,
}

impl Terms {
    /// The plans that held when the customer converted. Once somebody has earned from it, the sale is not a new one:
    /// whoever `earned` a level keeps it, even if suspended or moved since, and nobody else comes in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(
        db: &mut PgConnection,
        sold: Sold<'_>,
        affiliates: impl Iterator<Item = AffiliateId>,
        earned: &[Earned],
    ) -> Result<Self, sqlx::Error> {
        let campaign = plans::campaign(db, sold.campaign).await?;
        let events = campaign.map(|campaign| campaign.events).unwrap_or_default();
        let event = events.iter().find(|event| event.name == sold.event);
        Self::of(db, (sold, event), affiliates, earned).await
    }

    /// The same where the campaign's event was read already; for one that it no longer lists it pays any amount.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn of(
        db: &mut PgConnection,
        (sold, event): (Sold<'_>, Option<&QualifyingEvent>),
        affiliates: impl Iterator<Item = AffiliateId>,
        earned: &[Earned],
    ) -> Result<Self, sqlx::Error> {
        let mut of = BTreeMap::new();
        for affiliate in affiliates.collect::<BTreeSet<_>>() {
            of.insert(affiliate, paid(db, sold, affiliate, earned).await?);
        }
        Ok(Self { is_enough: event.is_none_or(|event| event.qualifies(sold.amount)), of })
    }

    /// Who earns what, as the credit is divided. Orders below the event's minimum earn nothing, nor do affiliates who are not
    /// approved.
    #[must_use]
    pub fn settle(&self, sold: Sold<'_>, shares: &[Share]) -> Earnings {
        if !self.is_enough {
            return (Vec::new(), Some("the amount is below what the event has to reach to earn anything"));
        }
        let mut why_not =
            shares.is_empty().then_some("nobody is credited: there was no click within the window");
        let mut credits = Vec::new();
        for share in shares {
            match self.of.get(&share.affiliate) {
                Some(Ok((plan, upline))) => credits.push(credit(share, plan, upline)),
                Some(Err(why)) => why_not = Some(*why),
                None => {}
            }
        }
        let Sold { event, kind, amount, .. } = sold;
        (settle(&Sale { event, kind, amount }, &credits), why_not)
    }
}

async fn paid(
    db: &mut PgConnection,
    sold: Sold<'_>,
    affiliate: AffiliateId,
    earned: &[Earned],
) -> Result<Paid, sqlx::Error> {
    let Standing { status, plan, upline } = plans::standing(db, sold.campaign, affiliate, sold.at).await?;
    let is_entitled = earned.iter().any(|line| line.affiliate == affiliate);
    if status != Some(AffiliateStatus::Approved) && !is_entitled {
        return Ok(Err("the affiliate who is credited is not approved"));
    }
    let Some(plan) = plan else {
        return Ok(Err("the campaign has no plan that would pay for it"));
    };
    let upline = if earned.is_empty() { upline } else { upline_of(affiliate, earned) };
    Ok(Ok((plan, upline)))
}

/// Who stood above the affiliate when the sale was settled, by level. Last click gives all the credit to one touch,
/// so that a level was earned by one affiliate.
fn upline_of(affiliate: AffiliateId, earned: &[Earned]) -> Vec<Upline> {
    let highest = earned.iter().map(|line| line.level).max().unwrap_or(0);
    let above = (1..=highest).map(|level| {
        let line = earned.iter().find(|line| line.level == level);
        line.map_or(Upline { affiliate, earns: false }, |line| Upline {
            affiliate: line.affiliate,
            earns: true,
        })
    });
    above.collect()
}

fn credit<'a>(share: &Share, plan: &'a Plan, upline: &[Upline]) -> Credit<'a> {
    let because = match (share.click, share.touched_at) {
        (Some(click), Some(at)) => {
            format!("{} gives it for click {click} of {}.", share.model, at.format("%F %T UTC"))
        }
        _ => format!("{} gives it for the coupon.", share.model),
    };
    Credit { affiliate: share.affiliate, share_ppm: share.ppm, because, plan, upline: upline.to_vec() }
}
