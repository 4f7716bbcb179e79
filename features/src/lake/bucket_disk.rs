//! A lake in a bucket: files are written on this machine and put in their place whole, on the condition that nobody else
//! put something there meanwhile; what is read is kept on this machine under the content that it is.

use std::{
    env,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use bucket::{Bucket, Object, Tag, When, Written};
use domain::Clock;

use super::{
    disk::{Disk, DiskFile, Entry, Fetched, Over, there},
    error::LakeError,
    lock::Lock,
};

/// Names the folder for what is read from buckets.
const CACHE_VARIABLE: &str = "TRIBUTARY_LAKE_CACHE";

/// For how long what was read is kept after it was read last.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// How often a file is looked for again that is replaced each time before it can be read.
const ATTEMPTS: usize = 10;

/// Between a file's name and its content's in the cache; no name of the lake's own has it.
const SEPARATOR: char = '@';

/// How many files this process has begun to receive.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// A folder of a bucket.
pub(super) struct BucketDisk {
    bucket: Bucket,
    /// Its address, from which every path of the lake begins.
    root: PathBuf,
    /// Where files are while they are written, and after they were read.
    cache: PathBuf,
    clock: Clock,
}

impl BucketDisk {
    /// With a cache where the user has caches.
    pub(super) fn open(bucket: Bucket) -> Result<Self, LakeError> {
        let address = bucket.address("");
        let own = env::var_os(CACHE_VARIABLE).map(PathBuf::from);
        let users = || {
            let caches = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            caches
                .or_else(|| env::home_dir().map(|home| home.join(".cache")))
                .map(|it| it.join("tributary/lake"))
        };
        let caches = own.or_else(users).filter(|caches| !caches.as_os_str().is_empty());
        let caches = caches.ok_or_else(|| LakeError::NoCache { address: address.clone() })?;
        let cache = caches.join(address.trim_start_matches(bucket::SCHEME));
        Self::with_cache(bucket, cache, Clock::system())
    }

    /// With a cache of its own.
    pub(super) fn with_cache(bucket: Bucket, cache: PathBuf, clock: Clock) -> Result<Self, LakeError> {
        let disk = Self { root: PathBuf::from(bucket.address("")), bucket, cache, clock };
        let made =
            fs::create_dir_all(&disk.cache).and_then(|()| forget_old(&disk.cache, disk.clock.now().into()));
        made.map_err(|error| LakeError::io("making", &disk.cache, error))?;
        Ok(disk)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A path of the lake as the bucket calls it.
    fn name<'a>(&self, path: &'a Path) -> io::Result<&'a str> {
        let within = path.strip_prefix(&self.root).ok().and_then(Path::to_str);
        within.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is not in the bucket's folder"))
    }

    /// Where a file is while it is written.
    fn draft(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(self.cache.join(self.name(path)?))
    }

    /// Where a file's content is once it was read.
    fn content(&self, path: &Path, tag: &Tag) -> io::Result<PathBuf> {
        let mut content = self.draft(path)?.into_os_string();
        content.push(SEPARATOR.to_string());
        content.push(tag.0.chars().filter(char::is_ascii_alphanumeric).collect::<String>());
        Ok(content.into())
    }

    fn entry(&self, object: Object) -> Entry {
        let path = self.root.join(object.name);
        Entry { path, tag: Some(object.tag), modified: object.modified }
    }

    /// Writes what was read where the next reader finds it, whole.
    fn keep(&self, content: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = content.parent().unwrap_or(&self.cache);
        fs::create_dir_all(folder)?;
        let number = BEGUN.fetch_add(1, Ordering::Relaxed);
        let unfinished = folder.join(format!("_{}-{number}.received", process::id()));
        let kept = File::create(&unfinished)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&unfinished, content));
        if kept.is_err() {
            drop(fs::remove_file(unfinished));
        }
        kept
    }

    /// Takes away all contents that a file had.
    fn forget_contents(&self, path: &Path) -> io::Result<()> {
        let draft = self.draft(path)?;
        let name = draft.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(entries) = there(fs::read_dir(draft.parent().unwrap_or(&self.cache)))? else {
            return Ok(());
        };
        for entry in entries {
            let entry = entry?;
            let of_file = entry
                .file_name()
                .to_str()
                .and_then(|other| other.strip_prefix(name))
                .is_some_and(|rest| rest.starts_with(SEPARATOR));
            if of_file {
                there(fs::remove_file(entry.path()))?;
            }
        }
        Ok(())
    }
}

/// Takes away what was not read for long, and what a killed process left.
fn forget_old(folder: &Path, now: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(about) = there(fs::metadata(&path))? else { continue };
        if about.is_dir() {
            forget_old(&path, now)?;
        } else if KEPT <= now.duration_since(about.modified()?).unwrap_or_default() {
            there(fs::remove_file(path))?;
        }
    }
    Ok(())
}

impl Disk for BucketDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(self.draft(path)?)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Draft(File::create(self.draft(path)?)?)))
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Draft(File::create_new(self.draft(path)?)?)))
    }

    fn rename(&self, from: &Path, to: &Path, over: Over<'_>) -> io::Result<()> {
        let draft = self.draft(from)?;
        let when = match over {
            Over::Anything => When::Always,
            Over::Found(None) => When::Absent,
            Over::Found(Some(found)) => found.tag.as_ref().map_or(When::Always, When::Unchanged),
        };
        match self.bucket.put(self.name(to)?, fs::read(&draft)?, when)? {
            // Whoever wrote it often reads it next.
            Written::Done(tag) => fs::rename(draft, self.content(to, &tag)?),
            Written::Late => Err(io::ErrorKind::ResourceBusy.into()),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        // What has no content yet is only here.
        if there(fs::remove_file(self.draft(path)?))?.is_some() {
            return Ok(());
        }
        self.bucket.remove(self.name(path)?)?;
        self.forget_contents(path)
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn has_folder(&self, path: &Path) -> io::Result<bool> {
        Ok(!self.bucket.folders(self.name(path)?)?.is_empty())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let objects = self.bucket.list(self.name(folder)?)?;
        Ok(objects.into_iter().map(|object| self.entry(object)).collect())
    }

    fn find(&self, path: &Path) -> io::Result<Option<Entry>> {
        Ok(self.bucket.find(self.name(path)?)?.map(|object| self.entry(object)))
    }

    fn fetch(&self, entry: &Entry) -> io::Result<Fetched> {
        let mut entry = entry.clone();
        for _ in 0..ATTEMPTS {
            let tag = entry.tag.as_ref().ok_or(io::ErrorKind::InvalidInput)?;
            let content = self.content(&entry.path, tag)?;
            if let Some(kept) = there(File::options().append(true).open(&content))? {
                kept.set_modified(self.clock.now().into())?;
                return Ok(Fetched { entry, content });
            }
            if let Some((bytes, _)) = self.bucket.get(self.name(&entry.path)?, Some(tag))? {
                self.keep(&content, &bytes)?;
                return Ok(Fetched { entry, content });
            }
            entry = self.find(&entry.path)?.ok_or(io::ErrorKind::NotFound)?;
        }
        Err(io::Error::other("it is being replaced all the time"))
    }

    fn text(&self, path: &Path) -> io::Result<Option<String>> {
        let Some((bytes, _)) = self.bucket.get(self.name(path)?, None)? else { return Ok(None) };
        let text = String::from_utf8(bytes.into());
        text.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Lock>> {
        // Of two processes of this machine, which share drafts; one of another machine may be late at any file.
        Lock::take(&self.cache.join("_lock"))
    }
}

/// A file that the bucket does not have yet; it lasts once it is in its place.
struct Draft(File);

impl DiskFile for Draft {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
