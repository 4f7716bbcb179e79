//! A bucket of an S3-compatible object store, as threads that wait see it: whole objects, read and written one at a
//! time, and written on a condition where somebody else may write too.

mod connection;

use std::{
    fmt, io,
    sync::{Arc, mpsc},
    time::SystemTime,
};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{
    Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, UpdateVersion,
    aws::AmazonS3Builder, path::Path,
};
use tokio::runtime::{Builder, Runtime};

use self::connection::Connector;

/// How an address of a bucket begins.
pub const SCHEME: &str = "s3://";

/// A folder in a bucket: `s3://BUCKET/FOLDER`.
///
/// Who we are and where the store is comes from the variables that every program for S3 reads: `AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL` (with `AWS_ALLOW_HTTP=true` for one without TLS), or from
/// the machine's role. Every operation waits until the store has answered, on the thread that asked; what fails for a
/// moment is tried again for up to three minutes.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    /// The bucket's name, for messages.
    name: String,
    /// The folder; empty for the bucket itself.
    folder: String,
    /// A thread of its own, so that it does not matter whether the one that waits has a runtime too.
    worker: Arc<Worker>,
}

/// The thread that speaks to the store.
struct Worker(Option<Runtime>);

impl Drop for Worker {
    fn drop(&mut self) {
        // Nobody waits for it any more, and where one may not wait for its end this is how it ends.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// One content of an object; an object that is written again has another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub String);

/// An object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name, from the folder on.
    pub name: String,
    /// Which content it has.
    pub tag: Tag,
    /// Of how many bytes.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: SystemTime,
}

/// When an object is written.
#[derive(Clone, Copy, Debug)]
pub enum When<'a> {
    /// Whatever is there.
    Always,
    /// If nothing is there.
    Absent,
    /// If what is there still has this tag.
    Unchanged(&'a Tag),
}

/// Whether the condition held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// It did, and this is the new content's tag.
    Done(Tag),
    /// It did not: nothing was changed.
    Late,
}

/// Why an address names no bucket that can be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It is none of ours.
    #[error("{0} is no address of a bucket: write s3://BUCKET or s3://BUCKET/FOLDER")]
    Form(String),
    /// A variable is missing or cannot be meant.
    #[error(
        "{address} cannot be used: {source}; set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for a store that is not Amazon's, AWS_ENDPOINT_URL"
    )]
    Settings {
        /// What was asked for.
        address: String,
        /// What is wrong.
        source: Error,
    },
    /// The machine has no thread left.
    #[error("no thread could be started to speak to a bucket: {0}")]
    Thread(io::Error),
}

impl Bucket {
    /// The folder at an address. Nothing is asked of the store yet.
    ///
    /// # Errors
    /// When the address has another form, or the environment says too little.
    pub fn at(address: &str) -> Result<Self, AddressError> {
        let form = || AddressError::Form(address.to_owned());
        let rest = address.strip_prefix(SCHEME).ok_or_else(form)?;
        let (name, folder) = rest.split_once('/').unwrap_or((rest, ""));
        let folder = folder.trim_matches('/');
        if name.is_empty()
            || folder.split('/').any(|part| part == "." || part == "..")
            || folder.contains("//")
        {
            return Err(form());
        }
        let builder = AmazonS3Builder::from_env().with_bucket_name(name).with_http_connector(Connector);
        let store = builder
            .build()
            .map_err(|source| AddressError::Settings { address: address.to_owned(), source })?;
        Self::over(Arc::new(store), name, folder).map_err(AddressError::Thread)
    }

    /// The folder in a store of any kind.
    ///
    /// # Errors
    /// When the machine has no thread left.
    pub fn over(store: Arc<dyn ObjectStore>, name: &str, folder: &str) -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("bucket").enable_all().build()?;
        Ok(Self {
            store,
            name: name.to_owned(),
            folder: folder.to_owned(),
            worker: Arc::new(Worker(Some(runtime))),
        })
    }

    /// The address of an object, or of the folder for an empty name.
    #[must_use]
    pub fn address(&self, name: &str) -> String {
        [SCHEME.trim_end_matches('/'), "", &self.name, &self.folder, name]
            .iter()
            .enumerate()
            .filter(|(place, part)| *place == 1 || !part.is_empty())
            .map(|(_, part)| *part)
            .collect::<Vec<_>>()
            .join("/")
    }

    /// All objects below a name (`clicks` has `clicks/a` and `clicks/b/c`, not `clicks2`), by name.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    pub fn list(&self, below: &str) -> io::Result<Vec<Object>> {
        let prefix = self.path(below)?;
        let found = self.wait(async move |store| store.list(Some(&prefix)).try_collect::<Vec<_>>().await)?;
        let mut objects =
            found.map_err(failure)?.iter().filter_map(|meta| self.object(meta)).collect::<Vec<_>>();
        objects.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(objects)
    }

    /// The names of the folders right below a name.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    pub fn folders(&self, below: &str) -> io::Result<Vec<String>> {
        let prefix = self.path(below)?;
        let found = self.wait(async move |store| store.list_with_delimiter(Some(&prefix)).await)?;
        let folders = found.map_err(failure)?.common_prefixes;
        Ok(folders.iter().filter_map(|folder| folder.filename().map(str::to_owned)).collect())
    }

    /// An object, if it is there.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    pub fn find(&self, name: &str) -> io::Result<Option<Object>> {
        let path = self.path(name)?;
        match self.wait(async move |store| store.head(&path).await)? {
            Ok(meta) => Ok(self.object(&meta)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    /// What is in an object, and which content that is; nothing where it is not there, or has another content than the
    /// one that was asked for.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    pub fn get(&self, name: &str, tag: Option<&Tag>) -> io::Result<Option<(Bytes, Tag)>> {
        let path = self.path(name)?;
        let options = GetOptions { if_match: tag.map(|tag| tag.0.clone()), ..GetOptions::default() };
        let got = self.wait(async move |store| {
            let got = store.get_opts(&path, options).await?;
            let tag = Tag(got.meta.e_tag.clone().unwrap_or_default());
            Ok::<_, Error>((got.bytes().await?, tag))
        })?;
        match got {
            Ok(got) => Ok(Some(got)),
            Err(Error::NotFound { .. } | Error::Precondition { .. }) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    /// Writes an object, whole or not at all, and for good once this returns.
    ///
    /// # Errors
    /// When the store does not answer, or refuses. Whether it was written is unknown then.
    pub fn put(&self, name: &str, bytes: impl Into<Bytes>, when: When<'_>) -> io::Result<Written> {
        let (path, bytes) = (self.path(name)?, bytes.into());
        let mode = match when {
            When::Always => PutMode::Overwrite,
            When::Absent => PutMode::Create,
            When::Unchanged(tag) => {
                PutMode::Update(UpdateVersion { e_tag: Some(tag.0.clone()), version: None })
            }
        };
        let payload = PutPayload::from(bytes.clone());
        match self.wait(async move |store| store.put_opts(&path, payload, mode.into()).await)? {
            Ok(put) => Ok(Written::Done(Tag(put.e_tag.unwrap_or_default()))),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. }) => {
                // An answer may be lost after the object was written, and then the second attempt finds the first.
                let there = self.get(name, None)?.filter(|(there, _)| *there == bytes);
                Ok(there.map_or(Written::Late, |(_, tag)| Written::Done(tag)))
            }
            Err(error) => Err(failure(error)),
        }
    }

    /// Takes an object away; one that is not there is no error.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path(name)?;
        match self.wait(async move |store| store.delete(&path).await)? {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }

    fn path(&self, name: &str) -> io::Result<Path> {
        let whole = [self.folder.as_str(), name].into_iter().filter(|part| !part.is_empty());
        let whole = whole.collect::<Vec<_>>().join("/");
        Path::parse(&whole).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    fn object(&self, meta: &ObjectMeta) -> Option<Object> {
        let name = meta.location.as_ref().strip_prefix(&self.folder)?.trim_start_matches('/').to_owned();
        let tag = Tag(meta.e_tag.clone()?);
        Some(Object { name, tag, size: meta.size, modified: meta.last_modified.into() })
    }

    /// Has something done by the thread of its own, and waits for it.
    fn wait<T, F>(&self, ask: impl FnOnce(Arc<dyn ObjectStore>) -> F) -> io::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (tell, told) = mpsc::sync_channel(1);
        let work = ask(self.store.clone());
        let runtime = self.worker.0.as_ref().ok_or_else(ended)?;
        runtime.spawn(async move {
            // Whoever asked waits for this.
            drop(tell.send(work.await));
        });
        told.recv().map_err(|_| ended())
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.address(""))
    }
}

fn ended() -> io::Error {
    io::Error::other("the thread that speaks to the bucket has ended")
}

fn failure(error: Error) -> io::Error {
    let kind = match &error {
        Error::NotFound { .. } => io::ErrorKind::NotFound,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
