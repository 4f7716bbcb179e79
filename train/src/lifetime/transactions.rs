//! Who bought what on which day, and what was known of each customer at a moment.

use super::LifetimeError;
use crate::anomaly::matrix::Values;

/// Microseconds in a day.
const DAY_US: i64 = 86_400_000_000;

/// All purchases of some customers, day by day. Several transactions of one customer on one day are one purchase, as in
/// the Python package `lifetimes`; a day on which more was returned than bought is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Transactions {
    /// Where the purchases of each customer begin, and where those of the last one end.
    starts: Vec<usize>,
    purchases: Vec<Purchase>,
    attributes: Vec<(String, Values)>,
}

/// What a customer bought on one day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Purchase {
    /// The day, counted from any fixed day.
    pub day: i32,
    /// The sum of its transactions.
    pub amount: f64,
    /// How many transactions there were.
    pub transactions: u32,
}

/// What BG/NBD and Gamma-Gamma know of a customer at a moment, and all that they need. Times may have any unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many purchases there were after the first.
    pub frequency: f64,
    /// The time from the first purchase to the last.
    pub recency: f64,
    /// The time since the first purchase.
    pub age: f64,
    /// The mean amount of the purchases after the first; zero where there is none.
    pub mean_amount: f64,
}

/// The groups of customers that predictions are judged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// First bought less than 90 days ago.
    New,
    /// Bought once, and not lately for the first time.
    OnePurchase,
    /// Came back.
    Loyal,
}

impl Segment {
    /// Who first bought fewer days ago than this is new.
    pub const NEW_DAYS: f64 = 90.0;

    /// All segments.
    pub const ALL: [Self; 3] = [Self::New, Self::OnePurchase, Self::Loyal];

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::OnePurchase => "one_purchase",
            Self::Loyal => "loyal",
        }
    }

    /// The segment of a customer.
    #[must_use]
    pub fn of(summary: &Summary) -> Self {
        if summary.age < Self::NEW_DAYS {
            return Self::New;
        }
        if summary.frequency < 1.0 { Self::OnePurchase } else { Self::Loyal }
    }
}

impl Transactions {
    /// Transactions as columns: the customers' numbers (0, 1, 2 and so on), days counted from any fixed day, and amounts,
    /// of which those below zero are returns.
    ///
    /// # Errors
    /// When there is none, the columns differ in length, or an amount is not finite.
    pub fn of_days(customers: &[u32], days: &[i32], amounts: &[f64]) -> Result<Self, LifetimeError> {
        let rows = customers.len();
        for (what, found) in [("days", days.len()), ("amounts", amounts.len())] {
            if found != rows {
                return Err(LifetimeError::Ragged { what, found, rows });
            }
        }
        if let Some(row) = amounts.iter().position(|amount| !(-1e12..=1e12).contains(amount)) {
            return Err(LifetimeError::Amount { row, value: amounts[row] });
        }
        let most = customers.iter().max().ok_or(LifetimeError::NoTransactions)?;
        let mut order: Vec<usize> = (0..rows).collect();
        // Amounts of a day in their own order, so that their sum does not depend on that of rows.
        order.sort_by(|one, other| {
            let key = |row: &usize| (customers[*row], days[*row]);
            key(one).cmp(&key(other)).then(amounts[*one].total_cmp(&amounts[*other]))
        });
        let mut starts = Vec::with_capacity(*most as usize + 2);
        let mut purchases: Vec<Purchase> = Vec::with_capacity(rows);
        for day in
            order.chunk_by(|one, other| (customers[*one], days[*one]) == (customers[*other], days[*other]))
        {
            let (customer, amount) = (customers[day[0]], day.iter().map(|row| amounts[*row]).sum::<f64>());
            while starts.len() <= customer as usize {
                starts.push(purchases.len());
            }
            if 0.0 <= amount {
                purchases.push(Purchase { day: days[day[0]], amount, transactions: day.len() as u32 });
            }
        }
        starts.push(purchases.len());
        Ok(Self { starts, purchases, attributes: Vec::new() })
    }

    /// The same with instants in microseconds; days are those of UTC.
    ///
    /// # Errors
    /// As [`Self::of_days`], and when an instant is millions of years away.
    pub fn of_instants(
        customers: &[u32],
        instants_us: &[i64],
        amounts: &[f64],
    ) -> Result<Self, LifetimeError> {
        let day = |(row, instant): (usize, &i64)| {
            i32::try_from(instant.div_euclid(DAY_US))
                .map_err(|_| LifetimeError::Instant { row, value: *instant })
        };
        let days: Vec<i32> = instants_us.iter().enumerate().map(day).collect::<Result<_, _>>()?;
        Self::of_days(customers, &days, amounts)
    }

    /// Adds what is known of the customers and does not change: columns with one value for each.
    ///
    /// # Errors
    /// When a column has another length than there are customers.
    pub fn with_attributes(mut self, attributes: Vec<(String, Values)>) -> Result<Self, LifetimeError> {
        let rows = self.customers();
        for (_, values) in &attributes {
            let found = match values {
                Values::Numbers(numbers) => numbers.len(),
                Values::Categories(categories) => categories.len(),
            };
            if found != rows {
                return Err(LifetimeError::Ragged { what: "values of an attribute", found, rows });
            }
        }
        self.attributes = attributes;
        Ok(self)
    }

    /// How many customers there are: one more than the highest number.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.starts.len() - 1
    }

    /// What is known of the customers besides.
    #[must_use]
    pub fn attributes(&self) -> &[(String, Values)] {
        &self.attributes
    }

    /// The day of the first purchase of all; None where there is none.
    #[must_use]
    pub fn first_day(&self) -> Option<i32> {
        self.purchases.iter().map(|purchase| purchase.day).min()
    }

    /// The day of the last purchase of all; None where there is none.
    #[must_use]
    pub fn last_day(&self) -> Option<i32> {
        self.purchases.iter().map(|purchase| purchase.day).max()
    }

    /// The purchases of a customer, earlier ones first.
    #[must_use]
    pub fn of(&self, customer: usize) -> &[Purchase] {
        &self.purchases[self.starts[customer]..self.starts[customer + 1]]
    }

    /// The purchases of a customer up to the end of a day.
    #[must_use]
    pub fn until(&self, customer: usize, day: i32) -> &[Purchase] {
        let all = self.of(customer);
        &all[..all.partition_point(|purchase| purchase.day <= day)]
    }

    /// Those who had bought by the end of a day, in the order of their numbers.
    #[must_use]
    pub fn known_at(&self, day: i32) -> Vec<usize> {
        let known = |customer: &usize| self.of(*customer).first().is_some_and(|first| first.day <= day);
        (0..self.customers()).filter(known).collect()
    }

    /// What some customers spend in the `days` after the end of a day.
    #[must_use]
    pub fn spent(&self, customers: &[usize], after: i32, days: u32) -> Vec<f64> {
        let end = after.saturating_add_unsigned(days);
        let spent = |customer: &usize| {
            let all = self.of(*customer);
            let from = all.partition_point(|purchase| purchase.day <= after);
            all[from..]
                .iter()
                .take_while(|purchase| purchase.day <= end)
                // An empty sum would be the other zero.
                .fold(0.0, |sum, purchase| sum + purchase.amount)
        };
        customers.iter().map(spent).collect()
    }

    /// The summary of a customer at the end of a day, in days; None of those who had not yet bought.
    #[must_use]
    pub fn summary(&self, customer: usize, day: i32) -> Option<Summary> {
        let seen = self.until(customer, day);
        let (first, last) = (seen.first()?, seen.last()?);
        let frequency = (seen.len() - 1) as f64;
        let later: f64 = seen[1..].iter().map(|purchase| purchase.amount).sum();
        let mean_amount = if frequency < 1.0 { 0.0 } else { later / frequency };
        let days = |from: i32, to: i32| f64::from(to) - f64::from(from);
        Some(Summary {
            frequency,
            recency: days(first.day, last.day),
            age: days(first.day, day),
            mean_amount,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_of_one_day_are_one_purchase() {
        let days = [4, 0, 4, 9, 9];
        let known = Transactions::of_days(&[2, 2, 2, 0, 2], &days, &[1.0, 2.0, 3.0, 7.0, 8.0]).unwrap();
        let summary = known.summary(2, 8).unwrap();
        assert_eq!(summary, Summary { frequency: 1.0, recency: 4.0, age: 8.0, mean_amount: 4.0 });
        assert_eq!((known.summary(0, 8), known.summary(1, 99)), (None, None));
        assert_eq!(known.spent(&[0, 1, 2], 4, 5), [7.0, 0.0, 8.0]);
        assert_eq!(known.known_at(8), [2]);
    }

    #[test]
    fn returns_lower_their_day_and_days_of_returns_are_none() {
        let known = Transactions::of_days(&[0; 4], &[0, 1, 1, 2], &[5.0, 9.0, -4.0, -3.0]).unwrap();
        assert_eq!(known.of(0).iter().map(|it| it.amount).collect::<Vec<_>>(), [5.0, 5.0]);
    }

    #[test]
    fn instants_before_the_epoch_are_of_the_day_before() {
        let known = Transactions::of_instants(&[0, 0], &[-1, 0], &[1.0, 1.0]).unwrap();
        assert_eq!(known.of(0).iter().map(|it| it.day).collect::<Vec<_>>(), [-1, 0]);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let error = Transactions::of_days(&[0], &[1], &[f64::NAN]).unwrap_err().to_string();
        assert!(error.starts_with("the amount of row 0 is NaN"), "{error}");
        assert_eq!(Transactions::of_days(&[], &[], &[]).unwrap_err(), LifetimeError::NoTransactions);
    }
}
