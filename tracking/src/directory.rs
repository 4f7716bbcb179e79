//! Which links exist and where they lead, in memory: a redirect never waits for a database.

mod refresh;
mod shards;
mod snapshot;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use domain::{
    AdvertiserId, AffiliateId, CampaignId, LinkId,
    campaign::{AllowedHost, CampaignStatus, WindowDays, may_lead_to, page},
};
use serde::{Deserialize, Serialize};
use url::Url;

use self::shards::Shards;
pub(crate) use self::{
    refresh::{FIRST_LOAD_PATIENCE, follow, load},
    snapshot::Snapshot,
};
use crate::redirect::landing::Landing;

/// What the database says about campaigns and links, as it is loaded and as it is kept on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Every campaign.
    pub campaigns: Vec<CampaignEntry>,
    /// Every link.
    pub links: Vec<LinkEntry>,
}

/// What has changed in the database between two moments.
#[derive(Debug, Clone)]
pub struct Changes {
    /// The later moment.
    pub seen: Seen,
    /// Campaigns that were made, changed or taken away.
    pub campaigns: Vec<CampaignId>,
    /// Links that were made, changed or taken away.
    pub links: Vec<LinkId>,
    /// Those of them that there are, with whatever else is now to be seen otherwise.
    pub contents: Contents,
}

/// Up to which moment the database was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The oldest transaction that had not ended: all older ones are included.
    pub oldest_open: i64,
    /// Younger ones that had ended and are included, in order.
    pub included: Vec<i64>,
}

impl Changes {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.campaigns.is_empty()
            && self.links.is_empty()
            && self.contents.campaigns.is_empty()
            && self.contents.links.is_empty()
    }
}

/// A campaign as the database has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignEntry {
    /// Which campaign.
    pub id: CampaignId,
    /// Whose campaign.
    pub advertiser: AdvertiserId,
    /// The name under which the advertiser takes the click id.
    pub click_param: String,
    /// The status by name.
    pub status: String,
    /// Where visitors land.
    pub landing_url: String,
    /// Where deep links may lead.
    pub allowed_hosts: Vec<String>,
    /// Where visitors go while the campaign takes no clicks.
    pub fallback_url: Option<String>,
    /// How long the cookie lives.
    pub cookie_days: i32,
}

/// A link as the database has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkEntry {
    /// Which link.
    pub id: LinkId,
    /// What stands in its URL.
    pub code: String,
    /// Whose link.
    pub affiliate: AffiliateId,
    /// What it advertises.
    pub campaign: CampaignId,
    /// Another landing page than the campaign's.
    pub landing_url: Option<String>,
    /// The names of the parameters that the link hangs on the landing page, in their order.
    pub param_names: Vec<String>,
    /// Their values, in the same order.
    pub param_values: Vec<String>,
    /// Whether the affiliate is approved, in the program and for the campaign.
    pub takes_part: bool,
}

/// What a redirect must know about a campaign.
#[derive(Debug)]
pub struct Campaign {
    /// Which campaign.
    pub id: CampaignId,
    /// Whose campaign.
    pub advertiser: AdvertiserId,
    /// The name under which the advertiser takes the click id.
    pub click_param: String,
    /// Whether it takes clicks.
    pub status: CampaignStatus,
    /// Where visitors land.
    pub landing_url: Url,
    /// Where deep links may lead.
    pub allowed_hosts: Vec<AllowedHost>,
    /// Where visitors go while the campaign takes no clicks.
    pub fallback_url: Option<Url>,
    /// How long the cookie lives.
    pub cookie_days: u16,
}

/// What a redirect must know about a link.
#[derive(Debug)]
pub struct Link {
    /// Which link.
    pub id: LinkId,
    /// What stands in its URL.
    pub code: Arc<str>,
    /// Whose link.
    pub affiliate: AffiliateId,
    /// What it advertises.
    pub campaign: Arc<Campaign>,
    /// What it hangs on the landing page.
    pub params: Vec<(String, String)>,
    /// Its landing page, taken apart.
    pub landing: Landing,
    takes_part: bool,
}

/// Why a link takes no clicks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// There is no such link.
    Unknown,
    /// Its affiliate does not take part (any more).
    Affiliate,
    /// Its campaign is paused.
    Paused,
    /// Its campaign is over.
    Ended,
}

impl Link {
    /// Whether the link takes clicks now.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check_open(&self) -> Result<(), Closed> {
        match self.campaign.status {
            CampaignStatus::Ended => Err(Closed::Ended),
            CampaignStatus::Paused => Err(Closed::Paused),
            CampaignStatus::Active if !self.takes_part => Err(Closed::Affiliate),
            CampaignStatus::Active => Ok(()),
        }
    }
}

/// All links, found by what a click names. A copy costs little, however many there are.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    campaigns: Shards<CampaignId, Arc<Campaign>>,
    by_id: Shards<LinkId, Arc<Link>>,
    by_code: Shards<Arc<str>, Arc<Link>>,
    /// In the order in which the links were made.
    by_affiliate: Shards<AffiliateId, Arc<Vec<Arc<Link>>>>,
    /// Up to when it is as the database was, and when that was found out; nothing when it comes from the disk.
    seen: Option<(Seen, Instant)>,
}

impl Directory {
    /// Makes what was loaded fit to be looked up; what makes no sense is left out and told to the operator.
    pub fn new(contents: &Contents) -> Self {
        let mut directory = Self::default();
        directory.take_in(contents);
        directory
    }

    /// The same as the database was seen at a moment, which was just now.
    #[must_use]
    pub fn seen(self, seen: Seen) -> Self {
        Self { seen: Some((seen, Instant::now())), ..self }
    }

    /// Up to which moment of the database it is true, if it comes from there.
    pub fn seen_up_to(&self) -> Option<&Seen> {
        self.seen.as_ref().map(|(seen, _)| seen)
    }

    /// How long it is known to have been as the database was; nothing when it comes from the disk.
    pub fn age(&self) -> Option<Duration> {
        self.seen.as_ref().map(|(_, at)| at.elapsed())
    }

    /// The directory after these changes. What did not change is shared with this one.
    #[must_use]
    pub fn changed(&self, changes: &Changes) -> Self {
        let mut directory = self.clone();
        for campaign in &changes.campaigns {
            directory.campaigns.remove(campaign);
        }
        // All old ones go first, because a code may move from one link to another.
        for link in changes.links.iter().chain(changes.contents.links.iter().map(|entry| &entry.id)) {
            directory.take_out(*link);
        }
        directory.take_in(&changes.contents);
        directory.seen(changes.seen.clone())
    }

    /// Everything that can be looked up, as text: each link by its code, and each affiliate's links in their order.
    #[cfg(test)]
    pub(crate) fn shown(&self) -> Vec<String> {
        let links = self.by_code.iter().map(|(code, link)| format!("{code} {link:?}"));
        let by_affiliate = self.by_affiliate.iter().map(|(affiliate, links)| {
            let codes: Vec<_> = links.iter().map(|link| &*link.code).collect();
            format!("{affiliate} {codes:?}")
        });
        let mut shown: Vec<_> = links.chain(by_affiliate).collect();
        assert_eq!(self.by_id.len(), self.by_code.len());
        shown.sort_unstable();
        shown
    }

    fn take_in(&mut self, contents: &Contents) {
        for entry in &contents.campaigns {
            match campaign(entry) {
                Ok(campaign) => self.campaigns.insert(entry.id, Arc::new(campaign)),
                Err(reason) => {
                    self.campaigns.remove(&entry.id);
                    tracing::warn!(campaign = %entry.id, %reason, "a campaign cannot be served");
                }
            }
        }
        for entry in &contents.links {
            let Some(campaign) = self.campaigns.get(&entry.campaign) else { continue };
            match link(entry, campaign) {
                Ok(link) => self.add(Arc::new(link)),
                Err(reason) => tracing::warn!(link = %entry.id, %reason, "a link cannot be served"),
            }
        }
    }

    fn add(&mut self, link: Arc<Link>) {
        let links = Arc::make_mut(self.by_affiliate.entry(link.affiliate));
        let place = links.partition_point(|earlier| earlier.id < link.id);
        links.insert(place, link.clone());
        self.by_code.insert(link.code.clone(), link.clone());
        self.by_id.insert(link.id, link);
    }

    fn take_out(&mut self, id: LinkId) {
        let Some(link) = self.by_id.remove(&id) else { return };
        self.by_code.remove(&*link.code);
        let links = Arc::make_mut(self.by_affiliate.entry(link.affiliate));
        links.retain(|other| other.id != id);
        if links.is_empty() {
            self.by_affiliate.remove(&link.affiliate);
        }
    }

    /// The link with that code.
    pub fn by_code(&self, code: &str) -> Option<&Arc<Link>> {
        self.by_code.get(code)
    }

    /// An affiliate's first link, of that campaign if one is named; links that take clicks come before others.
    pub fn of_affiliate(&self, affiliate: AffiliateId, campaign: Option<CampaignId>) -> Option<&Arc<Link>> {
        let links = self.by_affiliate.get(&affiliate)?;
        let mut of_campaign = links.iter().filter(|link| campaign.is_none_or(|id| link.campaign.id == id));
        let first = of_campaign.clone().next();
        of_campaign.find(|link| link.check_open().is_ok()).or(first)
    }

    /// How many links there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn campaign(entry: &CampaignEntry) -> anyhow::Result<Campaign> {
    let days = WindowDays::try_from(i64::from(entry.cookie_days)).unwrap_or(WindowDays::DEFAULT);
    Ok(Campaign {
        id: entry.id,
        advertiser: entry.advertiser,
        click_param: entry.click_param.clone(),
        status: entry.status.parse()?,
        landing_url: page(&entry.landing_url)?,
        allowed_hosts: entry
            .allowed_hosts
            .iter()
            .map(|host| AllowedHost::parse(host))
            .collect::<Result<_, _>>()?,
        fallback_url: entry.fallback_url.as_deref().map(page).transpose()?,
        cookie_days: days.days(),
    })
}

fn link(entry: &LinkEntry, campaign: &Arc<Campaign>) -> anyhow::Result<Link> {
    let params: Vec<_> = entry.param_names.iter().cloned().zip(entry.param_values.iter().cloned()).collect();
    let own_page = entry.landing_url.as_deref().map(page).transpose()?;
    let landing_url = own_page.as_ref().unwrap_or(&campaign.landing_url);
    // The campaign may have taken the host off its list since the link was made.
    ensure!(
        may_lead_to(landing_url, &campaign.landing_url, &campaign.allowed_hosts),
        "its landing page is on no host that the campaign allows"
    );
    let landing = Landing::new(landing_url, &params, &campaign.click_param);
    Ok(Link {
        id: entry.id,
        code: entry.code.as_str().into(),
        affiliate: entry.affiliate,
        campaign: campaign.clone(),
        params,
        landing,
        takes_part: entry.takes_part,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn id<T: From<uuid::Uuid>>(number: u128) -> T {
        uuid::Uuid::from_u128(0x0190_163d_8694_739b_aea5_966c_26f8_0000 + number).into()
    }

    pub(crate) fn contents() -> Contents {
        let campaign = |number, status: &str| CampaignEntry {
            id: id(number),
            advertiser: id(1),
            click_param: "clickid".into(),
            status: status.into(),
            landing_url: "https://shop.example/".into(),
            allowed_hosts: vec!["shop.example".into()],
            fallback_url: None,
            cookie_days: 30,
        };
        let link = |number, code: &str, campaign| LinkEntry {
            id: id(number),
            code: code.into(),
            affiliate: id(20),
            campaign: id(campaign),
            landing_url: None,
            param_names: vec!["sub1".into()],
            param_values: vec!["blog".into()],
            takes_part: true,
        };
        let mut contents = Contents {
            campaigns: vec![campaign(10, "active"), campaign(11, "paused"), campaign(12, "ended")],
            links: vec![link(33, "third", 10), link(32, "second", 12), link(31, "first", 11)],
        };
        contents.campaigns[2].fallback_url = Some("https://over.example/".into());
        contents.links[2].landing_url = Some("https://shop.example/first".into());
        contents
    }

    #[test]
    fn a_link_is_found_by_code_and_by_whose_it_is() {
        let directory = Directory::new(&contents());
        let code_of =
            |campaign: Option<CampaignId>| directory.of_affiliate(id(20), campaign).map(|link| link.id);
        assert_eq!(directory.by_code("third").map(|link| link.id), Some(id(33)));
        assert!(directory.by_code("Third").is_none());
        assert_eq!(code_of(None), Some(id(33)), "the one that takes clicks");
        assert_eq!(code_of(Some(id(12))), Some(id(32)));
        assert_eq!(code_of(Some(id(13))), None);
    }

    #[test]
    fn a_link_takes_clicks_only_while_everybody_takes_part() {
        let mut contents = contents();
        let state = |contents: &Contents, code| {
            Directory::new(contents).by_code(code).map_or(Err(Closed::Unknown), |link| link.check_open())
        };
        assert_eq!(state(&contents, "third"), Ok(()));
        assert_eq!(state(&contents, "first"), Err(Closed::Paused));
        assert_eq!(state(&contents, "second"), Err(Closed::Ended));
        contents.links[0].takes_part = false;
        assert_eq!(state(&contents, "third"), Err(Closed::Affiliate));
        contents.campaigns[0].landing_url = "javascript:alert(1)".into();
        assert_eq!(state(&contents, "third"), Err(Closed::Unknown));
    }
}
