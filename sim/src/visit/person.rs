//! People, who exist only as functions of their number: nobody is kept in memory.

use domain::click::Device;

use super::{
    address::{Address, Class},
    handset::Handset,
};
use crate::{
    dice::{Dice, Lots, Part, Seed, real, whole},
    rhythm::{COUNTRIES, DAY, hour_of_week},
};

/// Somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// Where they live: a position in [`COUNTRIES`].
    pub(crate) country: usize,
    /// Which of the people there.
    pub(crate) number: u64,
}

/// An e-mail address, as much of it as anybody may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mailbox {
    /// Its keyed hash.
    pub(crate) hash: [u8; 16],
    /// Where it is.
    pub(crate) domain: &'static str,
}

/// Where people have mail (chosen: three in five at one of the large free ones).
const MAIL: [&str; 10] = [
    "gmail.com",
    "gmail.com",
    "gmail.com",
    "outlook.com",
    "yahoo.com",
    "icloud.com",
    "mailbox-provider.example",
    "broadband.example",
    "company.example",
    "university.example",
];

/// Where mail is had for ten minutes; the last two are not in any published list.
pub(crate) const DISPOSABLE: [&str; 7] = [
    "mailinator.com",
    "guerrillamail.com",
    "10minutemail.com",
    "yopmail.com",
    "trashmail.com",
    "drop-box-mail.example",
    "once-only.example",
];

/// The share of honest people who use a disposable address.
const HONEST_DISPOSABLE: f64 = 0.006;

/// How many people share a home, on average.
const IN_A_HOUSEHOLD: (u64, u64) = (5, 2);

/// Everybody.
#[derive(Clone, Debug)]
pub(crate) struct People {
    seed: Seed,
    in_country: Vec<u64>,
    countries: Lots,
}

/// Where somebody is at a moment, and what they hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whereabouts {
    pub(crate) address: Address,
    pub(crate) handset: Handset,
    /// Where the network seems to be: a position in [`COUNTRIES`].
    pub(crate) country: usize,
}

impl People {
    pub(crate) fn new(seed: Seed, count: u64) -> Self {
        let total: f64 = COUNTRIES.iter().map(|country| country.weight).sum();
        let share = |weight: f64| whole(real(count) * weight / total).max(50);
        let in_country = COUNTRIES.iter().map(|country| share(country.weight)).collect();
        Self { seed, in_country, countries: Lots::new(COUNTRIES.iter().map(|country| country.weight)) }
    }

    /// Somebody who lives in this country.
    pub(crate) fn somebody_in(&self, country: usize, dice: &mut Dice) -> Person {
        Person { country, number: dice.below(self.in_country[country]) }
    }

    /// Somebody, anywhere.
    pub(crate) fn anybody(&self, dice: &mut Dice) -> Person {
        let country = self.countries.draw(dice);
        self.somebody_in(country, dice)
    }

    /// Somebody who shares a home with this person, or the person.
    pub(crate) fn housemate(&self, person: &Person, dice: &mut Dice) -> Person {
        let first = (household(person) * IN_A_HOUSEHOLD.0).div_ceil(IN_A_HOUSEHOLD.1);
        let number = (first + dice.below(2)).min(self.in_country[person.country] - 1);
        Person { country: person.country, number }
    }

    fn key(&self, part: Part, country: usize, number: u64) -> u64 {
        self.seed.key2(part, country as u64, number)
    }

    /// Their e-mail address.
    pub(crate) fn mailbox(&self, person: &Person) -> Mailbox {
        let mut dice = Dice::of(self.key(Part::Mailbox, person.country, person.number));
        let domain = if dice.happens(HONEST_DISPOSABLE) { dice.one(&DISPOSABLE) } else { dice.one(&MAIL) };
        Mailbox { hash: hash(&mut dice), domain }
    }

    /// Their home's address, which the provider changes every thirty days.
    pub(crate) fn home(&self, person: &Person, at_us: i64) -> Address {
        let home = household(person);
        let lease = at_us.unsigned_abs() / (30 * DAY).unsigned_abs() + home % 30;
        let index = crate::dice::mixed(home) ^ lease;
        Address::of(self.seed, Class::Home, person.country, index)
    }

    /// The address that their carrier gives them today: two thousand people share one.
    pub(crate) fn carrier(&self, person: &Person, at_us: i64) -> Address {
        let pool = self.in_country[person.country] / 2_000 + 1;
        let today = at_us.div_euclid(DAY).unsigned_abs();
        let index = crate::dice::mixed(person.number ^ crate::dice::mixed(today)) % pool;
        Address::of(self.seed, Class::Carrier, person.country, index)
    }

    /// The address of the `number`-th office of a country; forty people work in one.
    pub(crate) fn office(&self, country: usize, number: u64) -> Address {
        Address::of(self.seed, Class::Office, country, number % (self.in_country[country] / 40 + 1))
    }

    /// The address of the `number`-th campus of a country; fifteen hundred people study on one.
    pub(crate) fn campus(&self, country: usize, number: u64) -> Address {
        Address::of(self.seed, Class::Campus, country, number % (self.in_country[country] / 1_500 + 1))
    }

    /// One of the machines that anybody can rent in a country.
    pub(crate) fn data_centre(&self, country: usize, number: u64) -> Address {
        Address::of(self.seed, Class::DataCentre, country, number % 400)
    }

    /// A machine of theirs; three families in twenty share one tablet and one computer.
    pub(crate) fn handset(&self, person: &Person, kind: Device) -> Handset {
        let home = self.key(Part::Household, person.country, household(person));
        let own = self.key(Part::Handset, person.country, person.number);
        let shared = kind != Device::Mobile && home % 20 < 3;
        Handset::of(crate::dice::mixed(if shared { home } else { own } ^ kind as u64), kind)
    }

    /// Where they are at this moment and what they hold: at work in working hours, on the way with a telephone, else
    /// at home. Two in a hundred travel, and one in a hundred hides behind a rented machine (chosen).
    pub(crate) fn whereabouts(&self, person: &Person, at_us: i64, dice: &mut Dice) -> Whereabouts {
        let hour = hour_of_week(at_us, COUNTRIES[person.country].ahead_hours);
        let working = hour < 120 && (9..17).contains(&(hour % 24));
        let key = self.key(Part::Person, person.country, person.number);
        let here = |address, kind| Whereabouts {
            address,
            handset: self.handset(person, kind),
            country: person.country,
        };
        match (key % 100, dice.unit()) {
            (_, luck) if luck < 0.01 => {
                let country = self.countries.draw(dice);
                Whereabouts { country, ..here(self.data_centre(country, dice.bits()), Device::Desktop) }
            }
            (_, luck) if luck < 0.03 => {
                let country = self.countries.draw(dice);
                let there = Person { country, number: person.number % self.in_country[country] };
                Whereabouts { country, ..here(self.carrier(&there, at_us), Device::Mobile) }
            }
            (..45, luck) if working && luck < 0.6 => here(self.office(person.country, key), Device::Desktop),
            (45..55, luck) if working && luck < 0.7 => {
                here(self.campus(person.country, key), Device::Desktop)
            }
            (_, luck) if luck < 0.30 => here(self.carrier(person, at_us), Device::Mobile),
            (_, luck) if luck < 0.58 => here(self.home(person, at_us), Device::Mobile),
            (_, luck) if luck < 0.90 => here(self.home(person, at_us), Device::Desktop),
            _ => here(self.home(person, at_us), Device::Tablet),
        }
    }
}

/// Which home of the country somebody lives in.
fn household(person: &Person) -> u64 {
    person.number * IN_A_HOUSEHOLD.1 / IN_A_HOUSEHOLD.0
}

/// A hash that nobody else has.
pub(crate) fn hash(dice: &mut Dice) -> [u8; 16] {
    (u128::from(dice.bits()) << 64 | u128::from(dice.bits())).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_housemate_lives_in_the_same_home() {
        let (people, mut dice) = (People::new(Seed(1), 100_000), Dice::of(1));
        let mut others = 0;
        for _ in 0..1_000 {
            let person = people.anybody(&mut dice);
            let mate = people.housemate(&person, &mut dice);
            assert_eq!(household(&mate), household(&person), "{person:?} {mate:?}");
            assert_eq!(people.home(&mate, 0), people.home(&person, 0));
            others += u32::from(mate != person);
        }
        assert!(200 < others);
    }

    #[test]
    fn thousands_share_a_carriers_address_and_few_a_homes() {
        let people = People::new(Seed(1), 100_000);
        let distinct = |address: &dyn Fn(&Person) -> Address| {
            let hashes = (0..10_000).map(|number| address(&Person { country: 0, number }).hash);
            hashes.collect::<std::collections::BTreeSet<_>>().len()
        };
        assert!(distinct(&|person| people.carrier(person, 0)) < 20);
        assert_eq!(distinct(&|person| people.home(person, 0)), 4_000);
    }
}
