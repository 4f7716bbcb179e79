//! Clicks: what rules say of one by itself, before anybody has bought anything.

use chrono::{DateTime, Utc};
use domain::{
    click::Click,
    event::{Event, Visit},
    fraud::{Flag, Score},
};
use features::{
    evidence::{self, Findings},
    fact::Request,
};
use sqlx::PgConnection;

use super::{Scorer, as_kept, settings::InForce, unknown};
use crate::store::fraud;

/// What is said of a click.
#[derive(Clone, Debug)]
pub struct ClickOpinion {
    /// As of when features count; none where they were not known.
    pub features_as_of: Option<DateTime<Utc>>,
    /// What rules flag, in their order.
    pub flags: Vec<Flag>,
    /// How probable fraud is, and why.
    pub score: Score,
    /// What could not be asked, each in a sentence.
    pub degraded: Vec<String>,
}

impl Scorer {
    /// What rules say of a stored click at an instant. What only a conversion tells is not known, and rules that need it stay
    /// silent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn judge_click(
        &self,
        db: &mut PgConnection,
        visit: &Visit<Click>,
        (at, in_force): (DateTime<Utc>, &InForce),
    ) -> sqlx::Result<ClickOpinion> {
        let partner = fraud::partner(db, visit.seen.affiliate).await?;
        let records = partner.as_ref().map(|partner| self.records(partner)).unwrap_or_default();
        let event = Event::Click(visit.clone());
        let request = Request { event: &event, click: Some(visit) };
        let told = self.state.ask(&[(0, evidence::keys(&request))], &request, (at, true));
        let mut degraded = Vec::new();
        let (features_as_of, values) = match told {
            Ok(told) => (Some(told.as_of), told.values.into_iter().next().unwrap_or_default()),
            Err(error) => {
                degraded.push(error.to_string());
                (None, unknown(&request))
            }
        };
        let gathered = evidence::gather(&values, &request, &records, &Findings::default(), &self.networks);
        let seen = as_kept(gathered.unwrap_or_default());
        let flags = in_force.rules.judge(&seen, visit.seen.campaign, at).flags;
        let score = Score::of(&flags, &[], &in_force.scale);
        Ok(ClickOpinion { features_as_of, flags, score, degraded })
    }
}
