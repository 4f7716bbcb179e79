//! What is said of the credit for a conversion.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, ClickId, ConversionId, LinkId, Money, Rate,
    attribution::{RuleName, Touch},
};
use serde::Serialize;
use tracking::{
    intake::credit::{Sold, Terms},
    store::conversions::Share,
};
use utoipa::ToSchema;

use crate::store::conversions::Share as Recorded;

/// How the credit for a conversion is divided.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attribution {
    /// The conversion; null where it is none that is stored.
    pub conversion_id: Option<ConversionId>,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// Which of the campaign's events.
    pub event: String,
    /// What it was worth.
    pub amount: Money,
    /// When the customer converted.
    pub converted_at: DateTime<Utc>,
    /// For how many days before it a touch counts.
    pub window_days: u16,
    /// The campaign's rule as it is now.
    pub rule: RuleName,
    /// The touches that count, oldest first.
    pub touches: Vec<AttributedTouch>,
    /// Why touches may be missing, if so.
    pub incomplete_because: Option<String>,
    /// How the credit was divided when the conversion was taken in: what was paid by. Of an affiliate's own key, its part.
    pub recorded: Vec<Recorded>,
    /// What each model says.
    pub models: Vec<ModelCredit>,
    /// What could not be asked, each in a sentence.
    pub degraded: Vec<String>,
}

/// A touch that counts.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttributedTouch {
    /// From 1 on.
    pub(crate) touch: u32,
    /// Whose it was; null where it is another partner's.
    pub(crate) affiliate_id: Option<AffiliateId>,
    /// Through which link; null where it is another partner's.
    link_id: Option<LinkId>,
    /// The click; null for a coupon, for what was told without one, and where it is another partner's.
    click_id: Option<ClickId>,
    /// When.
    at: DateTime<Utc>,
    /// How long before the conversion, in seconds; below 0 where the advertiser's clock is behind.
    seconds_before: i64,
}

impl AttributedTouch {
    pub(super) fn new(
        number: u32,
        touch: &Touch,
        (converted_at, seen_by): (DateTime<Utc>, Option<AffiliateId>),
    ) -> Self {
        let is_shown = may_see(touch.affiliate, seen_by);
        Self {
            touch: number,
            affiliate_id: is_shown.then_some(touch.affiliate),
            link_id: is_shown.then_some(touch.link),
            click_id: touch.click.filter(|_| is_shown),
            at: touch.at,
            seconds_before: (converted_at - touch.at).num_seconds(),
        }
    }
}

fn may_see(affiliate: AffiliateId, seen_by: Option<AffiliateId>) -> bool {
    seen_by.is_none_or(|own| own == affiliate)
}

/// What a model says, and what that would pay.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelCredit {
    /// A rule that campaigns choose from, or `learned`.
    #[schema(example = "linear")]
    pub(crate) model: String,
    /// Which version, of a model that has learned.
    version: Option<u32>,
    /// What it does, in a sentence.
    pub(crate) words: String,
    /// Whether the campaign divides by it.
    pub(crate) in_force: bool,
    /// Who gets how much, oldest first; touches without credit are left out.
    pub(crate) shares: Vec<TouchCredit>,
    /// What would have happened without any touch, and is nobody's; null where a model does not say.
    nobody: Option<NobodyCredit>,
    /// What it would pay: the commission of the whole sale, divided as the touches' parts are to each other, so that what is
    /// nobody's makes it no smaller. Of an affiliate's own key, its own.
    pub(crate) commissions: Vec<WouldEarn>,
    /// Why somebody or everybody would earn nothing, if so.
    nothing_because: Option<String>,
}

/// One touch's part.
#[derive(Debug, Serialize, ToSchema)]
pub struct TouchCredit {
    /// Which touch.
    pub(crate) touch: u32,
    /// Its part.
    pub(crate) share: Rate,
    /// The same of the amount; with what is nobody's, parts sum to it.
    value: Money,
}

/// What is nobody's.
#[derive(Debug, Serialize, ToSchema)]
pub struct NobodyCredit {
    /// Its part.
    share: Rate,
    /// The same of the amount.
    value: Money,
}

/// What an affiliate would earn.
#[derive(Debug, Serialize, ToSchema)]
pub struct WouldEarn {
    /// Who.
    affiliate_id: AffiliateId,
    /// 0 for who brought the visitor, 1 for the affiliate above, and so on.
    level: u32,
    /// How much.
    pub(crate) amount: Money,
}

/// An amount, divided as the credit is: a part for each share, and one more where some is nobody's. They sum to it.
pub(super) fn parted<'a>(
    amount: Money,
    shares: impl Iterator<Item = &'a Share>,
    nobody: Option<u32>,
) -> Vec<Money> {
    let parts: Vec<u64> = shares.map(|share| share.ppm).chain(nobody).map(u64::from).collect();
    amount.split(&parts)
}

/// What a model says, before it is money.
#[derive(Debug)]
pub(super) struct Says {
    /// What the model is called.
    pub model: String,
    /// Which version of it.
    pub version: Option<u32>,
    /// What it does, in a sentence.
    pub words: String,
    /// Whether the campaign divides by it.
    pub in_force: bool,
    /// Who gets how much, with the numbers of touches.
    pub shares: Vec<(u32, Share)>,
    /// The parts per million that are nobody's, where a model says so.
    pub nobody: Option<u32>,
}

impl Says {
    /// The same with its money.
    pub(super) fn worth(
        self,
        (sold, terms): (Sold<'_>, &Terms),
        seen_by: Option<AffiliateId>,
    ) -> ModelCredit {
        let Self { model, version, words, in_force, shares, nobody } = self;
        let rate = |ppm: u32| Rate { ppm };
        let mut values = parted(sold.amount, shares.iter().map(|(_, share)| share), nobody).into_iter();
        let credited = shares.iter().zip(values.by_ref());
        let touches = credited
            .map(|((touch, share), value)| TouchCredit { touch: *touch, share: rate(share.ppm), value })
            .collect();
        let nobody = nobody.zip(values.next()).map(|(ppm, value)| NobodyCredit { share: rate(ppm), value });
        let divided: Vec<Share> = shares.into_iter().map(|(_, share)| share).collect();
        let (lines, nothing_because) = terms.settle(sold, &divided);
        let mut commissions = BTreeMap::<(usize, AffiliateId), i64>::new();
        for line in lines.iter().filter(|line| may_see(line.affiliate, seen_by)) {
            *commissions.entry((line.level, line.affiliate)).or_default() += line.amount.minor;
        }
        let earns = |((level, affiliate_id), minor): ((usize, AffiliateId), i64)| WouldEarn {
            affiliate_id,
            level: u32::try_from(level).unwrap_or(u32::MAX),
            amount: Money::new(minor, sold.amount.currency),
        };
        ModelCredit {
            model,
            version,
            words,
            in_force,
            shares: touches,
            nobody,
            commissions: commissions.into_iter().map(earns).collect(),
            nothing_because: nothing_because.map(str::to_owned),
        }
    }
}
