//! When an address that did not answer is tried again: at once, and then ever later for three days, as Standard Webhooks 1.0 advises.

use chrono::TimeDelta;
use domain::Chance;

/// How long after one attempt the next one is made.
const WAITS: [TimeDelta; 9] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(14),
    TimeDelta::hours(20),
    TimeDelta::hours(24),
];

/// Nobody makes us wait longer.
const LONGEST: TimeDelta = TimeDelta::hours(24);

/// How long to wait after so many attempts, up to a tenth more by chance so that what failed together does not come back together;
/// at least as long as the address asks for, up to a day. None when it is given up.
#[must_use]
pub fn wait(attempts: i32, asked: Option<TimeDelta>, chance: &Chance) -> Option<TimeDelta> {
    let made = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let wait = WAITS.get(made)?;
    let tenth = u64::try_from(wait.num_milliseconds() / 10).unwrap_or_default().max(1);
    let more = TimeDelta::milliseconds(i64::try_from(chance.below(tenth)).unwrap_or_default());
    Some((*wait + more).max(asked.unwrap_or_default().min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_given_up_after_three_days() {
        let chance = Chance::seeded(1);
        let waits: Vec<_> = (1..).map_while(|attempts| wait(attempts, None, &chance)).collect();
        assert_eq!(waits.len(), 9);
        let all = waits.iter().sum::<TimeDelta>();
        assert!(TimeDelta::hours(75) < all && all < TimeDelta::hours(84), "{all}");
        assert!(waits.is_sorted());
    }

    #[test]
    fn an_address_may_ask_for_more_time_but_not_for_ever() {
        let chance = Chance::seeded(1);
        assert_eq!(wait(1, Some(TimeDelta::hours(1)), &chance), Some(TimeDelta::hours(1)));
        assert_eq!(wait(1, Some(TimeDelta::days(400)), &chance), Some(LONGEST));
    }
}
