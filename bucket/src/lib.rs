//! A bucket of an S3-compatible object store, as threads that wait see it: whole objects, read and written one at a
//! time, and written on a condition where somebody else may write too.

mod address;
mod connection;
mod failure;

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fmt,
    fs::File,
    io::{self, Read},
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{
    Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, UpdateVersion,
    path::Path,
};
use tokio::runtime::{Builder, Runtime};

pub use self::address::{AddressError, SCHEME, remote};
use self::failure::failure;

/// How often a writer is tried again that the store refuses although nothing is in its way, and a list that breaks off;
/// and how much longer each time it waits before that.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(50);

/// A folder in a bucket: `s3://BUCKET/FOLDER`.
///
/// Who we are and where the store is comes from the variables that every program for S3 reads: `AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL` (with `AWS_ALLOW_HTTP=true` for one without TLS), or from
/// the machine's role. Every operation waits until the store has answered, on the thread that asked. What fails for a
/// moment is tried again for up to three minutes, if the store has ever answered; one that never has is given up after
/// five seconds when it cannot be reached (ten when packets to it vanish), and after fifteen to twenty when it says
/// nothing.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    /// The bucket's name, for messages.
    name: String,
    /// The folder; empty for the bucket itself.
    folder: String,
    /// Set once it is known that there is a bucket of this name.
    is_there: Arc<OnceLock<()>>,
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

impl Bucket {
    /// The folder at an address, with what the environment says. Nothing is asked of the store yet.
    ///
    /// # Errors
    /// When the address has another form, or the environment says too little.
    pub fn at(address: &str) -> Result<Self, AddressError> {
        let text =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self::with(address, env::vars_os().filter_map(text))
    }

    /// The folder at an address, with these variables instead of the environment's: `("AWS_REGION", "eu-central-1")` and
    /// so on. Nothing is asked of the store yet.
    ///
    /// # Errors
    /// When the address has another form, or the variables say too little.
    pub fn with<N: Into<String>, V: Into<String>>(
        address: &str,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, AddressError> {
        let form = || AddressError::Form(address.to_owned());
        let (name, folder) = address::parsed(address).ok_or_else(form)?;
        let variables: BTreeMap<String, String> =
            variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let store = address::store(address, name, &variables)?;
        Self::over(Arc::new(store), name, folder).map_err(AddressError::Thread)
    }

    /// The folder in a store of any kind.
    ///
    /// # Errors
    /// When the machine has no thread left.
    pub fn over(store: Arc<dyn ObjectStore>, name: &str, folder: &str) -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("bucket").enable_all().build()?;
        let (name, folder) = (name.to_owned(), folder.to_owned());
        Ok(Self { store, name, folder, is_there: Arc::default(), worker: Arc::new(Worker(Some(runtime))) })
    }

    /// The address of an object, or of the folder for an empty name.
    #[must_use]
    pub fn address(&self, name: &str) -> String {
        let parts = [self.name.as_str(), &self.folder, name].into_iter().filter(|part| !part.is_empty());
        format!("{SCHEME}{}", parts.collect::<Vec<_>>().join("/"))
    }

    /// All objects below a name (`clicks` has `clicks/a` and `clicks/b/c`, not `clicks2`), by name.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    pub fn list(&self, below: &str) -> io::Result<Vec<Object>> {
        let prefix = self.path(below)?;
        let found = self.listed(|store| {
            let prefix = prefix.clone();
            async move { store.list(Some(&prefix)).try_collect::<Vec<_>>().await }
        })?;
        let mut objects: Vec<Object> = found.iter().filter_map(|meta| self.object(meta)).collect();
        objects.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(objects)
    }

    /// The names of the folders right below a name.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    pub fn folders(&self, below: &str) -> io::Result<Vec<String>> {
        let prefix = self.path(below)?;
        let found = self.listed(|store| {
            let prefix = prefix.clone();
            async move { store.list_with_delimiter(Some(&prefix)).await }
        })?;
        let folders = found.common_prefixes;
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
            Err(Error::NotFound { .. }) => self.nothing(name),
            Err(error) => Err(self.failure(error)),
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
            Err(Error::NotFound { .. }) => self.nothing(name),
            Err(Error::Precondition { .. }) => Ok(None),
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Writes an object, whole or not at all, and for good once this returns.
    ///
    /// A writer that finds its very content there is told that it is done, because an answer may be lost after the object
    /// was written, and then the second attempt finds the first. So two writers of the same bytes may both be told so;
    /// [`Self::claim`] is for those who must not.
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
        let mut conflicts = 0;
        loop {
            let (path, mode, payload) = (path.clone(), mode.clone(), PutPayload::from(bytes.clone()));
            let refusal =
                match self.wait(async move |store| store.put_opts(&path, payload, mode.into()).await)? {
                    Ok(put) => return Ok(Written::Done(Tag(put.e_tag.unwrap_or_default()))),
                    Err(Error::AlreadyExists { source, .. } | Error::Precondition { source, .. }) => source,
                    Err(Error::NotFound { source, .. }) => source,
                    Err(error) => return Err(self.failure(error)),
                };
            let there = self.find(name)?;
            if let Some(tag) = self.tag_of(name, there.as_ref(), &bytes)? {
                return Ok(Written::Done(tag));
            }
            let holds = match when {
                When::Always => true,
                When::Absent => there.is_none(),
                When::Unchanged(tag) => there.is_some_and(|there| there.tag == *tag),
            };
            if !holds {
                return Ok(Written::Late);
            }
            // Somebody else writes or removes it at this very moment.
            if conflicts == TRIES {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, refusal));
            }
            conflicts += 1;
            thread::sleep(PAUSE * conflicts);
        }
    }

    /// Writes an object unless it is there, and says whether it is ours: of all who ask for the same name, at once or
    /// later, one is told so, also when an answer is lost on the way.
    ///
    /// # Errors
    /// When the store does not answer, or refuses. Whether it was written is unknown then; it is nobody's then.
    pub fn claim(&self, name: &str) -> io::Result<bool> {
        // Not `domain::Chance` on purpose: that nobody else writes this must not be repeatable.
        let mut ours = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut ours)?;
        let ours: String = ours.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(self.put(name, ours + "\n", When::Absent)? != Written::Late)
    }

    /// Takes an object away; one that is not there is no error.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path(name)?;
        match self.wait(async move |store| store.delete(&path).await)? {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failure(error)),
        }
    }

    fn path(&self, name: &str) -> io::Result<Path> {
        let whole = [self.folder.as_str(), name].into_iter().filter(|part| !part.is_empty());
        let whole = whole.collect::<Vec<_>>().join("/");
        Path::parse(&whole).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    /// What consoles write to show a folder has no name below it, and is none of ours.
    fn object(&self, meta: &ObjectMeta) -> Option<Object> {
        let name = meta.location.as_ref().strip_prefix(&self.folder)?.trim_start_matches('/').to_owned();
        let tag = Tag(meta.e_tag.clone().unwrap_or_default());
        (!name.is_empty()).then(|| Object { name, tag, size: meta.size, modified: meta.last_modified.into() })
    }

    /// The tag of what is there, if these are its bytes.
    fn tag_of(&self, name: &str, there: Option<&Object>, bytes: &Bytes) -> io::Result<Option<Tag>> {
        let Some(there) = there.filter(|there| there.size == bytes.len() as u64) else { return Ok(None) };
        let read = self.get(name, Some(&there.tag))?;
        Ok(read.filter(|(read, _)| read == bytes).map(|(_, tag)| tag))
    }

    /// No object, if there is a bucket that could have it: a store says the same of both.
    fn nothing<T>(&self, name: &str) -> io::Result<Option<T>> {
        if self.is_there.get().is_none() {
            let below = self.path(name)?;
            self.listed(|store| {
                let below = below.clone();
                async move { store.list(Some(&below)).try_next().await }
            })?;
            self.is_there.get_or_init(|| ());
        }
        Ok(None)
    }

    /// A list, which is asked for again if it breaks off.
    fn listed<T, F>(&self, ask: impl Fn(Arc<dyn ObjectStore>) -> F) -> io::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = object_store::Result<T>> + Send + 'static,
    {
        let mut tries = 0;
        loop {
            match self.wait(&ask)?.map_err(|error| self.failure(error)) {
                Err(error) if tries < TRIES && error.kind() == io::ErrorKind::ConnectionAborted => {
                    tries += 1;
                    thread::sleep(PAUSE * tries);
                }
                listed => return listed,
            }
        }
    }

    fn failure(&self, error: Error) -> io::Error {
        failure(&self.name, error)
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
