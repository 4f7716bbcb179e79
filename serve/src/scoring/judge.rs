//! New conversions are decided about in the transaction that takes them in, and settings that change are followed.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{
    ClickId, ConversionId, ScoreId,
    click::Click,
    event::{Conversion, Event, Visit},
    fraud::{
        evidence::{AddressClass, KeyedHash},
        graph::{Kind, Limits},
        score,
    },
};
use features::evidence::Records;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::sleep;
use tracking::{
    customer::Passing,
    intake::{Judge, Judging, Noting, Reported, Verdict},
    store::is_passing,
};
use url::Url;

use super::{
    InRing, Looked, Record, Scorer,
    settings::{InForce, Mode},
};
use crate::{
    cases,
    meters::SCORES,
    rings,
    store::{
        fraud::{self, NewScore, Partner},
        lake, ring_edges,
    },
    stored,
};

/// How often settings are looked for.
const POLLING: Duration = Duration::from_secs(1);

impl Judge for Scorer {
    fn judge<'a>(
        &'a self,
        db: &'a mut PgConnection,
        conversion: &'a Conversion,
        reported: Reported<'a>,
    ) -> Judging<'a> {
        Box::pin(self.decide_and_note(db, conversion, (reported, false)))
    }

    fn is_held<'a>(
        &'a self,
        db: &'a mut PgConnection,
        conversion: ConversionId,
        at: DateTime<Utc>,
    ) -> Noting<'a> {
        Box::pin(async move {
            // No report is refused because its case could not be opened: a worker looks for what has none.
            let mut apart = db.begin().await?;
            match cases::take_up(&mut apart, conversion, at, &self.chance).await {
                Ok(_) => apart.commit().await,
                Err(error) if is_passing(&error) => Err(error),
                Err(error) => {
                    tracing::error!(%conversion, %error, "{conversion} is held without a case for now: {error}");
                    apart.rollback().await
                }
            }
        })
    }
}

impl Scorer {
    async fn decide_and_note(
        &self,
        db: &mut PgConnection,
        conversion: &Conversion,
        (Reported { actor, at, passing }, is_stored): (Reported<'_>, bool),
    ) -> sqlx::Result<Verdict> {
        // A process that has just begun must not let pass what it would hold a moment later.
        if !self.knows_settings.load(Ordering::Acquire) {
            self.refresh(db).await?;
        }
        let in_force = self.in_force();
        let looked = self.look(db, conversion.clone(), (at, is_stored)).await?;
        let record = self.decide(&looked, &in_force).await;
        let record = self.hear(record, (&looked, passing), &in_force).await;
        let noted = self.note(&record, &in_force);
        fraud::insert(db, &NewScore { conversion: Some(conversion.id), actor, ..noted }).await?;
        // What was let pass before is held for its ring alone, and not for what its address did since.
        let is_new = !is_stored || record.hangs_on_its_ring(&in_force);
        let is_suspected = record.decision.verdict == score::Verdict::Hold && is_new;
        let is_held = in_force.mode == Mode::Live && is_suspected;
        let because = || {
            let score = format!("{} has a score of {} of 100", noted.id, record.score.risk());
            match &record.ring {
                Some(ring) => format!("{score}; its partner is in the ring {}", ring.id),
                None => score,
            }
        };
        Ok(if is_held { Verdict::Hold { because: because() } } else { Verdict::Pass })
    }

    /// Decides anew about a conversion that is stored, by what is known of it now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn judge_again(
        &self,
        db: &mut PgConnection,
        conversion: &Conversion,
        (actor, at): (&str, DateTime<Utc>),
    ) -> sqlx::Result<Verdict> {
        let passing = Passing::default();
        self.decide_and_note(db, conversion, (Reported { actor, at, passing: &passing }, true)).await
    }

    /// Puts the newest settings in force.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refresh(&self, db: &mut PgConnection) -> sqlx::Result<()> {
        if let Some(newest) = fraud::newest_settings(db, self.in_force().version).await? {
            let version = u32::try_from(newest.version).unwrap_or_default();
            match InForce::check(newest.settings.0, version) {
                Ok(settings) => self.put_in_force(settings),
                // A newer release may know more rules than this one, which then goes on as it was.
                Err(error) => {
                    tracing::error!(version, "these settings of fraud are not for this release: {error}");
                }
            }
        }
        self.knows_settings.store(true, Ordering::Release);
        Ok(())
    }

    /// Finds what decisions look at besides the conversion itself.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look(
        &self,
        db: &mut PgConnection,
        conversion: Conversion,
        (at, is_stored): (DateTime<Utc>, bool),
    ) -> sqlx::Result<Looked> {
        let click = match conversion.click {
            Some(id) => clicked(db, id).await?,
            None => None,
        };
        // What a new one is decided by may be a second old; whoever decides again does so because something has changed.
        let partner = match conversion.affiliate {
            Some(affiliate) if is_stored => fraud::partner(db, affiliate).await?.map(Arc::new),
            Some(affiliate) => self.recent.partner(db, affiliate, at).await?,
            None => None,
        };
        self.look_at(db, conversion, (click, partner.as_deref()), (at, is_stored)).await
    }

    /// The same where the click and the partner were found already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look_at(
        &self,
        db: &mut PgConnection,
        conversion: Conversion,
        (click, partner): (Option<Visit<Click>>, Option<&Partner>),
        (at, is_stored): (DateTime<Utc>, bool),
    ) -> sqlx::Result<Looked> {
        let ring = match partner.and_then(Partner::ring) {
            Some(ring) => Some(self.ring(db, ring, (&conversion, click.as_ref())).await?),
            None => None,
        };
        let records = partner.map_or_else(Records::default, |partner| self.records(partner));
        let kind = partner.and_then(|partner| partner.traffic_source.clone()).unwrap_or_default();
        Ok(Looked { conversion, click, records, kind, ring, at, is_stored })
    }

    /// What the ring of a partner says of a conversion: little, where none of the others was seen with the customer.
    async fn ring(
        &self,
        db: &mut PgConnection,
        ring: InRing,
        (conversion, click): (&Conversion, Option<&Visit<Click>>),
    ) -> sqlx::Result<InRing> {
        // As evidence has them: what the click tells stands before the report.
        let network = click.map(|click| click.seen.network).or(conversion.network);
        let is_shared =
            network.and_then(|network| self.networks.class(network)).is_some_and(AddressClass::is_shared);
        let address = click.map(|click| click.seen.address_hash).or(conversion.address_hash);
        let address = address.filter(|_| !is_shared).map(|hash| (Kind::Address, KeyedHash(hash)));
        let device = Some(conversion.device_id.as_str()).filter(|device| !device.is_empty());
        let device = device.map(|device| (Kind::Device, rings::device_of(device)));
        let mailbox = conversion.email_hash.map(|hash| (Kind::Mailbox, KeyedHash(hash)));
        let account = conversion.account_hash.map(|hash| (Kind::PayoutAccount, KeyedHash(hash)));
        let (limits, own): (_, Vec<_>) = (Limits::USUAL, mailbox.into_iter().chain(account).collect());
        if ring_edges::is_known_to(db, &ring.with, &own, limits.hub).await? {
            return Ok(InRing { log_odds: limits.each_others(), ..ring });
        }
        let things: Vec<_> = address.into_iter().chain(device).collect();
        let is_known = ring_edges::is_known_to(db, &ring.with, &things, limits.hub).await?;
        Ok(if is_known { ring } else { ring.of_a_stranger() })
    }

    /// What is registered of a partner: its site, and its mailbox and account as those of customers are hidden.
    pub(super) fn records(&self, partner: &Partner) -> Records {
        let site = partner.website.as_ref().and_then(|website| {
            let url = Url::parse(website).or_else(|_| Url::parse(&format!("https://{website}")));
            url.ok()?.host_str().map(str::to_owned)
        });
        let mailbox = self.customers.mail(&partner.email).ok();
        Records {
            affiliate_sites: site.map(|site| vec![site]),
            affiliate_email_hashes: mailbox.map(|(hash, _)| vec![hash]),
            affiliate_account_hash: partner.account,
            payout_account_affiliates: partner.account.map(|_| partner.account_partners.cast_unsigned()),
            declared_agency: partner
                .account
                .map(|_| 1 < partner.account_partners && partner.account_strangers == 0),
            licensed_search: partner.may_search(),
            ..Records::default()
        }
    }

    /// A decision as it is kept, of no conversion that is stored.
    pub fn note<'a>(&self, record: &'a Record, in_force: &InForce) -> NewScore<'a> {
        let is_held = record.decision.verdict == score::Verdict::Hold;
        SCORES.decided(is_held, !record.degraded.is_empty());
        NewScore {
            id: ScoreId::new_at(record.at, &self.chance),
            conversion: None,
            mode: in_force.mode,
            settings_version: in_force.version,
            record,
            actor: "",
        }
    }
}

/// A click as it is stored; none that this release cannot read.
///
/// # Errors
/// When the database fails.
pub async fn clicked(db: &mut PgConnection, id: ClickId) -> sqlx::Result<Option<Visit<Click>>> {
    let known = lake::click(db, id).await?.and_then(|click| stored::click(click).ok());
    Ok(known.and_then(|known| match known.event {
        Event::Click(visit) => Some(visit),
        _ => None,
    }))
}

/// Follows the settings for as long as the process lives.
pub async fn follow(scorer: Arc<Scorer>, pool: PgPool) {
    loop {
        let refreshed = async { scorer.refresh(&mut *pool.acquire().await?).await };
        if let Err(error) = refreshed.await {
            tracing::warn!(
                "fraud is decided by the settings that are known until others can be read: {error}"
            );
        }
        sleep(POLLING).await;
    }
}
