//! What `tributary-train match` recommends with is a version in the registry that recommends the same.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use models::{
    Runtime,
    best::Eligible,
    matching::{FILE, Matches, Part, Ranker},
    registry::{Alias, Registry, manifest::Manifest},
    session::{Answer, Polled, Serving, Settings},
};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tempfile::TempDir;

const USERS: u32 = 120;
const ITEMS: u32 = 40;
const K: usize = 5;
const KINDS: [&str; 4] = ["finance", "travel", "games", "pets"];

/// Users of four tastes with items of theirs, which are worth more to them; the last user and the last item are new.
struct Place {
    folder: TempDir,
    had: BTreeSet<(u32, u32)>,
}

/// A user's list: items with scores.
type Lists = BTreeMap<String, Vec<(String, f64)>>;

impl Place {
    fn new() -> Self {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(8);
        let (mut text, mut had) = ("user,item,value\n".to_owned(), BTreeSet::new());
        for user in 0..USERS - 1 {
            for _ in 0..9 {
                let taste = if dice.random_range(0..10) < 8 { user % 4 } else { dice.random_range(0..4) };
                let item = (4 * dice.random_range(0..ITEMS / 4) + taste).min(ITEMS - 2);
                let value = if item % 4 == user % 4 { 3.0 } else { 1.0 } + dice.random_range(0.0..1.0);
                writeln!(text, "u{user:03},i{item:02},{value}").unwrap();
                had.insert((user, item));
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("seen.csv", &text);
        let kind = |number: u32| KINDS[number as usize % 4];
        // Every ninth does not say how old.
        let age =
            |user: u32| if user.is_multiple_of(9) { String::new() } else { (20 + user * 7 % 50).to_string() };
        let users: String =
            (0..USERS).map(|user| format!("u{user:03},{},{}\n", kind(user), age(user))).collect();
        write("users.csv", &format!("user,kind,age\n{users}"));
        let items: String = (0..ITEMS)
            .map(|item| {
                format!("i{item:02},{} {},{}.5\n", kind(item), KINDS[item as usize / 4 % 4], item % 12)
            })
            .collect();
        write("items.csv", &format!("item,kind,price\n{items}"));
        Self { folder, had }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn train(&self, words: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-train"));
        command.current_dir(self.folder.path()).args(words.split_whitespace()).output().unwrap()
    }

    fn told(&self, words: &str) -> String {
        let output = self.train(words);
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Learns, publishes under the model's name, makes it champion, and loads it as a service does.
    fn served(&self, model: &str, more: &str) -> (Serving, Lists) {
        let told = self.told(&format!(
            "match --interactions seen.csv {more} --model {model} --k {K} --registry registry --name {model} --out {model}"
        ));
        assert!(told.contains(&format!("{model} version 1 is in registry")), "{told}");
        self.told(&format!("models promote {model} 1 --registry registry --by test --why first"));
        let registry = Registry::in_folder(self.path("registry"));
        let name = model.parse().unwrap();
        let features = registry.manifest(&name, "1".parse().unwrap()).unwrap().about.features;
        let library = env::var_os("ORT_DYLIB_PATH").expect("cargo sets it from .cargo/config.toml");
        let runtime = Runtime::open(Path::new(&library)).unwrap();
        let serving =
            Serving::new(runtime, registry, (name, Alias::Champion), Some(features), Settings::default());
        assert!(matches!(serving.poll().unwrap(), Polled::Swapped { .. }));
        (serving, self.lists(model))
    }

    fn lists(&self, out: &str) -> Lists {
        let text = fs::read(self.path(out).join("recommendations.csv")).unwrap();
        let mut lists = Lists::new();
        for row in csv::Reader::from_reader(text.as_slice()).deserialize() {
            let (user, item, _, score, _): (String, String, usize, f64, String) = row.unwrap();
            lists.entry(user).or_default().push((item, score));
        }
        lists
    }
}

/// What is told of users or items, by the name of the column of the graph.
fn told_of(side: &str, number: u32) -> impl Fn(&str) -> f64 {
    let is_user = side == "user";
    move |column: &str| {
        let kinds = [KINDS[number as usize % 4], KINDS[number as usize / 4 % 4]];
        match column {
            "age" if number.is_multiple_of(9) => f64::NAN,
            "age" => f64::from(20 + number * 7 % 50),
            "price" => f64::from(number % 12) + 0.5,
            word => {
                let kind = word.strip_prefix("kind=").unwrap();
                f64::from(u8::from(kinds[..if is_user { 1 } else { 2 }].contains(&kind)))
            }
        }
    }
}

/// The place of a name in one of the lists that the file carries, by the signature.
fn items(manifest: &Manifest) -> Vec<String> {
    manifest.about.signature.outputs.iter().find(|port| port.name == "fit").unwrap().columns.clone()
}

fn list(answer: &Answer, items: &[String]) -> Vec<(String, f64)> {
    let (places, scores) = (answer.numbers("items").unwrap(), answer.numbers("scores").unwrap());
    places.iter().zip(scores).map(|(place, score)| (items[*place as usize].clone(), score)).collect()
}

fn same(found: &[(String, f64)], expected: &[(String, f64)], of: &str) {
    let names = |list: &[(String, f64)]| list.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{of}");
    for ((item, found), (_, expected)) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= 1e-6 * expected.abs().max(1.0),
            "{of}, {item}: {found} is not {expected}"
        );
    }
}

/// What a service would list by the file of a version is what the job listed, for everybody whom it knows.
fn check_service(place: &Place, manifest: &Manifest, lists: &Lists) {
    let registry = Registry::in_folder(place.path("registry"));
    let file = registry.read(manifest, FILE).unwrap();
    let ranker = Ranker::new(Matches::read(&file).unwrap());
    ranker.prove(&manifest.about.parity).unwrap();
    let items = ranker.matches().items.names.clone();
    let parties: Vec<_> = items.iter().map(|name| ranker.known(Part::Item, name).unwrap().clone()).collect();
    assert_eq!(lists.len(), ranker.matches().users.names.len());
    for (user, expected) in lists {
        let party = ranker.known(Part::User, user).unwrap();
        let mut open = Eligible::all(items.len());
        ranker.matches().pairs[party.number().unwrap() as usize]
            .iter()
            .for_each(|it| open.remove(*it as usize));
        let found = ranker.best((Part::User, party), &parties, &open, K);
        let found: Vec<(String, f64)> =
            found.iter().map(|it| (items[it.item as usize].clone(), it.score)).collect();
        same(&found, expected, &format!("the service, {user}"));
        for (item, score) in &found {
            let item = ranker.known(Part::Item, item).unwrap();
            let reasons = ranker.reasons(party, item);
            assert!(!ranker.why((party, item), *score, &reasons).is_empty());
            assert!(reasons.iter().all(|reason| 0.0 < reason.adds));
        }
    }
}

/// Numbers of users and items are their places in the order of names.
fn check_lists(model: &str, more: &str) {
    let place = Place::new();
    let (serving, lists) = place.served(model, more);
    let manifest = serving.manifest().unwrap();
    let items = items(&manifest);
    assert_eq!(manifest.about.family, model);
    check_service(&place, &manifest, &lists);
    let row = |user: u32, number: f64| -> Vec<f64> {
        let one = |column: &String| {
            if column == "user" {
                return number;
            }
            let Some(item) = column.strip_prefix("eligible i") else { return told_of("user", user)(column) };
            f64::from(u8::from(!place.had.contains(&(user, item.parse().unwrap()))))
        };
        manifest.about.features.names.iter().map(one).collect()
    };
    for (user, expected) in &lists {
        let user: u32 = user[1..].parse().unwrap();
        let answer = serving.score(row(user, f64::from(user))).unwrap();
        same(&list(&answer, &items), expected, &format!("{model}, u{user}"));
    }
    if more.contains("users.csv") {
        // A stranger of whom the same is told as of the newcomer gets the newcomer's list.
        let answer = serving.score(row(USERS - 1, -1.0)).unwrap();
        same(&list(&answer, &items), &lists[&format!("u{:03}", USERS - 1)], model);
    }
}

const BOTH: &str = "--user-features users.csv --item-features items.csv";

#[test]
fn factors_say_in_the_registry_what_they_recommended() {
    check_lists("als", BOTH);
    check_lists("bpr", BOTH);
    check_lists("bpr", "");
}

#[test]
fn who_is_unknown_to_factors_gets_what_is_popular_there_too() {
    check_lists("popularity", BOTH);
    check_lists("als", "--item-features items.csv");
}

#[cfg(feature = "torch")]
#[test]
fn towers_say_in_the_registry_what_they_recommended() {
    check_lists("two-tower", BOTH);
}

#[test]
fn the_value_of_pairs_is_what_it_was_and_its_contributions_add_up() {
    let place = Place::new();
    let (serving, lists) = place.served("value", BOTH);
    let manifest = serving.manifest().unwrap();
    check_service(&place, &manifest, &lists);
    for user in [0, 17, USERS - 1] {
        let mut found: Vec<(u32, f64)> = Vec::new();
        let mut bases = Vec::new();
        for item in (0..ITEMS).filter(|item| !place.had.contains(&(user, *item))) {
            let one = |column: &String| match column.as_str() {
                "user" => f64::from(user),
                "item" => f64::from(item),
                _ => column.strip_prefix("user ").map_or_else(
                    || told_of("item", item)(column.strip_prefix("item ").unwrap()),
                    |column| told_of("user", user)(column),
                ),
            };
            let answer = serving.score(manifest.about.features.names.iter().map(one).collect()).unwrap();
            let expected = answer.number("expected").unwrap();
            found.push((item, expected));
            bases.push(expected - answer.numbers("contributions").unwrap().iter().sum::<f64>());
        }
        assert!(bases.iter().all(|base| (base - bases[0]).abs() < 1e-6), "{bases:?}");
        found.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        let best: Vec<(String, f64)> =
            found.iter().take(K).map(|(item, worth)| (format!("i{item:02}"), *worth)).collect();
        same(&best, &lists[&format!("u{user:03}")], &format!("value, u{user}"));
    }
}

#[test]
fn what_has_no_file_is_told_and_the_lists_are_there() {
    let place = Place::new();
    let told = place.told("match --interactions seen.csv --model knn --k 5 --registry registry --out lists");
    assert!(told.contains("no version came of it: knn has no file; choose popularity, als"), "{told}");
    assert!(!place.path("registry").exists() && place.path("lists/recommendations.csv").exists());
    let told = place.told("match --interactions seen.csv --model als --no-publish --out quiet");
    assert!(!told.contains("version") && !place.path("registry").exists(), "{told}");
}
