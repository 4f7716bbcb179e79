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

/// Somebody: where they live, and which of the people there they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Person(u64);

/// How many bits the number of somebody within a country has.
const NUMBER: u32 = 44;

impl Person {
    pub(crate) fn new(country: usize, number: u64) -> Self {
        Self((country as u64) << NUMBER | number)
    }

    /// Where they live: a position in [`COUNTRIES`].
    pub(crate) fn country(self) -> usize {
        usize::try_from(self.0 >> NUMBER).unwrap_or(0)
    }

    /// Which of the people there.
    fn number(self) -> u64 {
        self.0 & ((1 << NUMBER) - 1)
    }

    /// Their number in the whole world.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }
}

/// What somebody has in their hands when they begin something (chosen).
pub(crate) fn device(dice: &mut Dice) -> Device {
    match dice.unit() {
        ..0.54 => Device::Mobile,
        ..0.91 => Device::Desktop,
        _ => Device::Tablet,
    }
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
        Person::new(country, dice.below(self.in_country[country]))
    }

    /// Somebody, anywhere.
    pub(crate) fn anybody(&self, dice: &mut Dice) -> Person {
        let country = self.countries.draw(dice);
        self.somebody_in(country, dice)
    }

    /// Somebody who shares a home with this person, or the person.
    pub(crate) fn housemate(&self, person: &Person, dice: &mut Dice) -> Person {
        let first = (household(person) * IN_A_HOUSEHOLD.0).div_ceil(IN_A_HOUSEHOLD.1);
        let number = (first + dice.below(2)).min(self.in_country[person.country()] - 1);
        Person::new(person.country(), number)
    }

    fn key(&self, part: Part, country: usize, number: u64) -> u64 {
        self.seed.key2(part, country as u64, number)
    }

    /// Their e-mail address.
    pub(crate) fn mailbox(&self, person: &Person) -> Mailbox {
        let mut dice = Dice::of(self.key(Part::Mailbox, person.country(), person.number()));
        let domain = if dice.happens(HONEST_DISPOSABLE) { dice.one(&DISPOSABLE) } else { dice.one(&MAIL) };
        Mailbox { hash: hash(&mut dice), domain }
    }

    /// Their home's address, which the provider changes every thirty days.
    pub(crate) fn home(&self, person: &Person, at_us: i64) -> Address {
        let home = household(person);
        let lease = at_us.unsigned_abs() / (30 * DAY).unsigned_abs() + home % 30;
        let index = crate::dice::mixed(home) ^ lease;
        Address::of(self.seed, Class::Home, person.country(), index)
    }

    /// The address that their carrier gives them today: two thousand people share one.
    pub(crate) fn carrier(&self, person: &Person, at_us: i64) -> Address {
        let pool = self.in_country[person.country()] / 2_000 + 1;
        let today = at_us.div_euclid(DAY).unsigned_abs();
        let index = crate::dice::mixed(person.number() ^ crate::dice::mixed(today)) % pool;
        Address::of(self.seed, Class::Carrier, person.country(), index)
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
        let home = self.key(Part::Household, person.country(), household(person));
        let own = self.key(Part::Handset, person.country(), person.number());
        let shared = kind != Device::Mobile && home % 20 < 3;
        Handset::of(crate::dice::mixed(if shared { home } else { own } ^ kind as u64), kind)
    }

    /// Where they are at this moment with what they hold: at work in working hours, on the way with a telephone, else at
    /// home. Two in a hundred travel, and one in a hundred hides behind a rented machine (chosen).
    pub(crate) fn whereabouts(
        &self,
        person: &Person,
        held: Device,
        at_us: i64,
        dice: &mut Dice,
    ) -> Whereabouts {
        let home = person.country();
        let hour = hour_of_week(at_us, COUNTRIES[home].ahead_hours);
        let working = hour < 120 && (9..17).contains(&(hour % 24));
        let key = self.key(Part::Person, home, person.number());
        let (luck, handset) = (dice.unit(), self.handset(person, held));
        if luck < 0.03 {
            let country = self.countries.draw(dice);
            let there = Person::new(country, person.number() % self.in_country[country]);
            let rented = luck < 0.01;
            let address =
                if rented { self.data_centre(country, dice.bits()) } else { self.carrier(&there, at_us) };
            return Whereabouts { address, handset, country };
        }
        let address = match (key % 100, held) {
            (..45, Device::Desktop) if working && luck < 0.90 => self.office(home, key),
            (45..55, Device::Desktop) if working && luck < 0.90 => self.campus(home, key),
            (_, Device::Mobile) if luck < 0.50 => self.carrier(person, at_us),
            _ => self.home(person, at_us),
        };
        Whereabouts { address, handset, country: home }
    }
}

/// Which home of the country somebody lives in.
fn household(person: &Person) -> u64 {
    person.number() * IN_A_HOUSEHOLD.1 / IN_A_HOUSEHOLD.0
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
            let hashes = (0..10_000).map(|number| address(&Person::new(0, number)).hash);
            hashes.collect::<std::collections::BTreeSet<_>>().len()
        };
        assert!(distinct(&|person| people.carrier(person, 0)) < 20);
        assert_eq!(distinct(&|person| people.home(person, 0)), 4_000);
    }
}
