//! The log against a model of a few lines: what was promised is read once and in order, whatever happens.

use std::{collections::BTreeSet, ops::Range, sync::Arc, time::Duration};

use proptest::{prelude::*, sample::Index};

use super::{
    simulated_disk::{Fault, SimulatedDisk},
    *,
};

pub(super) const SEGMENT: u32 = 4 << 10;
pub(super) const DURABILITIES: [Durability; 2] =
    [Durability::Commit, Durability::Interval(Duration::from_millis(1))];

#[derive(Debug, Clone)]
enum Action {
    /// Append records of these lengths at the same time.
    Append(Vec<u16>),
    /// Wait until everything that was appended is on the disk.
    Sync,
    /// Read some records, and remember them as shipped.
    Ship(usize),
    /// Read some records, and forget it: the process dies before they are remembered.
    ReadInVain(usize),
    Fail(Fault),
    /// A byte of a segment changes on the disk.
    Corrupt(Index, Index),
    /// Close in peace and open again.
    Reopen,
    /// The process dies, with appends under way.
    Kill(Moment, Vec<u16>),
    /// The process dies, with appends under way, and the power goes while the log is opened again.
    KillAndCutPower([Moment; 2], Vec<u16>),
    /// The power goes, with appends under way.
    CutPower(Moment, Vec<u16>),
}

/// After so many operations of the disk, and so many bytes of the next one where it is a write.
type Moment = (u32, usize);

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let lengths = || prop::collection::vec(0u16..900, 1..20);
    let moment = || (0u32..30, 0usize..2_000);
    // Opening takes fewer steps, and writes less.
    let opening = || (0u32..15, 0usize..50);
    let action = prop_oneof![
        8 => lengths().prop_map(Action::Append),
        2 => Just(Action::Sync),
        4 => (1usize..40).prop_map(Action::Ship),
        1 => (1usize..40).prop_map(Action::ReadInVain),
        1 => prop_oneof![Just(Fault::Full), Just(Fault::Write), Just(Fault::Sync)].prop_map(Action::Fail),
        2 => any::<(Index, Index)>().prop_map(|(segment, byte)| Action::Corrupt(segment, byte)),
        1 => Just(Action::Reopen),
        2 => (moment(), lengths()).prop_map(|(moment, lengths)| Action::Kill(moment, lengths)),
        1 => (moment(), opening(), lengths()).prop_map(|(killed, cut, lengths)| {
            Action::KillAndCutPower([killed, cut], lengths)
        }),
        3 => (moment(), lengths()).prop_map(|(moment, lengths)| Action::CutPower(moment, lengths)),
    ];
    prop::collection::vec(action, 1..40)
}

/// What must be true of the records, by number.
#[derive(Default)]
pub(super) struct Model {
    pub next: u32,
    /// Promised, and not yet shipped.
    pub promised: BTreeSet<u32>,
    /// Answered by an interval that has not ended.
    answered: BTreeSet<u32>,
    /// Under way in each crash: one may be there, but then those before it are.
    unsure: Vec<BTreeSet<u32>>,
    /// Refused: they must never be read.
    pub refused: BTreeSet<u32>,
    /// Refusals that callers were told since the log was opened.
    refusals: u64,
    /// Whether the disk was made to fail since the log was opened.
    has_failed: bool,
    /// Frames that are no longer as they were written.
    damaged: Vec<Damaged>,
    /// The highest number that was read since shipping last went back.
    last_read: Option<u32>,
}

/// A frame that was durable, and of which a byte has changed.
#[derive(Debug)]
struct Damaged {
    sequence: u64,
    bytes: Range<u32>,
    /// Whether its record was promised, so that somebody has to hear of it.
    was_promised: bool,
    is_reported: bool,
}

/// A log on a disk that loses power, and what must be true of it.
pub(super) struct World {
    pub disk: SimulatedDisk,
    pub settings: Settings,
    pub wal: Wal,
    pub reader: Reader,
    pub model: Model,
    dice: u32,
}

impl World {
    pub(super) fn new(durability: Durability, dice: u32) -> Self {
        let disk = SimulatedDisk::default();
        let settings = Settings { durability, segment_bytes: SEGMENT, queue: 64, lanes: 1 };
        let (wal, reader) = Wal::open_on(Arc::new(disk.clone()), settings).unwrap();
        Self { disk, settings, wal, reader, model: Model::default(), dice }
    }

    pub(super) fn open(&mut self) {
        self.disk.heal();
        let (wal, reader) = Wal::open_on(Arc::new(self.disk.clone()), self.settings).unwrap();
        (self.wal, self.reader) = (wal, reader);
        self.model.last_read = None;
        self.model.refusals = 0;
        self.model.has_failed = false;
    }

    async fn reopen(&mut self) {
        self.wal.close().await;
        self.sync().await;
        self.open();
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Append(lengths) => self.append(&lengths).await,
            Action::Sync => self.sync().await,
            Action::Ship(count) => self.ship(count),
            Action::ReadInVain(count) => {
                self.read(count);
                let position = position::load(&self.disk).unwrap();
                self.reopen().await;
                assert_eq!(position, position::load(&self.disk).unwrap());
            }
            Action::Fail(fault) => {
                self.disk.fail_next(fault);
                self.model.has_failed = true;
            }
            Action::Corrupt(segment, byte) => self.corrupt(segment, byte).await,
            Action::Reopen => self.reopen().await,
            Action::Kill(moment, lengths) => {
                self.crash(moment, &lengths).await;
                self.disk = self.disk.after_kill();
                self.open();
            }
            Action::KillAndCutPower([killed, (operations, written_bytes)], lengths) => {
                self.crash(killed, &lengths).await;
                self.disk = self.disk.after_kill();
                self.disk.cut_power_after(operations, written_bytes);
                drop(Wal::open_on(Arc::new(self.disk.clone()), self.settings));
                self.disk = self.disk.after_power_cut(dice(&mut self.dice));
                self.open();
            }
            Action::CutPower(moment, lengths) => {
                self.crash(moment, &lengths).await;
                self.disk = self.disk.after_power_cut(dice(&mut self.dice));
                self.open();
            }
        }
    }

    async fn crash(&mut self, (operations, written_bytes): Moment, lengths: &[u16]) {
        self.disk.cut_power_after(operations, written_bytes);
        let refused = self.offer(lengths).await;
        let mut unsure = std::mem::take(&mut self.model.answered);
        unsure.extend(refused);
        // What a failing disk refuses after it was answered is missing in the middle.
        if !self.model.has_failed {
            self.model.unsure.push(unsure);
        }
    }

    /// Appends at the same time.
    pub(super) async fn append(&mut self, lengths: &[u16]) {
        let refused = self.offer(lengths).await;
        self.model.refused.extend(refused);
    }

    /// Appends at the same time and says what was refused; a disk without power refuses what it may have kept.
    async fn offer(&mut self, lengths: &[u16]) -> Vec<u32> {
        let before = self.wal.counts();
        let mut waiting = Vec::new();
        for length in lengths {
            let number = self.model.next;
            self.model.next += 1;
            let mut record = number.to_le_bytes().to_vec();
            record.resize(4 + usize::from(*length), number as u8);
            let wal = self.wal.clone();
            waiting.push((number, tokio::spawn(async move { wal.append(record).await })));
        }
        let mut refused = Vec::new();
        for (number, outcome) in waiting {
            let outcome = outcome.await.unwrap();
            match self.settings.durability {
                _ if outcome.is_err() => refused.push(number),
                Durability::Commit => _ = self.model.promised.insert(number),
                Durability::Interval(_) => _ = self.model.answered.insert(number),
            }
        }
        self.model.refusals += refused.len() as u64;
        let counts = self.wal.counts();
        assert_eq!(counts.accepted, counts.durable + counts.refused + counts.in_flight);
        assert_eq!(counts.accepted - before.accepted, lengths.len() as u64);
        if self.settings.durability == Durability::Commit {
            assert_eq!(counts.in_flight, 0);
            assert_eq!(counts.refused - before.refused, refused.len() as u64);
        }
        refused
    }

    /// Waits until nothing is under way: what an interval has answered is promised then, unless a disk that failed
    /// has refused some of it.
    async fn sync(&mut self) {
        while 0 < self.wal.counts().in_flight {
            tokio::task::yield_now().await;
        }
        if self.wal.counts().refused == self.model.refusals {
            self.model.promised.append(&mut self.model.answered);
        }
        self.model.answered.clear();
    }

    /// Changes a byte of the log, unless it is one that a torn write could have left so.
    async fn corrupt(&mut self, segment: Index, byte: Index) {
        self.sync().await;
        let segments = recovery::segments(&self.disk).unwrap();
        let Some(sequence) = (!segments.is_empty()).then(|| segments[segment.index(segments.len())]) else {
            return;
        };
        let bytes = self.disk.bytes_of(&recovery::segment_name(sequence));
        let at = byte.index(bytes.len()) as u32;
        let hit = frames(&bytes, sequence).into_iter().find(|(range, _)| range.contains(&at));
        let is_hurt = |other: &Damaged| other.sequence == sequence && other.bytes.contains(&at);
        if self.model.damaged.iter().any(is_hurt) {
            return;
        }
        if let Some((range, number)) = hit {
            let is_last = segments.last() == Some(&sequence);
            if is_last && !is_known_durable(&bytes, sequence, range.start) {
                return;
            }
            let was_promised = number.is_some_and(|number| self.model.promised.remove(&number));
            self.model.unsure.iter_mut().for_each(|unsure| _ = number.map(|number| unsure.remove(&number)));
            self.model.damaged.push(Damaged { sequence, bytes: range, was_promised, is_reported: false });
        }
        self.disk.corrupt(&recovery::segment_name(sequence), at as usize);
    }

    fn read(&mut self, count: usize) -> (Vec<u32>, Option<Position>) {
        let Ok(batch) = self.reader.read(count) else { return (Vec::new(), None) };
        for damage in &batch.damage {
            let hurt =
                self.model.damaged.iter_mut().filter(|hurt| {
                    hurt.sequence == damage.sequence && damage.bytes.contains(&hurt.bytes.start)
                });
            assert!(0 < hurt.map(|hurt| hurt.is_reported = true).count(), "nothing was damaged: {damage:?}");
        }
        let numbers: Vec<u32> = batch.records.iter().map(|record| number_of(record)).collect();
        for number in &numbers {
            assert!(self.model.last_read < Some(*number), "{number} comes late or twice");
            assert!(!self.model.refused.contains(number), "{number} had been refused");
            if self.model.answered.remove(number) {
                // Only what is durable is read.
                self.model.promised.insert(*number);
            }
            for unsure in &mut self.model.unsure {
                let is_one = unsure.remove(number);
                assert!(
                    !is_one || unsure.first().is_none_or(|first| number < first),
                    "one before {number} is not there"
                );
            }
            self.model.last_read = Some(*number);
        }
        (numbers, Some(batch.end))
    }

    fn ship(&mut self, count: usize) {
        let (numbers, end) = self.read(count);
        for number in numbers {
            self.model.promised.remove(&number);
        }
        if let Some(end) = end {
            // A disk that fails here only has the same records read again after the next opening.
            let _ = self.reader.free(end);
        }
    }

    /// Everything that was promised comes out in the end, or is reported as damaged.
    pub(super) async fn drain(mut self) {
        self.reopen().await;
        while !self.reader.is_at_end() {
            self.ship(7);
        }
        assert_eq!(self.model.promised, BTreeSet::new(), "promised and lost");
        let is_silent = |damaged: &&Damaged| damaged.was_promised && !damaged.is_reported;
        assert!(self.model.damaged.iter().find(is_silent).is_none(), "damaged in silence");
        assert!(recovery::segments(&self.disk).unwrap().is_empty(), "everything shipped is freed");
    }
}

/// Every whole frame of a segment: where it is, and its record's number.
fn frames(bytes: &[u8], sequence: u64) -> Vec<(Range<u32>, Option<u32>)> {
    let mut frames = Vec::new();
    let mut from = frame::SEGMENT_HEADER;
    while let Some((offset, found)) = frame::find(bytes, sequence, from) {
        from = offset + found.length();
        let number = (found.kind == frame::Kind::Record).then(|| number_of(found.payload));
        frames.push((offset..from, number));
    }
    frames
}

/// Whether a later frame knows that what is at `at` was durable, so that it cannot be taken for a torn write.
fn is_known_durable(bytes: &[u8], sequence: u64, at: u32) -> bool {
    let mut from = at + 1;
    while let Some((offset, found)) = frame::find(bytes, sequence, from) {
        if at < found.synced {
            return true;
        }
        from = offset + found.length();
    }
    false
}

fn number_of(record: &[u8]) -> u32 {
    let number = u32::from_le_bytes(record[..4].try_into().unwrap());
    assert!(record[4..].iter().all(|byte| *byte == number as u8), "{number} is not what was appended");
    number
}

fn dice(state: &mut u32) -> impl FnMut() -> u32 {
    move || {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *state >> 8
    }
}

/// Each test has a thread, and so a lane, of its own.
pub(super) fn run(future: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().on_thread_park(thread_parks).build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_was_promised_is_read_once_and_in_order(actions in actions(), seed: u32, mode in 0usize..2) {
        // Half of the time as on a thread that takes clicks.
        if seed.is_multiple_of(2) { gather_until_parked() } else { lanes::gather_no_more() }
        run(async move {
            let mut world = World::new(DURABILITIES[mode], seed);
            for action in actions {
                world.act(action).await;
            }
            world.drain().await;
        });
    }

    #[test]
    fn a_segment_cut_anywhere_opens_with_every_whole_frame(cut in 0usize..SEGMENT as usize, zeros: bool) {
        run(async move {
            let mut world = World::new(Durability::Commit, 0);
            // Number nought is all zeros, and so is what a cut leaves.
            world.model.next = 1;
            for _ in 0..10 {
                world.append(&[100]).await;
            }
            let name = recovery::segment_name(1);
            let mut bytes = world.disk.bytes_of(&name);
            bytes.truncate(cut);
            if zeros {
                bytes.resize(SEGMENT as usize, 0);
            }
            world.disk = SimulatedDisk::default();
            let file = world.disk.create(&name).unwrap();
            file.write_at(&bytes, 0).unwrap();
            world.disk.sync_folder().unwrap();
            let frame = frame::FRAME_HEADER as usize + 104;
            let whole = cut.saturating_sub(frame::SEGMENT_HEADER as usize) / frame;
            world.open();
            let (numbers, _) = world.read(100);
            assert_eq!(numbers, (1..=whole.min(10) as u32).collect::<Vec<_>>());
        });
    }

    #[test]
    fn damage_is_reported_and_what_follows_is_read(at in 0usize..1200, reopens: bool) {
        run(async move {
            let mut world = World::new(Durability::Commit, 0);
            for _ in 0..12 {
                world.append(&[100]).await;
            }
            let frame = frame::FRAME_HEADER as usize + 104;
            world.disk.corrupt(&recovery::segment_name(1), frame::SEGMENT_HEADER as usize + at);
            if reopens {
                world.wal.close().await;
                world.open();
            }
            let batch = world.reader.read(100).unwrap();
            let numbers: Vec<u32> = batch.records.iter().map(|record| number_of(record)).collect();
            let lost = (at / frame) as u32;
            assert_eq!(numbers, (0..12).filter(|number| *number != lost).collect::<Vec<_>>());
            let begin = frame::SEGMENT_HEADER + lost * frame as u32;
            assert_eq!(batch.damage, [Damage { sequence: 1, bytes: begin..begin + frame as u32 }]);
            world.reader.free(Position::start_of(2)).unwrap();
            assert!(world.disk.list().unwrap().contains(&"00000000000000000001.wal.damaged".to_owned()));
        });
    }
}
