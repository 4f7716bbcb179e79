//! The macros that there are, each with what it stands for.

use std::collections::BTreeMap;

use crate::state::names;

names! {
    /// What an address can be told of a conversion.
    Macro: "macro" {
        /// The id of what happened: the same in each attempt.
        EventId = "event_id",
        /// What happened: `conversion.created`, …
        Type = "type",
        /// The conversion.
        ConversionId = "conversion_id",
        /// The partner's click that it is credited by.
        ClickId = "click_id",
        /// The click's id in the partner's own system, as its link carried it.
        ExternalClickId = "external_click_id",
        /// What the visitor did: `sale`, `lead`, …, by the shop's name.
        Event = "event",
        /// Which kind of event that is.
        EventKind = "event_kind",
        /// The conversion's state.
        Status = "status",
        /// Why it was rejected or reversed.
        Reason = "reason",
        /// What the order came to, as a decimal number.
        Amount = "amount",
        /// What of it was taken back.
        Reversed = "reversed",
        /// The order's currency.
        Currency = "currency",
        /// What the partner earns of it, as a decimal number, corrections included.
        Payout = "payout",
        /// The currency that this is in.
        PayoutCurrency = "payout_currency",
        /// The partner's part of the credit, from 0 to 1.
        AttributionWeight = "attribution_weight",
        /// The model that divided it.
        AttributionModel = "attribution_model",
        /// The partner.
        AffiliateId = "affiliate_id",
        /// The campaign.
        CampaignId = "campaign_id",
        /// Its name.
        CampaignName = "campaign_name",
        /// The partner's link.
        LinkId = "link_id",
        /// The link's code.
        LinkCode = "link_code",
        /// The click's sub-ids.
        Sub1 = "sub1",
        /// See `sub1`.
        Sub2 = "sub2",
        /// See `sub1`.
        Sub3 = "sub3",
        /// See `sub1`.
        Sub4 = "sub4",
        /// See `sub1`.
        Sub5 = "sub5",
        /// See `sub1`.
        Sub6 = "sub6",
        /// See `sub1`.
        Sub7 = "sub7",
        /// See `sub1`.
        Sub8 = "sub8",
        /// See `sub1`.
        Sub9 = "sub9",
        /// See `sub1`.
        Sub10 = "sub10",
        /// The click's source.
        Source = "source",
        /// The click's user id, as the link carried it.
        Uid = "uid",
        /// The click's campaign tags.
        UtmSource = "utm_source",
        /// See `utm_source`.
        UtmMedium = "utm_medium",
        /// See `utm_source`.
        UtmCampaign = "utm_campaign",
        /// See `utm_source`.
        UtmTerm = "utm_term",
        /// See `utm_source`.
        UtmContent = "utm_content",
        /// The promo code of the order.
        Coupon = "coupon",
        /// The country of the click.
        Country = "country",
        /// The device of the click.
        Device = "device",
        /// When it was clicked, in seconds since 1970.
        ClickTs = "click_ts",
        /// When it was bought, in seconds since 1970.
        ConversionTs = "conversion_ts",
        /// When this happened, in seconds since 1970.
        Ts = "ts",
    }
}

impl Macro {
    /// A click's sub-ids, in order.
    pub const SUBS: [Self; 10] = [
        Self::Sub1,
        Self::Sub2,
        Self::Sub3,
        Self::Sub4,
        Self::Sub5,
        Self::Sub6,
        Self::Sub7,
        Self::Sub8,
        Self::Sub9,
        Self::Sub10,
    ];

    /// A click's campaign tags, in the order in which they are kept.
    pub const UTM: [Self; 5] =
        [Self::UtmSource, Self::UtmMedium, Self::UtmCampaign, Self::UtmTerm, Self::UtmContent];

    /// All of their names.
    #[must_use]
    pub fn names() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|one| one.name()).collect();
        names.join(", ")
    }
}

/// What macros stand for this time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<Macro, String>);

impl Values {
    /// These; what is not among them stands for nothing.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = (Macro, String)>) -> Self {
        Self(values.into_iter().collect())
    }

    /// What a macro stands for.
    #[must_use]
    pub fn get(&self, name: Macro) -> Option<&String> {
        self.0.get(&name)
    }

    /// Made-up values, for a partner to try its address with: nothing that there is.
    #[must_use]
    pub fn sample() -> Self {
        Self::of(Macro::ALL.iter().map(|one| (*one, one.sample().to_owned())))
    }
}

impl Macro {
    const fn sample(self) -> &'static str {
        match self {
            Self::EventId => "evt_00000000000000000000000000",
            Self::Type => "conversion.created",
            Self::ConversionId => "cnv_00000000000000000000000000",
            Self::ClickId => "clk_00000000000000000000000000",
            Self::Event | Self::EventKind => "sale",
            Self::Status => "test",
            Self::Amount => "100.00",
            Self::Payout => "10.00",
            Self::Currency | Self::PayoutCurrency => "EUR",
            Self::AttributionWeight => "1",
            Self::AttributionModel => "last_click",
            Self::AffiliateId => "aff_00000000000000000000000000",
            Self::CampaignId => "cmp_00000000000000000000000000",
            Self::LinkId => "lnk_00000000000000000000000000",
            Self::Reversed => "0.00",
            Self::Reason => "",
            Self::Country => "DE",
            Self::Device => "desktop",
            Self::ClickTs | Self::ConversionTs | Self::Ts => "0",
            _ => "test",
        }
    }
}
