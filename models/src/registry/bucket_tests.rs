//! A registry in a bucket keeps what a registry promises, wherever a writer is killed, and on a real store.

use std::{
    fmt,
    path::Path as Address,
    sync::{Arc, Mutex, PoisonError},
};

use ::bucket::Bucket;
use async_trait::async_trait;
use embedded::objects::S3;
use futures_util::{StreamExt, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};

use super::{
    Alias, Force, Registry, Version,
    crash_tests::{Work, check, check_together, prepared, serving},
};
use crate::{
    session::{Polled, examine},
    testing::{decision, fraud, promote, publication, runtime},
};

/// How a writer's operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The writer is killed before it.
    Before,
    /// The store does it, and the writer is killed before it hears so.
    After,
    /// The store does it, the answer is lost, and later ones work.
    Lost,
    /// The store refuses it, and later ones work.
    Refused,
}

/// A store that fails one writer at an operation, counted from zero.
#[derive(Clone, Debug)]
struct FailingStore {
    store: Arc<InMemory>,
    left: Arc<Mutex<Option<u64>>>,
    end: End,
}

impl FailingStore {
    fn new(store: &Arc<InMemory>, left: u64, end: End) -> Self {
        Self { store: Arc::clone(store), left: Arc::new(Mutex::new(Some(left))), end }
    }

    fn registry(&self) -> Registry {
        over(Arc::new(self.clone()))
    }

    fn is_over(&self) -> bool {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Counts an operation. Whether it is done, and whether the writer hears of it.
    fn step(&self) -> (bool, bool) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match *left {
            None => [(true, true), (false, false)][usize::from(matches!(self.end, End::Before | End::After))],
            Some(0) => {
                *left = None;
                (matches!(self.end, End::After | End::Lost), false)
            }
            Some(more) => {
                *left = Some(more - 1);
                (true, true)
            }
        }
    }

    async fn fail<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        let failure = || Err(Error::Generic { store: "failing", source: "it is over".into() });
        match self.step() {
            (true, true) => operation.await,
            (true, false) => operation.await.and_then(|_| failure()),
            (false, _) => failure(),
        }
    }
}

impl fmt::Display for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failing")
    }
}

#[async_trait]
impl ObjectStore for FailingStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.fail(self.store.put_opts(at, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.fail(self.store.put_multipart_opts(at, options)).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.fail(self.store.get_opts(at, options)).await
    }

    fn delete_stream(&self, all: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(all)
    }

    fn list(&self, below: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.step() == (true, true) {
            return self.store.list(below);
        }
        stream::iter([Err(Error::Generic { store: "failing", source: "it is over".into() })]).boxed()
    }

    async fn list_with_delimiter(&self, below: Option<&Path>) -> Result<ListResult> {
        self.fail(self.store.list_with_delimiter(below)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.fail(self.store.copy_opts(from, to, options)).await
    }
}

fn bucket(store: Arc<dyn ObjectStore>) -> Bucket {
    Bucket::over(store, "shop", "models/registry").unwrap()
}

fn over(store: Arc<dyn ObjectStore>) -> Registry {
    Registry::over(Arc::new(bucket(store)))
}

/// The numbers that were ever given.
fn claimed(bucket: &Bucket) -> Vec<u32> {
    let objects = bucket.list("fraud").unwrap();
    let claim = |name: &str| name.strip_prefix("fraud/")?.strip_suffix("/_claim")?.parse().ok();
    let mut claims: Vec<u32> = objects.iter().filter_map(|object| claim(&object.name)).collect();
    claims.sort_unstable();
    claims
}

fn check_every_step(work: Work, end: End) {
    for step in 0.. {
        let store = Arc::new(InMemory::new());
        let registry = prepared(over(store.clone()));
        let serving = serving(&registry);
        let failing = FailingStore::new(&store, step, end);
        let outcome = work.do_it(&failing.registry());
        let says = format!("{work:?}, {end:?} at step {step}");
        assert_eq!(outcome.is_err(), failing.is_over(), "{says}: {outcome:?}");
        let versions = registry.versions(&fraud()).unwrap();
        let given = claimed(&bucket(store.clone()));
        assert_eq!(registry.list(None).unwrap().len(), versions.len(), "{says}");
        if versions.len() == 2 {
            let sentence = registry.manifest(&fraud(), Version(3)).unwrap_err().to_string();
            assert_eq!(sentence, "fraud has no version 3: it has 1, 2", "{says}");
        }
        check(&registry, &serving, work, !failing.is_over(), &says);
        // A number that was given is not given again, also when nothing came of it.
        let next = registry.versions(&fraud()).unwrap().pop().unwrap();
        assert_eq!(next.0, given.last().unwrap() + 1, "{says}");
        if !failing.is_over() {
            assert!(3 < step, "{work:?} has more than {step} steps");
            return;
        }
    }
}

#[test]
fn a_publication_that_is_killed_at_any_step_leaves_nothing_half() {
    check_every_step(Work::Publish, End::Before);
    check_every_step(Work::Publish, End::After);
}

#[test]
fn a_promotion_that_is_killed_at_any_step_leaves_the_champion_serving() {
    check_every_step(Work::Promote, End::Before);
    check_every_step(Work::Promote, End::After);
}

#[test]
fn whatever_a_store_refuses_or_whose_answer_is_lost_leaves_nothing_half() {
    for work in [Work::Publish, Work::Promote] {
        check_every_step(work, End::Refused);
        check_every_step(work, End::Lost);
    }
}

#[test]
fn a_first_publication_that_is_killed_leaves_no_model_and_no_number() {
    for step in 1.. {
        let store = Arc::new(InMemory::new());
        let failing = FailingStore::new(&store, step, End::After);
        let registry = over(store.clone());
        let is_done = failing.registry().publish(&fraud(), &publication(1.0, 0.9)).is_ok();
        if is_done {
            return;
        }
        if claimed(&bucket(store.clone())).is_empty() || !registry.list(None).unwrap().is_empty() {
            continue;
        }
        let sentence = registry.versions(&fraud()).unwrap_err().to_string();
        assert_eq!(sentence, "there is no model fraud: the registry holds none", "step {step}");
        let next = registry.publish(&fraud(), &publication(1.0, 0.9)).unwrap();
        assert_eq!(next, Version(2), "step {step}");
        examine(&registry, &runtime(), &fraud(), next).unwrap();
    }
}

#[test]
fn on_a_real_store_a_model_is_published_promoted_served_and_taken_back() {
    let server = S3::start().unwrap();
    let bucket = Bucket::with(&server.address("models/registry"), server.variables()).unwrap();
    let registry = prepared(Registry::over(Arc::new(bucket.clone())));
    let serving = serving(&registry);
    promote(&registry, Version(2), Force::No).unwrap();
    assert_eq!(serving.poll().unwrap(), Polled::Swapped { from: Some(Version(1)), to: Version(2) });
    let aliases = registry.rollback(&fraud(), Alias::Champion, &decision("complaints"), &runtime()).unwrap();
    assert_eq!((aliases.champion, aliases.history.len()), (Some(Version(1)), 3));
    assert_eq!(serving.poll().unwrap(), Polled::Swapped { from: Some(Version(2)), to: Version(1) });
    let entries = registry.list(None).unwrap();
    assert!(entries.iter().all(|entry| entry.manifest.is_ok()), "{entries:?}");
    assert_eq!(claimed(&bucket), [1, 2]);
}

#[test]
fn on_a_real_store_threads_and_processes_that_write_together_lose_nothing() {
    let server = S3::start().unwrap();
    let address = server.address("models/registry");
    let bucket = Bucket::with(&address, server.variables()).unwrap();
    check_together(&Registry::over(Arc::new(bucket)), Address::new(&address), &server.variables());
}

#[test]
fn what_looks_like_an_address_of_something_else_is_no_folder() {
    for wrong in ["gs://shop/registry", "s3://", "https://shop.example/registry"] {
        let sentence = Registry::at(Address::new(wrong)).unwrap_err().to_string();
        assert_eq!(
            sentence,
            format!("{wrong} is no address of a bucket: write s3://BUCKET or s3://BUCKET/FOLDER")
        );
    }
    assert!(Registry::at(Address::new("models/registry")).is_ok());
}
