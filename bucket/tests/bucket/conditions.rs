//! A condition holds for one writer: nothing that was written is lost, and nobody is told so who was late.

use std::{sync::Barrier, thread};

use bucket::{Tag, When, Written};

use crate::{done, folder};

const ROUNDS: usize = 40;

#[test]
fn a_condition_is_granted_while_it_holds() {
    let bucket = folder("granted");
    let first = done(bucket.put("x", "one", When::Absent).unwrap());
    let second = done(bucket.put("x", "two", When::Unchanged(&first)).unwrap());
    assert_eq!(bucket.get("x", None).unwrap().unwrap(), ("two".into(), second));
}

#[test]
fn a_condition_that_does_not_hold_changes_nothing() {
    let bucket = folder("refused");
    let nothing = Tag("\"0123456789abcdef0123456789abcdef\"".to_owned());
    assert_eq!(bucket.put("x", "one", When::Unchanged(&nothing)).unwrap(), Written::Late);
    assert_eq!(bucket.find("x").unwrap(), None);

    let first = done(bucket.put("x", "one", When::Absent).unwrap());
    for other in ["two", "longer"] {
        assert_eq!(bucket.put("x", other, When::Absent).unwrap(), Written::Late);
    }
    let second = done(bucket.put("x", "two", When::Unchanged(&first)).unwrap());
    assert_eq!(bucket.put("x", "six", When::Unchanged(&first)).unwrap(), Written::Late);
    assert_eq!(bucket.get("x", None).unwrap().unwrap(), ("two".into(), second));
}

#[test]
fn who_finds_its_own_content_is_done() {
    let bucket = folder("again");
    let first = done(bucket.put("x", "one", When::Absent).unwrap());
    assert_eq!(bucket.put("x", "one", When::Absent).unwrap(), Written::Done(first.clone()));
    let second = done(bucket.put("x", "two", When::Unchanged(&first)).unwrap());
    assert_eq!(bucket.put("x", "two", When::Unchanged(&first)).unwrap(), Written::Done(second));
}

#[test]
fn of_two_who_write_at_once_one_is_first() {
    let bucket = folder("at once");
    let barrier = Barrier::new(2);
    let mut tags: Vec<Option<Tag>> = vec![None; ROUNDS];
    for pass in ["absent", "unchanged"] {
        let write = |writer: &str, round: usize, tag: Option<&Tag>| {
            barrier.wait();
            let when = tag.map_or(When::Absent, When::Unchanged);
            bucket.put(&format!("{round}"), format!("{pass} {writer} {round}"), when).unwrap()
        };
        let outcomes = thread::scope(|scope| {
            let writers = ["anna", "bert"].map(|writer| {
                let (write, tags) = (&write, &tags);
                scope.spawn(move || {
                    (0..ROUNDS).map(|round| write(writer, round, tags[round].as_ref())).collect::<Vec<_>>()
                })
            });
            writers.map(|writer| writer.join().unwrap())
        });
        for (round, (one, other)) in outcomes[0].iter().zip(&outcomes[1]).enumerate() {
            let (winner, tag) = match (one, other) {
                (Written::Done(tag), Written::Late) => ("anna", tag),
                (Written::Late, Written::Done(tag)) => ("bert", tag),
                both => panic!("{pass}, round {round}: {both:?}"),
            };
            let expected = (format!("{pass} {winner} {round}").into(), tag.clone());
            assert_eq!(bucket.get(&format!("{round}"), None).unwrap().unwrap(), expected);
            tags[round] = Some(tag.clone());
        }
    }
}

#[test]
fn a_claim_is_one_writers_also_of_those_who_claim_at_once() {
    let bucket = folder("claims");
    let barrier = Barrier::new(3);
    let claims = thread::scope(|scope| {
        let writers = [(); 3].map(|()| {
            scope.spawn(|| {
                let claim = |round| {
                    barrier.wait();
                    bucket.claim(&format!("{round}")).unwrap()
                };
                (0..ROUNDS).map(claim).collect::<Vec<_>>()
            })
        });
        writers.map(|writer| writer.join().unwrap())
    });
    for round in 0..ROUNDS {
        assert_eq!(claims.iter().filter(|claims| claims[round]).count(), 1, "round {round}");
        assert!(!bucket.claim(&format!("{round}")).unwrap());
    }
}

#[test]
fn what_several_add_to_one_object_is_all_there() {
    let bucket = folder("journal");
    let add = |line: &str| {
        loop {
            let held = bucket.get("journal", None).unwrap();
            let (text, tag) = held.map_or((String::new(), None), |(bytes, tag)| {
                (String::from_utf8(bytes.to_vec()).unwrap(), Some(tag))
            });
            let when = tag.as_ref().map_or(When::Absent, When::Unchanged);
            if bucket.put("journal", text + line, when).unwrap() != Written::Late {
                return;
            }
        }
    };
    let line = |writer: usize, number: usize| format!("writer {writer} line {number}\n");
    thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || (0..10).for_each(|number| add(&line(writer, number))));
        }
    });
    let (bytes, _) = bucket.get("journal", None).unwrap().unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let mut expected: Vec<String> = (0..40).map(|place| line(place / 10, place % 10)).collect();
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected);
}
