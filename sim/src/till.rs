//! What campaigns have spent of their budgets: one that has nothing left in its month is closed until the next.

use std::collections::BTreeSet;

use crate::{
    rhythm::DAY,
    truth::{Pause, Truth},
    world::World,
};

/// For how long a budget must last.
pub(crate) const MONTH: i64 = 30 * DAY;

/// What each campaign has spent; it is counted up at once and looked at each minute, so that the order in which things
/// happen within a minute changes nothing.
#[derive(Debug, Default)]
pub(crate) struct Till {
    campaigns: Vec<Account>,
    /// Who has spent something in this minute.
    spent: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// Counted from the campaign's beginning.
    month: i64,
    minor: i64,
    closed_until_us: i64,
}

impl Till {
    pub(crate) fn new(world: &World) -> Self {
        let account = Account { month: i64::MIN, minor: 0, closed_until_us: i64::MIN };
        Self { campaigns: vec![account; world.campaigns.len()], spent: BTreeSet::new() }
    }

    /// Whether a campaign has nothing left at a moment.
    pub(crate) fn is_closed(&self, campaign: u32, at_us: i64) -> bool {
        at_us < self.campaigns[campaign as usize].closed_until_us
    }

    /// Takes a commission out of a campaign's budget in the minute that ends at `until_us`.
    pub(crate) fn pay(&mut self, world: &World, campaign: u32, minor: i64, until_us: i64) {
        let account = &mut self.campaigns[campaign as usize];
        let month = world.campaign(campaign).month(until_us);
        if account.month != month {
            *account = Account { month, minor: 0, ..*account };
        }
        account.minor += minor;
        self.spent.insert(campaign);
    }

    /// Closes campaigns that have spent their budget, and says which.
    pub(crate) fn settle(&mut self, world: &World, until_us: i64) -> Vec<Truth> {
        let mut pauses = Vec::new();
        while let Some(number) = self.spent.pop_first() {
            let (campaign, account) = (world.campaign(number), &mut self.campaigns[number as usize]);
            let spent = campaign.monthly_budget.is_some_and(|budget| budget.minor <= account.minor);
            if spent && account.closed_until_us <= until_us {
                account.closed_until_us = campaign.month_ends_us(account.month);
                pauses.push(Truth::Pause(Pause {
                    campaign: campaign.id,
                    from_us: until_us,
                    until_us: account.closed_until_us,
                }));
            }
        }
        pauses
    }
}
