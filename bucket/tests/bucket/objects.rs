//! Objects are written, read, found, listed and taken away.

use bucket::When;

use crate::{done, folder};

#[test]
fn what_was_put_is_found_read_and_gone_when_it_is_removed() {
    let bucket = folder("basics");
    assert_eq!(bucket.find("a").unwrap(), None);
    assert_eq!(bucket.get("a", None).unwrap(), None);
    bucket.remove("a").unwrap();

    let first = done(bucket.put("a", "one", When::Always).unwrap());
    let found = bucket.find("a").unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.size, &found.tag), ("a", 3, &first));
    assert_eq!(bucket.get("a", None).unwrap().unwrap(), ("one".into(), first.clone()));

    let second = done(bucket.put("a", "two!", When::Always).unwrap());
    assert_ne!(first, second);
    assert_eq!(bucket.get("a", Some(&first)).unwrap(), None);
    assert_eq!(bucket.get("a", Some(&second)).unwrap().unwrap().0, "two!");

    bucket.remove("a").unwrap();
    assert_eq!(bucket.find("a").unwrap(), None);
    assert!(bucket.list("").unwrap().is_empty());
}

#[test]
fn names_are_taken_as_they_are() {
    let bucket = folder("names of all kinds=1/ä");
    let names = [
        "day=2026-01-01/hour=07/part 0.parquet",
        "day=2026-01-01/hour=07/part+1.parquet",
        "%41",
        "für später/Ελλάδα/日本",
        "a&b<c>'d'\"e\"",
        "~tilde!(and) *stars*",
        "_incoming/x",
    ];
    for name in names {
        let _ = done(bucket.put(name, name, When::Absent).unwrap());
        assert_eq!(bucket.get(name, None).unwrap().unwrap().0, name);
        assert_eq!(bucket.find(name).unwrap().unwrap().name, name);
    }
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    let listed: Vec<String> = bucket.list("").unwrap().into_iter().map(|object| object.name).collect();
    assert_eq!(listed, sorted);
    let hours: Vec<String> =
        bucket.list("day=2026-01-01/hour=07").unwrap().into_iter().map(|object| object.name).collect();
    assert_eq!(hours, [names[0], names[1]]);
    for name in names {
        bucket.remove(name).unwrap();
    }
    assert!(bucket.list("").unwrap().is_empty());
}

#[test]
fn what_leads_out_of_a_folder_is_no_name() {
    let bucket = folder("inside");
    for name in ["../outside", "a/../../outside", "a//b", "./a"] {
        let error = bucket.put(name, "", When::Always).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{name}: {error}");
    }
}

#[test]
fn a_folder_is_no_other_that_begins_with_its_name() {
    let (a, longer) = (folder("a"), folder("a2"));
    for bucket in [&a, &longer] {
        for name in ["x/1", "x/2/3", "x2/4", "5"] {
            let _ = done(bucket.put(name, "", When::Always).unwrap());
        }
    }
    let names = |below: &str| a.list(below).unwrap().into_iter().map(|it| it.name).collect::<Vec<_>>();
    assert_eq!(names(""), ["5", "x/1", "x/2/3", "x2/4"]);
    assert_eq!(names("x"), ["x/1", "x/2/3"]);
    assert!(names("nothing").is_empty());
    assert_eq!(a.folders("").unwrap(), ["x", "x2"]);
    assert_eq!(a.folders("x").unwrap(), ["2"]);
    assert!(a.folders("x/2").unwrap().is_empty());
    assert!(folder("").folders("").unwrap().contains(&"a2".to_owned()));
    assert_eq!(a.address("x/1"), "s3://tributary/a/x/1");
    assert_eq!(folder("").address(""), "s3://tributary");
}

#[test]
fn a_list_has_more_than_a_page() {
    let bucket = folder("many");
    let names: Vec<String> = (0..1_005).map(|number| format!("{number:04}/x")).collect();
    for name in &names {
        let _ = done(bucket.put(name, "x", When::Always).unwrap());
    }
    let listed: Vec<String> = bucket.list("").unwrap().into_iter().map(|object| object.name).collect();
    assert_eq!(listed, names);
    assert_eq!(bucket.folders("").unwrap().len(), names.len());
}

#[test]
fn a_large_object_is_whole() {
    let bucket = folder("large");
    let bytes: Vec<u8> =
        (0..64_u32 << 18).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    assert_eq!(bytes.len(), 64 << 20);
    let tag = done(bucket.put("x", bytes.clone(), When::Absent).unwrap());
    assert_eq!(bucket.find("x").unwrap().unwrap().size, 64 << 20);
    let (read, read_tag) = bucket.get("x", Some(&tag)).unwrap().unwrap();
    assert!(read == bytes);
    assert_eq!(read_tag, tag);
}

#[test]
fn a_thread_with_a_runtime_of_its_own_may_wait_and_forget() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let bucket = folder("inside a task");
        let _ = done(bucket.put("x", "x", When::Always).unwrap());
        drop(bucket);
    });
}
